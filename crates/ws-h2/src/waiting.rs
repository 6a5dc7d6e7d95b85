//! Tasks that wait for a change of a connection as a whole.

use std::mem;
use std::task::{Context, Poll, Waker};

use crate::hub::{Hub, Status};

/// The wakers of those who wait. Each keeps its place until all are woken: there may be thousands.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    wakers: Vec<Option<Waker>>,
    /// Places that were given up.
    vacant: Vec<usize>,
    /// How often all of them were woken.
    round: u64,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    round: u64,
    index: usize,
}

impl Waiters {
    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.wakers.len() - self.vacant.len()
    }

    /// All of them, who wait no more.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Waker> + use<> {
        self.round += 1;
        self.vacant.clear();
        mem::take(&mut self.wakers).into_iter().flatten()
    }

    /// Keeps this waker instead of the one before, which is to be dropped outside of the lock.
    #[must_use]
    fn keep(&mut self, place: &mut Option<Place>, waker: &Waker) -> Option<Waker> {
        let index = match place.filter(|place| place.round == self.round) {
            Some(place) => place.index,
            None => {
                let index = self.vacant.pop().unwrap_or(self.wakers.len());
                *place = Some(Place { round: self.round, index });
                index
            }
        };
        if index == self.wakers.len() {
            self.wakers.push(None);
        }
        let known = self.wakers.get_mut(index)?;
        if known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            return None;
        }
        known.replace(waker.clone())
    }

    /// Gives up the place, and gives out the waker, as [`keep`](Self::keep) does.
    #[must_use]
    fn leave(&mut self, place: Place) -> Option<Waker> {
        if place.round != self.round {
            return None;
        }
        self.vacant.push(place.index);
        self.wakers.get_mut(place.index)?.take()
    }
}

/// A task that waits. Nothing of it is kept when this is dropped: the next change may be hours away.
pub(crate) struct Waiting<'a> {
    hub: &'a Hub,
    place: Option<Place>,
}

impl<'a> Waiting<'a> {
    pub(crate) const fn new(hub: &'a Hub) -> Self {
        Self { hub, place: None }
    }

    /// Ready with what `check` makes of the status; until then it is asked after every change.
    pub(crate) fn poll<T>(
        &mut self,
        cx: &Context<'_>,
        check: impl FnOnce(&mut Status) -> Poll<T>,
    ) -> Poll<T> {
        let (result, outdated) = self.hub.with_waiters(|status, waiters| {
            let result = check(status);
            let waits = result.is_pending();
            let outdated = waits.then(|| waiters.keep(&mut self.place, cx.waker())).flatten();
            (result, outdated)
        });
        // With it a task may end that has a stream of the connection.
        drop(outdated);
        result
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            let outdated = self.hub.with_waiters(|_, waiters| waiters.leave(place));
            drop(outdated);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    /// A task that ends with its last waker, and looks then whether the hub is locked.
    struct Task(Arc<Hub>);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for Task {
        fn drop(&mut self) {
            assert!(!self.0.is_locked(), "a waker was dropped under the lock");
        }
    }

    fn poll(hub: &Arc<Hub>, waiting: &mut Waiting<'_>) {
        let waker = Waker::from(Arc::new(Task(Arc::clone(hub))));
        assert!(waiting.poll(&Context::from_waker(&waker), |_| Poll::<()>::Pending).is_pending());
    }

    fn count(hub: &Hub) -> usize {
        hub.with_waiters(|_, waiters| waiters.len())
    }

    #[test]
    fn a_task_that_asks_again_keeps_its_place() {
        let hub = Hub::new(false, 0, None, None);
        let (mut one, mut two) = (Waiting::new(&hub), Waiting::new(&hub));
        for is_reversed in [false, true] {
            for _ in 0..3 {
                let mut waiting = [&mut one, &mut two];
                if is_reversed {
                    waiting.reverse();
                }
                for waiting in waiting {
                    poll(&hub, waiting);
                }
                assert_eq!(count(&hub), 2);
            }
            hub.nudge();
            assert_eq!(count(&hub), 0);
        }
    }

    #[test]
    fn who_leaves_makes_room_for_another_and_loses_nobody_a_place() {
        let hub = Hub::new(false, 0, None, None);
        let (mut one, mut two) = (Waiting::new(&hub), Waiting::new(&hub));
        poll(&hub, &mut one);
        poll(&hub, &mut two);
        for _ in 0..3 {
            drop(one);
            assert_eq!(count(&hub), 1);
            one = Waiting::new(&hub);
            poll(&hub, &mut one);
            poll(&hub, &mut two);
            assert_eq!(hub.with_waiters(|_, waiters| waiters.wakers.len()), 2);
        }
        // One that was woken before has no place to leave.
        hub.nudge();
        poll(&hub, &mut two);
        drop(one);
        assert_eq!(count(&hub), 1);
        drop(two);
        assert_eq!((count(&hub), Arc::strong_count(&hub)), (0, 1));
    }

    #[test]
    fn who_waits_in_another_task_than_before_is_woken_there() {
        struct Count(AtomicUsize);

        impl Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }

        let hub = Hub::new(false, 0, None, None);
        let tasks = [0, 1].map(|_| Arc::new(Count(AtomicUsize::new(0))));
        let mut waiting = Waiting::new(&hub);
        for task in &tasks {
            let waker = Waker::from(Arc::clone(task));
            let cx = &Context::from_waker(&waker);
            assert!(waiting.poll(cx, |_| Poll::<()>::Pending).is_pending());
        }
        hub.nudge();
        assert_eq!(tasks.each_ref().map(|task| task.0.load(Ordering::Relaxed)), [0, 1]);
        // Who has what it waited for waits no more.
        assert!(waiting.poll(&Context::from_waker(Waker::noop()), |_| Poll::Ready(())).is_ready());
        assert_eq!(count(&hub), 0);
    }
}
