//! Sending from other tasks: a bounded, ordered queue that the connection's task empties.
//!
//! It is bounded in messages and in bytes, for all clones of a sender together.
//! [`WebSocket::next`](crate::WebSocket::next) and its relatives drain it while the session is below
//! high water; sending wakes the task that waits there. A `Sender` therefore never touches the
//! transport, and a slow peer is felt as a queue that has no room.

use std::collections::VecDeque;
use std::fmt;
use std::task::{Context, Poll};

use futures_channel::oneshot;
use ws_close::{CloseCode, CloseFrame};
use ws_frame::Message;
use ws_session::{Prepared, SendError, Session};

use crate::due::{Call, Due};
use crate::queue::{Bounds, Head, Tail, queue};

/// Sends messages on a connection that another task drives; made by
/// [`WebSocket::sender`](crate::WebSocket::sender), cloned freely.
///
/// Messages that are sent one after the other leave in order, and who waits for room gets it in the
/// order of asking. All clones share the room of one queue.
#[derive(Clone)]
pub struct Sender {
    tail: Tail<Outgoing>,
}

impl Sender {
    /// Queues a message, waiting for room. Dropping the future before it is ready sends nothing.
    ///
    /// It leaves behind a message that is being sent in fragments. Whether the session took it in the
    /// end, which may hold too much already, tells [`send_acknowledged`](Self::send_acknowledged).
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] when the connection has ended.
    pub async fn send(&self, message: Message) -> Result<(), SendError> {
        self.queue(Outgoing::Message(message, None)).await
    }

    /// As [`send`](Self::send), with a message that was encoded once for many connections.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn send_prepared(&self, prepared: &Prepared) -> Result<(), SendError> {
        self.queue(Outgoing::Prepared(prepared.clone())).await
    }

    /// Queues a prepared message if there is room now that nobody else waits for: what a broadcast
    /// does, which drops those who cannot keep up instead of waiting for them.
    ///
    /// # Errors
    ///
    /// [`TrySendError`], with the message.
    pub fn try_send_prepared(&self, prepared: &Prepared) -> Result<(), TrySendError> {
        self.try_queue(Outgoing::Prepared(prepared.clone()))
            .map_err(|_| self.refuse(prepared.message().clone()))
    }

    /// Queues a message and waits until its bytes were handed to the transport.
    ///
    /// Dropping the future once the message was queued does not take it back.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] when the connection ended before that; any other reason for which the
    /// session refused the message.
    pub async fn send_acknowledged(&self, message: Message) -> Result<(), SendError> {
        let (acknowledge, acknowledged) = oneshot::channel();
        self.queue(Outgoing::Message(message, Some(acknowledge))).await?;
        acknowledged.await.unwrap_or(Err(SendError::Closed))
    }

    /// Queues a message if there is room now that nobody else waits for.
    ///
    /// # Errors
    ///
    /// [`TrySendError`] gives the message back.
    pub fn try_send(&self, message: Message) -> Result<(), TrySendError> {
        self.try_queue(Outgoing::Message(message, None)).map_err(|outgoing| {
            let Outgoing::Message(message, _) = outgoing else {
                unreachable!("a message was queued above")
            };
            self.refuse(message)
        })
    }

    /// Queues a close frame behind the messages already queued, and waits until it was handed to the
    /// transport. Dropping the future once it was queued does not take it back.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] when the connection has ended; [`SendError::InvalidCloseCode`] and
    /// [`SendError::ReasonTooLong`] for what must not be sent.
    pub async fn close(&self, code: CloseCode, reason: impl Into<String>) -> Result<(), SendError> {
        let frame = CloseFrame { code, reason: reason.into() };
        let (acknowledge, acknowledged) = oneshot::channel();
        self.queue(Outgoing::Close(frame, acknowledge)).await?;
        acknowledged.await.unwrap_or(Err(SendError::Closed))
    }

    /// Whether the connection has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.tail.is_closed()
    }

    async fn queue(&self, outgoing: Outgoing) -> Result<(), SendError> {
        let bytes = outgoing.bytes();
        self.tail.push(outgoing, bytes).await.map_err(|_closed| SendError::Closed)
    }

    fn try_queue(&self, outgoing: Outgoing) -> Result<(), Outgoing> {
        let bytes = outgoing.bytes();
        self.tail.try_push(outgoing, bytes)
    }

    fn refuse(&self, message: Message) -> TrySendError {
        if self.is_closed() { TrySendError::Closed(message) } else { TrySendError::Full(message) }
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

impl fmt::Display for TrySendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the queue of the connection is full",
            Self::Closed(_) => "the connection has ended",
        })
    }
}

