//! What is done before a connection waits: what was put off until then, and a look at the deadlines.

use std::task::{Context, Poll};
use std::time::Instant;

use ws_session::TransportError;

use super::{Connection, Step};
use crate::read_budget;
use crate::{Notice, Runtime, Transport};

impl<T: Transport, R: Runtime> Connection<T, R> {
    /// Everything that was put off until there is nothing to read.
    pub(super) fn poll_before_waiting(&mut self, cx: &mut Context<'_>) -> Step {
        let flushed = self.poll_flush_transport(cx);
        if let Some(error) = self.write_error.take() {
            // Everything that arrived has been delivered: now the failure counts.
            self.session.receive_error(*error);
            return Step::Progress;
        }
        if flushed.is_ready() && self.session.wants_shutdown() {
            match self.transport.poll_shutdown(cx) {
                Poll::Ready(Ok(())) => {
                    self.session.handle_shutdown();
                    if self.transport.ends_when_dropped() && self.session.has_said_goodbye() {
                        // As good as there: the peer waits for ours.
                        self.session.receive_eof();
                    }
                    return Step::Progress;
                }
                Poll::Ready(Err(error)) => {
                    self.session.receive_error(self.transport.classify(error));
                    return Step::Progress;
                }
                Poll::Pending => {}
            }
        }
        if self.outbox_waits && self.session.is_writable() {
            // Other tasks may be as fast as the transport: that, too, is work of a turn.
            let written = self.session.config().high_water;
            self.reads = self.reads.saturating_add(read_budget::cost(written));
            return Step::Progress;
        }
        if self.poll_alarm(cx, Notice::Leave).is_ready() {
            return Step::Progress;
        }
        read_budget::release(self.session.read_buffer());
        let queue = self.session.transmit();
        if queue.is_releasable() {
            read_budget::give(&mut queue.release());
        }
        Step::Wait
    }

    /// Ready when a deadline passed and the session has dealt with it.
    fn poll_alarm(&mut self, cx: &mut Context<'_>, wakes_for: Notice) -> Poll<()> {
        if self.session.is_at_rest() && self.alarm.goes_on(cx.waker()) {
            return Poll::Pending;
        }
        let now = self.runtime.now();
        let deadline = self.meet_deadline(now);
        if deadline.is_some_and(|deadline| deadline <= now) {
            return Poll::Ready(());
        }
        self.poll_wait(cx, now, deadline, wakes_for)
    }

    /// Ready when the deadline has passed, or there is a notice of this weight that nobody was woken
    /// for, because this task has not waited here before.
    fn poll_wait(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        deadline: Option<Instant>,
        wakes_for: Notice,
    ) -> Poll<()> {
        let is_known = deadline.is_some() && self.alarm.knows(cx.waker());
        let passed = match deadline {
            Some(deadline) => {
                // Who waits for goodbyes waits to receive, which a deadline of writing is not about.
                let at_rest = wakes_for == Notice::Leave && self.session.is_at_rest();
                self.alarm.poll(cx, &self.runtime, now, deadline, at_rest)
            }
            None => {
                self.alarm.forget_waker();
                Poll::Pending
            }
        };
        if !is_known && let Some(board) = &self.board {
            board.wake_on_change(cx.waker());
            let notice = board.notice();
            let is_news = notice == Notice::Cut || notice == Notice::Leave && !self.is_leaving;
            if is_news && notice >= wakes_for {
                return Poll::Ready(());
            }
        }
        passed
    }

    /// The earliest deadline; when it has passed, the session has dealt with it.
    pub(super) fn meet_deadline(&mut self, now: Instant) -> Option<Instant> {
        let deadline = self.session.poll_timeout(now)?;
        if deadline <= now {
            self.session.handle_timeout(now);
        }
        Some(deadline)
    }

    /// As `poll_alarm`, where only writing is waited for: the peer is not blamed for silence. That is
    /// up to the half of the connection that reads, if there is one.
    pub(super) fn poll_write_alarm(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.board.as_ref().is_some_and(|board| board.notice() == Notice::Cut) {
            self.board = None;
            self.write_error = Some(Box::new(TransportError::Closed));
            return Poll::Ready(());
        }
        let now = self.runtime.now();
        // The other half may wait to receive; or it did, and is busy with something else by now.
        let has_reader = self.is_split && self.receiver_waits;
        let deadline = if has_reader {
            self.session.poll_write_timeout_beside_reader(now)
        } else {
            self.session.poll_write_timeout(now)
        };
        if deadline.is_some_and(|deadline| deadline <= now) {
            self.session.handle_write_timeout(now);
            if self.session.is_finished() {
                // Nobody need receive any more to give back what is shared.
                self.finish();
            }
            return Poll::Ready(());
        }
        if has_reader && deadline.is_some() && self.alarm.is_due(now) {
            // What it was set for is the reader's, and it is about to be moved.
            cx.waker().wake_by_ref();
        }
        // Goodbyes are for whoever receives.
        self.poll_wait(cx, now, deadline, Notice::Cut)
    }
}
