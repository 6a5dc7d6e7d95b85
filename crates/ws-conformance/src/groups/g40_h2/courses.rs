//! Section 40.14: a client's WebSocket, cut, stalled, reset and ended.

use std::time::Duration;

use tokio::time::Instant;

use super::site::Site;
use super::streams::{dripped, in_steps, padded, texts};
use crate::arena::{Arena, Refused};
use crate::case::{Case, Play, Playing, Weight};
use crate::judge::{Behavior, Verdict};
use crate::wire::frame::{Frame, Masking, opcode};
use crate::wire::hpack::block;
use crate::wire::raw_h2::{H2Frame, flag, kind, setting};
use crate::wire::tunnel::code;

pub(super) fn cases() -> Vec<Case> {
    use Course::*;
    let table: [(Course, &str, &str, &'static [&'static str]); 19] = [
        (
            Dripped,
            "Sends two texts in DATA frames of one octet, then both in one.",
            "All texts come back.",
            &["H2-WSFRAG-01", "H2WS-5-08"],
        ),
        (
            Padded,
            "Sends a text in padded DATA frames with empty ones between.",
            "The text comes back.",
            &["H2-6.1-01", "H2-WSFRAG-01"],
        ),
        (
            Closed,
            "Closes with 1000, and ends the stream once that was answered.",
            "The client answers the close frame and ends its side by END_STREAM.",
            &["H2WS-5-09", "H2WS-5-10"],
        ),
        (
            Ended,
            "Ends the stream without a close frame.",
            "The client ends its side too.",
            &["H2WS-5-09", "H2WS-5-10"],
        ),
        (
            Reset,
            "Resets the stream with CANCEL inside a message.",
            "Nothing more is sent on the stream.",
            &["H2WS-5-09", "H2-6.4-01"],
        ),
        (
            Masked,
            "Sends a frame with a mask.",
            "The WebSocket is failed.",
            &["H2WS-5-08", "WS-5.1-04"],
        ),
        (
            Trailers,
            "Sends HEADERS on the stream of the WebSocket.",
            "The stream fails with PROTOCOL_ERROR.",
            &["H2-8.5-02", "H2-8.1-01"],
        ),
        (
            WindowOfZero,
            "Sends WINDOW_UPDATE with an increment of 0 on the stream.",
            "The stream, or the connection, fails with PROTOCOL_ERROR.",
            &["H2-6.9-01"],
        ),
        (
            WindowTooLarge,
            "Raises the window of the stream beyond 2^31-1.",
            "The stream, or the connection, fails with FLOW_CONTROL_ERROR.",
            &["H2-6.9.1-01"],
        ),
        (
            TenOctets,
            "Lets the client send 10 octets at a time.",
            "No DATA exceeds the window; the text comes back.",
            &["H2-5.2-01", "H2-6.9.1-01"],
        ),
        (
            OneOctet,
            "Lets the client send one octet at a time.",
            "No DATA exceeds the window; the text comes back.",
            &["H2-5.2-01", "H2-6.9.1-01"],
        ),
        (
            ShrunkWindow,
            "Changes the initial window to 0 and back while the WebSocket is open.",
            "The client waits for the window, and then the text comes back.",
            &["H2-6.9.2-01", "H2-5.2-01"],
        ),
        (
            Connection,
            "Lets the connection be sent no more than it is at first, and then more.",
            "The client waits for the connection's window, and then the message comes back.",
            &["H2-5.2-01", "H2-6.9.1-01", "H2-WIN-01"],
        ),
        (
            Credit,
            "Sends 4 MiB, as fast as the client gives credit.",
            "The client gives credit for what it has read; all of it comes back.",
            &["H2-WIN-01", "H2-5.2-01"],
        ),
        (
            Goaway,
            "Sends GOAWAY with NO_ERROR while the WebSocket is open.",
            "The WebSocket goes on.",
            &["H2-6.8-01"],
        ),
        (
            Push,
            "Sends PUSH_PROMISE to a client that has forbidden it.",
            "The client ends the connection with PROTOCOL_ERROR.",
            &["H2-5.4-01", "H2-6.5-01"],
        ),
        (
            Idle,
            "Sends DATA on a stream that nobody has opened.",
            "The client ends the connection.",
            &["H2-6.1-01", "H2-5.4-01"],
        ),
        (
            TooLong,
            "Sends a frame that is longer than the client's limit.",
            "The client fails with FRAME_SIZE_ERROR.",
            &["H2-4.2-01"],
        ),
        (
            Mislaid,
            "Sends SETTINGS on the stream of the WebSocket.",
            "The client ends the connection with PROTOCOL_ERROR.",
            &["H2-6.5-01", "H2-5.4-01"],
        ),
    ];
    (1..)
        .zip(table)
        .map(|(number, (course, does, expects, rows))| {
            let case = Case::new(&[40, 14, number], course).does(does).expects(expects).cites(rows);
            if course == Credit { case.weighs(Weight::Heavy) } else { case }
        })
        .collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    Dripped,
    Padded,
    Closed,
    Ended,
    Reset,
    Masked,
    Trailers,
    WindowOfZero,
    WindowTooLarge,
    TenOctets,
    OneOctet,
    ShrunkWindow,
    Connection,
    Credit,
    Goaway,
    Push,
    Idle,
    TooLong,
    Mislaid,
}

