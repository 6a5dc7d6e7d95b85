//! One transport for every way in and out, so that one WebSocket type serves them all.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use ws_io::Transport;
use ws_session::TransportError;

use crate::net::Net;
#[cfg(feature = "rustls")]
use crate::tls::Tls;

/// The byte stream of a connection made or accepted by an endpoint.
#[non_exhaustive]
pub enum Stream<N: Net> {
    /// Plain TCP.
    Tcp(N::Tcp),
    /// TLS over TCP.
    #[cfg(feature = "rustls")]
    Tls(Box<Tls<N::Tcp>>),
    /// A Unix socket.
    #[cfg(unix)]
    Unix(N::Unix),
}

/// Calls the same method on whatever the stream is.
macro_rules! each {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream {
            Self::Tcp($inner) => $call,
            #[cfg(feature = "rustls")]
            Self::Tls($inner) => $call,
            #[cfg(unix)]
            Self::Unix($inner) => $call,
        }
    };
}

impl<N: Net> Stream<N> {
    /// Whether the bytes are encrypted on the wire.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        match self {
            #[cfg(feature = "rustls")]
            Self::Tls(_) => true,
            _ => false,
        }
    }
}

impl<N: Net> Transport for Stream<N> {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut BytesMut,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        each!(self, inner => inner.poll_read(cx, buf, max))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &mut dyn Buf) -> Poll<io::Result<usize>> {
        each!(self, inner => inner.poll_write(cx, buf))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, inner => inner.poll_flush(cx))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, inner => inner.poll_shutdown(cx))
    }

    fn supports_handshake_recv(&self) -> bool {
        each!(self, inner => inner.supports_handshake_recv())
    }

    fn name(&self) -> &'static str {
        each!(self, inner => inner.name())
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        each!(self, inner => inner.peer_addr())
    }

    fn classify(&self, error: io::Error) -> TransportError {
        each!(self, inner => inner.classify(error))
    }
}

impl<N: Net> fmt::Debug for Stream<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = self.peer_addr();
        f.debug_struct("Stream").field("name", &self.name()).field("peer", &peer).finish()
    }
}
