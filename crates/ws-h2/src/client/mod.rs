//! The client's side of a connection: many WebSockets on one socket.

mod driver;

use std::fmt;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use h2::client::{ResponseFuture, SendRequest};
use h2::ext::Protocol;
use h2::{Ping, Reason, RecvStream};
use http::uri::Scheme;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use tokio::io::{AsyncRead, AsyncWrite};
use ws_h2_upgrade::validate_fields;
use ws_io::Runtime;

use crate::adoption::Adoption;
use crate::alarm::{Alarm, Clock, after, within};
use crate::config::{
    CLIENT_FRAMES, ClientConfig, LOCAL_RESETS, REMEMBERED, Windows, remembered, send_buffer,
};
use crate::error::Error;
use crate::failure::Failure;
use crate::hub::{Hub, Shutdown, Slot, Status, StreamCore};
use crate::intake::Intake;
use crate::paced::Paced;
use crate::transport::{H2Stream, Reader};
use crate::waiting::Waiting;

use driver::Driver;

/// A connection to a server, for any number of WebSockets.
///
/// Clones share the connection. When the last one is dropped, the connection is closed as soon as
/// its WebSockets have ended.
#[derive(Clone)]
pub struct Client {
    link: Arc<Link>,
    handshake_timeout: Duration,
}

impl Client {
    /// Begins HTTP/2 on a socket: sends the preface and starts, on `runtime`, the task that drives
    /// the connection.
    ///
    /// `io` is a TLS stream whose ALPN chose `h2`, or a cleartext socket to a server that is known
    /// to speak HTTP/2. Switch Nagle's algorithm off: it makes every small message wait.
    ///
    /// # Errors
    ///
    /// The server is gone, or does not take our bytes within
    /// [`handshake_timeout`](ClientConfig::handshake_timeout).
    pub async fn new<IO, R>(
        io: IO,
        peer_addr: Option<SocketAddr>,
        runtime: R,
        config: &ClientConfig,
    ) -> Result<Self, Error>
    where
        IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        R: Runtime,
    {
        let windows = Windows::new(config.max_streams, config.stream_window);
        let deadline = after(runtime.now(), config.handshake_timeout);
        let (io, turn) = Paced::new(io, 0);
        let (received, failure) = (io.received(), io.failure());
        let builder = builder(config, windows);
        let handshake = builder.handshake(io);
        let (send, mut connection) = within(&runtime, deadline, handshake).await??;

        let mut ping = connection.ping_pong();
        if let Some(ping) = &mut ping {
            ping.send_ping(Ping::opaque())?;
        }
        let is_pinging = ping.is_some();
        let hub = Hub::new(false, windows.stream, peer_addr, None);
        let mut driver = Driver {
            connection,
            turn,
            ping,
            is_pinging,
            intake: Intake::new(&hub, config.linger, config.linger, None),
            hub: Arc::clone(&hub),
            runtime: runtime.clone(),
            linger: config.linger,
            alarm: Alarm::new(),
            ending: None,
        };
        runtime.spawn(async move {
            let fate = poll_fn(|cx| driver.poll(cx)).await;
            driver.hub.announce(|status| {
                status.fate.get_or_insert(fate);
            });
        });
        let (clock, config) = (Box::new(runtime), config.clone());
        let handshake_timeout = config.handshake_timeout;
        let send = Mutex::new(Some(send));
        let link = Arc::new(Link { send, hub, received, failure, clock, config });
        Ok(Self { link, handshake_timeout })
    }

    /// Lets [`connect`](Self::connect) on this clone of the connection take so long, instead of the
    /// [`handshake_timeout`](ClientConfig::handshake_timeout) with which it was opened.
    #[must_use]
    pub fn with_handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Sends `request` as an extended CONNECT for `websocket` and waits for the answer: first for
    /// the server's SETTINGS, then, if as many streams are open as the server or
    /// [`max_streams`](ClientConfig::max_streams) allows, for one to end, then for a 2xx status.
    ///
    /// The URI needs scheme (`https` or `http`), authority and path; the method does not matter.
    /// Dropping the future cancels the request.
    ///
    /// # Errors
    ///
    /// - [`Error::PeerDoesNotAllowConnectProtocol`]: nothing was sent.
    /// - [`Error::UnexpectedStatus`]: the server refused.
    /// - [`Error::GoingAway`], [`Error::TooManyStreams`], [`Error::RequestRejected`]: it was not
    ///   processed and may be sent again ([`is_retryable`](Error::is_retryable)).
    /// - [`Error::Timeout`] after [`handshake_timeout`](Self::with_handshake_timeout).
    /// - Otherwise the request, the answer, the stream or the connection is bad.
    pub async fn connect(&self, request: Request<()>) -> Result<(Response<()>, H2Stream), Error> {
        self.open(request).await.map_err(|error| self.link.failure.explain(error))
    }

