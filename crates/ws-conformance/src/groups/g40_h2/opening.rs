//! Section 40.11: what a client does before its request, and on what it waits.

use std::time::Duration;

use tokio::time::Instant;

use super::site::Site;
use crate::arena::{Arena, Refused};
use crate::case::{Case, Play, Playing, Weight};
use crate::judge::{Behavior, Verdict};
use crate::wire::raw_h2::{flag, kind, setting};
use crate::wire::tunnel::code;

pub(super) fn cases() -> Vec<Case> {
    use Opening::{
        Absent, Asks, Late, Later, NoStreams, Ping, Preface, Silent, Two, Unknown, Zero,
    };
    let none = "The client sends no extended CONNECT.";
    let table: [(Opening, &str, &str, &'static [&'static str]); 11] = [
        (
            Asks,
            "Sends SETTINGS that allow a WebSocket.",
            "The client acknowledges them and asks \
          for one on stream 1.",
            &["H2-3.4-01", "H2-6.5-01", "H2-5.1-01"],
        ),
        (
            Absent,
            "Sends SETTINGS without SETTINGS_ENABLE_CONNECT_PROTOCOL.",
            none,
            &["H2WS-3-02", "H2WS-3-01"],
        ),
        (Zero, "Sends SETTINGS_ENABLE_CONNECT_PROTOCOL as 0.", none, &["H2WS-3-02", "H2WS-3-01"]),
        (
            Late,
            "Sends its SETTINGS after 400 ms.",
            "The client waits for them, and then asks.",
            &["H2WS-3-02", "H2-3.4-01"],
        ),
        (
            Later,
            "Allows WebSockets only by its second SETTINGS, after 400 ms.",
            "The client asks for none before; whether it does then is only noted.",
            &["H2WS-3-02"],
        ),
        (
            Two,
            "Sends SETTINGS_ENABLE_CONNECT_PROTOCOL as 2.",
            "The client ends the connection with PROTOCOL_ERROR.",
            &["H2WS-3-01", "H2-6.5.2-01"],
        ),
        (
            NoStreams,
            "Sends SETTINGS_MAX_CONCURRENT_STREAMS as 0.",
            "The client opens no stream.",
            &["H2-5.1.2-01"],
        ),
        (
            Unknown,
            "Sends an unknown setting and a frame of an unknown type.",
            "Both are ignored; the client asks for a WebSocket.",
            &["H2-4.1-01", "H2-5.5-01"],
        ),
        (
            Ping,
            "Sends PING before SETTINGS are acknowledged.",
            "The client answers it.",
            &["H2-6.7-01"],
        ),
        (
            Preface,
            "Begins with PING instead of SETTINGS.",
            "The client ends the connection.",
            &["H2-3.4-01", "H2-5.4-01"],
        ),
        (
            Silent,
            "Sends nothing at all.",
            "The client gives up within the patience of the run.",
            &["WS-10.7-01"],
        ),
    ];
    (1..)
        .zip(table)
        .map(|(number, (opening, does, expects, rows))| {
            let case = Case::new(&[40, 11, number], opening);
            case.does(does).expects(expects).cites(rows).weighs(Weight::Waiting)
        })
        .collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opening {
    Asks,
    Absent,
    Zero,
    Late,
    Later,
    Two,
    NoStreams,
    Unknown,
    Ping,
    Preface,
    Silent,
}

impl Play for Opening {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            let mut site = Site::receive(arena).await?;
            let (behavior, why) = self.run(&mut site, arena).await;
            Ok::<_, Refused>(Verdict::plain(behavior, why))
        })
    }
}

type Found = (Behavior, String);

fn fine(why: &str) -> Found {
    (Behavior::Ok, why.into())
}

fn failed(why: &str) -> Found {
    (Behavior::Failed, why.into())
}

