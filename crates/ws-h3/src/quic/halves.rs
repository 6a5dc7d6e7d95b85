//! The two directions of a QUIC stream, with the manners of RFC 9114 §4.1.1: what is dropped before
//! its end is cancelled, never quietly finished.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h3::error::Code;
use quinn::{ReadError, VarInt, WriteError};

use super::frames::{FrameEvent, FrameReader};

/// The sending direction: takes owned bytes and passes them to QUIC without a copy.
///
/// Dropping it before [`finish`](Self::finish) resets the stream with `H3_REQUEST_CANCELLED`.
#[derive(Debug)]
pub(crate) struct Outbound {
    stream: quinn::SendStream,
    /// What QUIC has not taken yet.
    queue: Vec<Bytes>,
    /// Whether QUIC has taken something since that was last asked.
    has_progress: bool,
    /// Finished or reset.
    closed: bool,
}

impl Outbound {
    pub(crate) fn new(stream: quinn::SendStream) -> Self {
        Self { stream, queue: Vec::new(), has_progress: false, closed: false }
    }

    /// Queues `bytes` behind what is queued.
    pub(crate) fn push(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.queue.push(bytes);
        }
    }

    /// Gives all that is queued to QUIC, as far as flow control and memory allow. What fails once fails
    /// ever after.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        while !self.is_flushed() {
            let written = ready!(pin!(self.stream.write_chunks(&mut self.queue)).poll(cx))?;
            self.queue.drain(..written.chunks);
            self.has_progress = true;
        }
        Poll::Ready(Ok(()))
    }

    /// Flushes, then ends this direction in an orderly way. A peer that no longer reads is no error.
    pub(crate) fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        if !self.closed {
            match ready!(self.poll_flush(cx)) {
                Ok(()) | Err(WriteError::Stopped(_)) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
            self.closed = true;
            // A stream that is already closed needs no end.
            drop(self.stream.finish());
        }
        Poll::Ready(Ok(()))
    }

    /// Ends this direction at once; what is queued is not sent.
    pub(crate) fn reset(&mut self, code: Code) {
        if !self.closed {
            self.closed = true;
            drop(self.stream.reset(to_varint(code)));
        }
    }

    pub(crate) fn is_flushed(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether QUIC has taken something since this was last asked: the peer has given credit for it.
    pub(crate) fn take_progress(&mut self) -> bool {
        std::mem::take(&mut self.has_progress)
    }

    /// Whether this direction was finished or reset.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether the peer has all of what was finished, or wants no more of it.
    ///
    /// To be asked of what is closed only: quinn remembers whoever asks for as long as the connection
    /// lives, unless the stream comes to its end, which one that is reset does not.
    pub(crate) fn is_acknowledged(&self) -> bool {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        pin!(self.stream.stopped()).poll(&mut cx).is_ready()
    }

    /// Returns when it [is](Self::is_acknowledged).
    pub(crate) async fn acknowledged(&self) {
        // Lost with its connection: there is nothing to wait for either.
        let _ended = self.stream.stopped().await;
    }
}

impl Drop for Outbound {
    fn drop(&mut self) {
        self.reset(Code::H3_REQUEST_CANCELLED);
    }
}

/// The receiving direction, cut into HTTP/3 frames.
///
/// Dropping it before its end tells the peer to stop, with `H3_REQUEST_CANCELLED`.
#[derive(Debug)]
pub(crate) struct Inbound {
    stream: quinn::RecvStream,
    frames: FrameReader,
    /// What was taken from QUIC and is not yet parsed: at most one batch.
    current: Bytes,
    waiting: VecDeque<Bytes>,
    /// Frames since the last byte of payload.
    idle_frames: u32,
    /// The last batch was full.
    is_more_likely: bool,
    /// Pieces read in this turn.
    taken: usize,
    end: End,
}

/// How far a receiving direction has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    /// The peer ended it in order.
    Finished,
    /// Reset by the peer, stopped by us, or lost with the connection.
    Broken,
}

impl Inbound {
    pub(crate) fn new(stream: quinn::RecvStream) -> Self {
        Self {
            stream,
            frames: FrameReader::new(),
            current: Bytes::new(),
            waiting: VecDeque::new(),
            idle_frames: 0,
            is_more_likely: false,
            taken: 0,
            end: End::Open,
        }
    }

