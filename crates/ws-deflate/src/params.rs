//! What was agreed, seen from one side: what our compressor obeys and what our decompressor may
//! expect (RFC 7692 §7.1).

use crate::config::Config;
use crate::deflater::Deflater;
use crate::inflater::Inflater;

/// The agreed parameters, seen from one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Params {
    /// What our compressor must obey.
    pub outbound: Direction,
    /// What the peer's compressor promised, and our decompressor relies on.
    pub inbound: Direction,
}

/// The agreed parameters of the messages in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Direction {
    /// Largest LZ77 window as a power of two, 8 to 15 (256 bytes to 32 KiB).
    pub window_bits: u8,
    /// Whether a message may refer to the messages before it.
    pub context_takeover: bool,
}

impl Params {
    /// Whether our side may send compressed messages at all.
    ///
    /// `false` only when the server told us `client_max_window_bits=8`. No compressor here has a
    /// window of 256 bytes, and pretending with 512 would break the promise; every message then
    /// goes uncompressed, which RFC 7692 §6 always permits.
    #[must_use]
    pub fn may_compress(&self) -> bool {
        self.outbound.window_bits >= MIN_WINDOW_BITS
    }

    /// A compressor for these parameters, with the level of `config`; `None` unless
    /// [`Params::may_compress`]. Allocates nothing yet.
    #[must_use]
    pub fn deflater(&self, config: &Config) -> Option<Deflater> {
        self.may_compress().then(|| {
            Deflater::new(self.outbound.window_bits, self.outbound.context_takeover, config.level)
        })
    }

    /// A decompressor for these parameters. Allocates nothing yet.
    #[must_use]
    pub fn inflater(&self) -> Inflater {
        Inflater::new(self.inbound.window_bits, self.inbound.context_takeover)
    }
}

impl Direction {
    /// A direction with a window of 2^`window_bits` bytes, brought into 8 to 15.
    #[must_use]
    pub fn new(window_bits: u8, context_takeover: bool) -> Self {
        Self { window_bits: window_bits.clamp(8, MAX_WINDOW_BITS), context_takeover }
    }
}

/// Smallest window a compressor here has, as a power of two.
pub(crate) const MIN_WINDOW_BITS: u8 = 9;
/// Largest window DEFLATE has (RFC 1951), as a power of two.
pub(crate) const MAX_WINDOW_BITS: u8 = 15;

/// The registered name of the extension (RFC 7692 §7).
pub(crate) const NAME: &str = "permessage-deflate";
pub(crate) const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
pub(crate) const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
pub(crate) const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
pub(crate) const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";
