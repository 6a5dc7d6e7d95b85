//! Sending from other tasks: a bounded, ordered queue that the connection's task empties.
//!
//! The queue is drained by [`WebSocket::next`](crate::WebSocket::next) and its relatives while the
//! session is below high water; sending wakes the task that waits there. A `Sender` therefore never
//! touches the transport, and a slow peer is felt as a queue that has no room.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_channel::{mpsc, oneshot};
use futures_core::Stream;
use ws_close::{CloseCode, CloseFrame};
use ws_frame::Message;
use ws_session::{Prepared, SendError, Session};

/// Sends messages on a connection that another task drives; made by
/// [`WebSocket::sender`](crate::WebSocket::sender), cloned freely.
///
/// Messages of one `Sender` leave in order. Each clone has room for one message beyond the capacity
/// of the queue, so a new clone can always send once without waiting.
#[derive(Clone)]
pub struct Sender {
    queue: mpsc::Sender<Outgoing>,
}

impl Sender {
    /// Queues a message, waiting for room. Dropping the future before it is ready sends nothing.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] when the connection has ended.
    pub async fn send(&mut self, message: Message) -> Result<(), SendError> {
        self.queue(Outgoing::Message(message, None)).await
    }

    /// As [`send`](Self::send), with a message that was encoded once for many connections.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn send_prepared(&mut self, prepared: &Prepared) -> Result<(), SendError> {
        self.queue(Outgoing::Prepared(prepared.clone())).await
    }

    /// Queues a prepared message if there is room now: what a broadcast does, which drops those who
    /// cannot keep up instead of waiting for them.
    ///
    /// # Errors
    ///
    /// [`TrySendError`], with the message.
    pub fn try_send_prepared(&mut self, prepared: &Prepared) -> Result<(), TrySendError> {
        self.queue
            .try_send(Outgoing::Prepared(prepared.clone()))
            .map_err(|error| TrySendError::new(error.is_full(), prepared.message().clone()))
    }

    /// Queues a message and waits until its bytes were handed to the transport.
    ///
    /// Dropping the future once the message was queued does not take it back.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] when the connection ended before that; any other reason for which the
    /// session refused the message.
    pub async fn send_acknowledged(&mut self, message: Message) -> Result<(), SendError> {
        let (acknowledge, acknowledged) = oneshot::channel();
        self.queue(Outgoing::Message(message, Some(acknowledge))).await?;
        acknowledged.await.unwrap_or(Err(SendError::Closed))
    }

    /// Queues a message if there is room now.
    ///
    /// # Errors
    ///
    /// [`TrySendError`] gives the message back.
    pub fn try_send(&mut self, message: Message) -> Result<(), TrySendError> {
        self.queue.try_send(Outgoing::Message(message, None)).map_err(|error| {
            let full = error.is_full();
            let Outgoing::Message(message, _) = error.into_inner() else {
                unreachable!("a message was queued above")
            };
            TrySendError::new(full, message)
        })
    }

    /// Queues a close frame behind the messages already queued.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] when the connection has ended. A code that is not valid on the wire is
    /// not sent.
    pub async fn close(
        &mut self,
        code: CloseCode,
        reason: impl Into<String>,
    ) -> Result<(), SendError> {
        let frame = CloseFrame { code, reason: reason.into() };
        let (acknowledge, acknowledged) = oneshot::channel();
        self.queue(Outgoing::Close(frame, acknowledge)).await?;
        acknowledged.await.unwrap_or(Err(SendError::Closed))
    }

    /// Whether the connection has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }

    async fn queue(&mut self, outgoing: Outgoing) -> Result<(), SendError> {
        poll_fn(|cx| self.queue.poll_ready(cx)).await.map_err(|_closed| SendError::Closed)?;
        self.queue.start_send(outgoing).map_err(|_closed| SendError::Closed)
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("is_closed", &self.is_closed()).finish_non_exhaustive()
    }
}

/// Why [`Sender::try_send`] did not take the message, which comes back inside.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrySendError {
    /// The queue has no room now.
    Full(Message),
    /// The connection has ended.
    Closed(Message),
}

impl TrySendError {
    fn new(full: bool, message: Message) -> Self {
        if full { Self::Full(message) } else { Self::Closed(message) }
    }
}

impl fmt::Display for TrySendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the queue of the connection is full",
            Self::Closed(_) => "the connection has ended",
        })
    }
}

impl std::error::Error for TrySendError {}

/// The channel panics at a quarter of all there can be; nobody needs as much.
pub(crate) const MAX_CAPACITY: usize = usize::MAX >> 4;

type Acknowledge = oneshot::Sender<Result<(), SendError>>;

enum Outgoing {
    Message(Message, Option<Acknowledge>),
    Prepared(Prepared),
    Close(CloseFrame, Acknowledge),
}

/// The connection's end of the queue.
pub(crate) struct Outbox {
    sender: mpsc::Sender<Outgoing>,
    queue: mpsc::Receiver<Outgoing>,
    /// Who waits for which count of written bytes, in order.
    unacknowledged: VecDeque<(u64, Acknowledge)>,
}

impl Outbox {
    pub(crate) fn new(capacity: usize) -> Self {
        let (sender, queue) = mpsc::channel(capacity.min(MAX_CAPACITY));
        Self { sender, queue, unacknowledged: VecDeque::new() }
    }

    pub(crate) fn sender(&self) -> Sender {
        Sender { queue: self.sender.clone() }
    }

    /// Moves messages into the session until it is full or the queue is empty; then `cx` is woken
    /// by the next message.
    pub(crate) fn poll_drain(&mut self, cx: &mut Context<'_>, session: &mut Session, written: u64) {
        while session.is_writable() {
            let Poll::Ready(Some(outgoing)) = Pin::new(&mut self.queue).poll_next(cx) else {
                return;
            };
            let (result, acknowledge) = match outgoing {
                Outgoing::Message(message, acknowledge) => (session.send(message), acknowledge),
                Outgoing::Prepared(prepared) => (session.send_prepared(&prepared), None),
                Outgoing::Close(frame, acknowledge) => {
                    (session.close(Some(frame)), Some(acknowledge))
                }
            };
            match (result, acknowledge) {
                (Ok(()), Some(acknowledge)) => {
                    let end = written + session.transmit().len() as u64;
                    self.unacknowledged.push_back((end, acknowledge));
                }
                (Err(error), Some(acknowledge)) => {
                    // The sender may have stopped waiting, which is its right.
                    let _unheard = acknowledge.send(Err(error));
                }
                (Err(error), None) => tracing::debug!(%error, "message of a sender refused"),
                (Ok(()), None) => {}
            }
        }
    }

    /// Tells those whose bytes are among the first `written`.
    pub(crate) fn acknowledge(&mut self, written: u64) {
        while self.unacknowledged.front().is_some_and(|(end, _)| *end <= written) {
            if let Some((_, acknowledge)) = self.unacknowledged.pop_front() {
                let _unheard = acknowledge.send(Ok(()));
            }
        }
    }
}
