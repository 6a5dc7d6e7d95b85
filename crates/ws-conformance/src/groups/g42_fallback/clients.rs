//! Section 42.1: servers that carry no WebSockets by the newer versions of HTTP.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::arena::{Arena, Refused};
use crate::carrier::Carrier;
use crate::case::{Case, Judges, Play, Playing, Weight};
use crate::judge::{Behavior, Verdict};
use crate::link::{Event, Kind, Link, Next, WriteMode};
use crate::server_side::lobby::Caller;
use crate::wire::connect::request_head;
use crate::wire::frame::Frame;
use crate::wire::hpack::{block, read_block};
use crate::wire::http;
use crate::wire::qpack::section;
use crate::wire::raw_h2::{RawH2, flag, kind, setting};
use crate::wire::raw_h3::{RawH3, number};

pub(super) fn cases() -> Vec<Case> {
    use Way::{NoSetting, Open, Reset, Silent, Status};
    let table: [(&str, [Way; 3], Expect, &'static [&'static str]); 9] = [
        ("allows WebSockets by every version", [Open, Open, Open], Expect::Open, &["H2WS-3-02"]),
        (
            "allows none by HTTP/3",
            [NoSetting, Open, Open],
            Expect::Open,
            &["H2WS-3-02", "H3WS-5-01"],
        ),
        (
            "allows none by HTTP/3 and HTTP/2",
            [NoSetting, NoSetting, Open],
            Expect::Open,
            &["H2WS-3-02", "H3WS-5-01"],
        ),
        ("does not answer QUIC", [Silent, Open, Open], Expect::Open, &["H2WS-3-02"]),
        (
            "does not answer QUIC and allows none by HTTP/2",
            [Silent, NoSetting, Open],
            Expect::Open,
            &["H2WS-3-02"],
        ),
        (
            "resets the request by HTTP/3 with H3_VERSION_FALLBACK",
            [Reset, Open, Open],
            Expect::Open,
            &["H3-A.4-01"],
        ),
        (
            "resets the requests by HTTP/3 and HTTP/2 with HTTP_1_1_REQUIRED",
            [Reset, Reset, Open],
            Expect::Open,
            &["H3-A.4-01", "H2-8.7-01"],
        ),
        ("answers 403 by HTTP/2", [Silent, Status("403"), Open], Expect::Note, &["H2WS-5-07"]),
        ("answers 503 by HTTP/2", [Silent, Status("503"), Open], Expect::Note, &["H2WS-5-07"]),
    ];
    (1..)
        .zip(table)
        .map(|(number, (what, ways, expect, rows))| {
            let expects = match expect {
                Expect::Open => "The client finds a version that carries its WebSocket.",
                Expect::Note => "Informational: whether a refusal counts for every version.",
            };
            Case::new(&[42, 1, number], Fallback { ways, expect })
                .does(format!("Is a server that {what}."))
                .expects(expects)
                .cites(rows)
                .judges(Judges::Clients)
                .weighs(Weight::Waiting)
        })
        .collect()
}

/// What becomes of a request by one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Open,
    /// The SETTINGS do not enable extended CONNECT.
    NoSetting,
    /// The stream is reset with the code that asks for an older version.
    Reset,
    Status(&'static str),
    /// The connection is not even accepted.
    Silent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Open,
    Note,
}

#[derive(Clone, Copy, Debug)]
struct Fallback {
    /// By HTTP/3, HTTP/2 and HTTP/1.1.
    ways: [Way; 3],
    expect: Expect,
}

impl Play for Fallback {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            let [h3, h2, h1] = self.ways;
            arena.lobby()?.ignores_quic = h3 == Way::Silent;
            let deadline = Instant::now() + arena.settings.wait * 2 + Duration::from_secs(6);
            let mut tried = Vec::new();
            while let Some(caller) = arena.next_caller(deadline).await {
                let version = caller.describe();
                tried.push(version.to_string());
                let way = match version {
                    Carrier::H3 => h3,
                    Carrier::H2 => h2,
                    _ => h1,
                };
                match serve(caller, way, arena).await {
                    Served::Open(mut link) => {
                        let words = format!("tried {}", tried.join(", "));
                        return Ok(if echoes(&mut link, arena).await {
                            link.close(1000, arena.settings.wait).await;
                            Verdict::plain(self.opened(), words)
                        } else {
                            let why = format!("the WebSocket by {version} did not echo; {words}");
                            Verdict::plain(Behavior::Failed, why)
                        });
                    }
                    Served::Declined => {}
                    Served::Wrong(why) => return Ok(Verdict::plain(Behavior::Failed, why)),
                }
            }
            let words = format!("the client gave up; it tried {}", tried.join(", "));
            Ok::<_, Refused>(match self.expect {
                Expect::Open if tried.is_empty() => {
                    Verdict::plain(Behavior::Failed, "the client did not call")
                }
                // A client may be built for one version.
                Expect::Open => Verdict::plain(Behavior::NonStrict, words),
                Expect::Note => Verdict::plain(Behavior::Informational, words),
            })
        })
    }
}

