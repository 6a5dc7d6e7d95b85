//! A place on a connection, for a WebSocket that is being opened.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::MutexGuard;
use ws_io::Runtime;

use crate::client::pool::lock;
use crate::client::shelf::Carrier;
use crate::client::silence::Silence;

/// A connection, and what its carrier does not know of it.
pub(super) struct Kept<C> {
    connection: C,
    tally: Mutex<Tally>,
}

struct Tally {
    /// WebSockets that are being opened.
    opening: usize,
    /// Those of them whose opening has not begun.
    unbegun: usize,
    /// When the server last answered, or was dialled.
    last_use: Instant,
    /// How long those attempts waited that were given up since.
    silence: Duration,
}

impl<C: Carrier> Kept<C> {
    pub(super) fn new(connection: C, now: Instant) -> Self {
        let tally = Tally { opening: 0, unbegun: 0, last_use: now, silence: Duration::ZERO };
        Self { connection, tally: Mutex::new(tally) }
    }

    pub(super) fn connection(&self) -> &C {
        &self.connection
    }

    /// A carrier counts what is being opened, too, but HTTP/2 none of it before the server's SETTINGS
    /// came. Until then it carries nothing else, so the larger number is right at any time.
    pub(super) fn load(&self) -> usize {
        let tally = lock(&self.tally);
        (self.connection.load() + tally.unbegun).max(tally.opening)
    }

    /// Whether the server has answered on it, or it was dialled, no earlier than this.
    fn has_answered_since(&self, instant: Instant) -> bool {
        lock(&self.tally).last_use >= instant
    }

    pub(super) fn is_in_use(&self) -> bool {
        self.connection.is_open() && self.load() > 0
    }

    /// What has been idle for long may be dead without knowing it.
    pub(super) fn is_worth_keeping(&self, now: Instant) -> bool {
        let idle = now.saturating_duration_since(lock(&self.tally).last_use);
        self.is_in_use() || self.connection.is_open() && idle < LONGEST_IDLE
    }

    /// Whoever has the turn to dial brings it along.
    pub(super) fn ticket<'a, R: Runtime>(
        self: &Arc<Self>,
        runtime: &'a R,
        was_used: bool,
        turn: Option<MutexGuard<'a, ()>>,
    ) -> Ticket<'a, C, R> {
        let mut tally = lock(&self.tally);
        tally.opening += 1;
        tally.unbegun += 1;
        drop(tally);
        let (taken, heard) = (runtime.now(), self.connection.signs().heard);
        let (kept, state) = (Arc::clone(self), State::New);
        Ticket { kept, was_used, taken, heard, runtime, state, turn }
    }
}

/// A place on a connection, until the WebSocket is open or has failed.
///
/// One that is dropped before that, by its caller or by a deadline, may have met a server that is
/// dead without anybody's knowing.
pub(super) struct Ticket<'a, C: Carrier, R: Runtime> {
    kept: Arc<Kept<C>>,
    /// Whether somebody had the connection before.
    pub(super) was_used: bool,
    taken: Instant,
    /// What had come from the server by then.
    heard: u64,
    runtime: &'a R,
    state: State,
    /// While it is held nobody else dials or takes a place on a connection that is not settled.
    turn: Option<MutexGuard<'a, ()>>,
}

/// Where a request is not sent again that has failed.
pub(super) enum Shunned<C> {
    /// On this connection.
    One(Arc<Kept<C>>),
    /// On those that may be as dead as the one on which it failed: the server has not answered on them
    /// since.
    Since(Instant),
}

impl<C: Carrier> Shunned<C> {
    pub(super) fn covers(&self, kept: &Arc<Kept<C>>) -> bool {
        match self {
            Self::One(one) => Arc::ptr_eq(one, kept),
            Self::Since(instant) => !kept.has_answered_since(*instant),
        }
    }
}

enum State {
    New,
    /// The carrier counts it from this instant on.
    Begun(Instant),
    Answered,
}

impl<C: Carrier, R: Runtime> Ticket<'_, C, R> {
    /// Shuns the connection alone.
    pub(super) fn shun_it(&self) -> Shunned<C> {
        Shunned::One(Arc::clone(&self.kept))
    }

    /// Shuns whatever may have died with it.
    pub(super) fn shun_all(&self) -> Shunned<C> {
        Shunned::Since(self.taken)
    }

    pub(super) fn connection(&self) -> &C {
        &self.kept.connection
    }

    /// Whether something has come from the server since the place was taken.
    pub(super) fn was_heard(&self) -> bool {
        self.kept.connection.signs().heard != self.heard
    }

    /// As [`open`](Self::open), but where one `may_repeat` what is asked for, not longer than the server may
    /// be there: `None` when it gives no sign of life at all.
    pub(super) async fn open_while_heard<F: Future>(
        &mut self,
        may_repeat: bool,
        opening: F,
    ) -> Option<F::Output> {
        let (kept, runtime) = (Arc::clone(&self.kept), self.runtime);
        let mut silence = may_repeat.then(|| Silence::new(kept.connection(), runtime));
        let mut opening = pin!(self.open(opening));
        poll_fn(|cx| match (opening.as_mut().poll(cx), &mut silence) {
            (Poll::Ready(opened), _) => Poll::Ready(Some(opened)),
            (Poll::Pending, Some(silence)) => silence.poll(cx).map(|()| None),
            (Poll::Pending, None) => Poll::Pending,
        })
        .await
    }

    /// Runs `opening`, which opens the WebSocket on the connection.
    pub(super) async fn open<F: Future>(&mut self, opening: F) -> F::Output {
        let mut opening = pin!(opening);
        let opened = poll_fn(|cx| {
            let opened = opening.as_mut().poll(cx);
            self.begin();
            if self.kept.connection.is_settled() {
                self.turn = None;
            }
            opened
        });
        let opened = opened.await;
        self.state = State::Answered;
        opened
    }

    /// The opening has had its first step.
    fn begin(&mut self) {
        if let State::New = self.state {
            self.state = State::Begun(self.runtime.now());
            lock(&self.kept.tally).unbegun -= 1;
        }
    }
}

