//! Accepting without ever giving up: what a failed accept means, and how long to wait after it.
//!
//! A listener that ends on the first `EMFILE` turns a full table of descriptors into an outage.
//! Here such errors only cost time: the queue of the operating system holds the connections
//! meanwhile.

use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ws_io::{Runtime, Timer};

use crate::net::Listener;

/// A listener that pauses after errors and goes on.
pub(crate) struct PatientListener<L, R: Runtime> {
    listener: L,
    runtime: R,
    pause: Option<R::Timer>,
    next_pause: Duration,
}

impl<L: Listener, R: Runtime> PatientListener<L, R> {
    pub(crate) fn new(listener: L, runtime: R) -> Self {
        Self { listener, runtime, pause: None, next_pause: SHORTEST_PAUSE }
    }

    /// The next connection. Never fails.
    pub(crate) fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<L::Connection> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.poll_expired(cx));
                self.pause = None;
            }
            match ready!(self.listener.poll_accept(cx)) {
                Ok(connection) => {
                    self.next_pause = SHORTEST_PAUSE;
                    return Poll::Ready(connection);
                }
                Err(error) if died_in_queue(&error) => {
                    tracing::debug!(%error, "a connection ended before it was accepted");
                }
                Err(error) => {
                    let pause = self.next_pause;
                    tracing::warn!(%error, ?pause, "accepting failed, pausing");
                    self.pause = Some(self.runtime.timer(self.runtime.now() + pause));
                    self.next_pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }
}

/// Whether the error is about the one connection and says nothing about the next.
fn died_in_queue(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
