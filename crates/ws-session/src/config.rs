//! The limits and deadlines of a session.

use std::time::Duration;

use ws_frame::Limits;

use crate::SharedBudget;

/// How a session behaves. Every limit and deadline is on by default and none is switched off by a
/// zero: a zero counts as the smallest value. `Duration::MAX` says that a deadline is not wanted.
///
/// ```
/// use std::time::Duration;
///
/// let config = ws_session::Config::default()
///     .with_max_message(1024 * 1024)
///     .with_idle_timeout(Duration::from_secs(300));
/// assert_eq!(config.limits.max_message(), 1024 * 1024);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// What the peer may send in one frame and in one message.
    pub limits: Limits,
    /// How many bytes may wait to be written before [`Session::is_writable`] says no, 128 KiB by
    /// default: enough to keep a fast connection busy, small enough to hold for thousands of slow
    /// ones. A single message may exceed it. 0 counts as 1.
    ///
    /// [`Session::is_writable`]: crate::Session::is_writable
    pub high_water: usize,
    /// How many bytes may be held for the peer in all, 80 MiB by default: one message of the
    /// largest size, and 16 MiB for what is queued, windows of compression and reads. Less than
    /// 256 KiB counts as 256 KiB. Who raises [`Limits::max_message`] beyond the default raises this
    /// too, as [`with_max_message`](Self::with_max_message) does: a message that does not fit is cut
    /// all the same.
    ///
    /// Received bytes that cross it end the session ([`Cause::BudgetExceeded`]) with 1009 when most
    /// of what is held is the peer's message, otherwise with 1008. A message of ours that would
    /// cross it is refused ([`SendError::BudgetExceeded`]).
    ///
    /// [`Cause::BudgetExceeded`]: crate::Cause::BudgetExceeded
    /// [`SendError::BudgetExceeded`]: crate::SendError::BudgetExceeded
    pub memory_budget: usize,
    /// A budget that this session shares with others, all those of a server for example. None by
    /// default. When it is used up the session that grows ends ([`Cause::BudgetExceeded`]) with
    /// 1013, or with 1008 where [`iana_close_codes`](Self::iana_close_codes) is off.
    ///
    /// [`Cause::BudgetExceeded`]: crate::Cause::BudgetExceeded
    pub shared_budget: Option<SharedBudget>,
    /// After this long without a byte from the peer a ping is sent, 30 s by default: less than the
    /// idle timeouts of common proxies and address translators. Where an answer would come too late
    /// for [`idle_timeout`](Self::idle_timeout) it is sent after half of that. Less than 10 ms counts
    /// as 10 ms; with `Duration::MAX` none is sent.
    pub keep_alive: Duration,
    /// After this long without a byte from the peer the session closes with 1001, 60 s by default.
    /// A peer that answers the keep-alive ping is not silent. When the ping was sent late, the peer
    /// still has the difference of the two timeouts to answer it.
    ///
    /// The silence after hundreds of messages may be noticed an eighth of `keep_alive` later, or of this:
    /// the driver does not look at the clock for each message of a busy connection.
    pub idle_timeout: Duration,
    /// How long a message that has begun may take to be complete, 60 s by default, plus a second
    /// for every KiB received of it: a peer that trickles is cut (1008), a large message over a
    /// slow line is not.
    pub message_timeout: Duration,
    /// How long the peer may accept no byte while bytes wait to be written, 30 s by default. Then
    /// the connection is cut: a close frame could not reach the peer either. Where the transport itself
    /// holds bytes (TLS, HTTP/2, HTTP/3) the cut may come an eighth of this time later.
    ///
    /// Over HTTP/1.1 what the peer accepts shows in steps of what the system buffers, more than a
    /// megabyte where the next hop is as near as a proxy on the same host. A client behind it that takes
    /// 40 kB a second takes none for 30 s, as it seems: where there are such, allow more.
    pub write_timeout: Duration,
    /// How long the closing handshake may take, and the peer's end of the transport after it, 5 s by
    /// default. While a peer takes what is queued before the close frame, each KiB gives back a second
    /// of it: a slow line is not cut, a trickle is. To end our own direction, once the peer is waited for
    /// no longer, may take half a second more.
    pub close_timeout: Duration,
    /// Whether close codes 1012 to 1014, which IANA registered after RFC 6455, may be sent and
    /// received. Off by default, as older peers refuse them.
    pub iana_close_codes: bool,
    /// How many bytes one compressed byte may inflate to, 200 by default: DEFLATE can do 1,032,
    /// text and JSON stay below 50.
    #[cfg(feature = "deflate")]
    pub max_inflate_ratio: u32,
    /// Up to how many inflated bytes the ratio of a message is not looked at, 16 MiB by default:
    /// an honest message can be as dense as a bomb, and up to this size it does as little harm.
    #[cfg(feature = "deflate")]
    pub inflate_ratio_floor: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            high_water: 128 * 1024,
            memory_budget: Limits::default().max_message() + BESIDE_A_MESSAGE,
            shared_budget: None,
            keep_alive: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(60),
            message_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            close_timeout: Duration::from_secs(5),
            iana_close_codes: false,
            #[cfg(feature = "deflate")]
            max_inflate_ratio: 200,
            #[cfg(feature = "deflate")]
            inflate_ratio_floor: 16 * 1024 * 1024,
        }
    }
}

