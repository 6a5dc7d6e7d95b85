//! `Stream` and `Sink`, for the combinators of the ecosystem.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_core::stream::FusedStream;
use futures_sink::Sink;
use ws_close::CloseCode;
use ws_frame::Message;
use ws_session::SendError;

use crate::{Error, Runtime, Transport, WebSocket};

/// Every message as [`WebSocket::next`] gives it.
impl<T: Transport, R: Runtime> Stream for WebSocket<T, R> {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_message(cx)
    }
}

impl<T: Transport, R: Runtime> FusedStream for WebSocket<T, R> {
    fn is_terminated(&self) -> bool {
        self.is_reported()
    }
}

/// `poll_ready` is pending above high water; `start_send` queues; `poll_flush` writes.
///
/// `poll_close` sends a close frame with code 1000, flushes it and is then ready: the peer's answer
/// and the end of the transport belong to the stream, which has to be read to its end.
impl<T: Transport, R: Runtime> Sink<Message> for WebSocket<T, R> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().poll_ready(cx)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.get_mut().start_send(message)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().poll_goodbye(cx)
    }
}

impl<T: Transport, R: Runtime> WebSocket<T, R> {
    /// Queues a close frame unless one was, and writes it.
    pub(crate) fn poll_goodbye(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match self.start_close(CloseCode::NORMAL, "") {
            Ok(()) => {}
            // Closing a closed sink is no error.
            Err(Error::Send(SendError::Closed)) if self.outcome().is_some() => {
                return Poll::Ready(Ok(()));
            }
            Err(Error::Send(SendError::Closed)) => {}
            Err(error) => return Poll::Ready(Err(error)),
        }
        self.poll_flush(cx)
    }
}
