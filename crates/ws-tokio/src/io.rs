//! Streams of tokio as transports.

use std::any::Any;
use std::fmt;
use std::future::{Future as _, poll_fn};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::task::coop::{has_budget_remaining, unconstrained};
use tokio_util::io::poll_read_buf;
use ws_io::Transport;

/// Any stream of tokio as a transport: TCP, Unix, a duplex pipe, an upgraded HTTP connection, a TLS
/// stream of your own.
///
/// Reads go into spare capacity that was never zeroed, writes are vectored where the stream has
/// that.
///
/// In a task that has used up its turn a stream of tokio has it polled once more, whatever has come. A
/// connection would take that for the silence of its peer, so it gets a little beyond the turn.
pub struct Io<S> {
    stream: S,
    kind: Kind,
    extra: Extra,
}

/// How often the stream was asked beyond the turn of its task; up to [`MOST_EXTRA`].
#[derive(Default)]
struct Extra(u8);

impl Extra {
    /// Whether to ask once more what has just said that it has to wait.
    fn is_granted(&mut self) -> bool {
        let is_granted = !has_budget_remaining() && self.0 < MOST_EXTRA;
        self.0 = if is_granted { self.0 + 1 } else { 0 };
        is_granted
    }

    /// What `poll` says where the turn does not count.
    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let result = pin!(unconstrained(poll_fn(poll))).poll(cx);
        if result.is_pending() {
            self.0 = 0;
        }
        result
    }
}

/// What the stream is; as small as its address, because an open connection keeps it.
enum Kind {
    Tcp(Option<SocketAddr>),
    #[cfg(unix)]
    Unix,
    Other,
}

impl Kind {
    /// What the stream turns out to be: whoever calls [`accept`](crate::accept) with a socket is not
    /// to lose the address of its peer.
    fn of<S: 'static>(stream: &S) -> Self {
        let stream: &dyn Any = stream;
        #[cfg(unix)]
        if stream.is::<UnixStream>() {
            return Self::Unix;
        }
        match stream.downcast_ref::<TcpStream>() {
            Some(tcp) => Self::Tcp(tcp.peer_addr().ok()),
            None => Self::Other,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Tcp(_) => "tcp",
            #[cfg(unix)]
            Self::Unix => "unix",
            Self::Other => "stream",
        }
    }

    fn peer(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(peer) => *peer,
            _ => None,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io<S> {
    /// Wraps a stream, and remembers the address of its peer if it is a [`TcpStream`]. The options
    /// of the socket stay as they are; `TCP_NODELAY` is recommended.
    pub fn new(stream: S) -> Self {
        let kind = Kind::of(&stream);
        Self { stream, kind, extra: Extra::default() }
    }

    /// The stream.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Gives the stream back.
    pub fn into_inner(self) -> S {
        self.stream
    }

    #[cold]
    fn read_again(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut BytesMut,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        let Self { stream, extra, .. } = self;
        extra.poll(cx, |cx| read(stream, cx, buf, max))
    }

    #[cold]
    fn write_again(&mut self, cx: &mut Context<'_>, buf: &mut dyn Buf) -> Poll<io::Result<usize>> {
        let Self { stream, extra, .. } = self;
        extra.poll(cx, |cx| write(stream, cx, buf))
    }
}

impl From<TcpStream> for Io<TcpStream> {
    fn from(stream: TcpStream) -> Self {
        Self::new(stream)
    }
}

impl Io<TcpStream> {
    pub(crate) fn from_tcp(stream: TcpStream, peer: SocketAddr) -> Self {
        Self { stream, kind: Kind::Tcp(Some(peer)), extra: Extra::default() }
    }
}

#[cfg(unix)]
impl From<UnixStream> for Io<UnixStream> {
    fn from(stream: UnixStream) -> Self {
        Self::new(stream)
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Transport for Io<S> {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut BytesMut,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        buf.reserve(max);
        match read(&mut self.stream, cx, buf, max) {
            Poll::Pending if self.extra.is_granted() => self.read_again(cx, buf, max),
            result => result,
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &mut dyn Buf) -> Poll<io::Result<usize>> {
        match write(&mut self.stream, cx, buf) {
            Poll::Pending if self.extra.is_granted() => self.write_again(cx, buf),
            result => result,
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn name(&self) -> &'static str {
        self.kind.name()
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        self.kind.peer()
    }
}

impl<S> fmt::Debug for Io<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, peer) = (self.kind.name(), self.kind.peer());
        f.debug_struct("Io").field("name", &name).field("peer", &peer).finish()
    }
}

#[inline(always)]
fn read(
    stream: &mut (impl AsyncRead + Unpin),
    cx: &mut Context<'_>,
    buf: &mut BytesMut,
    max: usize,
) -> Poll<io::Result<usize>> {
    poll_read_buf(Pin::new(stream), cx, &mut buf.limit(max))
}

#[inline(always)]
fn write(
    stream: &mut (impl AsyncWrite + Unpin),
    cx: &mut Context<'_>,
    buf: &mut dyn Buf,
) -> Poll<io::Result<usize>> {
    let stream = Pin::new(stream);
    let chunk = buf.chunk();
    // One slice costs less as a plain write, and not every stream can do more.
    let written = if chunk.len() == buf.remaining() || !stream.is_write_vectored() {
        ready!(stream.poll_write(cx, chunk))?
    } else {
        let mut slices = [IoSlice::new(&[]); MOST_SLICES];
        let count = buf.chunks_vectored(&mut slices);
        let slices = slices.get(..count).unwrap_or_default();
        ready!(stream.poll_write_vectored(cx, slices))?
    };
    buf.advance(written);
    Poll::Ready(Ok(written))
}

/// As often as a connection reads before it lets other tasks run by itself: what never has to wait, as the
/// records of a TLS connection that have nothing in them, does not keep the thread.
const MOST_EXTRA: u8 = 32;
/// Slices per vectored write: enough for the payloads of a burst, small enough for the stack.
const MOST_SLICES: usize = 32;
