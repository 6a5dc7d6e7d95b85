//! Where masking keys come from. This crate has no randomness of its own.

use alloc::boxed::Box;
use core::fmt;

/// How many keys are fetched at a time: 64 random bytes, so that a generator behind a lock or
/// a thread-local is not asked for every frame.
const BATCH: usize = 16;

/// A source of masking keys for the frames of a client.
///
/// RFC 6455 §5.3 and §10.3 ask for a fresh, unpredictable key per frame: the source must be a
/// cryptographically secure random number generator. Anything else lets a malicious script choose
/// the bytes that intermediaries see.
pub struct MaskKeys {
    batch: [[u8; 4]; BATCH],
    used: usize,
    #[expect(clippy::type_complexity, reason = "a closure that can cross threads, used once")]
    fill: Box<dyn FnMut(&mut [u8]) + Send + Sync>,
}

impl MaskKeys {
    /// Takes one key per frame from `source`, fetching a few in advance.
    pub fn new(mut source: impl FnMut() -> [u8; 4] + Send + Sync + 'static) -> Self {
        Self::from_fill(move |batch| {
            for key in batch.chunks_exact_mut(4) {
                key.copy_from_slice(&source());
            }
        })
    }

    /// Takes random bytes from `fill`, 64 at a time; the fastest way to use a generator.
    pub fn from_fill(fill: impl FnMut(&mut [u8]) + Send + Sync + 'static) -> Self {
        Self { batch: [[0; 4]; BATCH], used: BATCH, fill: Box::new(fill) }
    }

    /// The key for the next frame.
    #[inline]
    pub(crate) fn next_key(&mut self) -> [u8; 4] {
        if self.used == BATCH {
            (self.fill)(self.batch.as_flattened_mut());
            self.used = 0;
        }
        let key = self.batch.get(self.used).copied();
        self.used += 1;
        // `used` is below the length of the batch.
        key.unwrap_or_default()
    }
}

impl fmt::Debug for MaskKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaskKeys").finish_non_exhaustive()
    }
}
