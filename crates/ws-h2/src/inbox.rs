//! What has arrived on one stream and was not read yet.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

/// Bytes in the order they came. Small frames are copied together, so that a flood of tiny frames
/// costs what its bytes cost; large ones are kept as they are.
///
/// Its size is bounded by the stream's window: credit goes back to the peer only for what was read.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    /// Older than everything in the tail.
    chunks: VecDeque<Bytes>,
    tail: BytesMut,
    len: usize,
}

impl Inbox {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn push(&mut self, frame: Bytes) {
        self.len += frame.len();
        if frame.len() < LARGE {
            if self.tail.capacity() == 0 {
                // Enough that `recycle` keeps it.
                self.tail.reserve(frame.len().max(KEPT));
            }
            self.tail.extend_from_slice(&frame);
            return;
        }
        if !self.tail.is_empty() {
            self.chunks.push_back(self.tail.split().freeze());
        }
        self.chunks.push_back(frame);
    }

    /// Moves at most `max` bytes to `out` and returns how many.
    pub(crate) fn take(&mut self, out: &mut BytesMut, max: usize) -> usize {
        let mut left = max.min(self.len);
        let taken = left;
        while let Some(front) = self.chunks.front_mut() {
            let count = left.min(front.len());
            out.extend_from_slice(front.get(..count).unwrap_or_default());
            front.advance(count);
            left -= count;
            if !front.is_empty() {
                break;
            }
            self.chunks.pop_front();
        }
        // Whatever is left to take lies in the tail: `taken` is no more than there is.
        out.extend_from_slice(self.tail.get(..left).unwrap_or_default());
        self.tail.advance(left);
        self.len -= taken;
        if self.len == 0 {
            self.recycle();
        }
        taken
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// An empty inbox keeps the little memory that small messages need, and gives the rest back.
    fn recycle(&mut self) {
        if self.chunks.capacity() > 0 {
            self.chunks = VecDeque::new();
        }
        if !self.tail.try_reclaim(KEPT) || self.tail.capacity() > KEPT {
            self.tail = BytesMut::new();
        }
    }
}

/// From this size on a frame is not copied: it may keep the buffer alive that it was read into,
/// which is a few times its size at most.
const LARGE: usize = 4 * 1024;
/// What an idle stream may keep allocated.
const KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_all_sizes_come_out_as_one_stream_of_bytes() {
        let sizes = [1, LARGE - 1, LARGE, 3, 2 * LARGE, LARGE, 1, 1, 0, 700];
        for step in [1, 7, 1000, LARGE, usize::MAX] {
            let (mut inbox, mut expected, mut out) =
                (Inbox::default(), Vec::new(), BytesMut::new());
            for (size, byte) in sizes.iter().zip(0_u8..) {
                inbox.push(Bytes::from(vec![byte; *size]));
                expected.extend(vec![byte; *size]);
            }
            assert_eq!(inbox.len(), expected.len());
            while inbox.len() > 0 {
                assert!(inbox.take(&mut out, step) > 0);
            }
            assert_eq!(out, expected, "in steps of {step}");
            assert_eq!(inbox.take(&mut out, step), 0);
        }
    }

    #[test]
    fn an_empty_inbox_holds_almost_no_memory() {
        for (count, frame) in [(10_000, 4), (1, KEPT), (1, KEPT + 1), (3, 1024), (1, LARGE)] {
            let mut inbox = Inbox::default();
            for _ in 0..count {
                inbox.push(Bytes::from(vec![7; frame]));
            }
            assert!(inbox.tail.capacity() < 80_000);
            inbox.take(&mut BytesMut::new(), usize::MAX);
            assert_eq!((inbox.chunks.capacity(), inbox.len()), (0, 0));
            assert!(inbox.tail.capacity() <= KEPT, "{}", inbox.tail.capacity());
        }
    }
}
