//! The connections a server has: how many, and how to reach them when it is time to go.
//!
//! Locked when a connection comes, moves between tasks or goes; never per message. A waker is dropped
//! outside of the lock: with it a task may end that has a place here.

use std::future::poll_fn;
use std::mem;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ws_io::{CloseCode, CloseFrame, Notice, NoticeBoard};

/// How far the server is in its life. Only ever goes forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Serving,
    /// Nothing new is accepted, and everyone is told to go.
    Draining,
    /// Whoever is still there is dropped.
    Cut,
}

/// Shared by the server, its connections and its handles.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registry {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    phase: AtomicU8,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// As many as there have been connections at a time.
    seats: Vec<Seat>,
    /// Those of connections that are gone.
    free: Vec<usize>,
    /// How many of the connections carry WebSockets with places of their own.
    carriers: usize,
    /// The server's own task, and whether it waits for a connection to end.
    server: Option<Waker>,
    awaits_end: bool,
    drain_for: Option<(Duration, CloseFrame)>,
}

/// Who is woken for a connection.
#[derive(Debug, Default)]
struct Seat {
    /// The task that the server has made for it.
    own: Option<Waker>,
    /// The task of its WebSocket, if that waits elsewhere.
    apart: Option<Waker>,
}

impl State {
    fn live(&self) -> usize {
        self.seats.len() - self.free.len()
    }

    /// Changes a seat, and gives back what is to be dropped outside of the lock.
    fn change<T>(&mut self, seat: usize, change: impl FnOnce(&mut Seat) -> Option<T>) -> Option<T> {
        self.seats.get_mut(seat).and_then(change)
    }
}

impl Registry {
    /// Where the server is.
    pub(crate) fn phase(&self) -> Phase {
        match self.shared.phase.load(Ordering::Acquire) {
            0 => Phase::Serving,
            1 => Phase::Draining,
            _ => Phase::Cut,
        }
    }

    /// Begins to drain; the first call decides how long that may take, and how everyone is told.
    pub(crate) fn drain(&self, within: Duration, goodbye: CloseFrame) {
        self.lock().drain_for.get_or_insert((within, goodbye));
        self.advance(Phase::Draining);
    }

    /// Drops every connection that is left.
    pub(crate) fn cut(&self) {
        self.advance(Phase::Cut);
    }

    /// How long draining may take, once that has been asked for.
    pub(crate) fn drain_for(&self) -> Option<Duration> {
        self.lock().drain_for.as_ref().map(|(within, _)| *within)
    }

    /// Whether everyone is to go.
    #[cfg(any(feature = "h2", feature = "h3"))]
    pub(crate) fn is_leaving(&self) -> bool {
        self.phase() != Phase::Serving
    }

    /// How many connections there are.
    pub(crate) fn live(&self) -> usize {
        self.lock().live()
    }

    /// How many connections there are that carry no others.
    pub(crate) fn leaves(&self) -> usize {
        let state = self.lock();
        state.live() - state.carriers
    }

