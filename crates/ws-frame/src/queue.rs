//! Encoded frames that wait to be written, ready for a vectored write.

use alloc::collections::VecDeque;
use core::fmt;

#[cfg(feature = "std")]
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

use crate::FrameEncoder;

/// Written bytes at the front of the tail that are not worth moving the rest for.
const COMPACT_FROM: usize = 4096;

/// Bytes in the order they go out: small frames lie together in one buffer, large payloads are
/// kept as they are.
///
/// As a [`Buf`] it gives a vectored write all its pieces at once, and gives out owned [`Bytes`]
/// ([`Buf::copy_to_bytes`]) without a copy where one piece is enough.
#[derive(Default)]
pub struct WriteQueue {
    chunks: VecDeque<Chunk>,
    /// What is appended to; the chunks lie between its bytes.
    tail: BytesMut,
    /// How much of the tail was written.
    tail_written: usize,
    len: usize,
    taken: u64,
}

/// A piece that is kept as it came. It is not part of the tail, and does not cut it either: to share the
/// memory of the header before it would cost more than all else about a large frame.
struct Chunk {
    /// Where it begins in all that ever goes out, [`WriteQueue::taken`] being where the queue begins. What
    /// lies between the chunk before and this one is in the tail.
    at: u64,
    /// Not empty.
    bytes: Bytes,
}

impl Chunk {
    const fn end(&self) -> u64 {
        self.at + self.bytes.len() as u64
    }
}

impl WriteQueue {
    /// An empty queue; it holds no memory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of bytes that wait.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many bytes were taken off the queue since it was made: whether this moves tells whether
    /// the peer takes what we send.
    #[must_use]
    pub const fn taken(&self) -> u64 {
        self.taken
    }

    /// Appends a copy of these bytes.
    #[inline]
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Appends these bytes without a copy.
    pub fn push(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        let at = self.taken + self.len as u64;
        self.len += bytes.len();
        self.chunks.push_back(Chunk { at, bytes });
    }

    /// Appends a frame that was encoded before: a small one as a copy, a large one as it is.
    pub fn push_encoded(&mut self, frame: &Bytes) {
        if frame.len() <= FrameEncoder::COPY_LIMIT {
            self.extend_from_slice(frame);
        } else {
            self.push(frame.clone());
        }
    }

    /// As [`advance`](Buf::advance), and hands over every piece that was written to its end, whose
    /// memory may serve again.
    ///
    /// # Panics
    ///
    /// If fewer than `count` bytes wait.
    pub fn advance_with(&mut self, mut count: usize, written: impl FnMut(Bytes)) {
        assert!(count <= self.len, "advanced by {count} of {} bytes", self.len);
        if !self.chunks.is_empty() {
            count -= self.advance_chunks(count, written);
        }
        self.count_taken(count);
        self.tail_written += count;
        let rest = self.tail.len() - self.tail_written;
        // A queue that is never quite empty gives back what was written, too, else the tail would
        // grow with all that ever went through it. No more is moved than was written meanwhile.
        if rest > 0 && self.tail_written < rest.max(COMPACT_FROM) {
            return;
        }
        if rest > 0 {
            self.tail.copy_within(self.tail_written.., 0);
        }
        self.tail.truncate(rest);
        self.tail_written = 0;
    }

    /// Advances to the end of the last chunk that `count` bytes reach, or into it, and says how far
    /// that is.
    fn advance_chunks(&mut self, count: usize, mut written: impl FnMut(Bytes)) -> usize {
        let mut left = count;
        while let Some(front) = self.chunks.front_mut() {
            let before = distance(self.taken, front.at);
            if left <= before {
                break;
            }
            self.tail_written += before;
            let len = front.bytes.len();
            if left - before < len {
                let len = left - before;
                front.bytes.advance(len);
                front.at += len as u64;
                self.count_taken(left);
                return count;
            }
            if let Some(chunk) = self.chunks.pop_front() {
                written(chunk.bytes);
            }
            self.count_taken(before + len);
            left -= before + len;
        }
        count - left
    }

    /// Gives up the memory of an empty queue, so that it can serve elsewhere; an unallocated buffer
    /// when the queue is not empty.
    pub fn release(&mut self) -> BytesMut {
        if !self.is_empty() {
            return BytesMut::new();
        }
        self.chunks = VecDeque::new();
        core::mem::take(&mut self.tail)
    }

    /// Gives the queue memory to append to; what it held goes out with the bytes that are in it.
    pub fn adopt(&mut self, mut buffer: BytesMut) {
        self.freeze_tail();
        buffer.clear();
        self.tail = buffer;
    }

