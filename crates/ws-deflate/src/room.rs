//! Room for output: appended to the caller's buffer, grown in bounded steps.

use bytes::{Bytes, BytesMut};

use crate::history::History;

/// The end of a buffer being written to. Bytes up to `filled` are output, what follows is zeroes.
#[derive(Debug)]
pub(crate) struct Room<'a> {
    out: &'a mut BytesMut,
    /// Up to here the history has been told.
    told: usize,
    filled: usize,
}

impl<'a> Room<'a> {
    pub(crate) fn new(out: &'a mut BytesMut) -> Self {
        Self { told: out.len(), filled: out.len(), out }
    }

    /// Room for `step` bytes, when `most` is all that will ever be needed.
    ///
    /// Doubling the buffer must not carry it far beyond the limit, so the last growth is exact.
    pub(crate) fn make(&mut self, step: usize, most: usize) -> &mut [u8] {
        let end = self.filled + step;
        if end > self.out.len() {
            self.grow(end, self.filled.saturating_add(most));
        }
        let (_, room) = self.out.split_at_mut(self.filled);
        room.split_at_mut(step).0
    }

    fn grow(&mut self, end: usize, most: usize) {
        let capacity = self.out.capacity();
        if end > capacity && capacity.saturating_mul(2) > most {
            self.out.truncate(self.filled);
            // A vector can be grown exactly, and by the allocator: a new buffer beside the old one
            // would hold a large message twice.
            let mut exact = Vec::from(std::mem::take(self.out));
            exact.reserve_exact(most.saturating_sub(exact.len()));
            *self.out = Bytes::from(exact).into();
        }
        self.out.resize(end, 0);
    }

    pub(crate) fn advance(&mut self, produced: usize) {
        self.filled += produced;
    }

    /// Takes back the one byte by which a limit was overstepped.
    pub(crate) fn take_back_one(&mut self) {
        self.filled = self.filled.saturating_sub(1);
    }

    /// Tells the history what has been written since it was last told.
    pub(crate) fn tell(&mut self, history: &mut History) {
        self.out.truncate(self.filled);
        history.extend(self.out.split_at(self.told).1);
        self.told = self.filled;
    }
}
