//! The client's side of a connection: many WebSockets on one QUIC connection.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h3::client::{RequestStream, SendRequest};
use h3::error::Code;
use http::header::HOST;
use http::{Method, StatusCode};
use tokio::sync::mpsc;
use ws_h3_upgrade::validate_fields;
use ws_io::Runtime;

use crate::error::Error;
use crate::link::{Guard, Limits, Link, Unacknowledged};
use crate::quic::{BidiStream, Connection, Exchange, OpenStreams};
use crate::transport::H3Stream;
use crate::windows::Windows;

/// What a client accepts of its server.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientConfig {
    /// Bytes of a response's header section, encoded as well as decoded (with 32 bytes for each
    /// field: RFC 9114 §4.2.2). Default: 64 KiB.
    pub max_header_size: u32,
    /// Header fields of a response. Default: 100.
    pub max_headers: usize,
    /// How long the server may take for its SETTINGS and its answer, together. Default: 15 seconds.
    pub handshake_timeout: Duration,
    /// How long a WebSocket waits for another to end when the server lets no more be open, before it
    /// fails with [`Error::TooManyStreams`]. At most half of
    /// [`handshake_timeout`](Self::handshake_timeout), of which it is part. Default: 1 second.
    pub stream_timeout: Duration,
    /// How the window of the connection grows with the WebSockets on it, so that those which are not
    /// read do not stop the others: the [`windows`](crate::QuicOptions::windows) of the options that it
    /// was made with. It does not shrink again. Default: `None`, it stays as it was made.
    pub windows: Option<Windows>,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            max_header_size: 64 * 1024,
            max_headers: 100,
            handshake_timeout: Duration::from_secs(15),
            stream_timeout: Duration::from_secs(1),
            windows: None,
        }
    }
}

/// A connection to a server, for any number of WebSockets.
///
/// Clones share the connection. It is closed, with `H3_NO_ERROR`, when the last clone and the last
/// stream are gone.
#[derive(Clone, Debug)]
pub struct Client {
    handle: Arc<Handle>,
    handshake_timeout: Duration,
}

struct Handle {
    /// `None` once drained.
    keep: Mutex<Option<Arc<Keep>>>,
    /// The same for counting: each stream has one.
    kept: Weak<Keep>,
    link: Arc<Link>,
    /// The most WebSockets that the server was seen to allow; 0 while it made none wait.
    max_streams: AtomicUsize,
}

/// Keeps the connection open: `h3` closes it when the last sender is gone.
struct Keep {
    sender: SendRequest<OpenStreams, Bytes>,
}

impl Client {
    /// Begins HTTP/3 on a QUIC connection, with a task on `runtime` that lasts as long as it does.
    ///
    /// # Errors
    ///
    /// The connection failed, or the server did not let us send SETTINGS in time.
    pub async fn new<R: Runtime>(
        connection: quinn::Connection,
        runtime: R,
        config: &ClientConfig,
    ) -> Result<Self, Error> {
        let limits =
            Limits { section: u64::from(config.max_header_size), fields: config.max_headers };
        let timeout = config.handshake_timeout;
        let patience = config.stream_timeout.min(timeout / 2);
        let (link, unacknowledged) = Link::new(connection, runtime, limits, config.windows);
        let mut builder = h3::client::builder();
        builder.max_field_section_size(limits.section).send_grease(false);
        let building = pin!(builder.build(Connection::new(&link, patience)));
        let (h3, sender) = link.begin(timeout, building).await?;
        link.tasks.spawn(Box::pin(drive(h3, Ending(Arc::clone(&link)), unacknowledged)));
        let keep = Arc::new(Keep { sender });
        let kept = Arc::downgrade(&keep);
        let keep = Mutex::new(Some(keep));
        let max_streams = AtomicUsize::new(0);
        let handle = Arc::new(Handle { keep, kept, link, max_streams });
        Ok(Self { handle, handshake_timeout: timeout })
    }

