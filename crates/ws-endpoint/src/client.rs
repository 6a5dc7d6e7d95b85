//! Dialling: from a URL to an open WebSocket.

#[cfg(any(feature = "h2", feature = "h3"))]
mod best;
#[cfg(any(feature = "h2", feature = "h3"))]
mod extended;
#[cfg(feature = "h2")]
mod h2;
#[cfg(feature = "h3")]
mod h3;
mod policy;
#[cfg(any(feature = "h2", feature = "h3"))]
mod pool;
#[cfg(any(feature = "h2", feature = "h3"))]
mod shelf;
#[cfg(any(feature = "h2", feature = "h3"))]
mod silence;
#[cfg(any(feature = "h2", feature = "h3"))]
mod tasks;
#[cfg(any(feature = "h2", feature = "h3"))]
mod ticket;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
#[cfg(unix)]
use std::path::Path;
#[cfg(any(feature = "rustls", feature = "h2"))]
use std::sync::Arc;

use ws_io::{ConnectOptions, Error, WsUri};
use ws_session::TransportError;

use crate::WebSocket;
use crate::connect_queue::{ConnectQueue, Turn};
use crate::deadline::{after, until};
use crate::dial::{Dialled, dial};
#[cfg(feature = "rustls")]
use crate::http_version::HttpVersion;
use crate::net::Net;
use crate::stream::Stream;
#[cfg(feature = "rustls")]
use crate::tls::{self, Tls};

pub use policy::HttpPolicy;

/// Dials WebSockets on the runtime `N`.
///
/// What belongs to one connection stands in [`ConnectOptions`]; what connections share, here: whom
/// to trust, which HTTP versions to speak, who waits for whom. Clones are cheap and share it.
///
/// Connections over HTTP/2 and HTTP/3 are kept and shared: further WebSockets to the same origin go
/// over a connection that stands while the server lets it carry more. They go over a new one after
/// the server has said that it goes away, or when attempts that were given up, by a deadline or by
/// being dropped, have waited a second or more for its answer: the old one keeps what it carries.
/// A request on a connection that others have used before is sent once more, on a new one, when it is lost
/// with the connection or the server gives no sign of life at all: over HTTP/3 for about a second, in which
/// it acknowledges nothing, over HTTP/2 for three, a PING included.
/// How large the answers on a connection may be, and of how many fields, say the options of the WebSocket
/// for which it was opened.
/// Connections are closed when the client, its clones and the WebSockets on them are gone.
#[derive(Clone)]
pub struct Client<N: Net> {
    net: N,
    http: HttpPolicy,
    queue: Option<ConnectQueue>,
    #[cfg(feature = "rustls")]
    tls: Option<Arc<rustls::ClientConfig>>,
    #[cfg(any(feature = "h2", feature = "h3"))]
    pool: Arc<pool::Pool>,
    #[cfg(any(feature = "h2", feature = "h3"))]
    tasks: tasks::Tasks,
    #[cfg(feature = "h2")]
    h2: crate::H2Options,
    #[cfg(feature = "h3")]
    sockets: Arc<h3::Sockets>,
    #[cfg(feature = "h3")]
    quic: ws_h3::QuicOptions,
}

impl<N: Net> Client<N> {
    /// A client that trusts whom the operating system trusts.
    #[must_use]
    pub fn new(net: N) -> Self {
        Self {
            net,
            http: HttpPolicy::default(),
            queue: None,
            #[cfg(feature = "rustls")]
            tls: None,
            #[cfg(any(feature = "h2", feature = "h3"))]
            pool: Arc::default(),
            #[cfg(any(feature = "h2", feature = "h3"))]
            tasks: tasks::Tasks::default(),
            #[cfg(feature = "h2")]
            h2: crate::H2Options::default(),
            #[cfg(feature = "h3")]
            sockets: Arc::default(),
            #[cfg(feature = "h3")]
            quic: ws_h3::QuicOptions::default(),
        }
    }

