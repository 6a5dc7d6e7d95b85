//! A queue between tasks that holds no more than it was made for, however many add to it.
//!
//! It has two ends: clones of the [`Tail`], where anyone adds, and the one [`Head`], where one task
//! takes. Who waits for room gets it in the order of asking. Room that was given to a waiting
//! [`Push`] is its own until it is polled or dropped, so a dropped one adds nothing and loses no
//! wake-up. Nothing waits under the lock, and what could call back is woken and dropped outside.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// How much a queue holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// How many items; 0 counts as 1.
    pub(crate) count: usize,
    /// How many bytes; a larger item has the queue for itself.
    pub(crate) bytes: usize,
}

/// Makes a queue. Its memory grows with use.
pub(crate) fn queue<T>(bounds: Bounds) -> (Tail<T>, Head<T>) {
    let state = State {
        items: VecDeque::new(),
        taken: Bounds { count: 0, bytes: 0 },
        waiting: VecDeque::new(),
        next_ticket: 0,
        taker: None,
        closed: false,
    };
    let shared = Arc::new(Shared { bounds, state: Mutex::new(state) });
    (Tail { shared: Arc::clone(&shared) }, Head { shared })
}

/// Where items are added; clones are the same end.
pub(crate) struct Tail<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Tail<T> {
    /// Adds an item that counts for so many bytes, waiting for room.
    ///
    /// # Errors
    ///
    /// The item, once the queue is closed.
    pub(crate) fn push(&self, item: T, bytes: usize) -> Push<'_, T> {
        Push { shared: &self.shared, item: Some(item), bytes, ticket: None }
    }

    /// Adds an item if there is room that nobody else waits for.
    ///
    /// # Errors
    ///
    /// The item, when there is none or the queue is closed.
    pub(crate) fn try_push(&self, item: T, bytes: usize) -> Result<(), T> {
        let mut state = self.shared.lock();
        if state.closed || !state.waiting.is_empty() || !self.shared.has_room(&state, bytes) {
            return Err(item);
        }
        state.reserve(bytes);
        let taker = state.add(item, bytes);
        drop(state);
        wake(taker);
        Ok(())
    }

    /// Whether the [`Head`] is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.shared.lock().closed
    }
}

// Not derived: an item need not be `Clone`.
impl<T> Clone for Tail<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

/// Where items are taken. Dropping it closes the queue and drops what is left in it.
pub(crate) struct Head<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Head<T> {
    /// Takes the first item, if it is wanted now; otherwise it stays where it counts. Pending until
    /// there is one, for ever when the queue is closed. Who gets its room is passed to `wake`.
    pub(crate) fn poll_take_if(
        &mut self,
        cx: &mut Context<'_>,
        is_wanted: impl FnOnce(&T) -> bool,
        wake: impl FnMut(Waker),
    ) -> Poll<Option<T>> {
        let mut state = self.shared.lock();
        let Some((first, _)) = state.items.front() else {
            let outdated = register(&mut state.taker, cx.waker());
            drop(state);
            drop(outdated);
            return Poll::Pending;
        };
        if !is_wanted(first) {
            return Poll::Ready(None);
        }
        let taken = pop(&mut state.items).map(|(item, bytes)| {
            state.release(bytes);
            item
        });
        self.shared.pass_on(state, wake);
        Poll::Ready(taken)
    }

    /// Tells everyone that nothing is taken any more.
    pub(crate) fn close(&mut self) {
        let mut state = self.shared.lock();
        state.closed = true;
        let waiting = std::mem::take(&mut state.waiting);
        let left = (std::mem::take(&mut state.items), state.taker.take());
        drop(state);
        for waiter in waiting {
            wake(waiter.waker);
        }
        drop(left);
    }
}

impl<T> Drop for Head<T> {
    fn drop(&mut self) {
        self.close();
    }
}

/// The future of [`Tail::push`].
#[must_use = "nothing is added before it is polled"]
pub(crate) struct Push<'a, T> {
    shared: &'a Shared<T>,
    item: Option<T>,
    bytes: usize,
    /// The place among those that wait. Once it is no longer there, room is reserved.
    ticket: Option<u64>,
}