/// What is held against the client.
type Flaw = Option<(Behavior, String)>;

fn failed(holds: bool, why: impl Into<String>) -> Flaw {
    (!holds).then(|| (Behavior::Failed, why.into()))
}

impl Play for Course {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            let mut site = Site::receive(arena).await?;
            let window = match self {
                Self::TenOctets => 10,
                Self::OneOctet => 1,
                Self::Credit | Self::Connection => (1 << 31) - 1,
                _ => 1 << 20,
            };
            let deadline = Instant::now() + arena.settings.wait * 2;
            let id = site.welcome(window, deadline).await?;
            let flaw = self.run(&mut site, id, window, deadline).await?;
            Ok::<_, Refused>(match flaw {
                None => Verdict::plain(Behavior::Ok, "as expected"),
                Some((behavior, why)) => Verdict::plain(behavior, why),
            })
        })
    }
}

impl Course {
    async fn run(
        self,
        site: &mut Site,
        id: u32,
        window: u32,
        deadline: Instant,
    ) -> Result<Flaw, Refused> {
        Ok(match self {
            Self::Dripped => dripped(site, id, deadline).await,
            Self::Padded => padded(site, id, deadline).await,
            Self::Closed => closed(site, id, deadline).await,
            Self::Reset => reset(site, id, deadline).await,
            Self::TenOctets | Self::OneOctet => {
                in_steps(site, id, &Frame::text("x".repeat(40)), window, deadline).await
            }
            Self::ShrunkWindow => shrunk(site, id, deadline).await,
            Self::Connection => connection(site, id, deadline).await,
            Self::Credit => credit(site, id, deadline).await,
            Self::Goaway => {
                let last = [(1u32 << 31) - 1, 0].map(u32::to_be_bytes).concat();
                site.raw.send(kind::GOAWAY, 0, 0, &last).await;
                failed(site.echoes(id, deadline).await, "the WebSocket did not outlive GOAWAY")
            }
            Self::Push if site.raw.setting(setting::ENABLE_PUSH) != Some(0) => {
                let why = "the client has not forbidden PUSH_PROMISE";
                return Err(Refused::Unimplemented(why.into()));
            }
            Self::TooLong if site.raw.longest > 1 << 20 => {
                let why = "the client takes frames beyond a MiB";
                return Err(Refused::Unimplemented(why.into()));
            }
            _ => self.disturb(site, id, deadline).await,
        })
    }

