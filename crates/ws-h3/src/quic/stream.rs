//! The `h3::quic` stream traits over quinn. The streams stay reachable while `h3` holds them, so
//! that a tunnel can take them over once the handshake is done.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h3::error::Code;
use h3::quic::{self, ConnectionErrorIncoming, StreamErrorIncoming, StreamId, WriteBuf};
use quinn::{ReadError, WriteError};

use super::control::UniReader;
use super::fields::PseudoHeaders;
use super::frames::{self, FrameEvent, is_known};
use super::halves::{Inbound, Outbound, TURN, to_varint};
use super::head::{
    HeadError, HeadReader, lifted_frame, named_frame, response_frame, stand_in, too_large_response,
};
use crate::error::Error;
use crate::link::Link;

/// A request stream as `h3` sees it.
pub(crate) struct BidiStream {
    exchange: Arc<Exchange>,
}

/// A request stream as both `h3` and its owner see it.
pub(crate) struct Exchange {
    link: Arc<Link>,
    id: u64,
    state: Mutex<State>,
}

struct State {
    /// Gone once a tunnel has taken over.
    halves: Option<(Outbound, Inbound)>,
    head: HeadReader,
    pseudo: PseudoHeaders,
    /// A server's request or a client's request has passed.
    has_request: bool,
    /// Why the request could not be read; `h3` then sees a stand-in.
    failure: Option<Error>,
}

impl Exchange {
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Takes the stream away from `h3`.
    pub(crate) fn take(&self) -> Option<(Outbound, Inbound)> {
        self.state().halves.take()
    }

    /// The pseudo-headers of the request, and whether its stream was opened before the handshake was
    /// complete (0-RTT).
    pub(crate) fn circumstances(&self) -> (PseudoHeaders, bool) {
        let state = self.state();
        (state.pseudo, state.halves.as_ref().is_some_and(|(_, inbound)| inbound.is_early()))
    }

    /// Why the request could not be read; the peer has been told.
    pub(crate) fn take_failure(&self) -> Option<Error> {
        self.state().failure.take()
    }

    /// The next piece of the request's body; `None` at its end, where trailers count as such.
    pub(crate) fn poll_body(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        let mut state = self.state();
        let Some((_, inbound)) = &mut state.halves else { return Poll::Ready(Ok(None)) };
        loop {
            match ready!(inbound.poll_event(cx, usize::MAX))? {
                Some(FrameEvent::Payload { kind: frames::DATA, bytes, .. }) => {
                    return Poll::Ready(Ok(Some(bytes)));
                }
                Some(FrameEvent::Start { kind: frames::HEADERS, .. }) => {
                    return Poll::Ready(Ok(None));
                }
                Some(FrameEvent::Start { kind, .. }) if kind != frames::DATA && is_known(kind) => {
                    let what = "a frame that does not belong into a body";
                    return Poll::Ready(Err(self.link.violate(Code::H3_FRAME_UNEXPECTED, what)));
                }
                Some(_) if inbound.is_idling() => return Poll::Ready(Err(self.link.idling())),
                Some(_) => {}
                None if inbound.is_at_boundary() => return Poll::Ready(Ok(None)),
                None => {
                    let what = "the stream ended inside a frame";
                    return Poll::Ready(Err(self.link.violate(Code::H3_FRAME_ERROR, what)));
                }
            }
        }
    }

    /// Ends the stream with `code`; a request that is being read fails with `error`.
    pub(crate) fn abandon(&self, code: Code, error: Error) {
        self.state().fail(code, error);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn fail(&mut self, code: Code, error: Error) {
        if let Some((outbound, inbound)) = &mut self.halves {
            outbound.reset(code);
            inbound.stop(code);
        }
        self.failure = Some(error);
    }

    /// The server's side of reading: whatever the peer does, `h3` gets one request.
    fn poll_request(
        &mut self,
        cx: &mut Context<'_>,
        link: &Link,
    ) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        if self.has_request {
            return Poll::Ready(Ok(None));
        }
        if self.failure.is_none() {
            let Some((outbound, inbound)) = &mut self.halves else { return Poll::Ready(Ok(None)) };
            let block = ready!(self.head.poll_block(cx, inbound, link.limits));
            match block.and_then(|block| lifted_frame(&block, link.limits)) {
                Ok((frame, pseudo)) => {
                    self.has_request = true;
                    self.pseudo = pseudo;
                    return Poll::Ready(Ok(Some(frame)));
                }
                Err(error) => {
                    if matches!(error, HeadError::TooLarge(_)) {
                        outbound.push(too_large_response());
                        // Where this cannot be written at once, the reset below tells the peer.
                        if outbound.poll_finish(cx).is_ready() {
                            inbound.stop(Code::H3_NO_ERROR);
                        }
                    }
                    match error.settle(link) {
                        (Some(code), error) => self.fail(code, error),
                        (None, error) => return Poll::Ready(Err(violation(error))),
                    }
                }
            }
        }
        self.has_request = true;
        Poll::Ready(Ok(Some(stand_in())))
    }

