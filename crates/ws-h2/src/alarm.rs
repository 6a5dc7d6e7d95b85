//! Deadlines on whatever runtime there is.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use ws_io::{Runtime, Timer};

use crate::error::Error;

/// The one timer of a connection: made when it is first needed, moved when its deadline changes.
pub(crate) struct Alarm<R: Runtime> {
    timer: Option<R::Timer>,
    at: Option<Instant>,
}

impl<R: Runtime> Alarm<R> {
    pub(crate) fn new() -> Self {
        Self { timer: None, at: None }
    }

    /// Ready once `deadline` has come.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        runtime: &R,
        deadline: Instant,
    ) -> Poll<()> {
        let is_new = self.at.replace(deadline) != Some(deadline);
        match &mut self.timer {
            Some(timer) => {
                if is_new {
                    timer.reset(deadline);
                }
                timer.poll_expired(cx)
            }
            none => none.insert(runtime.timer(deadline)).poll_expired(cx),
        }
    }
}

/// A runtime's clock without the runtime's type.
pub(crate) trait Clock: fmt::Debug + Send + Sync {
    fn after(&self, time: Duration) -> Instant;

    fn sleep(&self, until: Instant) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

impl<R: Runtime> Clock for R {
    fn after(&self, time: Duration) -> Instant {
        after(self.now(), time)
    }

    fn sleep(&self, until: Instant) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let mut timer = self.timer(until);
        Box::pin(poll_fn(move |cx| timer.poll_expired(cx)))
    }
}

/// Runs `task` until `deadline`.
pub(crate) async fn within<T>(
    clock: &dyn Clock,
    deadline: Instant,
    task: impl Future<Output = T>,
) -> Result<T, Error> {
    let mut timer = None;
    let mut task = pin!(task);
    poll_fn(|cx| match task.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Ok(value)),
        Poll::Pending => {
            let timer = timer.get_or_insert_with(|| clock.sleep(deadline));
            timer.as_mut().poll(cx).map(|()| Err(Error::Timeout))
        }
    })
    .await
}

/// `time` after `now`, or as late as matters.
pub(crate) fn after(now: Instant, time: Duration) -> Instant {
    now.checked_add(time).unwrap_or(now + FAR)
}

/// Stands for a deadline too far away to be an instant: more than a century.
const FAR: Duration = Duration::from_secs(u32::MAX as u64);