    /// Whether the server allows WebSockets; `None` until its SETTINGS came.
    #[must_use]
    pub fn allows_websockets(&self) -> Option<bool> {
        let status = self.link.hub.status();
        match self.link.send() {
            Ok(send) => allows_websockets(&send, status),
            Err(_) => status.allowed,
        }
    }

    /// Whether new WebSockets can be opened: neither closed nor going away.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        let Ok(mut send) = self.link.send() else { return false };
        self.close_reason().is_none() && matches!(send.poll_ready(&mut cx), Poll::Ready(Ok(())))
    }

    /// How many WebSockets are open or about to be.
    #[must_use]
    pub fn open_streams(&self) -> usize {
        self.link.hub.status().open
    }

    /// How many WebSockets may be open at a time: as many as the server allows (before its SETTINGS
    /// came, 100), at most [`max_streams`](ClientConfig::max_streams).
    #[must_use]
    pub fn max_streams(&self) -> usize {
        self.link
            .send()
            .map_or(0, |send| send.current_max_send_streams())
            .min(self.link.config.max_streams as usize)
    }

    /// The address of the server, if it was given.
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.link.hub.peer_addr
    }

    /// Has the server show that it is there: sends a PING, whose answer counts as
    /// [received](Self::bytes_received) (RFC 9113 §6.7), unless one is on its way already. Whether an
    /// answer may be expected: `false` when the server has said what else it says first, and has not
    /// answered the PING with which each connection begins.
    pub fn ping(&self) -> bool {
        self.link.hub.ping();
        self.link.hub.status().is_settled || self.allows_websockets().is_none()
    }

    /// How many bytes have come from the server, below HTTP/2 and wrapping: when the connection is lost
    /// and it is still the number that it was before a request, the server may not have seen that.
    #[must_use]
    pub fn bytes_received(&self) -> usize {
        self.link.received.load(Ordering::Relaxed)
    }

    /// Opens nothing more, and turns away who still waits to ([`Error::GoingAway`]); when the live
    /// WebSockets have ended, the connection is closed (GOAWAY).
    pub fn drain(&self) {
        self.link.close();
    }

    /// Closes the connection and every stream on it now; what was written may be lost.
    pub fn close(&self) {
        self.link.hub.shut_down(Shutdown::Abrupt);
    }

    /// Why the connection has ended; `None` while it has not.
    #[must_use]
    pub fn close_reason(&self) -> Option<Error> {
        self.link.hub.status().fate.map(Error::from)
    }

    async fn open(&self, request: Request<()>) -> Result<(Response<()>, H2Stream), Error> {
        let link = &self.link;
        let request = prepare(request)?;
        let deadline = link.clock.after(self.handshake_timeout);
        let mut send = link.send()?;
        let mut waiting = Waiting::new(&link.hub);
        let settled = poll_fn(|cx| link.poll_settled(cx, &mut send, &mut waiting));
        link.within(deadline, settled).await??;
        if !send.is_extended_connect_protocol_enabled() {
            return Err(Error::PeerDoesNotAllowConnectProtocol);
        }
        let mut max = 0;
        let slot = poll_fn(|cx| {
            max = send.current_max_send_streams().min(link.config.max_streams as usize);
            link.poll_slot(cx, &mut send, &mut waiting, max)
        });
        let slot = match link.within(deadline, slot).await {
            Ok(slot) => slot?,
            Err(_) => return Err(Error::TooManyStreams { max }),
        };
        drop(waiting);
        link.within(deadline, self.exchange(send, request, slot)).await?
    }

    async fn exchange(
        &self,
        mut send: SendRequest<Bytes>,
        request: Request<()>,
        slot: Slot,
    ) -> Result<(Response<()>, H2Stream), Error> {
        let cause = |error| self.link.cause(error);
        let (response, mut stream) = send.send_request(request, false).map_err(cause)?;
        let answer = final_response(response).await.map_err(|code| {
            stream.send_reset(code);
            Error::MalformedMessage { code: code.into() }
        })?;
        let unanswered = |error| self.link.cause_of_silence(error, &mut send);
        let (head, mut recv) = answer.map_err(unanswered)?.into_parts();
        self.check_size(&head.headers)?;
        if !head.status.is_success() {
            let mut body = BytesMut::new();
            let time = self.link.config.linger.min(self.handshake_timeout / 4);
            let deadline = self.link.clock.after(time);
            // Whatever has come by then will do.
            drop(self.link.within(deadline, read_some(&mut recv, &mut body)).await);
            let response = Response::from_parts(head, body.freeze());
            return Err(Error::UnexpectedStatus(Box::new(response)));
        }
        let core = StreamCore::new(&self.link.hub);
        let reader = Reader::new(Arc::clone(&core), recv.flow_control().clone());
        self.link.hub.adopt(Adoption { core, recv, slot: Some(slot), is_tunnel: true });
        Ok((Response::from_parts(head, ()), H2Stream::new(stream, reader)))
    }

    fn check_size(&self, headers: &HeaderMap) -> Result<(), Error> {
        let config = &self.link.config;
        if headers.len() > config.max_headers {
            return Err(Error::TooManyHeaders { max: config.max_headers });
        }
        // As RFC 9113 §6.5.2 counts.
        let size = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            name.as_str().len() + value.len() + 32
        };
        if headers.iter().map(size).sum::<usize>() > config.max_header_size as usize {
            return Err(Error::HandshakeResponseTooBig { max: config.max_header_size });
        }
        Ok(())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("peer_addr", &self.link.hub.peer_addr)
            .field("status", &self.link.hub.status())
            .finish_non_exhaustive()
    }
}

