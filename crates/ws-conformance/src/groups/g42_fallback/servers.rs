//! Section 42.2: one port of a server, asked by every version of HTTP.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::arena::{Arena, Refused};
use crate::case::{Case, Judges, Play, Playing};
use crate::handshake::flaw_of_response;
use crate::judge::{Behavior, Verdict};
use crate::link::{Event, Kind, Link, Next, WriteMode};
use crate::wire::connect::{Answer, flaw_of_answer};
use crate::wire::frame::Frame;
use crate::wire::http;
use crate::wire::raw_h3;
use crate::wire::stream::Wire;
use crate::wire::tls;
use crate::wire::tunnel::Tunnel;

pub(super) fn cases() -> Vec<Case> {
    use Offer::{AltSvc, Both, H1Only, NoAlpn, Stranger, WrongText};
    let table: [(Offer, &str, &str, &'static [&'static str]); 6] = [
        (
            Both,
            "Offers h2 and http/1.1 in TLS.",
            "The server chooses one, and a WebSocket opens by it, or else by HTTP/1.1.",
            &["H2-3.2-01", "H2WS-3-05"],
        ),
        (
            H1Only,
            "Offers http/1.1 alone in TLS.",
            "A WebSocket opens by HTTP/1.1: clients fall back to it.",
            &["H2WS-3-02", "WS-4.2.2-12"],
        ),
        (
            NoAlpn,
            "Offers no protocol in TLS.",
            "A WebSocket opens by HTTP/1.1.",
            &["WS-4.2.2-12", "H2-3.2-01"],
        ),
        (
            Stranger,
            "Offers only h2c and a protocol that nobody knows in TLS.",
            "The server chooses neither.",
            &["H2-3.2-01"],
        ),
        (
            WrongText,
            "Agrees on h2 in TLS and sends a request of HTTP/1.1.",
            "The server does not open a WebSocket.",
            &["H2-3.4-01", "H2-8.6-01"],
        ),
        (
            AltSvc,
            "Asks the server for HTTP/3 at the same port.",
            "A WebSocket opens by it, if the server is there.",
            &["H3WS-3-01", "H3WS-5-01"],
        ),
    ];
    (1..)
        .zip(table)
        .map(|(number, (offer, does, expects, rows))| {
            Case::new(&[42, 2, number], offer)
                .does(does)
                .expects(expects)
                .cites(rows)
                .judges(Judges::Servers)
        })
        .collect()
}

#[derive(Clone, Copy, Debug)]
enum Offer {
    Both,
    H1Only,
    NoAlpn,
    Stranger,
    WrongText,
    AltSvc,
}

impl Play for Offer {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            if !arena.target()?.secure {
                let why = "the version is chosen in TLS, and the server is asked by ws";
                return Err(Refused::Unimplemented(why.into()));
            }
            let (behavior, why) = self.run(arena).await?;
            if behavior == Behavior::Ok {
                arena.still_alive().await?;
            }
            Ok::<_, Refused>(Verdict::plain(behavior, why))
        })
    }
}

type Found = (Behavior, String);

