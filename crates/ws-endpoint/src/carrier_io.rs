//! A transport as HTTP/2 wants it: tokio's traits for byte streams, without anything of its runtime.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ws_io::Transport;

use crate::read_buffer::ReadBuffer;
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
            this.received = ReadBuffer::borrow(&BUFFER);
            let read = this.transport.poll_read(cx, &mut this.received, READ);
            if !matches!(read, Poll::Ready(Ok(_))) {
                ReadBuffer::give_back(&BUFFER, &mut this.received);
                return read.map_ok(drop);
            }
        }
        let taken = this.received.len().min(buf.remaining());
        buf.put_slice(this.received.get(..taken).unwrap_or_default());
        this.received.advance(taken);
        if this.received.is_empty() {
            // At rest nothing is held for the peer.
            ReadBuffer::give_back(&BUFFER, &mut this.received);
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

thread_local! {
    static BUFFER: ReadBuffer<READ> = ReadBuffer::new();
}

/// Bytes asked of the transport at a time.
const READ: usize = 16 * 1024;
