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

    /// Ready when the timer fired, which may be before `deadline`: look at the clock again. One that
    /// fires before what it was set for, as those of a runtime that has ended do for ever, asks for
    /// another poll instead, so that whoever looks again does not do so without end.
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
            let is_due = self.is_due(now);
            self.at = None;
            if !is_due {
                self.waker = None;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            return Poll::Ready(());
        }
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;
    use std::time::Duration;

    use super::*;

    /// A runtime that has ended, as tokio's timers see it: all of them fire, whatever their time.
    #[derive(Clone, Debug)]
    struct Ended(Instant);

    struct AtOnce;

    impl Runtime for Ended {
        type Timer = AtOnce;

        fn now(&self) -> Instant {
            self.0
        }

        fn timer(&self, _at: Instant) -> AtOnce {
            AtOnce
        }

        fn spawn(&self, _task: impl Future<Output = ()> + Send + 'static) {}
    }

    impl Timer for AtOnce {
        fn reset(&mut self, _at: Instant) {}

        fn poll_expired(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
            Poll::Ready(())
        }
    }

    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    fn a_timer_that_fires_before_its_time_lets_other_tasks_run() {
        let runtime = Ended(Instant::now());
        let (now, deadline) = (runtime.now(), runtime.now() + Duration::from_secs(1));
        let wakes = Arc::new(Wakes(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&wakes));
        let mut cx = Context::from_waker(&waker);
        let mut alarm = Alarm::default();
        for round in 1..3 {
            assert!(alarm.poll(&mut cx, &runtime, now, deadline).is_pending());
            assert_eq!(wakes.0.load(Ordering::Relaxed), round);
        }
        assert!(alarm.poll(&mut cx, &runtime, deadline, deadline).is_ready());
    }
}
