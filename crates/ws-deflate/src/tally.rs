//! What a message has cost and yielded so far, and whether that is sane.
//!
//! The checks fall on fixed distances of the message's own input and output, not on the pieces it
//! happens to arrive in: a message is refused or not, however it is cut.

use crate::error::{Corruption, Error};
use crate::limits::InflateLimits;

/// Accounts of the message being inflated.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Compressed bytes used up.
    pub(crate) consumed: u64,
    /// Bytes of output.
    pub(crate) produced: u64,
    /// At least as many bytes of input as were used up since the last output, if there was any.
    pub(crate) quiet: Option<usize>,
    /// Times a stream ended and another one followed.
    restarts: u64,
}

impl Tally {
    /// Takes note that `input` bytes were used up, and whether they yielded anything.
    pub(crate) fn note(&mut self, input: usize, fruit: bool) {
        let quiet = if fruit { Some(0) } else { self.quiet };
        self.quiet = quiet.map(|quiet| quiet.saturating_add(input));
    }

    /// How much of `wanted` bytes of output may be made room for before the next check.
    pub(crate) fn output_step(&self, wanted: usize) -> usize {
        wanted.min(to_next_step(self.produced))
    }

    /// How much of `wanted` bytes of input may be fed before the next check.
    pub(crate) fn input_step(&self, wanted: usize) -> usize {
        wanted.min(to_next_step(self.consumed))
    }

    /// Checks density at whole steps of output.
    pub(crate) fn check_step(&self, limits: &InflateLimits) -> Result<(), Error> {
        if self.produced.is_multiple_of(STEP) { self.check_ratio(limits) } else { Ok(()) }
    }

    pub(crate) fn check_ratio(&self, limits: &InflateLimits) -> Result<(), Error> {
        let (produced, consumed, max) = (self.produced, self.consumed, limits.max_ratio);
        if produced > limits.ratio_floor as u64 && produced > consumed * u64::from(max) {
            return Err(Error::InflateRatioTooHigh { produced, consumed, max });
        }
        Ok(())
    }

    /// Checks, at whole steps of input, that it yields something.
    pub(crate) fn check_fruit(&self) -> Result<(), Error> {
        let allowed = FRUITLESS + self.produced * FRUITLESS_PER_BYTE;
        if self.consumed.is_multiple_of(STEP) && self.consumed > allowed {
            return Err(Error::BadDeflate(Corruption::Fruitless));
        }
        Ok(())
    }

    /// Counts a stream that follows an ended one. The first of a message costs nothing: the one
    /// before it ended with the message before.
    pub(crate) fn restart(&mut self) -> Result<(), Error> {
        self.restarts += u64::from(self.consumed > 0);
        if self.restarts > RESTARTS + self.produced / BYTES_PER_RESTART {
            return Err(Error::BadDeflate(Corruption::TooManyRestarts));
        }
        Ok(())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "at most a step")]
fn to_next_step(at: u64) -> usize {
    (STEP - at % STEP) as usize
}

/// The distance between checks: also the largest single growth of the output.
const STEP: u64 = 64 * 1024;
/// Compressed bytes that need not yield anything.
const FRUITLESS: u64 = 64 * 1024;
/// Further ones for each byte of output. Seven are common where every byte is flushed.
const FRUITLESS_PER_BYTE: u64 = 16;
/// Restarts, at about a microsecond each, that need not yield anything.
const RESTARTS: u64 = 256;
/// Output that earns another one.
const BYTES_PER_RESTART: u64 = 256;
