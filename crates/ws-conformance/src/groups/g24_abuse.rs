//! Group 24: compression as a weapon: a few octets that become many, and many that become none.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::arena::{Arena, Refused};
use crate::case::{Case, Play, Playing, Weight};
use crate::groups::open_plain;
use crate::judge::{Behavior, CloseBehavior, Verdict, describe_end};
use crate::link::{Event, Kind, Link, Next, WriteMode, fragmented};
use crate::settings::Effort;
use crate::wire::deflate::Deflater;
use crate::wire::frame::{Frame, Header, opcode};
use crate::wire::mask;

const MIB: usize = 1024 * 1024;

pub(super) fn cases() -> Vec<Case> {
    let table = [
        (
            "a text that inflates a thousandfold to 1 MiB",
            Bomb::Zeros { mib: 1, fragment: None },
            true,
        ),
        ("a message that inflates to 16 MiB", Bomb::Zeros { mib: 16, fragment: None }, true),
        ("a message that inflates to 128 MiB", Bomb::Zeros { mib: 128, fragment: None }, false),
        ("a message that inflates to 512 MiB", Bomb::Zeros { mib: 512, fragment: None }, false),
        (
            "the same in fragments of 1000 octets",
            Bomb::Zeros { mib: 512, fragment: Some(1000) },
            false,
        ),
        ("a message of 100000 empty blocks", Bomb::EmptyBlocks, true),
        ("ten messages of 16 MiB each in a row", Bomb::Row, true),
    ];
    (1..)
        .zip(table)
        .map(|(number, (what, bomb, small))| {
            let expects = match bomb {
                Bomb::EmptyBlocks => {
                    "The empty message that it is comes back. Informational: it is refused for what it \
                     costs, best with 1008 or 1009, since 1007 calls it invalid."
                }
                _ if small => "Informational: an echo, or a refusal with 1009.",
                _ => {
                    "The connection is failed, best with 1009, before all of it is held; the server \
                     lives."
                }
            };
            let rows: &[&str] = match bomb {
                Bomb::EmptyBlocks => {
                    &["PMD-7.2.1-02", "PMD-EXT-01", "WS-10.4-01", "WS-10.4-02", "WS-10.7-01"]
                }
                _ => &["PMD-EXT-01", "WS-10.4-01", "WS-10.4-02", "WS-10.7-01"],
            };
            Case::new(&[24, 1, number], Abuse { bomb, small })
                .does(format!("Sends {what}."))
                .expects(expects)
                .cites(rows)
                .weighs(Weight::Heavy)
        })
        .collect()
}

#[derive(Clone, Copy, Debug)]
enum Bomb {
    Zeros { mib: usize, fragment: Option<usize> },
    EmptyBlocks,
    Row,
}

#[derive(Clone, Copy, Debug)]
struct Abuse {
    bomb: Bomb,
    small: bool,
}

impl Play for Abuse {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            let quick = arena.settings.effort == Effort::Quick;
            let frames = self.bomb.frames(quick);
            let mut link = open_plain(arena).await?;
            let before = link.received();
            // The echo of a bomb is a bomb: its octets are counted, never inflated.
            let whole = self.send(&mut link, &frames).await;
            let verdict = match self.bomb {
                Bomb::EmptyBlocks => expect_nothing(&mut link, arena.settings.wait).await,
                _ => watch(&mut link, before, whole, self.small).await,
            };
            drop(link);
            if let Err(refused) = arena.still_alive().await {
                return Ok(refused.verdict());
            }
            Ok::<_, Refused>(verdict)
        })
    }
}

impl Abuse {
    async fn send(&self, link: &mut Link, frames: &[Frame]) -> bool {
        link.write_limit = Duration::from_secs(20);
        link.send(frames, WriteMode::OneGo).await
    }
}

