//! The server's side of a connection: requests come out, WebSockets live on.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h3::error::{Code, StreamError};
use h3::server::RequestResolver;
use tokio::sync::{mpsc, watch};
use ws_io::Runtime;

use crate::error::Error;
use crate::link::{Guard, Limits, Link, Task, Unacknowledged};
use crate::quic::{Connection, TURN};
use crate::request::{Open, Request};
use crate::windows::Windows;

/// What a server accepts of its clients.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Whether SETTINGS allow extended CONNECT; browsers take it as "WebSocket works here". Default:
    /// true.
    pub websockets: bool,
    /// Bytes of a request's header section, encoded as well as decoded (with 32 bytes for each
    /// field: RFC 9114 §4.2.2); above, the answer is 431. Default: 64 KiB.
    pub max_header_size: u32,
    /// Header fields of a request, pseudo-headers not counted, and a cookie in pieces as one; above, the
    /// answer is 431. Default: 100.
    pub max_headers: usize,
    /// How long a request's header section may take to arrive, and how long an answer to be taken.
    /// Default: 15 seconds.
    pub handshake_timeout: Duration,
    /// After this long without a request that is open, and at most half as long again, the
    /// connection is closed with `H3_NO_ERROR`: its own pings would keep it alive for ever.
    /// Default: 60 seconds; at least 1, so that there is time for the first.
    pub idle_timeout: Duration,
    /// How the window of the connection grows with the WebSockets on it, so that those which are not
    /// read do not stop the others: the [`windows`](crate::QuicOptions::windows) of the options that it
    /// was made with. It does not shrink again. Default: `None`, it stays as it was made.
    pub windows: Option<Windows>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            websockets: true,
            max_header_size: 64 * 1024,
            max_headers: 100,
            handshake_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(60),
            windows: None,
        }
    }
}

/// The requests of one connection.
///
/// Dropping it drains the connection: live WebSockets run to their end.
#[derive(Debug)]
pub struct Server {
    requests: mpsc::Receiver<Request>,
    handle: ServerHandle,
}

/// Ends a connection from elsewhere.
#[derive(Debug, Clone)]
pub struct ServerHandle {
    drain: Arc<watch::Sender<bool>>,
    link: Arc<Link>,
}

impl Server {
    /// Begins HTTP/3 on a QUIC connection whose handshake is complete. Tasks run on `runtime`: one
    /// for the connection and, for a moment, one for each request that comes in pieces.
    ///
    /// # Errors
    ///
    /// The connection failed, or the client did not let us send SETTINGS in time.
    pub async fn accept<R: Runtime>(
        connection: quinn::Connection,
        runtime: R,
        config: &ServerConfig,
    ) -> Result<Self, Error> {
        let limits =
            Limits { section: u64::from(config.max_header_size), fields: config.max_headers };
        let (link, unacknowledged) = Link::new(connection, runtime, limits, config.windows);
        let mut builder = h3::server::builder();
        builder
            .max_field_section_size(limits.section)
            .enable_extended_connect(config.websockets)
            .send_grease(false);
        let building = pin!(builder.build(Connection::new(&link, Duration::ZERO)));
        let h3 = link.begin(config.handshake_timeout, building).await?;

        let (sender, requests) = mpsc::channel(REQUESTS);
        let (drain, draining) = watch::channel(false);
        let job = Job { link: Arc::clone(&link), config: config.clone(), requests: sender };
        link.tasks.spawn(Box::pin(drive(h3, Arc::new(job), draining, unacknowledged)));
        Ok(Self { requests, handle: ServerHandle { drain: Arc::new(drain), link } })
    }

    /// The next request, in the order in which their headers became complete; `None` when the
    /// connection has ended or is drained.
    ///
    /// Cancel-safe. Requests that are not fetched wait, and hold their place among the
    /// [`max_requests`](crate::QuicOptions::max_requests) a client may have open.
    pub async fn next(&mut self) -> Option<Request> {
        self.requests.recv().await
    }

