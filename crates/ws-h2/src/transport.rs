//! One stream of an HTTP/2 connection as a byte stream (RFC 8441 §5).

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use h2::{FlowControl, Reason, SendStream};
use ws_io::{Transport, TransportError};

use crate::error::Error;
use crate::hub::{End, StreamCore};
use crate::leaving::Leaving;
use crate::parting::Parting;

/// One WebSocket's stream on an HTTP/2 connection.
///
/// - **Reading** takes what the connection's task has put aside for this stream, at most its window.
///   The peer gets new credit only for what was read, so a reader that stops makes its own peer
///   stop, and no other stream.
/// - **Writing** takes no more than the peer and the connection have room for, one DATA frame for
///   many small pieces, large pieces without a copy.
/// - **[`poll_shutdown`](Transport::poll_shutdown)** is an orderly end. A server ends its direction
///   at once. A client first gives the server [`linger`](crate::ClientConfig::linger) to end the
///   stream and answers it, as over TCP; a server that does not is given up: there is nothing more
///   to read, and the stream is cancelled when it is let go. What was sent before an orderly end
///   arrives, whatever the peer still sends: the connection's task reads that and throws it away,
///   for at most `linger`.
/// - A stream whose unread bytes [a budget](crate::ServerConfig::budget) has no room for is reset, and
///   reading and writing fail with [`Error::BudgetExceeded`].
/// - A stream that is **let go without it**, by [`release`](Transport::release) or by dropping it, is
///   reset with `CANCEL`, behind what was written; so is a peer's, which arrives as
///   [`io::ErrorKind::ConnectionReset`].
pub struct H2Stream {
    id: u32,
    /// `None` once released.
    send: Option<SendStream<Bytes>>,
    reader: Reader,
    /// Nothing more will be sent.
    is_shut: bool,
    /// `END_STREAM` is on its way.
    has_ended: bool,
    /// Nothing more will be read: the server did not end the stream in time, and letting it go will
    /// cancel it; or it was let go.
    is_given_up: bool,
    progress: Progress,
}

impl H2Stream {
    pub(crate) fn new(send: SendStream<Bytes>, reader: Reader) -> Self {
        Self {
            id: send.stream_id().as_u32(),
            send: Some(send),
            reader,
            is_shut: false,
            has_ended: false,
            is_given_up: false,
            progress: Progress::default(),
        }
    }

    /// The number of the stream on its connection (RFC 9113 §5.1.1).
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Why nothing more can be sent. Ready when what came before that can be read: who finds that it
    /// cannot write reads what is there, and then no more.
    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if !self.is_shut {
            ready!(self.reader.core.poll_end(cx));
        }
        Poll::Ready(match &mut self.send {
            Some(send) => why_closed(send, &self.reader, cx),
            None => Err(io::ErrorKind::NotConnected.into()),
        })
    }

    /// Ends our direction now.
    fn end(&mut self) -> io::Result<()> {
        self.is_shut = true;
        let Some(send) = &mut self.send else { return Ok(()) };
        self.has_ended = send.send_data(Bytes::new(), true).is_ok();
        match self.reader.end() {
            _ if self.has_ended => Ok(()),
            Some(end) => {
                // A peer that has said NO_ERROR is content with what it got.
                let error = end.error(&self.reader.core.hub);
                error.map_or(Ok(()), |error| Err(error.into()))
            }
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Transport for H2Stream {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut BytesMut,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        if self.is_given_up {
            return Poll::Ready(Ok(0));
        }
        let result = self.reader.poll_read(cx, buf, max);
        if let (Poll::Ready(Err(Error::MalformedMessage { code })), Some(send)) =
            (&result, &mut self.send)
        {
            send.send_reset(Reason::from(*code));
        }
        result.map_err(io::Error::from)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &mut dyn Buf) -> Poll<io::Result<usize>> {
        let Some(send) = &mut self.send else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let wanted = next_frame(buf);
        send.reserve_capacity(wanted);
        let mut capacity = send.capacity();
        if capacity == 0 {
            // Edge-triggered: it is asked only when there is nothing.
            capacity = match send.poll_capacity(cx) {
                Poll::Ready(Some(Ok(capacity))) => capacity,
                Poll::Ready(Some(Err(_)) | None) => return self.poll_closed(cx),
                Poll::Pending => {
                    // What a stream has reserved is kept from the others until it comes for it.
                    send.reserve_capacity(wanted.min(WAKING));
                    return Poll::Pending;
                }
            };
        }
        let count = wanted.min(capacity);
        if count < wanted {
            // The rest is reserved when the stream comes for it.
            send.reserve_capacity(count);
        }
        let data = take_frame(buf, count);
        match self.progress.send(count, &self.reader.core.hub.taken, || send.send_data(data, false))
        {
            Ok(()) => Poll::Ready(Ok(count)),
            Err(_) => self.poll_closed(cx),
        }
    }

    /// Does nothing: the connection's task sends what it has as soon as it can.
    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_shut {
            return Poll::Ready(Ok(()));
        }
        if !self.reader.core.hub.is_server {
            match self.reader.core.poll_peer_end(cx) {
                Poll::Ready(true) => {}
                Poll::Ready(false) => {
                    self.is_shut = true;
                    self.is_given_up = true;
                    return Poll::Ready(Ok(()));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(self.end())
    }

    fn take_progress(&mut self) -> Option<bool> {
        Some(self.progress.take(&self.reader.core.hub.taken))
    }

    /// The connection's task sees the rest of it off.
    fn release(&mut self) -> bool {
        if let Some(send) = self.send.take() {
            self.is_shut = true;
            self.is_given_up = true;
            self.reader.release();
            self.reader.core.part(if self.has_ended {
                Parting::Ended(Leaving::new(send, Bytes::new()))
            } else {
                Parting::Dropped(Leaving::dropped(send))
            });
        }
        true
    }

    fn name(&self) -> &'static str {
        "h2"
    }

    /// A stream that was reset for another reason than that its peer has left, or that we have reset, is
    /// told apart from one whose peer has.
    fn classify(&self, error: io::Error) -> TransportError {
        match error.get_ref().and_then(|error| error.downcast_ref()) {
            Some(Error::StreamReset { .. }) if error.kind() == io::ErrorKind::ConnectionAborted => {
                TransportError::Io(Arc::new(error))
            }
            Some(Error::BudgetExceeded { .. }) => TransportError::Io(Arc::new(error)),
            _ => error.into(),
        }
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        self.reader.core.hub.peer_addr
    }
}

impl Drop for H2Stream {
    fn drop(&mut self) {
        self.release();
    }
}

impl fmt::Debug for H2Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("H2Stream")
            .field("id", &self.id())
            .field("is_shut", &self.is_shut)
            .finish_non_exhaustive()
    }
}

