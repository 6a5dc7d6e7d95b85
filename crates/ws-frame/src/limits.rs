//! How much a peer may send in one frame and one message.

use core::num::NonZeroUsize;

/// The limits of what is received. None of them can be switched off.
///
/// ```
/// let limits = ws_frame::Limits::default().with_max_message(1024 * 1024);
/// assert_eq!(limits.max_message(), 1024 * 1024);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    max_frame: NonZeroUsize,
    max_message: NonZeroUsize,
    max_fragments: NonZeroUsize,
}

impl Limits {
    /// The most payload bytes of one frame that are taken by default, here and by many others: what
    /// is larger had better be sent in fragments.
    pub const DEFAULT_MAX_FRAME: usize = 16 * 1024 * 1024;

    /// The most payload bytes of one data frame, 16 MiB by default: a frame is held whole in memory.
    /// Control frames have at most 125 (RFC 6455 §5.5), whatever this says.
    #[must_use]
    pub const fn max_frame(&self) -> usize {
        self.max_frame.get()
    }

    /// The most bytes of one message, after inflating, 64 MiB by default.
    #[must_use]
    pub const fn max_message(&self) -> usize {
        self.max_message.get()
    }

    /// The most frames of one message, 65,536 by default: as many as a message of the default size
    /// has when it is sent in pieces of 1 KiB.
    #[must_use]
    pub const fn max_fragments(&self) -> usize {
        self.max_fragments.get()
    }

    /// Sets [`max_frame`](Self::max_frame) in bytes; 0 counts as 1.
    #[must_use]
    pub const fn with_max_frame(mut self, bytes: usize) -> Self {
        self.max_frame = at_least_one(bytes);
        self
    }

    /// Sets [`max_message`](Self::max_message) in bytes; 0 counts as 1.
    #[must_use]
    pub const fn with_max_message(mut self, bytes: usize) -> Self {
        self.max_message = at_least_one(bytes);
        self
    }

    /// Sets [`max_fragments`](Self::max_fragments) in frames; 0 counts as 1.
    #[must_use]
    pub const fn with_max_fragments(mut self, frames: usize) -> Self {
        self.max_fragments = at_least_one(frames);
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_frame: at_least_one(Self::DEFAULT_MAX_FRAME),
            max_message: at_least_one(64 * 1024 * 1024),
            max_fragments: at_least_one(65_536),
        }
    }
}

const fn at_least_one(n: usize) -> NonZeroUsize {
    match NonZeroUsize::new(n) {
        Some(n) => n,
        None => NonZeroUsize::MIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // THREAT: no-limits
    #[test]
    fn zero_does_not_switch_a_limit_off() {
        let limits = Limits::default().with_max_frame(0).with_max_message(0).with_max_fragments(0);
        assert_eq!((limits.max_frame(), limits.max_message(), limits.max_fragments()), (1, 1, 1));
    }
}
