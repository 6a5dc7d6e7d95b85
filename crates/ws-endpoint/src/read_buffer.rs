//! A buffer for the reads of all connections of a thread, so that one at rest holds none and one that
//! begins to read need not allocate.

use std::cell::RefCell;
use std::mem;
use std::thread::LocalKey;

use bytes::BytesMut;

/// A buffer of `SIZE` bytes, while nobody has it.
pub(crate) struct ReadBuffer<const SIZE: usize>(RefCell<BytesMut>);

impl<const SIZE: usize> ReadBuffer<SIZE> {
    pub(crate) fn new() -> Self {
        Self(RefCell::default())
    }

    /// The buffer of this thread, or a new one while somebody else has it.
    pub(crate) fn borrow(key: &'static LocalKey<Self>) -> BytesMut {
        let kept = key.try_with(|kept| mem::take(&mut *kept.0.borrow_mut())).unwrap_or_default();
        if kept.capacity() >= SIZE { kept } else { BytesMut::with_capacity(SIZE) }
    }

    /// Leaves the buffer, emptied, for the next connection of this thread that reads.
    pub(crate) fn give_back(key: &'static LocalKey<Self>, buffer: &mut BytesMut) {
        let mut buffer = mem::take(buffer);
        buffer.clear();
        if buffer.try_reclaim(SIZE) {
            // `Err` while the thread is being torn down: then the buffer is simply freed.
            let _gone = key.try_with(|kept| *kept.0.borrow_mut() = buffer);
        }
    }
}
