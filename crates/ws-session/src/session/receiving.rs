//! Bytes in, events out.

use bytes::{Bytes, BytesMut};
use ws_frame::{CloseFrame, DataKind, Decoded, Message};

use super::Session;
use crate::closing::Phase;
use crate::{Cause, Event, TransportError};

/// However small its messages have to be, a peer may have had this much on its way, in the buffers of
/// both systems, when it learnt of our goodbye.
const MIN_DRAIN: usize = 1024 * 1024;

/// A message that came whole, as a chunk.
const fn chunk(kind: DataKind, data: Bytes) -> Event {
    Event::Chunk { kind, data, last: true }
}

impl Session {
    /// The buffer to append received bytes to. While it is empty it may be exchanged for another
    /// one.
    pub fn read_buffer(&mut self) -> &mut BytesMut {
        &mut self.inbound.buffer
    }

    /// How many bytes the next read should ask for: 4 to 264 KiB as the traffic is, more inside a
    /// large frame. Any other number does as well.
    #[must_use]
    pub fn read_size(&self) -> usize {
        self.inbound.read_size().min(self.config.budget() / 4)
    }

    /// Whether bytes from the peer are still of interest. Once false it stays false.
    #[must_use]
    pub const fn wants_read(&self) -> bool {
        !self.inbound.eof && !matches!(self.closing.phase, Phase::Finished)
    }

    /// Takes note that the peer ended its direction. What arrived before is still delivered. **Poll
    /// for events afterwards.**
    pub fn receive_eof(&mut self) {
        self.inbound.eof = true;
    }

    /// Takes note that the transport failed: nothing can be read or written any more. What arrived
    /// before is still delivered. **Poll for events afterwards.**
    pub fn receive_error(&mut self, error: TransportError) {
        self.closing.begin(Cause::Transport(error));
        self.closing.is_shut_down = true;
        self.inbound.eof = true;
        self.drop_output();
    }

    /// The next event. Data messages come whole. `None`: nothing to report until bytes arrive, the
    /// peer's direction or a deadline ends, or bytes are written.
    #[inline]
    pub fn poll_event(&mut self) -> Option<Event> {
        match self.poll_whole() {
            Some(message) => Some(Event::Message(message)),
            None => self.poll(false),
        }
    }

    /// What [`poll_event`](Self::poll_event) looks for first: a short data message that came whole.
    /// `None` says nothing.
    ///
    /// Made to become part of its caller, so that the message is put together where it is wanted.
    #[inline(always)]
    pub fn poll_whole(&mut self) -> Option<Message> {
        if !matches!(self.closing.phase, Phase::Open | Phase::CloseSent) {
            return None;
        }
        if self.inbound.has_arrived() {
            self.note_arrival();
        }
        let message = self.inbound.next_whole()?;
        self.message_ended();
        Some(message)
    }

    #[inline(never)]
    fn note_arrival(&mut self) {
        self.inbound.note_arrival();
        self.timers.received = true;
        self.make_room();
    }

    /// As [`poll_event`](Self::poll_event), but data messages come in pieces while they arrive.
    ///
    /// Both may be used in turn. A message whose beginning was taken in pieces is not given whole
    /// later: the rest of it is skipped by `poll_event`.
    #[inline]
    pub fn poll_chunk(&mut self) -> Option<Event> {
        match self.poll_whole() {
            Some(Message::Text(text)) => Some(chunk(DataKind::Text, text.into_bytes())),
            Some(Message::Binary(data)) => Some(chunk(DataKind::Binary, data)),
            Some(control) => Some(Event::Message(control)),
            None => self.poll(true),
        }
    }

    /// Whether it is plain, as it is before nearly every wait, that there is nothing to report.
    fn has_nothing(&self) -> bool {
        self.closing.phase == Phase::Open
            && self.compression.is_none()
            && self.charge.is_none()
            && !self.inbound.eof
            && !self.inbound.holds()
    }

    /// How many bytes were inflated since the last call, of which the bytes received tell little. A
    /// driver counts them as work.
    #[inline]
    pub fn take_inflated(&mut self) -> usize {
        self.compression.as_mut().map_or(0, |compression| compression.take_inflated())
    }

    #[inline(never)]
    fn poll(&mut self, in_chunks: bool) -> Option<Event> {
        if self.has_nothing() { None } else { self.poll_all(in_chunks) }
    }

    #[inline(never)]
    fn poll_all(&mut self, in_chunks: bool) -> Option<Event> {
        loop {
            match self.closing.phase {
                Phase::Open | Phase::CloseSent => {
                    match self.inbound.decode(self.compression.as_deref_mut(), in_chunks) {
                        Ok(Some(decoded)) => return Some(self.receive(decoded)),
                        Ok(None) => match self.over_budget() {
                            Some(exceeded) => {
                                self.fail_connection(Cause::BudgetExceeded(exceeded));
                            }
                            None if !self.inbound.eof => return None,
                            None => self.end_of_stream(),
                        },
                        Err(error) => {
                            let cause = self.cause_of(error);
                            self.fail_connection(cause);
                        }
                    }
                }
                Phase::Draining => {
                    let drained = self.inbound.discard();
                    let most = self.config.limits.max_message().max(MIN_DRAIN);
                    // Whoever floods us is cut, but not before the goodbye has left.
                    let is_flooded = self.closing.drained_too_much(drained, most)
                        && self.outbound.queue.is_empty();
                    let awaits_end = !self.inbound.eof && !self.closing.is_parting;
                    if is_flooded || self.closing.is_shut_down && !awaits_end {
                        self.finish();
                    } else {
                        return None;
                    }
                }
                Phase::Finished => return self.closing.report().then_some(Event::Finished),
            }
        }
    }

    fn receive(&mut self, decoded: Decoded) -> Event {
        let message = match decoded {
            Decoded::Message(message) => message,
            Decoded::Chunk { kind, data, last } => {
                if last {
                    self.message_ended();
                }
                return Event::Chunk { kind, data, last };
            }
        };
        if message.data_kind().is_some() || !self.inbound.is_mid_data() {
            self.message_ended();
        }
        match &message {
            Message::Ping(payload) => {
                // RFC 6455 §5.5.2: our own close frame does not excuse from answering.
                let high_water = self.config.pong_water();
                self.outbound.answer_ping(payload.clone(), high_water);
            }
            Message::Close(frame) => self.receive_close(frame.clone()),
            Message::Text(_) | Message::Binary(_) | Message::Pong(_) => {}
        }
        Event::Message(message)
    }

    #[inline]
    fn message_ended(&mut self) {
        self.inbound.message_bytes = 0;
        self.timers.message_ended();
    }

    fn receive_close(&mut self, frame: Option<CloseFrame>) {
        if self.closing.phase == Phase::Open {
            // RFC 6455 §5.5.1: the answer typically echoes the code.
            let answer = frame.as_ref().map(|frame| CloseFrame::from(frame.code));
            self.queue_close(answer);
        }
        self.closing.begin(Cause::Remote);
        self.closing.received(frame);
        self.closing.phase = Phase::Draining;
        self.inbound.forget_message();
    }

    /// The peer ended its direction without a close frame (RFC 6455 §7.2.1). What is queued still
    /// goes out, in case only one direction is gone.
    fn end_of_stream(&mut self) {
        self.fail_connection(Cause::Transport(TransportError::Closed));
    }
}
