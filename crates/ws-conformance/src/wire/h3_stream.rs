//! A request stream of HTTP/3 on which the suite writes every frame (RFC 9114 §4.1).

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use quinn::{Connection, Endpoint, RecvStream, SendStream, VarInt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connect::{answer_lines, response_head};
use super::http::Head;
use super::qpack::{read_section, section};
use super::raw_h3::{frame, number, take_varint};
use super::stream::Duplex;

/// What is done about frames that must not be there, or are not known.
#[derive(Clone, Debug, Default)]
pub(crate) enum Manner {
    /// The reader is told.
    #[default]
    Report,
    /// The connection is closed with H3_FRAME_UNEXPECTED.
    Close(Connection),
    /// A mutant skips every frame.
    Skip,
    /// A mutant refuses frames of unknown types.
    RefuseUnknown,
}

/// Both directions of a request stream.
pub(crate) struct H3Stream {
    pub(crate) send: SendStream,
    receive: RecvStream,
    /// Octets of frames that were not understood yet.
    raw: Vec<u8>,
    /// Octets of the current DATA frame that are still to come.
    left: usize,
    /// Octets of a frame that are written, and how many of them QUIC has taken.
    outgoing: (Vec<u8>, usize),
    has_ended: bool,
    pub(crate) manner: Manner,
    pub(crate) control: Option<(SendStream, RecvStream)>,
    _endpoint: Endpoint,
}

impl H3Stream {
    pub(super) fn new(send: SendStream, receive: RecvStream, endpoint: Endpoint) -> Self {
        let (raw, outgoing) = (Vec::new(), (Vec::new(), 0));
        Self {
            send,
            receive,
            raw,
            left: 0,
            outgoing,
            has_ended: false,
            manner: Manner::Report,
            control: None,
            _endpoint: endpoint,
        }
    }

    /// Waits for the head of the final answer.
    pub(crate) async fn answer(&mut self) -> io::Result<Head> {
        loop {
            let head = response_head(&self.lines().await?, "HTTP/3");
            if !matches!(head.status(), Some(100..=199)) {
                return Ok(head);
            }
        }
    }

    /// Waits for the head of the first answer, even if that is an interim one.
    pub(crate) async fn first_answer(&mut self) -> io::Result<Head> {
        Ok(response_head(&self.lines().await?, "HTTP/3"))
    }

    /// Ends both directions with this code.
    pub(crate) fn refuse_with(&mut self, code: u32) {
        self.abort(code);
        // A stream that has ended has nothing to stop.
        let _ = self.receive.stop(VarInt::from_u32(code));
    }

    /// As a server: answers with a head that is written for HTTP/1.1.
    pub(crate) async fn respond(&mut self, head: &Head) {
        self.send_frame(number::HEADERS, &section(&answer_lines(head))).await;
    }

    /// Sends one frame; an error is seen by whoever reads.
    pub(crate) async fn send_frame(&mut self, kind: u64, payload: &[u8]) {
        // A peer that has stopped the stream wants nothing more.
        let _ = self.send.write_all(&frame(kind, payload)).await;
    }

    /// Waits for the next field section; frames before it are skipped.
    pub(crate) async fn lines(&mut self) -> io::Result<Vec<(String, String)>> {
        loop {
            let mut rest = self.raw.as_slice();
            if let (Some(kind), Some(size)) = (take_varint(&mut rest), take_varint(&mut rest)) {
                let size = usize::try_from(size).unwrap_or(usize::MAX);
                if kind != number::HEADERS && !self.may_skip(kind) {
                    return Err(self.refuse(kind));
                }
                if let Some(payload) = rest.get(..size) {
                    let lines = (kind == number::HEADERS).then(|| read_section(payload));
                    let taken = self.raw.len() - rest.len() + size;
                    self.raw.drain(..taken);
                    match lines {
                        Some(lines) => return Ok(lines),
                        None => continue,
                    }
                }
            }
            match self.receive.read_chunk(65_536, true).await.map_err(io::Error::other)? {
                Some(chunk) => self.raw.extend(&chunk.bytes),
                None => return Err(io::Error::other("the stream ended without an answer")),
            }
        }
    }

    /// Whether a frame of this type is passed over: those of unknown types are (RFC 9114 §9).
    fn may_skip(&self, kind: u64) -> bool {
        match self.manner {
            Manner::Report | Manner::Close(_) => kind >= 0x21,
            Manner::Skip => true,
            Manner::RefuseUnknown => false,
        }
    }

    fn refuse(&self, kind: u64) -> io::Error {
        if let Manner::Close(connection) = &self.manner {
            connection.close(VarInt::from_u32(number::FRAME_UNEXPECTED), b"");
        }
        io::Error::other(format!("a frame of type {kind:#x} on the stream (RFC 9114 §4.4)"))
    }

    /// Whether octets have arrived that were not understood yet.
    pub(crate) fn has_arrived(&self) -> bool {
        !self.raw.is_empty()
    }

    /// Ends the suite's direction.
    pub(crate) fn end(&mut self) {
        self.has_ended = true;
        // A peer that has stopped the stream needs no end.
        let _ = self.send.finish();
    }

    /// Resets the suite's direction with this code.
    pub(crate) fn abort(&mut self, code: u32) {
        self.has_ended = true;
        // A stream that the peer has stopped already needs no reset.
        let _ = self.send.reset(VarInt::from_u32(code));
    }

    /// Puts octets of DATA into `space`; true if there were any.
    fn take_data(&mut self, space: &mut ReadBuf<'_>) -> io::Result<bool> {
        loop {
            if self.left > 0 {
                let count = self.left.min(self.raw.len()).min(space.remaining());
                space.put_slice(self.raw.get(..count).unwrap_or_default());
                self.raw.drain(..count);
                self.left -= count;
                return Ok(count > 0);
            }
            let mut rest = self.raw.as_slice();
            let (Some(kind), Some(size)) = (take_varint(&mut rest), take_varint(&mut rest)) else {
                return Ok(false);
            };
            let head = self.raw.len() - rest.len();
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            if kind == number::DATA {
                self.raw.drain(..head);
                self.left = size;
            } else if !self.may_skip(kind) {
                return Err(self.refuse(kind));
            } else if rest.len() >= size {
                self.raw.drain(..head + size);
            } else {
                return Ok(false);
            }
        }
    }

    fn poll_outgoing(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (octets, taken) = &mut self.outgoing;
        while let Some(rest) = octets.get(*taken..).filter(|rest| !rest.is_empty()) {
            *taken +=
                ready!(Pin::new(&mut self.send).poll_write(cx, rest)).map_err(io::Error::other)?;
        }
        octets.clear();
        *taken = 0;
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for H3Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.take_data(space)? {
                return Poll::Ready(Ok(()));
            }
            let mut octets = [0; 16 * 1024];
            let mut arrived = ReadBuf::new(&mut octets);
            ready!(Pin::new(&mut this.receive).poll_read(cx, &mut arrived))?;
            if arrived.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.raw.extend(arrived.filled());
        }
    }
}

