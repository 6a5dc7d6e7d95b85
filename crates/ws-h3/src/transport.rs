//! The tunnel that a CONNECT leaves behind, as a byte stream: DATA frames and nothing else
//! (RFC 9114 §4.4, RFC 9220 §3).

use std::fmt;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::{Buf, Bytes, BytesMut};
use h3::error::Code;
use ws_io::{Transport, TransportError};

use crate::error::Error;
use crate::link::{Guard, Link, Unacknowledged};
use crate::quic::frames::{self, FrameEvent, frame_header, is_known};
use crate::quic::{Inbound, Outbound};
use crate::windows::Share;

/// One WebSocket's stream on an HTTP/3 connection.
///
/// - **Reading** takes from QUIC only what is asked for, so a reader that stops makes its own peer
///   stop; others only when so many have stopped that they fill the window of the connection, which
///   may grow with them ([`QuicOptions`](crate::QuicOptions)).
/// - **Writing** takes at most 64 KiB at a time and more only when QUIC has taken those.
/// - **`poll_shutdown`** is an orderly end (FIN); a stream that is dropped without it, or
///   [released](Transport::release), is cancelled in both directions with `H3_REQUEST_CANCELLED`, once
///   what was flushed can have arrived, and at once where not all was; and so is a peer's: it arrives
///   as [`io::ErrorKind::ConnectionReset`].
/// - The stream **keeps its connection open**, until the peer has acknowledged what was sent, for 5
///   seconds at most after its end; and the memory of its connection, some 40 KiB, and the UDP socket
///   under it, as long as the value is kept: [`connection`](Self::connection) leads there.
pub struct H3Stream {
    id: u64,
    /// `None` once released, as the next, the guard and the share.
    send: Option<Outbound>,
    recv: Option<Inbound>,
    link: Arc<Link>,
    guard: Option<Guard>,
    share: Option<Share>,
    /// Whether all was flushed that was written before the release.
    is_flushed: bool,
    /// A failure that came behind good data, to be reported by the next read.
    failure: Option<Box<Error>>,
    opened: Instant,
}

impl H3Stream {
    pub(crate) fn new((send, recv): (Outbound, Inbound), link: Arc<Link>, guard: Guard) -> Self {
        let (id, opened) = (recv.id(), link.tasks.now());
        let (send, recv, guard) = (Some(send), Some(recv), Some(guard));
        let share = Some(Share::new(&link));
        Self { id, send, recv, link, guard, share, is_flushed: true, failure: None, opened }
    }

    /// The QUIC connection this stream is on.
    #[must_use]
    pub fn connection(&self) -> &quinn::Connection {
        &self.link.connection
    }