    /// Uses this TLS configuration for `wss` instead of the system's certificates. Its application
    /// protocols (ALPN) are replaced by those of the HTTP versions in use.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn with_tls(mut self, config: Arc<rustls::ClientConfig>) -> Self {
        self.tls = Some(tls::client_with_alpn(config, Offer::H1.protocols()));
        #[cfg(any(feature = "h2", feature = "h3"))]
        {
            // What was opened trusting others is not ours.
            self.pool = Arc::default();
        }
        self
    }

    /// Speaks these HTTP versions.
    #[must_use]
    pub fn with_http(mut self, policy: HttpPolicy) -> Self {
        self.http = policy;
        self
    }

    /// Bounds of the HTTP/2 connections this client opens from now on.
    #[cfg(feature = "h2")]
    #[must_use]
    pub fn with_h2(mut self, options: crate::H2Options) -> Self {
        self.h2 = options;
        // What was opened by others is not ours.
        self.pool = Arc::default();
        self
    }

    /// Bounds and timers of the QUIC connections this client opens from now on.
    #[cfg(feature = "h3")]
    #[must_use]
    pub fn with_quic(mut self, options: ws_h3::QuicOptions) -> Self {
        self.quic = options;
        // What was opened by others is not ours.
        self.pool = Arc::default();
        self
    }

    /// Opens one connection at a time to each address, as RFC 6455 §4.1 wants it of browsers; who
    /// shares the queue waits for the others. Without it connections to one server are opened side
    /// by side.
    #[must_use]
    pub fn with_queue(mut self, queue: ConnectQueue) -> Self {
        self.queue = Some(queue);
        self
    }

    /// Opens a WebSocket to a `ws:` or `wss:` URL.
    ///
    /// Addresses are tried as RFC 8305 (happy eyeballs) describes. Everything together, from the
    /// name to the server's answer, takes [`ConnectOptions::handshake_timeout`] at most. Dropping
    /// the future gives up.
    ///
    /// # Errors
    ///
    /// [`Error::Handshake`] with `invalid_url` and its like before anything is sent, or with the
    /// server's answer when that is no WebSocket (over HTTP/2 and HTTP/3 that is
    /// [`Error::ExtendedConnect`]; [`Error::response`] has it in any case);
    /// [`Error::UnsupportedHttpVersion`] and `peer_does_not_allow_connect_protocol` when the server
    /// cannot do what [`HttpPolicy`] asks for; [`Error::Transport`] when nobody could be reached,
    /// with its `Timeout` when that took too long, with `TlsAlert` when the server refused to
    /// encrypt, and with an `Io` of [`io::ErrorKind::InvalidData`] when its certificate is not trusted or
    /// it does not speak TLS.
    ///
    /// # Panics
    ///
    /// On tokio, outside of a runtime whose drivers are on, as all that waits there.
    pub async fn connect(
        &self,
        url: &str,
        options: &ConnectOptions,
    ) -> Result<WebSocket<N>, Error> {
        let uri = WsUri::parse(url)?;
        self.in_time(options, self.open(&uri, options)).await
    }

    /// Opens a WebSocket over the Unix socket at `path`. The `ws:` URL gives the `Host` and the
    /// resource to ask for; nothing is resolved.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect); `invalid_scheme` for `wss`, because nothing encrypts here.
    #[cfg(unix)]
    pub async fn connect_unix(
        &self,
        path: impl AsRef<Path> + Send,
        url: &str,
        options: &ConnectOptions,
    ) -> Result<WebSocket<N>, Error> {
        let uri = WsUri::parse(url)?;
        if uri.is_secure() {
            let scheme = "wss".to_owned();
            return Err(ws_handshake::HandshakeError::InvalidScheme { scheme }.into());
        }
        let open = async {
            let stream = self.net.connect_unix(path.as_ref()).await.map_err(io_error)?;
            ws_io::connect(Stream::Unix(stream), self.net.clone(), &uri, options).await
        };
        self.in_time(options, open).await
    }

    /// Ends this client, and waits until its connections have said what they still have to say.
    ///
    /// Over HTTP/2 and HTTP/3 the last frames are written by tasks of the runtime. A program that
    /// ends right after its last WebSocket takes these tasks with it, and the server is left to find
    /// out by itself. The WebSockets and the clones of this client must be gone; otherwise, and where
    /// the network holds the last bytes back, this takes a second.
    #[cfg(any(feature = "h2", feature = "h3"))]
    pub async fn wait_idle(self) {
        let deadline = after(&self.net, LAST_RESPITE);
        drop(self.pool);
        // What is not said by then remains unsaid.
        let _ = until(&self.net, deadline, self.tasks.ended()).await;
        #[cfg(feature = "h3")]
        let _ = until(&self.net, deadline, self.sockets.wait_idle()).await;
    }

    async fn in_time(
        &self,
        options: &ConnectOptions,
        open: impl Future<Output = Result<WebSocket<N>, Error>>,
    ) -> Result<WebSocket<N>, Error> {
        let deadline = after(&self.net, options.handshake_timeout);
        let opened = until(&self.net, deadline, open).await;
        opened.unwrap_or(Err(Error::Transport(TransportError::Timeout)))
    }

    async fn open(&self, uri: &WsUri, options: &ConnectOptions) -> Result<WebSocket<N>, Error> {
        // Boxed, so that a caller's future does not hold room for every way there is.
        match self.http {
            #[cfg(feature = "h2")]
            HttpPolicy::H2 => Box::pin(self.open_h2(uri, options)).await,
            #[cfg(feature = "h3")]
            HttpPolicy::H3 => Box::pin(self.open_h3(uri, options)).await,
            #[cfg(any(feature = "h2", feature = "h3"))]
            HttpPolicy::Best => Box::pin(self.open_best(uri, options)).await,
            _ => Box::pin(self.open_h1(uri, options)).await,
        }
    }

    /// The runtime whose tasks are waited for.
    #[cfg(any(feature = "h2", feature = "h3"))]
    fn counted(&self) -> tasks::Counted<N> {
        tasks::Counted { runtime: self.net.clone(), tasks: self.tasks.clone() }
    }

    async fn open_h1(&self, uri: &WsUri, options: &ConnectOptions) -> Result<WebSocket<N>, Error> {
        let (stream, turn) = self.dial(uri, Offer::H1).await?;
        let websocket = self.upgrade(stream, uri, options).await?;
        drop(turn);
        Ok(websocket)
    }

    /// The handshake of HTTP/1.1 on a stream on which nothing has been sent.
    async fn upgrade(
        &self,
        stream: Stream<N>,
        uri: &WsUri,
        options: &ConnectOptions,
    ) -> Result<WebSocket<N>, Error> {
        ws_io::connect(stream, self.net.clone(), uri, options).await
    }

    /// A stream to the server, encrypted if the URL says so.
    async fn dial(&self, uri: &WsUri, offer: Offer) -> Result<(Stream<N>, Option<Turn>), Error> {
        let security = self.security(uri, offer)?;
        let addresses = self.resolve(uri).await?;
        let Dialled { stream, turn } = dial(&self.net, &addresses, self.queue.as_ref())
            .await
            .map_err(|source| unreachable(uri, source))?;
        let stream = security.apply(stream).await.map_err(Error::Transport)?;
        Ok((stream, turn))
    }

    async fn resolve(&self, uri: &WsUri) -> Result<Vec<SocketAddr>, Error> {
        if let Ok(ip) = uri.host().parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, uri.port())]);
        }
        let resolved = self.net.resolve(uri.host(), uri.port()).await;
        resolved.map_err(|source| unreachable(uri, source))
    }

    /// What has to be right before anything is sent.
    #[cfg(feature = "rustls")]
    fn security(&self, uri: &WsUri, offer: Offer) -> Result<Security, Error> {
        if !uri.is_secure() {
            return Ok(Security::None);
        }
        let name = rustls::pki_types::ServerName::try_from(uri.host().to_owned())
            .map_err(|error| io_error(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
        let config = self.tls_config()?;
        Ok(Security::Tls(tls::client_with_alpn(config, offer.protocols()), name))
    }

    #[cfg(feature = "rustls")]
    fn tls_config(&self) -> Result<Arc<rustls::ClientConfig>, Error> {
        match &self.tls {
            Some(config) => Ok(Arc::clone(config)),
            None => tls::platform_config().map_err(|error| io_error(io::Error::other(error))),
        }
    }

    #[cfg(not(feature = "rustls"))]
    fn security(&self, uri: &WsUri, _offer: Offer) -> Result<Security, Error> {
        if uri.is_secure() {
            let message = "this build has no tls (feature rustls)";
            return Err(io_error(io::Error::new(io::ErrorKind::Unsupported, message)));
        }
        Ok(Security::None)
    }
}

impl<N: Net> fmt::Debug for Client<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("http", &self.http)
            .field("queue", &self.queue.is_some())
            .finish_non_exhaustive()
    }
}

