//! Section 50.1: fragments, pings and messages without end.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::arena::{Arena, Refused};
use crate::case::{Case, Play, Playing, Weight};
use crate::judge::{Behavior, CloseBehavior, Verdict, describe_end};
use crate::link::{Event, Link, Next, WriteMode};
use crate::settings::Effort;
use crate::wire::frame::Frame;

pub(super) fn cases() -> Vec<Case> {
    let table = [
        (Flood::Fragments(0), "Sends a text of 500000 empty fragments."),
        (Flood::Fragments(1), "Sends a text of 500000 fragments of one octet."),
        (Flood::Message, "Sends a binary message of 256 MiB in fragments of 64 KiB."),
        (Flood::Pings, "Sends 400000 pings of 125 octets and reads no pong meanwhile."),
        (Flood::Frames, "Sends 100000 pongs and then a text."),
    ];
    (1..)
        .zip(table)
        .map(|(number, (flood, does))| {
            let expects = match flood {
                Flood::Pings => "The peer stops reading, or answers only the newest, or closes.",
                Flood::Frames => "The text comes back; pongs need no answer.",
                _ => "The connection is failed with 1008 or 1009 before all of it is held.",
            };
            Case::new(&[50, 1, number], flood)
                .does(does)
                .expects(expects)
                .cites(&["WS-10.4-01", "WS-10.4-02", "WS-5.5.3-02", "WS-5.5.3-03"])
                .weighs(Weight::Heavy)
        })
        .collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flood {
    /// Fragments of so many octets.
    Fragments(usize),
    Message,
    Pings,
    Frames,
}

impl Play for Flood {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            let share = if arena.settings.effort == Effort::Quick { 5 } else { 1 };
            let mut link = arena.open().await?;
            let verdict = match self {
                Self::Fragments(size) => {
                    link.send(&[Frame::text("").open()], WriteMode::OneGo).await;
                    let frame = Frame::continuation(vec![b'*'; *size]).open();
                    endless(&mut link, &frame, 500_000 / share).await
                }
                Self::Message => {
                    link.send(&[Frame::binary("").open()], WriteMode::OneGo).await;
                    let frame = Frame::continuation(vec![7; 64 * 1024]).open();
                    let mut verdict = endless(&mut link, &frame, 4096 / share.min(3)).await;
                    if share > 1 && verdict.behavior == Behavior::NonStrict {
                        verdict.behavior = Behavior::Informational;
                        verdict.why = "a quick run sends too little to meet a limit".into();
                    }
                    verdict
                }
                Self::Pings => pings(&mut link, 400_000).await,
                Self::Frames => frames(&mut link, 100_000 / share, arena.settings.wait).await,
            };
            drop(link);
            if let Err(refused) = arena.still_alive().await {
                return Ok(refused.verdict());
            }
            Ok::<_, Refused>(verdict)
        })
    }
}

/// Sends the frame again and again until the peer has enough.
async fn endless(link: &mut Link, frame: &Frame, count: usize) -> Verdict {
    let one = frame.encode(link.suite_is_client());
    let batch = (256 * 1024 / one.len()).clamp(1, count);
    let bytes = one.repeat(batch);
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut sent = 0;
    while sent < count && !link.is_over() && Instant::now() < deadline {
        link.send_raw("many fragments", &bytes).await;
        sent += batch;
        // A look whether the peer has answered; it must not cost time.
        if let Next::Event(event) = link.next(Instant::now()).await {
            link.record(event);
        }
    }
    if !link.is_over() {
        link.drain(Instant::now() + Duration::from_secs(1)).await;
    }
    let close = CloseBehavior::Informational;
    if link.is_over() {
        link.drain(Instant::now() + Duration::from_secs(1)).await;
        let why = format!("after at most {sent} fragments {}", describe_end(link));
        return Verdict::on(link, Behavior::Ok, close, why);
    }
    let why = format!("{sent} fragments of one message were taken: there is no limit");
    Verdict::on(link, Behavior::NonStrict, close, why)
}

/// Pings without reading; the pongs must not pile up at the peer.
async fn pings(link: &mut Link, count: usize) -> Verdict {
    const SYSTEM: usize = 16 * 1024 * 1024;
    let one = link.encode(&Frame::ping([b'p'; 125]));
    let bytes = one.repeat(1000);
    let (mut sent, total, mut offset) = (0, one.len() * count, 0);
    let mut stopped = "took all of them";
    while sent < total {
        let rest = bytes.get(offset..).unwrap_or_default();
        let rest = rest.get(..total - sent).unwrap_or(rest);
        match timeout(Duration::from_secs(3), link.wire().write_blindly(rest)).await {
            Ok(Ok(written)) => {
                sent += written;
                offset = (offset + written) % bytes.len();
            }
            Ok(Err(_)) => {
                stopped = "cut the connection";
                break;
            }
            Err(_) => {
                stopped = "stopped reading";
                break;
            }
        }
    }
    let why = format!("the peer {stopped} after {sent} octets of pings");
    let close = CloseBehavior::Informational;
    if sent < total {
        return Verdict::on(link, Behavior::Ok, close, why);
    }
    // All were taken: either few pongs were kept, or they pile up.
    let before = link.received();
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut quiet = Instant::now() + Duration::from_secs(2);
    while let Next::Event(Event::Pong(_)) = link.next(quiet.min(deadline)).await {
        quiet = Instant::now() + Duration::from_secs(1);
    }
    let pongs = usize::try_from(link.received() - before).unwrap_or(usize::MAX);
    let behavior = if pongs > SYSTEM { Behavior::NonStrict } else { Behavior::Ok };
    Verdict::on(link, behavior, close, format!("{why}; {pongs} octets of pongs had been kept"))
}

/// Many frames that need no answer, then one that does.
async fn frames(link: &mut Link, count: usize, wait: Duration) -> Verdict {
    let one = link.encode(&Frame::pong("unsolicited"));
    for _ in 0..count / 1000 {
        link.send_raw("a thousand pongs", &one.repeat(1000)).await;
    }
    link.send(&[Frame::text("after them")], WriteMode::OneGo).await;
    let next = link.next(Instant::now() + wait * 5).await;
    link.close(1000, wait).await;
    let close = CloseBehavior::Informational;
    match next {
        Next::Event(Event::Message(_, data)) if data == b"after them" => {
            Verdict::on(link, Behavior::Ok, close, "the text came back")
        }
        other => Verdict::on(link, Behavior::NonStrict, close, format!("saw {other}")),
    }
}