impl<C: Carrier, R: Runtime> Drop for Ticket<'_, C, R> {
    fn drop(&mut self) {
        self.begin();
        let now = self.runtime.now();
        let mut tally = lock(&self.kept.tally);
        tally.opening -= 1;
        match self.state {
            State::Begun(at) => tally.silence += now.saturating_duration_since(at),
            _ => (tally.last_use, tally.silence) = (now, Duration::ZERO),
        }
        let is_suspect = tally.silence >= LONGEST_SILENCE;
        drop(tally);
        if is_suspect {
            tracing::debug!("a connection does not answer and gets no more to carry");
            self.kept.connection.drain();
        }
    }
}

/// An idle connection is used again up to this age: middleboxes forget them after a minute or more.
const LONGEST_IDLE: Duration = Duration::from_secs(55);

/// So long attempts may have waited for nothing, together, before the next one goes elsewhere. Less
/// says nothing of the server: a caller may change its mind at once.
const LONGEST_SILENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Waker};

    use super::*;
    use crate::client::shelf::Signs;
    use crate::fake::Fake as Net;

    /// A connection that is open until it is told otherwise.
    #[derive(Clone, Default)]
    struct Fake(Arc<AtomicBool>);

    impl Carrier for Fake {
        fn is_open(&self) -> bool {
            !self.0.load(Ordering::Relaxed)
        }

        fn load(&self) -> usize {
            0
        }

        fn is_settled(&self) -> bool {
            true
        }

        fn capacity(&self) -> usize {
            100
        }

        fn signs(&self) -> Signs {
            Signs::default()
        }

        fn probe(&self) -> bool {
            false
        }

        fn drain(&self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// An attempt on a connection that takes so long and is answered then, or given up.
    fn attempt(net: &Net, kept: &Arc<Kept<Fake>>, takes: Duration, is_answered: bool) {
        let mut cx = Context::from_waker(Waker::noop());
        let mut ticket = kept.ticket(net, true, None);
        assert!(pin!(ticket.open(pending::<()>())).poll(&mut cx).is_pending());
        net.advance(takes);
        if is_answered {
            assert!(pin!(ticket.open(ready(()))).poll(&mut cx).is_ready());
        }
    }

    #[test]
    fn a_connection_that_does_not_answer_for_a_second_gets_no_more() {
        const ANSWERED: bool = true;
        const GIVEN_UP: bool = false;
        for (attempts, is_open) in [
            (&[(1_000, GIVEN_UP)][..], false),
            (&[(999, GIVEN_UP)], true),
            (&[(0, GIVEN_UP); 1000], true),
            (&[(5_000, ANSWERED)], true),
            (&[(600, GIVEN_UP), (600, GIVEN_UP)], false),
            (&[(600, GIVEN_UP), (10, ANSWERED), (600, GIVEN_UP)], true),
        ] {
            let net = Net::new();
            let kept = Arc::new(Kept::new(Fake::default(), net.now()));
            for &(millis, is_answered) in attempts {
                attempt(&net, &kept, Duration::from_millis(millis), is_answered);
            }
            assert_eq!(kept.is_worth_keeping(net.now()), is_open, "{attempts:?}");
        }
    }

    #[test]
    fn a_request_that_was_lost_goes_where_the_server_has_answered_since() {
        let net = Net::new();
        let kept = || Arc::new(Kept::new(Fake::default(), net.now()));
        let [lost, same, answered] = [kept(), kept(), kept()];
        net.advance(Duration::from_secs(1));
        let shunned = {
            let ticket = lost.ticket(&net, true, None);
            assert!(ticket.shun_it().covers(&lost) && !ticket.shun_it().covers(&same));
            ticket.shun_all()
        };
        attempt(&net, &answered, Duration::ZERO, true);
        let dialled = kept();
        let covers = [&lost, &same, &answered, &dialled].map(|kept| shunned.covers(kept));
        assert_eq!(covers, [true, true, false, false]);
    }

    #[test]
    fn an_idle_connection_is_as_old_as_its_last_answer() {
        let net = Net::new();
        let kept = Arc::new(Kept::new(Fake::default(), net.now()));
        for is_answered in [true, false] {
            net.advance(LONGEST_IDLE / 2);
            attempt(&net, &kept, Duration::ZERO, is_answered);
        }
        assert!(kept.is_worth_keeping(net.now()));
        net.advance(LONGEST_IDLE / 2);
        assert!(!kept.is_worth_keeping(net.now()));
    }
}