    /// The same as [`next`](Self::next), for those who poll.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Request>> {
        self.requests.poll_recv(cx)
    }

    /// The address of the client, which may change as it moves between networks.
    #[must_use]
    pub fn peer_addr(&self) -> SocketAddr {
        self.handle.link.connection.remote_address()
    }

    /// A handle for ending the connection.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        self.handle.clone()
    }
}

impl ServerHandle {
    /// Sends GOAWAY: no further requests are accepted, live WebSockets run to their end, then the
    /// connection is closed with `H3_NO_ERROR`.
    pub fn drain(&self) {
        self.drain.send_replace(true);
    }

    /// Closes the connection at once, with `H3_NO_ERROR`.
    pub fn close(&self) {
        self.link.close(Code::H3_NO_ERROR, b"");
    }

    /// Why the connection has ended; `None` while it has not.
    #[must_use]
    pub fn close_reason(&self) -> Option<Error> {
        self.link.close_reason()
    }

    /// The QUIC connection.
    #[must_use]
    pub fn connection(&self) -> &quinn::Connection {
        &self.link.connection
    }
}

/// What a request needs on its way to the caller.
struct Job {
    link: Arc<Link>,
    config: ServerConfig,
    requests: mpsc::Sender<Request>,
}

/// What woke the driver.
enum Step {
    Accepted(RequestResolver<Connection, Bytes>),
    /// The client has sent GOAWAY.
    Leaving,
    Drain,
    /// It is time to look whether anything is open.
    Round,
    Ended,
}

/// Polls the connection for life; `h3` closes it when this returns.
async fn drive(
    mut h3: h3::server::Connection<Connection, Bytes>,
    job: Arc<Job>,
    mut draining: watch::Receiver<bool>,
    mut unacknowledged: mpsc::UnboundedReceiver<Box<Unacknowledged>>,
) {
    // Whatever is open on the connection holds the sender, and so do we as long as nobody is leaving.
    let (alive, mut dead) = mpsc::channel::<Infallible>(1);
    let guard = Guard::new(Arc::new(alive));
    let open = guard.downgrade();
    let mut ours = Some(guard);
    // Since we have said GOAWAY.
    let mut left: Option<Task> = None;
    let mut peer = job.link.peer.subscribe();
    // Made once, for to make them and to let go of them costs locks; asked until they are ready.
    let mut leaving = pin!(peer.wait_for(|peer| peer.goaway.is_some()));
    let mut drain = pin!(draining.wait_for(|drain| *drain));
    let mut abandoned = pin!(job.requests.closed());
    let round = job.config.idle_timeout.max(SHORTEST_IDLE) / 2;
    let (mut next_round, mut idle_rounds) = (job.link.tasks.sleep(round), 0);
    // Requests accepted in this turn, and the memory for the next.
    let (mut accepted_now, mut room) = (0, None);
    loop {
        let step = {
            let mut accept = pin!(h3.accept());
            poll_fn(|cx| {
                // Before the requests of a turn, of which there may be no end.
                if accepted_now == 0 {
                    while let Poll::Ready(Some(stream)) = unacknowledged.poll_recv(cx) {
                        job.link.linger(stream);
                    }
                    if left.is_none()
                        && (drain.as_mut().poll(cx).is_ready()
                            || abandoned.as_mut().poll(cx).is_ready())
                    {
                        return Poll::Ready(Step::Drain);
                    }
                }
                if accepted_now >= TURN {
                    accepted_now = 0;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                if let Poll::Ready(accepted) = accept.as_mut().poll(cx) {
                    accepted_now += 1;
                    // `h3` has no more to come when the client says GOAWAY, which it does not see.
                    return Poll::Ready(
                        accepted.ok().flatten().map_or(Step::Ended, Step::Accepted),
                    );
                }
                (accepted_now, room) = (0, None);
                if let Some(left) = &mut left {
                    ready!(dead.poll_recv(cx));
                    // Closing keeps back what has not left yet.
                    return left.as_mut().poll(cx).map(|()| Step::Ended);
                }
                if ours.is_none() {
                    return dead.poll_recv(cx).map(|_| Step::Drain);
                }
                if leaving.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Step::Leaving);
                }
                next_round.as_mut().poll(cx).map(|()| Step::Round)
            })
            .await
        };
        match step {
            Step::Accepted(resolver) => {
                idle_rounds = 0;
                let Some(guard) = open.upgrade() else {
                    // Too late: the client has said GOAWAY, and nothing is open any more.
                    let exchange = job.link.claim(resolver.frame_stream.id().into_inner());
                    exchange.into_iter().for_each(|exchange| {
                        exchange.abandon(Code::H3_REQUEST_REJECTED, Error::GoingAway);
                    });
                    // Some may have been on their way, but not many.
                    job.link.count_waste();
                    continue;
                };
                let request = resolve(resolver, Arc::clone(&job), guard);
                let mut request = match room.take() {
                    None => Box::pin(request),
                    Some(mut room) => {
                        Pin::set(&mut room, request);
                        room
                    }
                };
                // Most are there as a whole already, and need no task.
                if poll_fn(|cx| Poll::Ready(request.as_mut().poll(cx).is_pending())).await {
                    job.link.tasks.spawn(request);
                } else {
                    room = Some(request);
                }
                continue;
            }
            Step::Ended => break,
            Step::Leaving => {
                // It may still ask for more: its GOAWAY is about pushes (RFC 9114 §5.2).
                ours = None;
                continue;
            }
            Step::Round => {
                next_round = job.link.tasks.sleep(round);
                let is_idle = ours.as_ref().is_some_and(Guard::is_alone);
                idle_rounds = if is_idle { idle_rounds + 1 } else { 0 };
                // The first of them may have begun a moment ago.
                if idle_rounds < 3 {
                    continue;
                }
            }
            Step::Drain => {}
        }
        job.link.reject_more();
        // GOAWAY names the first request that is not accepted (RFC 9114 §5.2).
        let goaway = pin!(h3.shutdown(1));
        // Who does not take it keeps what is open all the same.
        drop(job.link.within(job.config.handshake_timeout, goaway).await);
        left = Some(job.link.leave());
        ours = None;
    }
}

