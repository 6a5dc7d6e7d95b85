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
    pause: Pause<R>,
}

impl<L: Listener, R: Runtime> PatientListener<L, R> {
    pub(crate) fn new(listener: L, runtime: R) -> Self {
        Self { listener, pause: Pause::new(runtime) }
    }

    /// The next connection. Never fails.
    pub(crate) fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<L::Connection> {
        loop {
            ready!(self.pause.poll_over(cx));
            match ready!(self.listener.poll_accept(cx)) {
                Ok(connection) => {
                    self.pause.forget();
                    return Poll::Ready(connection);
                }
                Err(error) if died_in_queue(&error) => {
                    tracing::debug!(%error, "a connection ended before it was accepted");
                }
                Err(error) => self.pause.begin(&error),
            }
        }
    }
}

/// What is waited for after a failure; the longer, the more of them there are in a row.
pub(crate) struct Pause<R: Runtime> {
    runtime: R,
    timer: Option<R::Timer>,
    next: Duration,
}

impl<R: Runtime> Pause<R> {
    pub(crate) fn new(runtime: R) -> Self {
        Self { runtime, timer: None, next: SHORTEST_PAUSE }
    }

    pub(crate) fn begin(&mut self, error: &io::Error) {
        let pause = self.next;
        tracing::warn!(%error, ?pause, "accepting failed, pausing");
        self.timer = Some(self.runtime.timer(self.runtime.now() + pause));
        self.next = (pause * 2).min(LONGEST_PAUSE);
    }

    /// Ready when there is nothing to wait for.
    pub(crate) fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(timer) = &mut self.timer {
            ready!(timer.poll_expired(cx));
            self.timer = None;
        }
        Poll::Ready(())
    }

    /// The next failure is the first again.
    pub(crate) fn forget(&mut self) {
        self.next = SHORTEST_PAUSE;
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

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::task::Waker;

    use super::*;
    use crate::fake::{Fake, FakeListener, FakeStream};

    const EMFILE: i32 = 24;
    const ENFILE: i32 = 23;

    fn stream(port: u16) -> io::Result<FakeStream> {
        Ok(FakeStream { peer: SocketAddr::from(([127, 0, 0, 1], port)), is_held: false })
    }

    fn accepted(listener: &mut PatientListener<FakeListener, Fake>) -> Option<u16> {
        match listener.poll_accept(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(stream) => Some(stream.peer.port()),
            Poll::Pending => None,
        }
    }

    // THREAT: descriptors
    #[test]
    fn running_out_of_descriptors_pauses_and_does_not_end_the_listener() {
        let fake = Fake::new();
        let full = |code| Err(io::Error::from_raw_os_error(code));
        let script = [full(EMFILE), full(ENFILE), full(EMFILE), stream(7), full(EMFILE), stream(8)];
        let mut listener =
            PatientListener::new(FakeListener { script: script.into() }, fake.clone());
        for pause in [5, 10, 20] {
            assert_eq!(accepted(&mut listener), None);
            fake.advance(Duration::from_millis(pause - 1));
            assert_eq!(accepted(&mut listener), None, "the pause of {pause} ms is not over");
            fake.advance(Duration::from_millis(1));
        }
        assert_eq!(accepted(&mut listener), Some(7));
        assert_eq!(accepted(&mut listener), None);
        fake.advance(SHORTEST_PAUSE);
        assert_eq!(accepted(&mut listener), Some(8), "after a success the pause is short again");
    }

    #[test]
    fn the_pause_does_not_grow_beyond_a_second() {
        let fake = Fake::new();
        let script = (0..20).map(|_| Err(io::Error::from_raw_os_error(EMFILE))).chain([stream(9)]);
        let mut listener =
            PatientListener::new(FakeListener { script: script.collect() }, fake.clone());
        for _ in 0..20 {
            assert_eq!(accepted(&mut listener), None);
            fake.advance(LONGEST_PAUSE);
        }
        assert_eq!(accepted(&mut listener), Some(9));
    }

    #[test]
    fn a_connection_that_died_in_the_queue_costs_no_pause() {
        let died = Err(io::ErrorKind::ConnectionAborted.into());
        let mut listener =
            PatientListener::new(FakeListener { script: [died, stream(7)].into() }, Fake::new());
        assert_eq!(accepted(&mut listener), Some(7));
    }
}
