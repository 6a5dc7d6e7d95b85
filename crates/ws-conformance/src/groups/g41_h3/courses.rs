//! Section 41.14: a client's WebSocket, cut, stalled, reset and ended.

use tokio::time::Instant;

use super::guest::{Found, closes, failed, fine, receive, welcome, works};
use crate::arena::{Arena, Refused};
use crate::case::{Case, Play, Playing, Weight};
use crate::judge::{Behavior, Verdict, describe_end};
use crate::link::{Event, Kind, Link, Next, WriteMode};
use crate::wire::frame::{Frame, Masking};
use crate::wire::raw_h3::{RawH3, frame, number};
use crate::wire::stream::End;

pub(super) fn cases() -> Vec<Case> {
    use Course::{
        Closed, ControlEnded, Credit, Dripped, Ended, Goaway, Headers, Masked, Push, Reset,
        Settings, SettingsAgain, TwoControls, Unknown,
    };
    let table: [(Course, &str, &str, &'static [&'static str]); 14] = [
        (
            Dripped,
            "Sends a text in DATA frames of one octet.",
            "The text comes back.",
            &["H2-WSFRAG-01", "H3-CAPS-01", "H3WS-3-01"],
        ),
        (
            Unknown,
            "Sends a frame of an unknown type on the stream of the WebSocket.",
            "It is ignored; the WebSocket works.",
            &["H3-9-01"],
        ),
        (
            Closed,
            "Closes with 1000, and ends the stream once that was answered.",
            "The client answers the close frame and ends its side by FIN.",
            &["H3WS-3-03", "H2WS-5-10"],
        ),
        (
            Ended,
            "Ends the stream without a close frame.",
            "The client ends its side too.",
            &["H3WS-3-03", "H2WS-5-10"],
        ),
        (
            Reset,
            "Resets the stream with H3_REQUEST_CANCELLED inside a message.",
            "The client ends its side too.",
            &["H3WS-3-03", "H3-4.1.1-01"],
        ),
        (Masked, "Sends a frame with a mask.", "The WebSocket is failed.", &["WS-5.1-04"]),
        (
            Settings,
            "Sends SETTINGS on the stream of the WebSocket.",
            "The client closes the connection with H3_FRAME_UNEXPECTED.",
            &["H3-4.4-02", "H3-7.2.4-01"],
        ),
        (
            Headers,
            "Sends HEADERS on the stream of the WebSocket.",
            "The stream or the connection fails.",
            &["H3-4.4-02"],
        ),
        (
            SettingsAgain,
            "Sends SETTINGS again on the control stream.",
            "The client closes the connection with H3_FRAME_UNEXPECTED.",
            &["H3-7.2.4-01"],
        ),
        (
            TwoControls,
            "Opens a second control stream.",
            "The client closes the connection with H3_STREAM_CREATION_ERROR.",
            &["H3-6.2.1-01"],
        ),
        (
            ControlEnded,
            "Ends the control stream.",
            "The client closes the connection with H3_CLOSED_CRITICAL_STREAM.",
            &["H3-6.2.1-01"],
        ),
        (
            Push,
            "Sends PUSH_PROMISE to a client that has allowed none.",
            "The client closes the connection with H3_ID_ERROR or H3_FRAME_UNEXPECTED.",
            &["H3-4.4-02"],
        ),
        (
            Goaway,
            "Sends GOAWAY while the WebSocket is open.",
            "The WebSocket goes on.",
            &["H3-5.2-01"],
        ),
        (
            Credit,
            "Sends 4 MiB, as fast as the client gives credit.",
            "All of it comes back.",
            &["H2-WIN-01", "H3-10.5-01"],
        ),
    ];
    (1..)
        .zip(table)
        .map(|(number, (course, does, expects, rows))| {
            let case = Case::new(&[41, 14, number], course).does(does).expects(expects).cites(rows);
            if course == Credit { case.weighs(Weight::Heavy) } else { case }
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
    Masked,
    Settings,
    Headers,
    SettingsAgain,
    TwoControls,
    ControlEnded,
    Push,
    Goaway,
    Credit,
}

impl Play for Course {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            let mut raw = receive(arena).await?;
            let link = welcome(&mut raw, arena).await?;
            let (behavior, why) = self.run(&mut raw, link, arena).await?;
            Ok::<_, Refused>(Verdict::plain(behavior, why))
        })
    }
}

const STREAM_CREATION_ERROR: u64 = 0x103;
const CLOSED_CRITICAL_STREAM: u64 = 0x104;
const FRAME_UNEXPECTED: u64 = 0x105;
const ID_ERROR: u64 = 0x108;

