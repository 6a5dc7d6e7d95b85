//! Group 60: figures. Nothing here is right or wrong; the numbers stand in the report.

use std::time::Duration;

use tokio::time::Instant;

use crate::arena::{Arena, Refused};
use crate::case::{Case, Judges, Play, Playing, Weight};
use crate::groups::open_plain;
use crate::judge::{Behavior, CloseBehavior, Verdict};
use crate::link::{Event, Kind, Link, Next, WriteMode};
use crate::material::Material;
use crate::wire::frame::Frame;

pub(super) fn cases() -> Vec<Case> {
    let both = Judges::Both;
    let table = [
        (Figure::RoundTrip, "Measures 2000 round trips of 32 octets.", both),
        (Figure::Pipeline, "Measures 50000 texts of 16 octets, 64 under way.", both),
        (Figure::Bulk, "Measures 200 binary messages of 1 MiB.", both),
        (Figure::Compressed, "Measures 2000 compressed JSON texts of 4 KiB.", both),
        (Figure::Connect, "Measures 200 handshakes, one after another.", Judges::Servers),
        (Figure::Idle, "Opens 300 connections and measures an echo among them.", Judges::Servers),
    ];
    (1..)
        .zip(table)
        .map(|(number, (figure, does, judges))| {
            Case::new(&[60, 1, number], figure)
                .does(does)
                .expects("Informational: the figure.")
                .cites(&["WS-6.1-02"])
                .judges(judges)
                .weighs(Weight::Alone)
        })
        .collect()
}

#[derive(Clone, Copy, Debug)]
enum Figure {
    RoundTrip,
    Pipeline,
    Bulk,
    Compressed,
    Connect,
    Idle,
}

impl Play for Figure {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            let figure = match self {
                Self::RoundTrip => round_trips(arena).await?,
                Self::Pipeline => pipeline(arena).await?,
                Self::Bulk => bulk(arena).await?,
                Self::Compressed => compressed(arena).await?,
                Self::Connect => connect(arena).await?,
                Self::Idle => idle(arena).await?,
            };
            let mut verdict = Verdict::plain(Behavior::Informational, figure);
            verdict.close = CloseBehavior::Informational;
            Ok(verdict)
        })
    }
}

async fn message(link: &mut Link) -> Result<Vec<u8>, Refused> {
    match link.next(Instant::now() + Duration::from_secs(30)).await {
        Next::Event(Event::Message(_, data)) => Ok(data),
        other => Err(Refused::NoConnection(format!("expected an echo, saw {other}"))),
    }
}

async fn trip(link: &mut Link, data: &[u8]) -> Result<Duration, Refused> {
    let began = Instant::now();
    link.send_message(Kind::Text, data, None).await;
    message(link).await?;
    Ok(began.elapsed())
}

async fn round_trips(arena: &mut Arena) -> Result<String, Refused> {
    let mut link = arena.open().await?;
    let count = arena.settings.repetitions(2000);
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        times.push(trip(&mut link, &[b'*'; 32]).await?);
    }
    times.sort_unstable();
    let at = |share: usize| {
        let place = times.get(times.len() * share / 100).copied().unwrap_or_default();
        place.as_secs_f64() * 1e6
    };
    Ok(format!("median {:.0} µs, 99th percentile {:.0} µs", at(50), at(99)))
}

async fn pipeline(arena: &mut Arena) -> Result<String, Refused> {
    const DEPTH: usize = 64;
    let mut link = arena.open().await?;
    let count = arena.settings.repetitions(50_000) / DEPTH * DEPTH;
    let batch = vec![Frame::text([b'*'; 16]); DEPTH];
    let began = Instant::now();
    for _ in 0..count / DEPTH {
        link.send(&batch, WriteMode::OneGo).await;
        for _ in 0..DEPTH {
            message(&mut link).await?;
        }
    }
    let rate = count as f64 / began.elapsed().as_secs_f64();
    Ok(format!("{rate:.0} messages a second"))
}

async fn bulk(arena: &mut Arena) -> Result<String, Refused> {
    let mut link = arena.open().await?;
    let count = arena.settings.repetitions(200);
    let data = crate::material::noise(1024 * 1024);
    let began = Instant::now();
    for _ in 0..count {
        link.send_message(Kind::Binary, &data, None).await;
        message(&mut link).await?;
    }
    let rate = count as f64 / began.elapsed().as_secs_f64();
    Ok(format!("{rate:.0} MiB a second in each direction"))
}

async fn compressed(arena: &mut Arena) -> Result<String, Refused> {
    let mut link = open_plain(arena).await?;
    let count = arena.settings.repetitions(2000);
    let began = Instant::now();
    for number in 0..count {
        trip(&mut link, &Material::Json.slice(number * 4096, 4096)).await?;
    }
    let rate = count as f64 / began.elapsed().as_secs_f64();
    Ok(format!("{rate:.0} round trips a second"))
}

async fn connect(arena: &mut Arena) -> Result<String, Refused> {
    let count = arena.settings.repetitions(200);
    let began = Instant::now();
    for _ in 0..count {
        arena.open().await?.reset();
    }
    let each = began.elapsed().as_secs_f64() / count as f64;
    Ok(format!("{:.0} µs each", each * 1e6))
}

async fn idle(arena: &mut Arena) -> Result<String, Refused> {
    let mut links = Vec::new();
    for _ in 0..300 {
        links.push(arena.open().await?);
    }
    let Some(last) = links.last_mut() else { return Ok("no connection".into()) };
    let time = trip(last, b"among many").await?;
    Ok(format!("an echo took {:.0} µs with 300 connections open", time.as_secs_f64() * 1e6))
}