    /// Does something that ends the stream or the connection.
    async fn disturb(self, site: &mut Site, id: u32, deadline: Instant) -> Flaw {
        const FRAME_SIZE_ERROR: u32 = 6;
        let raw = &mut site.raw;
        let due: &[u32] = match self {
            Self::Ended => {
                raw.send(kind::DATA, flag::END_STREAM, id, &[]).await;
                &[]
            }
            Self::Masked => {
                let masked = Frame { masking: Masking::Key([1, 2, 3, 4]), ..Frame::text("masked") };
                site.say(id, &masked).await;
                &[]
            }
            Self::Trailers => {
                raw.headers(id, &[("x-trailer".to_owned(), "x".to_owned())]).await;
                &[code::PROTOCOL_ERROR]
            }
            Self::WindowOfZero => {
                raw.send(kind::WINDOW_UPDATE, 0, id, &[0; 4]).await;
                &[code::PROTOCOL_ERROR]
            }
            Self::WindowTooLarge => {
                let most = ((1u32 << 31) - 1).to_be_bytes();
                raw.send(kind::WINDOW_UPDATE, 0, id, &most).await;
                &[code::FLOW_CONTROL_ERROR]
            }
            Self::Push => {
                let request =
                    [(":method", "GET"), (":scheme", "https"), (":authority", "x"), (":path", "/")];
                let lines = request.map(|(name, value)| (name.to_owned(), value.to_owned()));
                let payload = [&2u32.to_be_bytes()[..], &block(&lines)].concat();
                raw.send(kind::PUSH_PROMISE, flag::END_HEADERS, id, &payload).await;
                &[code::PROTOCOL_ERROR]
            }
            Self::Idle => {
                raw.data(id + 40, b"x").await;
                &[code::PROTOCOL_ERROR, code::STREAM_CLOSED]
            }
            Self::TooLong => {
                let long = vec![0; raw.longest + 1];
                raw.data(id, &long).await;
                &[FRAME_SIZE_ERROR]
            }
            _ => {
                raw.send(kind::SETTINGS, 0, id, &[]).await;
                &[code::PROTOCOL_ERROR]
            }
        };
        let over = |site: &Site| site.is_over(id) || site.goaway.is_some();
        site.read_until(deadline, over).await;
        let stream = site.stream(id);
        let code = stream.reset.or(site.goaway);
        let saw = match site.goaway {
            Some(code) => format!("{}, GOAWAY {code:#x}", stream.describe()),
            None => stream.describe(),
        };
        match code {
            Some(code) if due.contains(&code) => None,
            _ if due.is_empty() => failed(over(site), "the WebSocket went on"),
            _ if over(site) => Some((Behavior::NonStrict, format!("{due:?} was due, saw {saw}"))),
            _ => failed(false, "the client went on"),
        }
    }
}

async fn closed(site: &mut Site, id: u32, deadline: Instant) -> Flaw {
    site.say(id, &Frame::close(1000, "")).await;
    let answered =
        |site: &Site| site.stream(id).frames().iter().any(|(code, _)| *code == opcode::CLOSE);
    if !site.read_until(deadline, answered).await {
        return failed(false, "the close frame was not answered");
    }
    if site.stream(id).reset.is_some() {
        return failed(false, "the client reset the stream before the server had ended it");
    }
    site.raw.send(kind::DATA, flag::END_STREAM, id, &[]).await;
    site.read_until(deadline, |site| site.is_over(id)).await;
    let stream = site.stream(id);
    if stream.has_ended {
        return None;
    }
    Some((Behavior::NonStrict, format!("END_STREAM was due, saw {}", stream.describe())))
}