/// Brings a request to the caller.
async fn resolve(resolver: RequestResolver<Connection, Bytes>, job: Arc<Job>, alive: Guard) {
    let Job { link, config, requests } = &*job;
    let Some(exchange) = link.claim(resolver.frame_stream.id().into_inner()) else { return };
    let mut resolving = pin!(resolver.resolve_request());
    let resolved = match link.within(config.handshake_timeout, resolving.as_mut()).await {
        Ok(resolved) => resolved,
        Err(error) => {
            exchange.abandon(Code::H3_REQUEST_REJECTED, error);
            resolving.await
        }
    };
    let resolved = match (resolved, exchange.take_failure()) {
        (Ok(resolved), None) => resolved,
        (Ok(_), Some(error)) => {
            tracing::debug!(%error, "a request could not be read");
            return link.count_waste();
        }
        (Err(error), _) => {
            if let (StreamError::HeaderTooBig { .. }, Some((mut outbound, mut inbound))) =
                (&error, exchange.take())
            {
                // `h3` has answered 431 and left the stream open.
                let finish = pin!(poll_fn(|cx| outbound.poll_finish(cx)));
                drop(link.within(config.handshake_timeout, finish).await);
                inbound.stop(Code::H3_NO_ERROR);
            }
            tracing::debug!(error = %link.stream_error(error), "a request could not be read");
            return link.count_waste();
        }
    };
    let open = Open::new(resolved, exchange, Arc::clone(link), alive, config.handshake_timeout);
    if let Some(request) = open.judge(config.websockets).await {
        // When the caller is gone the request is dropped, and so cancelled.
        drop(requests.send(request).await);
    }
}

/// A first request that is on its way arrives within this.
const SHORTEST_IDLE: Duration = Duration::from_secs(1);
/// Requests that wait for the caller; each beyond takes a task until there is room.
const REQUESTS: usize = 64;