    /// Ready when there are fewer connections than `max`. The server's task is woken when that comes
    /// to pass, and in any case when the phase changes.
    pub(crate) fn poll_room(&self, cx: &Context<'_>, max: usize) -> Poll<()> {
        let mut state = self.lock();
        let is_known = state.server.as_ref().is_some_and(|server| server.will_wake(cx.waker()));
        let outdated = if is_known { None } else { state.server.replace(cx.waker().clone()) };
        let is_full = state.live() >= max;
        state.awaits_end = is_full;
        drop(state);
        drop(outdated);
        if is_full { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Ready when no connection is left.
    pub(crate) async fn emptied(&self) {
        poll_fn(|cx| self.poll_room(cx, 1)).await;
    }

    /// Enters a connection if there are fewer than `max`; it counts until nobody holds the place any
    /// more.
    pub(crate) fn try_enter(&self, max: usize) -> Option<Arc<Place>> {
        let mut state = self.lock();
        if state.live() >= max {
            return None;
        }
        let seat = state.free.pop().unwrap_or_else(|| {
            state.seats.push(Seat::default());
            state.seats.len() - 1
        });
        drop(state);
        Some(Arc::new(Place { registry: self.clone(), seat }))
    }

    /// Says of a connection that it carries WebSockets with places of their own.
    #[cfg(any(feature = "h2", feature = "h3"))]
    pub(crate) fn carry(&self) -> Carrying {
        self.lock().carriers += 1;
        Carrying(self.clone())
    }

    fn advance(&self, to: Phase) {
        self.shared.phase.fetch_max(to as u8, Ordering::AcqRel);
        let mut state = self.lock();
        let wakers = state.seats.iter().flat_map(|seat| seat.own.iter().chain(&seat.apart));
        let wakers: Vec<Waker> = wakers.cloned().collect();
        let server = state.server.take();
        drop(state);
        wakers.into_iter().chain(server).for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection in the registry. Its task holds it, and its WebSocket, which may be in another.
#[derive(Debug)]
pub(crate) struct Place {
    registry: Registry,
    seat: usize,
}

#[cfg(any(feature = "h2", feature = "h3"))]
impl Place {
    /// Where this place is.
    pub(crate) const fn registry(&self) -> &Registry {
        &self.registry
    }
}

impl NoticeBoard for Place {
    fn notice(&self) -> Notice {
        match self.registry.phase() {
            Phase::Serving => Notice::Stay,
            Phase::Draining => Notice::Leave,
            Phase::Cut => Notice::Cut,
        }
    }

    fn goodbye(&self) -> CloseFrame {
        let goodbye = self.registry.lock().drain_for.as_ref().map(|(_, goodbye)| goodbye.clone());
        goodbye.unwrap_or_else(|| CloseCode::GOING_AWAY.into())
    }

    fn wake_on_change(&self, waker: &Waker) {
        let mut state = self.registry.lock();
        let outdated = state.change(self.seat, |seat| {
            if seat.own.as_ref().is_some_and(|own| own.will_wake(waker)) {
                seat.apart.take()
            } else {
                seat.apart.replace(waker.clone())
            }
        });
        drop(state);
        drop(outdated);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.registry.lock();
        let outdated = state.change(self.seat, |seat| Some(mem::take(seat)));
        state.free.push(self.seat);
        let server = state.awaits_end.then(|| state.server.take()).flatten();
        drop(state);
        drop(outdated);
        if let Some(server) = server {
            server.wake();
        }
    }
}

/// The task of a connection, at its place.
#[derive(Debug)]
pub(crate) struct Attendant {
    place: Arc<Place>,
    known: Option<Waker>,
}

impl Attendant {
    pub(crate) const fn new(place: Arc<Place>) -> Self {
        Self { place, known: None }
    }

    /// Where the server is; the task of `cx` is woken when that changes.
    pub(crate) fn poll_phase(&mut self, cx: &Context<'_>) -> Phase {
        let registry = &self.place.registry;
        if !self.known.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            let waker = cx.waker().clone();
            let own = waker.clone();
            let outdated = registry.lock().change(self.place.seat, |seat| seat.own.replace(own));
            drop(outdated);
            self.known = Some(waker);
        }
        registry.phase()
    }
}

impl Drop for Attendant {
    fn drop(&mut self) {
        // A WebSocket that lives on elsewhere does not keep the memory of this task.
        if Arc::strong_count(&self.place) > 1 {
            let mut state = self.place.registry.lock();
            let outdated = state.change(self.place.seat, |seat| seat.own.take());
            drop(state);
            drop(outdated);
        }
    }
}

/// As long as it lives, its connection is not counted among those that carry no others.
#[cfg(any(feature = "h2", feature = "h3"))]
#[derive(Debug)]
pub(crate) struct Carrying(Registry);

#[cfg(any(feature = "h2", feature = "h3"))]
impl Drop for Carrying {
    fn drop(&mut self) {
        self.0.lock().carriers -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;
    use std::thread;

    use super::*;
    use crate::fake::last_waker;

    #[test]
    fn of_tasks_that_want_the_last_place_at_once_one_has_it() {
        let (tasks, rounds) = (4, 1000);
        let (registry, barrier) = (Registry::default(), Barrier::new(tasks));
        let enter = || {
            let entered = (0..rounds).filter(|_| {
                barrier.wait();
                let place = registry.try_enter(1);
                // Held until everybody has asked.
                barrier.wait();
                place.is_some()
            });
            entered.count()
        };
        let entered: usize = thread::scope(|scope| {
            let tasks: Vec<_> = (0..tasks).map(|_| scope.spawn(enter)).collect();
            tasks.into_iter().map(|task| task.join().expect("no panic")).sum()
        });
        assert_eq!(entered, rounds);
    }

    #[test]
    fn no_waker_is_dropped_under_the_lock() {
        let registry = Registry::default();
        let waker = || {
            let registry = registry.clone();
            last_waker(move || registry.shared.state.try_lock().is_ok())
        };
        let look = |attendant: &mut Attendant| {
            attendant.poll_phase(&Context::from_waker(&waker()));
        };
        let place = registry.try_enter(1).expect("there is room");
        let mut attendant = Attendant::new(Arc::clone(&place));
        look(&mut attendant);
        look(&mut attendant);
        place.wake_on_change(&waker());
        place.wake_on_change(&waker());
        let own = attendant.known.clone().expect("it looked");
        place.wake_on_change(&own);
        place.wake_on_change(&waker());
        drop(own);
        drop(attendant);
        for _ in 0..2 {
            assert!(registry.poll_room(&Context::from_waker(&waker()), 1).is_pending());
        }
        drop(place);
        assert_eq!(registry.live(), 0);
    }

    /// Counts how often it was woken.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// So many tasks, and how often each was woken.
    fn tasks<const N: usize>() -> ([Waker; N], impl Fn() -> [usize; N]) {
        let counts = [(); N].map(|()| Arc::new(Count::default()));
        let wakers = counts.each_ref().map(|count| Waker::from(Arc::clone(count)));
        (wakers, move || counts.each_ref().map(|count| count.0.load(Ordering::Relaxed)))
    }

    #[test]
    fn who_waits_for_room_is_woken_where_it_waits_by_the_end_of_a_connection() {
        let registry = Registry::default();
        let ([before, now], woken) = tasks();
        let [first, second] = [(); 2].map(|()| registry.try_enter(2).expect("there is room"));
        assert!(registry.try_enter(2).is_none());
        assert!(registry.poll_room(&Context::from_waker(&before), 2).is_pending());
        assert!(registry.poll_room(&Context::from_waker(&now), 2).is_pending());
        drop(first);
        assert_eq!(woken(), [0, 1]);
        assert!(registry.poll_room(&Context::from_waker(&now), 2).is_ready());
        drop(second);
        assert_eq!(woken(), [0, 1], "it has room");
        assert_eq!(registry.live(), 0);
    }

    #[test]
    fn a_seat_is_taken_again_and_nobody_is_woken_who_had_it_before() {
        let registry = Registry::default();
        let ([own, apart], woken) = tasks();
        for _ in 0..3 {
            let places = [(); 2].map(|()| registry.try_enter(2).expect("there is room"));
            assert_eq!((registry.live(), registry.lock().seats.len()), (2, 2));
            for place in places {
                let mut attendant = Attendant::new(Arc::clone(&place));
                attendant.poll_phase(&Context::from_waker(&own));
                place.wake_on_change(&apart);
                // The place goes with the attendant.
                drop(place);
            }
            assert_eq!(registry.live(), 0);
        }
        let _place = registry.try_enter(2).expect("there is room");
        registry.cut();
        assert_eq!(woken(), [0, 0]);
    }

    #[test]
    fn a_change_wakes_the_tasks_in_which_a_connection_waits_now() {
        let registry = Registry::default();
        let ([before, own, apart_before, apart, server], woken) = tasks();
        let place = registry.try_enter(2).expect("there is room");
        let mut attendant = Attendant::new(Arc::clone(&place));
        for waker in [&before, &own] {
            attendant.poll_phase(&Context::from_waker(waker));
        }
        place.wake_on_change(&apart_before);
        place.wake_on_change(&apart);
        assert!(registry.poll_room(&Context::from_waker(&server), 2).is_ready());
        registry.drain(Duration::ZERO, CloseCode::GOING_AWAY.into());
        assert_eq!(woken(), [0, 1, 0, 1, 1]);
        // Back in the task that the server has made.
        place.wake_on_change(&own);
        registry.cut();
        assert_eq!(woken(), [0, 2, 0, 1, 1]);
        drop(attendant);
        registry.cut();
        assert_eq!(woken(), [0, 2, 0, 1, 1], "that task has ended");
    }
}
