//! A WebSocket as a stream of bytes, for what was made for sockets.

use std::fmt;
use std::io::{self, Read as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use futures_io::{AsyncBufRead, AsyncRead, AsyncWrite};
use ws_close::CloseCode;
use ws_frame::{DataKind, Message};

use crate::side::Side;
use crate::{Chunk, Error, Runtime, Transport, WebSocket};

/// The most bytes of one call that become one message.
const PIECE: usize = 64 * 1024;

/// A WebSocket as an ordered stream of bytes; made by [`WebSocket::into_byte_stream`].
///
/// What is written leaves as binary messages, and the payloads of binary messages are what is read:
/// where one ends and the next begins says nothing. For tunnels, and for protocols that were made for
/// sockets.
///
/// - **Reading** ends (`Ok(0)`) when the peer has said goodbye with 1000 or without a code. Any other
///   end is an error, so that nobody takes a part for the whole: [`ConnectionAborted`] for a goodbye
///   with another code, else as [`io::Error`] is made of an [`Error`]. A text message is
///   [`InvalidData`], and the peer is told 1003; all reads after it fail alike. Reading also answers
///   pings, keeps the deadlines and writes what is queued, as [`WebSocket::next`] does.
/// - **Writing** queues; a call takes 64 KiB at most and waits while the queue is above
///   [`Config::high_water`](ws_session::Config::high_water). It leaves with a flush, or when a task reads
///   or waits to. What does not fit into a budget of memory is refused
///   ([`Other`](io::ErrorKind::Other)).
/// - **Closing** flushes and says goodbye with 1000. WebSocket has no half of a connection: the peer
///   answers, and what it would still have sent is lost. Read to the end afterwards.
///
/// Two tasks may share it behind a lock, one reading and one writing.
///
/// [`ConnectionAborted`]: io::ErrorKind::ConnectionAborted
/// [`InvalidData`]: io::ErrorKind::InvalidData
pub struct ByteStream<T: Transport, R: Runtime> {
    websocket: WebSocket<T, R>,
    unread: Bytes,
    has_met_text: bool,
}

impl<T: Transport, R: Runtime> WebSocket<T, R> {
    /// Reads and writes it as a stream of bytes, whose messages are all binary.
    pub fn into_byte_stream(self) -> ByteStream<T, R> {
        ByteStream { websocket: self, unread: Bytes::new(), has_met_text: false }
    }
}

impl<T: Transport, R: Runtime> ByteStream<T, R> {
    /// The WebSocket below: how it ended, and what was agreed on.
    pub fn get_ref(&self) -> &WebSocket<T, R> {
        &self.websocket
    }

    /// The WebSocket, and what was received and not read.
    pub fn into_inner(self) -> (WebSocket<T, R>, Bytes) {
        (self.websocket, self.unread)
    }

    /// Ready when there is something unread, or never will be.
    fn poll_unread(&mut self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        while self.unread.is_empty() {
            if self.has_met_text {
                ready!(self.websocket.poll_as(Side::Receiving, cx, WebSocket::poll_end));
                let text = "a text message in a stream of bytes";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, text)));
            }
            match ready!(self.websocket.poll_as(Side::Receiving, cx, WebSocket::poll_chunk)) {
                Some(Ok(Chunk::Data { kind: DataKind::Binary, data, .. })) => self.unread = data,
                Some(Ok(Chunk::Data { kind: DataKind::Text, .. })) => {
                    self.has_met_text = true;
                    // Refused when a goodbye is under way already, which then is the one.
                    let _under_way = self.websocket.start_close(CloseCode::UNSUPPORTED_DATA, "");
                }
                Some(Ok(Chunk::Control(_))) => {}
                Some(Err(error)) => return Poll::Ready(Err(error.into())),
                None => return Poll::Ready(self.end()),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Takes what was read off the front. What is empty lets go of the memory it lay in, which
    /// other connections wait for.
    fn consumed(&mut self, count: usize) {
        self.unread.advance(count);
        if self.unread.is_empty() {
            self.unread = Bytes::new();
        }
    }

    /// What an orderly end of the connection is for who reads bytes.
    fn end(&self) -> io::Result<()> {
        let outcome = self.websocket.outcome();
        if let Some(error) = outcome.and_then(Error::of) {
            return Err(error.into());
        }
        match outcome {
            Some(outcome) if !is_whole(outcome.code) => {
                let goodbye = format!("closed with {} {:?}", outcome.code.get(), outcome.reason);
                Err(io::Error::new(io::ErrorKind::ConnectionAborted, goodbye))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a peer that says goodbye with this code had sent all it wanted to.
fn is_whole(code: CloseCode) -> bool {
    matches!(code, CloseCode::NORMAL | CloseCode::NO_STATUS)
}

impl<T: Transport, R: Runtime> AsyncBufRead for ByteStream<T, R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        ready!(this.poll_unread(cx))?;
        Poll::Ready(Ok(&this.unread))
    }

    fn consume(mut self: Pin<&mut Self>, count: usize) {
        self.consumed(count);
    }
}

impl<T: Transport, R: Runtime> AsyncRead for ByteStream<T, R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(self.poll_unread(cx))?;
        let count = self.unread.as_ref().read(buf)?;
        self.consumed(count);
        Poll::Ready(Ok(count))
    }
}

impl<T: Transport, R: Runtime> AsyncWrite for ByteStream<T, R> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let websocket = &mut self.get_mut().websocket;
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let len = if websocket.connection.feed_small_fragment(DataKind::Binary, buf, true) {
            websocket.sink_is_done();
            buf.len()
        } else {
            ready!(websocket.poll_as(Side::Sending, cx, WebSocket::poll_ready))?;
            let piece = buf.get(..PIECE).unwrap_or(buf);
            websocket.start_send(Message::Binary(Bytes::copy_from_slice(piece)))?;
            piece.len()
        };
        // Who waits to read writes it, as a socket would at once.
        websocket.wake_stream();
        Poll::Ready(Ok(len))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let websocket = &mut self.get_mut().websocket;
        websocket.poll_as(Side::Sending, cx, WebSocket::poll_flush).map_err(Error::into)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let websocket = &mut self.get_mut().websocket;
        websocket.poll_as(Side::Sending, cx, WebSocket::poll_goodbye).map_err(Error::into)
    }
}

impl<T: Transport, R: Runtime> fmt::Debug for ByteStream<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteStream")
            .field("websocket", &self.websocket)
            .field("unread", &self.unread.len())
            .finish_non_exhaustive()
    }
}
