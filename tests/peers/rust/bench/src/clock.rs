//! Time that this thread spent on a core, so that a busy machine disturbs less.

use rustix::time::{ClockId, clock_gettime};

/// CPU time of this thread, from its start.
#[derive(Clone, Copy)]
pub struct CpuTime(i128);

impl CpuTime {
    pub fn now() -> Self {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Self(i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec))
    }

    /// Nanoseconds on a core since then.
    pub fn elapsed(self) -> f64 {
        (Self::now().0 - self.0) as f64
    }
}
