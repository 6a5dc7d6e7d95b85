//! The clock, timers and tasks of tokio.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::task::unconstrained;

/// The tokio runtime, for everything generic over a runtime.
///
/// Must be used inside a tokio runtime whose I/O and time drivers are enabled.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use ws_io::Runtime;
///
/// let now = ws_tokio::Tokio.now();
/// assert!(now <= ws_tokio::Tokio.now());
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Tokio;

impl ws_io::Runtime for Tokio {
    type Timer = Timer;

    /// The clock of `tokio::time`, so `tokio::time::pause` stops it.
    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn timer(&self, at: Instant) -> Timer {
        Timer { sleep: Box::pin(tokio::time::sleep_until(at.into())) }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(task);
    }
}

/// A `tokio::time::Sleep` that can be moved and reset, and goes on in another runtime when its own has ended.
#[derive(Debug)]
pub struct Timer {
    sleep: Pin<Box<tokio::time::Sleep>>,
}

impl Timer {
    /// Whether it has fired because its runtime has ended, which fires all that are left.
    fn is_orphaned(&self) -> bool {
        self.sleep.is_elapsed() && tokio::time::Instant::now() < self.sleep.deadline()
    }

    /// Goes on in the runtime that runs this, if one does.
    fn move_here(&mut self) {
        if Handle::try_current().is_ok() {
            let at = self.sleep.deadline();
            self.sleep = Box::pin(tokio::time::sleep_until(at));
            // Begins to wait. To be polled for that would be a panic if this runtime has ended, too.
            self.sleep.as_mut().reset(at);
        }
    }
}

impl ws_io::Timer for Timer {
    fn reset(&mut self, at: Instant) {
        self.sleep.as_mut().reset(at.into());
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_orphaned() {
            self.move_here();
        }
        if self.sleep.is_elapsed() {
            return Poll::Ready(());
        }
        // In a task that has used up its turn a `Sleep` has it polled once more instead, and forgets whom to
        // wake: a connection that knows its timer to be set does not poll it again.
        pin!(unconstrained(self.sleep.as_mut())).poll(cx)
    }

    fn has_fired(&self) -> Option<bool> {
        Some(self.sleep.is_elapsed())
    }
}
