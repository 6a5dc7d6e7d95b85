//! Section 40.3: WebSockets beside each other on one connection, cut, reset, stalled and ended.

use std::time::Duration;

use tokio::time::Instant;

use super::site::Site;
use crate::arena::{Arena, Refused};
use crate::case::{Case, Play, Playing, Weight};
use crate::judge::{Behavior, Verdict};
use crate::wire::frame::{Frame, Masking, opcode};
use crate::wire::raw_h2::{flag, kind, setting};

pub(super) fn cases() -> Vec<Case> {
    use Course::{
        Closed, Credit, Dripped, Ended, Goaway, Many, Padded, Reset, Resets, ShrunkWindow,
        SmallWindow, TooMany, Trailers, Unmasked, WindowOfZero,
    };
    let table: [(Course, &str, &str, &'static [&'static str]); 15] = [
        (
            Dripped,
            "Sends two frames in DATA frames of one octet, then both in one.",
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
            "Closes with 1000 and then ends the stream.",
            "The server answers the close frame and ends the stream by END_STREAM.",
            &["H2WS-5-09", "H2WS-5-10"],
        ),
        (
            Ended,
            "Ends the stream without a close frame.",
            "The server ends its side; the WebSocket beside it goes on.",
            &["H2WS-5-09", "H2WS-5-10"],
        ),
        (
            Reset,
            "Resets a stream with CANCEL inside a message.",
            "The WebSocket beside it goes on.",
            &["H2WS-5-09", "H2-6.4-01", "H2-5.4-01"],
        ),
        (
            Unmasked,
            "Sends a frame without a mask.",
            "That WebSocket is failed; the one beside it goes on.",
            &["H2WS-5-08", "H2-5.4-01"],
        ),
        (
            Trailers,
            "Sends HEADERS on the stream of a WebSocket.",
            "That WebSocket is ended; the one beside it goes on.",
            &["H2-8.5-02", "H2-5.4-01"],
        ),
        (
            WindowOfZero,
            "Sends WINDOW_UPDATE with an increment of 0 on a stream.",
            "The stream is reset with PROTOCOL_ERROR; the one beside it goes on.",
            &["H2-6.9-01", "H2-5.4-01"],
        ),
        (
            SmallWindow,
            "Lets the server send 10 octets at a time.",
            "No DATA exceeds the window; the text comes back.",
            &["H2-5.2-01", "H2-6.9.1-01"],
        ),
        (
            ShrunkWindow,
            "Changes the initial window to 0 and back while WebSockets are open.",
            "The server waits for the window, and then the text comes back.",
            &["H2-6.9.2-01", "H2-5.2-01"],
        ),
        (
            Many,
            "Opens 50 WebSockets on one connection, and never takes what one of them is sent.",
            "All others echo.",
            &["H2-WIN-01", "H2-5.1.2-01", "H2-5.2-01"],
        ),
        (
            TooMany,
            "Opens more streams than the server allows.",
            "The surplus is refused with REFUSED_STREAM or PROTOCOL_ERROR.",
            &["H2-5.1.2-01"],
        ),
        (
            Goaway,
            "Sends GOAWAY with NO_ERROR while a WebSocket is open.",
            "The WebSocket goes on.",
            &["H2-6.8-01"],
        ),
        (
            Resets,
            "Opens and resets 3000 streams.",
            "The server ends the connection, or goes on; it serves others.",
            &["H2-10.5-01"],
        ),
        (
            Credit,
            "Sends 4 MiB, as fast as the server gives credit.",
            "The server gives credit for what it has read; all of it comes back.",
            &["H2-WIN-01", "H2-5.2-01"],
        ),
    ];
    (1..)
        .zip(table)
        .map(|(number, (course, does, expects, rows))| {
            let case = Case::new(&[40, 3, number], course).does(does).expects(expects).cites(rows);
            if matches!(course, TooMany | Resets | Credit) {
                case.weighs(Weight::Heavy)
            } else {
                case
            }
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
    Unmasked,
    Trailers,
    WindowOfZero,
    SmallWindow,
    ShrunkWindow,
    Many,
    TooMany,
    Goaway,
    Resets,
    Credit,
}

const PROTOCOL_ERROR: u32 = 1;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;

impl Play for Course {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            let window = match self {
                Self::SmallWindow => 10,
                Self::Many => 4096,
                Self::Credit => (1 << 31) - 1,
                _ => 1 << 20,
            };
            let mut site = Site::begin_with_window(arena, window).await?;
            let flaw = self.run(&mut site, arena).await?;
            arena.still_alive().await?;
            Ok::<_, Refused>(match flaw {
                None => Verdict::plain(Behavior::Ok, "as expected"),
                Some((behavior, why)) => Verdict::plain(behavior, why),
            })
        })
    }
}

