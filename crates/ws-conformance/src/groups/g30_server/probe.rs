//! One request to a server, and what its answer must be.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::arena::{Arena, Refused};
use crate::carrier::Carrier;
use crate::case::{Case, Judges, Play, Playing};
use crate::handshake::flaw_of_response;
use crate::judge::{Behavior, CloseBehavior, Verdict};
use crate::link::{Event, Kind, Link, Next, WriteMode};
use crate::log::Who;
use crate::wire::connect::Answer as ByStream;
use crate::wire::frame::Frame;
use crate::wire::http::{self, Head};
use crate::wire::stream::Wire;

/// A change to the ordinary request. `{path}`, `{host}`, `{origin}` and `{key}` are filled in.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    /// Another request line.
    Line(String),
    /// Without this field.
    Drop(&'static str),
    /// This field with another value, in its old place.
    Set(&'static str, String),
    /// One more line, without its CRLF.
    Add(String),
    /// Octets before the request line.
    Before(&'static str),
    /// The fields in reverse order.
    Reverse,
    /// Lines that end in LF alone.
    BareLf,
}

/// What the server has to do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// Open a WebSocket that works.
    Open,
    /// The same, but a refusal breaks no MUST.
    ShouldOpen,
    /// Refuse, best with one of these statuses; the second says what is thought of accepting.
    Refuse(&'static [u16], Behavior),
    /// Answer what asks for no WebSocket as it likes, with any final status; this is thought of
    /// opening one.
    Ordinary(Behavior),
    /// Whatever it likes.
    Either,
}

/// A look at the head of an answer: what is wrong with it, if anything.
pub(crate) type Look = fn(&Head) -> Option<String>;

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    edits: Vec<Edit>,
    answer: Answer,
    look: Option<Look>,
    /// Octets a write, and the milliseconds between writes.
    chop: Option<(usize, u64)>,
    /// Frames that follow the request in the same write.
    pipelined: Vec<Frame>,
}

impl Probe {
    pub(crate) fn new(edits: Vec<Edit>, answer: Answer) -> Self {
        Self { edits, answer, look: None, chop: None, pipelined: Vec::new() }
    }

    pub(crate) fn looking(mut self, look: Look) -> Self {
        self.look = Some(look);
        self
    }

    pub(crate) fn chopped(mut self, size: usize, milliseconds: u64) -> Self {
        self.chop = Some((size, milliseconds));
        self
    }

    pub(crate) fn followed_by(mut self, frames: Vec<Frame>) -> Self {
        self.pipelined = frames;
        self
    }

    /// A case of this probe.
    pub(crate) fn case(self, id: &[u16], what: &str, rows: &'static [&'static str]) -> Case {
        let expects = match self.answer {
            Answer::Open | Answer::ShouldOpen => {
                "The server answers 101, and the WebSocket works.".to_owned()
            }
            Answer::Refuse(statuses, _) => {
                format!("The server refuses, best with one of {statuses:?}.")
            }
            Answer::Ordinary(_) => {
                "The server opens no WebSocket; any other final answer will do.".to_owned()
            }
            Answer::Either => "Informational: the RFCs leave it to the server.".to_owned(),
        };
        Case::new(id, self)
            .does(format!("Sends a handshake {what}."))
            .expects(expects)
            .cites(rows)
            .judges(Judges::Servers)
    }

    fn request(&self, arena: &Arena, key: &str) -> Result<Vec<u8>, Refused> {
        let ordinary = arena.request(key, None)?;
        let mut lines: Vec<String> = ordinary.trim_end().split("\r\n").map(str::to_owned).collect();
        let (mut before, mut ending) = ("", "\r\n");
        let named = |line: &String, name: &str| {
            line.split_once(':').is_some_and(|(field, _)| field.eq_ignore_ascii_case(name))
        };
        for edit in &self.edits {
            match edit {
                Edit::Line(line) => lines.iter_mut().take(1).for_each(|old| old.clone_from(line)),
                Edit::Drop(name) => lines.retain(|line| !named(line, name)),
                Edit::Set(name, value) => {
                    let found = lines.iter_mut().find(|line| named(line, name));
                    found.into_iter().for_each(|line| *line = format!("{name}: {value}"));
                }
                Edit::Add(line) => lines.push(line.clone()),
                Edit::Before(octets) => before = octets,
                Edit::Reverse => {
                    if let Some((_, fields)) = lines.split_first_mut() {
                        fields.reverse();
                    }
                }
                Edit::BareLf => ending = "\n",
            }
        }
        let target = arena.target()?;
        let text = format!("{before}{}{ending}{ending}", lines.join(ending))
            .replace("{path}", &target.path)
            .replace("{origin}", if target.secure { "https://{host}" } else { "http://{host}" })
            .replace("{host}", &target.authority())
            .replace("{key}", key);
        let mut octets = text.into_bytes();
        for frame in &self.pipelined {
            octets.extend(frame.encode(true));
        }
        Ok(octets)
    }

    async fn run(&self, arena: &Arena) -> Result<Verdict, Refused> {
        let fixed = self.edits.iter().find_map(|edit| match edit {
            Edit::Set("Sec-WebSocket-Key", key) => Some(key.clone()),
            _ => None,
        });
        let key = fixed.unwrap_or_else(http::fresh_key);
        let octets = self.request(arena, &key)?;
        let response = if arena.settings.carrier == Carrier::H1 {
            let mut wire = arena.dial().await?;
            arena.log.head(Who::Suite, "the request", &octets);
            send(&mut wire, &octets, self.chop).await;
            match receive(&mut wire, arena).await {
                Response::Head(head) if head.opens() => {
                    return self.accepted(wire, head, &key, arena).await;
                }
                other => other,
            }
        } else {
            match arena.exchange(&octets).await? {
                ByStream::Head(head, wire) if head.opens() => {
                    return self.accepted(wire, head, &key, arena).await;
                }
                ByStream::Head(head, _) => Response::Head(head),
                ByStream::Cut(_) => Response::Cut,
                ByStream::Silence => Response::Silence,
            }
        };
        Ok(self.refused(&response))
    }

    async fn accepted(
        &self,
        wire: Wire,
        head: Head,
        key: &str,
        arena: &Arena,
    ) -> Result<Verdict, Refused> {
        if let Answer::Refuse(_, behavior) | Answer::Ordinary(behavior) = self.answer {
            let must = if behavior == Behavior::Failed { "must" } else { "should" };
            let why = format!("a request that {must} be refused was answered {:?}", head.start);
            return Ok(Verdict::plain(behavior, why));
        }
        let found = self.look.and_then(|look| look(&head));
        if let Some(flaw) = flaw_of_response(&head, key).or(found) {
            return Ok(Verdict::plain(Behavior::Failed, flaw));
        }
        let mut link = Link::new(wire, arena.log.clone(), true, head);
        self.pipelined.iter().for_each(|frame| link.note_control(frame));
        let flaw = self.converse(&mut link, arena).await;
        if let Some(flaw) = flaw.as_ref().filter(|_| !self.pipelined.is_empty()) {
            link.close(1000, arena.settings.wait / 4).await;
            let why =
                format!("what came before the answer, as it must not (§4.1), is lost: {flaw}");
            return Ok(Verdict::on(&link, Behavior::NonStrict, CloseBehavior::Informational, why));
        }
        let informational = matches!(self.answer, Answer::Either);
        let (behavior, why) = match flaw {
            Some(flaw) => (Behavior::Failed, flaw),
            None if informational => (Behavior::Informational, "accepted".into()),
            None => (Behavior::Ok, "accepted, and the WebSocket works".into()),
        };
        let (close, why_close) =
            crate::judge::close_behavior(&link, &crate::judge::Ending::SuiteCloses(&[1000]));
        let why = if why_close.is_empty() { why } else { format!("{why}; {why_close}") };
        Ok(Verdict::on(&link, behavior, close, why))
    }

    /// The echoes of what followed the request, then of one more text.
    async fn converse(&self, link: &mut Link, arena: &Arena) -> Option<String> {
        let deadline = Instant::now() + arena.settings.wait;
        let mut expected: Vec<Event> = self.pipelined.iter().filter_map(answer_to).collect();
        link.send(&[Frame::text("after the handshake")], WriteMode::OneGo).await;
        expected.push(Event::Message(Kind::Text, b"after the handshake".to_vec()));
        for wanted in expected {
            match link.next(deadline).await {
                Next::Event(event) if event == wanted => link.record(event),
                other => return Some(format!("expected {wanted}, saw {other}")),
            }
        }
        link.close(1000, arena.settings.wait).await;
        None
    }

    fn refused(&self, response: &Response) -> Verdict {
        let saw = match response {
            Response::Head(head) => format!("answered {:?}", head.start),
            Response::Cut => "the connection was ended without an answer".into(),
            Response::Silence => "no answer".into(),
        };
        let flaw = match response {
            Response::Head(head) => self.look.and_then(|look| look(head)),
            _ => None,
        };
        let status = if let Response::Head(head) = response { head.status() } else { None };
        let (behavior, why) = match (self.answer, response, status) {
            (Answer::Either, ..) => (Behavior::Informational, saw),
            (Answer::Open | Answer::ShouldOpen, Response::Head(_), None) => {
                (Behavior::Failed, format!("{saw}, which is no answer of HTTP"))
            }
            (Answer::Open, ..) => (Behavior::Failed, format!("a valid request was refused: {saw}")),
            (_, Response::Silence, _) => {
                (Behavior::Failed, "the request was left unanswered".into())
            }
            (Answer::ShouldOpen, ..) => (
                Behavior::NonStrict,
                format!("a request that should be accepted was refused: {saw}"),
            ),
            (_, Response::Cut, _) => {
                (Behavior::NonStrict, format!("{saw}; an HTTP error was due (§4.2.1)"))
            }
            (Answer::Ordinary(_), _, Some(200..)) => (Behavior::Ok, saw),
            (Answer::Refuse(statuses, _), _, Some(status)) if statuses.contains(&status) => {
                match flaw {
                    Some(flaw) => (Behavior::Failed, flaw),
                    None => (Behavior::Ok, saw),
                }
            }
            (_, _, Some(300..)) => {
                (Behavior::NonStrict, format!("{saw}; another status fits better"))
            }
            _ => (Behavior::Failed, format!("{saw}, which is no refusal")),
        };
        Verdict::plain(behavior, why)
    }
}

