//! Group 9: large messages, small fragments, small writes, and a thousand round trips.

use std::time::Duration;

use tokio::time::Instant;

use crate::arena::{Arena, Refused};
use crate::case::{Case, Play, Playing, Weight};
use crate::judge::{Behavior, Ending, Verdict, close_behavior, describe_end};
use crate::link::{Event, Kind, Link, Next};
use crate::material;
use crate::settings::Effort;

pub(super) fn cases() -> Vec<Case> {
    const MIB: usize = 1024 * 1024;
    let sizes = [64 * 1024, 256 * 1024, MIB, 4 * MIB, 8 * MIB, 16 * MIB];
    let fragments = [64, 256, 1024, 4096, 16 * 1024, 64 * 1024, 256 * 1024, MIB, 4 * MIB];
    let mut cases = Vec::new();
    for (offset, kind) in [(0, Kind::Text), (1, Kind::Binary)] {
        for (number, size) in (1..).zip(sizes) {
            let bulk = Bulk::new(kind, size, if size < MIB { 10 } else { 100 });
            let what = format!("a {kind} message of {size} octets in one frame");
            cases.push(bulk.case(&[9, 1 + offset, number], &what));
        }
        for (number, size) in (1..).zip(fragments) {
            let bulk = Bulk { fragment: Some(size), ..Bulk::new(kind, 4 * MIB, 100) };
            let what = format!("a {kind} message of 4 MiB in fragments of {size} octets");
            cases.push(bulk.case(&[9, 3 + offset, number], &what));
        }
        for (number, size) in (1..).zip([64, 128, 256, 512, 1024, 2048]) {
            let bulk = Bulk { chop: Some(size), ..Bulk::new(kind, MIB, 1000) };
            let what = format!("a {kind} message of 1 MiB in writes of {size} octets");
            cases.push(bulk.case(&[9, 5 + offset, number], &what));
        }
        let trips = [(0, 60), (16, 60), (64, 60), (256, 120), (1024, 240), (4096, 480)];
        for (number, (size, seconds)) in (1..).zip(trips) {
            let play = RoundTrips { kind, size, limit: Duration::from_secs(seconds) };
            let case = Case::new(&[9, 7 + offset, number], play)
                .does(format!("Sends a {kind} message of {size} octets and waits, 1000 times."))
                .expects(format!("Each message comes back, all within {seconds} s."))
                .cites(&["WS-6.1-02", "WS-6.2-01"])
                .weighs(Weight::Heavy);
            cases.push(case);
        }
    }
    cases
}

/// One large message there and back.
#[derive(Clone, Copy, Debug)]
struct Bulk {
    kind: Kind,
    size: usize,
    fragment: Option<usize>,
    chop: Option<usize>,
    limit: Duration,
}

impl Bulk {
    fn new(kind: Kind, size: usize, seconds: u64) -> Self {
        Self { kind, size, fragment: None, chop: None, limit: Duration::from_secs(seconds) }
    }

    fn case(self, id: &[u16], what: &str) -> Case {
        Case::new(id, self)
            .does(format!("Sends {what}."))
            .expects(format!("The same message comes back within {} s.", self.limit.as_secs()))
            .cites(&["WS-5.4-07", "WS-5.2-06", "WS-6.2-01"])
            .weighs(Weight::Heavy)
    }
}

impl Play for Bulk {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            let mut link = arena.open().await?;
            let quick = arena.settings.effort == Effort::Quick;
            let size = if quick { self.size.min(1024 * 1024) } else { self.size };
            let data = payload(self.kind, size);
            let deadline = Instant::now() + self.limit;
            link.write_limit = self.limit;
            let frames = link.message_frames(self.kind, &data, self.fragment);
            let mode = self.chop.map_or_else(Default::default, crate::link::WriteMode::Chopped);
            link.send(&frames, mode).await;
            let flaw = expect_message(&mut link, self.kind, &data, deadline).await.err();
            Ok(finish(link, arena, flaw).await)
        })
    }
}

/// Many small messages, one at a time.
#[derive(Clone, Copy, Debug)]
struct RoundTrips {
    kind: Kind,
    size: usize,
    limit: Duration,
}

impl Play for RoundTrips {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            let mut link = arena.open().await?;
            let data = payload(self.kind, self.size);
            let deadline = Instant::now() + self.limit;
            let mut flaw = None;
            for _ in 0..arena.settings.repetitions(1000) {
                link.send_message(self.kind, &data, None).await;
                flaw = expect_message(&mut link, self.kind, &data, deadline).await.err();
                if flaw.is_some() {
                    break;
                }
            }
            Ok::<_, Refused>(finish(link, arena, flaw).await)
        })
    }
}

fn payload(kind: Kind, size: usize) -> Vec<u8> {
    match kind {
        Kind::Text => material::ascii(size),
        Kind::Binary => material::noise(size),
    }
}

/// Waits for exactly this message.
pub(super) async fn expect_message(
    link: &mut Link,
    kind: Kind,
    data: &[u8],
    deadline: Instant,
) -> Result<(), String> {
    match link.next(deadline).await {
        Next::Event(Event::Message(got, echoed)) if got == kind && echoed == data => Ok(()),
        Next::Event(Event::Message(got, echoed)) if got == kind && echoed.len() == data.len() => {
            Err("the echo has the right length but another content".into())
        }
        Next::Event(other) => Err(format!("expected the echo, saw {other}")),
        Next::Closed | Next::Ended => Err(format!("no echo: {}", describe_end(link))),
        Next::Late => Err("the echo did not come in time".into()),
    }
}

/// Closes and judges a link on which only the first flaw counts.
pub(super) async fn finish(mut link: Link, arena: &Arena, flaw: Option<String>) -> Verdict {
    link.close(1000, arena.settings.wait).await;
    let refusal = Verdict::on_refusal_by_limit(&link).filter(|_| flaw.is_some());
    if let Some(verdict) = refusal {
        return verdict;
    }
    let (close, why_close) = close_behavior(&link, &Ending::SuiteCloses(&[1000]));
    match flaw {
        Some(flaw) => Verdict::on(&link, Behavior::Failed, close, flaw),
        None if why_close.is_empty() => Verdict::on(&link, Behavior::Ok, close, "as expected"),
        None => Verdict::on(&link, Behavior::Ok, close, why_close),
    }
}