    /// Lets [`connect`](Self::connect) on this clone of the connection take so long, instead of the
    /// [`handshake_timeout`](ClientConfig::handshake_timeout) with which it was opened.
    #[must_use]
    pub fn with_handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Sends `request` as an extended CONNECT for `websocket` and waits for the answer: first for the
    /// server's SETTINGS, then, if as many are open as it allows, for one to end, then for a 2xx status.
    ///
    /// The URI needs scheme (`https`), authority and path; the method does not matter. Nothing is sent
    /// before the SETTINGS came, so never in early data (RFC 9114 §10.9). Dropping the future cancels
    /// the request.
    ///
    /// # Errors
    ///
    /// - [`Error::PeerDoesNotAllowConnectProtocol`]: nothing was sent.
    /// - [`Error::UnexpectedStatus`]: the server refused.
    /// - [`Error::GoingAway`], [`Error::TooManyStreams`], [`Error::RequestRejected`]: it was not
    ///   processed and may be sent again ([`is_retryable`](Error::is_retryable)).
    /// - [`Error::Timeout`] after [`handshake_timeout`](Self::with_handshake_timeout).
    /// - Otherwise the request, the answer, the stream or the connection is bad.
    pub async fn connect(
        &self,
        request: http::Request<()>,
    ) -> Result<(http::Response<()>, H3Stream), Error> {
        let (link, timeout) = (&self.handle.link, self.handshake_timeout);
        // Boxed, so that a caller's future is not as large as a handshake for all its life.
        let opening = Box::pin(self.open(request));
        let result = link.within(timeout, pin!(opening)).await?;
        if let Err(Error::TooManyStreams) = result {
            // Others that wait have no stream either.
            let open = self.open_streams().saturating_sub(link.waiting()).max(1);
            self.handle.max_streams.store(open, Ordering::Relaxed);
        }
        result
    }

    /// Whether the server allows WebSockets; `None` until its SETTINGS came.
    #[must_use]
    pub fn allows_websockets(&self) -> Option<bool> {
        self.handle.link.peer.borrow().connect_protocol
    }

    /// Whether new WebSockets can be opened: neither closed nor going away.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let peer = *self.handle.link.peer.borrow();
        peer.goaway.is_none() && self.handle.keep().is_some() && self.close_reason().is_none()
    }

    /// How many WebSockets are open, about to be, or not yet rid of what was sent on them.
    #[must_use]
    pub fn open_streams(&self) -> usize {
        let keep = self.handle.keep();
        self.handle.kept.strong_count() - usize::from(keep.is_some())
    }

    /// How many WebSockets may be open at a time; `None` as long as the server has made none
    /// [wait too long](ClientConfig::stream_timeout): QUIC does not tell before.
    #[must_use]
    pub fn max_streams(&self) -> Option<usize> {
        Some(self.handle.max_streams.load(Ordering::Relaxed)).filter(|max| *max > 0)
    }

    /// The address of the server.
    #[must_use]
    pub fn peer_addr(&self) -> SocketAddr {
        self.handle.link.connection.remote_address()
    }

    /// Opens nothing more: when the live WebSockets have ended, the connection is closed with
    /// `H3_NO_ERROR`.
    pub fn drain(&self) {
        drop(self.handle.keep().take());
    }

    /// Closes the connection and every stream on it at once, with `H3_NO_ERROR`; what was written
    /// may be lost.
    pub fn close(&self) {
        self.handle.link.close(Code::H3_NO_ERROR, b"");
    }

    /// Why the connection has ended; `None` while it has not.
    #[must_use]
    pub fn close_reason(&self) -> Option<Error> {
        self.handle.link.close_reason()
    }

    /// The QUIC connection.
    #[must_use]
    pub fn connection(&self) -> &quinn::Connection {
        &self.handle.link.connection
    }

    async fn open(
        &self,
        mut request: http::Request<()>,
    ) -> Result<(http::Response<()>, H3Stream), Error> {
        let link = &self.handle.link;
        let keep = self.handle.keep().clone().ok_or(Error::GoingAway)?;
        let uri = request.uri();
        if uri.scheme().is_none() || uri.authority().is_none() {
            return Err(Error::InvalidRequest("the uri needs a scheme and an authority"));
        }
        if validate_fields(request.headers()).is_err() {
            return Err(Error::InvalidRequest("a connection-specific header in HTTP/3"));
        }
        // RFC 9114 §4.3.1. `h3` would end the connection for it.
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if request.headers().get_all(HOST).iter().any(|host| host != authority) {
            return Err(Error::InvalidRequest("a host header that contradicts the uri"));
        }
        let peer = link.peer(|peer| peer.connect_protocol.is_some()).await?;
        if peer.connect_protocol != Some(true) {
            return Err(Error::PeerDoesNotAllowConnectProtocol);
        }

        *request.method_mut() = Method::CONNECT;
        // The only token `h3` writes that stands for no other protocol of ours; it is replaced by
        // `websocket` on the way out.
        request.extensions_mut().insert(h3::ext::Protocol::CONNECT_UDP);
        let mut sender = keep.sender.clone();
        let sent = sender.send_request(request).await;
        let mut stream = sent.map_err(|error| link.sending_error(error))?;
        let exchange = link.claim(stream.id().into_inner()).ok_or(Error::GoingAway)?;
        let response = self.response(&mut stream, exchange.id()).await?;
        if !response.status().is_success() {
            let mut body = BytesMut::new();
            let time = BODY_TIME.min(self.handshake_timeout / 4);
            // Whatever has come by then will do.
            drop(link.within(time, pin!(read_body(&exchange, &mut body))).await);
            return Err(Error::UnexpectedStatus(Box::new(response.map(|()| body.freeze()))));
        }
        let halves = exchange.take().ok_or(Error::GoingAway)?;
        Ok((response, H3Stream::new(halves, Arc::clone(link), Guard::new(keep))))
    }

    /// The final response on the stream `id`, unless the server goes away before that.
    async fn response(
        &self,
        stream: &mut RequestStream<BidiStream, Bytes>,
        id: u64,
    ) -> Result<http::Response<()>, Error> {
        let link = &self.handle.link;
        let response = async {
            for _ in 0..INTERIM_MAX {
                let response = stream.recv_response().await;
                let response = response.map_err(|error| link.stream_error(error))?;
                if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                    return Err(Error::MalformedMessage("status 101 does not exist in HTTP/3"));
                }
                if validate_fields(response.headers()).is_err() {
                    return Err(Error::MalformedMessage("a connection-specific field"));
                }
                if !response.status().is_informational() {
                    return Ok(response);
                }
            }
            Err(Error::MalformedMessage("too many interim responses"))
        };
        let (mut response, mut unprocessed) = (
            pin!(response),
            pin!(link.peer(|peer| peer.goaway.is_some_and(|goaway| goaway <= id))),
        );
        poll_fn(|cx| match response.as_mut().poll(cx) {
            Poll::Pending => unprocessed
                .as_mut()
                .poll(cx)
                .map(|peer| Err(peer.err().unwrap_or(Error::RequestRejected))),
            ready => ready,
        })
        .await
    }
}