/// How long the last bytes of a client may take.
#[cfg(any(feature = "h2", feature = "h3"))]
const LAST_RESPITE: std::time::Duration = std::time::Duration::from_secs(1);

/// What is offered in TLS.
#[derive(Clone, Copy)]
enum Offer {
    H1,
    #[cfg(feature = "h2")]
    H2,
    #[cfg(feature = "h2")]
    H2OrH1,
}

#[cfg(feature = "rustls")]
impl Offer {
    fn protocols(self) -> &'static [HttpVersion] {
        match self {
            Self::H1 => &[HttpVersion::H1],
            #[cfg(feature = "h2")]
            Self::H2 => &[HttpVersion::H2],
            #[cfg(feature = "h2")]
            Self::H2OrH1 => &[HttpVersion::H2, HttpVersion::H1],
        }
    }
}

enum Security {
    None,
    #[cfg(feature = "rustls")]
    Tls(Arc<rustls::ClientConfig>, rustls::pki_types::ServerName<'static>),
}

impl Security {
    async fn apply<N: Net>(self, stream: N::Tcp) -> Result<Stream<N>, TransportError> {
        match self {
            Self::None => Ok(Stream::Tcp(stream)),
            #[cfg(feature = "rustls")]
            Self::Tls(config, name) => {
                Ok(Stream::Tls(Box::new(Tls::connect(stream, config, name).await?)))
            }
        }
    }
}

/// Nobody could be reached under a name.
#[derive(Debug)]
struct Unreachable {
    host: String,
    port: u16,
    source: io::Error,
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} could not be reached on port {}", self.host, self.port)
    }
}

impl std::error::Error for Unreachable {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

fn unreachable(uri: &WsUri, source: io::Error) -> Error {
    let (host, port) = (uri.host().to_owned(), uri.port());
    io_error(io::Error::new(source.kind(), Unreachable { host, port, source }))
}

/// Nothing was open yet, so nothing can have been closed: the error is told as it is.
fn io_error(error: io::Error) -> Error {
    Error::Transport(TransportError::Io(error.into()))
}