    /// The next event with at most `max` bytes of payload (`max` must not be 0); `None` at the
    /// stream's end.
    pub(crate) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
        max: usize,
    ) -> Poll<Result<Option<FrameEvent>, ReadError>> {
        loop {
            if let Some(event) = self.buffered_event(max) {
                return Poll::Ready(Ok(Some(event)));
            }
            if !ready!(self.poll_fill(cx))? {
                return Poll::Ready(Ok(None));
            }
        }
    }

    /// The next event that needs no reading.
    pub(crate) fn buffered_event(&mut self, max: usize) -> Option<FrameEvent> {
        loop {
            if let Some(event) = self.frames.next(&mut self.current, max) {
                self.idle_frames = match event {
                    FrameEvent::Start { .. } => self.idle_frames + 1,
                    FrameEvent::Payload { .. } => 0,
                };
                return Some(event);
            }
            if max == 0 {
                return None;
            }
            self.current = self.waiting.pop_front()?;
        }
    }

    /// Reads a batch from QUIC once all that was read is parsed; false at the stream's end,
    /// [`ReadError::ClosedStream`] after a failure.
    ///
    /// After [`TURN`] pieces without a wait other tasks come first: who has to pass over a frame
    /// without end would otherwise be kept at it by a peer that is fast enough.
    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, ReadError>> {
        match self.end {
            End::Open => {}
            End::Finished => return Poll::Ready(Ok(false)),
            End::Broken => return Poll::Ready(Err(ReadError::ClosedStream)),
        }
        // An empty buffer may still hold on to the packet it was cut from.
        self.current = Bytes::new();
        if self.taken >= TURN {
            self.taken = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.is_more_likely { self.poll_batch::<BATCH>(cx) } else { self.poll_batch::<FEW>(cx) }
    }

    /// Reads at most `MOST` pieces. Each costs something, whether it comes or not.
    fn poll_batch<const MOST: usize>(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<bool, ReadError>> {
        let mut batch = [const { Bytes::new() }; MOST];
        let read = match pin!(self.stream.read_chunks(&mut batch)).poll(cx) {
            Poll::Ready(read) => read,
            Poll::Pending => {
                if self.waiting.capacity() > 0 {
                    self.waiting = VecDeque::new();
                }
                self.taken = 0;
                self.is_more_likely = false;
                return Poll::Pending;
            }
        };
        match read {
            Ok(Some(count)) => {
                self.taken += count;
                self.is_more_likely = count == MOST;
                let mut chunks = batch.into_iter().take(count);
                self.current = chunks.next().unwrap_or_default();
                self.waiting.extend(chunks);
                Poll::Ready(Ok(true))
            }
            Ok(None) => {
                self.end = End::Finished;
                Poll::Ready(Ok(false))
            }
            Err(error) => {
                self.end = End::Broken;
                Poll::Ready(Err(error))
            }
        }
    }

    /// Whether another batch is probably there to be read.
    pub(crate) fn is_more_likely(&self) -> bool {
        self.is_more_likely
    }

    /// Whether more frames in a row than [`IDLE_FRAMES_MAX`] were empty (RFC 9114 §10.5).
    pub(crate) fn is_idling(&self) -> bool {
        self.idle_frames > IDLE_FRAMES_MAX
    }

    /// Whether the end of the stream lies between two frames.
    pub(crate) fn is_at_boundary(&self) -> bool {
        self.frames.is_at_boundary()
    }

    /// Tells the peer that no more is wanted, and drops what came.
    pub(crate) fn stop(&mut self, code: Code) {
        self.current = Bytes::new();
        self.waiting = VecDeque::new();
        if self.end == End::Open {
            self.end = End::Broken;
            // A stream that has ended needs no stop.
            drop(self.stream.stop(to_varint(code)));
        }
    }

    /// Whether this stream was opened before the handshake was complete.
    pub(crate) fn is_early(&self) -> bool {
        self.stream.is_0rtt()
    }

    pub(crate) fn id(&self) -> u64 {
        u64::from(VarInt::from(self.stream.id()))
    }
}

impl Drop for Inbound {
    fn drop(&mut self) {
        self.stop(Code::H3_REQUEST_CANCELLED);
    }
}

pub(crate) fn to_varint(code: Code) -> VarInt {
    VarInt::from_u64(code.value()).unwrap_or(VarInt::MAX)
}

/// Pieces taken from QUIC under one lock, of which each is what came in one packet: when there is no sign of
/// more, and when there is.
const FEW: usize = 4;
const BATCH: usize = 16;
/// Pieces of a turn: more than fill the default window, so it is no brake.
pub(crate) const TURN: usize = 256;
/// Empty frames in a row, DATA or of unknown types.
const IDLE_FRAMES_MAX: u32 = 1024;