    /// The client's side of reading: response header sections.
    fn poll_response(
        &mut self,
        cx: &mut Context<'_>,
        link: &Link,
    ) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        let Some((outbound, inbound)) = &mut self.halves else { return Poll::Ready(Ok(None)) };
        let block = ready!(self.head.poll_block(cx, inbound, link.limits));
        let error = match block.and_then(|block| response_frame(&block, link.limits)) {
            Ok(frame) => return Poll::Ready(Ok(Some(frame))),
            Err(error) => error.settle(link),
        };
        if let Some(code) = error.0 {
            outbound.reset(code);
            inbound.stop(code);
        }
        Poll::Ready(Err(match error {
            (None, error) => violation(error),
            (Some(_), Error::HandshakeTooBig { max }) => {
                StreamErrorIncoming::Unknown(Box::new(Error::HandshakeResponseTooBig { max }))
            }
            (Some(_), error) => StreamErrorIncoming::Unknown(Box::new(error)),
        }))
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("id", &self.id).finish_non_exhaustive()
    }
}

impl BidiStream {
    pub(crate) fn new(
        link: &Arc<Link>,
        (send, recv): (quinn::SendStream, quinn::RecvStream),
    ) -> Self {
        let inbound = Inbound::new(recv);
        let id = inbound.id();
        let state = State {
            halves: Some((Outbound::new(send), inbound)),
            head: HeadReader::default(),
            pseudo: PseudoHeaders::default(),
            has_request: false,
            failure: None,
        };
        let exchange = Arc::new(Exchange { link: Arc::clone(link), id, state: Mutex::new(state) });
        link.remember(id, &exchange);
        Self { exchange }
    }

    fn outbound<T>(
        &self,
        act: impl FnOnce(&mut Outbound) -> Poll<Result<T, WriteError>>,
    ) -> Poll<Result<T, StreamErrorIncoming>> {
        match &mut self.exchange.state().halves {
            Some((outbound, _)) => act(outbound).map_err(write_error),
            None => Poll::Ready(Err(write_error(WriteError::ClosedStream))),
        }
    }
}

impl Drop for BidiStream {
    fn drop(&mut self) {
        // Whoever claims it takes the one reference that is weak.
        if Arc::weak_count(&self.exchange) > 0 {
            self.exchange.link.forget(self.exchange.id);
        }
    }
}

impl quic::SendStream<Bytes> for BidiStream {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.outbound(|outbound| outbound.poll_flush(cx))
    }

    fn send_data<T: Into<WriteBuf<Bytes>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        let mut bytes = all_of(data.into());
        let mut state = self.exchange.state();
        if self.exchange.link.is_client() && !state.has_request {
            state.has_request = true;
            bytes = named_frame(bytes);
        }
        match &mut state.halves {
            Some((outbound, _)) => outbound.push(bytes),
            None => return Err(write_error(WriteError::ClosedStream)),
        }
        Ok(())
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.outbound(|outbound| outbound.poll_finish(cx))
    }

    fn reset(&mut self, reset_code: u64) {
        if let Some((outbound, _)) = &mut self.exchange.state().halves {
            outbound.reset(Code::from(reset_code));
        }
    }

    fn send_id(&self) -> StreamId {
        stream_id(self.exchange.id)
    }
}

impl quic::RecvStream for BidiStream {
    type Buf = Bytes;

    fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        let link = &*self.exchange.link;
        let mut state = self.exchange.state();
        if link.is_client() { state.poll_response(cx, link) } else { state.poll_request(cx, link) }
    }

    fn stop_sending(&mut self, error_code: u64) {
        if let Some((_, inbound)) = &mut self.exchange.state().halves {
            inbound.stop(Code::from(error_code));
        }
    }

    fn recv_id(&self) -> StreamId {
        stream_id(self.exchange.id)
    }
}

