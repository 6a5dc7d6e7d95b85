//! Messages in, bytes out.

use bytes::Bytes;
use ws_frame::{CloseFrame, DataKind, FrameEncoder, Message, Role, WriteQueue};

use super::{Failure, Session};
use crate::closing::Phase;
use crate::outbound::data_parts;
use crate::{Cause, CloseCode, Compress, Prepared, SendError};

impl Session {
    /// Whether fewer bytes wait to be written than [`Config::high_water`](crate::Config::high_water),
    /// or none.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.outbound.queue.len() < self.config.high_water.max(1)
    }

    /// Whether messages may still be sent: no close frame went out or came in.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.closing.phase == Phase::Open
    }

    /// Whether a message of ours was begun in fragments and has not ended: no other can be sent.
    #[must_use]
    pub const fn is_sending_fragments(&self) -> bool {
        self.outbound.is_sending_fragments()
    }

    /// Queues a message or a control frame. [`Message::Close`] is the same as
    /// [`close`](Self::close). A message of more than 16 MiB goes out in fragments of that size, which
    /// is the most that peers take in one frame by default.
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
        match self.send_small(&message) {
            Some(result) => result,
            None => self.send_any(message, compress),
        }
    }

    /// As [`send`](Self::send) for a data message so small that it is copied into the queue anyhow
    /// and not compressed: from where it lies. `None`: it is not like that, and nothing was queued.
    #[inline]
    pub fn send_small(&mut self, message: &Message) -> Option<Result<(), SendError>> {
        let is_small = self.compression.is_none() && self.outbound.takes_copy_of(message);
        if self.closing.phase != Phase::Open || !is_small {
            return None;
        }
        Some(self.check_room(message.payload().len()).map(|()| self.outbound.send_copy(message)))
    }

    #[inline(never)]
    fn send_any(&mut self, message: Message, compress: Compress) -> Result<(), SendError> {
        if self.closing.phase != Phase::Open {
            return Err(SendError::Closed);
        }
        match data_parts(message) {
            Ok((opcode, payload)) => {
                self.check_room(payload.len())?;
                let compression = self.compression.as_deref_mut();
                self.outbound.send_data(opcode, payload, compress, compression)
            }
            Err(Message::Close(frame)) => self.close(frame),
            Err(control) => {
                self.check_room(control.payload().len())?;
                self.outbound.send_control(control.opcode(), control.payload())
            }
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
        self.check_room(data.len())?;
        let compression = self.compression.as_deref_mut();
        self.outbound.send_fragment(kind, data, fin, compress, compression)
    }

    /// As [`send_fragment`](Self::send_fragment) for a piece so small that it is copied into the queue
    /// anyhow and not compressed: from where it lies. `None`: it is not like that, and nothing was
    /// queued.
    #[inline]
    pub fn send_small_fragment(
        &mut self,
        kind: DataKind,
        data: &[u8],
        fin: bool,
    ) -> Option<Result<(), SendError>> {
        let is_small = self.compression.is_none() && data.len() <= FrameEncoder::COPY_LIMIT;
        if self.closing.phase != Phase::Open || !is_small {
            return None;
        }
        let room = self.check_room(data.len());
        Some(room.and_then(|()| self.outbound.send_fragment_copy(kind, data, fin)))
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
        self.check_room(prepared.message().payload().len())?;
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
    #[inline]
    pub fn transmit(&mut self) -> &mut WriteQueue {
        if self.outbound.owes_pong() {
            self.pay_pong();
        }
        &mut self.outbound.queue
    }

    #[cold]
    fn pay_pong(&mut self) {
        if matches!(self.closing.phase, Phase::Open | Phase::CloseSent) {
            let high_water = self.config.pong_water();
            self.outbound.pay_pong(high_water);
        }
    }

    /// Says whether the transport holds bytes that it has taken but not passed on, such as a TLS
    /// record that does not fit into the socket. They count as waiting to be written, so that a
    /// peer that never reads is cut by the write timeout although [`transmit`](Self::transmit) is
    /// empty.
    pub fn set_flushing(&mut self, flushing: bool) {
        self.timers.set_flushing(flushing);
    }

    /// Says whether bytes have left the transport since the last call, for one that takes more than it
    /// can pass on: a slow peer that takes a little of them now and then is not cut by the write
    /// timeout. Call it before waiting for a transport that is not done with writing or flushing.
    /// `None`: it does not tell, and what it takes off [`transmit`](Self::transmit) counts.
    pub fn note_progress(&mut self, progress: Option<bool>) {
        self.timers.note_progress(progress);
    }

    /// Whether our direction of the transport is to be ended now, in an orderly way (TCP FIN): the
    /// goodbye was written. Call [`handle_shutdown`](Self::handle_shutdown) when that is done.
    #[must_use]
    pub fn wants_shutdown(&self) -> bool {
        let closing = &self.closing;
        // RFC 6455 §7.1.1: the server ends the transport first, the client waits for that.
        let is_over = closing.failed || self.inbound.eof || closing.is_parting;
        let ours_to_end = self.role == Role::Server || is_over;
        closing.phase == Phase::Draining
            && self.outbound.queue.is_empty()
            && !closing.is_shut_down
            && ours_to_end
    }

    /// Takes note that our direction was ended. **Poll for events afterwards.**
    pub fn handle_shutdown(&mut self) {
        self.closing.is_shut_down = true;
    }
}
