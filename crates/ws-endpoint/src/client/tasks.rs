//! The tasks behind a client's connections, counted, so that who leaves can wait for their end.

use std::future::{Future, poll_fn};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
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
    /// Each with its number.
    waiters: Vec<(u64, Waker)>,
    next: u64,
}

impl Tasks {
    fn enter(&self) -> Running {
        self.lock().running += 1;
        Running(self.clone())
    }

    /// Ready once none runs. Nothing is kept of who gives up: a task may run on for hours.
    pub(super) async fn ended(&self) {
        let waiting = Waiting { tasks: self, number: self.number() };
        poll_fn(|cx| waiting.poll(cx)).await;
    }

    fn number(&self) -> u64 {
        let mut state = self.lock();
        state.next += 1;
        state.next
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody waits. A waker is dropped outside of the lock: with it a task may end that has a connection.
struct Waiting<'a> {
    tasks: &'a Tasks,
    number: u64,
}

impl Waiting<'_> {
    fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.tasks.lock();
        if state.running == 0 {
            return Poll::Ready(());
        }
        let known = state.waiters.iter_mut().find(|(number, _)| *number == self.number);
        let outdated = match known {
            Some((_, known)) if known.will_wake(cx.waker()) => None,
            Some((_, known)) => Some(mem::replace(known, cx.waker().clone())),
            None => {
                state.waiters.push((self.number, cx.waker().clone()));
                None
            }
        };
        drop(state);
        drop(outdated);
        Poll::Pending
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.tasks.lock();
        let at = state.waiters.iter().position(|(number, _)| *number == self.number);
        let outdated = at.map(|at| state.waiters.swap_remove(at));
        drop(state);
        drop(outdated);
    }
}

/// A task runs; it has ended, or its runtime has, when this is dropped.
#[derive(Debug)]
struct Running(Tasks);

impl Drop for Running {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.running -= 1;
        let waiters = if state.running == 0 { mem::take(&mut state.waiters) } else { vec![] };
        drop(state);
        waiters.into_iter().for_each(|(_, waiter)| waiter.wake());
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

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

    #[test]
    fn nothing_is_kept_of_who_gives_up() {
        let tasks = Tasks::default();
        let _running = tasks.enter();
        for _ in 0..3 {
            let state = Arc::clone(&tasks.0);
            let waker = last_waker(move || state.try_lock().is_ok());
            let mut ended = Box::pin(tasks.ended());
            assert!(ended.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            drop(waker);
            assert_eq!(tasks.lock().waiters.len(), 1);
            drop(ended);
            assert_eq!(tasks.lock().waiters.len(), 0);
        }
    }

    #[test]
    fn all_who_wait_are_woken() {
        let tasks = Tasks::default();
        let running = tasks.enter();
        let mut waits = [(); 2].map(|()| (last_waker(|| true), Box::pin(tasks.ended())));
        for (waker, ended) in &mut waits {
            assert!(ended.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
        }
        assert_eq!(tasks.lock().waiters.len(), 2);
        drop(running);
        assert!(tasks.lock().waiters.is_empty());
    }
}
