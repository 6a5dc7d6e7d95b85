//! The timer of a connection, from the first byte of its handshake to its end.

use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::{Runtime, Timer};

/// The one timer of a connection. It is moved only when the deadline came nearer or it fired: a
/// deadline that moves away with every message costs nothing, nor does what never has to wait.
pub(crate) struct Alarm<R: Runtime> {
    timer: Option<R::Timer>,
    at: Option<Instant>,
    /// Who is woken when it fires.
    waker: Option<Waker>,
}

impl<R: Runtime> Default for Alarm<R> {
    fn default() -> Self {
        Self { timer: None, at: None, waker: None }
    }
}

impl<R: Runtime> Alarm<R> {
    /// Whether it is this waker that was given to the timer.
    pub(crate) fn knows(&self, waker: &Waker) -> bool {
        self.waker.as_ref().is_some_and(|known| known.will_wake(waker))
    }

    /// Whether the time that it is set for has come.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.at.is_some_and(|at| at <= now)
    }

    /// Has the timer given a waker again by the next poll.
    pub(crate) fn forget_waker(&mut self) {
        self.waker = None;
    }

    /// Ready when the timer fired, which may be before `deadline`: look at the clock again.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        runtime: &R,
        now: Instant,
        deadline: Instant,
    ) -> Poll<()> {
        let stands = self.at.is_some_and(|at| now < at && at <= deadline);
        if stands && self.knows(cx.waker()) {
            return Poll::Pending;
        }
        let timer = match &mut self.timer {
            Some(timer) => {
                if !stands {
                    timer.reset(deadline);
                    self.at = Some(deadline);
                }
                timer
            }
            None => {
                self.at = Some(deadline);
                self.timer.insert(runtime.timer(deadline))
            }
        };
        if timer.poll_expired(cx).is_ready() {
            self.at = None;
            return Poll::Ready(());
        }
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}
