//! What a turn may read, and where the buffers come from.
//!
//! A connection owns a read buffer only while bytes are on their way: before a read it borrows one
//! from a small per-thread pool, before it waits it hands an empty one back. An idle connection thus
//! holds no buffer, and all connections of a thread read into the same warm memory. The memory of a
//! large message comes back when the application has dropped it or when it was written. The pool is
//! bounded; what does not fit is freed.

use std::cell::RefCell;
use std::mem;

use bytes::{Buf as _, Bytes, BytesMut};

/// Reads a connection may do before it must let other tasks of its thread run; a large one counts
/// for several ([`cost`]).
pub(crate) const READS_PER_TURN: u8 = 32;

/// At this many queued bytes the driver writes before it reads on, so that the peer is kept busy.
pub(crate) const CORK: usize = 16 * 1024;

/// As how many reads one that brought `len` bytes counts.
pub(crate) fn cost(len: usize) -> u8 {
    u8::try_from(1 + len / LARGE).unwrap_or(u8::MAX)
}

/// Makes room in `buffer` for a read of up to `wanted` bytes and returns how many to offer.
pub(crate) fn prepare(buffer: &mut BytesMut, wanted: usize) -> usize {
    prepare_within(buffer, wanted, usize::MAX)
}

/// As [`prepare`]; a buffer of more than `most` bytes is no larger than it must be.
pub(crate) fn prepare_within(buffer: &mut BytesMut, wanted: usize, most: usize) -> usize {
    let wanted = wanted.max(1);
    if buffer.capacity() == 0 {
        if wanted <= SMALL && SMALL <= most {
            // As nearly every read finds it.
            *buffer = take_class(SMALL);
            return wanted;
        }
        let size = class_within(wanted, most);
        // Where messages are as large as that, what is read first is mostly the front of more.
        let roomy = (size > LARGE).then(|| pooled(class_within(4 * size, most))).flatten();
        *buffer = roomy.unwrap_or_else(|| take_class(size));
    }
    let room = buffer.capacity() - buffer.len();
    // A read of half the size is better than a copy of what is there.
    if room < wanted.div_ceil(2) {
        if buffer.try_reclaim(wanted) {
            // What is left of it moved to the front.
            leave_lead(buffer);
        } else {
            grow(buffer, wanted, most);
        }
    }
    wanted.min(buffer.capacity() - buffer.len())
}

/// Goes on in another allocation, because this one is too small or shared with living messages.
#[cold]
fn grow(buffer: &mut BytesMut, wanted: usize, most: usize) {
    let size = class_within(buffer.len() + wanted, most);
    let found = pooled(size).or_else(|| (buffer.len() < LARGE).then(|| fresh(size)));
    if let Some(mut next) = found {
        next.extend_from_slice(buffer);
        give(&mut mem::replace(buffer, next));
    } else {
        // A large allocation grows without a copy where the system can move its pages. What was
        // taken off its front still counts.
        let taken = class(buffer.capacity()) - buffer.capacity();
        let size = class_within(taken + buffer.len() + wanted, most);
        buffer.reserve(size - taken - buffer.len());
    }
}

/// Takes the memory of an empty `buffer` back. One that holds little of what it could goes on in a
/// smaller one, so that a peer holds no more than in proportion to what it has sent.
pub(crate) fn release(buffer: &mut BytesMut) {
    if buffer.is_empty() {
        if buffer.capacity() > 0 {
            give(buffer);
            *buffer = BytesMut::new();
        }
    } else if buffer.len() <= buffer.capacity() / SPARSE {
        let kept = BytesMut::from(&buffer[..]);
        give(&mut mem::replace(buffer, kept));
    }
}

/// An empty buffer with room for `capacity` bytes.
pub(crate) fn take(capacity: usize) -> BytesMut {
    take_class(class(capacity))
}

fn take_class(size: usize) -> BytesMut {
    pooled(size).unwrap_or_else(|| fresh(size))
}

fn fresh(size: usize) -> BytesMut {
    let mut buffer = BytesMut::with_capacity(size);
    leave_lead(&mut buffer);
    buffer
}

/// Moves what a large buffer has at its front to a fixed place in the page. The system keeps the bytes of
/// a large write from the start of a page on, the peer's and ours, and some processors copy at half
/// the speed or less to an address that is, but for its page, a little above where the bytes come from.
fn leave_lead(buffer: &mut BytesMut) {
    let size = buffer.capacity();
    if size > LARGE && size <= HUGE_KEPT && size == class(size) {
        let len = buffer.len();
        let lead = LEAD.wrapping_sub(buffer.as_ptr().addr()) % PAGE;
        if lead + len <= size {
            buffer.resize(lead + len, 0);
            buffer.copy_within(..len, lead);
            buffer.advance(lead);
        }
    }
}

