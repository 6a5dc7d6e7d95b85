//! `Stream` and `Sink`, for the combinators of the ecosystem.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_core::stream::FusedStream;
use futures_sink::Sink;
use ws_close::CloseCode;
use ws_frame::Message;
use ws_session::SendError;

use crate::side::Side;
use crate::{Error, Runtime, Transport, WebSocket};

/// Every message as [`WebSocket::next`] gives it.
///
/// One task may poll the stream while another polls the sink, behind a lock of theirs: neither loses
/// a wake-up to the other. [`WebSocket::split`] does it with less.
impl<T: Transport, R: Runtime> Stream for WebSocket<T, R> {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let websocket = self.get_mut();
        match websocket.connection.poll_whole() {
            Some(message) => Poll::Ready(Some(Ok(message))),
            None => websocket.poll_as(Side::Receiving, cx, Self::poll_any_message),
        }
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
        self.get_mut().poll_as(Side::Sending, cx, Self::poll_ready)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.get_mut().start_send(message)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().poll_as(Side::Sending, cx, Self::poll_flush)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().poll_as(Side::Sending, cx, Self::poll_goodbye)
    }
}

impl<T: Transport, R: Runtime> WebSocket<T, R> {
    /// Polls one side of the connection for a task which need not be that of the other side.
    pub(crate) fn poll_as<P>(
        &mut self,
        side: Side,
        cx: &Context<'_>,
        poll: impl FnOnce(&mut Self, &mut Context<'_>) -> Poll<P>,
    ) -> Poll<P> {
        let both = self.tasks().as_mut().and_then(|tasks| tasks.both(side, cx.waker()));
        self.set_split(both.is_some());
        let waker = both.as_ref().unwrap_or_else(|| cx.waker());
        let result = poll(self, &mut Context::from_waker(waker));
        self.set_split(false);
        // Nobody else knows the lock that is theirs.
        self.due().make();
        let has_ended = self.is_over();
        if result.is_pending() {
            self.tasks().get_or_insert_default().wait(side, cx.waker());
        }
        let Some(tasks) = self.tasks() else { return result };
        if result.is_ready() && side == Side::Sending {
            tasks.take(side);
        }
        if has_ended && let Some(waiting) = tasks.take(side.other()) {
            waiting.wake();
        }
        result
    }

    /// Takes note that no task waits for the sink. A stream is polled on and waits again soon; a sink
    /// need not.
    pub(crate) fn sink_is_done(&mut self) {
        if let Some(tasks) = self.tasks() {
            tasks.take(Side::Sending);
        }
    }

    /// Has the task look again that waits for the stream, if there is one.
    pub(crate) fn wake_stream(&mut self) {
        if let Some(waiting) = self.tasks().as_mut().and_then(|tasks| tasks.take(Side::Receiving)) {
            waiting.wake();
        }
    }

    /// Queues a close frame unless one was, and writes it.
    pub(crate) fn poll_goodbye(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match self.start_close(CloseCode::NORMAL, "") {
            // The deadline of the answer is for whoever waits to receive it.
            Ok(()) => self.wake_stream(),
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
