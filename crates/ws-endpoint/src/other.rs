//! A transport that was not opened here, of whatever type.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use ws_io::Transport;
use ws_session::TransportError;

/// A transport of your own inside a [`Stream`](crate::Stream): in memory for a test, or what an HTTP
/// server hands over; made by [`Stream::other`](crate::Stream::other).
pub struct Other {
    /// In a lock, because what is shared by reference has to be `Sync` and not every transport is. Hardly
    /// ever waited for: whoever reads and writes holds it alone.
    transport: Mutex<Box<dyn Transport>>,
}

impl Other {
    pub(crate) fn new(transport: impl Transport) -> Self {
        Self { transport: Mutex::new(Box::new(transport)) }
    }

    fn lock(&self) -> MutexGuard<'_, Box<dyn Transport>> {
        self.transport.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&mut self) -> &mut dyn Transport {
        self.transport.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transport for Other {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut BytesMut,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        self.get().poll_read(cx, buf, max)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &mut dyn Buf) -> Poll<io::Result<usize>> {
        self.get().poll_write(cx, buf)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get().poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get().poll_shutdown(cx)
    }

    fn take_progress(&mut self) -> Option<bool> {
        self.get().take_progress()
    }

    fn ends_when_dropped(&self) -> bool {
        self.lock().ends_when_dropped()
    }

    fn release(&mut self) -> bool {
        self.get().release()
    }

    fn supports_handshake_recv(&self) -> bool {
        self.lock().supports_handshake_recv()
    }

    fn name(&self) -> &'static str {
        self.lock().name()
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        self.lock().peer_addr()
    }

    fn classify(&self, error: io::Error) -> TransportError {
        self.lock().classify(error)
    }
}

impl fmt::Debug for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Other").field("name", &self.name()).finish_non_exhaustive()
    }
}
