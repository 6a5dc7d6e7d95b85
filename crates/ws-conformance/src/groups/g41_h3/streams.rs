//! Section 41.3: WebSockets beside each other on one QUIC connection, cut, reset and ended.

use quinn::ConnectionError;
use tokio::time::Instant;

use super::{begin, echoes, link, open, open_stream};
use crate::arena::{Arena, Refused};
use crate::case::{Case, Play, Playing};
use crate::judge::{Behavior, Verdict};
use crate::link::WriteMode;
use crate::wire::frame::{Frame, Masking};
use crate::wire::raw_h3::{frame, number};
use crate::wire::stream::End;

pub(super) fn cases() -> Vec<Case> {
    use Course::{Closed, Dripped, Ended, Many, Reset, SettingsFrame, Unknown, Unmasked};
    let table: [(Course, &str, &str, &'static [&'static str]); 8] = [
        (
            Dripped,
            "Sends a text in DATA frames of one octet.",
            "The text comes back.",
            &["H2-WSFRAG-01", "H3WS-3-01", "H3-CAPS-01"],
        ),
        (
            Unknown,
            "Sends a frame of an unknown type on the stream of a WebSocket.",
            "It is ignored; the WebSocket works.",
            &["H3-9-01"],
        ),
        (
            Closed,
            "Closes with 1000.",
            "The server answers the close frame and ends the stream by FIN.",
            &["H3WS-3-03", "H2WS-5-10"],
        ),
        (
            Ended,
            "Ends the stream without a close frame.",
            "The server ends its side; the WebSocket beside it goes on.",
            &["H3WS-3-03", "H2WS-5-10"],
        ),
        (
            Reset,
            "Resets a stream with H3_REQUEST_CANCELLED inside a message.",
            "The WebSocket beside it goes on.",
            &["H3WS-3-03", "H3-4.1.1-01", "H3-4.4-03"],
        ),
        (
            Unmasked,
            "Sends a frame without a mask.",
            "That WebSocket is failed; the one beside it goes on.",
            &["H2WS-5-08", "WS-5.1-03"],
        ),
        (
            SettingsFrame,
            "Sends SETTINGS on the stream of a WebSocket.",
            "The server ends the connection with H3_FRAME_UNEXPECTED.",
            &["H3-4.4-02", "H3-7.2.4-01"],
        ),
        (
            Many,
            "Opens 50 WebSockets on one connection, and never reads one of them.",
            "All others echo.",
            &["H2-WIN-01", "H3-10.5-01"],
        ),
    ];
    (1..)
        .zip(table)
        .map(|(number, (course, does, expects, rows))| {
            Case::new(&[41, 3, number], course).does(does).expects(expects).cites(rows)
        })
        .collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    Dripped,
    Unknown,
    Closed,
    Ended,
    Reset,
    Unmasked,
    SettingsFrame,
    Many,
}

impl Play for Course {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            let flaw = self.run(arena).await?;
            arena.still_alive().await?;
            Ok::<_, Refused>(match flaw {
                None => Verdict::plain(Behavior::Ok, "as expected"),
                Some(why) => Verdict::plain(Behavior::Failed, why),
            })
        })
    }
}

impl Course {
    async fn run(self, arena: &Arena) -> Result<Option<String>, Refused> {
        const FRAME_UNEXPECTED: u64 = 0x105;
        let raw = begin(arena).await?;
        let mut neighbour = open(&raw, arena).await?;
        let (head, mut stream) = open_stream(&raw, arena).await?;
        let deadline = Instant::now() + arena.settings.wait * 2;
        if matches!(self, Self::Unknown | Self::SettingsFrame) {
            let kind = if self == Self::Unknown { 0x21 + 0x1F * 7 } else { number::SETTINGS };
            stream.send.write_all(&frame(kind, &[])).await.map_err(std::io::Error::other)?;
        }
        let mut link = link(head, stream, arena);
        let flaw = match self {
            Self::Dripped => {
                for octet in Frame::text("still here?").encode(true) {
                    link.send_raw("one octet", &[octet]).await;
                }
                // The first echo is that of the drip; the second shows that nothing was lost.
                let both = echoes(&mut link, arena).await && echoes(&mut link, arena).await;
                (!both).then(|| "the text did not come back".to_owned())
            }
            Self::Unknown => {
                let echoed = echoes(&mut link, arena).await;
                (!echoed).then(|| "the WebSocket did not echo".to_owned())
            }
            Self::Closed => {
                link.close(1000, arena.settings.wait).await;
                let ended = link.peer_close().is_some() && link.end() == Some(&End::Fin);
                (!ended).then(|| crate::judge::describe_end(&link))
            }
            Self::Ended => {
                link.half_close().await;
                link.drain(deadline).await;
                (link.end() != Some(&End::Fin)).then(|| crate::judge::describe_end(&link))
            }
            Self::Reset => {
                link.send(&[Frame::text("half a message").open()], WriteMode::OneGo).await;
                link.reset();
                None
            }
            Self::Unmasked => {
                let bare = Frame { masking: Masking::Never, ..Frame::text("bare") };
                link.send(&[bare], WriteMode::OneGo).await;
                link.drain(deadline).await;
                (!link.is_over()).then(|| "the WebSocket went on".to_owned())
            }
            Self::SettingsFrame => {
                link.drain(deadline).await;
                return Ok(match raw.connection.close_reason() {
                    Some(ConnectionError::ApplicationClosed(close))
                        if close.error_code.into_inner() == FRAME_UNEXPECTED =>
                    {
                        None
                    }
                    other => Some(format!("H3_FRAME_UNEXPECTED was due, saw {other:?}")),
                });
            }
            Self::Many => {
                let big = vec![Frame::binary(vec![7; 60_000]); 8];
                link.send(&big, WriteMode::FrameByFrame).await;
                let mut flaw = None;
                for count in 0..50 {
                    let mut other = open(&raw, arena).await?;
                    if !echoes(&mut other, arena).await {
                        flaw = Some(format!("WebSocket {count} did not echo"));
                        break;
                    }
                }
                flaw
            }
        };
        if flaw.is_none() && !echoes(&mut neighbour, arena).await {
            return Ok(Some("another WebSocket on the connection did not outlive it".into()));
        }
        Ok(flaw)
    }
}
