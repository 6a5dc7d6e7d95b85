//! WebSockets over HTTP/2: on a connection that stands, or on a new one.

use std::time::Duration;

use bytes::BytesMut;
use ws_h2::ClientConfig;
use ws_io::{ConnectOptions, Error, Transport as _, WsUri};
use ws_session::TransportError;

use crate::WebSocket;
use crate::carrier_io::CarrierIo;
use crate::client::extended::{Asked, refused};
use crate::client::pool::Lines;
use crate::client::shelf::{Carrier, Signs, Waiting};
use crate::client::{Client, Offer, io_error};
use crate::http_version::HttpVersion;
use crate::net::Net;
use crate::stream::Stream;
#[cfg(feature = "rustls")]
use crate::tls;

/// What trying HTTP/2 came to.
pub(super) enum Tried<N: Net> {
    Open(WebSocket<N>),
    /// TLS agreed on HTTP/1.1 instead; nothing has been sent on this stream.
    Http1(Stream<N>),
    /// The server speaks HTTP/2 and carries no WebSockets in it.
    Declined(Error),
}

impl Carrier for ws_h2::Client {
    fn is_open(&self) -> bool {
        self.is_open()
    }

    fn load(&self) -> usize {
        self.open_streams()
    }

    fn is_settled(&self) -> bool {
        self.allows_websockets().is_some()
    }

    fn capacity(&self) -> usize {
        self.max_streams()
    }

    fn signs(&self) -> Signs {
        // TCP knows the round trip, and keeps it to itself.
        Signs { heard: self.bytes_received() as u64, sent: 0, round_trip: LONG_ROUND_TRIP }
    }

    fn probe(&self) -> bool {
        self.ping()
    }

    fn drain(&self) {
        self.drain();
    }
}

impl<N: Net> Client<N> {
    /// Opens a WebSocket over HTTP/2 and nothing else.
    pub(super) async fn open_h2(
        &self,
        uri: &WsUri,
        options: &ConnectOptions,
    ) -> Result<WebSocket<N>, Error> {
        let lines = self.pool.lines(uri);
        let dial = || self.dial_h2(uri, options, Offer::H2);
        match self.try_h2(uri, options, &lines, &Waiting::default(), dial).await? {
            Tried::Open(websocket) => Ok(websocket),
            Tried::Http1(_) => Err(unsupported()),
            Tried::Declined(error) => Err(error),
        }
    }

    /// Opens a WebSocket over HTTP/2 if the server has that, on a connection that `dial` makes if
    /// none stands.
    pub(super) async fn try_h2<F>(
        &self,
        uri: &WsUri,
        options: &ConnectOptions,
        lines: &Lines,
        waiting: &Waiting,
        dial: impl Fn() -> F,
    ) -> Result<Tried<N>, Error>
    where
        F: Future<Output = Result<ws_h2::Client, NotDialled<N>>>,
    {
        let asked = Asked::new(uri, options)?;
        let mut shunned = None;
        loop {
            let found = lines.h2.find_or_dial(&self.net, shunned.as_ref(), waiting, dial());
            let mut ticket = match found.await {
                Ok(ticket) => ticket,
                Err(NotDialled::Http1(stream)) => return Ok(Tried::Http1(stream)),
                Err(NotDialled::Failed(error)) => return Err(error),
            };
            // Who opened it may have had less time, or more.
            let connection = ticket.connection().clone();
            let connection = connection.with_handshake_timeout(options.handshake_timeout);
            let opening = connection.connect(asked.request.clone());
            // RFC 9110 §9.2.2: what was sent again is not sent once more.
            let may_repeat = ticket.was_used && shunned.is_none();
            let (error, is_silent) = match ticket.open_while_heard(may_repeat, opening).await {
                Some(Ok((response, stream))) => {
                    let is_secure = uri.is_secure();
                    let stream = Stream::H2 { stream: Box::new(stream), is_secure };
                    return asked.open(&self.net, &response, stream).map(Tried::Open);
                }
                Some(Err(error)) => (error, false),
                None => (ws_h2::Error::Timeout, true),
            };
            // A server that never got as far as its SETTINGS may not speak HTTP/2 at all.
            let is_stranger = !ticket.was_used && connection.allows_websockets().is_none();
            if let ws_h2::Error::Timeout = error {
                // It may be dead without knowing: the next WebSocket gets a new one.
                connection.drain();
            }
            if may_repeat && error.is_retryable() {
                tracing::debug!(reason = error.reason(), "trying another connection");
                shunned = Some(ticket.shun_it());
                continue;
            }
            // What comes just now comes too late: the request has been given up.
            if may_repeat && (is_silent || is_lost(&error) && !ticket.was_heard()) {
                tracing::debug!(reason = error.reason(), "trying a new connection");
                shunned = Some(ticket.shun_all());
                continue;
            }
            return failed(error, is_stranger);
        }
    }

