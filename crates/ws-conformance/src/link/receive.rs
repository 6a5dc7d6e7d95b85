//! Receiving on a link, with every rule of RFC 6455 §5 checked on the way.

use std::fmt;
use std::str;

use tokio::time::{Instant, timeout_at};

use super::event::is_sendable;
use super::{Event, Kind, Link, PeerClose, WriteMode};
use crate::log::{Who, brief};
use crate::wire::blocks::{self, Anatomy};
use crate::wire::frame::{Frame, Header, opcode, opcode_name};
use crate::wire::mask;

/// What reading on gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Something was observed.
    Event(Event),
    /// The peer's close frame arrived.
    Closed,
    /// The peer's direction of the stream ended.
    Ended,
    /// The deadline passed.
    Late,
}

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(event) => event.fmt(f),
            Self::Closed => f.write_str("a close frame"),
            Self::Ended => f.write_str("the end"),
            Self::Late => f.write_str("nothing in time"),
        }
    }
}

/// A message of which not every fragment has arrived.
#[derive(Debug)]
pub(super) struct Partial {
    kind: Kind,
    compressed: bool,
    data: Vec<u8>,
    frames: usize,
}

/// What is known of the peer's compressed messages when a case looks inside.
#[derive(Debug, Default)]
pub(crate) struct Dissection {
    /// Everything the stream held so far.
    pub(crate) history: Vec<u8>,
    /// One for each message.
    pub(crate) messages: Vec<Anatomy>,
    /// Messages that were sent without compression.
    pub(crate) plain: usize,
    /// Whether each message must stand alone.
    pub(crate) fresh_each: bool,
}

/// The longest message that is taken from a peer.
const LIMIT: usize = 512 * 1024 * 1024;

impl Link {
    /// Reads until something happens or `deadline` passes. Cancel safe between octets.
    pub(crate) async fn next(&mut self, deadline: Instant) -> Next {
        loop {
            if let Some(next) = self.take_frame().await {
                return next;
            }
            match timeout_at(deadline, self.wire.fill()).await {
                Ok(true) => {}
                Ok(false) => {
                    if let Some(end) = self.wire.end().map(ToString::to_string) {
                        self.log.octets(Who::Peer, || end, self.wire.buffered());
                    }
                    return Next::Ended;
                }
                Err(_) => return Next::Late,
            }
        }
    }

    /// Takes whole frames off the buffer until one of them is worth reporting.
    async fn take_frame(&mut self) -> Option<Next> {
        loop {
            let header = Header::read(self.wire.buffered())?;
            let size = usize::try_from(header.length).unwrap_or(usize::MAX);
            if size > LIMIT {
                self.breach(format!("a frame that claims {size} octets"));
                self.wire.consume(usize::MAX);
                return Some(Next::Event(Event::Unreadable));
            }
            let whole = self.wire.buffered().get(..header.size + size)?;
            let mut payload = whole.get(header.size..).unwrap_or_default().to_vec();
            if let Some(key) = header.key {
                mask::apply(key, &mut payload);
                if self.keys.len() < 1000 {
                    self.keys.push(key);
                }
                if let (Some(memory), [first, second]) = (&self.memory, self.keys.as_slice()) {
                    memory.note_masking([*first, *second]);
                }
            }
            self.log.octets(Who::Peer, || describe(&header, &payload), whole);
            self.wire.consume(header.size + size);
            self.check(&header);
            if let Some(next) = self.accept(&header, payload).await {
                return Some(next);
            }
        }
    }

    /// The rules that a header can break by itself.
    fn check(&mut self, header: &Header) {
        let name = opcode_name(header.opcode);
        if self.suite_is_client && header.key.is_some() {
            self.breach(format!("a server masked a {name} frame (§5.1)"));
        }
        if !self.suite_is_client && header.key.is_none() {
            self.breach(format!("a client did not mask a {name} frame (§5.1)"));
        }
        if !header.minimal {
            self.breach(format!("the length {} is not written minimally (§5.2)", header.length));
        }
        let first_of_message = matches!(header.opcode, opcode::TEXT | opcode::BINARY);
        let allowed = if self.deflate.is_some() && first_of_message { 4 } else { 0 };
        if header.rsv & !allowed != 0 {
            self.breach(format!("a {name} frame with RSV bits {:03b} (§5.2)", header.rsv));
        }
        if header.is_control() && (!header.fin || header.length > 125) {
            self.breach(format!("a {name} frame that is fragmented or too long (§5.5)"));
        }
        let data = !header.is_control();
        if self.peer_close.is_some() && (data || header.opcode == opcode::CLOSE) {
            self.breach(format!("a {name} frame after the close frame (§5.5.1)"));
        }
    }