impl Fallback {
    fn opened(&self) -> Behavior {
        match self.expect {
            Expect::Open => Behavior::Ok,
            Expect::Note => Behavior::Informational,
        }
    }
}

/// What a call came to.
enum Served {
    Open(Box<Link>),
    Declined,
    Wrong(String),
}

async fn serve(caller: Caller, way: Way, arena: &Arena) -> Served {
    if way == Way::Open {
        return match caller.into_visitor(&arena.log).await {
            Ok(visitor) => match arena.welcome(visitor, None).await {
                Ok(link) => Served::Open(Box::new(link)),
                Err(_) => Served::Declined,
            },
            // It may have thought better of it.
            Err(_) => Served::Declined,
        };
    }
    let patience = Instant::now() + arena.settings.wait;
    match caller {
        Caller::H1(mut wire) => {
            let refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
            if timeout_at(patience, http::read_head(&mut wire)).await.is_ok() {
                wire.write(refusal).await;
            }
            Served::Declined
        }
        Caller::H2(wire) => match RawH2::accept(wire, arena.log.clone(), patience).await {
            Ok(raw) => decline_h2(raw, way, patience).await,
            Err(_) => Served::Declined,
        },
        Caller::H3(connection, endpoint) => match RawH3::accept(connection, endpoint).await {
            Ok(raw) => decline_h3(raw, way, patience).await,
            Err(_) => Served::Declined,
        },
    }
}

async fn decline_h2(mut raw: RawH2, way: Way, patience: Instant) -> Served {
    const HTTP_1_1_REQUIRED: u32 = 0xd;
    let enabled = [(setting::HEADER_TABLE_SIZE, 0), (setting::ENABLE_CONNECT_PROTOCOL, 1)];
    let settings = if way == Way::NoSetting { &[][..] } else { &enabled };
    raw.send_settings(settings).await;
    while let Some(frame) = raw.next(patience).await {
        if frame.kind != kind::HEADERS {
            continue;
        }
        let head = request_head(&read_block(&frame.payload), "HTTP/2");
        match way {
            Way::NoSetting => {
                return Served::Wrong(format!("{:?} by HTTP/2 was not allowed", head.start));
            }
            Way::Status(status) => {
                let lines = block(&[(":status".into(), status.into())]);
                let flags = flag::END_HEADERS | flag::END_STREAM;
                raw.send(kind::HEADERS, flags, frame.stream, &lines).await;
            }
            _ => {
                let code = HTTP_1_1_REQUIRED.to_be_bytes();
                raw.send(kind::RST_STREAM, 0, frame.stream, &code).await;
            }
        }
        // The client sees the answer before the connection ends.
        raw.next(Instant::now() + Duration::from_millis(300)).await;
        return Served::Declined;
    }
    Served::Declined
}

async fn decline_h3(mut raw: RawH3, way: Way, patience: Instant) -> Served {
    const VERSION_FALLBACK: u32 = 0x110;
    let enabled = [(number::ENABLE_CONNECT_PROTOCOL, 1)];
    let settings = if way == Way::NoSetting { &[][..] } else { &enabled };
    if raw.send_settings(settings).await.is_err() {
        return Served::Declined;
    }
    let Ok(Ok((mut stream, lines))) = timeout_at(patience, raw.next_request()).await else {
        return Served::Declined;
    };
    match way {
        Way::NoSetting => {
            let head = request_head(&lines, "HTTP/3");
            return Served::Wrong(format!("{:?} by HTTP/3 was not allowed", head.start));
        }
        Way::Status(status) => {
            let lines = section(&[(":status".into(), status.into())]);
            stream.send_frame(number::HEADERS, &lines).await;
            stream.end();
        }
        _ => stream.abort(VERSION_FALLBACK),
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    Served::Declined
}

async fn echoes(link: &mut Link, arena: &Arena) -> bool {
    link.send(&[Frame::text("still here?")], WriteMode::OneGo).await;
    let wanted = Event::Message(Kind::Text, b"still here?".to_vec());
    link.next(Instant::now() + arena.settings.wait).await == Next::Event(wanted)
}