/// What the clones of a connection share. As long as `send` lives, so does the connection.
struct Link {
    send: Mutex<Option<SendRequest<Bytes>>>,
    hub: Arc<Hub>,
    received: Arc<AtomicUsize>,
    failure: Failure,
    clock: Box<dyn Clock>,
    config: ClientConfig,
}

impl Link {
    async fn within<T>(
        &self,
        deadline: Instant,
        task: impl Future<Output = T>,
    ) -> Result<T, Error> {
        within(&*self.clock, deadline, task).await
    }

    fn send(&self) -> Result<SendRequest<Bytes>, Error> {
        let send = self.send.lock().unwrap_or_else(PoisonError::into_inner);
        send.clone().ok_or(Error::GoingAway { code: 0 })
    }

    fn close(&self) {
        let send = self.send.lock().unwrap_or_else(PoisonError::into_inner).take();
        let allowed = send.and_then(|send| allows_websockets(&send, self.hub.status()));
        self.hub.announce(|status| {
            status.is_closing = true;
            status.allowed = status.allowed.or(allowed);
        });
        self.hub.shut_down(Shutdown::Graceful);
    }

    /// Why the connection takes no request. When its socket fails in a flush, `h2` tells the streams
    /// of a broken pipe, and what it was only to the task that drives the connection.
    fn cause(&self, error: h2::Error) -> Error {
        match (Error::from(error), self.hub.status().fate) {
            (Error::Closed, Some(fate)) => fate.into(),
            (error, _) => error,
        }
    }

    /// Why a request that was sent has no answer. `h2` tells a stream that outlives a GOAWAY of a broken
    /// pipe at the end of the connection, and of the GOAWAY who wants another; the task that drives the
    /// connection may not have got as far as to leave word.
    fn cause_of_silence(&self, error: h2::Error, send: &mut SendRequest<Bytes>) -> Error {
        let is_named = error.is_go_away();
        let refusal = send.poll_ready(&mut Context::from_waker(Waker::noop()));
        let cause = match (self.cause(error), refusal) {
            (Error::Closed, Poll::Ready(Err(error))) => self.cause(error),
            (cause, _) => cause,
        };
        match cause {
            // The server has not said of this request that it did not process it (RFC 9113 §6.8), nor
            // that it is for HTTP/1.1.
            error @ Error::GoingAway { .. } if !is_named && error.is_retryable() => Error::Closed,
            error => error,
        }
    }

