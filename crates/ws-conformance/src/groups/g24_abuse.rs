//! Group 24: compression as a weapon: a few octets that become many, and many that become none.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::arena::{Arena, Refused};
use crate::case::{Case, Play, Playing, Weight};
use crate::groups::open_plain;
use crate::judge::{Behavior, CloseBehavior, Verdict, describe_end};
use crate::link::{Kind, Link, WriteMode, fragmented};
use crate::settings::Effort;
use crate::wire::deflate::Deflater;
use crate::wire::frame::Frame;

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
            let expects = if small {
                "Informational: an echo, or a refusal with 1009."
            } else {
                "The connection is failed, best with 1009, before all of it is held; the server lives."
            };
            Case::new(&[24, 1, number], Abuse { bomb, small })
                .does(format!("Sends {what}."))
                .expects(expects)
                .cites(&["PMD-EXT-01", "WS-10.4-01", "WS-10.4-02", "WS-10.7-01"])
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
            let verdict = watch(&mut link, before, whole, self.small).await;
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

/// Waits until the peer fails the connection or the echo begins to come.
async fn watch(link: &mut Link, before: u64, whole: bool, small: bool) -> Verdict {
    let deadline = Instant::now() + Duration::from_secs(20);
    let on = |link: &Link, behavior, why: String| {
        Verdict::on(link, behavior, CloseBehavior::Informational, why)
    };
    // A close frame is small; anything larger is the echo.
    while link.received() - before < 1000 && Instant::now() < deadline {
        let waited = timeout(Duration::from_millis(100), link.wire().fill()).await;
        let ended = waited == Ok(false);
        let close_is_next = link.wire().buffered().first() == Some(&0x88);
        if ended || close_is_next {
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
        if waited == Ok(true) && link.wire().buffered().len() > 16 {
            break;
        }
    }
    if link.received() > before {
        let behavior = if small { Behavior::Informational } else { Behavior::NonStrict };
        return on(link, behavior, "it was inflated in full and echoed".into());
    }
    if whole && small {
        return on(link, Behavior::Informational, "neither echo nor refusal within 20 s".into());
    }
    on(link, Behavior::NonStrict, "neither echo nor refusal within 20 s".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::deflate::Inflater;

    #[test]
    fn a_bomb_inflates_to_what_it_promises() {
        let frames = zeros(5, 1000);
        let payload: Vec<u8> = frames.iter().flat_map(|frame| frame.payload.clone()).collect();
        let inflated = Inflater::new(15, false).message(&payload, 6 * MIB);
        assert_eq!(inflated.map(|data| data.len()), Ok(5 * MIB));
        assert!(payload.len() < 8000 && frames.len() > 1);
    }
}
