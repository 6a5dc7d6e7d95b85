//! A transport that takes more than it can pass on, as TLS and HTTP/3 do.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use ws_io::{Duplex, Transport};

/// Takes as much as it may hold, and passes it on as the other end makes room; it takes more when all
/// of that has gone.
#[derive(Debug)]
pub(crate) struct Buffered {
    inner: Duplex,
    held: BytesMut,
    most: usize,
    is_full: bool,
    has_progress: bool,
}

impl Buffered {
    /// One that takes everything at once.
    pub(crate) fn new(inner: Duplex) -> Self {
        Self::holding(inner, usize::MAX)
    }

    pub(crate) fn holding(inner: Duplex, most: usize) -> Self {
        Self { inner, held: BytesMut::new(), most, is_full: false, has_progress: false }
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

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &mut dyn Buf) -> Poll<io::Result<usize>> {
        if self.is_full {
            ready!(self.poll_flush(cx))?;
        }
        let len = buf.remaining().min(self.most - self.held.len());
        self.held.extend_from_slice(&buf.copy_to_bytes(len));
        self.is_full = self.held.len() == self.most;
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
