//! Whether the suite itself gets to run: on a machine that is too busy, what looks like a late peer
//! may be a late judge.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

/// How often the pulse is taken.
const BEAT: Duration = Duration::from_millis(50);

/// Beats that came later than this were held up by more than the work of the suite.
const LATE: Duration = Duration::from_millis(100);

/// A beat of the suite's own, and when it was late.
#[derive(Debug)]
pub(crate) struct Pulse {
    /// When each late beat came, and by how much it was late.
    late: Arc<Mutex<Vec<(Instant, Duration)>>>,
    beating: AbortHandle,
}

impl Pulse {
    /// Begins to beat, on a task of the runtime.
    pub(crate) fn start() -> Self {
        let late = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&late);
        let beating = tokio::spawn(async move {
            loop {
                let due = Instant::now() + BEAT;
                sleep_until(due).await;
                let (now, delay) = (Instant::now(), due.elapsed());
                if delay > LATE {
                    noted.lock().unwrap_or_else(PoisonError::into_inner).push((now, delay));
                }
            }
        });
        Self { late, beating: beating.abort_handle() }
    }

    /// For how long the suite did not get to run since then.
    pub(crate) fn missed_since(&self, start: Instant) -> Duration {
        let late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        late.iter().rev().take_while(|(at, _)| *at >= start).map(|(_, delay)| *delay).sum()
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.beating.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_runtime_that_is_held_up_misses_beats() {
        let (pulse, start) = (Pulse::start(), Instant::now());
        tokio::task::yield_now().await;
        // A task that does not yield, as a process without a processor.
        while start.elapsed() < Duration::from_millis(500) {
            std::hint::spin_loop();
        }
        tokio::time::sleep(BEAT).await;
        assert!(pulse.missed_since(start) >= Duration::from_millis(300));
        assert_eq!(pulse.missed_since(Instant::now()), Duration::ZERO);
    }
}
