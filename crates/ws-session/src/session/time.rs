//! What happens when nothing happens.

use std::time::Instant;

use ws_frame::{CloseCode, CloseFrame, OpCode};

use super::Session;
use crate::Cause;
use crate::closing::Phase;
use crate::timers::{Activity, Due, Reading};

impl Session {
    /// Takes note of the time and returns the next deadline. Call it when about to wait, and call
    /// [`handle_timeout`](Self::handle_timeout) when the deadline is reached.
    pub fn poll_timeout(&mut self, now: Instant) -> Option<Instant> {
        self.next_due(now, Reading::Here).map(|(at, _)| at)
    }

    /// Whether since the last [`poll_timeout`](Self::poll_timeout) its deadline can only have moved away,
    /// because nothing is waited for but the peer's next message. A driver whose timer has not fired may
    /// wait on without a look at the clock, if it does not do so for long: what has come until the next
    /// `poll_timeout` counts as come just then, and its silence begins so much later.
    #[must_use]
    #[inline]
    pub fn is_at_rest(&self) -> bool {
        self.charge.is_none() && self.timers.have_begun() && self.is_waiting_only()
    }

    /// Whether nothing is waited for but the peer's next message, by an open session without compression.
    fn is_waiting_only(&self) -> bool {
        self.closing.phase == Phase::Open
            && self.compression.is_none()
            && !self.is_unwritten()
            && !self.inbound.is_mid_message()
            && self.timers.are_calm()
    }

    /// As [`poll_timeout`](Self::poll_timeout), for a driver that is about to wait for room to
    /// write and does not read meanwhile: the deadlines of what the peer sends rest until the
    /// next `poll_timeout`. Act on it with [`handle_write_timeout`](Self::handle_write_timeout).
    pub fn poll_write_timeout(&mut self, now: Instant) -> Option<Instant> {
        self.next_due(now, Reading::Nowhere).map(|(at, _)| at)
    }

    /// As [`poll_write_timeout`](Self::poll_write_timeout), while another task waits for what the
    /// peer sends: its deadlines run on, and that task acts on them.
    pub fn poll_write_timeout_beside_reader(&mut self, now: Instant) -> Option<Instant> {
        self.next_due(now, Reading::Elsewhere).map(|(at, _)| at)
    }

    /// Acts on the deadlines that are reached: sends a ping, begins to close, or gives up. **Poll
    /// for events and write afterwards.**
    pub fn handle_timeout(&mut self, now: Instant) {
        self.act(now, Reading::Here);
    }

    /// Acts on the deadlines of [`poll_write_timeout`](Self::poll_write_timeout) that are reached.
    /// **Poll for events afterwards.**
    pub fn handle_write_timeout(&mut self, now: Instant) {
        self.act(now, Reading::Elsewhere);
    }

    fn act(&mut self, now: Instant, reading: Reading) {
        let Some((at, due)) = self.next_due(now, reading) else { return };
        if at > now {
            return;
        }
        match due {
            Due::KeepAlive => {
                let before = self.outbound.queue.len();
                // An empty ping is always legal while no close frame was sent.
                let _ = self.outbound.send_control(OpCode::Ping, &[]);
                self.timers.pinged(now, before, self.outbound.queue.len() - before);
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
            Due::CloseTimeout => self.part(),
            Due::Release => self.release(),
        }
    }

    /// The peer was waited for long enough. Where our direction is open, nobody is ending it yet, and
    /// nothing is in its way, it is ended before the transport is dropped: RFC 8446 §6.1 asks for a
    /// `close_notify`, whatever the peer does.
    fn part(&mut self) {
        if self.closing.is_shut_down || self.wants_shutdown() || self.is_unwritten() {
            self.finish();
        } else {
            self.closing.is_parting = true;
            self.closing.phase = Phase::Draining;
            self.inbound.forget_message();
        }
    }

    /// Whether bytes wait to be written, here or in the transport.
    fn is_unwritten(&self) -> bool {
        !self.outbound.queue.is_empty() || self.timers.is_flushing()
    }

    fn next_due(&mut self, now: Instant, reading: Reading) -> Option<(Instant, Due)> {
        let phase = self.closing.phase;
        if phase == Phase::Finished {
            return None;
        }
        self.settle();
        let written = self.outbound.queue.taken();
        if reading == Reading::Here && self.is_waiting_only() {
            // As nearly every connection waits.
            return self.timers.rest(now, written, &self.config);
        }
        let open = matches!(phase, Phase::Open | Phase::CloseSent);
        let activity = Activity {
            reading,
            open,
            closing: phase != Phase::Open,
            failed: self.closing.failed,
            goodbye_at: self.closing.sent_at(),
            lingering: phase == Phase::Draining
                && self.closing.is_handshake_complete()
                && !self.is_unwritten(),
            parting: self.closing.is_parting,
            message_bytes: self.inbound.is_mid_message().then_some(self.inbound.message_bytes),
            unwritten: self.is_unwritten(),
            written,
        };
        let due = self.timers.update(now, &activity, &self.config);
        let Some(compression) = &mut self.compression else { return due };
        let release = compression.next_release(now).map(|at| (at, Due::Release));
        due.into_iter().chain(release).min_by_key(|(at, _)| *at)
    }
}