impl Handle {
    fn keep(&self) -> MutexGuard<'_, Option<Arc<Keep>>> {
        self.keep.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").field("link", &self.link).finish_non_exhaustive()
    }
}

/// Polls the connection for life.
async fn drive(
    mut h3: h3::client::Connection<Connection, Bytes>,
    ending: Ending,
    mut unacknowledged: mpsc::UnboundedReceiver<Box<Unacknowledged>>,
) {
    let link = &ending.0;
    let ended = poll_fn(|cx| {
        while let Poll::Ready(Some(stream)) = unacknowledged.poll_recv(cx) {
            link.linger(stream);
        }
        h3.poll_close(cx)
    });
    let reason = ended.await;
    // Debug escapes what the peer gives as its reason.
    tracing::debug!(?reason, "the connection has ended");
}

/// Ends the connection with its task. That may be dropped with a runtime that ends, before it has run
/// even, and then nobody would wake those who wait for a stream.
struct Ending(Arc<Link>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.close(Code::H3_NO_ERROR, b"");
        self.0.peer.send_modify(|peer| peer.closed = true);
    }
}

/// What comes of a refusal's body, at most [`BODY_MAX`] bytes.
async fn read_body(exchange: &Exchange, body: &mut BytesMut) {
    while body.len() < BODY_MAX {
        let Ok(Some(piece)) = poll_fn(|cx| exchange.poll_body(cx)).await else { break };
        let left = BODY_MAX - body.len();
        body.extend_from_slice(piece.get(..left).unwrap_or(&piece));
    }
}

const BODY_MAX: usize = 16 * 1024;
/// How long the body is waited for: the status says more, and must not be lost to a body without end.
const BODY_TIME: Duration = Duration::from_secs(1);
/// Interim (1xx) responses before the final one.
const INTERIM_MAX: usize = 8;