impl Bomb {
    fn frames(self, quick: bool) -> Vec<Frame> {
        match self {
            Self::Zeros { mib, fragment } => {
                let mib = if quick { mib.min(128) } else { mib };
                zeros(mib, fragment.unwrap_or(usize::MAX))
            }
            Self::EmptyBlocks => {
                let payload = [0, 0, 0, 0xFF, 0xFF].repeat(100_000);
                vec![Frame::binary([payload.as_slice(), &[0]].concat()).reserved(4)]
            }
            Self::Row => std::iter::repeat_n(zeros(16, usize::MAX), 10).flatten().collect(),
        }
    }
}

/// A compressed message of so many MiB of zeros that refers to nothing before it.
fn zeros(mib: usize, fragment: usize) -> Vec<Frame> {
    let mut deflater = Deflater::new(15, false, 9);
    let piece = vec![0; MIB];
    // Inside a message the octets that end each flush stay (§7.2.1). From the second piece on
    // the window holds the same zeros, so that every further piece has the same octets.
    let flush = [0, 0, 0xFF, 0xFF];
    let first = deflater.message(&piece);
    let further = deflater.message(&piece);
    let mut payload = first;
    for _ in 1..mib {
        payload.extend(flush);
        payload.extend_from_slice(&further);
    }
    let mut frames = fragmented(Kind::Binary, &payload, fragment);
    if let Some(first) = frames.first_mut() {
        first.rsv = 4;
    }
    frames
}

/// Waits for the echo of blocks without content, which is no bomb. RFC 7692 §7.2.1 allows any number
/// of them, and RFC 6455 §10.4 a limit.
async fn expect_nothing(link: &mut Link, wait: Duration) -> Verdict {
    let next = link.next(Instant::now() + LONGEST).await;
    let code = match &next {
        Next::Closed => link.peer_close().and_then(|close| close.code),
        _ => None,
    };
    link.close(1000, wait).await;
    let end = describe_end(link);
    let (behavior, why) = match next {
        Next::Event(Event::Message(Kind::Binary, data)) if data.is_empty() => {
            (Behavior::Ok, "it came back, empty as it is".to_owned())
        }
        Next::Event(other) => (Behavior::Failed, format!("expected an empty message, saw {other}")),
        Next::Closed | Next::Ended if matches!(code, Some(1002 | 1007)) => {
            let why =
                format!("refused: {end}; the blocks are valid, so 1008 or 1009 says better why");
            (Behavior::Informational, why)
        }
        Next::Closed | Next::Ended => (Behavior::Informational, format!("refused: {end}")),
        Next::Late => (Behavior::NonStrict, LATE.to_owned()),
    };
    Verdict::on(link, behavior, CloseBehavior::Informational, why)
}

/// Waits until the peer fails the connection or the echo begins to come.
async fn watch(link: &mut Link, before: u64, whole: bool, small: bool) -> Verdict {
    let deadline = Instant::now() + LONGEST;
    let on = |link: &Link, behavior, why: String| {
        Verdict::on(link, behavior, CloseBehavior::Informational, why)
    };
    while Instant::now() < deadline {
        let next = next_header(link).await;
        if next.as_ref().is_some_and(|header| !header.is_control()) {
            let behavior = if small { Behavior::Informational } else { Behavior::NonStrict };
            return on(link, behavior, "it was inflated and its echo began".into());
        }
        let ended = match next {
            Some(_) => true,
            None => {
                let waited = timeout(Duration::from_millis(100), link.wire().fill()).await;
                waited == Ok(false)
            }
        };
        if ended {
            link.drain(Instant::now() + Duration::from_secs(2)).await;
            let fits = link
                .peer_close()
                .is_none_or(|close| matches!(close.code, Some(1002 | 1007 | 1008 | 1009 | 1011)));
            let behavior = match (small, fits) {
                (true, _) => Behavior::Informational,
                (false, true) => Behavior::Ok,
                (false, false) => Behavior::NonStrict,
            };
            return on(link, behavior, format!("refused: {}", describe_end(link)));
        }
    }
    let was_taken = link.received() > before;
    let behavior = if whole && small { Behavior::Informational } else { Behavior::NonStrict };
    let lived = if was_taken { ", though it lives" } else { "" };
    on(link, behavior, format!("{LATE}{lived}"))
}