    /// Ready when the server's first SETTINGS have come.
    fn poll_settled(
        &self,
        cx: &mut Context<'_>,
        send: &mut SendRequest<Bytes>,
        waiting: &mut Waiting<'_>,
    ) -> Poll<Result<(), Error>> {
        let settled = waiting.poll(cx, |status| match status {
            status if status.is_settled => Poll::Ready(Ok(())),
            Status { fate: Some(fate), .. } => Poll::Ready(Err((*fate).into())),
            Status { is_closing: true, .. } => Poll::Ready(Err(Error::GoingAway { code: 0 })),
            _ => Poll::Pending,
        });
        match send.poll_ready(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.cause(error))),
            _ if send.is_extended_connect_protocol_enabled() => Poll::Ready(Ok(())),
            _ => settled,
        }
    }

    /// Ready when fewer than `max` streams are open.
    fn poll_slot(
        &self,
        cx: &mut Context<'_>,
        send: &mut SendRequest<Bytes>,
        waiting: &mut Waiting<'_>,
        max: usize,
    ) -> Poll<Result<Slot, Error>> {
        if let Poll::Ready(Err(error)) = send.poll_ready(cx) {
            return Poll::Ready(Err(self.cause(error)));
        }
        let slot = waiting.poll(cx, |status| match status {
            Status { fate: Some(fate), .. } => Poll::Ready(Err((*fate).into())),
            Status { is_closing: true, .. } => Poll::Ready(Err(Error::GoingAway { code: 0 })),
            status if status.open < max => {
                status.open += 1;
                Poll::Ready(Ok(()))
            }
            _ => Poll::Pending,
        });
        slot.map_ok(|()| Slot(Arc::clone(&self.hub)))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.close();
    }
}

/// What the server's SETTINGS say, if they have come.
fn allows_websockets(send: &SendRequest<Bytes>, status: Status) -> Option<bool> {
    let is_allowed = send.is_extended_connect_protocol_enabled();
    (is_allowed || status.is_settled).then_some(is_allowed)
}

/// Makes an extended CONNECT of a request.
fn prepare(mut request: Request<()>) -> Result<Request<()>, Error> {
    let uri = request.uri();
    if !uri.scheme().is_some_and(|scheme| [Scheme::HTTP, Scheme::HTTPS].contains(scheme)) {
        return Err(Error::InvalidRequest("the scheme is neither https nor http"));
    }
    if uri.path_and_query().is_none_or(|path| !path.as_str().starts_with('/')) {
        return Err(Error::InvalidRequest("the path does not begin with a slash"));
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(Error::InvalidRequest("user information in the authority"));
    }
    validate_fields(request.headers()).map_err(Error::from_fields)?;
    *request.method_mut() = Method::CONNECT;
    *request.version_mut() = Version::HTTP_2;
    request.extensions_mut().insert(Protocol::from_static("websocket"));
    Ok(request)
}

fn builder(config: &ClientConfig, windows: Windows) -> h2::client::Builder {
    let mut builder = h2::client::Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(windows.stream)
        .initial_connection_window_size(windows.connection)
        // Twice the limit, so that we see what is too large and can say so.
        .max_header_list_size(config.max_header_size.max(1).saturating_mul(2))
        .max_send_buffer_size(send_buffer(config.send_buffer))
        .max_concurrent_reset_streams(remembered(windows.streams))
        .reset_stream_duration(REMEMBERED)
        .max_local_error_reset_streams(Some(LOCAL_RESETS))
        .data_frame_budget(CLIENT_FRAMES);
    builder
}

/// Waits for the final response; fails with the code to reset the stream with, when interim ones come
/// that are too many, or the one that HTTP/2 does not have (RFC 9113 §8.6) and that is the last of a
/// server which takes it for an acceptance.
async fn final_response(
    mut response: ResponseFuture,
) -> Result<Result<Response<RecvStream>, h2::Error>, Reason> {
    let mut interim = 0;
    poll_fn(|cx| {
        while let Poll::Ready(Some(answer)) = response.poll_informational(cx) {
            interim += 1;
            match answer {
                Ok(answer) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => {
                    return Poll::Ready(Err(Reason::PROTOCOL_ERROR));
                }
                Ok(_) if interim == INTERIM_MAX => {
                    return Poll::Ready(Err(Reason::ENHANCE_YOUR_CALM));
                }
                Ok(_) => {}
                Err(error) => return Poll::Ready(Ok(Err(error))),
            }
        }
        Pin::new(&mut response).poll(cx).map(Ok)
    })
    .await
}

/// Reads the beginning of a refusal's body.
async fn read_some(recv: &mut RecvStream, body: &mut BytesMut) {
    while let Some(Ok(data)) = recv.data().await {
        let room = REFUSAL_MAX - body.len();
        body.extend_from_slice(data.get(..room).unwrap_or(&data));
        if body.len() >= REFUSAL_MAX || recv.flow_control().release_capacity(data.len()).is_err() {
            break;
        }
    }
}

/// Interim (1xx) responses that are too many.
const INTERIM_MAX: usize = 8;

/// What is kept of a refusal's body.
const REFUSAL_MAX: usize = 16 * 1024;