    async fn accept(&mut self, header: &Header, payload: Vec<u8>) -> Option<Next> {
        match header.opcode {
            opcode::CONTINUATION => self.take_continuation(header.fin, &payload),
            opcode::TEXT => self.take_first(header, Kind::Text, payload),
            opcode::BINARY => self.take_first(header, Kind::Binary, payload),
            opcode::PING => {
                if self.peer_close.is_none() && !self.suite_close_sent {
                    self.answer_ping(payload).await;
                }
                None
            }
            opcode::PONG if self.controls.contains(&payload) => {
                Some(Next::Event(Event::Pong(payload)))
            }
            opcode::PONG => {
                // RFC 6455 §5.5.3: a pong may be sent unasked, as a heartbeat.
                self.log.note("a pong that answers nothing of ours is passed over");
                None
            }
            opcode::CLOSE => {
                if self.peer_close.is_some() {
                    return None;
                }
                self.take_close(&payload).await;
                Some(Next::Closed)
            }
            _ => {
                self.breach(format!("a frame with the reserved {}", opcode_name(header.opcode)));
                Some(Next::Event(Event::Unreadable))
            }
        }
    }

    fn take_first(&mut self, header: &Header, kind: Kind, data: Vec<u8>) -> Option<Next> {
        if self.partial.take().is_some() {
            self.breach(format!("a {kind} frame inside a fragmented message (§5.4)"));
        }
        let partial = Partial { kind, compressed: header.rsv & 4 != 0, data, frames: 1 };
        if header.fin {
            return self.finish(partial);
        }
        self.partial = Some(partial);
        None
    }

    fn take_continuation(&mut self, fin: bool, payload: &[u8]) -> Option<Next> {
        let Some(mut partial) = self.partial.take() else {
            self.breach("a continuation of nothing (§5.4)".into());
            return Some(Next::Event(Event::Unreadable));
        };
        partial.data.extend_from_slice(payload);
        partial.frames += 1;
        if fin {
            return self.finish(partial);
        }
        self.partial = Some(partial);
        None
    }

    fn finish(&mut self, partial: Partial) -> Option<Next> {
        let Partial { kind, compressed, data, frames } = partial;
        if frames > 1 {
            self.log.note(format!("the message came in {frames} frames"));
        }
        let data = match &mut self.deflate {
            Some(deflate) if compressed => {
                if let Some(dissection) = &mut self.dissection {
                    if dissection.fresh_each {
                        dissection.history.clear();
                    }
                    match blocks::dissect(&data, &mut dissection.history) {
                        Ok(anatomy) => dissection.messages.push(anatomy),
                        Err(flaw) => self.breaches.push(format!("compressed message: {flaw}")),
                    }
                }
                match deflate.inbound.message(&data, LIMIT) {
                    Ok(inflated) => inflated,
                    Err(flaw) => {
                        self.breach(format!("a compressed message is damaged: {flaw}"));
                        return Some(Next::Event(Event::Unreadable));
                    }
                }
            }
            _ => {
                if let Some(dissection) = &mut self.dissection {
                    dissection.plain += 1;
                }
                data
            }
        };
        if kind == Kind::Text && str::from_utf8(&data).is_err() {
            self.breach("a text message that is not UTF-8 (§5.6)".into());
        }
        Some(Next::Event(Event::Message(kind, data)))
    }

    async fn take_close(&mut self, payload: &[u8]) {
        let mut close = PeerClose { code: None, reason: String::new() };
        if let Some((code, reason)) = payload.split_first_chunk::<2>() {
            let code = u16::from_be_bytes(*code);
            if code >= 5000 && self.own_close_code == Some(code) {
                // §7.4.2 says nothing of these codes, and by §5.5.1 the one received is sent back.
                self.log.note("our code, which the RFC does not define, came back");
            } else if !is_sendable(code) {
                self.breach(format!("a close frame with the code {code} (§7.4)"));
            }
            if str::from_utf8(reason).is_err() {
                self.breach("a close reason that is not UTF-8 (§5.5.1)".into());
            }
            close.code = Some(code);
            close.reason = String::from_utf8_lossy(reason).into_owned();
        } else if !payload.is_empty() {
            self.breach("a close frame with a body of one octet (§5.5.1)".into());
        }
        let answer = close.code.map_or_else(
            || Frame::close_body([]),
            |code| Frame::close(if is_sendable(code) { code } else { 1002 }, ""),
        );
        self.peer_close = Some(close);
        if self.answers_close && !self.suite_close_sent && !self.has_ended_sending {
            self.send(&[answer], WriteMode::OneGo).await;
        }
    }

    async fn answer_ping(&mut self, payload: Vec<u8>) {
        let pong = Frame::pong(payload);
        if self.has_ended_sending {
            self.log.note("our direction has ended, so the ping is not answered");
        } else if self.is_inside_frame {
            self.owed.push(pong);
        } else {
            self.send(&[pong], WriteMode::OneGo).await;
        }
    }

    /// Writes a breach of the protocol down.
    pub(crate) fn breach(&mut self, what: String) {
        self.log.note(format!("BREACH: {what}"));
        self.breaches.push(what);
    }
}

fn describe(header: &Header, payload: &[u8]) -> String {
    let mut words = opcode_name(header.opcode);
    if !header.fin {
        words.push_str(", FIN clear");
    }
    if header.rsv != 0 {
        words.push_str(&format!(", RSV {:03b}", header.rsv));
    }
    match (header.opcode, payload.split_first_chunk::<2>()) {
        (opcode::CLOSE, Some((code, reason))) => {
            words.push_str(&format!(": {} {}", u16::from_be_bytes(*code), brief(reason)));
        }
        _ => words.push_str(&format!(": {}", brief(payload))),
    }
    words
}