/// What is held against the server.
type Flaw = Option<(Behavior, String)>;

fn failed(holds: bool, why: impl Into<String>) -> Flaw {
    (!holds).then(|| (Behavior::Failed, why.into()))
}

impl Course {
    async fn run(self, site: &mut Site, arena: &Arena) -> Result<Flaw, Refused> {
        let deadline = Instant::now() + arena.settings.wait * 2;
        match self {
            Self::SmallWindow => return small_window(site, deadline).await,
            Self::Many => return many(site, deadline).await,
            Self::TooMany => return too_many(site, deadline).await,
            Self::Resets => return resets(site, deadline).await,
            Self::Credit => return credit(site, arena).await,
            _ => {}
        }
        let neighbour = site.open(deadline).await?;
        let id = site.open(deadline).await?;
        let flaw = match self {
            Self::Dripped => dripped(site, id, deadline).await,
            Self::Padded => padded(site, id, deadline).await,
            Self::Closed => closed(site, id, deadline).await,
            Self::ShrunkWindow => shrunk(site, id, deadline).await,
            Self::Goaway => {
                site.raw.send(kind::GOAWAY, 0, 0, &[0; 8]).await;
                failed(site.echoes(id, deadline).await, "the WebSocket did not outlive GOAWAY")
            }
            _ => self.disturb(site, id, deadline).await,
        };
        if flaw.is_none() && !site.echoes(neighbour, deadline).await {
            let why = "another WebSocket on the connection did not outlive it";
            return Ok(Some((Behavior::Failed, why.into())));
        }
        Ok(flaw)
    }

    /// Does something to one stream that ends it.
    async fn disturb(self, site: &mut Site, id: u32, deadline: Instant) -> Flaw {
        let raw = &mut site.raw;
        match self {
            Self::Ended => {
                raw.send(kind::DATA, flag::END_STREAM, id, &[]).await;
            }
            Self::Reset => {
                let half = Frame::text("half a message").open();
                site.say(id, &half).await;
                site.raw.send(kind::RST_STREAM, 0, id, &CANCEL.to_be_bytes()).await;
                return None;
            }
            Self::Unmasked => {
                let bare = Frame { masking: Masking::Never, ..Frame::text("bare") };
                site.say(id, &bare).await;
            }
            Self::Trailers => {
                let fields = [("x-trailer".to_owned(), "x".to_owned())];
                raw.headers(id, &fields).await;
            }
            _ => {
                raw.send(kind::WINDOW_UPDATE, 0, id, &[0; 4]).await;
            }
        }
        site.read_until(deadline, |site| site.is_over(id)).await;
        let stream = site.stream(id);
        let saw = stream.describe();
        match self {
            Self::Ended if stream.has_ended => None,
            Self::Ended => {
                let why = format!("the end was not answered by END_STREAM but by {saw}");
                Some((Behavior::NonStrict, why))
            }
            Self::WindowOfZero if site.goaway == Some(PROTOCOL_ERROR) => {
                // RFC 9113 §5.4.1 lets an endpoint do so, at the cost of all other streams.
                let why = "the whole connection was ended for an error of one stream";
                Some((Behavior::Informational, why.into()))
            }
            Self::WindowOfZero => {
                failed(stream.reset == Some(PROTOCOL_ERROR), format!("answered by {saw}"))
            }
            Self::Trailers if stream.reset.is_none() => {
                let behavior =
                    if stream.has_ended { Behavior::NonStrict } else { Behavior::Failed };
                Some((behavior, format!("a stream error was due, saw {saw}")))
            }
            _ => failed(stream.has_ended || stream.reset.is_some(), "the WebSocket went on"),
        }
    }
}