impl Config {
    /// Lets messages of up to `bytes` bytes in, in any number of frames up to
    /// [`Limits::max_fragments`]: sets [`Limits::max_message`], and raises [`Limits::max_frame`] and
    /// [`memory_budget`](Self::memory_budget) where they would be in the way. The budget is then at
    /// least twice such a message, because the memory that a large frame is read into doubles as it
    /// grows, and 16 MiB.
    #[must_use]
    pub fn with_max_message(mut self, bytes: usize) -> Self {
        let max_frame = self.limits.max_frame().max(bytes);
        self.limits = self.limits.with_max_message(bytes).with_max_frame(max_frame);
        let budget = bytes.saturating_mul(2).saturating_add(BESIDE_A_MESSAGE);
        self.memory_budget = self.memory_budget.max(budget);
        self
    }

    /// Sets [`limits`](Self::limits).
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets [`high_water`](Self::high_water).
    #[must_use]
    pub fn with_high_water(mut self, bytes: usize) -> Self {
        self.high_water = bytes;
        self
    }

    /// Sets [`memory_budget`](Self::memory_budget).
    #[must_use]
    pub fn with_memory_budget(mut self, bytes: usize) -> Self {
        self.memory_budget = bytes;
        self
    }

    /// Sets [`shared_budget`](Self::shared_budget).
    #[must_use]
    pub fn with_shared_budget(mut self, budget: SharedBudget) -> Self {
        self.shared_budget = Some(budget);
        self
    }

    /// Sets [`keep_alive`](Self::keep_alive).
    #[must_use]
    pub fn with_keep_alive(mut self, silence: Duration) -> Self {
        self.keep_alive = silence;
        self
    }

    /// Sets [`idle_timeout`](Self::idle_timeout).
    #[must_use]
    pub fn with_idle_timeout(mut self, silence: Duration) -> Self {
        self.idle_timeout = silence;
        self
    }

    /// Sets [`message_timeout`](Self::message_timeout).
    #[must_use]
    pub fn with_message_timeout(mut self, timeout: Duration) -> Self {
        self.message_timeout = timeout;
        self
    }