impl Course {
    async fn run(self, raw: &mut RawH3, mut link: Link, arena: &Arena) -> Result<Found, Refused> {
        let wait = arena.settings.wait;
        let broken = std::io::Error::other::<quinn::WriteError>;
        let deadline = Instant::now() + wait;
        Ok(match self {
            Self::Dripped => {
                for octet in Frame::text("still here?").encode(false) {
                    link.send_raw("one octet", &[octet]).await;
                }
                // The first echo is that of the drip; the second shows that nothing was lost.
                if works(&mut link, arena).await && works(&mut link, arena).await {
                    fine("both texts came back")
                } else {
                    failed("the text did not come back")
                }
            }
            Self::Closed => {
                link.close(1000, wait).await;
                match (link.peer_close().is_some(), link.end()) {
                    (true, Some(End::Fin)) => fine("as expected"),
                    (true, _) => (Behavior::NonStrict, describe_end(&link)),
                    (false, _) => failed(describe_end(&link)),
                }
            }
            Self::Ended => {
                link.half_close().await;
                link.drain(deadline).await;
                ended(&link)
            }
            Self::Reset => {
                link.send(&[Frame::text("half a message").open()], WriteMode::OneGo).await;
                let mut link = link;
                link.wire().abort();
                link.drain(deadline).await;
                ended(&link)
            }
            Self::Masked => {
                let masked = Frame { masking: Masking::Key([1, 2, 3, 4]), ..Frame::text("x") };
                link.send(&[masked], WriteMode::OneGo).await;
                link.drain(deadline).await;
                if link.is_over() { fine(describe_end(&link)) } else { failed("it went on") }
            }
            Self::Unknown | Self::Settings | Self::Headers | Self::Push => {
                let (kind, payload): (u64, &[u8]) = match self {
                    Self::Unknown => (0x21 + 0x1F * 7, b"whatever"),
                    Self::Settings => (number::SETTINGS, &[]),
                    Self::Headers => (number::HEADERS, &[0, 0]),
                    _ => (number::PUSH_PROMISE, &[0, 0, 0]),
                };
                link.send_below("a frame of HTTP/3", &frame(kind, payload)).await;
                match self {
                    Self::Unknown if works(&mut link, arena).await => fine("it was ignored"),
                    Self::Unknown => failed("the WebSocket did not echo"),
                    Self::Headers => {
                        link.drain(deadline).await;
                        if link.is_over() {
                            fine(describe_end(&link))
                        } else {
                            failed("it went on")
                        }
                    }
                    Self::Settings => closes(raw, &[FRAME_UNEXPECTED], wait).await,
                    _ => closes(raw, &[ID_ERROR, FRAME_UNEXPECTED], wait).await,
                }
            }
            Self::SettingsAgain => {
                raw.control.0.write_all(&frame(number::SETTINGS, &[])).await.map_err(broken)?;
                closes(raw, &[FRAME_UNEXPECTED], wait).await
            }
            Self::TwoControls => {
                let mut second = raw.connection.open_uni().await.map_err(std::io::Error::other)?;
                let octets = [&[0][..], &frame(number::SETTINGS, &[])].concat();
                second.write_all(&octets).await.map_err(broken)?;
                closes(raw, &[STREAM_CREATION_ERROR], wait).await
            }
            Self::ControlEnded => {
                raw.control.0.finish().map_err(std::io::Error::other)?;
                closes(raw, &[CLOSED_CRITICAL_STREAM], wait).await
            }
            Self::Goaway => {
                // The next request would be that of stream 4.
                raw.control.0.write_all(&frame(number::GOAWAY, &[4])).await.map_err(broken)?;
                if works(&mut link, arena).await {
                    fine("the WebSocket went on")
                } else {
                    failed("the WebSocket did not outlive GOAWAY")
                }
            }
            Self::Credit => credit(link, arena).await,
        })
    }
}

fn ended(link: &Link) -> Found {
    match link.ended_by_peer() {
        true => fine(describe_end(link)),
        false => (Behavior::NonStrict, "the client left its side open".into()),
    }
}

async fn credit(mut link: Link, arena: &Arena) -> Found {
    let data = vec![7; 256 * 1024];
    let wanted = Event::Message(Kind::Binary, data.clone());
    for number in 0..16 {
        link.send(&[Frame::binary(data.clone())], WriteMode::OneGo).await;
        let next = link.next(Instant::now() + arena.settings.wait * 4).await;
        if next != Next::Event(wanted.clone()) {
            return failed(format!("message {number} did not come back"));
        }
    }
    fine("all of it came back")
}