/// The header of the close frame or the message that comes next, if it is here; a ping before it is
/// answered, and a pong is passed over. Nothing of a message is read.
async fn next_header(link: &mut Link) -> Option<Header> {
    loop {
        let header = Header::read(link.wire().buffered())?;
        if !header.is_control() || header.opcode == opcode::CLOSE {
            return Some(header);
        }
        let size = header.size + usize::try_from(header.length).unwrap_or(usize::MAX / 2);
        let mut payload = link.wire().buffered().get(header.size..size)?.to_vec();
        link.wire().consume(size);
        if header.opcode == opcode::PING {
            if let Some(key) = header.key {
                mask::apply(key, &mut payload);
            }
            link.send(&[Frame::pong(payload)], WriteMode::OneGo).await;
        }
    }
}

/// How long a peer may take for the largest of them.
const LONGEST: Duration = Duration::from_secs(20);
const LATE: &str = "neither echo nor refusal within 20 s";

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::log::Log;
    use crate::wire::deflate::Inflater;
    use crate::wire::http::Head;
    use crate::wire::stream::Wire;

    /// What is said of a server that answers the bomb with these frames and then keeps the stream open.
    async fn verdict_on(frames: &[Frame], bomb: Bomb) -> Verdict {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let dialled = TcpStream::connect(address).await.expect("a call");
        let (mut server, _) = listener.accept().await.expect("a caller");
        let octets: Vec<u8> = frames.iter().flat_map(|frame| frame.encode(false)).collect();
        server.write_all(&octets).await.expect("a few octets are taken");
        let mut link = Link::new(Wire::new(dialled), Log::new(), true, Head::parse(b""));
        match bomb {
            Bomb::EmptyBlocks => expect_nothing(&mut link, Duration::from_millis(100)).await,
            _ => watch(&mut link, 0, true, false).await,
        }
    }

    #[tokio::test]
    async fn a_ping_is_no_echo_and_hides_no_refusal() {
        let bomb = Bomb::Zeros { mib: 128, fragment: None };
        let frames = [Frame::ping("who is there?"), Frame::pong(""), Frame::close(1009, "")];
        let verdict = verdict_on(&frames, bomb).await;
        assert_eq!(verdict.behavior, Behavior::Ok, "{}", verdict.why);
        assert_eq!(verdict.remote_code, Some(1009));
        let echo = [Frame::ping(""), Frame::binary(vec![0; 100]).open()];
        let verdict = verdict_on(&echo, bomb).await;
        assert_eq!(verdict.behavior, Behavior::NonStrict, "{}", verdict.why);
        assert!(verdict.why.contains("its echo began"), "{}", verdict.why);
    }

    #[tokio::test]
    async fn empty_blocks_come_back_as_nothing_or_are_refused_as_too_much() {
        let verdict = verdict_on(&[Frame::binary("")], Bomb::EmptyBlocks).await;
        assert_eq!(verdict.behavior, Behavior::Ok, "{}", verdict.why);
        let verdict = verdict_on(&[Frame::binary("x")], Bomb::EmptyBlocks).await;
        assert_eq!(verdict.behavior, Behavior::Failed, "{}", verdict.why);
        for (code, calls_it_invalid) in [(1009, false), (1008, false), (1007, true), (1002, true)] {
            let verdict = verdict_on(&[Frame::close(code, "")], Bomb::EmptyBlocks).await;
            assert_eq!(verdict.behavior, Behavior::Informational, "{}", verdict.why);
            let told = verdict.why.contains("1008 or 1009 says better");
            assert_eq!(told, calls_it_invalid, "{}", verdict.why);
        }
    }

    #[test]
    fn a_bomb_inflates_to_what_it_promises() {
        let frames = zeros(5, 1000);
        let payload: Vec<u8> = frames.iter().flat_map(|frame| frame.payload.clone()).collect();
        let inflated = Inflater::new(15, false).message(&payload, 6 * MIB);
        assert_eq!(inflated.map(|data| data.len()), Ok(5 * MIB));
        assert!(payload.len() < 8000 && frames.len() > 1);
    }
}
