//! Sections 41.11 and 41.12: what a client does before its request, and the request itself.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::guest::{Found, allow, asked, closes, failed, fine, receive, request, welcome, works};
use crate::arena::{Arena, Refused};
use crate::case::{Case, CaseId, Play, Playing, Weight};
use crate::groups::g40_h2::asked::{LOOKS, Look};
use crate::judge::{Behavior, Verdict};
use crate::wire::raw_h3::{RawH3, frame, number};

pub(super) fn cases() -> Vec<Case> {
    use Opening::{Absent, Asks, Late, Missing, Silent, Twice, Two, Unknown, Zero};
    let none = "The client sends no extended CONNECT.";
    let table: [(Opening, &str, &str, &'static [&'static str]); 9] = [
        (
            Asks,
            "Sends SETTINGS that allow a WebSocket.",
            "The client, which has sent its own, asks for one on stream 0.",
            &["H3-3.2-01", "H3-6.2.1-01", "H3-4.1-01", "H3-7.2.4-01"],
        ),
        (
            Absent,
            "Sends SETTINGS without SETTINGS_ENABLE_CONNECT_PROTOCOL.",
            none,
            &["H3WS-3-01", "H2WS-3-02", "H2WS-3-01"],
        ),
        (Zero, "Sends SETTINGS_ENABLE_CONNECT_PROTOCOL as 0.", none, &["H3WS-3-01", "H2WS-3-02"]),
        (
            Late,
            "Sends its SETTINGS after 400 ms.",
            "The client waits for them, and then asks.",
            &["H2WS-3-02", "H3WS-3-01", "H3-7.2.4.2-01"],
        ),
        (
            Two,
            "Sends SETTINGS_ENABLE_CONNECT_PROTOCOL as 2.",
            "The client closes the connection with H3_SETTINGS_ERROR.",
            &["H2WS-3-01", "H3WS-3-01"],
        ),
        (
            Twice,
            "Sends one setting twice in its SETTINGS.",
            "The client closes the connection with H3_SETTINGS_ERROR.",
            &["H3-7.2.4-01"],
        ),
        (
            Unknown,
            "Sends an unknown setting, a frame and a stream of unknown types.",
            "All are ignored; the client asks for a WebSocket.",
            &["H3-9-01"],
        ),
        (
            Missing,
            "Begins the control stream with another frame than SETTINGS.",
            "The client closes the connection with H3_MISSING_SETTINGS.",
            &["H3-6.2.1-01"],
        ),
        (
            Silent,
            "Sends nothing at all.",
            "The client gives up within the patience of the run.",
            &["WS-10.7-01"],
        ),
    ];
    let openings = (1..).zip(table).map(|(number, (opening, does, expects, rows))| {
        let case = Case::new(&[41, 11, number], opening);
        case.does(does).expects(expects).cites(rows).weighs(Weight::Waiting)
    });
    let looks = (1..).zip(LOOKS).map(|(number, (what, _, rows, look))| {
        let id = [41, 12, number];
        Case::new(&id, Request { id: CaseId::new(&id), look })
            .does(format!("Looks at {what} in the client's request."))
            .expects("It is as RFC 9220 demands.")
            .cites(rows)
    });
    let early = Case::new(&[41, 12, 12], Early)
        .does("Keeps the client waiting for the answer.")
        .expects("The client sends nothing before the answer, and leaves its side open.")
        .cites(&["WS-4.1-24", "H3-4.1-03"]);
    openings.chain(looks).chain([early]).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opening {
    Asks,
    Absent,
    Zero,
    Late,
    Two,
    Twice,
    Unknown,
    Missing,
    Silent,
}

impl Play for Opening {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            let mut raw = receive(arena).await?;
            let (behavior, why) = self.run(&mut raw, arena).await?;
            Ok::<_, Refused>(Verdict::plain(behavior, why))
        })
    }
}

