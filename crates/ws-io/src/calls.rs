//! What the calls of a WebSocket that wait return.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use ws_frame::{DataKind, Message};

use crate::{Chunk, Error, Runtime, Transport, WebSocket};

/// The future of [`WebSocket::next`]. It and [`Feed`] become part of the loop they are polled in,
/// where a message is then put together and read in place: on its way through a call it would be
/// moved twice, and each move waits for the writes before it.
pub(crate) struct Next<'a, T: Transport, R: Runtime> {
    pub(crate) websocket: &'a mut WebSocket<T, R>,
}

impl<T: Transport, R: Runtime> Future for Next<'_, T, R> {
    type Output = Option<Result<Message, Error>>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().websocket.poll_message(cx)
    }
}

/// The future of [`WebSocket::feed`].
pub(crate) struct Feed<'a, T: Transport, R: Runtime> {
    pub(crate) websocket: &'a mut WebSocket<T, R>,
    pub(crate) message: Option<Message>,
}

impl<T: Transport, R: Runtime> Future for Feed<'_, T, R> {
    type Output = Result<(), Error>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { websocket, message } = self.get_mut();
        if message.as_ref().is_some_and(|message| websocket.connection.feed_small(message)) {
            *message = None;
            return Poll::Ready(Ok(()));
        }
        ready!(websocket.poll_ready(cx))?;
        Poll::Ready(message.take().map_or(Ok(()), |message| websocket.start_send(message)))
    }
}

/// The future of [`WebSocket::next_chunk`].
pub(crate) struct NextChunk<'a, T: Transport, R: Runtime> {
    pub(crate) websocket: &'a mut WebSocket<T, R>,
}

impl<T: Transport, R: Runtime> Future for NextChunk<'_, T, R> {
    type Output = Option<Result<Chunk, Error>>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().websocket.poll_chunk(cx)
    }
}

/// The future of [`WebSocket::feed_fragment`].
pub(crate) struct FeedFragment<'a, T: Transport, R: Runtime> {
    pub(crate) websocket: &'a mut WebSocket<T, R>,
    pub(crate) kind: DataKind,
    pub(crate) data: Option<Bytes>,
    pub(crate) last: bool,
}

impl<T: Transport, R: Runtime> Future for FeedFragment<'_, T, R> {
    type Output = Result<(), Error>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { websocket, kind, data, last } = self.get_mut();
        let connection = &mut websocket.connection;
        if data.as_ref().is_some_and(|data| connection.feed_small_fragment(*kind, data, *last)) {
            *data = None;
            return Poll::Ready(Ok(()));
        }
        ready!(websocket.poll_ready(cx))?;
        let data = data.take();
        Poll::Ready(data.map_or(Ok(()), |data| websocket.start_fragment(*kind, data, *last)))
    }
}