impl Play for Probe {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            let verdict = self.run(arena).await?;
            arena.still_alive().await?;
            Ok(verdict)
        })
    }
}

/// How a server reacted to a request.
pub(crate) enum Response {
    Head(Head),
    Cut,
    Silence,
}

/// Writes octets, whole or a few at a time.
pub(crate) async fn send(wire: &mut Wire, octets: &[u8], chop: Option<(usize, u64)>) {
    let (size, pause) = chop.unwrap_or((usize::MAX, 0));
    for piece in octets.chunks(size) {
        if !wire.write(piece).await {
            return;
        }
        if pause > 0 {
            sleep(Duration::from_millis(pause)).await;
        }
    }
}

/// The final answer; interim ones (100, 102, 103) are only noted.
pub(crate) async fn receive(wire: &mut Wire, arena: &Arena) -> Response {
    let patience = arena.settings.wait * 2;
    loop {
        match timeout(patience, http::read_head(wire)).await {
            Ok(Some((head, octets))) => {
                arena.log.head(Who::Peer, format!("answer: {}", head.start), &octets);
                if !matches!(head.status(), Some(100 | 102..=199)) {
                    return Response::Head(head);
                }
            }
            Ok(None) => {
                arena.log.octets(Who::Peer, || "the end".into(), wire.buffered());
                return Response::Cut;
            }
            Err(_) => return Response::Silence,
        }
    }
}

