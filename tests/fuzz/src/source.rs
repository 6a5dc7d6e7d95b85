//! Bytes as decisions: whoever mutates the bytes decides what a target does. When they are used up
//! every further decision is zero, so every target ends.

/// The bytes that are left.
#[derive(Clone, Debug)]
pub struct Source<'a> {
    rest: &'a [u8],
}

impl<'a> Source<'a> {
    /// Decisions out of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// One byte.
    pub fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        first
    }

    /// Two bytes.
    pub fn short(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// Up to `len` bytes.
    pub fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(len.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }
}

/// Cuts `whole` into pieces: 0 leaves it whole, 1 takes single bytes, any other seed takes lengths of
/// 1 to 16 that follow from it.
pub fn pieces(whole: &[u8], seed: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = whole;
    let mut state = u64::from(seed);
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let len = match seed {
            0 => rest.len(),
            1 => 1,
            _ => {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                usize::try_from(state >> 60).unwrap_or_default() + 1
            }
        };
        let (piece, more) = rest.split_at(len.min(rest.len()));
        rest = more;
        Some(piece)
    })
}