/// A unidirectional stream of ours.
pub(crate) struct SendStream {
    outbound: Outbound,
    id: u64,
}

impl SendStream {
    pub(crate) fn new(stream: quinn::SendStream) -> Self {
        let id = u64::from(quinn::VarInt::from(stream.id()));
        Self { outbound: Outbound::new(stream), id }
    }
}

impl quic::SendStream<Bytes> for SendStream {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.outbound.poll_flush(cx).map_err(write_error)
    }

    fn send_data<T: Into<WriteBuf<Bytes>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        self.outbound.push(all_of(data.into()));
        Ok(())
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.outbound.poll_finish(cx).map_err(write_error)
    }

    fn reset(&mut self, reset_code: u64) {
        self.outbound.reset(Code::from(reset_code));
    }

    fn send_id(&self) -> StreamId {
        stream_id(self.id)
    }
}

/// A unidirectional stream of the peer.
pub(crate) struct RecvStream {
    link: Arc<Link>,
    stream: quinn::RecvStream,
    reader: UniReader,
    /// Pieces read in this turn.
    taken: usize,
}

impl RecvStream {
    pub(crate) fn new(link: &Arc<Link>, stream: quinn::RecvStream) -> Self {
        let reader = UniReader::new(link.is_client());
        Self { link: Arc::clone(link), stream, reader, taken: 0 }
    }
}

impl quic::RecvStream for RecvStream {
    type Buf = Bytes;

    fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        loop {
            match self.reader.next(&self.link.peer) {
                Ok(Some(bytes)) => return Poll::Ready(Ok(Some(bytes))),
                Ok(None) => {}
                Err((code, what)) => {
                    return Poll::Ready(Err(violation(self.link.violate(code, what))));
                }
            }
            if self.taken >= TURN {
                // What is to be ignored may have no end, be it one frame or many, of which `h3` takes
                // all that there are; other tasks come first.
                self.taken = 0;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let Poll::Ready(chunk) = pin!(self.stream.read_chunk(usize::MAX, true)).poll(cx) else {
                self.taken = 0;
                return Poll::Pending;
            };
            self.taken += 1;
            match chunk.map_err(read_error)? {
                Some(chunk) => self.reader.push(chunk.bytes),
                None => return Poll::Ready(Ok(None)),
            }
        }
    }

    fn stop_sending(&mut self, error_code: u64) {
        // A stream that has ended needs no stop.
        drop(self.stream.stop(to_varint(Code::from(error_code))));
    }

    fn recv_id(&self) -> StreamId {
        stream_id(u64::from(quinn::VarInt::from(self.stream.id())))
    }
}

fn all_of(mut buf: WriteBuf<Bytes>) -> Bytes {
    buf.copy_to_bytes(buf.remaining())
}

fn stream_id(id: u64) -> StreamId {
    StreamId::try_from(id).expect("QUIC stream ids are 62-bit integers")
}

fn violation(error: Error) -> StreamErrorIncoming {
    StreamErrorIncoming::ConnectionErrorIncoming {
        connection_error: ConnectionErrorIncoming::Undefined(Arc::new(error)),
    }
}

pub(crate) fn connection_error(error: quinn::ConnectionError) -> ConnectionErrorIncoming {
    match error {
        quinn::ConnectionError::ApplicationClosed(close) => {
            ConnectionErrorIncoming::ApplicationClose { error_code: close.error_code.into_inner() }
        }
        quinn::ConnectionError::TimedOut => ConnectionErrorIncoming::Timeout,
        other => ConnectionErrorIncoming::Undefined(Arc::new(other)),
    }
}

fn write_error(error: WriteError) -> StreamErrorIncoming {
    match error {
        WriteError::Stopped(code) => {
            StreamErrorIncoming::StreamTerminated { error_code: code.into_inner() }
        }
        WriteError::ConnectionLost(error) => StreamErrorIncoming::ConnectionErrorIncoming {
            connection_error: connection_error(error),
        },
        other => StreamErrorIncoming::Unknown(Box::new(other)),
    }
}

fn read_error(error: ReadError) -> StreamErrorIncoming {
    match error {
        ReadError::Reset(code) => {
            StreamErrorIncoming::StreamTerminated { error_code: code.into_inner() }
        }
        ReadError::ConnectionLost(error) => StreamErrorIncoming::ConnectionErrorIncoming {
            connection_error: connection_error(error),
        },
        other => StreamErrorIncoming::Unknown(Box::new(other)),
    }
}