impl Opening {
    async fn run(self, site: &mut Site, arena: &Arena) -> Found {
        let wait = arena.settings.wait;
        let enable = |value| [(setting::ENABLE_CONNECT_PROTOCOL, value)];
        let deadline = Instant::now() + wait * 2;
        match self {
            Self::Asks => {
                site.allow(1 << 20).await;
                asks(site, deadline).await
            }
            Self::Absent => {
                site.raw.send_settings(&[(setting::INITIAL_WINDOW_SIZE, 1 << 20)]).await;
                asks_nothing(site, wait).await
            }
            Self::Zero => {
                site.raw.send_settings(&enable(0)).await;
                asks_nothing(site, wait).await
            }
            Self::NoStreams => {
                let none = [(setting::MAX_CONCURRENT_STREAMS, 0), enable(1)[0]];
                site.raw.send_settings(&none).await;
                asks_nothing(site, wait).await
            }
            Self::Late => {
                if site.asked(Instant::now() + Duration::from_millis(400)).await.is_some() {
                    return failed("the client asked before it knew whether it may");
                }
                site.allow(1 << 20).await;
                asks(site, deadline).await
            }
            Self::Later => {
                site.raw.send_settings(&[]).await;
                if site.asked(Instant::now() + Duration::from_millis(400)).await.is_some() {
                    return failed("the client asked although it was not allowed to");
                }
                site.allow(1 << 20).await;
                let asked = site.asked(Instant::now() + wait).await.is_some();
                let words = if asked { "the client asked then" } else { "the client did not ask" };
                (Behavior::Informational, words.into())
            }
            Self::Two => {
                site.raw.send_settings(&enable(2)).await;
                match asks_nothing(site, wait).await {
                    (Behavior::Ok, _) if site.goaway == Some(code::PROTOCOL_ERROR) => {
                        fine("the connection was ended with PROTOCOL_ERROR")
                    }
                    (Behavior::Ok, why) => {
                        (Behavior::NonStrict, format!("PROTOCOL_ERROR was due, but {why}"))
                    }
                    // RFC 8441 §3 names no reaction.
                    (_, why) => (Behavior::NonStrict, why),
                }
            }
            Self::Unknown => {
                let settings = [(0xFAFA, 7), enable(1)[0]];
                site.raw.send_settings(&settings).await;
                site.raw.send(0xFA, 0xFF, 0, b"whatever").await;
                asks(site, deadline).await
            }
            Self::Ping => ping(site, deadline).await,
            Self::Preface => {
                site.raw.send(kind::PING, 0, 0, b"no first").await;
                site.raw.send_settings(&enable(1)).await;
                match asks_nothing(site, wait).await {
                    (Behavior::Ok, _) if site.goaway.is_some() || site.raw.has_ended() => {
                        fine("the client ended the connection")
                    }
                    (Behavior::Ok, _) => {
                        let why = "the client did not go on, but left the connection open";
                        (Behavior::NonStrict, why.into())
                    }
                    _ => failed("the client went on without SETTINGS at the beginning"),
                }
            }
            Self::Silent => {
                let deadline = Instant::now() + arena.settings.patience;
                site.read_until(deadline, |site| site.goaway.is_some()).await;
                let silent = site.asked(Instant::now()).await.is_none();
                match (site.raw.has_ended() || site.goaway.is_some(), silent) {
                    (true, _) => fine("the client gave up"),
                    (false, true) => (Behavior::NonStrict, "the client still waited".into()),
                    (false, false) => failed("the client did not wait for SETTINGS"),
                }
            }
        }
    }
}

async fn asks(site: &mut Site, deadline: Instant) -> Found {
    let Some(id) = site.asked(deadline).await else { return failed("the client did not ask") };
    site.read_until(deadline, |site| site.raw.acknowledged > 0 || site.is_over(id)).await;
    if site.raw.acknowledged == 0 {
        return failed("our SETTINGS were not acknowledged");
    }
    if id != 1 {
        return (Behavior::NonStrict, format!("the first request came on stream {id}"));
    }
    fine("the client asked for a WebSocket")
}

/// A client that must not ask may wait, give up, or go elsewhere.
async fn asks_nothing(site: &mut Site, wait: Duration) -> Found {
    match site.asked(Instant::now() + wait).await {
        Some(_) => failed("the client asked although it was not allowed to"),
        None if site.raw.has_ended() || site.goaway.is_some() => {
            fine("the client ended the connection")
        }
        None => fine("the client asked for nothing"),
    }
}

async fn ping(site: &mut Site, deadline: Instant) -> Found {
    site.allow(1 << 20).await;
    site.raw.send(kind::PING, 0, 0, b"a ping!!").await;
    while let Some(frame) = site.raw.next(deadline).await {
        if frame.kind == kind::PING && frame.flags & flag::ACK != 0 {
            let same = frame.payload == b"a ping!!";
            return if same { fine("it was answered") } else { failed("with another payload") };
        }
    }
    failed("the PING was not answered")
}
