//! A byte stream to the peer, read while it is written.
//!
//! [`Duplex`] is the seam for carriers: TCP and TLS today, a stream of HTTP/2 or HTTP/3 by the
//! same three operations. [`Wire`] never stalls on a peer that answers before it has read
//! everything: whatever arrives during a write is put aside.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A stream of bytes in both directions, with an end that is not polite.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send + Sync + fmt::Debug {
    /// Arranges that dropping the stream tells the peer it was torn down, not ended
    /// (TCP: RST; HTTP/2: RST_STREAM with CANCEL; HTTP/3: H3_REQUEST_CANCELLED).
    fn reset(&mut self);

    /// Tears the sending direction down and leaves the other one open, where the carrier can.
    fn abort(&mut self) {
        self.reset();
    }

    /// Puts octets on the stream beneath the carrier's framing, to go out with the next write.
    fn put_below(&mut self, octets: &[u8]) {
        // A carrier without framing of its own has nothing beneath it.
        let _ = octets;
    }
}

impl Duplex for TcpStream {
    fn reset(&mut self) {
        // Where the option is refused the peer sees an ordinary end; the case then says so.
        let _ = SockRef::from(&*self).set_linger(Some(Duration::ZERO));
    }
}

/// How the peer's direction ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// An orderly end of stream.
    Fin,
    /// A reset, or another error of the stream.
    Broken(String),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fin => f.write_str("end of stream"),
            Self::Broken(cause) => write!(f, "stream torn down ({cause})"),
        }
    }
}

/// A stream with what arrived on it and was not consumed yet.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: Box<dyn Duplex>,
    arrived: Vec<u8>,
    consumed: usize,
    end: Option<End>,
    received: u64,
}

impl Wire {
    pub(crate) fn new(stream: impl Duplex + 'static) -> Self {
        Self { stream: Box::new(stream), arrived: Vec::new(), consumed: 0, end: None, received: 0 }
    }

    /// What arrived and was not consumed.
    pub(crate) fn buffered(&self) -> &[u8] {
        self.arrived.get(self.consumed..).unwrap_or_default()
    }

    /// Gives `count` octets of [`Self::buffered`] up.
    pub(crate) fn consume(&mut self, count: usize) {
        self.consumed = self.consumed.saturating_add(count).min(self.arrived.len());
        if self.consumed == self.arrived.len() {
            self.arrived.clear();
            self.consumed = 0;
        }
    }

    /// How the peer's direction ended, once it has.
    pub(crate) fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// Octets received since the stream was opened.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Waits for more octets; false once the peer's direction has ended. Cancel safe.
    pub(crate) async fn fill(&mut self) -> bool {
        poll_fn(|cx| self.poll_fill(cx)).await
    }

    /// Writes all of `bytes` and flushes; meanwhile reads. False when the peer cut the stream.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        while !rest.is_empty() {
            let Ok(written) = poll_fn(|cx| self.poll_write(cx, rest)).await else { return false };
            rest = rest.get(written..).unwrap_or_default();
        }
        poll_fn(|cx| self.poll_flush(cx)).await.is_ok()
    }

    /// Writes without reading meanwhile, as a peer does that never reads.
    pub(crate) async fn write_blindly(&mut self, bytes: &[u8]) -> io::Result<usize> {
        poll_fn(|cx| Pin::new(&mut self.stream).poll_write(cx, bytes)).await
    }

    /// Tears this side's direction down, and reads on.
    pub(crate) fn abort(&mut self) {
        self.stream.abort();
    }

    /// Writes octets beneath the carrier's framing.
    pub(crate) async fn write_below(&mut self, octets: &[u8]) -> bool {
        self.stream.put_below(octets);
        poll_fn(|cx| self.poll_flush(cx)).await.is_ok()
    }

    /// Ends this side's direction in order.
    pub(crate) async fn finish_sending(&mut self) {
        // The peer may be gone already; then there is nothing to end.
        let _ = poll_fn(|cx| Pin::new(&mut self.stream).poll_shutdown(cx)).await;
    }

    /// The stream without what has arrived on it.
    #[cfg(feature = "h2")]
    pub(crate) fn into_stream(self) -> Box<dyn Duplex> {
        self.stream
    }

    /// Tears the stream down as rudely as the carrier can.
    pub(crate) fn reset(mut self) {
        self.stream.reset();
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        rest: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = Pin::new(&mut self.stream).poll_write(cx, rest) {
            return Poll::Ready(match written {
                Ok(0) => Err(io::ErrorKind::WriteZero.into()),
                other => other,
            });
        }
        while self.end.is_none() {
            if self.poll_fill(cx).is_pending() {
                break;
            }
        }
        Poll::Pending
    }

    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.end.is_some() {
            return Poll::Ready(false);
        }
        if self.consumed > 0 && self.consumed * 2 >= self.arrived.len() {
            self.arrived.drain(..self.consumed);
            self.consumed = 0;
        }
        let before = self.arrived.len();
        let room = (before / 2).clamp(16 * 1024, 1024 * 1024);
        self.arrived.resize(before + room, 0);
        let mut space = ReadBuf::new(self.arrived.get_mut(before..).unwrap_or_default());
        let polled = Pin::new(&mut self.stream).poll_read(cx, &mut space);
        let count = space.filled().len();
        self.arrived.truncate(before + count);
        match polled {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) if count == 0 => self.ended(End::Fin),
            Poll::Ready(Ok(())) => {
                self.received += count as u64;
                Poll::Ready(true)
            }
            // A peer that ends TLS without close_notify has still ended.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.ended(End::Fin)
            }
            Poll::Ready(Err(error)) => self.ended(End::Broken(error.to_string())),
        }
    }

    fn ended(&mut self, end: End) -> Poll<bool> {
        self.end = Some(end);
        Poll::Ready(false)
    }
}
