//! How many streams may end in a reset before a connection counts as an attack.
//!
//! Rapid reset (CVE-2023-44487) makes a server begin work and throw it away without ever holding
//! many streams at a time. `h2` bounds the streams that are reset before they were accepted and the
//! resets it sends itself (CVE-2025-8671); this bounds those that were accepted, whoever resets them.
//!
//! A stream that was answered before its peer has reset it is a debt until its user lets go of it: so
//! long work may go on that no limit of streams counts any more. After that it was as much work as one
//! that was ended in order, and costs nothing: whoever shares a connection with those that open and
//! drop WebSockets, behind a gateway or in a load test, is not to lose it by them.

use std::time::{Duration, Instant};

/// A bucket of resets that fills up with time.
#[derive(Debug)]
pub(crate) struct ResetBudget {
    left: u32,
    burst: u32,
    per_second: u32,
    filled_at: Instant,
}

impl ResetBudget {
    pub(crate) fn new(burst: u32, per_second: u32, now: Instant) -> Self {
        Self { left: burst, burst, per_second, filled_at: now }
    }

    /// Charges the end of a stream that was opened at `opened`; whether there was something to charge.
    pub(crate) fn charge(&mut self, opened: Instant, now: Instant) -> Result<bool, TooManyResets> {
        if now.saturating_duration_since(opened) >= RAPID {
            return Ok(false);
        }
        let elapsed = now.saturating_duration_since(self.filled_at).as_secs();
        if elapsed > 0 {
            let gained = elapsed.saturating_mul(u64::from(self.per_second));
            let gained = u32::try_from(gained).unwrap_or(u32::MAX);
            self.left = self.left.saturating_add(gained).min(self.burst);
            self.filled_at += Duration::from_secs(elapsed);
        }
        self.left = self.left.checked_sub(1).ok_or(TooManyResets)?;
        Ok(true)
    }

    /// Gives back what one stream was charged.
    pub(crate) fn refund(&mut self) {
        self.left = self.left.saturating_add(1).min(self.burst);
    }
}

/// More resets than the budget allows: the connection has to end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooManyResets;

/// A stream that lived this long was no part of a rapid reset.
const RAPID: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "any instant will do, and there is no other")]
    fn now() -> Instant {
        Instant::now()
    }

    // RFC: H2-10.5-01
    #[test]
    fn a_burst_is_let_through_and_then_a_rate() {
        let start = now();
        let mut budget = ResetBudget::new(3, 2, start);
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut charge = |seconds| budget.charge(at(seconds), at(seconds)).is_ok();
        assert_eq!([charge(0), charge(0), charge(0), charge(0)], [true, true, true, false]);
        assert_eq!([charge(1), charge(1), charge(1)], [true, true, false]);
        assert_eq!([charge(90), charge(90), charge(90), charge(90)], [true, true, true, false]);
    }

    #[test]
    fn streams_that_lived_are_free() {
        let start = now();
        let mut budget = ResetBudget::new(0, 0, start);
        assert_eq!(budget.charge(start, start), Err(TooManyResets));
        assert_eq!(budget.charge(start, start + RAPID), Ok(false));
    }

    #[test]
    fn what_is_given_back_can_be_spent_again_and_fills_no_more_than_the_burst() {
        let start = now();
        let mut budget = ResetBudget::new(1, 1, start);
        for seconds in 0..5 {
            let now = start + Duration::from_secs(seconds);
            assert_eq!(budget.charge(now, now), Ok(true));
            budget.refund();
        }
        assert_eq!(budget.charge(start, start), Ok(true));
        assert_eq!(budget.charge(start, start), Err(TooManyResets));
    }
}
