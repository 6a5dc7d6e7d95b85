//! Messages from the rest of the program to a [`Handler`](crate::Handler): bounded and typed.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use crate::queue::{Bounds, Head, Tail, queue};

/// Makes the mailbox of a handler with room for `capacity` messages, but at least one, and the end
/// that [`run`](crate::run) reads.
#[must_use]
pub fn mailbox<I>(capacity: usize) -> (Mailbox<I>, Inbox<I>) {
    let (tail, head) = queue(Bounds { count: capacity, bytes: usize::MAX });
    let mailbox = Mailbox { tail };
    (mailbox.clone(), Inbox { mailbox, head })
}

/// Sends messages to a [`Handler`](crate::Handler); cloned freely.
///
/// Messages that are sent one after the other arrive in order, and who waits for room gets it in the
/// order of asking. Clones share the room; what the messages weigh is not counted.
pub struct Mailbox<I> {
    tail: Tail<I>,
}

impl<I> Mailbox<I> {
    /// Sends a message, waiting for room. Dropping the future before it is ready sends nothing.
    ///
    /// # Errors
    ///
    /// [`MailboxError::Closed`] gives the message back when the connection has ended.
    pub async fn send(&self, info: I) -> Result<(), MailboxError<I>> {
        self.tail.push(info, 0).await.map_err(MailboxError::Closed)
    }

    /// Sends a message if there is room now that nobody else waits for.
    ///
    /// # Errors
    ///
    /// [`MailboxError`] gives the message back.
    pub fn try_send(&self, info: I) -> Result<(), MailboxError<I>> {
        self.tail.try_push(info, 0).map_err(|info| {
            if self.is_closed() { MailboxError::Closed(info) } else { MailboxError::Full(info) }
        })
    }

    /// Whether the connection has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.tail.is_closed()
    }
}

// Not derived: a message need not be `Clone`.
impl<I> Clone for Mailbox<I> {
    fn clone(&self) -> Self {
        Self { tail: self.tail.clone() }
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
    head: Head<I>,
}

impl<I> Inbox<I> {
    pub(crate) fn mailbox(&self) -> &Mailbox<I> {
        &self.mailbox
    }
}

impl<I> Stream for Inbox<I> {
    type Item = I;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<I>> {
        self.head.poll_take_if(cx, |_| true, Waker::wake)
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