/// Keeps the memory of `buffer` for the next [`take`] if it is ours alone, of a pooled size, and
/// there is room. What is left in `buffer` is empty, and of no use.
pub(crate) fn give(buffer: &mut BytesMut) {
    buffer.clear();
    // Moves the buffer to the start of its memory; refused if it is there, or if it is shared. Only at
    // the start does its capacity tell how large that memory is: one of any size may have so much left.
    let _moved = buffer.try_reclaim(buffer.capacity() + 1);
    let size = buffer.capacity();
    // `Err` while the thread is being torn down: then the buffer is simply freed.
    let _gone = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        match size {
            SMALL if pool.small.len() < SMALL_KEPT => pool.small.push(mem::take(buffer)),
            LARGE if pool.large.len() < LARGE_KEPT => pool.large.push(mem::take(buffer)),
            _ if size > LARGE && size == class(size) && pool.huge_bytes + size <= HUGE_KEPT => {
                pool.huge_bytes += size;
                pool.huge.push(mem::take(buffer));
            }
            _ => {}
        }
    });
}

/// As [`give`], for a payload that was written.
pub(crate) fn recycle(payload: Bytes) {
    if let Ok(mut buffer) = payload.try_into_mut() {
        give(&mut buffer);
    }
}

/// The size of the buffers that `capacity` bytes are served from: of those that are too large to be
/// kept, what is asked for.
fn class(capacity: usize) -> usize {
    if capacity <= SMALL {
        return SMALL;
    }
    let size = LARGE * capacity.div_ceil(LARGE).next_power_of_two();
    if size <= HUGE_KEPT { size } else { capacity }
}

fn class_within(capacity: usize, most: usize) -> usize {
    let size = class(capacity);
    if size <= most { size } else { capacity }
}

fn pooled(size: usize) -> Option<BytesMut> {
    let found = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        match size {
            SMALL => pool.small.pop(),
            LARGE => pool.large.pop(),
            _ => {
                // The newest first: its memory is the warmest.
                let at = pool.huge.iter().rposition(|buffer| buffer.capacity() == size)?;
                pool.huge_bytes -= size;
                let mut buffer = pool.huge.remove(at);
                leave_lead(&mut buffer);
                Some(buffer)
            }
        }
    });
    found.ok().flatten()
}

struct Pool {
    small: Vec<BytesMut>,
    large: Vec<BytesMut>,
    huge: Vec<BytesMut>,
    huge_bytes: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = const {
        RefCell::new(Pool {
            small: Vec::new(),
            large: Vec::new(),
            huge: Vec::new(),
            huge_bytes: 0,
        })
    };
}

