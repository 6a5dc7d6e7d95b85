//! What the driver needs of an async runtime: a clock, timers and tasks.

use std::fmt;
use std::future::Future;
use std::task::{Context, Poll};
use std::time::Instant;

/// An async runtime.
///
/// Implementations are small values that are cloned freely.
pub trait Runtime: Clone + fmt::Debug + Send + Sync + Unpin + 'static {
    /// The runtime's timer.
    type Timer: Timer;

    /// The current time of the runtime's clock, which a test may have paused.
    fn now(&self) -> Instant;

    /// A timer that fires at `at`.
    fn timer(&self, at: Instant) -> Self::Timer;

    /// Starts a task that runs on its own until it ends.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);
}

/// A timer that can be moved.
///
/// The driver keeps one per connection, moves it only when a deadline comes nearer or after it
/// fired, and may poll it less often than it waits: the waker of the last poll must stay known.
pub trait Timer: Send + Unpin + 'static {
    /// Moves the timer; it fires at `at` whether or not it had fired before.
    fn reset(&mut self, at: Instant);

    /// Ready once the time has come, and from then on until the next [`reset`](Self::reset).
    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Whether it has fired since the last [`reset`](Self::reset). Only a timer that can tell without a
    /// look at the clock does; `false` promises that whoever polled it last will be woken. Where it is
    /// told, a busy connection does not look at the clock whenever it waits, and a timer that has fired
    /// before its time, as one does whose runtime has ended, is polled again.
    fn has_fired(&self) -> Option<bool> {
        None
    }
}
