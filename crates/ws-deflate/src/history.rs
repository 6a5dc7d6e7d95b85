//! The last bytes of output, at most a window of them.
//!
//! A stream that ends (`BFINAL`) takes its window with it, while RFC 7692 §7.2.3.4 lets the next
//! block refer past it. Keeping the window here as well is what lets an inflater go on; it is also
//! all an idle connection has to keep.

/// A ring of the last `size` bytes.
#[derive(Debug)]
pub(crate) struct History {
    bytes: Vec<u8>,
    /// Where the oldest byte is, once the ring is full.
    oldest: usize,
    size: usize,
}

impl History {
    pub(crate) fn new(window_bits: u8) -> Self {
        Self { bytes: Vec::new(), oldest: 0, size: 1 << window_bits }
    }

    pub(crate) fn extend(&mut self, new: &[u8]) {
        let skipped = new.len().saturating_sub(self.size);
        let (_, new) = new.split_at(skipped);
        let (fill, over) = new.split_at(new.len().min(self.size - self.bytes.len()));
        self.reserve(fill.len());
        self.bytes.extend_from_slice(fill);

        let (_, to_end) = self.bytes.split_at_mut(self.oldest);
        let (end, start) = over.split_at(over.len().min(to_end.len()));
        copy(to_end, end);
        copy(&mut self.bytes, start);
        if !over.is_empty() {
            self.oldest = (self.oldest + over.len()) % self.size;
        }
    }

    /// The bytes, oldest first.
    pub(crate) fn as_slice(&mut self) -> &[u8] {
        self.bytes.rotate_left(self.oldest);
        self.oldest = 0;
        &self.bytes
    }

    /// How many bytes of memory it takes.
    pub(crate) fn held(&self) -> usize {
        self.bytes.capacity()
    }

    /// Forgets everything, and frees it.
    pub(crate) fn clear(&mut self) {
        self.bytes = Vec::new();
        self.oldest = 0;
    }

    pub(crate) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// Doubles, but never beyond `size`: a window is a power of two and most sums are not.
    fn reserve(&mut self, more: usize) {
        let len = self.bytes.len() + more;
        if len > self.bytes.capacity() {
            let capacity = len.max(self.bytes.capacity() * 2).min(self.size);
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
    }
}

/// Copies `from` to the beginning of `to`.
fn copy(to: &mut [u8], from: &[u8]) {
    let (to, _) = to.split_at_mut(from.len());
    to.copy_from_slice(from);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_reserved_and_not_used_is_given_back() {
        let mut history = History::new(12);
        history.extend(&[0; 300]);
        history.extend(&[0; 10]);
        history.shrink();
        assert_eq!((history.held(), history.as_slice().len()), (310, 310));
    }

    #[test]
    fn the_last_window_is_kept_in_order() {
        for step in [1, 7, 100, 511, 512, 513, 2_000] {
            // Does not repeat within a window.
            let text: Vec<u8> = (0_u32..5_000).map(|n| (n / 3).to_le_bytes()[0]).collect();
            let mut history = History::new(9);
            let mut seen = 0;
            for piece in text.chunks(step) {
                history.extend(piece);
                seen += piece.len();
                if seen % 3 == 0 {
                    assert_eq!(history.as_slice(), &text[seen.saturating_sub(512)..seen]);
                }
                assert!(history.bytes.capacity() <= 512);
            }
            assert_eq!(history.as_slice(), &text[text.len() - 512..]);
        }
    }
}