/// Whether something of a stream leaves while it waits for credit: over a slow line what was taken for it
/// takes longer to leave than a peer may take nothing.
///
/// The socket is everybody's. What it has taken counts for a stream only as long as some of that can have
/// been the stream's own; one without credit beside busy neighbours soon has none there.
#[derive(Debug, Default)]
struct Progress {
    has_some: bool,
    /// What the socket had taken when this was last asked.
    taken: usize,
    /// The most that can be waiting in the connection of what was sent, were the stream alone.
    held: usize,
}

impl Progress {
    /// Hands `count` bytes over. They are counted first: the connection's task may have written them
    /// before this one runs on.
    fn send<E>(
        &mut self,
        count: usize,
        taken: &AtomicUsize,
        send: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        self.note_taken(taken);
        send()?;
        self.has_some = true;
        self.held += count;
        Ok(())
    }

    fn note_taken(&mut self, taken: &AtomicUsize) {
        let taken = taken.load(Ordering::Relaxed);
        let moved = taken.wrapping_sub(std::mem::replace(&mut self.taken, taken));
        self.has_some |= moved > 0 && self.held > 0;
        self.held = self.held.saturating_sub(moved);
    }

    fn take(&mut self, taken: &AtomicUsize) -> bool {
        self.note_taken(taken);
        std::mem::take(&mut self.has_some)
    }
}

/// The receiving side of a stream.
pub(crate) struct Reader {
    pub(crate) core: Arc<StreamCore>,
    /// `None` once released.
    credit: Option<FlowControl>,
    /// Read, and no credit given for it yet.
    owed: usize,
}

impl Reader {
    pub(crate) fn new(core: Arc<StreamCore>, credit: FlowControl) -> Self {
        Self { core, credit: Some(credit), owed: 0 }
    }

    /// Lets go of the stream, which `h2` keeps as long as somebody can ask it for credit.
    fn release(&mut self) {
        self.give_credit();
        self.credit = None;
    }

    fn give_credit(&mut self) {
        let owed = std::mem::take(&mut self.owed);
        if let Some(credit) = &mut self.credit
            && owed > 0
        {
            // It fails on a stream that was reset, which needs no credit.
            drop(credit.release_capacity(owed));
        }
    }

    pub(crate) fn end(&self) -> Option<End> {
        self.core.lock().end
    }

    pub(crate) fn end_error(&self) -> Option<Error> {
        self.end()?.error(&self.core.hub)
    }

    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut BytesMut,
        max: usize,
    ) -> Poll<Result<usize, Error>> {
        let mut state = self.core.lock();
        let count = state.inbox.take(buf, max);
        if count == 0 {
            if let Some(end) = state.end {
                return Poll::Ready(end.error(&self.core.hub).map_or(Ok(0), Err));
            }
            state.wake_at_news(cx);
            return Poll::Pending;
        }
        state.discharge();
        drop(state);
        self.owed += count;
        if self.owed >= self.core.hub.credit_batch {
            self.give_credit();
        }
        Poll::Ready(Ok(count))
    }
}