/// After the answer to a PING nothing can be under way that was sent before the reset was seen.
async fn reset(site: &mut Site, id: u32, deadline: Instant) -> Flaw {
    site.say(id, &Frame::text("half a message").open()).await;
    site.raw.send(kind::RST_STREAM, 0, id, &code::CANCEL.to_be_bytes()).await;
    until_pong(site, deadline, |_| false).await;
    // Whoever kept something back for want of credit would send it now.
    site.raw.send(kind::WINDOW_UPDATE, 0, 0, &1000u32.to_be_bytes()).await;
    let is_data = |frame: &H2Frame| frame.stream == id && frame.kind == kind::DATA;
    let mut sent = until_pong(site, deadline, is_data).await;
    let soon = Instant::now() + Duration::from_millis(300);
    while let Some(frame) = site.raw.next(soon).await {
        sent |= is_data(&frame);
    }
    failed(!sent, "the client sent DATA on a stream that was reset")
}

/// Sends a PING and reads up to its answer; whether such a frame was among what came.
async fn until_pong(site: &mut Site, deadline: Instant, wanted: impl Fn(&H2Frame) -> bool) -> bool {
    let mut came = false;
    site.raw.send(kind::PING, 0, 0, b"a ping!!").await;
    while let Some(frame) = site.raw.next(deadline).await {
        if frame.kind == kind::PING && frame.flags & flag::ACK != 0 {
            break;
        }
        came |= wanted(&frame);
    }
    came
}

async fn shrunk(site: &mut Site, id: u32, deadline: Instant) -> Flaw {
    site.raw.send_settings(&[(setting::INITIAL_WINDOW_SIZE, 0)]).await;
    // Not even the answer to a ping may come: what acknowledges the SETTINGS is ours to see.
    let soon = Instant::now() + Duration::from_millis(300);
    site.say(id, &Frame::ping("")).await;
    site.read_until(soon, |site| site.raw.acknowledged >= 2).await;
    site.say(id, &Frame::text("wait for it")).await;
    site.read_until(Instant::now() + Duration::from_millis(300), |_| false).await;
    if texts(site, id) > 0 {
        return failed(false, "the client sent a text beyond a window of 0");
    }
    site.raw.send_settings(&[(setting::INITIAL_WINDOW_SIZE, 1 << 20)]).await;
    // What went before took its time.
    let deadline = deadline.max(Instant::now() + Duration::from_secs(2));
    let came = site.read_until(deadline, |site| texts(site, id) == 1).await;
    failed(came, "the text did not come once the window was open again")
}

async fn connection(site: &mut Site, id: u32, deadline: Instant) -> Flaw {
    const FIRST: usize = 65_535;
    let octets = Frame::binary(vec![7; 100_000]).encode(false);
    let patience = deadline - Instant::now();
    if !site.pour(id, &octets, patience).await {
        return failed(false, "the client gave no credit for a message of 100000 octets");
    }
    site.read_until(deadline, |site| site.taken(id) >= FIRST).await;
    site.read_until(Instant::now() + Duration::from_millis(200), |_| false).await;
    let got = site.taken(id);
    if got != FIRST {
        return failed(false, format!("{got} octets came, the window was one of {FIRST}"));
    }
    site.raw.send(kind::WINDOW_UPDATE, 0, 0, &(1u32 << 20).to_be_bytes()).await;
    let came = site.read_until(deadline, |site| site.stream(id).frames().len() == 1).await;
    failed(came, "the rest did not come once the connection's window was open again")
}

async fn credit(site: &mut Site, id: u32, deadline: Instant) -> Flaw {
    const COUNT: usize = 16;
    site.raw.send(kind::WINDOW_UPDATE, 0, 0, &(1u32 << 30).to_be_bytes()).await;
    let octets = Frame::binary(vec![7; 256 * 1024]).encode(false);
    let patience = deadline - Instant::now();
    for number in 0..COUNT {
        if !site.pour(id, &octets, patience).await {
            let sent = site.sent(id);
            let why = format!("after {sent} octets, in message {number}, no credit came");
            return failed(false, why);
        }
    }
    let whole = (256 * 1024 + 14) * COUNT;
    let enough = |site: &Site| site.received(id) >= whole;
    let came = site.read_until(Instant::now() + patience * 4, enough).await;
    let got = site.received(id);
    failed(came, format!("{got} of {whole} octets came back"))
}
