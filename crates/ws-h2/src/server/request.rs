//! Requests that wait for their answer.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{FlowControl, Reason};
use http::{HeaderMap, Response, StatusCode};
use ws_h2_upgrade::{ConnectRequest, validate_fields};

use crate::error::Error;
use crate::hub::{End, StreamCore};
use crate::leaving::Leaving;
use crate::parting::Parting;
use crate::transport::{H2Stream, Reader};

/// A request on a connection.
#[derive(Debug)]
#[non_exhaustive]
pub enum Request {
    /// Extended CONNECT with `:protocol = websocket` (RFC 8441 §4).
    WebSocket(WebSocketRequest),
    /// Any other request that is no CONNECT: a page beside the WebSockets.
    Http(HttpRequest),
}

impl Request {
    /// Rejects a request that nobody has seen.
    pub(super) fn reject(self) {
        let (Self::WebSocket(WebSocketRequest(exchange)) | Self::Http(HttpRequest(exchange))) =
            self;
        exchange.reject();
    }
}

/// A client that wants to open a WebSocket.
///
/// Nothing but the pseudo-header fields has been checked: version, origin, subprotocols and
/// extensions are the business of `ws-h2-upgrade`. A request that is dropped is answered with 500.
#[derive(Debug)]
pub struct WebSocketRequest(Box<Exchange>);

impl WebSocketRequest {
    /// Method, URI and header fields as they came; the method is CONNECT.
    #[must_use]
    pub fn head(&self) -> &http::Request<()> {
        &self.0.head
    }

    /// The request as `ws_h2_upgrade::validate_request` takes it.
    #[must_use]
    pub fn connect_request(&self) -> ConnectRequest<'_, HeaderMap> {
        ConnectRequest::from_http(&self.0.head, Some(self.protocol()))
    }

    /// The value of `:protocol`, which is `websocket` in upper or lower case.
    #[must_use]
    pub fn protocol(&self) -> &str {
        self.0.head.extensions().get::<h2::ext::Protocol>().map_or("", h2::ext::Protocol::as_str)
    }

    /// The address of the client, if it was given.
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.0.peer_addr
    }

    /// Opens the WebSocket with `response`, whose status must be 2xx (RFC 8441 §5.1). The stream
    /// carries RFC 6455 frames from here on.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidRequest`] for another status, a field that HTTP/2 forbids (RFC 9113 §8.2.2)
    /// or a `content-length` (RFC 9110 §9.3.6); otherwise the stream or the connection is gone.
    pub fn accept(mut self, response: Response<()>) -> Result<H2Stream, Error> {
        if !response.status().is_success() {
            return Err(Error::InvalidRequest("a websocket is accepted with a 2xx status"));
        }
        if response.headers().contains_key(http::header::CONTENT_LENGTH) {
            // RFC 9110 §9.3.6.
            return Err(Error::InvalidRequest("a length for the answer to a CONNECT"));
        }
        self.0.open(response)
    }

    /// Refuses the WebSocket with this response.
    ///
    /// # Errors
    ///
    /// As [`HttpRequest::respond`]; also [`Error::InvalidRequest`] for a 2xx status, which would
    /// accept.
    pub fn refuse(mut self, response: Response<impl Into<Bytes>>) -> Result<(), Error> {
        if response.status().is_success() {
            return Err(Error::InvalidRequest("a 2xx status accepts the websocket"));
        }
        self.0.respond(response.map(Into::into))
    }
}

/// An ordinary request. One that is dropped is answered with 500.
#[derive(Debug)]
pub struct HttpRequest(Box<Exchange>);

impl HttpRequest {
    /// Method, URI and header fields as they came.
    #[must_use]
    pub fn head(&self) -> &http::Request<()> {
        &self.0.head
    }

    /// The address of the client, if it was given.
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.0.peer_addr
    }

    /// Reads the rest of the request's body.
    ///
    /// # Errors
    ///
    /// [`Error::RequestTooBig`] when it is larger than `max` bytes; otherwise the stream or the
    /// connection is gone, also when the client has reset it with `NO_ERROR` before its end.
    pub async fn body(&mut self, max: usize) -> Result<Bytes, Error> {
        let Some(reader) = &mut self.0.reader else { return Ok(Bytes::new()) };
        let mut body = BytesMut::new();
        while poll_fn(|cx| reader.poll_read(cx, &mut body, READ)).await? > 0 {
            if body.len() > max {
                return Err(Error::RequestTooBig { max });
            }
        }
        match reader.end() {
            // The client is content, but this is not all.
            Some(End::Reset(code)) => Err(Error::StreamReset { code: code.into() }),
            _ => Ok(body.freeze()),
        }
    }

    /// Answers. The body is kept, without a copy, until the client has taken it, for
    /// [`handshake_timeout`](crate::ServerConfig::handshake_timeout) at most.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidRequest`] for a field that HTTP/2 forbids (RFC 9113 §8.2.2) or an
    /// informational status; otherwise the stream or the connection is gone.
    pub fn respond(mut self, response: Response<impl Into<Bytes>>) -> Result<(), Error> {
        self.0.respond(response.map(Into::into))
    }
}

