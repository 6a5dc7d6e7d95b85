//! One answer to a client, and what the client must make of it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::arena::{Arena, Refused};
use crate::carrier::Carrier;
use crate::case::{Case, Judges, Play, Playing};
use crate::handshake::flaws_of_request;
use crate::judge::{Behavior, CloseBehavior, Ending, Verdict, close_behavior};
use crate::link::{Event, Kind, Link, Next, WriteMode};
use crate::log::Who;
use crate::wire::frame::Frame;
use crate::wire::http;

/// The ordinary answer; `{accept}` and `{key}` are filled in, lines end in CRLF. `{swapped}` is the
/// accept value with each letter in the other case.
pub(crate) const ORDINARY: &str = "HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\n\
                                   Connection: Upgrade\nSec-WebSocket-Accept: {accept}\n\n";

/// What the client has to do with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// Use the WebSocket.
    Open,
    /// Fail the connection; the other says what is thought of a client that goes on.
    Fail(Behavior),
    /// Not use the WebSocket; it may still wait for more.
    NotOpen,
    /// Whatever it likes.
    Either,
}

/// One answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    text: String,
    reaction: Reaction,
    /// Octets a write, and the milliseconds between writes.
    chop: Option<(usize, u64)>,
    /// Whether a first frame goes out in the same write.
    with_frame: bool,
    /// Only for clients that offered this extension.
    needs: Option<&'static str>,
}

impl Reply {
    /// An answer with `\n` for CRLF.
    pub(crate) fn new(text: impl Into<String>, reaction: Reaction) -> Self {
        let text = text.into().replace('\n', "\r\n");
        Self { text, reaction, chop: None, with_frame: false, needs: None }
    }

    /// The ordinary answer with one more line.
    pub(crate) fn with_line(line: &str, reaction: Reaction) -> Self {
        let (head, _) = ORDINARY.split_at(ORDINARY.len() - 1);
        Self::new(format!("{head}{line}\n\n"), reaction)
    }

    pub(crate) fn chopped(mut self, size: usize, milliseconds: u64) -> Self {
        self.chop = Some((size, milliseconds));
        self
    }

    pub(crate) fn with_frame(mut self) -> Self {
        self.with_frame = true;
        self
    }

    pub(crate) fn for_offers_of(mut self, extension: &'static str) -> Self {
        self.needs = Some(extension);
        self
    }

    /// A case of this answer.
    pub(crate) fn case(self, id: &[u16], what: &str, rows: &'static [&'static str]) -> Case {
        let expects = match self.reaction {
            Reaction::Open => "The client uses the WebSocket.",
            Reaction::Fail(_) => "The client fails the connection and sends nothing.",
            Reaction::NotOpen => "The client sends nothing.",
            Reaction::Either => "Informational: the RFCs leave it to the client.",
        };
        Case::new(id, self)
            .does(format!("Answers {what}."))
            .expects(expects)
            .cites(rows)
            .judges(Judges::Clients)
    }

    async fn run(&self, arena: &mut Arena) -> Result<Verdict, Refused> {
        let visitor = arena.visitor().await?;
        if let Some(flaw) = flaws_of_request(&visitor.request).first() {
            return Ok(Verdict::plain(Behavior::Failed, flaw.clone()));
        }
        let offered = visitor.request.combined("Sec-WebSocket-Extensions").unwrap_or_default();
        if let Some(name) = self.needs.filter(|name| !offered.contains(name)) {
            arena.welcome(visitor, None).await?.close(1000, arena.settings.wait).await;
            return Err(Refused::Unimplemented(format!("the client did not offer {name}")));
        }
        let key = visitor.request.values("Sec-WebSocket-Key").next().unwrap_or_default();
        let accept = http::accept_for(key);
        let text = self.text.replace("{accept}", &accept).replace("{key}", key);
        let text = text.replace("{swapped}", &accept.chars().map(swap_case).collect::<String>());
        let request = visitor.request.clone();
        let wire = if visitor.carrier() == Carrier::H1 {
            let mut wire = visitor.into_wire();
            let mut octets = text.into_bytes();
            if self.with_frame {
                octets.extend(Frame::text("from the server").encode(false));
            }
            arena.log.head(Who::Suite, "the answer", &octets);
            crate::groups::g30_server::probe::send(&mut wire, &octets, self.chop).await;
            wire
        } else {
            visitor.answer(&text, &arena.log).await
        };
        let mut link = Link::new(wire, arena.log.clone(), false, request);
        if !self.with_frame {
            // A client that fails takes a moment; what it would echo is sent after that.
            sleep(Duration::from_millis(50)).await;
            link.send(&[Frame::text("from the server")], WriteMode::OneGo).await;
        }
        let wanted = Event::Message(Kind::Text, b"from the server".to_vec());
        let next = link.next(Instant::now() + arena.settings.wait).await;
        if let Next::Event(event) = &next {
            link.record(event.clone());
        }
        let opened = next == Next::Event(wanted);
        if opened {
            link.close(1000, arena.settings.wait).await;
        }
        Ok(self.judge(&link, opened, &next))
    }

    fn judge(&self, link: &Link, opened: bool, next: &Next) -> Verdict {
        let (behavior, why) = match (self.reaction, opened) {
            (Reaction::Open, true) => {
                let (close, why) = close_behavior(link, &Ending::SuiteCloses(&[1000]));
                let why = if why.is_empty() { "the client uses the WebSocket".into() } else { why };
                return Verdict::on(link, Behavior::Ok, close, why);
            }
            (Reaction::Open, false) => {
                (Behavior::Failed, format!("the client did not echo our text: {next}"))
            }
            (Reaction::NotOpen, false) => (Behavior::Ok, "the client did not go on".into()),
            (Reaction::NotOpen, true) => {
                (Behavior::Failed, "the client went on without an answer".into())
            }
            (Reaction::Either, opened) => {
                let verb = if opened { "accepted" } else { "did not accept" };
                (Behavior::Informational, format!("the client {verb} the answer"))
            }
            (Reaction::Fail(behavior), true) => {
                (behavior, "the client went on with a handshake that had to fail".into())
            }
            (Reaction::Fail(_), false) => match next {
                Next::Ended => (Behavior::Ok, "the client failed the connection".into()),
                Next::Closed => {
                    let why = "the client sent a close frame although no WebSocket was open";
                    (Behavior::NonStrict, why.into())
                }
                Next::Late => {
                    (Behavior::NonStrict, "the client did not go on, but left TCP open".into())
                }
                Next::Event(event) => {
                    let why = format!(
                        "the client went on with a handshake that had to fail: it sent {event}"
                    );
                    (Behavior::Failed, why)
                }
            },
        };
        let verdict = Verdict::on(link, behavior, CloseBehavior::Ok, why.clone());
        match link.breaches().first() {
            None => verdict,
            Some(_) if behavior == Behavior::Informational => Verdict { behavior, why, ..verdict },
            // What a client sends that should have failed is only the consequence.
            Some(breach) if matches!(self.reaction, Reaction::Fail(_)) => {
                let why = format!("{why}; there it also broke the protocol: {breach}");
                Verdict { why, ..verdict }
            }
            Some(_) => verdict,
        }
    }
}

fn swap_case(character: char) -> char {
    if character.is_ascii_uppercase() {
        character.to_ascii_lowercase()
    } else {
        character.to_ascii_uppercase()
    }
}

impl Play for Reply {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(self.run(arena))
    }
}
