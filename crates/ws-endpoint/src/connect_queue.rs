//! At most one connection in the CONNECTING state per address (RFC 6455 §4.1).
//!
//! A browser-like client shares one [`ConnectQueue`] among all its connections: whoever dials an
//! address that another is still opening waits until that one is open or has failed, in order of
//! arrival. The queue also limits how many may be connecting at all. A waker is woken and dropped
//! outside of the lock: with it a task may end that has a place here.

use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::mem;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A queue that lets one connection at a time be opened to each address.
///
/// Clones share the queue.
///
/// ```
/// let queue = ws_endpoint::ConnectQueue::default();
/// // `queue.clone()` goes into the options of every connection that is to take its turn.
/// # let _ = queue;
/// ```
#[derive(Clone, Debug)]
pub struct ConnectQueue {
    state: Arc<Mutex<State>>,
}

impl ConnectQueue {
    /// A queue with at most `limit` connections being opened at any time, to all addresses together.
    #[must_use]
    pub fn new(limit: NonZeroUsize) -> Self {
        let state = State {
            limit: limit.get(),
            connecting: 0,
            next_ticket: 0,
            lines: HashMap::new(),
            heads: BTreeMap::new(),
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Waits for the right to connect to `address`; it ends when the turn is dropped.
    pub(crate) async fn enter(&self, address: SocketAddr) -> Turn {
        let mut place = Place { queue: self, address, ticket: None };
        poll_fn(|cx| place.poll_turn(cx)).await;
        Turn { queue: self.clone(), address }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for ConnectQueue {
    /// At most 256 connections being opened at any time.
    fn default() -> Self {
        Self::new(NonZeroUsize::new(256).unwrap_or(NonZeroUsize::MIN))
    }
}

/// The right to connect to one address.
#[derive(Debug)]
pub(crate) struct Turn {
    queue: ConnectQueue,
    address: SocketAddr,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let next = self.queue.lock().end_turn(self.address);
        next.into_iter().for_each(Waker::wake);
    }
}

/// A place in the queue, given up when the waiting future is dropped.
struct Place<'a> {
    queue: &'a ConnectQueue,
    address: SocketAddr,
    ticket: Option<u64>,
}

impl Place<'_> {
    fn poll_turn(&mut self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.queue.lock();
        let ticket = *self.ticket.get_or_insert_with(|| state.take_ticket(self.address));
        let Some(known) = state.waker_of(ticket, self.address) else {
            self.ticket = None;
            return Poll::Ready(());
        };
        let is_outdated = !known.will_wake(cx.waker());
        let outdated = is_outdated.then(|| mem::replace(known, cx.waker().clone()));
        drop(state);
        drop(outdated);
        Poll::Pending
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let (own, next) = self.queue.lock().give_up(ticket, self.address);
            drop(own);
            next.into_iter().for_each(Waker::wake);
        }
    }
}

/// Who connects and who waits. A turn that ends is handed to the one whose turn is next, who alone
/// is woken: if all were, each would look at all the others, and a queue of n would cost n² looks.
#[derive(Debug)]
struct State {
    limit: usize,
    /// Turns that were handed out and have not ended.
    connecting: usize,
    next_ticket: u64,
    /// Addresses that somebody connects to or waits for.
    lines: HashMap<SocketAddr, Line>,
    /// The first waiters of addresses that nobody connects to, by ticket. They wait for the limit.
    heads: BTreeMap<u64, SocketAddr>,
}

/// One address. Whoever is not among the waiting any more has the turn.
#[derive(Debug, Default)]
struct Line {
    is_connecting: bool,
    waiting: BTreeMap<u64, Waker>,
}

