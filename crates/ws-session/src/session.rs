//! The session: one connection after its handshake (RFC 6455 §5 to §7).

use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use ws_frame::{
    CloseCode, CloseFrame, DataKind, Decoded, FrameEncoder, MaskKeys, Message, MessageDecoder,
    OpCode, Role, WriteQueue,
};

use crate::closing::{Closing, Phase};
use crate::compression::Compression;
use crate::inbound::Inbound;
use crate::outbound::{Outbound, data_parts};
use crate::timers::{Activity, Due, Timers};
use crate::{Cause, Compress, Config, Event, Outcome, Prepared, SendError, TransportError};

/// One WebSocket connection, from the end of its handshake to its last byte, without I/O.
///
/// The [crate documentation](crate) shows the loop that drives it. A session is always in a state
/// in which any method may be called, in any order.
#[derive(Debug)]
pub struct Session {
    config: Arc<Config>,
    role: Role,
    inbound: Inbound,
    outbound: Outbound,
    closing: Closing,
    timers: Timers,
    compression: Option<Box<Compression>>,
}

/// What fails on our side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The application failed or panicked: the session closes with 1011.
    HandlerFailed,
}

impl Session {
    /// A session for the endpoint that opened the connection.
    #[must_use]
    pub fn client(config: impl Into<Arc<Config>>, keys: MaskKeys) -> Self {
        Self::new(config.into(), Role::Client, FrameEncoder::client(keys))
    }

    /// A session for the endpoint that accepted the connection.
    #[must_use]
    pub fn server(config: impl Into<Arc<Config>>) -> Self {
        Self::new(config.into(), Role::Server, FrameEncoder::server())
    }

    fn new(config: Arc<Config>, role: Role, encoder: FrameEncoder) -> Self {
        let decoder =
            MessageDecoder::new(role, &config.limits).with_iana_codes(config.iana_close_codes);
        Self {
            config,
            role,
            inbound: Inbound::new(decoder),
            outbound: Outbound::new(encoder),
            closing: Closing::default(),
            timers: Timers::default(),
            compression: None,
        }
    }

    /// Begins with bytes that arrived together with the handshake.
    #[must_use]
    pub fn with_leftover(mut self, leftover: BytesMut) -> Self {
        self.inbound.buffer = leftover;
        self
    }

    // ---- receiving

    /// The buffer to append received bytes to. While it is empty it may be exchanged for another
    /// one.
    pub fn read_buffer(&mut self) -> &mut BytesMut {
        &mut self.inbound.buffer
    }

    /// How many bytes the next read should ask for: 4 to 66 KiB, more inside a large frame.
    #[must_use]
    pub fn read_size(&self) -> usize {
        self.inbound.read_size()
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
        if !self.closing.is_handshake_complete() {
            self.closing.failed = true;
        }
        self.closing.begin(Cause::Transport(error));
        self.closing.is_shut_down = true;
        self.inbound.eof = true;
        self.outbound.queue = WriteQueue::new();
    }

