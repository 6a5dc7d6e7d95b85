//! A transport that takes more than it can pass on, as TLS and HTTP/3 do.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use ws_io::{Duplex, Transport};

/// Takes everything at once, and passes it on as the other end makes room.
#[derive(Debug)]
pub(crate) struct Buffered {
    inner: Duplex,
    held: BytesMut,
    has_progress: bool,
}

impl Buffered {
    pub(crate) fn new(inner: Duplex) -> Self {
        Self { inner, held: BytesMut::new(), has_progress: false }
    }
}

impl Transport for Buffered {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut BytesMut,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        self.inner.poll_read(cx, buf, max)
    }

    fn poll_write(&mut self, _: &mut Context<'_>, buf: &mut dyn Buf) -> Poll<io::Result<usize>> {
        let len = buf.remaining();
        self.held.extend_from_slice(&buf.copy_to_bytes(len));
        Poll::Ready(Ok(len))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.held.has_remaining() {
            ready!(self.inner.poll_write(cx, &mut self.held))?;
            self.has_progress = true;
        }
        self.inner.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(cx))?;
        self.inner.poll_shutdown(cx)
    }

    fn take_progress(&mut self) -> Option<bool> {
        Some(std::mem::take(&mut self.has_progress))
    }

    fn name(&self) -> &'static str {
        "buffered"
    }
}
