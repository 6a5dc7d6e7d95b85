//! Attacks on an open WebSocket: the same octets over every carrier and in both roles.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::{Ending, KIB, MIB, PATIENCE};
use crate::link::Kind;
use crate::link::{Event, Link, Next, WriteMode, fragmented};
use crate::wire::deflate::Deflater;
use crate::wire::frame::{Frame, Length};

/// Their names.
pub(super) const NAMES: &[&str] = &[
    "empty fragments",
    "one-octet fragments",
    "unread pings",
    "inflate bomb",
    "inflate bomb in every fragment",
    "inflate empty blocks",
    "declared length 2^40",
    "declared length with the top bit",
    "invalid text, gigabytes of it",
    "silent peer",
    "slow reader",
    "one-octet writes",
    "trickled message",
    "data after the close",
    "masked the wrong way",
];

/// The octets that take long to make, to be made before the link is open: a deadline may run there.
pub(super) fn payload(name: &str, scale: usize) -> Vec<u8> {
    if name.starts_with("inflate bomb") {
        // Zeros are never touched by their writer: the system lends the same page again and again.
        return Deflater::new(15, false, 9).message(&vec![0; 256 * MIB / scale]);
    }
    Vec::new()
}

/// Runs the attack of this name, if there is one. What has to fill the buffers of two sockets has its
/// whole size at every scale.
pub(super) async fn attack(
    name: &str,
    payload: &[u8],
    link: &mut Link,
    scale: usize,
) -> Option<Ending> {
    Some(match name {
        "empty fragments" => fragments(link, 0, 500_000 / scale).await,
        "one-octet fragments" => fragments(link, 1, 500_000 / scale).await,
        "unread pings" => pings(link).await,
        "inflate bomb" => bomb(link, payload, usize::MAX).await,
        "inflate bomb in every fragment" => bomb(link, payload, 4 * KIB).await,
        "inflate empty blocks" => empty_blocks(link, 64 * MIB / scale).await,
        "declared length 2^40" => declared(link, 1 << 40).await,
        "declared length with the top bit" => declared(link, 1 << 63 | 5).await,
        "invalid text, gigabytes of it" => invalid_text(link, 1024 * MIB / scale).await,
        "silent peer" => silent(link).await,
        "slow reader" => slow_reader(link, 64 * MIB).await,
        "one-octet writes" => one_octet_writes(link, MIB / scale).await,
        "trickled message" => trickle(link).await,
        "data after the close" => after_close(link).await,
        "masked the wrong way" => wrong_masking(link).await,
        _ => return None,
    })
}

async fn fragments(link: &mut Link, size: usize, count: usize) -> Ending {
    link.send(&[Frame::text("").open()], WriteMode::OneGo).await;
    let frame = Frame::continuation(vec![b'*'; size]).open();
    let one = frame.encode(link.suite_is_client());
    repeat(link, &one, count).await
}

/// Sends the same octets again and again, reading what comes, until the peer has enough.
async fn repeat(link: &mut Link, one: &[u8], count: usize) -> Ending {
    let batch = (64 * KIB / one.len()).clamp(1, count);
    let octets = one.repeat(batch);
    let mut sent = 0;
    while sent < count * one.len() && !link.is_over() {
        if !link.send_raw("again and again", &octets).await {
            break;
        }
        sent += octets.len();
        // A look whether the peer has answered.
        if let Next::Event(event) = link.next(Instant::now()).await {
            link.record(event);
        }
    }
    let wait = if link.is_over() { PATIENCE } else { Duration::from_secs(1) };
    ended(link, sent, wait).await
}

/// Reads on to the end and says what it was.
async fn ended(link: &mut Link, sent: usize, wait: Duration) -> Ending {
    link.drain(Instant::now() + wait).await;
    Ending::new(sent, describe(link))
}

fn describe(link: &Link) -> String {
    if let Some(close) = link.peer_close() {
        return close.code.map_or_else(|| "close".to_owned(), |code| format!("close {code}"));
    }
    let echoed = link.events().iter().any(|event| matches!(event, Event::Message(..)));
    match (link.end(), echoed) {
        (Some(_), _) => "cut".into(),
        (None, true) => "echoed".into(),
        (None, false) => "open".into(),
    }
}

/// Writes without ever reading, until the peer has taken `total` or has put an end to it.
async fn write_unread(link: &mut Link, octets: &[u8], total: usize) -> Ending {
    let (mut sent, mut offset, deadline) = (0, 0, Instant::now() + PATIENCE);
    let mut stalled = false;
    while sent < total && Instant::now() < deadline {
        let rest = octets.get(offset..).unwrap_or_default();
        match timeout(Duration::from_millis(500), link.wire().write_blindly(rest)).await {
            Ok(Ok(0) | Err(_)) => return Ending::new(sent, "cut"),
            Ok(Ok(written)) => {
                sent += written;
                offset = (offset + written) % octets.len();
            }
            Err(_) => stalled = true,
        }
    }
    // Whether the peer gave up meanwhile shows when its backlog is read.
    loop {
        match link.next(Instant::now() + Duration::from_secs(1)).await {
            Next::Event(_) => {}
            Next::Late => break,
            Next::Closed | Next::Ended => return Ending::new(sent, describe(link)),
        }
    }
    Ending::new(sent, if stalled { "held back" } else { "open" })
}