    /// The next event. Data messages come whole. `None`: nothing to report until bytes arrive, the
    /// peer's direction or a deadline ends, or bytes are written.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.poll(false)
    }

    /// As [`poll_event`](Self::poll_event), but data messages come in pieces while they arrive.
    ///
    /// Both may be used in turn. A message whose beginning was taken in pieces is not given whole
    /// later: the rest of it is skipped by `poll_event`.
    pub fn poll_chunk(&mut self) -> Option<Event> {
        self.poll(true)
    }

    fn poll(&mut self, in_chunks: bool) -> Option<Event> {
        self.timers.received |= self.inbound.note_arrival();
        loop {
            match self.closing.phase {
                Phase::Open | Phase::CloseSent => {
                    match self.inbound.decode(self.compression.as_deref_mut(), in_chunks) {
                        Ok(Some(decoded)) => return Some(self.receive(decoded)),
                        Ok(None) if !self.inbound.eof => return None,
                        Ok(None) => self.end_of_stream(),
                        Err(error) => self.fail_connection(Cause::Violation(error)),
                    }
                }
                Phase::Draining => {
                    let drained = self.inbound.discard();
                    if self.closing.drained_too_much(drained, self.config.limits.max_message())
                        || self.inbound.eof && self.closing.is_shut_down
                    {
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
                self.outbound.answer_ping(payload.clone(), self.config.high_water);
            }
            Message::Close(frame) => self.receive_close(frame.clone()),
            Message::Text(_) | Message::Binary(_) | Message::Pong(_) => {}
        }
        Event::Message(message)
    }

    fn message_ended(&mut self) {
        self.inbound.message_bytes = 0;
        self.timers.message_ended();
    }

    fn receive_close(&mut self, frame: Option<CloseFrame>) {
        self.outbound.drop_owed_pong();
        if self.closing.phase == Phase::Open {
            // RFC 6455 §5.5.1: the answer typically echoes the code.
            let answer = frame.as_ref().map(|frame| CloseFrame::from(frame.code));
            self.queue_close(answer);
        }
        self.closing.begin(Cause::Remote);
        self.closing.remote = Some(frame);
        self.closing.phase = Phase::Draining;
    }

    /// The peer ended its direction without a close frame (RFC 6455 §7.2.1). What is queued still
    /// goes out, in case only one direction is gone.
    fn end_of_stream(&mut self) {
        self.fail_connection(Cause::Transport(TransportError::Closed));
    }

    // ---- sending

    /// Whether fewer bytes wait to be written than [`Config::high_water`].
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.outbound.queue.len() < self.config.high_water
    }

    /// Whether messages may still be sent: no close frame went out or came in.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.closing.phase == Phase::Open
    }

    /// Queues a message or a control frame. [`Message::Close`] is the same as
    /// [`close`](Self::close).
    ///
    /// # Errors
    ///
    /// The message must not leave, see [`SendError`]; nothing was queued.
    #[inline]
    pub fn send(&mut self, message: Message) -> Result<(), SendError> {
        self.send_with(message, Compress::Auto)
    }

    /// As [`send`](Self::send), and says whether to compress.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    #[inline]
    pub fn send_with(&mut self, message: Message, compress: Compress) -> Result<(), SendError> {
        if self.closing.phase != Phase::Open {
            return Err(SendError::Closed);
        }
        match data_parts(message) {
            Ok((opcode, payload)) => {
                let compression = self.compression.as_deref_mut();
                self.outbound.send_data(opcode, payload, compress, compression)
            }
            Err(Message::Close(frame)) => self.close(frame),
            Err(control) => self.outbound.send_control(control.opcode(), control.payload()),
        }
    }

    /// Queues a fragment of a message; `fin` ends the message. Control frames may be sent in
    /// between, other messages not.
    ///
    /// # Errors
    ///
    /// The fragment must not leave, see [`SendError`]; nothing was queued.
    pub fn send_fragment(
        &mut self,
        kind: DataKind,
        data: Bytes,
        fin: bool,
    ) -> Result<(), SendError> {
        self.send_fragment_with(kind, data, fin, Compress::Auto)
    }

    /// As [`send_fragment`](Self::send_fragment); the first fragment decides whether the message is
    /// compressed.
    ///
    /// # Errors
    ///
    /// As [`send_fragment`](Self::send_fragment).
    pub fn send_fragment_with(
        &mut self,
        kind: DataKind,
        data: Bytes,
        fin: bool,
        compress: Compress,
    ) -> Result<(), SendError> {
        if self.closing.phase != Phase::Open {
            return Err(SendError::Closed);
        }
        let compression = self.compression.as_deref_mut();
        self.outbound.send_fragment(kind, data, fin, compress, compression)
    }

    /// Queues a message that was prepared once for many sessions. For a client, whose frames have a
    /// mask each, it is the same as [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_prepared(&mut self, prepared: &Prepared) -> Result<(), SendError> {
        if self.closing.phase != Phase::Open {
            return Err(SendError::Closed);
        }
        if self.role == Role::Client {
            return self.send(prepared.message().clone());
        }
        let frame = prepared.frame(self.compression.as_deref_mut());
        self.outbound.send_encoded(&frame)
    }

    /// Begins the closing handshake: queues a close frame, after which no data leaves. Messages are
    /// still received until the peer answers.
    ///
    /// # Errors
    ///
    /// [`SendError::InvalidCloseCode`] and [`SendError::ReasonTooLong`] for what must not leave,
    /// [`SendError::Closed`] when the closing handshake has begun already.
    pub fn close(&mut self, frame: Option<CloseFrame>) -> Result<(), SendError> {
        if self.closing.phase != Phase::Open {
            return Err(SendError::Closed);
        }
        if let Some(CloseFrame { code, reason }) = &frame {
            let with_iana = self.config.iana_close_codes && code.is_valid_with_iana();
            if !code.is_valid_on_wire() && !with_iana {
                return Err(SendError::InvalidCloseCode(*code));
            }
            if reason.len() > CloseFrame::MAX_REASON {
                return Err(SendError::ReasonTooLong(reason.len()));
            }
        }
        self.begin_close(frame, Cause::Normal);
        Ok(())
    }

    /// Closes because something failed on our side. Does nothing once the session is closing.
    pub fn fail(&mut self, failure: Failure) {
        if self.closing.phase == Phase::Open {
            let Failure::HandlerFailed = failure;
            self.begin_close(Some(CloseCode::INTERNAL_ERROR.into()), Cause::HandlerFailed);
        }
    }

    /// What waits to be written, the owed pong included. Advance it by what was written.
    pub fn transmit(&mut self) -> &mut WriteQueue {
        if matches!(self.closing.phase, Phase::Open | Phase::CloseSent) {
            self.outbound.pay_pong(self.config.high_water);
        }
        &mut self.outbound.queue
    }

    /// Whether our direction of the transport is to be ended now, in an orderly way (TCP FIN): the
    /// goodbye was written. Call [`handle_shutdown`](Self::handle_shutdown) when that is done.
    #[must_use]
    pub fn wants_shutdown(&self) -> bool {
        let closing = &self.closing;
        // RFC 6455 §7.1.1: the server ends the transport first, the client waits for that.
        let ours_to_end = self.role == Role::Server || closing.failed || self.inbound.eof;
        closing.phase == Phase::Draining
            && self.outbound.queue.is_empty()
            && !closing.is_shut_down
            && ours_to_end
    }

    /// Takes note that our direction was ended. **Poll for events afterwards.**
    pub fn handle_shutdown(&mut self) {
        self.closing.is_shut_down = true;
    }

    // ---- time

    /// Takes note of the time and returns the next deadline. Call it when about to wait, and call
    /// [`handle_timeout`](Self::handle_timeout) when the deadline is reached.
    pub fn poll_timeout(&mut self, now: Instant) -> Option<Instant> {
        self.next_due(now).map(|(at, _)| at)
    }

    /// Acts on the deadlines that are reached: sends a ping, begins to close, or gives up. **Poll
    /// for events and write afterwards.**
    pub fn handle_timeout(&mut self, now: Instant) {
        let Some((at, due)) = self.next_due(now) else { return };
        if at > now {
            return;
        }
        match due {
            Due::KeepAlive => {
                // An empty ping is always legal while no close frame was sent.
                let _ = self.outbound.send_control(OpCode::Ping, &[]);
                self.timers.pinged(now);
            }
            Due::Idle => {
                let frame = CloseFrame::new(CloseCode::GOING_AWAY, "idle for too long");
                self.begin_close(Some(frame), Cause::Idle);
            }
            Due::MessageStalled => self.fail_connection(Cause::MessageStalled),
            Due::WriteStalled => {
                self.closing.begin(Cause::WriteStalled);
                self.finish();
            }
            Due::CloseTimeout => self.finish(),
        }
    }

    fn next_due(&mut self, now: Instant) -> Option<(Instant, Due)> {
        let phase = self.closing.phase;
        if phase == Phase::Finished {
            return None;
        }
        let open = matches!(phase, Phase::Open | Phase::CloseSent);
        let activity = Activity {
            open,
            closing: phase != Phase::Open,
            lingering: phase == Phase::Draining
                && self.closing.is_handshake_complete()
                && self.outbound.queue.is_empty(),
            message_bytes: self.inbound.is_mid_message().then_some(self.inbound.message_bytes),
            queued: self.outbound.queue.len(),
            written: self.outbound.queue.taken(),
        };
        self.timers.update(now, &activity, &self.config)
    }

    /// How many bytes are held for the peer: received and not delivered, and waiting to be written.
    /// Contexts of compression are not counted.
    #[must_use]
    pub fn held(&self) -> usize {
        self.inbound.held() + self.outbound.queue.len()
    }

    /// Gives up memory that is only kept for speed; for a session that is about to wait with
    /// nothing received and nothing queued.
    pub fn release(&mut self) {
        #[cfg(feature = "deflate")]
        if let Some(compression) = &mut self.compression {
            compression.release();
        }
    }

    // ---- ending

    /// Whether the session is over and its transport can be dropped.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.closing.phase == Phase::Finished
    }

    /// How and why the session ended; `None` until it [is finished](Self::is_finished).
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        self.closing.outcome()
    }

    fn begin_close(&mut self, frame: Option<CloseFrame>, cause: Cause) {
        self.closing.begin(cause);
        if self.closing.phase == Phase::Open {
            self.outbound.pay_pong(self.config.high_water);
            self.queue_close(frame);
            self.closing.phase = Phase::CloseSent;
        }
    }

    fn queue_close(&mut self, frame: Option<CloseFrame>) {
        self.outbound.send_close(frame.as_ref());
        self.closing.sent = Some(frame);
    }

    /// Fails the connection (RFC 6455 §7.1.7): says goodbye and processes nothing further.
    fn fail_connection(&mut self, cause: Cause) {
        if self.closing.phase == Phase::Open {
            self.queue_close(Some(goodbye(&cause)));
        }
        self.outbound.drop_owed_pong();
        self.closing.begin(cause);
        self.closing.failed = true;
        self.closing.phase = Phase::Draining;
    }

    fn finish(&mut self) {
        self.closing.finish();
        self.inbound.buffer = BytesMut::new();
        self.outbound.queue = WriteQueue::new();
        self.compression = None;
    }

    /// Compresses and inflates messages by the parameters that the handshake agreed on
    /// (RFC 7692).
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn with_deflate(mut self, params: ws_deflate::Params) -> Self {
        self.inbound.map_decoder(MessageDecoder::with_rsv1);
        let compression = Compression::new(&params, Arc::clone(&self.config));
        self.compression = Some(Box::new(compression));
        self
    }

    /// The limits and deadlines of this session.
    #[must_use]
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Which end of the connection this is.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }
}

/// The close frame that tells the peer why we fail the connection.
fn goodbye(cause: &Cause) -> CloseFrame {
    match cause {
        Cause::Violation(error) => CloseFrame::new(error.close_code(), error.to_string()),
        Cause::MessageStalled => {
            CloseFrame::new(CloseCode::POLICY_VIOLATION, "message not complete in time")
        }
        Cause::Transport(_) => {
            CloseFrame::new(CloseCode::PROTOCOL_ERROR, "ended without a close frame")
        }
        _ => CloseFrame::from(CloseCode::INTERNAL_ERROR),
    }
}