impl State {
    /// A new place, which has the turn already if nobody is before it.
    fn take_ticket(&mut self, address: SocketAddr) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let line = self.lines.entry(address).or_default();
        line.waiting.insert(ticket, Waker::noop().clone());
        self.put_forward(address);
        // Whoever gets the turn now is the one who asks.
        drop(self.hand_out());
        ticket
    }

    /// Where the waker of a place is kept; `None` if it has the turn.
    fn waker_of(&mut self, ticket: u64, address: SocketAddr) -> Option<&mut Waker> {
        self.lines.get_mut(&address)?.waiting.get_mut(&ticket)
    }

    /// Returns who is to be woken.
    fn end_turn(&mut self, address: SocketAddr) -> Option<Waker> {
        self.connecting -= 1;
        if let Some(line) = self.lines.get_mut(&address) {
            line.is_connecting = false;
        }
        self.put_forward(address);
        self.hand_out()
    }

    /// A place is left, with the turn or without. Returns its waker and who is to be woken.
    fn give_up(&mut self, ticket: u64, address: SocketAddr) -> (Option<Waker>, Option<Waker>) {
        let Some(line) = self.lines.get_mut(&address) else { return (None, None) };
        let Some(own) = line.waiting.remove(&ticket) else {
            return (None, self.end_turn(address));
        };
        if self.heads.remove(&ticket).is_some() {
            self.put_forward(address);
        }
        (Some(own), None)
    }

    /// Lets the first waiter of an address that nobody connects to wait for the limit alone.
    fn put_forward(&mut self, address: SocketAddr) {
        let Some(line) = self.lines.get(&address).filter(|line| !line.is_connecting) else {
            return;
        };
        match line.waiting.first_key_value() {
            Some((&ticket, _)) => {
                self.heads.insert(ticket, address);
            }
            None => {
                self.lines.remove(&address);
            }
        }
    }

    /// Gives a turn that is free to who has waited longest. There is never more than one: each end
    /// of a turn is followed by this.
    fn hand_out(&mut self) -> Option<Waker> {
        if self.connecting >= self.limit {
            return None;
        }
        let (ticket, address) = self.heads.pop_first()?;
        let line = self.lines.get_mut(&address)?;
        line.is_connecting = true;
        self.connecting += 1;
        line.waiting.remove(&ticket)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;
    use crate::fake::last_waker;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn ready<T>(future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    // RFC: WS-4.1-03
    #[test]
    fn a_second_connection_to_the_same_address_waits_for_the_first() {
        let queue = ConnectQueue::default();
        let first = ready(pin!(queue.enter(address(1)))).expect("nobody is before it");
        let mut second = pin!(queue.enter(address(1)));
        assert!(ready(second.as_mut()).is_none());
        assert!(ready(pin!(queue.enter(address(2)))).is_some());
        drop(first);
        assert!(ready(second).is_some());
    }

    #[test]
    fn turns_come_in_order_and_a_place_given_up_is_skipped() {
        let queue = ConnectQueue::default();
        let first = ready(pin!(queue.enter(address(1)))).expect("nobody is before it");
        let mut second = Box::pin(queue.enter(address(1)));
        let mut third = pin!(queue.enter(address(1)));
        assert!(ready(second.as_mut()).is_none());
        assert!(ready(third.as_mut()).is_none());
        drop(first);
        assert!(ready(third.as_mut()).is_none(), "the second has waited longer");
        drop(second);
        assert!(ready(third).is_some());
    }

    // RFC: WS-4.1-05
    #[test]
    fn the_total_of_pending_connections_is_limited() {
        let queue = ConnectQueue::new(NonZeroUsize::MIN);
        let first = ready(pin!(queue.enter(address(1)))).expect("nobody is before it");
        let mut second = pin!(queue.enter(address(2)));
        assert!(ready(second.as_mut()).is_none());
        drop(first);
        assert!(ready(second).is_some());
    }

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn the_end_of_a_turn_wakes_only_whose_turn_is_next() {
        // One address, then as many as there are waiters under a limit of one.
        for addresses in [1, 100] {
            let queue = ConnectQueue::new(NonZeroUsize::MIN);
            let mut turn = ready(pin!(queue.enter(address(0))));
            let mut places: Vec<_> = (0..100)
                .map(|n| (Box::pin(queue.enter(address(n % addresses))), Arc::<Count>::default()))
                .collect();
            for (place, count) in &mut places {
                let waker = Waker::from(Arc::clone(count));
                assert!(place.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            }
            for (index, (place, count)) in places.iter_mut().enumerate() {
                drop(turn.take());
                assert_eq!(count.0.load(Ordering::Relaxed), 1, "{index} of {addresses}");
                turn = ready(place.as_mut());
                assert!(turn.is_some(), "{index} of {addresses}");
            }
            let wakes = places.iter().map(|(_, count)| count.0.load(Ordering::Relaxed));
            assert_eq!(wakes.sum::<usize>(), 100);
            drop((turn, places));
            let state = queue.lock();
            assert_eq!((state.connecting, state.lines.len(), state.heads.len()), (0, 0, 0));
        }
    }

    #[test]
    fn a_turn_that_its_owner_never_took_goes_to_the_next() {
        let queue = ConnectQueue::default();
        let first = ready(pin!(queue.enter(address(1)))).expect("nobody is before it");
        let mut second = Box::pin(queue.enter(address(1)));
        let mut third = pin!(queue.enter(address(1)));
        assert!(ready(second.as_mut()).is_none() && ready(third.as_mut()).is_none());
        drop(first);
        drop(second);
        assert!(ready(third).is_some());
    }

    #[test]
    fn no_waker_is_dropped_under_the_lock() {
        let queue = ConnectQueue::default();
        let first = ready(pin!(queue.enter(address(1)))).expect("nobody is before it");
        let mut second = Box::pin(queue.enter(address(1)));
        for _ in 0..2 {
            let queue = queue.clone();
            let waker = last_waker(move || queue.state.try_lock().is_ok());
            assert!(second.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        drop(second);
        drop(first);
    }
}
