//! Any stream of the `futures` ecosystem (async-std, smol, your own) as a transport.

use std::cell::Cell;
use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use futures_io::{AsyncRead, AsyncWrite};

use crate::Transport;

/// A [`Transport`] over an `AsyncRead + AsyncWrite` stream of `futures-io`.
///
/// These traits read into initialised memory only, so a read goes through a buffer of the thread
/// (64 KiB) and what arrived is copied from there.
pub struct FuturesIo<S> {
    stream: S,
    name: &'static str,
    peer_addr: Option<SocketAddr>,
    shutdown: Option<fn(&S) -> io::Result<()>>,
}

impl<S> FuturesIo<S> {
    /// Wraps `stream`; `name` stands in error messages and logs.
    pub fn new(stream: S, name: &'static str) -> Self {
        Self { stream, name, peer_addr: None, shutdown: None }
    }

    /// Tells the address of the peer, which the stream's traits cannot be asked for.
    #[must_use]
    pub fn with_peer_addr(mut self, peer_addr: Option<SocketAddr>) -> Self {
        self.peer_addr = peer_addr;
        self
    }

    /// Ends our direction with `shutdown` once the stream has closed: for streams whose `poll_close`
    /// only flushes, such as the sockets of async-io and async-std. Where `poll_close` ends it by
    /// itself, `|_| Ok(())` says so. Without this the peer is taken to learn of the end when the stream
    /// is dropped, see [`Transport::ends_when_dropped`].
    #[must_use]
    pub fn with_shutdown(mut self, shutdown: fn(&S) -> io::Result<()>) -> Self {
        self.shutdown = Some(shutdown);
        self
    }

    /// The stream inside.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The stream inside, for options such as `TCP_NODELAY`.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Unwraps the stream.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Transport for FuturesIo<S> {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut BytesMut,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        // Taken out for the call, so that a stream that is itself built on a `FuturesIo` works.
        let mut scratch = SCRATCH.take();
        if scratch.is_empty() {
            scratch.resize(SCRATCH_SIZE, 0);
        }
        let room = max.min(scratch.len());
        let (front, _) = scratch.split_at_mut(room);
        let read = Pin::new(&mut self.stream).poll_read(cx, front);
        let read = read.map_ok(|read| {
            let arrived = front.get(..read).unwrap_or(front);
            buf.extend_from_slice(arrived);
            arrived.len()
        });
        SCRATCH.set(scratch);
        read
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &mut dyn Buf) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.stream);
        let chunk = buf.chunk();
        let written = if chunk.len() == buf.remaining() {
            stream.poll_write(cx, chunk)
        } else {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let count = buf.chunks_vectored(&mut slices);
            stream.poll_write_vectored(cx, slices.get(..count).unwrap_or(&slices))
        };
        let written = ready!(written)?;
        buf.advance(written.min(buf.remaining()));
        Poll::Ready(Ok(written))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = ready!(Pin::new(&mut self.stream).poll_close(cx));
        let shut_down = || self.shutdown.map_or(Ok(()), |shutdown| shutdown(&self.stream));
        Poll::Ready(match closed.and_then(|()| shut_down()) {
            // The peer is gone, and with it both directions.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            ended => ended,
        })
    }

    fn ends_when_dropped(&self) -> bool {
        self.shutdown.is_none()
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        self.peer_addr
    }
}

impl<S> fmt::Debug for FuturesIo<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FuturesIo")
            .field("name", &self.name)
            .field("peer_addr", &self.peer_addr)
            .finish_non_exhaustive()
    }
}

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

const SCRATCH_SIZE: usize = 64 * 1024;

/// Slices per vectored write; more chunks wait for the next one.
const MAX_SLICES: usize = 64;