    /// How many bytes can be appended before the queue allocates.
    #[must_use]
    pub fn room(&self) -> usize {
        self.tail.capacity() - self.tail.len()
    }

    /// Whether the queue holds memory that [`release`](Self::release) would give up.
    #[must_use]
    pub fn is_releasable(&self) -> bool {
        self.is_empty() && (self.tail.capacity() > 0 || self.chunks.capacity() > 0)
    }

    /// The buffer that small frames are appended to, from this length on.
    #[inline]
    pub(crate) fn append<R>(&mut self, write: impl FnOnce(&mut BytesMut) -> R) -> R {
        let before = self.tail.len();
        let result = write(&mut self.tail);
        self.len += self.tail.len() - before;
        result
    }

    const fn count_taken(&mut self, count: usize) {
        self.len -= count;
        self.taken += count as u64;
    }

    fn unwritten_tail(&self) -> &[u8] {
        self.tail.get(self.tail_written..).unwrap_or_default()
    }

    /// Makes chunks of all that waits.
    fn freeze_tail(&mut self) {
        if self.tail.is_empty() {
            // To split what is empty would allocate.
            return;
        }
        let mut rest = self.take_tail(self.tail.len() - self.tail_written);
        let mut at = self.taken;
        for _ in 0..self.chunks.len() {
            let Some(chunk) = self.chunks.pop_front() else { break };
            let bytes = rest.split_to(distance(at, chunk.at));
            if !bytes.is_empty() {
                self.chunks.push_back(Chunk { at, bytes });
            }
            at = chunk.end();
            self.chunks.push_back(chunk);
        }
        if !rest.is_empty() {
            self.chunks.push_back(Chunk { at, bytes: rest });
        }
    }

    /// The next bytes of the tail, without a copy.
    fn take_tail(&mut self, count: usize) -> Bytes {
        self.tail.advance(self.tail_written);
        self.tail_written = 0;
        self.tail.split_to(count).freeze()
    }
}

/// How far two places in the queue lie apart: less than its length.
fn distance(from: u64, to: u64) -> usize {
    usize::try_from(to - from).unwrap_or(usize::MAX)
}

impl Buf for WriteQueue {
    fn remaining(&self) -> usize {
        self.len
    }

    fn chunk(&self) -> &[u8] {
        let tail = self.unwritten_tail();
        match self.chunks.front() {
            None => tail,
            Some(front) => match distance(self.taken, front.at) {
                0 => &front.bytes,
                before => tail.get(..before).unwrap_or_default(),
            },
        }
    }

    /// # Panics
    ///
    /// If fewer than `count` bytes wait.
    fn advance(&mut self, count: usize) {
        self.advance_with(count, drop);
    }

    #[cfg(feature = "std")]
    fn chunks_vectored<'a>(&'a self, dst: &mut [IoSlice<'a>]) -> usize {
        let end = self.chunks.back().map_or(self.taken, Chunk::end);
        let last = self.len - distance(self.taken, end);
        let (mut tail, last) = self.tail.split_at(self.tail.len() - last);
        let mut at = self.taken;
        tail = tail.get(self.tail_written..).unwrap_or_default();
        let chunks = self.chunks.iter().flat_map(|chunk| {
            let before = tail.split_off(..distance(at, chunk.at)).unwrap_or_default();
            at = chunk.end();
            [before, &chunk.bytes]
        });
        let pieces = chunks.chain([last]).filter(|piece| !piece.is_empty());
        let mut count = 0;
        for (slot, piece) in dst.iter_mut().zip(pieces) {
            *slot = IoSlice::new(piece);
            count += 1;
        }
        count
    }

    /// Takes the first `count` bytes, without a copy when they lie in one piece.
    ///
    /// # Panics
    ///
    /// If fewer than `count` bytes wait.
    fn copy_to_bytes(&mut self, count: usize) -> Bytes {
        assert!(count <= self.len, "took {count} of {} bytes", self.len);
        let is_one_piece = count > 0 && count <= self.chunk().len();
        match self.chunks.front_mut() {
            Some(front) if is_one_piece && front.at == self.taken => {
                let bytes = front.bytes.split_to(count);
                front.at += count as u64;
                if front.bytes.is_empty() {
                    self.chunks.pop_front();
                }
                self.count_taken(count);
                bytes
            }
            _ if is_one_piece => {
                self.count_taken(count);
                self.take_tail(count)
            }
            _ => {
                let mut bytes = BytesMut::with_capacity(count);
                while bytes.len() < count {
                    let piece = self.chunk();
                    let len = piece.len().min(count - bytes.len());
                    bytes.extend_from_slice(piece.get(..len).unwrap_or_default());
                    self.advance(len);
                }
                bytes.freeze()
            }
        }
    }
}

