//! What a turn may read, and where the buffers come from.
//!
//! A connection owns a read buffer only while bytes are on their way: before a read it borrows one
//! from a small per-thread pool, before it waits it hands an empty one back. An idle connection thus
//! holds no buffer, and all connections of a thread read into the same warm memory. The pool is
//! bounded; what does not fit is freed.

use std::cell::RefCell;
use std::mem;

use bytes::BytesMut;

/// Reads a connection may do before it must let other tasks of its thread run.
pub(crate) const READS_PER_TURN: u8 = 32;

/// At this many queued bytes the driver writes before it reads on, so that the peer is kept busy.
pub(crate) const CORK: usize = 16 * 1024;

/// Makes room in `buffer` for a read of up to `wanted` bytes and returns how many to offer.
pub(crate) fn prepare(buffer: &mut BytesMut, wanted: usize) -> usize {
    let wanted = wanted.max(1);
    if buffer.capacity() - buffer.len() < wanted && !buffer.try_reclaim(wanted) {
        // Messages of earlier reads still share the allocation: go on in another one.
        let mut fresh = take(buffer.len() + wanted);
        fresh.extend_from_slice(buffer);
        *buffer = fresh;
    }
    wanted.min(buffer.capacity() - buffer.len())
}

/// Takes the memory of an empty `buffer` back; does nothing to one that holds bytes.
pub(crate) fn release(buffer: &mut BytesMut) {
    if buffer.is_empty() && buffer.capacity() > 0 {
        give(mem::take(buffer));
    }
}

/// An empty buffer with room for `capacity` bytes.
pub(crate) fn take(capacity: usize) -> BytesMut {
    if capacity > LARGE {
        return BytesMut::with_capacity(capacity);
    }
    let small = capacity <= SMALL;
    let pooled = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        if small { pool.small.pop() } else { pool.large.pop() }
    });
    let size = if small { SMALL } else { LARGE };
    pooled.ok().flatten().unwrap_or_else(|| BytesMut::with_capacity(size))
}

/// Keeps `buffer` for the next [`take`] if it is ours alone, of a pooled size, and there is room.
pub(crate) fn give(mut buffer: BytesMut) {
    // A larger buffer than asked for answers `try_reclaim` without moving back to its start, so
    // the larger size is tried first.
    let large = buffer.try_reclaim(LARGE);
    if !large && !buffer.try_reclaim(SMALL) || buffer.capacity() > LARGE {
        return;
    }
    // `Err` while the thread is being torn down: then the buffer is simply freed.
    let _gone = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        if large {
            if pool.large.len() < LARGE_KEPT {
                pool.large.push(buffer);
            }
        } else if pool.small.len() < SMALL_KEPT {
            pool.small.push(buffer);
        }
    });
}

struct Pool {
    small: Vec<BytesMut>,
    large: Vec<BytesMut>,
}

thread_local! {
    static POOL: RefCell<Pool> =
        const { RefCell::new(Pool { small: Vec::new(), large: Vec::new() }) };
}

const SMALL: usize = 16 * 1024;
/// A frame of 64 KiB and its header come in one read.
const LARGE: usize = 68 * 1024;
/// Per thread: at most 512 KiB in small and about as much in large buffers.
const SMALL_KEPT: usize = 32;
const LARGE_KEPT: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn pooled() -> (usize, usize) {
        POOL.with_borrow(|pool| (pool.small.len(), pool.large.len()))
    }

    #[test]
    fn a_released_buffer_is_the_next_one_taken() {
        let mut buffer = BytesMut::new();
        assert_eq!(prepare(&mut buffer, 4096), 4096);
        buffer.extend_from_slice(b"message");
        let address = buffer.as_ptr();
        drop(buffer.split_to(7).freeze());
        release(&mut buffer);
        assert_eq!((buffer.capacity(), pooled()), (0, (1, 0)));
        prepare(&mut buffer, 4096);
        assert_eq!((buffer.as_ptr(), pooled()), (address, (0, 0)));
    }

    #[test]
    fn a_buffer_shared_with_a_living_message_is_not_pooled() {
        let mut buffer = BytesMut::new();
        prepare(&mut buffer, 4096);
        buffer.extend_from_slice(b"message");
        let message = buffer.split_to(7).freeze();
        release(&mut buffer);
        assert_eq!((&message[..], pooled()), (&b"message"[..], (0, 0)));
    }

    #[test]
    fn bytes_of_a_partial_frame_survive_a_change_of_buffer() {
        let mut buffer = BytesMut::new();
        prepare(&mut buffer, SMALL);
        buffer.resize(SMALL - 3, 0);
        let message = buffer.split_to(SMALL - 3);
        buffer.extend_from_slice(b"abc");
        assert_eq!(prepare(&mut buffer, SMALL), SMALL);
        assert_eq!((&buffer[..], message.len()), (&b"abc"[..], SMALL - 3));
        release(&mut buffer);
        assert_eq!(&buffer[..], b"abc");
    }

    #[test]
    fn a_large_buffer_comes_back_as_a_large_one() {
        let mut buffer = BytesMut::new();
        assert_eq!(prepare(&mut buffer, LARGE), LARGE);
        buffer.resize(LARGE / 2, 0);
        drop(buffer.split());
        release(&mut buffer);
        assert_eq!(pooled(), (0, 1));
        prepare(&mut buffer, LARGE + 1);
        release(&mut buffer);
        assert_eq!(pooled(), (0, 1), "a buffer of no pooled size is freed");
    }

    #[test]
    fn the_pool_is_bounded() {
        let buffers: Vec<_> = (0..100).map(|_| BytesMut::with_capacity(SMALL)).collect();
        buffers.into_iter().for_each(give);
        assert_eq!(pooled(), (SMALL_KEPT, 0));
    }
}