    pub(super) async fn dial_h2(
        &self,
        uri: &WsUri,
        options: &ConnectOptions,
        offer: Offer,
    ) -> Result<ws_h2::Client, NotDialled<N>> {
        let dialled = self.dial(uri, offer).await.map_err(|error| match error {
            Error::Transport(TransportError::TlsAlert(NO_APPLICATION_PROTOCOL)) => unsupported(),
            error => error,
        });
        let (stream, _turn) = dialled.map_err(NotDialled::Failed)?;
        if uri.is_secure() && !stream.alpn_is(HttpVersion::H2) {
            return Err(NotDialled::Http1(stream));
        }
        let mut config = ClientConfig::default();
        config.max_streams = self.h2.max_streams;
        config.stream_window = self.h2.stream_window;
        config.send_buffer = self.h2.send_buffer;
        config.max_header_size = u32::try_from(options.max_handshake_size).unwrap_or(u32::MAX);
        config.max_headers = options.max_headers;
        config.handshake_timeout = options.handshake_timeout;
        let peer = stream.peer_addr();
        let io = CarrierIo::new(stream, BytesMut::new());
        let client = ws_h2::Client::new(io, peer, self.counted(), &config).await;
        client.map_err(|error| NotDialled::Failed(io_error(error.into())))
    }
}

/// Why there is no connection.
pub(super) enum NotDialled<N: Net> {
    /// TLS agreed on HTTP/1.1 instead.
    Http1(Stream<N>),
    Failed(Error),
}

/// Whether the connection is gone, or the server is not reached on it. When nothing has come from the
/// server either, the request may be sent again, once.
///
/// RFC 9113 §8.7: whether it was processed is not known then, so that only such may be repeated of which
/// one knows that they are idempotent, whatever their method (RFC 9110 §9.2.2). This is the opening
/// handshake of RFC 6455 §4.1, which is a GET in HTTP/1.1; all that a WebSocket does comes after the answer.
fn is_lost(error: &ws_h2::Error) -> bool {
    matches!(error, ws_h2::Error::Timeout | ws_h2::Error::Closed | ws_h2::Error::Io(_))
}

fn failed<N: Net>(error: ws_h2::Error, is_stranger: bool) -> Result<Tried<N>, Error> {
    use ws_h2::Error as Cause;
    // One about the certificate of the client comes when that is through with the handshake already
    // (RFC 8446 §4.4.2.4).
    #[cfg(feature = "rustls")]
    if let Some(alert) = error.socket_error().and_then(tls::alert) {
        return Err(Error::Transport(TransportError::TlsAlert(alert)));
    }
    match error {
        Cause::PeerDoesNotAllowConnectProtocol => {
            Ok(Tried::Declined(ws_h2_upgrade::Error::PeerDoesNotAllowConnectProtocol.into()))
        }
        Cause::StreamReset { code: HTTP_1_1_REQUIRED }
        | Cause::GoingAway { code: HTTP_1_1_REQUIRED } => Ok(Tried::Declined(unsupported())),
        Cause::UnexpectedStatus(response) => Err(refused(*response)),
        Cause::Timeout => Err(Error::Transport(TransportError::Timeout)),
        Cause::ProtocolError { .. } | Cause::Closed | Cause::Http2(_) if is_stranger => {
            Err(unsupported())
        }
        other => Err(io_error(other.into())),
    }
}

pub(super) fn unsupported() -> Error {
    Error::UnsupportedHttpVersion { wanted: "h2" }
}

/// What a round trip may take, with a packet that is lost on the way.
const LONG_ROUND_TRIP: Duration = Duration::from_millis(500);

/// RFC 9113 §7: the server wants this request over HTTP/1.1, or all that come on the connection.
const HTTP_1_1_REQUIRED: u32 = 0xd;

/// RFC 7301 §3.2: the server has none of the protocols that were offered.
const NO_APPLICATION_PROTOCOL: u8 = 120;