/// Texts that came back on a stream.
pub(super) fn texts(site: &Site, id: u32) -> usize {
    site.stream(id).frames().iter().filter(|(code, _)| *code == opcode::TEXT).count()
}

/// Two texts in DATA frames of one octet, then both in one.
pub(super) async fn dripped(site: &mut Site, id: u32, deadline: Instant) -> Flaw {
    let two = [Frame::text("one"), Frame::text("two")];
    let octets: Vec<u8> = two.iter().flat_map(|frame| site.encode(frame)).collect();
    let patience = deadline - Instant::now();
    for octet in &octets {
        site.pour(id, &[*octet], patience).await;
    }
    site.pour(id, &octets, patience).await;
    let all = site.read_until(deadline, |site| texts(site, id) == 4).await;
    failed(all, format!("{} of 4 texts came back", texts(site, id)))
}

/// A text in padded DATA frames with empty ones between.
pub(super) async fn padded(site: &mut Site, id: u32, deadline: Instant) -> Flaw {
    for piece in site.encode(&Frame::text("in padded pieces")).chunks(5) {
        site.pour_padded(id, piece).await;
        site.raw.data(id, &[]).await;
    }
    failed(site.read_until(deadline, |site| texts(site, id) == 1).await, "no text came back")
}

async fn closed(site: &mut Site, id: u32, deadline: Instant) -> Flaw {
    site.say(id, &Frame::close(1000, "")).await;
    let answered =
        |site: &Site| site.stream(id).frames().iter().any(|(code, _)| *code == opcode::CLOSE);
    if !site.read_until(deadline, answered).await {
        return failed(false, "the close frame was not answered");
    }
    let at_once = Instant::now() + (deadline - Instant::now()) / 2;
    site.read_until(at_once, |site| site.is_over(id)).await;
    site.raw.send(kind::DATA, flag::END_STREAM, id, &[]).await;
    site.read_until(deadline, |site| site.is_over(id)).await;
    let stream = site.stream(id);
    match (stream.has_ended, stream.reset) {
        (true, _) => None,
        (false, None) => failed(false, "the server did not end the stream"),
        (false, Some(_)) => {
            let why = format!("END_STREAM was due, saw {}", stream.describe());
            Some((Behavior::Failed, why))
        }
    }
}

async fn shrunk(site: &mut Site, id: u32, deadline: Instant) -> Flaw {
    site.raw.send_settings(&[(setting::INITIAL_WINDOW_SIZE, 0)]).await;
    let acknowledged = |site: &Site| site.raw.acknowledged >= 2;
    site.say(id, &Frame::ping("")).await;
    let soon = Instant::now() + Duration::from_millis(300);
    site.read_until(soon, acknowledged).await;
    let before = site.received(id);
    site.say(id, &Frame::text("wait for it")).await;
    site.read_until(Instant::now() + Duration::from_millis(300), |_| false).await;
    if texts(site, id) > 0 && before < 2 {
        return failed(false, "the server sent beyond a window of 0");
    }
    if texts(site, id) > 0 {
        return failed(false, "the server sent a text beyond a window of 0");
    }
    site.raw.send_settings(&[(setting::INITIAL_WINDOW_SIZE, 1 << 20)]).await;
    // What went before took its time.
    let deadline = deadline.max(Instant::now() + Duration::from_secs(2));
    let came = site.read_until(deadline, |site| texts(site, id) == 1).await;
    failed(came, "the text did not come once the window was open again")
}

async fn small_window(site: &mut Site, deadline: Instant) -> Result<Flaw, Refused> {
    let id = site.open(deadline).await?;
    Ok(in_steps(site, id, &Frame::text("x".repeat(100)), 10, deadline).await)
}

