//! The connections of one HTTP version to one origin.
//!
//! One task at a time opens connections; the others wait, for their turn or for room on what stands.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::MutexGuard;
use ws_io::{Runtime, Timer as _};

use crate::client::pool::lock;
use crate::client::ticket::{Kept, Shunned, Ticket};

/// A connection that carries many WebSockets.
pub(super) trait Carrier: Clone {
    /// Whether it takes new ones.
    fn is_open(&self) -> bool;
    /// How many it carries.
    fn load(&self) -> usize;
    /// Whether the server has said all that its [capacity](Self::capacity) depends on.
    fn is_settled(&self) -> bool;
    /// How many it may carry.
    fn capacity(&self) -> usize;
    /// What shows that the server is there.
    fn signs(&self) -> Signs;
    /// Asks for such a sign, where the server gives none unasked; whether one may be expected then.
    fn probe(&self) -> bool;
    /// Has it take no new ones.
    fn drain(&self);
}

/// What has gone to a server and come from it, in units of the carrier's own.
#[derive(Clone, Copy, Default)]
pub(super) struct Signs {
    pub(super) heard: u64,
    /// What the server acknowledges at once, whatever it thinks of it; none where it need not.
    pub(super) sent: u64,
    pub(super) round_trip: Duration,
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

impl<C: Carrier> Shelf<C> {
    /// A place on a connection with room for one more, which is not `shunned`, or on the one that `dial`
    /// makes while all wait who find no room either.
    pub(super) async fn find_or_dial<'a, R: Runtime, E>(
        &'a self,
        runtime: &'a R,
        shunned: Option<&Shunned<C>>,
        waiting: &Waiting,
        dial: impl Future<Output = Result<C, E>>,
    ) -> Result<Ticket<'a, C, R>, E> {
        waiting.set_others();
        let turn = match self.room_or_turn(runtime, shunned).await {
            Found::Room(ticket) => return Ok(ticket),
            Found::Turn(turn) => turn,
        };
        waiting.set_server(runtime.now());
        let kept = Arc::new(Kept::new(dial.await?, runtime.now()));
        let ticket = kept.ticket(runtime, false, Some(turn));
        lock(&self.connections).push(kept);
        Ok(ticket)
    }

    /// Waits for what comes first. A dial that takes long keeps nobody from room that there is.
    async fn room_or_turn<'a, R: Runtime>(
        &'a self,
        runtime: &'a R,
        shunned: Option<&Shunned<C>>,
    ) -> Found<'a, C, R> {
        let (mut turn, mut timer) = (pin!(self.turn.lock()), None);
        poll_fn(|cx| {
            loop {
                let mut held = match turn.as_mut().poll(cx) {
                    Poll::Ready(turn) => Some(turn),
                    Poll::Pending => None,
                };
                // Who had the turn before may have opened one.
                if let Some(ticket) = self.room(runtime, shunned, &mut held) {
                    return Poll::Ready(Found::Room(ticket));
                }
                if let Some(turn) = held {
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

    /// A place on a connection that stands. What a connection can carry that is not settled is not
    /// known yet, so that one is for who has the turn alone, and who has it keeps it until then.
    fn room<'a, R: Runtime>(
        &self,
        runtime: &'a R,
        shunned: Option<&Shunned<C>>,
        turn: &mut Option<MutexGuard<'a, ()>>,
    ) -> Option<Ticket<'a, C, R>> {
        // The end of a connection wakes tasks of others: not under the lock.
        let (mut gone, now) = (Vec::new(), runtime.now());
        let mut connections = lock(&self.connections);
        connections.retain(|kept| {
            let is_kept = kept.is_worth_keeping(now);
            if !is_kept {
                gone.push(Arc::clone(kept));
            }
            is_kept
        });
        // What one connection was found to carry, the server lets no other carry more of; nothing is
        // what one carries that is to be left.
        let capacities = connections.iter().map(|kept| kept.connection().capacity());
        let capacity = capacities.filter(|capacity| *capacity > 0).min()?;
        let spare = connections.iter().find(|kept| {
            kept.load() < capacity.min(kept.connection().capacity())
                && (turn.is_some() || kept.connection().is_settled())
                && !shunned.is_some_and(|shunned| shunned.covers(kept))
        });
        let ticket = spare.map(|kept| kept.ticket(runtime, true, turn.take()));
        drop(connections);
        ticket
    }

    /// Whether there are connections that are not idle.
    pub(super) fn is_in_use(&self) -> bool {
        let connections = lock(&self.connections);
        connections.iter().any(|kept| kept.is_in_use())
    }
}

enum Found<'a, C: Carrier, R: Runtime> {
    Room(Ticket<'a, C, R>),
    /// To dial.
    Turn(MutexGuard<'a, ()>),
}

/// For whom a WebSocket waits: for the server, since it dialled, or for others, while these dial or on a
/// connection that they opened and that may have died since. Such time says nothing of what the server can
/// do.
#[derive(Default)]
pub(super) struct Waiting(
    /// Since when for the server.
    Mutex<Option<Instant>>,
);

impl Waiting {
    /// Whether the server has had so much time by `now`.
    pub(super) fn was_for_server(&self, time: Duration, now: Instant) -> bool {
        lock(&self.0).is_some_and(|since| now.saturating_duration_since(since) >= time)
    }

    fn set_server(&self, now: Instant) {
        *lock(&self.0) = Some(now);
    }

    fn set_others(&self) {
        *lock(&self.0) = None;
    }
}

/// How often who waits looks for room: a carrier tells nobody that a stream on it has ended, or that
/// the server allows more.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::{pending, ready};
    use std::sync::atomic::{AtomicUsize, Ordering};
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

        fn is_settled(&self) -> bool {
            true
        }

        fn capacity(&self) -> usize {
            self.capacity
        }

        fn signs(&self) -> Signs {
            Signs::default()
        }

        fn probe(&self) -> bool {
            false
        }

        fn drain(&self) {}
    }

    /// How many connections so many WebSockets take that are all being opened, on carriers that count
    /// such a one already, or do not yet.
    fn dials(opens: usize, capacity: usize, counts_at_once: bool) -> usize {
        let (shelf, net, mut dials) = (Shelf::default(), Net::new(), 0);
        let waiting = Waiting::default();
        let mut tickets = Vec::new();
        for _ in 0..opens {
            let dial = async {
                dials += 1;
                ready(Ok::<_, Infallible>(Fake { load: Arc::default(), capacity })).await
            };
            let found = pin!(shelf.find_or_dial(&net, None, &waiting, dial));
            let Poll::Ready(Ok(mut ticket)) = found.poll(&mut Context::from_waker(Waker::noop()))
            else {
                panic!("nobody else dials");
            };
            let load = Arc::clone(&ticket.connection().load);
            let opening = async {
                load.fetch_add(usize::from(counts_at_once), Ordering::Relaxed);
                pending::<()>().await;
            };
            assert!(
                pin!(ticket.open(opening))
                    .poll(&mut Context::from_waker(Waker::noop()))
                    .is_pending()
            );
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
        assert!(pin!(shelf.find_or_dial(&net, None, &waiting, dial)).poll(&mut cx).is_ready());
        load.store(2, Ordering::Relaxed);
        let hangs =
            || shelf.find_or_dial(&net, None, &waiting, pending::<Result<Fake, Infallible>>());
        let (mut third, mut fourth) = (pin!(hangs()), pin!(hangs()));
        assert!(third.as_mut().poll(&mut cx).is_pending());
        assert!(fourth.as_mut().poll(&mut cx).is_pending());
        load.store(0, Ordering::Relaxed);
        assert!(pin!(hangs()).poll(&mut cx).is_ready(), "who comes now finds it");
        net.advance(LOOK_AGAIN);
        assert!(fourth.poll(&mut cx).is_ready(), "who waits looks again");
    }

    #[test]
    fn a_connection_that_is_to_be_left_says_nothing_of_the_others() {
        let (shelf, net, waiting) = (Shelf::default(), Net::new(), Waiting::default());
        let mut cx = Context::from_waker(Waker::noop());
        let mut dials = 0;
        for (capacity, expected) in [(0, 1), (100, 2), (100, 2), (100, 2)] {
            // One WebSocket lives on each.
            let load = Arc::new(AtomicUsize::new(1));
            let dial = async {
                dials += 1;
                ready(Ok::<_, Infallible>(Fake { load, capacity })).await
            };
            assert!(pin!(shelf.find_or_dial(&net, None, &waiting, dial)).poll(&mut cx).is_ready());
            assert_eq!(dials, expected);
        }
    }
}