/// Why nothing more can be sent.
fn why_closed(
    send: &mut SendStream<Bytes>,
    reader: &Reader,
    cx: &mut Context<'_>,
) -> io::Result<usize> {
    // `h2` tells these like a reset.
    if let Some(error @ (Error::BudgetExceeded { .. } | Error::ProtocolError { .. })) =
        reader.end_error().or_else(|| reader.core.hub.cause())
    {
        return Err(error.into());
    }
    match send.poll_reset(cx) {
        // The peer wants no more and is content (RFC 9113 §8.1).
        Poll::Ready(Ok(Reason::NO_ERROR)) => Ok(0),
        Poll::Ready(Ok(code)) => Err(Error::from_reset(code).into()),
        Poll::Ready(Err(error)) => Err(Error::from(error).into()),
        Poll::Pending => Err(io::ErrorKind::NotConnected.into()),
    }
}

/// How many bytes to take for one DATA frame: a large piece as it is, small ones together.
fn next_frame(buf: &dyn Buf) -> usize {
    let only = buf.chunk().len();
    if only == buf.remaining() && only <= FRAME {
        // As nearly always where messages are small.
        return only;
    }
    let mut pieces = [io::IoSlice::new(&[]); 16];
    let count = buf.chunks_vectored(&mut pieces);
    let mut total = 0;
    for piece in pieces.iter().take(count) {
        if piece.len() >= LARGE {
            // A frame header alone makes no DATA frame: it takes the head of its payload along.
            return if total == 0 { piece.len() } else { (total + piece.len()).min(LARGE) };
        }
        total += piece.len();
        if total >= FRAME {
            return FRAME;
        }
    }
    total
}

/// The payload of a frame. A small one gets memory of its own size: it waits in `h2` until it is
/// written, and would keep the whole buffer busy in which messages are gathered.
fn take_frame(buf: &mut dyn Buf, count: usize) -> Bytes {
    if count >= LARGE {
        return buf.copy_to_bytes(count);
    }
    let mut frame = Vec::with_capacity(count);
    while frame.len() < count {
        let chunk = buf.chunk();
        let part = chunk.get(..count - frame.len()).unwrap_or(chunk);
        let len = part.len();
        frame.extend_from_slice(part);
        buf.advance(len);
    }
    frame.into()
}

/// Pieces of this size are not copied.
const LARGE: usize = 4 * 1024;
/// What a stream that waits for credit reserves, which is enough to be woken: a hundred of them that do not
/// come for it keep less than half of the least window of a connection from the others.
const WAKING: usize = 256;
/// The size of frame every peer takes (RFC 9113 §4.2).
pub(crate) const FRAME: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::io::IoSlice;

    use super::*;

    /// Pieces as a write queue has them.
    struct Pieces(VecDeque<Bytes>);

    impl Buf for Pieces {
        fn remaining(&self) -> usize {
            self.0.iter().map(Bytes::len).sum()
        }

        fn chunk(&self) -> &[u8] {
            self.0.front().map_or(&[], |front| front)
        }

        fn chunks_vectored<'a>(&'a self, dst: &mut [IoSlice<'a>]) -> usize {
            dst.iter_mut().zip(&self.0).map(|(slot, piece)| *slot = IoSlice::new(piece)).count()
        }

        fn advance(&mut self, _: usize) {}
    }

    #[test]
    fn what_left_while_it_was_handed_over_is_waited_for_no_longer() {
        let (mut progress, taken) = (Progress::default(), AtomicUsize::new(0));
        let written = |count| {
            taken.fetch_add(count, Ordering::Relaxed);
            Ok::<_, ()>(())
        };
        for _ in 0..3 {
            progress.send(100, &taken, || written(109)).unwrap();
        }
        assert!(progress.take(&taken), "it was sent");
        written(13).unwrap();
        assert!(!progress.take(&taken), "that was somebody else's");
        progress.send(100, &taken, || Ok::<_, ()>(())).unwrap();
        assert!(progress.take(&taken) && !progress.take(&taken));
        written(60).unwrap();
        assert!(progress.take(&taken), "a part of it has left");
    }

    #[test]
    fn small_pieces_share_a_frame_and_large_ones_are_taken_whole() {
        let rows: [(&[usize], usize); 8] = [
            (&[5], 5),
            (&[100_000], 100_000),
            (&[100_000, 5], 100_000),
            (&[5, 6, 7], 18),
            (&[10, 100_000], LARGE),
            (&[LARGE - 1, LARGE], LARGE),
            (&[LARGE - 1; 16], FRAME),
            (&[1; 20], 16),
        ];
        for (sizes, expected) in rows {
            let pieces = Pieces(sizes.iter().map(|size| vec![0; *size].into()).collect());
            assert_eq!(next_frame(&pieces), expected, "{sizes:?}");
        }
    }
}