/// One request and the way back.
pub(crate) struct Exchange {
    head: http::Request<()>,
    peer_addr: Option<SocketAddr>,
    /// `None` once it is answered.
    reader: Option<Reader>,
}

/// A request that is being answered.
struct Answer {
    responder: SendResponse<Bytes>,
    reader: Reader,
}

impl Exchange {
    pub(crate) fn new(
        head: http::Request<()>,
        responder: SendResponse<Bytes>,
        core: Arc<StreamCore>,
        credit: FlowControl,
    ) -> Box<Self> {
        let peer_addr = core.hub.peer_addr;
        core.ask(responder);
        Box::new(Self { head, peer_addr, reader: Some(Reader::new(core, credit)) })
    }

    pub(crate) fn into_websocket(self: Box<Self>) -> Request {
        Request::WebSocket(WebSocketRequest(self))
    }

    pub(crate) fn into_http(self: Box<Self>) -> Request {
        Request::Http(HttpRequest(self))
    }

    /// Answers with a status alone.
    pub(crate) fn refuse(mut self, status: StatusCode) {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = status;
        if let Err(error) = self.respond(response) {
            tracing::debug!(%error, %status, "could not refuse a request");
        }
    }

    /// Tells the client that nothing was done, so that it may try elsewhere (RFC 9113 §8.7); whether it
    /// had not reset the request itself.
    pub(crate) fn reject(mut self) -> bool {
        let Ok(mut answer) = self.begin() else { return false };
        let is_peers = answer.reset().is_some();
        answer.responder.send_reset(Reason::REFUSED_STREAM);
        answer.reader.core.part(Parting::Aborted { is_peers });
        !is_peers
    }

    /// Begins to answer.
    fn begin(&mut self) -> Result<Answer, Error> {
        let reader = self.reader.take().ok_or(Error::InvalidRequest("answered already"))?;
        match reader.core.take_responder() {
            Some(responder) => Ok(Answer { responder, reader }),
            None => Err(reader.end_error().unwrap_or(Error::Closed)),
        }
    }

    fn open(&mut self, response: Response<()>) -> Result<H2Stream, Error> {
        validate_fields(response.headers()).map_err(Error::from_fields)?;
        let mut answer = self.begin()?;
        match answer.responder.send_response(response, false) {
            Ok(send) => {
                answer.reader.core.entrust(answer.responder);
                Ok(H2Stream::new(send, answer.reader))
            }
            Err(error) => Err(answer.fail(error)),
        }
    }

    fn respond(&mut self, response: Response<Bytes>) -> Result<(), Error> {
        validate_fields(response.headers()).map_err(Error::from_fields)?;
        if response.status().is_informational() {
            return Err(Error::InvalidRequest("an informational status is no answer"));
        }
        let mut answer = self.begin()?;
        let (head, body) = response.into_parts();
        let is_empty = body.is_empty() || self.head.method() == http::Method::HEAD;
        let body = if is_empty { Bytes::new() } else { body };
        match answer.responder.send_response(Response::from_parts(head, ()), is_empty) {
            Ok(send) => {
                answer.reader.core.part(Parting::Ended(Leaving::new(send, body)));
                Ok(())
            }
            Err(error) => Err(answer.fail(error)),
        }
    }
}

impl Answer {
    /// The code with which the peer has reset the request, if it has.
    fn reset(&mut self) -> Option<Reason> {
        match self.responder.poll_reset(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(code)) => Some(code),
            _ => None,
        }
    }

    /// The stream cannot be answered; usually its peer has reset it.
    fn fail(mut self, error: h2::Error) -> Error {
        let reset = self.reset();
        self.responder.send_reset(Reason::INTERNAL_ERROR);
        let core = &self.reader.core;
        core.part(Parting::Aborted { is_peers: reset.is_some() });
        let cause = core.hub.cause().or_else(|| self.reader.end_error());
        cause.or_else(|| reset.map(Error::from_reset)).unwrap_or_else(|| error.into())
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.reader.is_some() {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            if let Err(error) = self.respond(response) {
                tracing::debug!(%error, "a request was dropped and could not be answered");
            }
        }
    }
}

impl std::fmt::Debug for Exchange {
    /// Header values may be secrets: only the method and the path are shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange")
            .field("method", self.head.method())
            .field("path", &self.head.uri().path())
            .finish_non_exhaustive()
    }
}

/// Bytes to take at a time.
const READ: usize = 16 * 1024;
