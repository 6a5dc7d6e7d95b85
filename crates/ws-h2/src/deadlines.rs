//! How long streams wait for their peers.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::alarm::after;

/// Waits of the same length, of which the first that began is the first to be over.
///
/// Most end before that, and a wait may be as long as a server likes: what is noted of those is thrown
/// away when there is much more of it than there are streams.
#[derive(Debug)]
pub(crate) struct Deadlines {
    time: Duration,
    queue: VecDeque<Deadline>,
}

/// The end of a wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    at: Instant,
    pub(crate) key: usize,
    /// Of the stream that had the key when the wait began.
    pub(crate) serial: u64,
}

impl Deadlines {
    pub(crate) fn new(time: Duration) -> Self {
        Self { time, queue: VecDeque::new() }
    }

    /// A stream begins to wait.
    pub(crate) fn push(&mut self, key: usize, serial: u64, now: Instant) {
        self.queue.push_back(Deadline { at: after(now, self.time), key, serial });
    }

    /// Forgets streams that are gone, where they are the most of it.
    pub(crate) fn forget(&mut self, places: usize, is_there: impl Fn(&Deadline) -> bool) {
        if is_mostly_gone(self.queue.len(), places) {
            self.queue.retain(is_there);
        }
    }

    /// When the next is over.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.queue.front().map(|deadline| deadline.at)
    }

    /// The next, when it is over.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Deadline> {
        let is_over = self.queue.front().is_some_and(|deadline| deadline.at <= now);
        if is_over { self.queue.pop_front() } else { None }
    }
}

/// Whether most of what is noted must be of streams that are gone: there are places for `places` streams,
/// and each waits at most twice.
pub(crate) fn is_mostly_gone(noted: usize, places: usize) -> bool {
    noted > (4 * places).max(FEW)
}

/// Not worth a look.
const FEW: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    // THREAT: memory-amplification
    #[test]
    #[expect(clippy::disallowed_methods, reason = "any instant will do, and there is no other")]
    fn waits_that_never_end_are_not_kept_for_streams_that_have() {
        let now = Instant::now();
        let mut deadlines = Deadlines::new(Duration::MAX);
        // One of four places is taken for ever, the others again and again.
        for (serial, key) in (0..100_000).zip([0].into_iter().chain([1, 2, 3].into_iter().cycle()))
        {
            deadlines.push(key, serial, now);
            deadlines.forget(4, |deadline| deadline.serial == 0 || deadline.serial + 3 > serial);
            assert!(deadlines.queue.len() <= FEW);
        }
        assert!(deadlines.take(now).is_none());
        assert_eq!(deadlines.queue.front().map(|deadline| deadline.key), Some(0));
    }
}
