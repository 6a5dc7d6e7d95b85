//! A future with an end, and a peer that has to go on: the one place where an endpoint waits against
//! the clock.

use std::future::{Future, poll_fn};
use std::pin::pin;
#[cfg(feature = "rustls")]
use std::task::Context;
use std::task::Poll;
use std::time::{Duration, Instant};

use ws_io::{Runtime, Timer};

/// Runs `future` until `at`; `None` means the time came first.
pub(crate) async fn until<R: Runtime, F: Future>(
    runtime: &R,
    at: Instant,
    future: F,
) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut timer = None;
    poll_fn(|cx| {
        // The work goes first: what was done in time counts, however late we are told.
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        timer.get_or_insert_with(|| runtime.timer(at)).poll_expired(cx).map(|()| None)
    })
    .await
}

/// How long a peer may be silent.
#[cfg(feature = "rustls")]
pub(crate) struct Patience<'a, R: Runtime> {
    runtime: &'a R,
    silence: Duration,
    timer: Option<R::Timer>,
}

#[cfg(feature = "rustls")]
impl<'a, R: Runtime> Patience<'a, R> {
    pub(crate) const fn new(runtime: &'a R, silence: Duration) -> Self {
        Self { runtime, silence, timer: None }
    }

    /// Ready when the peer has been silent for too long.
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>, has_heard: bool) -> Poll<()> {
        if has_heard {
            self.timer = None;
        }
        let Self { runtime, silence, timer } = self;
        let timer = timer.get_or_insert_with(|| runtime.timer(after(*runtime, *silence)));
        timer.poll_expired(cx)
    }
}

/// `now` plus `duration`, which may be as long as a caller likes.
pub(crate) fn after<R: Runtime>(runtime: &R, duration: Duration) -> Instant {
    let now = runtime.now();
    now.checked_add(duration).unwrap_or_else(|| now + Duration::from_secs(u32::MAX.into()))
}
