//! A conversation with an echo server in which nothing may be lost, changed, doubled or out of
//! order.

use std::collections::VecDeque;

use bytes::Bytes;
use rand::Rng as _;
use ws_stack::tokio::{CloseCode, Error, Message, Stream, WebSocket};

use crate::Failure;
use crate::tally::Tally;

/// What was said and has not come back, in order.
pub(crate) struct Conversation<'a> {
    websocket: WebSocket,
    awaited: VecDeque<Message>,
    in_flight: usize,
    /// The number of the next message.
    number: u64,
    tally: &'a Tally,
}

impl<'a> Conversation<'a> {
    pub(crate) fn new(websocket: WebSocket, tally: &'a Tally) -> Self {
        Self { websocket, awaited: VecDeque::new(), in_flight: 0, number: 0, tally }
    }

    /// Says a message of about this size that is like no other of this conversation.
    pub(crate) async fn say(&mut self, size: usize) -> Result<(), Failure> {
        // Below this `feed` never waits for a server that waits to be read.
        while !self.awaited.is_empty() && self.in_flight + size > IN_FLIGHT {
            self.hear().await?;
        }
        let filler = char::from(rand::rng().random_range(b' '..b'~'));
        let mut text = format!("{} ", self.number);
        text.extend(std::iter::repeat_n(filler, size));
        let message =
            if self.number.is_multiple_of(2) { Message::binary(text) } else { Message::text(text) };
        self.number += 1;
        self.in_flight += message.payload().len();
        if let Err(error) = self.websocket.feed(message.clone()).await {
            return Err(self.end_of(error).await);
        }
        self.awaited.push_back(message);
        Ok(())
    }

    /// Why nothing can be sent any more.
    async fn end_of(&mut self, error: Error) -> Failure {
        let mut last = None;
        while let Some(message) = self.websocket.next().await {
            last = Some(message);
        }
        let outcome = self.websocket.outcome();
        let left = self.awaited.len();
        let path = match self.websocket.transport() {
            Stream::H3(stream) => format!(", {:?}", stream.connection().stats().path),
            _ => String::new(),
        };
        format!("{error}, {left} messages awaited, {last:?}, {outcome:?}{path}").into()
    }

    pub(crate) async fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.websocket.flush().await?)
    }

    /// Hears what is still on its way.
    pub(crate) async fn hear_all(&mut self) -> Result<(), Failure> {
        self.hear_some(self.awaited.len()).await
    }

    pub(crate) async fn hear_some(&mut self, count: usize) -> Result<(), Failure> {
        for _ in 0..count.min(self.awaited.len()) {
            self.hear().await?;
        }
        Ok(())
    }

    async fn hear(&mut self) -> Result<(), Failure> {
        let expected = self.awaited.pop_front().ok_or("nothing is awaited")?;
        loop {
            let message = match self.websocket.next().await {
                Some(message) => message?,
                None => return Err("the server ended the connection".into()),
            };
            if message.data_kind().is_none() {
                continue;
            }
            if message != expected {
                let (number, size) = (self.number, message.payload().len());
                let wanted = expected.payload().len();
                let what = format!("{size} octets came for {wanted}, before message {number}");
                return Err(what.into());
            }
            self.in_flight -= expected.payload().len();
            self.tally.echoed(expected.payload().len());
            return Ok(());
        }
    }

    /// Says goodbye; nothing may come that was not awaited.
    pub(crate) async fn leave(mut self) -> Result<(), Failure> {
        self.hear_all().await?;
        self.websocket.feed(Message::Ping(Bytes::from_static(b"last"))).await?;
        loop {
            match self.websocket.next().await {
                Some(Ok(Message::Pong(payload))) if payload == b"last"[..] => break,
                Some(Ok(message)) if message.data_kind().is_some() => {
                    return Err("a message came that nobody had sent".into());
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => return Err("the server ended the connection".into()),
            }
        }
        let outcome = self.websocket.close(CloseCode::NORMAL, "bye").await?;
        if outcome.clean { Ok(()) } else { Err(format!("no orderly end: {outcome:?}").into()) }
    }
}

/// Octets on their way at most, beyond the first message.
const IN_FLIGHT: usize = 64 * 1024;
