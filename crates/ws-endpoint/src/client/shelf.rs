//! The connections of one HTTP version to one origin.
//!
//! One task at a time opens connections; the others wait, for their turn or for room on what stands.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::MutexGuard as Turn;
use ws_io::{Runtime, Timer as _};

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
    connections: Mutex<Vec<Arc<Kept<C>>>>,
    /// Who holds it dials.
    turn: tokio::sync::Mutex<()>,
}

impl<C> Default for Shelf<C> {
    fn default() -> Self {
        Self { connections: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }
}

struct Kept<C> {
    connection: C,
    /// WebSockets that are being opened, which the load need not show yet.
    opening: AtomicUsize,
    last_use: Mutex<Instant>,
}

impl<C: Carrier> Shelf<C> {
    /// A connection with room for one more, or the one that `dial` makes while all wait who find no
    /// room either.
    pub(super) async fn find_or_dial<R: Runtime, E>(
        &self,
        runtime: &R,
        is_fresh: bool,
        waiting: &Waiting,
        dial: impl Future<Output = Result<C, E>>,
    ) -> Result<Ticket<C>, E> {
        waiting.set(true);
        let found = self.room_or_turn(runtime, is_fresh).await;
        waiting.set(false);
        let _turn = match found {
            Found::Room(ticket) => return Ok(ticket),
            Found::Turn(turn) => turn,
        };
        let connection = dial.await?;
        let (opening, last_use) = (AtomicUsize::new(0), Mutex::new(runtime.now()));
        let kept = Arc::new(Kept { connection, opening, last_use });
        lock(&self.connections).push(Arc::clone(&kept));
        Ok(kept.ticket(runtime.now(), false))
    }

    /// Waits for what comes first. A dial that takes long keeps nobody from room that there is.
    async fn room_or_turn<R: Runtime>(&self, runtime: &R, is_fresh: bool) -> Found<'_, C> {
        let (mut turn, mut timer) = (pin!(self.turn.lock()), None);
        poll_fn(|cx| {
            loop {
                let held = turn.as_mut().poll(cx);
                // Who had the turn before may have opened one.
                let room = if is_fresh { None } else { self.room(runtime.now()) };
                if let Some(ticket) = room {
                    return Poll::Ready(Found::Room(ticket));
                }
                if let Poll::Ready(turn) = held {
                    return Poll::Ready(Found::Turn(turn));
                }
                let next = runtime.now() + LOOK_AGAIN;
                let timer = timer.get_or_insert_with(|| runtime.timer(next));
                if timer.poll_expired(cx).is_pending() {
                    return Poll::Pending;
                }
                timer.reset(next);
            }
        })
        .await
    }

    fn room(&self, now: Instant) -> Option<Ticket<C>> {
        // The end of a connection wakes tasks of others: not under the lock.
        let mut gone = Vec::new();
        let mut connections = lock(&self.connections);
        connections.retain(|kept| {
            let is_kept = kept.is_worth_keeping(now);
            if !is_kept {
                gone.push(Arc::clone(kept));
            }
            is_kept
        });
        // What one connection was found to carry, the server lets no other carry more of.
        let capacity = connections.iter().map(|kept| kept.connection.capacity()).min()?;
        let spare = connections.iter().find(|kept| kept.load() < capacity);
        let ticket = spare.map(|kept| kept.ticket(now, true));
        drop(connections);
        ticket
    }

    /// Whether there are connections that are not idle.
    pub(super) fn is_in_use(&self) -> bool {
        let connections = lock(&self.connections);
        connections.iter().any(|kept| kept.connection.is_open() && kept.load() > 0)
    }
}

enum Found<'a, C> {
    Room(Ticket<C>),
    /// To dial.
    Turn(Turn<'a, ()>),
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

/// How often who waits looks for room: a carrier tells nobody that a stream on it has ended, or that
/// the server allows more.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// An idle connection is used again up to this age: middleboxes forget them after a minute or more.
const LONGEST_IDLE: Duration = Duration::from_secs(55);

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::{pending, ready};
    use std::task::{Context, Waker};

    use super::*;
    use crate::fake::Fake as Net;

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
    fn dials(opens: usize, capacity: usize, counts_at_once: bool) -> usize {
        let (shelf, net, mut dials) = (Shelf::default(), Net::new(), 0);
        let mut tickets = Vec::new();
        for _ in 0..opens {
            let dial = async {
                dials += 1;
                ready(Ok::<_, Infallible>(Fake { load: Arc::default(), capacity })).await
            };
            let waiting = Waiting::default();
            let found = pin!(shelf.find_or_dial(&net, false, &waiting, dial));
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

    #[test]
    fn a_dial_that_hangs_keeps_nobody_from_room_that_there_is() {
        let (shelf, net, waiting) = (Shelf::default(), Net::new(), Waiting::default());
        let mut cx = Context::from_waker(Waker::noop());
        let load = Arc::new(AtomicUsize::new(0));
        let dial = ready(Ok::<_, Infallible>(Fake { load: Arc::clone(&load), capacity: 2 }));
        assert!(pin!(shelf.find_or_dial(&net, false, &waiting, dial)).poll(&mut cx).is_ready());
        load.store(2, Ordering::Relaxed);
        let hangs =
            || shelf.find_or_dial(&net, false, &waiting, pending::<Result<Fake, Infallible>>());
        let (mut third, mut fourth) = (pin!(hangs()), pin!(hangs()));
        assert!(third.as_mut().poll(&mut cx).is_pending());
        assert!(fourth.as_mut().poll(&mut cx).is_pending());
        load.store(0, Ordering::Relaxed);
        assert!(pin!(hangs()).poll(&mut cx).is_ready(), "who comes now finds it");
        net.advance(LOOK_AGAIN);
        assert!(fourth.poll(&mut cx).is_ready(), "who waits looks again");
    }
}
