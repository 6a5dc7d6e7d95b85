//! Whether the server at the other end of a connection is still there.
//!
//! One that has crashed and come back, or to which a middlebox no longer knows the way, says nothing, and
//! TCP and QUIC take minutes to draw their conclusion. But over QUIC it acknowledges what it receives within
//! its `max_ack_delay` (RFC 9000 §13.2.1), which is 25 ms unless it says otherwise (§18.2), and what is not
//! acknowledged is sent again and again (RFC 9002 §6.2); over HTTP/2 it answers a PING (RFC 9113 §6.7). A
//! server that allows itself more than an interval is asked twice: `quinn` does not tell.

use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use ws_io::{Runtime, Timer as _};

use crate::client::shelf::{Carrier, Signs};

/// The wait for a silence.
pub(super) struct Silence<'a, C, R: Runtime> {
    connection: &'a C,
    runtime: &'a R,
    /// For the next look, and when that is due.
    timer: Option<(R::Timer, Instant)>,
    /// At the last look.
    signs: Signs,
    /// Whether something was sent before that which is to be answered.
    is_owed: bool,
    /// Whether something has come.
    is_over: bool,
}

impl<'a, C: Carrier, R: Runtime> Silence<'a, C, R> {
    pub(super) fn new(connection: &'a C, runtime: &'a R) -> Self {
        let signs = connection.signs();
        Self { connection, runtime, timer: None, signs, is_owed: false, is_over: false }
    }

    /// Ready when something was sent and then nothing has come for at least one interval. Never, once
    /// something has come at all: then the server may have seen what it is asked for.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.is_over {
            let now = self.runtime.now();
            let next = now + INTERVAL.max(ROUND_TRIPS * self.signs.round_trip);
            let (timer, due) = self.timer.get_or_insert_with(|| (self.runtime.timer(next), next));
            ready!(timer.poll_expired(cx));
            let is_late = now > *due + LATE;
            let (before, signs) = (self.signs, self.connection.signs());
            self.is_over = signs.heard != before.heard;
            let is_silent = self.is_owed && !self.is_over;
            // Where this task was kept waiting, so was the one that takes what has come.
            if is_silent && !is_late {
                return Poll::Ready(());
            }
            let is_asked = || signs.sent != before.sent || self.connection.probe();
            self.is_owed = is_silent || !self.is_over && is_asked();
            self.signs = signs;
            timer.reset(next);
            *due = next;
        }
        Poll::Pending
    }
}

/// How often one looks, at most: a server that is busy acknowledges late.
const INTERVAL: Duration = Duration::from_millis(500);
/// A look that comes so much later than it should says nothing of the server.
const LATE: Duration = Duration::from_millis(100);
/// Within so many a packet is sent again and acknowledged, unless both are lost.
const ROUND_TRIPS: u32 = 3;

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::task::Waker;

    use super::*;
    use crate::fake::Fake as Net;

    /// A connection that shows the signs it is told to.
    #[derive(Clone, Default)]
    struct Fake(Arc<Mutex<Signs>>, bool);

    impl Carrier for Fake {
        fn is_open(&self) -> bool {
            true
        }

        fn load(&self) -> usize {
            1
        }

        fn is_settled(&self) -> bool {
            true
        }

        fn capacity(&self) -> usize {
            100
        }

        fn signs(&self) -> Signs {
            *self.0.lock().unwrap()
        }

        fn probe(&self) -> bool {
            self.1
        }

        fn drain(&self) {}
    }

    #[test]
    fn silence_is_when_nothing_comes_for_an_interval_after_something_was_sent() {
        // Of each interval what was sent in it and what was heard; and whether it is silent at the end, and
        // when something is sent at the end of each.
        for (intervals, is_silent, is_silent_when_probed) in [
            (&[(1, 0), (0, 0)][..], true, true),
            (&[(1, 0), (1, 0)], true, true),
            (&[(1, 0)], false, false),
            (&[(0, 0)], false, false),
            (&[(0, 0), (0, 0)], false, true),
            (&[(0, 0), (0, 1), (0, 0), (0, 0)], false, false),
            (&[(0, 0), (1, 0)], false, true),
            (&[(1, 1), (1, 0), (1, 0)], false, false),
            (&[(1, 0), (0, 1), (1, 0), (1, 0)], false, false),
        ] {
            for (round_trip, probes, is_silent) in [
                (Duration::ZERO, false, is_silent),
                (Duration::from_secs(1), false, is_silent),
                (Duration::ZERO, true, is_silent_when_probed),
            ] {
                let (net, fake) = (Net::new(), Fake(Arc::default(), probes));
                fake.0.lock().unwrap().round_trip = round_trip;
                let mut silence = Silence::new(&fake, &net);
                let mut cx = Context::from_waker(Waker::noop());
                assert!(silence.poll(&mut cx).is_pending());
                let mut was_silent = false;
                for (sent, heard) in intervals {
                    assert!(!was_silent, "{intervals:?}");
                    let mut signs = fake.0.lock().unwrap();
                    signs.sent += sent;
                    signs.heard += heard;
                    drop(signs);
                    net.advance(INTERVAL.max(3 * round_trip));
                    was_silent = silence.poll(&mut cx).is_ready();
                }
                assert_eq!(was_silent, is_silent, "{intervals:?} {probes}");
            }
        }
    }

    #[test]
    fn who_looks_late_gives_the_server_another_interval() {
        for probes in [true, false] {
            let (net, fake) = (Net::new(), Fake(Arc::default(), probes));
            let mut silence = Silence::new(&fake, &net);
            let mut cx = Context::from_waker(Waker::noop());
            fake.0.lock().unwrap().sent += 1;
            // Late to ask, late to look for the answer, and in time.
            for (time, is_silent) in
                [(2 * INTERVAL, false), (2 * INTERVAL, false), (INTERVAL, true)]
            {
                assert!(silence.poll(&mut cx).is_pending());
                net.advance(time);
                assert_eq!(silence.poll(&mut cx).is_ready(), is_silent, "{probes}");
            }
        }
    }
}
