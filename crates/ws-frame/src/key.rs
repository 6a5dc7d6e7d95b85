//! Where masking keys come from. This crate has no randomness of its own.

use alloc::boxed::Box;
use core::fmt;

/// A source of masking keys for the frames of a client.
///
/// RFC 6455 §5.3 and §10.3 ask for a fresh, unpredictable key per frame: the source must be a
/// cryptographically secure random number generator. Anything else lets a malicious script choose
/// the bytes that intermediaries see.
pub struct MaskKeys {
    next: Box<dyn FnMut() -> [u8; 4] + Send + Sync>,
}

impl MaskKeys {
    /// Takes keys from `source`, one call per frame.
    ///
    /// A closure that captures nothing costs no allocation.
    pub fn new(source: impl FnMut() -> [u8; 4] + Send + Sync + 'static) -> Self {
        Self { next: Box::new(source) }
    }

    /// The key for the next frame.
    pub(crate) fn next_key(&mut self) -> [u8; 4] {
        (self.next)()
    }
}

impl fmt::Debug for MaskKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaskKeys").finish_non_exhaustive()
    }
}
