//! A place on a connection, for a WebSocket that is being opened.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::MutexGuard;

use crate::client::pool::lock;
use crate::client::shelf::Carrier;

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
    last_use: Instant,
}

impl<C: Carrier> Kept<C> {
    pub(super) fn new(connection: C, now: Instant) -> Self {
        let tally = Tally { opening: 0, unbegun: 0, last_use: now };
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

    pub(super) fn is_in_use(&self) -> bool {
        self.connection.is_open() && self.load() > 0
    }

    /// What has been idle for long may be dead without knowing it.
    pub(super) fn is_worth_keeping(&self, now: Instant) -> bool {
        let idle = now.saturating_duration_since(lock(&self.tally).last_use);
        self.is_in_use() || self.connection.is_open() && idle < LONGEST_IDLE
    }

    /// Whoever has the turn to dial brings it along.
    pub(super) fn ticket<'a>(
        self: &Arc<Self>,
        now: Instant,
        was_used: bool,
        turn: Option<MutexGuard<'a, ()>>,
    ) -> Ticket<'a, C> {
        let mut tally = lock(&self.tally);
        tally.last_use = now;
        tally.opening += 1;
        tally.unbegun += 1;
        drop(tally);
        Ticket { kept: Arc::clone(self), was_used, has_begun: false, turn }
    }
}

/// A place on a connection, until the WebSocket is open or has failed.
pub(super) struct Ticket<'a, C: Carrier> {
    kept: Arc<Kept<C>>,
    /// Whether somebody had the connection before.
    pub(super) was_used: bool,
    has_begun: bool,
    /// While it is held nobody else dials or takes a place on a connection that is not settled.
    turn: Option<MutexGuard<'a, ()>>,
}

impl<C: Carrier> Ticket<'_, C> {
    pub(super) fn kept(&self) -> &Arc<Kept<C>> {
        &self.kept
    }

    pub(super) fn connection(&self) -> &C {
        &self.kept.connection
    }

    /// Runs `opening`, which opens the WebSocket on the connection.
    pub(super) async fn open<F: Future>(&mut self, opening: F) -> F::Output {
        let mut opening = pin!(opening);
        poll_fn(|cx| {
            let opened = opening.as_mut().poll(cx);
            self.begin();
            if self.kept.connection.is_settled() {
                self.turn = None;
            }
            opened
        })
        .await
    }

    /// The opening has had its first step: from now on the carrier counts it.
    fn begin(&mut self) {
        if !self.has_begun {
            self.has_begun = true;
            lock(&self.kept.tally).unbegun -= 1;
        }
    }
}

impl<C: Carrier> Drop for Ticket<'_, C> {
    fn drop(&mut self) {
        self.begin();
        lock(&self.kept.tally).opening -= 1;
    }
}

/// An idle connection is used again up to this age: middleboxes forget them after a minute or more.
const LONGEST_IDLE: Duration = Duration::from_secs(55);
