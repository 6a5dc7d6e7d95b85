//! One transport for every way in and out, so that one WebSocket type serves them all.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use ws_io::Transport;
use ws_session::TransportError;

use crate::http_version::HttpVersion;
use crate::net::Net;
use crate::other::Other;
#[cfg(feature = "rustls")]
use crate::tls::Tls;

/// The byte stream of a WebSocket made or accepted by an endpoint.
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
    /// A stream of an HTTP/2 connection.
    #[cfg(feature = "h2")]
    H2 {
        /// The stream.
        stream: Box<ws_h2::H2Stream>,
        /// Whether the connection is encrypted.
        is_secure: bool,
    },
    /// A stream of a QUIC connection, which is always encrypted.
    #[cfg(feature = "h3")]
    H3(Box<ws_h3::H3Stream>),
    /// A transport of your own.
    Other(Other),
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
            #[cfg(feature = "h2")]
            Self::H2 { stream: $inner, .. } => $call,
            #[cfg(feature = "h3")]
            Self::H3($inner) => $call,
            Self::Other($inner) => $call,
        }
    };
}

impl<N: Net> Stream<N> {
    /// A transport of your own, so that what is written for the WebSockets of an endpoint serves
    /// those over it as well: a handler in a test, an HTTP server that hands its connection over.
    ///
    /// What it is cannot be known here: it counts as one of HTTP/1.1 that is not encrypted.
    ///
    /// ```
    /// use ws_endpoint::{AcceptOptions, ConnectOptions, Error, Message, Net, Stream, WebSocket};
    ///
    /// /// What a server of ours does, and is to be tested.
    /// async fn greet<N: Net>(mut websocket: WebSocket<N>) {
    ///     let _ = websocket.send(Message::text("hello")).await;
    ///     while websocket.next().await.is_some() {}
    /// }
    ///
    /// async fn greets<N: Net>(net: N) -> Result<(), Error> {
    ///     let (near, far) = ws_io::duplex(64 * 1024);
    ///     let (server, options) = (net.clone(), AcceptOptions::default());
    ///     net.spawn(async move {
    ///         let accepted = ws_io::accept(Stream::other(far), server, options).await;
    ///         greet(accepted.expect("a handshake")).await;
    ///     });
    ///     let url = ws_io::WsUri::parse("ws://test/")?;
    ///     let mut websocket = ws_io::connect(near, net, &url, &ConnectOptions::default()).await?;
    ///     assert_eq!(websocket.next().await.expect("open")?, Message::text("hello"));
    ///     Ok(())
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() { greets(ws_tokio::Tokio).await.expect("a greeting"); }
    /// ```
    #[must_use]
    pub fn other(transport: impl Transport) -> Self {
        Self::Other(Other::new(transport))
    }

    /// Whether the bytes are encrypted on the wire.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        match self {
            #[cfg(feature = "rustls")]
            Self::Tls(_) => true,
            #[cfg(feature = "h2")]
            Self::H2 { is_secure, .. } => *is_secure,
            #[cfg(feature = "h3")]
            Self::H3(_) => true,
            _ => false,
        }
    }

    /// Whether TLS agreed on this version.
    #[cfg(feature = "h2")]
    pub(crate) fn alpn_is(&self, version: HttpVersion) -> bool {
        match self {
            #[cfg(feature = "rustls")]
            Self::Tls(tls) => tls.alpn_protocol() == Some(version.alpn().as_bytes()),
            #[cfg(not(feature = "rustls"))]
            _ if version != HttpVersion::H1 => false,
            _ => false,
        }
    }

    /// The HTTP version in which the WebSocket on this stream was opened.
    #[must_use]
    pub fn http_version(&self) -> HttpVersion {
        match self {
            #[cfg(feature = "h2")]
            Self::H2 { .. } => HttpVersion::H2,
            #[cfg(feature = "h3")]
            Self::H3(_) => HttpVersion::H3,
            _ => HttpVersion::H1,
        }
    }
}

impl<N: Net> Transport for Stream<N> {
    #[inline(always)]
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut BytesMut,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        each!(self, inner => inner.poll_read(cx, buf, max))
    }

    #[inline(always)]
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &mut dyn Buf) -> Poll<io::Result<usize>> {
        each!(self, inner => inner.poll_write(cx, buf))
    }

    #[inline(always)]
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, inner => inner.poll_flush(cx))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, inner => inner.poll_shutdown(cx))
    }

    fn take_progress(&mut self) -> Option<bool> {
        each!(self, inner => inner.take_progress())
    }

    fn ends_when_dropped(&self) -> bool {
        each!(self, inner => inner.ends_when_dropped())
    }

    fn release(&mut self) -> bool {
        each!(self, inner => inner.release())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, FakeStream};

    #[test]
    fn a_stream_ends_as_what_is_below_it_does() {
        let plain = || FakeStream { peer: SocketAddr::from(([127, 0, 0, 1], 80)), is_held: false };
        let held = || FakeStream { is_held: true, ..plain() };
        assert!(!Stream::<Fake>::Tcp(plain()).ends_when_dropped());
        assert!(Stream::<Fake>::Tcp(held()).ends_when_dropped());
        assert!(Stream::<Fake>::other(held()).ends_when_dropped());
        assert!(Stream::<Fake>::other(Stream::<Fake>::Tcp(held())).ends_when_dropped());
    }

    #[test]
    fn a_stream_of_ones_own_tells_what_it_is() {
        let peer = SocketAddr::from(([127, 0, 0, 1], 80));
        let stream = Stream::<Fake>::other(FakeStream { peer, is_held: false });
        assert_eq!((stream.name(), stream.peer_addr()), ("fake", Some(peer)));
        assert_eq!((stream.is_secure(), stream.http_version()), (false, HttpVersion::H1));
    }
}
