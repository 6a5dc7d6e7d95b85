//! Requests as a server sees them, and the answers it can give.

use std::fmt;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h3::error::Code;
use http::header::{CONTENT_LENGTH, HeaderMap};
use http::{Method, StatusCode};
use ws_h3_upgrade::{ConnectRequest, join_cookies, validate_fields};

use crate::error::Error;
use crate::link::{Guard, Link, Unacknowledged};
use crate::quic::fields::{PseudoHeader, PseudoHeaders};
use crate::quic::{BidiStream, Exchange, private_name};
use crate::transport::H3Stream;

/// A request that arrived on a connection.
#[derive(Debug)]
#[non_exhaustive]
pub enum Request {
    /// An extended CONNECT for `websocket` (RFC 9220).
    WebSocket(WebSocketRequest),
    /// Any other request.
    Http(HttpRequest),
}

/// A client's wish for a WebSocket, to be [accepted](Self::accept) or [refused](Self::refuse).
///
/// The carrier has checked the form of the message (pseudo-headers, connection-specific fields,
/// sizes, `:protocol`); version, origin and subprotocols are the caller's to judge. Dropped without
/// an answer, the stream is cancelled.
#[derive(Debug)]
pub struct WebSocketRequest {
    open: Box<Open>,
}

/// An ordinary request, to be [answered](Self::respond).
#[derive(Debug)]
pub struct HttpRequest {
    open: Box<Open>,
}

impl WebSocketRequest {
    /// Method, URI (with scheme, authority and path) and headers.
    #[must_use]
    pub fn head(&self) -> &http::Request<()> {
        &self.open.head
    }

    /// The same for [`ws_h3_upgrade::validate_request`].
    #[must_use]
    pub fn connect_request(&self) -> ConnectRequest<'_, HeaderMap> {
        ConnectRequest::from_http(&self.open.head, Some("websocket"))
    }

    /// The address the request came from.
    #[must_use]
    pub fn peer_addr(&self) -> SocketAddr {
        self.open.link.connection.remote_address()
    }

    /// Opens the WebSocket's stream with `response`, whose status must be 2xx (RFC 8441 §5.1).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidRequest`] for another status or for a field HTTP/3 forbids; otherwise the
    /// client or the connection is gone.
    pub async fn accept(self, response: http::Response<()>) -> Result<H3Stream, Error> {
        if !response.status().is_success() {
            return Err(Error::InvalidRequest("a WebSocket is accepted with a 2xx status"));
        }
        // Boxed, so that a caller's future is not as large as a handshake for all its life.
        Box::pin(self.open.accept(response)).await
    }

    /// Answers with `response` and ends the stream.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidRequest`] for a 2xx status, which would accept, or for a field HTTP/3 forbids;
    /// otherwise the client or the connection is gone.
    pub async fn refuse(self, response: http::Response<Bytes>) -> Result<(), Error> {
        if response.status().is_success() {
            return Err(Error::InvalidRequest("a 2xx status would accept the WebSocket"));
        }
        Box::pin(self.open.respond(response)).await
    }
}

impl HttpRequest {
    /// Method, URI and headers.
    #[must_use]
    pub fn head(&self) -> &http::Request<()> {
        &self.open.head
    }

    /// The address the request came from.
    #[must_use]
    pub fn peer_addr(&self) -> SocketAddr {
        self.open.link.connection.remote_address()
    }

    /// Reads the rest of the request's body.
    ///
    /// Not cancel-safe: what had come when the future was dropped is lost, as is what is larger than
    /// `max`; the next call reads on behind it.
    ///
    /// # Errors
    ///
    /// [`Error::RequestTooBig`] when it is larger than `max` bytes, [`Error::MalformedMessage`] when the
    /// whole is not as long as announced (RFC 9114 §4.1.2); otherwise the stream or the connection is
    /// gone.
    pub async fn body(&mut self, max: usize) -> Result<Bytes, Error> {
        let open = &mut *self.open;
        let mut body = BytesMut::new();
        while let Some(piece) = poll_fn(|cx| open.exchange.poll_body(cx)).await? {
            open.received = open.received.saturating_add(piece.len() as u64);
            if piece.len() > max - body.len() {
                return Err(Error::RequestTooBig { max });
            }
            body.extend_from_slice(&piece);
        }
        if !is_as_announced(open.head.headers(), open.received) {
            return Err(open.malformed("a body that is not as long as announced"));
        }
        Ok(body.freeze())
    }