/// Sixteen frames of 1 KiB are read into one buffer, and answered out of one.
const SMALL: usize = 35 * 512;
/// A frame of 64 KiB and its header come in one read. Larger buffers are this, doubled.
const LARGE: usize = 67 * 1024;
/// Per thread: at most 560 KiB in small and about as much in large buffers, and 4.2 MiB in larger ones.
const SMALL_KEPT: usize = 32;
const LARGE_KEPT: usize = 8;
const HUGE_KEPT: usize = 64 * LARGE;
/// Where in a page a large buffer begins.
const LEAD: usize = 256;
const PAGE: usize = 4096;
/// A buffer that is filled to less than this part is exchanged for a smaller one.
const SPARSE: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> (usize, usize) {
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
        assert_eq!((buffer.capacity(), kept()), (0, (1, 0)));
        prepare(&mut buffer, 4096);
        assert_eq!((buffer.as_ptr(), kept()), (address, (0, 0)));
    }

    #[test]
    fn a_buffer_shared_with_a_living_message_is_not_pooled() {
        let mut buffer = BytesMut::new();
        prepare(&mut buffer, 4096);
        buffer.extend_from_slice(b"message");
        let message = buffer.split_to(7).freeze();
        release(&mut buffer);
        assert_eq!((&message[..], kept()), (&b"message"[..], (0, 0)));
        assert_eq!(buffer.capacity(), 0, "nor held by a connection that waits");
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
        assert_eq!(kept(), (0, 1));
    }

    #[test]
    fn a_buffer_of_which_little_is_left_comes_back_as_what_it_is() {
        for (size, expected) in [(LARGE, (0, 1, 0)), (4 * LARGE, (0, 1, 4 * LARGE))] {
            let mut buffer = take(size);
            buffer.resize(buffer.capacity(), 7);
            // What a peer sends decides where the last message in it ends.
            drop(buffer.split_to(buffer.capacity() - SMALL));
            assert_eq!(buffer.capacity(), SMALL);
            give(&mut buffer);
            let huge = POOL.with_borrow(|pool| pool.huge_bytes);
            assert_eq!((kept().0, kept().1, huge), expected);
        }
    }

    #[test]
    fn the_memory_of_a_large_message_serves_the_next_one() {
        const SIZE: usize = 1024 * 1024;
        let mut addresses = Vec::new();
        for _ in 0..3 {
            let mut buffer = BytesMut::new();
            while buffer.len() < SIZE {
                let wanted = (SIZE - buffer.len()).min(buffer.len().max(LARGE));
                let offered = prepare(&mut buffer, wanted);
                buffer.resize(buffer.len() + offered, 7);
            }
            let _header = buffer.split_to(10);
            let message = buffer.split().freeze();
            release(&mut buffer);
            addresses.push(message.as_ptr());
            recycle(message);
        }
        assert_eq!(addresses[1], addresses[2]);
    }

    #[test]
    fn a_large_allocation_grows_to_a_pooled_size_whatever_was_taken_off_its_front() {
        for shared in [false, true] {
            let mut buffer = take(4 * LARGE);
            buffer.resize(4 * LARGE, 7);
            let front = buffer.split_to(14);
            let _held = shared.then_some(front);
            prepare(&mut buffer, LARGE);
            assert_eq!(buffer.len(), 4 * LARGE - 14);
            buffer.clear();
            give(&mut buffer);
            let found = pooled(8 * LARGE).is_some();
            assert!(found || shared, "8 x LARGE is what it grew to");
        }
    }

    #[test]
    fn a_large_buffer_begins_behind_the_start_of_its_page_each_time() {
        for _ in 0..3 {
            let mut buffer = take(4 * LARGE);
            assert_eq!(buffer.as_ptr().addr() % PAGE, LEAD);
            assert!(buffer.capacity() > 4 * LARGE - PAGE);
            give(&mut buffer);
            POOL.with_borrow(|pool| assert_eq!(pool.huge_bytes, 4 * LARGE));
        }
        assert_eq!(take(LARGE).capacity(), LARGE);
    }

    #[test]
    fn what_is_left_in_a_large_buffer_begins_there_too() {
        let mut buffer = take(4 * LARGE);
        let most = buffer.capacity() - 1000;
        buffer.resize(most, 1);
        buffer.extend_from_slice(&[2; 1000]);
        drop(buffer.split_to(most));
        let address = buffer.as_ptr();
        let offered = prepare(&mut buffer, 3 * LARGE);
        assert_eq!((offered, &buffer[..]), (3 * LARGE, &[2; 1000][..]));
        assert_eq!(buffer.as_ptr().addr() % PAGE, LEAD);
        assert!(buffer.as_ptr() < address, "the memory is the same");
    }

    #[test]
    fn above_what_a_budget_allows_a_buffer_is_not_rounded_up() {
        let mut buffer = BytesMut::new();
        prepare_within(&mut buffer, 9 * LARGE, 4 * LARGE);
        assert_eq!(buffer.capacity(), 9 * LARGE);
    }

    #[test]
    fn a_peer_that_stops_inside_a_message_holds_what_it_has_sent() {
        let mut buffer = take(LARGE);
        buffer.extend_from_slice(&[1, 2, 3]);
        release(&mut buffer);
        assert_eq!((&buffer[..], kept()), (&[1, 2, 3][..], (0, 1)));
        assert!(buffer.capacity() <= 64);
        prepare(&mut buffer, SMALL);
        assert_eq!(&buffer[..], [1, 2, 3]);
    }

    #[test]
    fn the_pool_is_bounded() {
        for size in [SMALL, LARGE, 2 * LARGE, 16 * LARGE, 32 * LARGE, 64 * LARGE, 128 * LARGE] {
            let mut buffers: Vec<_> = (0..100).map(|_| BytesMut::with_capacity(size)).collect();
            buffers.iter_mut().for_each(give);
        }
        assert_eq!(kept(), (SMALL_KEPT, LARGE_KEPT));
        let huge = POOL.with_borrow(|pool| {
            let sizes = pool.huge.iter().map(BytesMut::capacity).sum::<usize>();
            assert_eq!(sizes, pool.huge_bytes);
            sizes
        });
        assert_eq!(huge, HUGE_KEPT);
    }
}
