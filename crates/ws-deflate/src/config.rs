//! What one endpoint wants of permessage-deflate: the input of the negotiation (RFC 7692 §7.1).
//!
//! The names of the fields are the RFC's, and so they are about *the server* and *the client*, not
//! about us and them: `server_max_window_bits` limits our own compressor when we are the server,
//! and is asked of the peer when we are the client.

use std::time::Duration;

use crate::params::{MAX_WINDOW_BITS, MIN_WINDOW_BITS};

/// Options of permessage-deflate for one endpoint, server or client.
///
/// The default compresses well and interoperates with everybody, at the price of memory: a full
/// window and a context kept from message to message, in both directions. For many mostly idle
/// connections use [`Config::low_memory`].
///
/// ```
/// use ws_deflate::Config;
///
/// let config = Config::default().level(9).threshold(256).server_no_context_takeover(true);
/// assert_eq!(config.level, 9);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Effort of the compressor, 0 (stored) to 9 (smallest). Default 6.
    ///
    /// Level 1 is quick for large messages and poor for small ones, which it codes with fixed
    /// tables; nothing below 4 is worth it for typical messages.
    pub level: u8,
    /// Messages of fewer bytes than this are better sent uncompressed. Default 64 bytes.
    ///
    /// A hint for whoever decides per message; the codec itself compresses what it is given.
    pub threshold: usize,
    /// The server starts every message with an empty window (RFC 7692 §7.1.1.1). Default `false`.
    ///
    /// As a server: announced in every answer. As a client: asked for in the offer, and an answer
    /// without it is refused.
    pub server_no_context_takeover: bool,
    /// The client starts every message with an empty window (RFC 7692 §7.1.1.2). Default `false`.
    ///
    /// As a server: demanded in every answer. As a client: offered as a hint, and obeyed whether
    /// or not the server takes it up.
    pub client_no_context_takeover: bool,
    /// Largest window of the server's compressor as a power of two, 9 to 15. Default 15 (32 KiB).
    ///
    /// As a client, less than 15 goes into the offer, and an answer that does not honour it is
    /// refused.
    pub server_max_window_bits: u8,
    /// Largest window of the client's compressor as a power of two, 9 to 15. Default `Some(15)`.
    ///
    /// As a client, `None` keeps `client_max_window_bits` out of the offer, so that a server may
    /// not limit us. As a server, `None` asks for nothing.
    pub client_max_window_bits: Option<u8>,
    /// After how long without a compressed message the contexts kept by takeover are given up.
    /// Default 10 seconds; `Duration::MAX` keeps them as long as the connection.
    ///
    /// The next message then finds an empty window on its way out, and compresses as the first one
    /// did. What the peer sends may still refer to earlier messages, so of the decompressor the
    /// window is kept. A matter of memory alone: nothing of it is negotiated, and the peer cannot
    /// tell. For whoever has a clock; the codec has none.
    pub release_after: Duration,
}

impl Config {
    /// Options for many mostly idle connections: nothing is kept between messages.
    ///
    /// Context takeover is off in both directions, so contexts come from a pool and an idle
    /// connection holds none. This also denies an attacker the history that CRIME-like attacks
    /// compare against (RFC 7692 §8) across messages, though not within one.
    #[must_use]
    pub fn low_memory() -> Self {
        Self::default().server_no_context_takeover(true).client_no_context_takeover(true)
    }

    /// Sets [`Config::level`]; more than 9 counts as 9.
    #[must_use]
    pub fn level(mut self, level: u8) -> Self {
        self.level = level.min(9);
        self
    }

    /// Sets [`Config::threshold`], in bytes.
    #[must_use]
    pub fn threshold(mut self, bytes: usize) -> Self {
        self.threshold = bytes;
        self
    }

    /// Sets [`Config::server_no_context_takeover`].
    #[must_use]
    pub fn server_no_context_takeover(mut self, yes: bool) -> Self {
        self.server_no_context_takeover = yes;
        self
    }

    /// Sets [`Config::client_no_context_takeover`].
    #[must_use]
    pub fn client_no_context_takeover(mut self, yes: bool) -> Self {
        self.client_no_context_takeover = yes;
        self
    }

    /// Sets [`Config::server_max_window_bits`], brought into 9 to 15.
    #[must_use]
    pub fn server_max_window_bits(mut self, bits: u8) -> Self {
        self.server_max_window_bits = supported(bits);
        self
    }

    /// Sets [`Config::client_max_window_bits`], brought into 9 to 15.
    #[must_use]
    pub fn client_max_window_bits(mut self, bits: Option<u8>) -> Self {
        self.client_max_window_bits = bits.map(supported);
        self
    }

    /// Sets [`Config::release_after`].
    #[must_use]
    pub fn release_after(mut self, idle: Duration) -> Self {
        self.release_after = idle;
        self
    }

    /// Whether a message of `len` bytes reaches [`Config::threshold`].
    #[must_use]
    pub fn is_worthwhile(&self, len: usize) -> bool {
        len >= self.threshold
    }

    /// The window limit for the server, whatever was written into the public field.
    pub(crate) fn server_bits(&self) -> u8 {
        supported(self.server_max_window_bits)
    }

    /// The window limit for the client, whatever was written into the public field.
    pub(crate) fn client_bits(&self) -> Option<u8> {
        self.client_max_window_bits.map(supported)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            level: 6,
            threshold: 64,
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: MAX_WINDOW_BITS,
            client_max_window_bits: Some(MAX_WINDOW_BITS),
            release_after: Duration::from_secs(10),
        }
    }
}

fn supported(bits: u8) -> u8 {
    bits.clamp(MIN_WINDOW_BITS, MAX_WINDOW_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_range_are_brought_into_it() {
        for (given, kept) in [(0, 9), (8, 9), (9, 9), (12, 12), (15, 15), (16, 15), (255, 15)] {
            let config =
                Config::default().server_max_window_bits(given).client_max_window_bits(Some(given));
            assert_eq!(config.server_max_window_bits, kept);
            assert_eq!(config.client_max_window_bits, Some(kept));
        }
        assert_eq!(Config::default().level(200).level, 9);
    }

    #[test]
    fn threshold_is_the_first_size_worth_compressing() {
        let config = Config::default().threshold(100);
        assert!(!config.is_worthwhile(99));
        assert!(config.is_worthwhile(100));
    }
}
