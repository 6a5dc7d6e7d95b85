//! The connections of one HTTP version to one origin.
//!
//! One task at a time opens connections; the others wait and share what it opened.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::client::pool::lock;

/// A connection that carries many WebSockets.
pub(super) trait Carrier: Clone {
    /// Whether it takes new ones.
    fn is_open(&self) -> bool;
    /// How many it carries.
    fn load(&self) -> usize;
    /// How many it may carry.
    fn capacity(&self) -> usize;
}

/// The connections of one kind to one origin.
pub(super) struct Shelf<C> {
    connections: tokio::sync::Mutex<Vec<Arc<Kept<C>>>>,
}

impl<C> Default for Shelf<C> {
    fn default() -> Self {
        Self { connections: tokio::sync::Mutex::default() }
    }
}

struct Kept<C> {
    connection: C,
    /// WebSockets that are being opened, which the load need not show yet.
    opening: AtomicUsize,
    last_use: Mutex<Instant>,
}

impl<C: Carrier> Shelf<C> {
    /// A connection with room for one more, or the one that `dial` makes while all others wait.
    pub(super) async fn find_or_dial<E>(
        &self,
        now: Instant,
        is_fresh: bool,
        waiting: &Waiting,
        dial: impl Future<Output = Result<C, E>>,
    ) -> Result<Ticket<C>, E> {
        waiting.set(true);
        let mut connections = self.connections.lock().await;
        waiting.set(false);
        connections.retain(|kept| kept.is_worth_keeping(now));
        // What one connection was found to carry, the server lets no other carry more of.
        let capacity = connections.iter().map(|kept| kept.connection.capacity()).min();
        let capacity = capacity.unwrap_or(usize::MAX);
        let spare = connections.iter().find(|kept| kept.load() < capacity).filter(|_| !is_fresh);
        if let Some(kept) = spare {
            return Ok(kept.ticket(now, true));
        }
        let connection = dial.await?;
        let (opening, last_use) = (AtomicUsize::new(0), Mutex::new(now));
        let kept = Arc::new(Kept { connection, opening, last_use });
        let ticket = kept.ticket(now, false);
        connections.push(kept);
        Ok(ticket)
    }

    /// Whether there may be connections that are not idle.
    pub(super) fn is_in_use(&self) -> bool {
        let Ok(connections) = self.connections.try_lock() else { return true };
        connections.iter().any(|kept| kept.connection.is_open() && kept.load() > 0)
    }
}

/// Whether a WebSocket waits while others dial: such time says nothing of the server.
#[derive(Default)]
pub(super) struct Waiting(AtomicBool);

impl Waiting {
    pub(super) fn is_waiting(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, is_waiting: bool) {
        self.0.store(is_waiting, Ordering::Relaxed);
    }
}

impl<C: Carrier> Kept<C> {
    /// A carrier counts what is being opened, too, but none of it before the server's SETTINGS came.
    /// Until then it carries nothing else, so the larger number is right at any time.
    fn load(&self) -> usize {
        self.connection.load().max(self.opening.load(Ordering::Relaxed))
    }

    /// What has been idle for long may be dead without knowing it.
    fn is_worth_keeping(&self, now: Instant) -> bool {
        let idle = now.saturating_duration_since(*lock(&self.last_use));
        self.connection.is_open() && (self.load() > 0 || idle < LONGEST_IDLE)
    }

    fn ticket(self: &Arc<Self>, now: Instant, was_used: bool) -> Ticket<C> {
        *lock(&self.last_use) = now;
        self.opening.fetch_add(1, Ordering::Relaxed);
        Ticket { kept: Arc::clone(self), was_used }
    }
}

/// A place on a connection, until the WebSocket is open or has failed.
pub(super) struct Ticket<C> {
    kept: Arc<Kept<C>>,
    /// Whether somebody had the connection before.
    pub(super) was_used: bool,
}

impl<C> Ticket<C> {
    pub(super) fn connection(&self) -> &C {
        &self.kept.connection
    }
}

impl<C> Drop for Ticket<C> {
    fn drop(&mut self) {
        self.kept.opening.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An idle connection is used again up to this age: middleboxes forget them after a minute or more.
const LONGEST_IDLE: Duration = Duration::from_secs(55);

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::ready;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// A connection that carries what it is told.
    #[derive(Clone)]
    struct Fake {
        load: Arc<AtomicUsize>,
        capacity: usize,
    }

    impl Carrier for Fake {
        fn is_open(&self) -> bool {
            true
        }

        fn load(&self) -> usize {
            self.load.load(Ordering::Relaxed)
        }

        fn capacity(&self) -> usize {
            self.capacity
        }
    }

    /// How many connections so many WebSockets take that are all being opened, on carriers that count
    /// such a one already, or do not yet.
    #[expect(clippy::disallowed_methods, reason = "the only way to make an Instant")]
    fn dials(opens: usize, capacity: usize, counts_at_once: bool) -> usize {
        let (shelf, now, mut dials) = (Shelf::default(), Instant::now(), 0);
        let mut tickets = Vec::new();
        for _ in 0..opens {
            let dial = async {
                dials += 1;
                ready(Ok::<_, Infallible>(Fake { load: Arc::default(), capacity })).await
            };
            let waiting = Waiting::default();
            let found = pin!(shelf.find_or_dial(now, false, &waiting, dial));
            let Poll::Ready(Ok(ticket)) = found.poll(&mut Context::from_waker(Waker::noop()))
            else {
                panic!("nobody else dials");
            };
            if counts_at_once {
                ticket.connection().load.fetch_add(1, Ordering::Relaxed);
            }
            tickets.push(ticket);
        }
        dials
    }

    #[test]
    fn a_websocket_that_is_being_opened_counts_once() {
        for (opens, capacity, counts_at_once, expected) in [
            (60, 100, true, 1),
            (100, 100, true, 1),
            (101, 100, true, 2),
            (60, 100, false, 1),
            (100, 100, false, 1),
            (101, 100, false, 2),
        ] {
            let dialled = dials(opens, capacity, counts_at_once);
            assert_eq!(dialled, expected, "{opens} of {capacity}, at once: {counts_at_once}");
        }
    }
}
