//! The server's side of a connection: requests come out, WebSockets live on.

mod backlog;
mod driver;
mod request;

use std::fmt;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};
use ws_io::Runtime;

use crate::alarm::{Alarm, after, within};
use crate::config::{
    LOCAL_RESETS, REMEMBERED, SERVER_FRAMES, ServerConfig, Windows, remembered, send_buffer,
};
use crate::error::{Error, Fate};
use crate::hub::{Hub, Shutdown};
use crate::intake::Intake;
use crate::paced::{CLIENT_PREFACE, Paced};
use crate::reset_budget::ResetBudget;

use backlog::Backlog;
use driver::{Driver, Phase};

pub use request::{HttpRequest, Request, WebSocketRequest};

/// The requests of one connection.
///
/// A task of the runtime drives the connection, whether anybody calls [`next`](Self::next) or not.
/// Dropping this drains the connection: WebSockets that are open run to their end, requests that
/// wait are rejected with `REFUSED_STREAM`, which lets the client try elsewhere.
pub struct Server {
    backlog: Arc<Backlog>,
    handle: ServerHandle,
}

/// Ends a connection from elsewhere.
#[derive(Clone)]
pub struct ServerHandle(Arc<Hub>);

impl Server {
    /// Begins HTTP/2 on a socket: waits for the client's preface and starts, on `runtime`, the task
    /// that drives the connection.
    ///
    /// `io` is a TLS stream whose ALPN chose `h2`, or a cleartext socket whose client is known to
    /// speak HTTP/2. Switch Nagle's algorithm off: it makes every small message wait.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] after [`handshake_timeout`](ServerConfig::handshake_timeout);
    /// otherwise the client speaks something else or is gone.
    pub async fn accept<IO, R>(
        io: IO,
        peer_addr: Option<SocketAddr>,
        runtime: R,
        config: &ServerConfig,
    ) -> Result<Self, Error>
    where
        IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        R: Runtime,
    {
        let config = config.effective();
        let windows = Windows::new(config.max_streams, config.stream_window);
        let deadline = after(runtime.now(), config.handshake_timeout);
        let (io, turn) = Paced::new(io, CLIENT_PREFACE);
        let handshake = builder(&config, windows).handshake(io);
        let connection = within(&runtime, deadline, handshake).await??;

        let hub = Hub::new(true, windows.stream, peer_addr, config.budget.clone());
        let now = runtime.now();
        let resets = ResetBudget::new(config.reset_burst, config.resets_per_second, now);
        let backlog = Arc::new(Backlog::new(windows.streams as usize));
        let mut driver = Driver {
            connection,
            turn,
            intake: Intake::new(&hub, config.linger, config.handshake_timeout, Some(resets)),
            hub: Arc::clone(&hub),
            backlog: Arc::clone(&backlog),
            runtime: runtime.clone(),
            alarm: Alarm::new(),
            phase: Phase::Idle(after(now, config.idle_timeout)),
            config,
            verdict: None,
        };
        let end = EndGuard(Arc::clone(&backlog));
        runtime.spawn(async move {
            let result = poll_fn(|cx| driver.poll(cx)).await;
            let fate = result.map_or_else(|error| Fate::from(&error), |()| Fate::Closed);
            driver.hub.announce(|status| {
                status.fate.get_or_insert(fate);
            });
            drop(driver);
            drop(end);
        });
        Ok(Self { backlog, handle: ServerHandle(hub) })
    }

    /// The next request, in the order of arrival; `None` when the connection has ended.
    ///
    /// Cancel-safe. Requests that are not fetched wait, and hold their place among the
    /// [`max_streams`](ServerConfig::max_streams) a client may have open.
    pub async fn next(&mut self) -> Option<Request> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// [`next`](Self::next) for those who poll.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Request>> {
        self.backlog.poll_next(cx)
    }

    /// A handle for ending the connection.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        self.handle.clone()
    }

    /// The address of the client, if it was given.
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.handle.0.peer_addr
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.backlog.desert();
        self.handle.drain();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("peer_addr", &self.peer_addr()).finish_non_exhaustive()
    }
}

impl ServerHandle {
    /// Sends GOAWAY: no further requests are accepted, live WebSockets run to their end, then the
    /// connection is closed (RFC 9113 §6.8).
    pub fn drain(&self) {
        self.0.shut_down(Shutdown::Graceful);
    }

    /// Closes the connection and every stream on it now; what was written may be lost.
    pub fn close(&self) {
        self.0.shut_down(Shutdown::Abrupt);
    }

    /// Why the connection has ended; `None` while it has not.
    #[must_use]
    pub fn close_reason(&self) -> Option<Error> {
        self.0.status().fate.map(Error::from)
    }
}

impl fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandle").field("status", &self.0.status()).finish()
    }
}

fn builder(config: &ServerConfig, windows: Windows) -> h2::server::Builder {
    let mut builder = h2::server::Builder::new();
    builder
        .initial_window_size(windows.stream)
        .initial_connection_window_size(windows.connection)
        .max_concurrent_streams(windows.streams)
        .max_header_list_size(config.max_header_size.max(1))
        .max_send_buffer_size(send_buffer(config.send_buffer))
        .max_pending_accept_reset_streams(windows.streams as usize)
        .max_concurrent_reset_streams(remembered(windows.streams))
        .reset_stream_duration(REMEMBERED)
        .max_local_error_reset_streams(Some(LOCAL_RESETS))
        .data_frame_budget(SERVER_FRAMES);
    if config.websockets {
        builder.enable_connect_protocol();
    }
    builder
}

/// Tells the acceptor of the end even when the runtime drops the driver.
struct EndGuard(Arc<Backlog>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.0.end();
    }
}