fn answer_to(frame: &Frame) -> Option<Event> {
    match frame.opcode {
        1 => Some(Event::Message(Kind::Text, frame.payload.clone())),
        2 => Some(Event::Message(Kind::Binary, frame.payload.clone())),
        9 => Some(Event::Pong(frame.payload.clone())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::settings::Settings;

    #[test]
    fn octets_before_the_answer_are_a_failure_though_the_request_may_be_refused() {
        let probe = Probe::new(Vec::new(), Answer::ShouldOpen);
        for (answer, behavior) in [
            ("HTTP/1.1 400 Bad Request\r\n\r\n", Behavior::NonStrict),
            ("\u{5}earlyHTTP/1.1 101 Switching Protocols\r\n\r\n", Behavior::Failed),
        ] {
            let verdict = probe.refused(&Response::Head(Head::parse(answer.as_bytes())));
            assert_eq!(verdict.behavior, behavior, "{}", verdict.why);
        }
    }

    #[test]
    fn an_ordinary_request_takes_every_final_answer_but_none() {
        let cases = [
            ("HTTP/1.1 200 OK", Behavior::Ok),
            ("HTTP/1.1 204 No Content", Behavior::Ok),
            ("HTTP/1.1 302 Found", Behavior::Ok),
            ("HTTP/1.0 403 Forbidden", Behavior::Ok),
            ("HTTP/1.1 501 Not Implemented", Behavior::Ok),
            ("no answer of HTTP", Behavior::Failed),
        ];
        for (line, behavior) in cases {
            let head = Head::parse(format!("{line}\r\n\r\n").as_bytes());
            let verdict = ordinary().refused(&Response::Head(head));
            assert_eq!(verdict.behavior, behavior, "{line}: {}", verdict.why);
        }
        assert_eq!(ordinary().refused(&Response::Silence).behavior, Behavior::Failed);
        assert_eq!(ordinary().refused(&Response::Cut).behavior, Behavior::NonStrict);
    }

    fn ordinary() -> Probe {
        Probe::new(Vec::new(), Answer::Ordinary(Behavior::Failed))
    }

    #[test]
    fn a_request_that_may_be_refused_must_be_answered() {
        for answer in [Answer::Open, Answer::ShouldOpen, Answer::Refuse(&[400], Behavior::Failed)] {
            let verdict = Probe::new(Vec::new(), answer).refused(&Response::Silence);
            assert_eq!(verdict.behavior, Behavior::Failed, "{answer:?}: {}", verdict.why);
        }
    }

    #[test]
    fn a_request_names_the_scheme_of_its_server() {
        for (url, scheme) in [("ws://a/x", "http"), ("wss://a/x", "https")] {
            let target = url.parse().expect("a URL");
            let arena = Arena::against_server(target, Arc::new(Settings::default()));
            let line = Edit::Line("GET {origin}{path} HTTP/1.1".into());
            let probe = Probe::new(vec![line, Edit::Add("Origin: {origin}".into())], Answer::Open);
            let request = probe.request(&arena, "k").expect("a server");
            let text = String::from_utf8(request).expect("UTF-8");
            assert!(text.starts_with(&format!("GET {scheme}://a/x HTTP/1.1\r\n")), "{text}");
            assert!(text.contains(&format!("\r\nOrigin: {scheme}://a\r\n")), "{text}");
        }
    }
}