/// Without end: a fast peer may take any number before its deadline comes.
async fn pings(link: &mut Link) -> Ending {
    let one = Frame::ping([b'p'; 125]).encode(link.suite_is_client());
    write_unread(link, &one.repeat(1000), usize::MAX).await
}

async fn slow_reader(link: &mut Link, total: usize) -> Ending {
    let one = Frame::binary(vec![7; MIB]).encode(link.suite_is_client());
    write_unread(link, &one, total).await
}

async fn bomb(link: &mut Link, payload: &[u8], fragment: usize) -> Ending {
    let mut frames = fragmented(Kind::Binary, payload, fragment);
    if let Some(first) = frames.first_mut() {
        first.rsv = 4;
    }
    link.send(&frames, WriteMode::FrameByFrame).await;
    ended(link, payload.len(), PATIENCE).await
}

/// Blocks of ten bits that produce nothing, in fragments.
async fn empty_blocks(link: &mut Link, total: usize) -> Ending {
    // Four blocks of "not the last, fixed codes, end of block" are forty bits.
    let payload = [0x02, 0x08, 0x20, 0x80, 0x00].repeat(64 * KIB / 5);
    let first = Frame::binary(payload.clone()).reserved(4).open();
    link.send(&[first], WriteMode::OneGo).await;
    let one = Frame::continuation(payload).open().encode(link.suite_is_client());
    repeat(link, &one, total / one.len()).await
}

async fn declared(link: &mut Link, length: u64) -> Ending {
    let frame = Frame::binary("begun").with_length(Length::Claimed(length));
    link.send(&[frame], WriteMode::OneGo).await;
    ended(link, 19, PATIENCE).await
}

async fn invalid_text(link: &mut Link, total: usize) -> Ending {
    link.send(&[Frame::text([0xFF]).open()], WriteMode::OneGo).await;
    let frame = Frame::continuation(vec![b'*'; 64 * KIB]).open();
    let one = frame.encode(link.suite_is_client());
    repeat(link, &one, total / one.len()).await
}

async fn silent(link: &mut Link) -> Ending {
    // Octets are taken off the stream, but no ping among them is answered.
    link.idle_until_end(Instant::now() + PATIENCE).await;
    link.answers_close = false;
    ended(link, 0, Duration::ZERO).await
}

async fn one_octet_writes(link: &mut Link, size: usize) -> Ending {
    let octets = Frame::binary(vec![b'*'; size]).encode(link.suite_is_client());
    link.write_chopped(&octets, 1).await;
    let next = link.next(Instant::now() + PATIENCE).await;
    let came = matches!(&next, Next::Event(Event::Message(_, data)) if data.len() == size);
    link.close(1000, Duration::from_secs(1)).await;
    Ending::new(octets.len(), if came { "echoed".to_owned() } else { describe(link) })
}

/// A message that grows by an octet now and then and never ends, with signs of life between.
async fn trickle(link: &mut Link) -> Ending {
    let (deadline, mut sent) = (Instant::now() + PATIENCE, 0);
    link.send(&[Frame::text("").open()], WriteMode::OneGo).await;
    let (more, alive) = (Frame::continuation("*").open(), Frame::pong("alive"));
    while Instant::now() < deadline && !link.is_over() {
        if !link.send(&[more.clone(), alive.clone()], WriteMode::OneGo).await {
            break;
        }
        sent += 1;
        if let Next::Event(event) = link.next(Instant::now() + Duration::from_millis(200)).await {
            link.record(event);
        }
    }
    ended(link, sent, Duration::from_secs(1)).await
}

/// Closes, and goes on sending; the stream must end all the same.
async fn after_close(link: &mut Link) -> Ending {
    link.send(&[Frame::close(1000, "")], WriteMode::OneGo).await;
    let one = Frame::binary(vec![7; KIB]).encode(link.suite_is_client());
    let (deadline, mut sent) = (Instant::now() + PATIENCE, 0);
    while Instant::now() < deadline && !link.ended_by_peer() {
        if !link.send_raw("after the close", &one).await {
            return Ending::new(sent, "cut");
        }
        sent += one.len();
        // Whatever still comes; the answer to the close among it.
        let _ = link.next(Instant::now() + Duration::from_millis(20)).await;
    }
    let end = if link.ended_by_peer() { "cut" } else { "open" };
    Ending::new(sent, end)
}

async fn wrong_masking(link: &mut Link) -> Ending {
    let octets = Frame::text("hello").encode(!link.suite_is_client());
    link.send_raw("masked the wrong way", &octets).await;
    sleep(Duration::ZERO).await;
    ended(link, octets.len(), PATIENCE).await
}