    /// Answers with `response` and ends the stream; a body still on its way is refused.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidRequest`] for a field HTTP/3 forbids; otherwise the client or the connection
    /// is gone.
    pub async fn respond(self, response: http::Response<Bytes>) -> Result<(), Error> {
        Box::pin(self.open.respond(response)).await
    }
}

/// A request whose stream is open for an answer.
pub(crate) struct Open {
    head: http::Request<()>,
    stream: h3::server::RequestStream<BidiStream, Bytes>,
    exchange: Arc<Exchange>,
    link: Arc<Link>,
    alive: Guard,
    timeout: Duration,
    /// Bytes of the body that have come.
    received: u64,
    /// Whether it was counted as one that came to nothing.
    is_wasted: bool,
}

impl Open {
    pub(crate) fn new(
        (head, stream): (http::Request<()>, h3::server::RequestStream<BidiStream, Bytes>),
        exchange: Arc<Exchange>,
        link: Arc<Link>,
        alive: Guard,
        timeout: Duration,
    ) -> Box<Self> {
        let (received, is_wasted) = (0, false);
        Box::new(Self { head, stream, exchange, link, alive, timeout, received, is_wasted })
    }

    /// Judges the form of the message; `None` when that was the end of it.
    pub(crate) async fn judge(mut self: Box<Self>, websockets: bool) -> Option<Request> {
        let (pseudo, is_early) = self.exchange.circumstances();
        let status = match judge(&mut self.head, pseudo, websockets, is_early) {
            Ok(true) => return Some(Request::WebSocket(WebSocketRequest { open: self })),
            Ok(false) => return Some(Request::Http(HttpRequest { open: self })),
            Err(Refusal::Malformed(what)) => {
                self.malformed(what);
                return None;
            }
            Err(Refusal::Status(status)) => status,
        };
        let mut response = http::Response::new(Bytes::new());
        *response.status_mut() = status;
        // Boxed, as it is rare: the memory of a request would be twice as large for it.
        if let Err(error) = Box::pin(self.respond(response)).await {
            tracing::debug!(%error, %status, "could not refuse a request");
        }
        None
    }

    /// Ends the stream of a malformed request.
    fn malformed(&mut self, what: &'static str) -> Error {
        tracing::debug!(what, "malformed request");
        self.count_waste();
        self.exchange.abandon(Code::H3_MESSAGE_ERROR, Error::MalformedMessage(what));
        Error::MalformedMessage(what)
    }

    async fn accept(mut self: Box<Self>, response: http::Response<()>) -> Result<H3Stream, Error> {
        self.send_head(response).await?;
        let halves = self.exchange.take().ok_or(Error::Timeout)?;
        // `h3` forgets the stream; the driver counts it as long as the guard lives.
        Ok(H3Stream::new(halves, self.link, self.alive))
    }

    async fn respond(mut self: Box<Self>, response: http::Response<Bytes>) -> Result<(), Error> {
        let (head, body) = response.into_parts();
        self.send_head(http::Response::from_parts(head, ())).await?;
        let rest = async {
            // RFC 9110 §9.3.2: the answer to a HEAD has the fields of the body and not the body.
            if !body.is_empty() && self.head.method() != http::Method::HEAD {
                self.stream.send_data(body).await?;
            }
            self.stream.finish().await
        };
        self.link
            .within(self.timeout, pin!(rest))
            .await?
            .map_err(|error| self.link.stream_error(error))?;
        self.stream.stop_sending(Code::H3_NO_ERROR);
        if let Some((outbound, _)) = self.exchange.take()
            && outbound.is_closed()
        {
            self.link.wait_for(Unacknowledged { send: outbound, recv: None, guard: self.alive });
        }
        Ok(())
    }

    async fn send_head(&mut self, response: http::Response<()>) -> Result<(), Error> {
        if validate_fields(response.headers()).is_err() {
            return Err(Error::InvalidRequest("a connection-specific header in HTTP/3"));
        }
        let sent = {
            let sending = pin!(self.stream.send_response(response));
            self.link.within(self.timeout, sending).await
        };
        let sent = sent.and_then(|sent| sent.map_err(|error| self.link.sending_error(error)));
        if sent.is_err() {
            self.count_waste();
        }
        sent
    }

    /// Counts it among those that came to nothing, once.
    fn count_waste(&mut self) {
        if !std::mem::replace(&mut self.is_wasted, true) {
            self.link.count_waste();
        }
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open")
            .field("head", &self.head)
            .field("stream", &self.exchange)
            .finish_non_exhaustive()
    }
}

