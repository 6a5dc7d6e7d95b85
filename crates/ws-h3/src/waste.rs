//! How many requests of a client may be cancelled or malformed before its connection is an attack
//! (RFC 9114 §10.5).
//!
//! Rapid reset makes a server begin work and throw it away without ever holding many streams at a
//! time, so that a bound on open streams does not help.
//!
//! Nothing is given back, as over HTTP/2, when the user of a WebSocket that was reset lets go of it: here
//! only the user finds the reset, and most let go at once, so that none would ever count.

use std::time::{Duration, Instant};

/// A bucket of requests that came to nothing; it fills up with time.
#[derive(Debug)]
pub(crate) struct WasteBudget {
    left: u32,
    since: Instant,
}

impl WasteBudget {
    pub(crate) fn new(now: Instant) -> Self {
        Self { left: BURST, since: now }
    }

    /// Takes one; true when there was none left.
    pub(crate) fn spend(&mut self, now: Instant) -> bool {
        let seconds = now.saturating_duration_since(self.since).as_secs();
        if seconds > 0 {
            let earned = u32::try_from(seconds).unwrap_or(u32::MAX).saturating_mul(A_SECOND);
            self.left = self.left.saturating_add(earned).min(BURST);
            self.since += Duration::from_secs(seconds);
        }
        let is_spent = self.left == 0;
        self.left = self.left.saturating_sub(1);
        is_spent
    }
}

/// As many at once.
const BURST: u32 = 1000;
/// As many a second in the long run.
const A_SECOND: u32 = 33;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    fn waste_is_forgiven_with_time_up_to_a_burst() {
        let start = Instant::now();
        let mut budget = WasteBudget::new(start);
        let mut spend = |after, times| {
            let now = start + Duration::from_millis(after);
            (0..times).take_while(|_| !budget.spend(now)).count()
        };
        assert_eq!(spend(0, 5000), 1000);
        assert_eq!(spend(999, 5000), 0);
        assert_eq!(spend(2999, 5000), 66);
        assert_eq!(spend(3000, 5000), 33);
        assert_eq!(spend(100_000_000, 5000), 1000);
    }
}
