//! A transport in memory, for tests and examples.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, BufMut, BytesMut};

use crate::queue::wake;
use crate::{Transport, read_budget};

/// One end of a connection in memory; made by [`duplex`].
///
/// It behaves like a TCP stream: each direction holds a bounded number of bytes, a shutdown is seen
/// by the other end as the end of its input, and dropping an end breaks both directions.
pub struct Duplex {
    incoming: Arc<Direction>,
    outgoing: Arc<Direction>,
}

/// Makes a connection in memory whose two directions hold up to `capacity` bytes each, but at least
/// one.
///
/// ```
/// # use ws_io::{Transport, duplex};
/// let (left, right) = duplex(4096);
/// assert_eq!((left.name(), right.name()), ("duplex", "duplex"));
/// ```
#[must_use]
pub fn duplex(capacity: usize) -> (Duplex, Duplex) {
    let capacity = capacity.max(1);
    let direction = || Arc::new(Direction { capacity, state: Mutex::default() });
    let (there, back) = (direction(), direction());
    let left = Duplex { incoming: Arc::clone(&back), outgoing: Arc::clone(&there) };
    (left, Duplex { incoming: there, outgoing: back })
}

impl Transport for Duplex {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut BytesMut,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        let mut state = self.incoming.lock();
        if state.bytes.is_empty() {
            return if state.broken {
                Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
            } else if state.ended {
                Poll::Ready(Ok(0))
            } else {
                let outdated = state.reader.replace(cx.waker().clone());
                drop(state);
                drop(outdated);
                Poll::Pending
            };
        }
        let count = max.min(state.bytes.len());
        buf.put((&mut state.bytes).take(count));
        // An idle connection in memory holds no buffer either.
        read_budget::release(&mut state.bytes);
        let writer = state.writer.take();
        drop(state);
        wake(writer);
        Poll::Ready(Ok(count))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &mut dyn Buf) -> Poll<io::Result<usize>> {
        let mut state = self.outgoing.lock();
        if state.broken || state.ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let count = buf.remaining().min(self.outgoing.capacity.saturating_sub(state.bytes.len()));
        if count == 0 {
            let outdated = state.writer.replace(cx.waker().clone());
            drop(state);
            drop(outdated);
            return Poll::Pending;
        }
        read_budget::prepare(&mut state.bytes, count);
        state.bytes.put(buf.take(count));
        let reader = state.reader.take();
        drop(state);
        wake(reader);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.outgoing.lock();
        state.ended = true;
        let reader = state.reader.take();
        drop(state);
        wake(reader);
        Poll::Ready(Ok(()))
    }

    fn name(&self) -> &'static str {
        "duplex"
    }
}

impl Drop for Duplex {
    fn drop(&mut self) {
        let mut state = self.outgoing.lock();
        state.broken |= !state.ended;
        let reader = state.reader.take();
        drop(state);
        let mut state = self.incoming.lock();
        state.broken = true;
        let writer = state.writer.take();
        drop(state);
        wake(reader);
        wake(writer);
    }
}

impl fmt::Debug for Duplex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Duplex").field("capacity", &self.outgoing.capacity).finish_non_exhaustive()
    }
}

struct Direction {
    capacity: usize,
    /// Nobody is woken, and no waker dropped, while it is locked: that may run the other end.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    bytes: BytesMut,
    /// The writer has shut down: what is left can be read, then comes the end.
    ended: bool,
    /// One of the ends is gone.
    broken: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Direction {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
