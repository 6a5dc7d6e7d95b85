//! WebSockets over HTTP/3: on a connection that stands, or on a new one.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use quinn::{ConnectError, Connecting, Endpoint, EndpointConfig};
use ws_h3::ClientConfig;
use ws_handshake::HandshakeError;
use ws_io::{ConnectOptions, Error, WsUri};
use ws_session::TransportError;

use crate::WebSocket;
use crate::client::extended::{Asked, refused};
use crate::client::pool::Lines;
use crate::client::shelf::{Carrier, Signs, Waiting};
use crate::client::{Client, io_error, unreachable};
use crate::dial::race;
use crate::net::Net;
use crate::socket;
use crate::stream::Stream;

/// The UDP sockets of a client, one for each family, made when they are needed.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    v4: Socket,
    v6: Socket,
}

#[derive(Debug, Default)]
struct Socket {
    endpoint: Mutex<Option<Endpoint>>,
    /// Whether a connection over it was taken into use.
    has_connected: AtomicBool,
}

impl Sockets {
    /// Begins a connection. A socket that failed has ended its endpoint: then there is a new one.
    fn connect<N: Net>(
        &self,
        net: &N,
        config: &quinn::ClientConfig,
        to: SocketAddr,
        host: &str,
    ) -> io::Result<Connecting> {
        let from = match to {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let mut endpoint = self.of(to).endpoint();
        if let Some(endpoint) = &*endpoint {
            match endpoint.connect_with(config.clone(), to, host) {
                Err(ConnectError::EndpointStopping) => {}
                begun => return begun.map_err(io::Error::other),
            }
        }
        let (udp, runtime) = (socket::bind_udp(from)?, net.quic_runtime()?);
        let made = Endpoint::new(EndpointConfig::default(), None, udp, runtime)?;
        let begun = endpoint.insert(made).connect_with(config.clone(), to, host);
        begun.map_err(io::Error::other)
    }

    /// Takes note that there is a connection with the server at `peer`.
    fn note_connected(&self, peer: SocketAddr) {
        self.of(peer).has_connected.store(true, Ordering::Relaxed);
    }

    /// Waits until every connection is closed and its last packets are sent. A socket over which none was
    /// taken into use is not waited for: QUIC remembers for seconds an attempt that has nothing to say.
    pub(super) async fn wait_idle(&self) {
        for socket in [&self.v4, &self.v6] {
            let endpoint = socket.endpoint().clone();
            if let Some(endpoint) = endpoint
                && socket.has_connected.load(Ordering::Relaxed)
            {
                endpoint.wait_idle().await;
            }
        }
    }

    fn of(&self, to: SocketAddr) -> &Socket {
        if to.is_ipv4() { &self.v4 } else { &self.v6 }
    }
}

impl Socket {
    fn endpoint(&self) -> MutexGuard<'_, Option<Endpoint>> {
        self.endpoint.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Carrier for ws_h3::Client {
    fn is_open(&self) -> bool {
        self.is_open()
    }

    fn load(&self) -> usize {
        self.open_streams()
    }

    /// One does not wait for what only waiting shows.
    fn is_settled(&self) -> bool {
        true
    }

    /// The server's limit is known to QUIC alone, until the server has made one wait. RFC 9114 §6.1
    /// asks every server for this many.
    fn capacity(&self) -> usize {
        self.max_streams().unwrap_or(100)
    }

    fn signs(&self) -> Signs {
        let stats = self.connection().stats();
        let (heard, sent) = (stats.frame_rx.acks, stats.frame_tx.stream);
        Signs { heard, sent, round_trip: stats.path.rtt }
    }

    fn probe(&self) -> bool {
        false
    }

    fn drain(&self) {
        self.drain();
    }
}

/// Why there is no WebSocket over HTTP/3, and whether another version may do.
pub(super) enum Failed {
    /// The server does not do it over HTTP/3, or was not reached by it.
    Declined(Error),
    /// The server, or the caller, is at fault whatever the version.
    Final(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

impl Failed {
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Declined(error) | Self::Final(error) => error,
        }
    }
}

impl<N: Net> Client<N> {
    /// Opens a WebSocket over HTTP/3 and nothing else.
    pub(super) async fn open_h3(
        &self,
        uri: &WsUri,
        options: &ConnectOptions,
    ) -> Result<WebSocket<N>, Error> {
        if !uri.is_secure() {
            // QUIC is always encrypted.
            return Err(HandshakeError::InvalidScheme { scheme: "ws".to_owned() }.into());
        }
        let lines = self.pool.lines(uri);
        let dial = || Box::pin(self.dial_h3(uri, options));
        let opened = self.try_h3(uri, options, &lines, &Waiting::default(), dial).await;
        opened.map_err(Failed::into_error)
    }

