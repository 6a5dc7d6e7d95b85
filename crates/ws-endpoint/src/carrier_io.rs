//! A transport as HTTP/2 wants it: tokio's traits for byte streams, without anything of its runtime.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ws_io::Transport;

use crate::slices::Slices;

/// The byte stream below an HTTP/2 connection.
#[derive(Debug)]
pub(crate) struct CarrierIo<T> {
    transport: T,
    /// What was read and not taken yet.
    received: BytesMut,
}

impl<T: Transport> CarrierIo<T> {
    /// `received` was read from the transport already, and is read again first.
    pub(crate) fn new(transport: T, received: BytesMut) -> Self {
        Self { transport, received }
    }
}

impl<T: Transport> AsyncRead for CarrierIo<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.received.is_empty() && buf.remaining() > 0 {
            this.received = borrow();
            let read = this.transport.poll_read(cx, &mut this.received, READ);
            if !matches!(read, Poll::Ready(Ok(_))) {
                give_back(&mut this.received);
                return read.map_ok(drop);
            }
        }
        let taken = this.received.len().min(buf.remaining());
        buf.put_slice(this.received.get(..taken).unwrap_or_default());
        this.received.advance(taken);
        if this.received.is_empty() {
            // At rest nothing is held for the peer.
            give_back(&mut this.received);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: Transport> AsyncWrite for CarrierIo<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.get_mut().transport.poll_write(cx, &mut buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut slices = Slices::new(bufs);
        if !slices.has_remaining() {
            return Poll::Ready(Ok(0));
        }
        self.get_mut().transport.poll_write(cx, &mut slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().transport.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().transport.poll_shutdown(cx)
    }
}

/// The buffer of this thread, or a new one while somebody else has it.
fn borrow() -> BytesMut {
    let kept = BUFFER.try_with(|buffer| mem::take(&mut *buffer.borrow_mut())).unwrap_or_default();
    if kept.capacity() >= READ { kept } else { BytesMut::with_capacity(READ) }
}

/// Leaves an empty buffer for the next connection of this thread that reads.
fn give_back(buffer: &mut BytesMut) {
    let mut buffer = mem::take(buffer);
    buffer.clear();
    if buffer.try_reclaim(READ) {
        // `Err` while the thread is being torn down: then the buffer is simply freed.
        let _gone = BUFFER.try_with(|kept| *kept.borrow_mut() = buffer);
    }
}

thread_local! {
    static BUFFER: RefCell<BytesMut> = RefCell::default();
}

/// Bytes asked of the transport at a time.
const READ: usize = 16 * 1024;