impl<T> Future for Push<'_, T> {
    type Output = Result<(), T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), T>> {
        let this = &mut *self;
        let Some(item) = this.item.take() else { unreachable!("polled after it was ready") };
        let mut state = this.shared.lock();
        if state.closed {
            return Poll::Ready(Err(item));
        }
        if this.ticket.is_none() {
            if state.waiting.is_empty() && this.shared.has_room(&state, this.bytes) {
                state.reserve(this.bytes);
            } else {
                this.ticket = Some(state.wait(this.bytes));
            }
        }
        if let Some(waiter) = this.ticket.and_then(|ticket| state.waiter(ticket)) {
            let outdated = register(&mut waiter.waker, cx.waker());
            this.item = Some(item);
            drop(state);
            drop(outdated);
            return Poll::Pending;
        }
        this.ticket = None;
        let taker = state.add(item, this.bytes);
        drop(state);
        wake(taker);
        Poll::Ready(Ok(()))
    }
}

impl<T> Drop for Push<'_, T> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let mut state = self.shared.lock();
        if state.closed {
            return;
        }
        let waiter = state.leave(ticket);
        if waiter.is_none() {
            state.release(self.bytes);
        }
        self.shared.pass_on(state, Waker::wake);
    }
}

// Nothing in it is pinned.
impl<T> Unpin for Push<'_, T> {}

struct Shared<T> {
    bounds: Bounds,
    state: Mutex<State<T>>,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_room(&self, state: &State<T>, bytes: usize) -> bool {
        let Bounds { count, bytes: taken } = state.taken;
        let fits = taken.checked_add(bytes).is_some_and(|sum| sum <= self.bounds.bytes);
        count == 0 || count < self.bounds.count && fits
    }

    /// Gives room to those who wait for it, as far as it goes.
    fn pass_on<'a>(&'a self, mut state: MutexGuard<'a, State<T>>, mut wake: impl FnMut(Waker)) {
        while state.waiting.front().is_some_and(|waiter| self.has_room(&state, waiter.bytes)) {
            let Some(waiter) = pop(&mut state.waiting) else { return };
            state.reserve(waiter.bytes);
            drop(state);
            waiter.waker.into_iter().for_each(&mut wake);
            state = self.lock();
        }
    }
}

struct State<T> {
    items: VecDeque<(T, usize)>,
    /// By the items, and by what was reserved for those who waited.
    taken: Bounds,
    /// In the order of their tickets.
    waiting: VecDeque<Waiter>,
    next_ticket: u64,
    taker: Option<Waker>,
    closed: bool,
}

impl<T> State<T> {
    fn reserve(&mut self, bytes: usize) {
        self.taken.count += 1;
        self.taken.bytes += bytes;
    }

    fn release(&mut self, bytes: usize) {
        self.taken.count -= 1;
        self.taken.bytes -= bytes;
    }

    /// Fills the room that was reserved, and returns whom to wake.
    fn add(&mut self, item: T, bytes: usize) -> Option<Waker> {
        self.items.push_back((item, bytes));
        self.taker.take()
    }

    /// Joins those that wait.
    fn wait(&mut self, bytes: usize) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiting.push_back(Waiter { ticket, bytes, waker: None });
        ticket
    }

    fn waiter(&mut self, ticket: u64) -> Option<&mut Waiter> {
        let index = self.waiting.binary_search_by_key(&ticket, |waiter| waiter.ticket).ok()?;
        self.waiting.get_mut(index)
    }

    fn leave(&mut self, ticket: u64) -> Option<Waiter> {
        let index = self.waiting.binary_search_by_key(&ticket, |waiter| waiter.ticket).ok()?;
        self.waiting.remove(index)
    }
}

struct Waiter {
    ticket: u64,
    bytes: usize,
    waker: Option<Waker>,
}

/// Pops, and gives the memory of a peak back with the last.
fn pop<E>(queue: &mut VecDeque<E>) -> Option<E> {
    let first = queue.pop_front()?;
    if queue.is_empty() && queue.capacity() > KEPT {
        *queue = VecDeque::new();
    }
    Some(first)
}

/// Puts `waker` into its place; returns the one before, to be dropped outside of the lock: with it
/// a task may end that waits for room itself.
#[must_use]
fn register(place: &mut Option<Waker>, waker: &Waker) -> Option<Waker> {
    if place.as_ref().is_some_and(|before| before.will_wake(waker)) {
        return None;
    }
    place.replace(waker.clone())
}

pub(crate) fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// Room for so many stays when a queue is empty.
const KEPT: usize = 32;

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