impl Opening {
    async fn run(self, raw: &mut RawH3, arena: &Arena) -> Result<Found, Refused> {
        const SETTINGS_ERROR: u64 = 0x109;
        const MISSING_SETTINGS: u64 = 0x10a;
        let wait = arena.settings.wait;
        let enable = (number::ENABLE_CONNECT_PROTOCOL, 1);
        Ok(match self {
            Self::Asks => {
                allow(raw).await?;
                asks(raw, arena).await
            }
            Self::Absent => {
                raw.send_settings(&[]).await?;
                asks_nothing(raw, wait).await
            }
            Self::Zero => {
                raw.send_settings(&[(number::ENABLE_CONNECT_PROTOCOL, 0)]).await?;
                asks_nothing(raw, wait).await
            }
            Self::Late => {
                if asked(raw, Instant::now() + Duration::from_millis(400)).await.is_some() {
                    return Ok(failed("the client asked before it knew whether it may"));
                }
                allow(raw).await?;
                asks(raw, arena).await
            }
            Self::Two => {
                raw.send_settings(&[(number::ENABLE_CONNECT_PROTOCOL, 2)]).await?;
                match closes(raw, &[SETTINGS_ERROR], wait).await {
                    // RFC 8441 §3 names no reaction.
                    (Behavior::Failed, why) => (Behavior::NonStrict, why),
                    found => found,
                }
            }
            Self::Twice => {
                raw.send_settings(&[enable, enable]).await?;
                match closes(raw, &[SETTINGS_ERROR], wait).await {
                    // RFC 9114 §7.2.4 leaves it to the receiver.
                    (Behavior::Failed, why) => (Behavior::Informational, why),
                    found => found,
                }
            }
            Self::Unknown => {
                raw.send_settings(&[(0x21, 7), enable]).await?;
                let unknown = frame(0x21 + 0x1F * 7, b"whatever");
                raw.control.0.write_all(&unknown).await.map_err(std::io::Error::other)?;
                let opened = raw.connection.open_uni().await;
                let mut stream = opened.map_err(std::io::Error::other)?;
                // A client may refuse to read it, which is its right.
                let _ = stream.write_all(&[0x21, 1, 2, 3]).await;
                asks(raw, arena).await
            }
            Self::Missing => {
                let goaway = [&[0][..], &frame(number::GOAWAY, &[0])].concat();
                raw.control.0.write_all(&goaway).await.map_err(std::io::Error::other)?;
                closes(raw, &[MISSING_SETTINGS], wait).await
            }
            Self::Silent => match timeout(arena.settings.patience, raw.next_request()).await {
                Ok(Ok(_)) => failed("the client did not wait for SETTINGS"),
                Ok(Err(_)) => fine("the client gave up"),
                Err(_) => (Behavior::NonStrict, "the client still waited".into()),
            },
        })
    }
}

async fn asks(raw: &RawH3, arena: &Arena) -> Found {
    match asked(raw, Instant::now() + arena.settings.wait * 2).await {
        Some((stream, _)) if stream.send.id().index() == 0 => fine("the client asked"),
        Some(_) => (Behavior::NonStrict, "the first request came on a later stream".into()),
        None => failed("the client did not ask"),
    }
}

/// A client that must not ask may wait, give up, or go elsewhere.
async fn asks_nothing(raw: &RawH3, wait: Duration) -> Found {
    match asked(raw, Instant::now() + wait).await {
        Some(_) => failed("the client asked although it was not allowed to"),
        None if raw.connection.close_reason().is_some() => fine("the client ended the connection"),
        None => fine("the client asked for nothing"),
    }
}

#[derive(Clone, Debug)]
struct Request {
    id: CaseId,
    look: Look,
}

impl Play for Request {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            let mut raw = receive(arena).await?;
            let mut link = welcome(&mut raw, arena).await?;
            let head = link.handshake.clone();
            arena.log.note(format!("request: {:?}", head.fields));
            let flaw = (self.look)(&head, &format!("/case/{}", self.id));
            if flaw.is_none() && !works(&mut link, arena).await {
                return Ok(Verdict::plain(Behavior::Failed, "the WebSocket did not echo"));
            }
            Ok::<_, Refused>(match flaw {
                Some((behavior, why)) => Verdict::plain(behavior, why),
                None => Verdict::plain(Behavior::Ok, "as expected"),
            })
        })
    }
}

/// Whether a client speaks before it is answered.
#[derive(Debug)]
struct Early;

impl Play for Early {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            let mut raw = receive(arena).await?;
            allow(&mut raw).await?;
            let (mut stream, _) = request(&raw, arena).await?;
            let spoke = timeout(Duration::from_millis(400), stream.lines()).await.is_ok();
            Ok::<_, Refused>(if spoke || stream.has_arrived() {
                let why = "the client sent something on the stream, or ended it, unanswered";
                Verdict::plain(Behavior::Failed, why)
            } else {
                Verdict::plain(Behavior::Ok, "the client waited for the answer")
            })
        })
    }
}