impl Offer {
    async fn run(self, arena: &Arena) -> Result<Found, Refused> {
        let host = &arena.target()?.host;
        let dial = |alpn: &'static [&'static str]| async move {
            let stream = arena.dial_tcp().await?;
            Ok::<_, Refused>(tls::connect_with(host, stream, alpn).await?)
        };
        Ok(match self {
            Self::Both => {
                let stream = dial(&["h2", "http/1.1"]).await?;
                match stream.get_ref().1.alpn_protocol() {
                    Some(b"h2") => {
                        let (wire, log) = (Wire::new(stream), arena.log.clone());
                        match Tunnel::connect(wire, &arena.connect(true)?, log).await {
                            Ok(answer) => by_stream(answer, arena).await,
                            // Without the setting, what is left is HTTP/1.1.
                            Err(why) => {
                                let wire = Wire::new(dial(&["http/1.1"]).await?);
                                let (behavior, found) = by_upgrade(wire, arena).await?;
                                (behavior, format!("{found}, after HTTP/2: {why}"))
                            }
                        }
                    }
                    Some(b"http/1.1") | None => by_upgrade(Wire::new(stream), arena).await?,
                    Some(other) => {
                        let name = String::from_utf8_lossy(other).into_owned();
                        (Behavior::Failed, format!("{name:?} was chosen, which nobody offered"))
                    }
                }
            }
            Self::H1Only => by_upgrade(Wire::new(dial(&["http/1.1"]).await?), arena).await?,
            Self::NoAlpn => by_upgrade(Wire::new(dial(&[]).await?), arena).await?,
            Self::Stranger => match dial(&["h2c", "x-nobody-knows-this"]).await {
                Err(_) => (Behavior::Ok, "the server ended TLS".into()),
                Ok(stream) => match stream.get_ref().1.alpn_protocol() {
                    None => (Behavior::Ok, "the server chose none".into()),
                    Some(_) => (Behavior::Failed, "the server chose one of them".into()),
                },
            },
            Self::WrongText => {
                let stream = dial(&["h2"]).await?;
                if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
                    let why = "the server does not speak HTTP/2";
                    return Err(Refused::Unimplemented(why.into()));
                }
                let mut wire = Wire::new(stream);
                wire.write(arena.request(&http::fresh_key(), None)?.as_bytes()).await;
                let patience = arena.settings.wait;
                let head = timeout(patience, http::read_head(&mut wire)).await.ok().flatten();
                match head.and_then(|(head, _)| head.status()) {
                    Some(101) => (Behavior::Failed, "the server opened a WebSocket".into()),
                    _ => (Behavior::Ok, "no WebSocket was opened".into()),
                }
            }
            Self::AltSvc => {
                let port = arena.target()?.port;
                match raw_h3::connect(host, port, &arena.connect(true)?).await {
                    Ok(answer) => by_stream(answer, arena).await,
                    Err(error) => {
                        let why = format!("no HTTP/3 at the same port: {error}");
                        return Err(Refused::Unimplemented(why));
                    }
                }
            }
        })
    }
}

async fn by_stream(answer: Answer, arena: &Arena) -> Found {
    let (head, wire) = match answer {
        Answer::Head(head, wire) => (head, wire),
        Answer::Cut(why) => return (Behavior::Failed, why),
        Answer::Silence => return (Behavior::Failed, "the request was left unanswered".into()),
    };
    if let Some(flaw) = flaw_of_answer(&head) {
        return (Behavior::Failed, flaw);
    }
    let version = head.start.clone();
    works(Link::new(wire, arena.log.clone(), true, head), &version, arena).await
}

async fn by_upgrade(mut wire: Wire, arena: &Arena) -> Result<Found, Refused> {
    let key = http::fresh_key();
    wire.write(arena.request(&key, None)?.as_bytes()).await;
    let patience = arena.settings.wait.max(Duration::from_secs(5));
    let Ok(Some((head, _))) = timeout(patience, http::read_head(&mut wire)).await else {
        return Ok((Behavior::Failed, "no answer came by HTTP/1.1".into()));
    };
    if let Some(flaw) = flaw_of_response(&head, &key) {
        return Ok((Behavior::Failed, flaw));
    }
    let link = Link::new(wire, arena.log.clone(), true, head);
    Ok(works(link, "HTTP/1.1", arena).await)
}

async fn works(mut link: Link, version: &str, arena: &Arena) -> Found {
    link.send(&[Frame::text("still here?")], WriteMode::OneGo).await;
    let wanted = Event::Message(Kind::Text, b"still here?".to_vec());
    let echoed = link.next(Instant::now() + arena.settings.wait).await == Next::Event(wanted);
    link.close(1000, arena.settings.wait).await;
    match echoed {
        true => (Behavior::Ok, format!("a WebSocket opened by {version}")),
        false => (Behavior::Failed, format!("the WebSocket by {version} did not echo")),
    }
}
