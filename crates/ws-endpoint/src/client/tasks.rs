//! The tasks behind a client's connections, counted, so that who leaves can wait for their end.

use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Instant;

use ws_io::Runtime;

/// The runtime `R`, whose tasks are counted.
#[derive(Clone, Debug)]
pub(super) struct Counted<R> {
    pub(super) runtime: R,
    pub(super) tasks: Tasks,
}

impl<R: Runtime> Runtime for Counted<R> {
    type Timer = R::Timer;

    fn now(&self) -> Instant {
        self.runtime.now()
    }

    fn timer(&self, at: Instant) -> Self::Timer {
        self.runtime.timer(at)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let running = self.tasks.enter();
        self.runtime.spawn(async move {
            task.await;
            drop(running);
        });
    }
}

/// How many tasks run.
#[derive(Clone, Debug, Default)]
pub(super) struct Tasks(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    running: usize,
    waiters: Vec<Waker>,
}

impl Tasks {
    fn enter(&self) -> Running {
        self.lock().running += 1;
        Running(self.clone())
    }

    /// Ready once none runs.
    pub(super) async fn ended(&self) {
        poll_fn(|cx| {
            let mut state = self.lock();
            if state.running == 0 {
                return Poll::Ready(());
            }
            if !state.waiters.iter().any(|known| known.will_wake(cx.waker())) {
                state.waiters.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task runs; it has ended, or its runtime has, when this is dropped.
#[derive(Debug)]
struct Running(Tasks);

impl Drop for Running {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.running -= 1;
        let waiters = if state.running == 0 { std::mem::take(&mut state.waiters) } else { vec![] };
        drop(state);
        waiters.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Context;

    use super::*;
    use crate::fake::last_waker;

    #[test]
    fn who_waits_is_woken_by_the_last_task() {
        let tasks = Tasks::default();
        // Of one that is the same wherever it is compiled.
        let waker = last_waker(|| true);
        let mut cx = Context::from_waker(&waker);
        assert!(pin!(tasks.ended()).poll(&mut cx).is_ready());
        let (first, second) = (tasks.enter(), tasks.enter());
        let mut ended = pin!(tasks.ended());
        for _ in 0..3 {
            assert!(ended.as_mut().poll(&mut cx).is_pending());
            assert_eq!(tasks.lock().waiters.len(), 1, "however often it asks");
        }
        drop(first);
        assert!(ended.as_mut().poll(&mut cx).is_pending());
        drop(second);
        assert!(ended.as_mut().poll(&mut cx).is_ready());
        assert!(tasks.lock().waiters.is_empty());
    }
}