impl fmt::Debug for WriteQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteQueue").field("len", &self.len).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Copy(Vec<u8>),
        Push(Vec<u8>),
        Advance(usize),
        Take(usize),
        Release,
        Adopt(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..40);
        prop_oneof![
            bytes().prop_map(Step::Copy),
            bytes().prop_map(Step::Push),
            (0_usize..60).prop_map(Step::Advance),
            (0_usize..60).prop_map(Step::Take),
            Just(Step::Release),
            (0_usize..60).prop_map(Step::Adopt),
        ]
    }

    proptest! {
        #[test]
        fn is_a_fifo_of_bytes_under_any_use(steps in proptest::collection::vec(step(), 0..40)) {
            let mut queue = WriteQueue::new();
            let mut model: Vec<u8> = Vec::new();
            for step in steps {
                match step {
                    Step::Copy(bytes) => {
                        queue.extend_from_slice(&bytes);
                        model.extend(bytes);
                    }
                    Step::Push(bytes) => {
                        queue.push(Bytes::from(bytes.clone()));
                        model.extend(bytes);
                    }
                    Step::Advance(count) => {
                        let count = count.min(model.len());
                        queue.advance(count);
                        model.drain(..count);
                    }
                    Step::Take(count) => {
                        let count = count.min(model.len());
                        let taken = queue.copy_to_bytes(count);
                        let expected: Vec<u8> = model.drain(..count).collect();
                        prop_assert_eq!(taken, expected);
                    }
                    Step::Release => {
                        let buffer = queue.release();
                        prop_assert!(buffer.is_empty());
                        queue.adopt(buffer);
                    }
                    Step::Adopt(room) => {
                        // What is in it is not to be written.
                        queue.adopt(BytesMut::zeroed(room));
                        prop_assert_eq!(queue.room(), room);
                    }
                }
                prop_assert_eq!(queue.len(), model.len());
                let mut slices = [IoSlice::new(&[]); 64];
                let count = queue.chunks_vectored(&mut slices);
                let seen: Vec<u8> = slices[..count].iter().flat_map(|s| s.to_vec()).collect();
                prop_assert_eq!(&seen, &model);
                prop_assert!(queue.chunk().is_empty() == model.is_empty());
            }
        }
    }

    #[test]
    fn a_piece_is_handed_over_once_all_of_it_is_written() {
        let mut queue = WriteQueue::new();
        queue.push(Bytes::from(vec![7; 10_000]));
        queue.extend_from_slice(b"tail");
        let mut written = Vec::new();
        queue.advance_with(9_999, |piece| written.push(piece));
        assert!(written.is_empty());
        queue.advance_with(3, |piece| written.push(piece));
        // Of the piece only what had not been written before; its memory is what counts.
        assert_eq!(written, [&[7][..]]);
        assert_eq!((queue.len(), queue.taken()), (2, 10_002));
    }

    #[test]
    fn a_large_payload_is_handed_out_as_it_came_in() {
        let payload = Bytes::from(vec![7; 10_000]);
        let mut queue = WriteQueue::new();
        queue.extend_from_slice(b"head");
        queue.push(payload.clone());
        queue.advance(4);
        let out = queue.copy_to_bytes(10_000);
        assert_eq!(out.as_ptr(), payload.as_ptr());
    }

    // THREAT: memory-amplification
    #[test]
    fn memory_follows_what_waits_not_what_went_through() {
        let rounds = || (0..=u8::MAX).cycle();
        let mut queue = WriteQueue::new();
        queue.extend_from_slice(&[0; 50_000]);
        for round in rounds().take(100_000) {
            queue.extend_from_slice(&[round; 1000]);
            queue.advance(1000);
        }
        assert_eq!(queue.len(), 50_000);
        let capacity = queue.tail.capacity();
        assert!(capacity <= 4 * 50_000, "{capacity} bytes");
        assert_eq!(queue.room(), capacity - queue.tail.len());
        let last = rounds().skip(99_950).take(50).flat_map(|round| [round; 1000]);
        assert!(queue.copy_to_bytes(50_000).into_iter().eq(last), "other bytes than came in");
        assert!(queue.is_empty() && queue.is_releasable());
        queue.release();
        assert!(!queue.is_releasable());
    }
}
