//! A future with an end: the one place where an endpoint waits against the clock.

use std::future::{Future, poll_fn};
use std::pin::pin;
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

/// `now` plus `duration`, which may be as long as a caller likes.
pub(crate) fn after<R: Runtime>(runtime: &R, duration: Duration) -> Instant {
    let now = runtime.now();
    now.checked_add(duration).unwrap_or_else(|| now + Duration::from_secs(u32::MAX.into()))
}