impl std::error::Error for TrySendError {}

type Acknowledge = oneshot::Sender<Result<(), SendError>>;

/// What is told to who waits for an acknowledgement.
pub(crate) struct Acknowledged {
    to: Acknowledge,
    result: Result<(), SendError>,
}

impl Acknowledged {
    pub(crate) fn tell(self) {
        // The sender may have stopped waiting, which is its right.
        let _unheard = self.to.send(self.result);
    }
}

enum Outgoing {
    Message(Message, Option<Acknowledge>),
    Prepared(Prepared),
    Close(CloseFrame, Acknowledge),
}

impl Outgoing {
    fn is_data(&self) -> bool {
        match self {
            Self::Message(message, _) => message.data_kind().is_some(),
            Self::Prepared(_) => true,
            Self::Close(..) => false,
        }
    }

    /// What it holds while it waits: with itself, so that many empty messages are bounded too.
    fn bytes(&self) -> usize {
        let payload = match self {
            Self::Message(message, _) => message.payload().len(),
            Self::Prepared(prepared) => prepared.message().payload().len(),
            Self::Close(frame, _) => frame.reason.len(),
        };
        payload.saturating_add(size_of::<Self>())
    }
}

/// The connection's end of the queue.
pub(crate) struct Outbox {
    tail: Tail<Outgoing>,
    head: Head<Outgoing>,
    /// Who waits for which count of written bytes, in order.
    unacknowledged: VecDeque<(u64, Acknowledge)>,
    due: Due,
}

impl Outbox {
    /// A queue that holds so many messages and so many bytes.
    pub(crate) fn new(capacity: usize, budget: usize) -> Self {
        let (tail, head) = queue(Bounds { count: capacity, bytes: budget });
        Self { tail, head, unacknowledged: VecDeque::new(), due: Due::default() }
    }

    pub(crate) fn sender(&self) -> Sender {
        Sender { tail: self.tail.clone() }
    }

    /// Says to the senders that the connection has ended.
    pub(crate) fn close(&mut self) {
        self.head.close();
    }

    /// Moves messages into the session until it is full or the queue is empty; then `cx` is woken
    /// by the next message.
    pub(crate) fn poll_drain(&mut self, cx: &mut Context<'_>, session: &mut Session, written: u64) {
        while session.is_writable() {
            let in_fragments = session.is_sending_fragments();
            let may_leave = |outgoing: &Outgoing| !in_fragments || !outgoing.is_data();
            // Whoever ends that message polls or wakes the task that comes by here.
            let Self { head, due, .. } = self;
            let taken = head.poll_take_if(cx, may_leave, |waker| due.push(Call::Wake(waker)));
            let Poll::Ready(Some(outgoing)) = taken else { return };
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
                (Err(error), Some(to)) => {
                    let acknowledged = Acknowledged { to, result: Err(error) };
                    self.due.push(Call::Acknowledge(acknowledged));
                }
                (Err(error), None) => tracing::debug!(%error, "message of a sender refused"),
                (Ok(()), None) => {}
            }
        }
    }

    /// Tells those whose bytes are among the first `written`.
    pub(crate) fn acknowledge(&mut self, written: u64) {
        while self.unacknowledged.front().is_some_and(|(end, _)| *end <= written) {
            if let Some((_, to)) = self.unacknowledged.pop_front() {
                self.due.push(Call::Acknowledge(Acknowledged { to, result: Ok(()) }));
            }
        }
    }

    /// What other tasks are to be told of what happened here.
    pub(crate) fn due(&mut self) -> Due {
        self.due.take()
    }
}
