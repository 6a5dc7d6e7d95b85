//! A socket that hands out its bytes in turns.
//!
//! `h2` reads its socket until it is empty, and a peer that floods can keep it at that for ever. A
//! turn ends after [`TURN`] bytes: then the frames that were read are taken off the connection and
//! other tasks run. So what can pile up inside `h2` between two turns is bounded on any runtime.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes of a turn: small enough that the least frames possible (10 bytes each) cannot exhaust the
/// frame budget within one, large enough to be no brake (a system call reads less).
pub(crate) const TURN: usize = 64 * 1024;

/// A socket whose reads are counted.
#[derive(Debug)]
pub(crate) struct Paced<IO> {
    io: IO,
    turn: Turn,
}

/// How many bytes were read in this turn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turn(Arc<AtomicUsize>);

impl Turn {
    /// Begins the next one.
    pub(crate) fn begin(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

impl<IO> Paced<IO> {
    pub(crate) fn new(io: IO) -> (Self, Turn) {
        let turn = Turn::default();
        (Self { io, turn: turn.clone() }, turn)
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Paced<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.turn.0.load(Ordering::Relaxed) >= TURN {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let result = Pin::new(&mut this.io).poll_read(cx, buf);
        this.turn.0.fetch_add(buf.filled().len() - before, Ordering::Relaxed);
        result
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Paced<IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    // THREAT: frame-flood
    #[test]
    fn a_flood_is_interrupted_after_a_turn_and_goes_on_in_the_next() {
        let (mut paced, turn) = Paced::new(tokio::io::repeat(7));
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..2 {
            turn.begin();
            let mut total = 0;
            loop {
                let mut space = [0; 8 * 1024];
                let mut buf = ReadBuf::new(&mut space);
                match Pin::new(&mut paced).poll_read(&mut cx, &mut buf) {
                    Poll::Ready(result) => assert!(result.is_ok()),
                    Poll::Pending => break,
                }
                total += buf.filled().len();
            }
            assert_eq!(total, TURN);
        }
    }
}
