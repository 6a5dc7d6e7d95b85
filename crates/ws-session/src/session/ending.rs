//! How a session comes to its end.

use ws_frame::{CloseFrame, WriteQueue};

use super::Session;
use crate::closing::{Phase, goodbye};
use crate::{Cause, Outcome};

impl Session {
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

    /// Whether close frames went both ways: the closing handshake is complete (RFC 6455 §7.1.3).
    #[must_use]
    pub fn has_said_goodbye(&self) -> bool {
        self.closing.is_handshake_complete()
    }

    /// Whether the end came before all that was queued had left, as far as is known.
    #[must_use]
    pub const fn is_cut_short(&self) -> bool {
        self.closing.is_cut_short
    }

    pub(super) fn begin_close(&mut self, frame: Option<CloseFrame>, cause: Cause) {
        self.closing.begin(cause);
        if self.closing.phase == Phase::Open {
            let high_water = self.config.pong_water();
            self.outbound.pay_pong(high_water);
            self.queue_close(frame);
            self.closing.phase = Phase::CloseSent;
        }
    }

    pub(super) fn queue_close(&mut self, frame: Option<CloseFrame>) {
        self.outbound.send_close(frame.as_ref());
        self.closing.sent(frame, &self.outbound.queue);
    }

    /// Fails the connection (RFC 6455 §7.1.7): says goodbye and processes nothing further.
    pub(super) fn fail_connection(&mut self, cause: Cause) {
        // A peer that went away is unlikely to read a close frame (RFC 6455 §7.1.7): it would answer
        // with a reset.
        let is_gone = matches!(cause, Cause::Transport(_));
        if self.closing.phase == Phase::Open && !is_gone {
            self.queue_close(Some(goodbye(&cause, self.config.iana_close_codes)));
        }
        self.closing.begin(cause);
        self.closing.failed = true;
        self.closing.phase = Phase::Draining;
        // Nothing is decoded or sent any more.
        self.inbound.forget_message();
        self.compression = None;
        self.settle();
    }

    /// Throws away what is queued.
    pub(super) fn drop_output(&mut self) {
        self.closing.throw_away(&self.outbound.queue, self.timers.is_flushing());
        self.outbound.queue = WriteQueue::new();
        self.outbound.drop_owed_pong();
    }

    pub(super) fn finish(&mut self) {
        self.drop_output();
        self.closing.finish();
        // The memory is the driver's to take back.
        self.inbound.buffer.clear();
        self.inbound.forget_message();
        self.compression = None;
        self.charge = None;
    }
}
