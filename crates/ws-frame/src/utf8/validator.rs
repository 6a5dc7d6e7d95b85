//! Validation of text that arrives in pieces (RFC 6455 §8.1), failing at the first byte that
//! cannot belong to valid UTF-8, inside a code point too.

use core::error::Error;
use core::fmt;

/// Checks UTF-8 piece by piece.
///
/// ```
/// # use ws_frame::Utf8Validator;
/// let mut validator = Utf8Validator::new();
/// assert!(validator.push(b"\xce").is_ok()); // half of a code point
/// assert!(!validator.is_complete());
/// assert!(validator.push(b"\xba").is_ok()); // the other half
/// assert!(validator.is_complete());
/// assert!(validator.push(b"\xf4\x90").is_err()); // above U+10FFFF, whatever follows
/// ```
#[derive(Clone, Debug, Default)]
pub struct Utf8Validator {
    /// The bytes of a code point that is not complete, always a valid beginning.
    partial: [u8; 4],
    partial_len: u8,
    failed: bool,
}

impl Utf8Validator {
    /// A validator that has seen nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { partial: [0; 4], partial_len: 0, failed: false }
    }

    /// Checks the next piece.
    ///
    /// # Errors
    ///
    /// What was pushed so far is not the beginning of any valid text. All later calls fail too,
    /// until [`reset`](Self::reset).
    pub fn push(&mut self, mut piece: &[u8]) -> Result<(), InvalidUtf8> {
        if self.failed {
            return Err(InvalidUtf8);
        }
        while self.partial_len > 0 {
            let Some((&byte, rest)) = piece.split_first() else { return Ok(()) };
            piece = rest;
            self.push_partial(byte)?;
        }
        // What may go on in the next piece is set aside first, so that every byte is looked at once.
        let Some((whole, begun)) = piece.split_at_checked(piece.len() - begun_at_end(piece)) else {
            return Ok(());
        };
        if !is_utf8(whole) {
            return self.fail();
        }
        begun.iter().try_for_each(|&byte| self.push_partial(byte))
    }

    /// Whether what was pushed so far is valid text by itself and may end here.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.partial_len == 0 && !self.failed
    }

    /// Forgets everything, for the next text.
    pub fn reset(&mut self) {
        *self = Self::new();
    }

    /// Adds one byte to the code point that is not complete.
    fn push_partial(&mut self, byte: u8) -> Result<(), InvalidUtf8> {
        let len = usize::from(self.partial_len) + 1;
        let Some(slot) = self.partial.get_mut(len - 1) else { return self.fail() };
        *slot = byte;
        match core::str::from_utf8(self.partial.get(..len).unwrap_or_default()) {
            Ok(_) => self.partial_len = 0,
            Err(error) if error.error_len().is_some() => return self.fail(),
            Err(_) => self.partial_len += 1,
        }
        Ok(())
    }

    fn fail(&mut self) -> Result<(), InvalidUtf8> {
        self.failed = true;
        Err(InvalidUtf8)
    }
}

/// How many bytes at the end look like the beginning of a longer code point: at most three.
fn begun_at_end(piece: &[u8]) -> usize {
    for (have, byte) in (1..=3).zip(piece.iter().rev()) {
        let wanted = match byte {
            0x80..=0xbf => continue,
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0.. => 4,
            _ => 1,
        };
        return if wanted > have { have } else { 0 };
    }
    0
}

/// Whether these bytes are valid UTF-8 by themselves.
#[inline]
pub(crate) fn is_utf8(bytes: &[u8]) -> bool {
    // Wide registers pay from about here on.
    if bytes.len() < 64 {
        return bytes.is_ascii() || core::str::from_utf8(bytes).is_ok();
    }
    simdutf8::basic::from_utf8(bytes).is_ok()
}

/// The bytes are not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing more to say")]
pub struct InvalidUtf8;

impl fmt::Display for InvalidUtf8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text is not valid utf-8")
    }
}

impl Error for InvalidUtf8 {}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    /// The position of the first byte that no valid text can have there, by the slow obvious way.
    fn first_bad(bytes: &[u8]) -> Option<usize> {
        (0..bytes.len()).find(
            |&i| matches!(core::str::from_utf8(&bytes[..=i]), Err(e) if e.error_len().is_some()),
        )
    }

    fn check(bytes: &[u8]) {
        let mut validator = Utf8Validator::new();
        let bad = bytes.iter().position(|byte| validator.push(&[*byte]).is_err());
        assert_eq!(bad, first_bad(bytes), "{bytes:02x?}");
        for cut in 0..=bytes.len() {
            let mut validator = Utf8Validator::new();
            let pushed = validator.push(&bytes[..cut]).and_then(|()| validator.push(&bytes[cut..]));
            assert_eq!(pushed.is_ok(), bad.is_none(), "{bytes:02x?} cut at {cut}");
            let whole = core::str::from_utf8(bytes).is_ok();
            assert_eq!(validator.is_complete(), whole, "{bytes:02x?} cut at {cut}");
        }
    }

    // RFC: WS-8.1-01, WS-5.6-01
    // THREAT: utf8-split
    #[test]
    fn fails_at_the_first_impossible_byte_at_every_cut() {
        let leads = [0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee];
        let more = [0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf7, 0xf8, 0xfb, 0xfc, 0xfd, 0xfe, 0xff];
        let followers = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff];
        for lead in leads.into_iter().chain(more) {
            check(&[lead]);
            for a in followers {
                for b in followers {
                    for c in followers {
                        check(&[lead, a, b, c]);
                    }
                }
            }
        }
    }

    #[test]
    fn after_a_fault_every_piece_fails_until_the_reset() {
        let mut validator = Utf8Validator::new();
        assert!(validator.push(b"\xff").is_err() && validator.push(b"fine").is_err());
        validator.reset();
        assert!(validator.push(b"fine").is_ok() && validator.is_complete());
    }

    proptest! {
        // THREAT: utf8-split
        #[test]
        fn agrees_with_the_standard_library_on_text_in_any_pieces(
            text: String,
            noise in proptest::option::of((0_usize..200, any::<u8>())),
            cuts in proptest::collection::vec(0_usize..200, 0..8),
        ) {
            let mut bytes: Vec<u8> = text.into_bytes();
            if let Some((at, byte)) = noise
                && let Some(slot) = bytes.get_mut(at) {
                    *slot = byte;
                }
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(bytes.len())).collect();
            cuts.sort_unstable();
            cuts.push(bytes.len());
            let mut validator = Utf8Validator::new();
            let mut from = 0;
            for cut in cuts {
                let _ = validator.push(&bytes[from..cut]);
                from = cut;
            }
            prop_assert_eq!(validator.is_complete(), core::str::from_utf8(&bytes).is_ok());
        }
    }
}