/// Has a text echoed through a window that opens by so many octets at a time, as it did first.
pub(super) async fn in_steps(
    site: &mut Site,
    id: u32,
    frame: &Frame,
    step: u32,
    deadline: Instant,
) -> Flaw {
    site.say(id, frame).await;
    let mut granted = usize::try_from(step).unwrap_or(1);
    loop {
        let moves = |site: &Site| site.taken(id) >= granted || texts(site, id) > 0;
        // The steps before took their time.
        let until = deadline.max(Instant::now() + Duration::from_secs(2));
        if !site.read_until(until, moves).await {
            let taken = site.taken(id);
            return failed(false, format!("{taken} of {granted} octets came"));
        }
        if site.taken(id) > granted {
            return failed(false, "the peer sent more than its window");
        }
        if texts(site, id) > 0 {
            return None;
        }
        granted += usize::try_from(step).unwrap_or(1);
        site.raw.send(kind::WINDOW_UPDATE, 0, id, &step.to_be_bytes()).await;
    }
}

async fn many(site: &mut Site, deadline: Instant) -> Result<Flaw, Refused> {
    let unread = site.open(deadline).await?;
    for _ in 0..16 {
        if !site.say(unread, &Frame::binary(vec![7; 4000])).await {
            // The server reads no more of what it cannot answer.
            break;
        }
    }
    for count in 1..site.most_streams().min(50) {
        let id = site.open(deadline).await?;
        if !site.echoes(id, deadline).await {
            let why = format!("beside one that is not read, WebSocket {count} did not echo");
            return Ok(failed(false, why));
        }
    }
    Ok(None)
}

async fn too_many(site: &mut Site, deadline: Instant) -> Result<Flaw, Refused> {
    let most = site.most_streams();
    if most > 5000 {
        let why = format!("the server allows {most} streams");
        return Err(Refused::Unimplemented(why));
    }
    let fields = site.ordinary();
    let mut last = 0;
    for _ in 0..=most {
        last = site.request(&fields).await;
    }
    site.read_until(deadline, |site| site.is_over(last) || site.stream(last).opened()).await;
    let stream = site.stream(last);
    let refused = matches!(stream.reset, Some(REFUSED_STREAM | PROTOCOL_ERROR));
    let why = format!("stream {} of {most} was answered by {}", most + 1, stream.describe());
    Ok(failed(refused || site.goaway.is_some(), why))
}

async fn credit(site: &mut Site, arena: &Arena) -> Result<Flaw, Refused> {
    const COUNT: usize = 16;
    let patience = arena.settings.wait * 2;
    let id = site.open(Instant::now() + patience).await?;
    site.raw.send(kind::WINDOW_UPDATE, 0, 0, &(1u32 << 30).to_be_bytes()).await;
    let octets = Frame::binary(vec![7; 256 * 1024]).encode(true);
    for number in 0..COUNT {
        if !site.pour(id, &octets, patience).await {
            let sent = site.sent(id);
            let why = format!("after {sent} octets, in message {number}, no credit came");
            return Ok(failed(false, why));
        }
    }
    let whole = (256 * 1024 + 10) * COUNT;
    let enough = |site: &Site| site.received(id) >= whole;
    let came = site.read_until(Instant::now() + patience * 4, enough).await;
    let got = site.received(id);
    Ok(failed(came, format!("{got} of {whole} octets came back")))
}

async fn resets(site: &mut Site, deadline: Instant) -> Result<Flaw, Refused> {
    let neighbour = site.open(deadline).await?;
    let fields = site.ordinary();
    for _ in 0..3000 {
        let id = site.request(&fields).await;
        if !site.raw.send(kind::RST_STREAM, 0, id, &CANCEL.to_be_bytes()).await {
            return Ok(None);
        }
    }
    if site.echoes(neighbour, deadline).await || site.raw.has_ended() || site.goaway.is_some() {
        return Ok(None);
    }
    Ok(failed(false, "the connection neither ended nor went on"))
}
