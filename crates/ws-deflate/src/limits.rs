//! What an [`Inflater`](crate::Inflater) may spend on one message.

/// Limits on one inflated message; checked while inflating, between steps of at most 64 KiB.
///
/// There is no "off": a zero means zero. To lift a cap, raise it.
///
/// Besides these, compressed input that produces nothing (endless empty blocks) is cut at
/// 64 KiB plus 16 bytes for every byte produced, and a stream that is ended and restarted
/// (`BFINAL`) over and over at 256 times plus once for every 256 bytes produced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InflateLimits {
    /// Largest message in bytes, inflated. Default 64 MiB.
    pub max_output: usize,
    /// Most bytes of output for one byte of compressed input. Default 200.
    ///
    /// DEFLATE cannot do more than 1 032; text and JSON stay below 50 or so.
    pub max_ratio: u32,
    /// Output in bytes up to which [`InflateLimits::max_ratio`] is not looked at. Default 1 MiB.
    ///
    /// Honest messages can be as dense as a bomb: a megabyte of zeros is a kilobyte. Below this
    /// size density does no harm; what it may cost is bounded by this number.
    pub ratio_floor: usize,
}

impl InflateLimits {
    /// The default limits, with `max_output` bytes as the largest message.
    #[must_use]
    pub fn new(max_output: usize) -> Self {
        Self { max_output, ..Self::default() }
    }

    /// Sets [`InflateLimits::max_ratio`] and [`InflateLimits::ratio_floor`].
    #[must_use]
    pub fn ratio(mut self, max_ratio: u32, floor: usize) -> Self {
        self.max_ratio = max_ratio;
        self.ratio_floor = floor;
        self
    }
}

impl Default for InflateLimits {
    fn default() -> Self {
        Self { max_output: 64 * 1024 * 1024, max_ratio: 200, ratio_floor: 1024 * 1024 }
    }
}
