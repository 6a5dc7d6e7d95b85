//! `Sec-WebSocket-Key` and the `Sec-WebSocket-Accept` that proves it was read (RFC 6455 §4.2.2).
//!
//! This keeps caches and confused servers apart from WebSocket servers; it is no authentication.

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use sha1::{Digest as _, Sha1};

/// The value of `Sec-WebSocket-Accept`: 28 characters of base64.
///
/// ```
/// use ws_h1_upgrade::AcceptKey;
///
/// let accept = AcceptKey::derive(b"dGhlIHNhbXBsZSBub25jZQ==");
/// assert_eq!(accept.as_str(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptKey([u8; 28]);

impl AcceptKey {
    /// The answer to `key`, the field value without surrounding whitespace. The key itself is not
    /// checked here.
    #[must_use]
    pub fn derive(key: &[u8]) -> Self {
        let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
        let mut text = [0; 28];
        let written = STANDARD.encode_slice(digest, &mut text);
        debug_assert_eq!(written, Ok(28), "20 bytes are 28 characters");
        Self(text)
    }

    /// The field value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Compares without giving away by its timing how much was right.
    #[must_use]
    pub fn matches(&self, found: &[u8]) -> bool {
        found.len() == self.0.len()
            && self.0.iter().zip(found).fold(0, |differ, (ours, theirs)| differ | (ours ^ theirs))
                == 0
    }
}

/// A client's key: 16 random bytes, new for every connection, retries and redirects included.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ClientKey([u8; 24]);

impl ClientKey {
    /// A key from 16 unpredictable bytes.
    #[must_use]
    pub fn new(random: [u8; 16]) -> Self {
        let mut text = [0; 24];
        let written = STANDARD.encode_slice(random, &mut text);
        debug_assert_eq!(written, Ok(24), "16 bytes are 24 characters");
        Self(text)
    }

    /// The value of `Sec-WebSocket-Key`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// What the server must answer.
    #[must_use]
    pub fn accept(&self) -> AcceptKey {
        AcceptKey::derive(&self.0)
    }
}

impl core::fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("ClientKey").finish_non_exhaustive()
    }
}

/// Whether `key` is base64 of 16 bytes. The unused bits of the last character may be anything
/// (erratum 3150).
pub(crate) fn is_valid_key(key: &[u8]) -> bool {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &ALPHABET,
        GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
    );
    // The decoder wants room for whole groups of three.
    let mut bytes = [0; 18];
    key.len() == 24 && LENIENT.decode_slice(key, &mut bytes) == Ok(16)
}

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#[cfg(test)]
mod tests {
    use super::*;

    // RFC: WS-4.2.1-05, ER-3150
    #[test]
    fn a_key_is_base64_of_sixteen_bytes() {
        let rows = [
            ("dGhlIHNhbXBsZSBub25jZQ==", true),
            ("AQIDBAUGBwgJCgsMDQ4PEA==", true),
            ("AQIDBAUGBwgJCgsMDQ4PEC==", true),
            ("AQIDBAUGBwgJCgsMDQ4PEP==", true),
            ("AQIDBAUGBwgJCgsMDQ4PEA=", false),
            ("AQIDBAUGBwgJCgsMDQ4PEA", false),
            ("AQIDBAUGBwgJCgsMDQ4PEBA=", false),
            ("AQIDBAUGBwgJCgsMDQ4PEBAQ", false),
            ("AQIDBAUGBwgJCgsMDQ4P", false),
            ("AQIDBAUGBwgJCgsMDQ4PE\n==", false),
            ("AQIDBAUGBwgJCgsMDQ4P-_==", false),
            ("========================", false),
            ("", false),
        ];
        for (key, want) in rows {
            assert_eq!(is_valid_key(key.as_bytes()), want, "{key:?}");
        }
    }

    // RFC: WS-4.2.2-12, WS-4.1-18
    #[test]
    fn a_client_expects_what_a_server_derives() {
        let key = ClientKey::new(*b"the sample nonce");
        assert_eq!(key.as_str(), "dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(key.accept().as_str(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(key.accept().matches(b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert!(!key.accept().matches(b"s3pPLMBiTxaQ9kYGzzhZRbK+xOO="));
        assert!(!key.accept().matches(b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo"));
        assert_eq!(format!("{key:?}"), "ClientKey(..)");
    }
}
