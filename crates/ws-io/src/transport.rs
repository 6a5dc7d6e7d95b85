//! The byte stream below a session: TCP, TLS, a Unix socket, an HTTP/2 or HTTP/3 stream, or your own.
//!
//! Writing hands over a [`Buf`] instead of slices so that a carrier whose own interface takes owned
//! buffers (HTTP/2, HTTP/3) can take them without a copy.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use ws_session::TransportError;

/// A full-duplex, ordered byte stream.
///
/// All methods are poll functions in the usual sense: after `Pending` the waker of `cx` is woken
/// when a new call may make progress. **A read and a write may be pending at the same time, each
/// with the waker of its own last call.** One that is pending may be given up and repeated with
/// other bytes: nothing has been taken then.
pub trait Transport: Send + Unpin + 'static {
    /// Appends at most `max` bytes to `buf` and returns how many; 0 means the peer has ended its
    /// direction. Nothing is appended unless `Ready(Ok(_))` is returned.
    ///
    /// The driver passes a `buf` with room for `max` more bytes, at least one, so that a transport
    /// need not reserve; it does not ask again after an end or an error. What `buf` holds already
    /// belongs to the session.
    ///
    /// # Errors
    ///
    /// The stream failed; it will not be read again.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut BytesMut,
        max: usize,
    ) -> Poll<io::Result<usize>>;

    /// Takes bytes from the front of `buf`, advances it by what was taken, and returns how many.
    /// `buf` is never empty. 0 means the stream takes no more bytes. [`Buf::chunks_vectored`] gives
    /// all that waits at once, [`Buf::copy_to_bytes`] owned pieces without a copy.
    ///
    /// What is taken need not have left before [`poll_flush`](Self::poll_flush) is ready.
    ///
    /// # Errors
    ///
    /// The stream failed; it will not be written again.
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &mut dyn Buf) -> Poll<io::Result<usize>>;

    /// Pushes out what the transport itself buffers (TLS records, HTTP frames).
    ///
    /// # Errors
    ///
    /// The stream failed.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ends our direction in an orderly way (TCP FIN, TLS `close_notify`, `END_STREAM`); reading goes
    /// on. Flushes first.
    ///
    /// # Errors
    ///
    /// The stream failed.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Whether bytes have left since this was last asked, for a transport that may take many at once and
    /// passes them on little by little (TLS, HTTP/2, HTTP/3): while they do, the peer accepts something,
    /// and the [write timeout](ws_session::Config::write_timeout) does not strike.
    ///
    /// It is asked when a write or a flush is pending. `None`, which is the default, is for one that
    /// takes no more than the peer does: then what it takes counts.
    fn take_progress(&mut self) -> Option<bool> {
        None
    }

    /// Whether the peer learns of the end of our direction only when the transport is dropped, whatever
    /// [`poll_shutdown`](Self::poll_shutdown) does. It is then dropped as soon as both close frames have
    /// gone their ways: a peer that waits for our end would not end its own.
    fn ends_when_dropped(&self) -> bool {
        false
    }

    /// Gives back what this stream holds of what it shares with others, as dropping it does: an HTTP/2 or
    /// HTTP/3 connection goes on without it, and a program may keep a WebSocket that has ended. Called
    /// when the session has finished; nothing is read or written after that.
    ///
    /// Whether nothing is left of it; a server counts it no more then. The default, `false`, is for one that has a socket to itself until
    /// it is dropped.
    fn release(&mut self) -> bool {
        false
    }

    /// Whether the transport can be read before the handshake is complete; a client over HTTP/1.1
    /// needs that.
    fn supports_handshake_recv(&self) -> bool {
        true
    }

    /// A short name for error messages and logs: `tcp`, `tls`, `h2` …
    fn name(&self) -> &'static str;

    /// The address of the peer, where there is one.
    fn peer_addr(&self) -> Option<SocketAddr> {
        None
    }

    /// Says what an I/O error means: `closed`, a TLS alert, or the error itself.
    fn classify(&self, error: io::Error) -> TransportError {
        TransportError::from(error)
    }
}

impl<T: Transport + ?Sized> Transport for Box<T> {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut BytesMut,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        (**self).poll_read(cx, buf, max)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &mut dyn Buf) -> Poll<io::Result<usize>> {
        (**self).poll_write(cx, buf)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (**self).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (**self).poll_shutdown(cx)
    }

    fn take_progress(&mut self) -> Option<bool> {
        (**self).take_progress()
    }

    fn ends_when_dropped(&self) -> bool {
        (**self).ends_when_dropped()
    }

    fn release(&mut self) -> bool {
        (**self).release()
    }

    fn supports_handshake_recv(&self) -> bool {
        (**self).supports_handshake_recv()
    }

    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        (**self).peer_addr()
    }

    fn classify(&self, error: io::Error) -> TransportError {
        (**self).classify(error)
    }
}

impl fmt::Debug for dyn Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("name", &self.name()).finish_non_exhaustive()
    }
}
