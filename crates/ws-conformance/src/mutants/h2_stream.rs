//! A stream of the reference server's HTTP/2 connection, by the `h2` crate.
//!
//! The suite itself frames HTTP/2 by [`Tunnel`](crate::wire::tunnel::Tunnel), for one stream on a
//! connection; the reference server has to carry many, and is framed by somebody else.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::{Reason, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::wire::stream::Duplex;

/// Both directions of a stream.
pub(crate) struct H2Stream {
    send: SendStream<Bytes>,
    receive: RecvStream,
    unread: Bytes,
    /// Whether the peer gets no credit for what was read, as it must.
    pub(crate) is_stingy: bool,
    /// Nothing more is sent: END_STREAM or RST_STREAM is on its way.
    has_ended: bool,
}

impl H2Stream {
    pub(crate) fn new(send: SendStream<Bytes>, receive: RecvStream) -> Self {
        Self { send, receive, unread: Bytes::new(), is_stingy: false, has_ended: false }
    }
}

impl AsyncRead for H2Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.unread.is_empty() {
            match ready!(this.receive.poll_data(cx)) {
                Some(Ok(data)) => this.unread = data,
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        let count = this.unread.len().min(space.remaining());
        space.put_slice(&this.unread.split_to(count));
        // It fails on a stream that was reset, which needs no credit.
        if !this.is_stingy {
            let _ = this.receive.flow_control().release_capacity(count);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for H2Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.send.reserve_capacity(octets.len().min(64 * 1024));
        let mut room = this.send.capacity();
        if room == 0 {
            room = match ready!(this.send.poll_capacity(cx)) {
                Some(Ok(room)) => room,
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            };
        }
        let mut piece = octets.get(..room).unwrap_or(octets);
        let count = piece.len();
        let sent = this.send.send_data(piece.copy_to_bytes(count), false);
        Poll::Ready(sent.map(|()| count).map_err(io::Error::other))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !std::mem::replace(&mut this.has_ended, true) {
            this.send.send_data(Bytes::new(), true).map_err(io::Error::other)?;
        }
        Poll::Ready(Ok(()))
    }
}

impl Duplex for H2Stream {
    fn reset(&mut self) {
        self.has_ended = true;
        self.send.send_reset(Reason::CANCEL);
    }
}

impl Drop for H2Stream {
    /// As a TCP connection that is dropped: an end in order.
    fn drop(&mut self) {
        if !self.has_ended {
            // The peer may have reset the stream; then there is nothing to end.
            let _ = self.send.send_data(Bytes::new(), true);
        }
    }
}

impl fmt::Debug for H2Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("H2Stream").field("id", &self.send.stream_id()).finish_non_exhaustive()
    }
}
