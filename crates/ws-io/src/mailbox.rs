//! Messages from the rest of the program to a [`Handler`](crate::Handler): bounded and typed.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_channel::mpsc;
use futures_core::Stream;

use crate::sender::MAX_CAPACITY;

/// Makes the mailbox of a handler with room for `capacity` messages, and the end that
/// [`run`](crate::run) reads.
#[must_use]
pub fn mailbox<I>(capacity: usize) -> (Mailbox<I>, Inbox<I>) {
    let (queue, receiver) = mpsc::channel(capacity.min(MAX_CAPACITY));
    let mailbox = Mailbox { queue };
    (mailbox.clone(), Inbox { mailbox, receiver })
}

/// Sends messages to a [`Handler`](crate::Handler); cloned freely.
///
/// Messages of one `Mailbox` arrive in order. Each clone has room for one message beyond the
/// capacity, so a new clone can always send once without waiting.
pub struct Mailbox<I> {
    queue: mpsc::Sender<I>,
}

impl<I> Mailbox<I> {
    /// Sends a message, waiting for room.
    ///
    /// # Errors
    ///
    /// [`MailboxError::Closed`] gives the message back when the connection has ended.
    pub async fn send(&mut self, info: I) -> Result<(), MailboxError<I>> {
        if poll_fn(|cx| self.queue.poll_ready(cx)).await.is_err() {
            return Err(MailboxError::Closed(info));
        }
        self.try_send(info)
    }

    /// Sends a message if there is room now.
    ///
    /// # Errors
    ///
    /// [`MailboxError`] gives the message back.
    pub fn try_send(&mut self, info: I) -> Result<(), MailboxError<I>> {
        self.queue.try_send(info).map_err(|error| {
            let full = error.is_full();
            let info = error.into_inner();
            if full { MailboxError::Full(info) } else { MailboxError::Closed(info) }
        })
    }

    /// Whether the connection has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }
}

// Not derived: a message need not be `Clone`.
impl<I> Clone for Mailbox<I> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

impl<I> fmt::Debug for Mailbox<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").field("is_closed", &self.is_closed()).finish_non_exhaustive()
    }
}

/// The end of a [`Mailbox`] that [`run`](crate::run) reads; made by [`mailbox`].
pub struct Inbox<I> {
    mailbox: Mailbox<I>,
    receiver: mpsc::Receiver<I>,
}

impl<I> Inbox<I> {
    pub(crate) fn mailbox(&self) -> &Mailbox<I> {
        &self.mailbox
    }
}

impl<I> Stream for Inbox<I> {
    type Item = I;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<I>> {
        Pin::new(&mut self.receiver).poll_next(cx)
    }
}

impl<I> fmt::Debug for Inbox<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}

/// Why a [`Mailbox`] did not take a message, which comes back inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MailboxError<I> {
    /// There is no room now.
    Full(I),
    /// The connection has ended.
    Closed(I),
}

impl<I> fmt::Display for MailboxError<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the mailbox is full",
            Self::Closed(_) => "the connection has ended",
        })
    }
}

impl<I: fmt::Debug> std::error::Error for MailboxError<I> {}