/// Why a request is not for the caller.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    Status(StatusCode),
    /// RFC 9114 §4.1.2: a stream error.
    Malformed(&'static str),
}

/// Says whether the request is for a WebSocket, having taken the carrier's own field out of it.
fn judge(
    head: &mut http::Request<()>,
    pseudo: PseudoHeaders,
    websockets: bool,
    early: bool,
) -> Result<bool, Refusal> {
    let malformed = |what| Err(Refusal::Malformed(what));
    let another = head.headers().get_all(private_name()).iter().nth(1).is_some();
    let protocol = head.headers_mut().remove(private_name());
    if another || head.extensions_mut().remove::<h3::ext::Protocol>().is_some() {
        return malformed("`:protocol` in a forged spelling");
    }
    if validate_fields(head.headers()).is_err() {
        return malformed("a connection-specific field");
    }
    join_cookies(head.headers_mut());
    let Some(protocol) = protocol else {
        if head.method() != Method::CONNECT {
            return Ok(false);
        }
        if pseudo.has(PseudoHeader::Scheme) || pseudo.has(PseudoHeader::Path) {
            return malformed("a plain CONNECT with `:scheme` or `:path`");
        }
        return Err(Refusal::Status(StatusCode::NOT_IMPLEMENTED));
    };
    if head.method() != Method::CONNECT {
        return malformed("`:protocol` with a method other than CONNECT");
    }
    if !websockets {
        return malformed("`:protocol` where SETTINGS did not allow it");
    }
    let required = [PseudoHeader::Scheme, PseudoHeader::Authority, PseudoHeader::Path];
    if !required.into_iter().all(|name| pseudo.has(name)) {
        return malformed("an extended CONNECT without `:scheme`, `:authority` or `:path`");
    }
    if !protocol.as_bytes().eq_ignore_ascii_case(b"websocket") {
        return Err(Refusal::Status(StatusCode::NOT_IMPLEMENTED));
    }
    if early {
        return Err(Refusal::Status(StatusCode::TOO_EARLY));
    }
    Ok(true)
}

/// Whether a body of `len` bytes is what was announced, if anything was: the same number in each line,
/// in digits and nothing else (RFC 9110 §8.6).
fn is_as_announced(headers: &HeaderMap, len: u64) -> bool {
    headers.get_all(CONTENT_LENGTH).iter().all(|announced| {
        // The parser would take a sign.
        announced.as_bytes().iter().all(u8::is_ascii_digit)
            && announced.to_str().is_ok_and(|digits| digits.parse() == Ok(len))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quic::fields::lift_protocol;

    const LINES: [&[u8]; 5] = [
        b"\x27\x00:method\x07CONNECT",
        b"\x27\x00:scheme\x05https",
        b"\x27\x03:authority\x09localhost",
        b"\x25:path\x01/",
        b"\x27\x02:protocol\x09websocket",
    ];

    /// An extended CONNECT for `websocket` as `h3` brings it.
    fn request() -> (http::Request<()>, PseudoHeaders) {
        let block = [&[0, 0][..], &LINES.concat()].concat();
        let mut lifted = BytesMut::new();
        let pseudo =
            lift_protocol(&block, private_name().as_str(), 10, &mut lifted).expect("well-formed");
        let head = http::Request::connect("https://localhost/").header(private_name(), "websocket");
        (head.body(()).expect("a request"), pseudo)
    }

    // RFC: H3-10.9-01
    #[test]
    fn a_connect_in_early_data_is_answered_425() {
        let (mut head, pseudo) = request();
        assert_eq!(judge(&mut head, pseudo, true, false), Ok(true));
        assert!(head.headers().is_empty(), "the carrier's own field is gone");
        let (mut head, pseudo) = request();
        let early = judge(&mut head, pseudo, true, true);
        assert_eq!(early, Err(Refusal::Status(StatusCode::TOO_EARLY)));
    }

    #[test]
    fn where_settings_did_not_allow_it_a_connect_for_a_websocket_is_malformed() {
        let (mut head, pseudo) = request();
        let refused = judge(&mut head, pseudo, false, false);
        assert!(matches!(refused, Err(Refusal::Malformed(_))), "{refused:?}");
    }

    #[test]
    fn a_connect_with_two_protocols_is_malformed() {
        let (mut head, pseudo) = request();
        head.headers_mut().append(private_name(), http::HeaderValue::from_static("websocket"));
        let refused = judge(&mut head, pseudo, true, false);
        assert!(matches!(refused, Err(Refusal::Malformed(_))), "{refused:?}");
    }
}
