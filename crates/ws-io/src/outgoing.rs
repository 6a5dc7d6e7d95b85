//! The queue on its way into a transport.

use std::io::IoSlice;

use bytes::{Buf, Bytes};
use ws_frame::WriteQueue;

use crate::read_budget;

/// The queue as a transport sees it: the memory of what was written goes back to the pool.
pub(crate) struct Outgoing<'a>(pub(crate) &'a mut WriteQueue);

impl Buf for Outgoing<'_> {
    fn remaining(&self) -> usize {
        self.0.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.0.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.0.advance_with(count, read_budget::recycle);
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.0.chunks_vectored(slices)
    }

    fn copy_to_bytes(&mut self, count: usize) -> Bytes {
        self.0.copy_to_bytes(count)
    }
}
