//! Borrowed slices as one buffer.

use std::io::IoSlice;

use bytes::Buf;

/// Slices to be written one after the other.
pub(crate) struct Slices<'a> {
    bufs: &'a [IoSlice<'a>],
    /// How much of the first slice is written.
    done: usize,
}

impl<'a> Slices<'a> {
    pub(crate) fn new(bufs: &'a [IoSlice<'a>]) -> Self {
        let mut slices = Self { bufs, done: 0 };
        // A buffer shows no empty chunk while something is left.
        slices.advance(0);
        slices
    }
}

impl Buf for Slices<'_> {
    fn remaining(&self) -> usize {
        self.bufs.iter().map(|slice| slice.len()).sum::<usize>() - self.done
    }

    fn chunk(&self) -> &[u8] {
        self.bufs.first().and_then(|slice| slice.get(self.done..)).unwrap_or_default()
    }

    fn chunks_vectored<'b>(&'b self, dst: &mut [IoSlice<'b>]) -> usize {
        let mut count = 0;
        let rest = self.bufs.iter().skip(1).map(|slice| &slice[..]);
        for (to, from) in dst.iter_mut().zip(std::iter::once(self.chunk()).chain(rest)) {
            *to = IoSlice::new(from);
            count += 1;
        }
        count
    }

    fn advance(&mut self, mut count: usize) {
        while let Some((first, rest)) = self.bufs.split_first() {
            let left = first.len() - self.done;
            if count < left {
                self.done += count;
                return;
            }
            count -= left;
            self.done = 0;
            self.bufs = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_read_as_what_they_hold_however_they_are_cut() {
        for cut in 1..8 {
            let parts = [&b""[..], b"ab", b"", b"cde", b"f", b""].map(IoSlice::new);
            let mut slices = Slices::new(&parts);
            let mut read = Vec::new();
            while slices.has_remaining() {
                assert!(!slices.chunk().is_empty());
                let take = cut.min(slices.remaining());
                read.extend_from_slice(&slices.copy_to_bytes(take));
            }
            assert_eq!(read, b"abcdef", "{cut} at a time");
        }
    }
}