    /// Opens a WebSocket over HTTP/3, on a connection that `dial` makes if none stands.
    pub(super) async fn try_h3<F>(
        &self,
        uri: &WsUri,
        options: &ConnectOptions,
        lines: &Lines,
        waiting: &Waiting,
        dial: impl Fn() -> F,
    ) -> Result<WebSocket<N>, Failed>
    where
        F: Future<Output = Result<ws_h3::Client, Failed>>,
    {
        let asked = Asked::new(uri, options)?;
        let mut shunned = None;
        loop {
            let found = lines.h3.find_or_dial(&self.net, shunned.as_ref(), waiting, dial());
            let mut ticket = found.await?;
            // Who opened it may have had less time, or more.
            let connection = ticket.connection().clone();
            let connection = connection.with_handshake_timeout(options.handshake_timeout);
            let opening = connection.connect(asked.request.clone());
            // RFC 9110 §9.2.2: what was sent again is not sent once more.
            let is_first = shunned.is_none();
            let may_repeat = ticket.was_used && is_first;
            let (error, is_silent) = match ticket.open_while_heard(may_repeat, opening).await {
                Some(Ok((response, stream))) => {
                    let stream = Stream::H3(Box::new(stream));
                    return Ok(asked.open(&self.net, &response, stream)?);
                }
                Some(Err(error)) => (error, false),
                None => (ws_h3::Error::Timeout, true),
            };
            if let ws_h3::Error::Timeout = error {
                // It may be dead without knowing: the next WebSocket gets a new one.
                connection.drain();
            }
            // Who dialled may come too late for the streams of the new connection.
            let is_for_others = ticket.was_used || matches!(error, ws_h3::Error::TooManyStreams);
            if is_for_others && is_first && error.is_retryable() {
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
            return Err(failed(error));
        }
    }

    pub(super) async fn dial_h3(
        &self,
        uri: &WsUri,
        options: &ConnectOptions,
    ) -> Result<ws_h3::Client, Failed> {
        let tls = self.tls_config().map_err(Failed::Final)?;
        let tls = rustls::ClientConfig::clone(&tls);
        let config = ws_h3::client_config(tls, &self.quic)
            .map_err(|error| Failed::Declined(io_error(error.into())))?;
        let addresses = self.resolve(uri).await?;
        let connect = |address| {
            let connecting = self.sockets.connect(&self.net, &config, address, uri.host());
            async move { connecting?.await.map_err(|error| ws_h3::Error::from(error).into()) }
        };
        let dialled = race(&self.net, &addresses, self.queue.as_ref(), connect).await;
        let connection = dialled.map_err(|error| not_reached(uri, error))?.stream;
        self.sockets.note_connected(connection.remote_address());
        let mut config = ClientConfig::default();
        config.max_header_size = u32::try_from(options.max_handshake_size).unwrap_or(u32::MAX);
        config.max_headers = options.max_headers;
        config.handshake_timeout = options.handshake_timeout;
        config.windows = Some(self.quic.windows());
        // A stream that was dropped without a goodbye is free half a second later at the latest.
        let longest = config.stream_timeout;
        config.stream_timeout = (options.handshake_timeout / 16).clamp(longest / 2, longest);
        let client = ws_h3::Client::new(connection, self.counted(), &config).await;
        client.map_err(failed)
    }
}

/// Why the QUIC handshake with every address failed.
fn not_reached(uri: &WsUri, error: io::Error) -> Failed {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<ws_h3::Error>());
    let Some(ws_h3::Error::Connection(cause)) = cause else {
        return Failed::Declined(unreachable(uri, error));
    };
    let cause = ws_h3::Error::Connection(cause.clone());
    match (cause.tls_alert(), alert_of_peer(&cause)) {
        (Some(NO_APPLICATION_PROTOCOL), _) => Failed::Declined(unsupported()),
        (_, Some(alert)) => Failed::Final(Error::Transport(TransportError::TlsAlert(alert))),
        (Some(_), None) => Failed::Final(io_error(error)),
        (None, None) => Failed::Declined(unreachable(uri, error)),
    }
}

/// The alert with which the server has ended the connection (RFC 9001 §4.8). One about the certificate of
/// the client comes when that is through with the handshake already (RFC 8446 §4.4.2.4).
fn alert_of_peer(error: &ws_h3::Error) -> Option<u8> {
    use quinn::ConnectionError::ConnectionClosed;
    let by_peer = matches!(error, ws_h3::Error::Connection(ConnectionClosed(_)));
    by_peer.then(|| error.tls_alert()).flatten()
}

/// Whether the server does not know the connection, or is not reached on it. When it has acknowledged
/// nothing either, the request may be sent again, once.
///
/// RFC 9114 §5.4: after an end without GOAWAY any request must be taken for one that may have been
/// processed, so that only such may be repeated of which one knows that they are idempotent, whatever
/// their method (RFC 9110 §9.2.2). This is the opening handshake of RFC 6455 §4.1, which is a GET in
/// HTTP/1.1; all that a WebSocket does comes after the answer. And what a server has seen of it is seldom
/// lost: QUIC acknowledges it before there is an answer.
fn is_lost(error: &ws_h3::Error) -> bool {
    use quinn::ConnectionError as Cause;
    matches!(
        error,
        ws_h3::Error::Timeout | ws_h3::Error::Connection(Cause::Reset | Cause::TimedOut)
    )
}

fn failed(error: ws_h3::Error) -> Failed {
    use ws_h3::Error as Cause;
    if let Some(alert) = alert_of_peer(&error) {
        return Failed::Final(Error::Transport(TransportError::TlsAlert(alert)));
    }
    match error {
        Cause::PeerDoesNotAllowConnectProtocol => {
            let error = ws_h2_upgrade::Error::PeerDoesNotAllowConnectProtocol;
            Failed::Declined(error.into())
        }
        Cause::StreamReset { code: H3_VERSION_FALLBACK } => Failed::Declined(unsupported()),
        Cause::Connection(quinn::ConnectionError::ApplicationClosed(close))
            if close.error_code.into_inner() == H3_VERSION_FALLBACK =>
        {
            Failed::Declined(unsupported())
        }
        Cause::UnexpectedStatus(response) => Failed::Final(refused(*response)),
        Cause::Timeout => Failed::Declined(Error::Transport(TransportError::Timeout)),
        other => Failed::Final(io_error(other.into())),
    }
}

pub(super) fn unsupported() -> Error {
    Error::UnsupportedHttpVersion { wanted: "h3" }
}

/// RFC 9114 §8.1: the server wants this request over HTTP/1.1, or all that come on the connection.
const H3_VERSION_FALLBACK: u64 = 0x110;

/// RFC 7301 §3.2: the server has none of the protocols that were offered.
const NO_APPLICATION_PROTOCOL: u8 = 120;