    /// Sets [`write_timeout`](Self::write_timeout).
    #[must_use]
    pub fn with_write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }

    /// Sets [`close_timeout`](Self::close_timeout).
    #[must_use]
    pub fn with_close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }

    /// Sets [`iana_close_codes`](Self::iana_close_codes).
    #[must_use]
    pub fn with_iana_close_codes(mut self, accepted: bool) -> Self {
        self.iana_close_codes = accepted;
        self
    }

    /// After how much silence the peer is pinged, if it is.
    #[inline]
    pub(crate) fn ping_after(&self) -> Option<Duration> {
        if (LEAST_KEEP_ALIVE..self.idle_timeout).contains(&self.keep_alive) {
            return Some(self.keep_alive);
        }
        self.odd_ping_after()
    }

    #[cold]
    fn odd_ping_after(&self) -> Option<Duration> {
        let is_early = self.keep_alive < LEAST_KEEP_ALIVE && LEAST_KEEP_ALIVE < self.idle_timeout;
        let after = if is_early { LEAST_KEEP_ALIVE } else { self.idle_timeout / 2 };
        (self.keep_alive != Duration::MAX && after >= LEAST_KEEP_ALIVE).then_some(after)
    }

    /// High water for pongs, which must not cross the budget by themselves.
    pub(crate) fn pong_water(&self) -> usize {
        self.high_water.clamp(1, self.budget() / 2)
    }

    /// What the memory budget counts as.
    pub(crate) fn budget(&self) -> usize {
        self.memory_budget.max(MIN_BUDGET)
    }
}

/// What is queued, windows of compression and reads, by default.
const BESIDE_A_MESSAGE: usize = 16 * 1024 * 1024;

/// More often a ping does not help anybody.
const LEAST_KEEP_ALIVE: Duration = Duration::from_millis(10);

/// Less than this no session can work with.
const MIN_BUDGET: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_ping_goes_out_while_there_is_time_to_answer() {
        let millis = Duration::from_millis;
        for (keep_alive, idle, expected) in [
            (30 * SECOND, 60 * SECOND, Some(30 * SECOND)),
            (5 * SECOND, 60 * SECOND, Some(5 * SECOND)),
            (60 * SECOND, 60 * SECOND, Some(30 * SECOND)),
            (30 * SECOND, 4 * SECOND, Some(2 * SECOND)),
            (Duration::ZERO, 60 * SECOND, Some(millis(10))),
            (millis(10), 60 * SECOND, Some(millis(10))),
            (Duration::ZERO, millis(11), Some(millis(10))),
            (Duration::ZERO, millis(10), None),
            (30 * SECOND, millis(20), Some(millis(10))),
            (30 * SECOND, millis(19), None),
            (Duration::MAX, 60 * SECOND, None),
        ] {
            let config = Config::default().with_keep_alive(keep_alive).with_idle_timeout(idle);
            assert_eq!(config.ping_after(), expected, "{keep_alive:?} of {idle:?}");
        }
    }

    #[test]
    fn every_setter_sets_its_own_and_the_rest_is_as_documented() {
        let config = Config::default();
        assert_eq!((config.high_water, config.memory_budget), (128 * 1024, 80 * 1024 * 1024));
        #[cfg(feature = "deflate")]
        assert_eq!(config.inflate_ratio_floor, 16 * 1024 * 1024);
        let limits = Limits::default().with_max_message(1);
        let shared = SharedBudget::new(0);
        let found = Config::default()
            .with_limits(limits)
            .with_high_water(2)
            .with_memory_budget(3)
            .with_shared_budget(shared.clone())
            .with_keep_alive(4 * SECOND)
            .with_idle_timeout(5 * SECOND)
            .with_message_timeout(6 * SECOND)
            .with_write_timeout(7 * SECOND)
            .with_close_timeout(8 * SECOND)
            .with_iana_close_codes(true);
        let expected = Config {
            limits,
            high_water: 2,
            memory_budget: 3,
            shared_budget: Some(shared),
            keep_alive: 4 * SECOND,
            idle_timeout: 5 * SECOND,
            message_timeout: 6 * SECOND,
            write_timeout: 7 * SECOND,
            close_timeout: 8 * SECOND,
            iana_close_codes: true,
            ..Config::default()
        };
        assert_eq!(found, expected);
        // The same budget, not one of the same size.
        assert_ne!(found, expected.with_shared_budget(SharedBudget::new(0)));
    }
}
