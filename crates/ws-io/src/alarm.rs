//! The timer of a connection, from the first byte of its handshake to its end.

use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::{Runtime, Timer};

/// The one timer of a connection. It is moved only when the deadline came nearer or it fired: a
/// deadline that moves away with every message costs nothing, nor does what never has to wait.
///
/// A busy connection does not look at the clock before each wait. Its timer fires several times on the
/// way to the deadline instead ([`STEPS`]), and then is the time to look.
pub(crate) struct Alarm<R: Runtime> {
    timer: Option<R::Timer>,
    at: Option<Instant>,
    /// Whether it is set to a step on the way to the deadline.
    is_step: bool,
    /// How often was waited since it was set; up to [`BUSY`].
    waits: u8,
    /// Who is woken when it fires.
    waker: Option<Waker>,
}

/// A connection that waits so often before its timer fires is busy.
const BUSY: u8 = u8::MAX;

/// In so many steps the timer of a busy connection goes to its deadline, which may strike one of them
/// late.
const STEPS: u32 = 8;

impl<R: Runtime> Default for Alarm<R> {
    fn default() -> Self {
        Self { timer: None, at: None, is_step: false, waits: 0, waker: None }
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

    /// Whether the connection is busy, and its timer will wake `waker` soon enough for a deadline that
    /// may have moved away since. Nobody needs to know the time then.
    #[inline]
    pub(crate) fn goes_on(&mut self, waker: &Waker) -> bool {
        let goes_on = self.is_step && self.knows(waker) && self.has_fired() == Some(false);
        if goes_on {
            self.waits = self.waits.saturating_add(1);
        }
        goes_on
    }

    /// Has the timer given a waker again by the next poll.
    pub(crate) fn forget_waker(&mut self) {
        self.waker = None;
    }

    /// Ready when the timer fired, which may be before `deadline`: look at the clock again. One that
    /// fires before what it was set for, as those of a runtime that has ended do for ever, asks for
    /// another poll instead, so that whoever looks again does not do so without end.
    ///
    /// To a deadline that can only move away, `at_rest`, it goes in steps if the connection is busy.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        runtime: &R,
        now: Instant,
        deadline: Instant,
        at_rest: bool,
    ) -> Poll<()> {
        self.waits = self.waits.saturating_add(1);
        let steps = at_rest && self.waits == BUSY && self.has_fired().is_some();
        let stands = self.at.is_some_and(|at| now < at && at <= deadline);
        let stands = stands && (self.is_step || !steps);
        // One that has fired before its time will wake nobody any more.
        if stands && self.knows(cx.waker()) && self.has_fired() != Some(true) {
            return Poll::Pending;
        }
        if !stands {
            self.is_step = steps;
            self.waits = 0;
            let step = deadline.saturating_duration_since(now) / STEPS;
            self.set(runtime, if steps { now + step } else { deadline });
        }
        if self.poll_timer(cx).is_ready() {
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

    fn set(&mut self, runtime: &R, at: Instant) {
        self.at = Some(at);
        match &mut self.timer {
            Some(timer) => timer.reset(at),
            none => *none = Some(runtime.timer(at)),
        }
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.timer.as_mut().map_or(Poll::Pending, |timer| timer.poll_expired(cx))
    }

    /// Whether the timer has fired, if it says so by itself.
    fn has_fired(&self) -> Option<bool> {
        self.timer.as_ref().and_then(Timer::has_fired)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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
            assert!(alarm.poll(&mut cx, &runtime, now, deadline, false).is_pending());
            assert_eq!(wakes.0.load(Ordering::Relaxed), round);
        }
        assert!(alarm.poll(&mut cx, &runtime, deadline, deadline, false).is_ready());
    }

    /// A runtime whose timers fire when they are told to, and say so.
    #[derive(Clone, Debug)]
    struct Told(Instant, Arc<AtomicBool>);

    struct WhenTold(Arc<AtomicBool>);

    impl Runtime for Told {
        type Timer = WhenTold;

        fn now(&self) -> Instant {
            self.0
        }

        fn timer(&self, _at: Instant) -> WhenTold {
            WhenTold(Arc::clone(&self.1))
        }

        fn spawn(&self, _task: impl Future<Output = ()> + Send + 'static) {}
    }

    impl Timer for WhenTold {
        fn reset(&mut self, _at: Instant) {
            self.0.store(false, Ordering::Relaxed);
        }

        fn poll_expired(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
            if self.has_fired() == Some(true) { Poll::Ready(()) } else { Poll::Pending }
        }

        fn has_fired(&self) -> Option<bool> {
            Some(self.0.load(Ordering::Relaxed))
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    fn a_timer_that_fires_once_before_its_time_is_set_again_once() {
        let has_fired = Arc::new(AtomicBool::new(false));
        let runtime = Told(Instant::now(), Arc::clone(&has_fired));
        let (now, deadline) = (runtime.now(), runtime.now() + Duration::from_secs(1));
        let wakes = Arc::new(Wakes(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&wakes));
        let mut cx = Context::from_waker(&waker);
        let mut alarm = Alarm::default();
        assert!(alarm.poll(&mut cx, &runtime, now, deadline, false).is_pending());
        has_fired.store(true, Ordering::Relaxed);
        for _ in 0..3 {
            assert!(alarm.poll(&mut cx, &runtime, now, deadline, false).is_pending());
            // Another poll is asked for, in which it is set.
            assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        }
    }
}