    /// The id of the QUIC stream (RFC 9000 §2.1).
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    fn send(&mut self) -> io::Result<&mut Outbound> {
        self.send.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

/// Judges one event of `recv`; payload goes to `buf`.
fn take_event(
    event: FrameEvent,
    recv: &Inbound,
    link: &Link,
    buf: &mut BytesMut,
) -> Result<(), Error> {
    match event {
        FrameEvent::Payload { kind: frames::DATA, bytes, .. } => buf.extend_from_slice(&bytes),
        FrameEvent::Start { kind, .. } if kind != frames::DATA && is_known(kind) => {
            let what = "a frame other than DATA after the CONNECT";
            return Err(link.violate(Code::H3_FRAME_UNEXPECTED, what));
        }
        _ if recv.is_idling() => return Err(link.idling()),
        _ => {}
    }
    Ok(())
}

impl Transport for H3Stream {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut BytesMut,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        if let Some(failure) = self.failure.take() {
            return Poll::Ready(Err((*failure).into()));
        }
        let Some(recv) = &mut self.recv else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let before = buf.len();
        loop {
            while let Some(event) = recv.buffered_event(max - (buf.len() - before)) {
                if let Err(error) = take_event(event, recv, &self.link, buf) {
                    recv.stop(Code::H3_REQUEST_CANCELLED);
                    if buf.len() == before {
                        return Poll::Ready(Err(error.into()));
                    }
                    // What lay behind it is dropped, so there is no more to be read.
                    self.failure = Some(Box::new(error));
                    return Poll::Ready(Ok(buf.len() - before));
                }
            }
            let read = buf.len() - before;
            if read == max || (read > 0 && !recv.is_more_likely()) {
                return Poll::Ready(Ok(read));
            }
            let filled = match recv.poll_fill(cx) {
                Poll::Ready(filled) => filled,
                Poll::Pending if read > 0 => return Poll::Ready(Ok(read)),
                Poll::Pending => return Poll::Pending,
            };
            match filled {
                Ok(true) => {}
                // An end is still there for the next read, a failure is kept for it.
                Ok(false) if read > 0 => return Poll::Ready(Ok(read)),
                Err(error) if read > 0 => {
                    self.failure = Some(Box::new(self.read_failure(error)));
                    return Poll::Ready(Ok(read));
                }
                Ok(false) if recv.is_at_boundary() => return Poll::Ready(Ok(0)),
                Ok(false) => {
                    let what = "the stream ended inside a frame";
                    let error = self.link.violate(Code::H3_FRAME_ERROR, what);
                    return Poll::Ready(Err(error.into()));
                }
                // What failed before is not read again.
                Err(quinn::ReadError::ClosedStream) => {
                    return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
                }
                Err(error) => return Poll::Ready(Err(self.read_failure(error).into())),
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &mut dyn Buf) -> Poll<io::Result<usize>> {
        let send = self.send()?;
        if let Err(error) = ready!(send.poll_flush(cx)) {
            return Poll::Ready(Err(self.cause(error.into()).into()));
        }
        let len = buf.remaining().min(FRAME_MAX);
        if len == 0 {
            return Poll::Ready(Ok(0));
        }
        push_frame(send, buf, len);
        // What QUIC does not take now is taken by the next write or flush.
        match send.poll_flush(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.cause(error.into()).into())),
            _ => Poll::Ready(Ok(len)),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(send) = &mut self.send else {
            // Nothing is left to be sent: it is with QUIC, or was cancelled.
            let flushed =
                if self.is_flushed { Ok(()) } else { Err(io::ErrorKind::NotConnected.into()) };
            return Poll::Ready(flushed);
        };
        let flushed = ready!(send.poll_flush(cx));
        Poll::Ready(flushed.map_err(|error| self.cause(error.into()).into()))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let finished = ready!(self.send()?.poll_finish(cx));
        Poll::Ready(finished.map_err(|error| self.cause(error.into()).into()))
    }

    fn take_progress(&mut self) -> Option<bool> {
        self.send.as_mut().map(Outbound::take_progress)
    }

    fn release(&mut self) -> bool {
        let (Some(send), Some(guard)) = (self.send.take(), self.guard.take()) else { return true };
        let mut recv = self.recv.take();
        self.share = None;
        self.is_flushed = send.is_flushed();
        if send.is_closed()
            && let Some(mut recv) = recv.take()
        {
            // An orderly end on our side; there is no more to say about what the peer still sends.
            recv.stop(Code::H3_NO_ERROR);
        }
        // What a peer does not take is not waited for. QUIC has all of what was finished.
        if self.is_flushed && !(send.is_closed() && send.is_acknowledged()) {
            self.link.wait_for(Unacknowledged { send, recv, guard });
        }
        true
    }

    fn name(&self) -> &'static str {
        "h3"
    }

    /// A stream that was reset for another reason than that its peer has left is told apart from one
    /// whose peer has.
    fn classify(&self, error: io::Error) -> TransportError {
        match error.get_ref().and_then(|error| error.downcast_ref()) {
            Some(Error::StreamReset { .. }) if error.kind() == io::ErrorKind::ConnectionAborted => {
                TransportError::Io(Arc::new(error))
            }
            _ => error.into(),
        }
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        Some(self.link.connection.remote_address())
    }
}

impl H3Stream {
    fn read_failure(&self, error: quinn::ReadError) -> Error {
        if matches!(error, quinn::ReadError::Reset(_)) {
            self.link.count_reset(self.opened);
        }
        self.cause(error.into())
    }

    /// The cause of a failure: what we closed the connection for comes first.
    fn cause(&self, error: Error) -> Error {
        match error {
            Error::Connection(_) => self.link.close_reason().unwrap_or(error),
            other => other,
        }
    }
}

impl Drop for H3Stream {
    fn drop(&mut self) {
        self.release();
    }
}

impl fmt::Debug for H3Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("H3Stream").field("id", &self.id()).field("link", &self.link).finish()
    }
}

/// Queues one DATA frame with the first `len` bytes of `buf`: small pieces are gathered behind the
/// frame header, large ones are passed on as they are.
fn push_frame(send: &mut Outbound, buf: &mut dyn Buf, len: usize) {
    let (header, header_len) = frame_header(frames::DATA, len);
    let header = header.get(..header_len).unwrap_or_default();
    let mut left = len;
    let copied = if buf.chunk().len() < COPY_MAX { left.min(COPY_MAX) } else { 0 };
    // Filled to the last byte it becomes `Bytes` as it is.
    let mut gathered = Vec::with_capacity(header_len + copied);
    gathered.extend_from_slice(header);
    while left > 0 {
        let piece = buf.chunk().len().min(left);
        if piece < COPY_MAX {
            gathered.extend_from_slice(buf.chunk().get(..piece).unwrap_or_default());
            buf.advance(piece);
        } else {
            send.push(mem::take(&mut gathered).into());
            send.push(take(buf, piece));
        }
        left -= piece;
    }
    send.push(gathered.into());
}

/// Takes bytes that lie in one piece, without a copy where `buf` owns them.
fn take(buf: &mut dyn Buf, len: usize) -> Bytes {
    buf.copy_to_bytes(len)
}

/// Bytes in one DATA frame, and so the most that waits for QUIC in one stream.
const FRAME_MAX: usize = 64 * 1024;
/// Bytes; a smaller piece is cheaper to copy than to pass on.
const COPY_MAX: usize = 2048;