impl AsyncWrite for H3Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_outgoing(cx))?;
        let piece = octets.get(..64 * 1024).unwrap_or(octets);
        this.outgoing = (frame(number::DATA, piece), 0);
        // What QUIC does not take now is taken by the next write or flush.
        match this.poll_outgoing(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(piece.len())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_outgoing(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_outgoing(cx))?;
        this.has_ended = true;
        Poll::Ready(this.send.finish().map_err(io::Error::other))
    }
}

impl Duplex for H3Stream {
    fn abort(&mut self) {
        Self::abort(self, number::REQUEST_CANCELLED);
    }

    fn put_below(&mut self, octets: &[u8]) {
        self.outgoing.0.extend(octets);
    }

    fn reset(&mut self) {
        self.has_ended = true;
        let code = VarInt::from_u32(number::REQUEST_CANCELLED);
        // A stream that the peer has ended already has nothing left to cancel.
        let _ = self.send.reset(code);
        let _ = self.receive.stop(code);
    }
}

impl Drop for H3Stream {
    /// As a TCP connection that is dropped: an end in order.
    fn drop(&mut self) {
        if !self.has_ended {
            // The peer may have stopped the stream; then there is nothing to end.
            let _ = self.send.finish();
        }
    }
}

impl fmt::Debug for H3Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("H3Stream").field("id", &self.send.id()).finish_non_exhaustive()
    }
}
