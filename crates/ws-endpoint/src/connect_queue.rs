//! At most one connection in the CONNECTING state per address (RFC 6455 §4.1).
//!
//! A browser-like client shares one [`ConnectQueue`] among all its connections: whoever dials an
//! address that another is still opening waits until that one is open or has failed, in order of
//! arrival. The queue also limits how many may be connecting at all.

use std::collections::{BTreeMap, HashSet};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

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
            connecting: HashSet::new(),
            next_ticket: 0,
            waiting: BTreeMap::new(),
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Waits for the right to connect to `address`; it ends when the turn is dropped.
    pub(crate) async fn enter(&self, address: SocketAddr) -> Turn {
        let mut place = Place { queue: self, ticket: None };
        poll_fn(|cx| {
            let mut state = self.lock();
            let ticket = *place.ticket.get_or_insert_with(|| state.take_ticket(address));
            if state.is_next(ticket, address) {
                state.waiting.remove(&ticket);
                state.connecting.insert(address);
                place.ticket = None;
                return Poll::Ready(());
            }
            if let Some(waiter) = state.waiting.get_mut(&ticket) {
                waiter.waker = Some(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
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
        let mut state = self.queue.lock();
        state.connecting.remove(&self.address);
        state.wake_all();
    }
}

/// A place in the queue, given up when the waiting future is dropped.
struct Place<'a> {
    queue: &'a ConnectQueue,
    ticket: Option<u64>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let mut state = self.queue.lock();
            state.waiting.remove(&ticket);
            state.wake_all();
        }
    }
}

#[derive(Debug)]
struct State {
    limit: usize,
    connecting: HashSet<SocketAddr>,
    next_ticket: u64,
    waiting: BTreeMap<u64, Waiter>,
}

#[derive(Debug)]
struct Waiter {
    address: SocketAddr,
    waker: Option<Waker>,
}

impl State {
    fn take_ticket(&mut self, address: SocketAddr) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiting.insert(ticket, Waiter { address, waker: None });
        ticket
    }

    /// Whether nobody connects to the address and nobody has waited for it longer.
    fn is_next(&self, ticket: u64, address: SocketAddr) -> bool {
        self.connecting.len() < self.limit
            && !self.connecting.contains(&address)
            && !self.waiting.range(..ticket).any(|(_, waiter)| waiter.address == address)
    }

    fn wake_all(&mut self) {
        for waiter in self.waiting.values_mut() {
            if let Some(waker) = waiter.waker.take() {
                waker.wake();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Context;

    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn ready<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Option<T> {
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
}
