//! What all streams of one connection share: the QUIC connection, its tasks, what the peer announced.

use std::any::Any;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use h3::error::{Code, ConnectionError, StreamError};
use tokio::sync::{mpsc, watch};
use ws_io::{Runtime, Timer};

use crate::error::Error;
use crate::quic::{Exchange, Inbound, Outbound, to_varint};
use crate::waste::WasteBudget;
use crate::windows::{Growth, Windows};

/// The shared state of one connection.
pub(crate) struct Link {
    pub(crate) connection: quinn::Connection,
    pub(crate) tasks: Box<dyn Tasks>,
    pub(crate) limits: Limits,
    /// What the peer announced on its control stream.
    pub(crate) peer: watch::Sender<Peer>,
    /// The first breach of the protocol for which we closed the connection.
    violation: OnceLock<(Code, &'static str)>,
    is_client: bool,
    /// Request streams that `h3` has and nobody has claimed yet, with their ids. There are few: a server
    /// claims each at once.
    exchanges: Mutex<Vec<(u64, Weak<Exchange>)>>,
    /// In boxes: each connection has room for 32 of what is sent here, before there is any.
    unacknowledged: mpsc::UnboundedSender<Box<Unacknowledged>>,
    waste: Mutex<WasteBudget>,
    /// Requests of ours that wait for a stream.
    waiting: AtomicUsize,
    /// Whether requests are rejected that come from now on.
    rejects: AtomicBool,
    pub(crate) growth: Growth,
}

/// What is accepted of a peer's header section.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Bytes, encoded as well as decoded.
    pub(crate) section: u64,
    /// Fields that are not pseudo-headers.
    pub(crate) fields: usize,
}

/// What the peer announced so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Peer {
    /// `SETTINGS_ENABLE_CONNECT_PROTOCOL`; `None` until SETTINGS came.
    pub(crate) connect_protocol: Option<bool>,
    /// The id of its last GOAWAY.
    pub(crate) goaway: Option<u64>,
    /// The connection has ended.
    pub(crate) closed: bool,
}

/// A stream whose last bytes the peer has not acknowledged yet, and what keeps the connection open for
/// it.
pub(crate) struct Unacknowledged {
    /// Finished; or not, and then to be cancelled once its bytes can have arrived.
    pub(crate) send: Outbound,
    /// What is cancelled with it.
    pub(crate) recv: Option<Inbound>,
    pub(crate) guard: Guard,
}

/// As long as a clone of it lives, so does the connection.
#[derive(Clone)]
pub(crate) struct Guard(Arc<dyn Any + Send + Sync>);

impl Guard {
    pub(crate) fn new(held: Arc<dyn Any + Send + Sync>) -> Self {
        Self(held)
    }

    /// Whether there is no other clone of it.
    pub(crate) fn is_alone(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// What makes another clone as long as there is one.
    pub(crate) fn downgrade(&self) -> WeakGuard {
        WeakGuard(Arc::downgrade(&self.0))
    }
}

/// A [`Guard`] that keeps nothing open itself.
pub(crate) struct WeakGuard(Weak<dyn Any + Send + Sync>);

impl WeakGuard {
    pub(crate) fn upgrade(&self) -> Option<Guard> {
        self.0.upgrade().map(Guard)
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard")
    }
}

impl Link {
    pub(crate) fn new(
        connection: quinn::Connection,
        runtime: impl Runtime,
        limits: Limits,
        windows: Option<Windows>,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<Box<Unacknowledged>>) {
        let (unacknowledged, arriving) = mpsc::unbounded_channel();
        let waste = WasteBudget::new(runtime.now());
        let is_client = connection.side().is_client();
        let link = Self {
            connection,
            is_client,
            tasks: Box::new(runtime),
            limits,
            peer: watch::Sender::default(),
            violation: OnceLock::new(),
            exchanges: Mutex::default(),
            unacknowledged,
            waste: Mutex::new(waste),
            waiting: AtomicUsize::new(0),
            rejects: AtomicBool::new(false),
            growth: Growth::new(windows),
        };
        (Arc::new(link), arriving)
    }

    /// Closes the connection because the peer broke the protocol.
    pub(crate) fn violate(&self, code: Code, what: &'static str) -> Error {
        if self.connection.close_reason().is_none() && self.violation.set((code, what)).is_ok() {
            tracing::debug!(%code, what, "closing the connection");
            self.close(code, what.as_bytes());
        }
        Error::ProtocolError { code: code.value(), what }
    }

    /// Closes the connection of a peer that sends one empty frame after the other.
    pub(crate) fn idling(&self) -> Error {
        self.violate(Code::H3_EXCESSIVE_LOAD, "too many empty frames")
    }

    /// Closes the connection as `h3` asks to: at its end, or because the peer broke a rule that `h3`
    /// knows of.
    pub(crate) fn close_for_h3(&self, code: Code, reason: &[u8]) {
        let by_us = [Code::H3_NO_ERROR, Code::H3_INTERNAL_ERROR];
        if !by_us.contains(&code) && self.connection.close_reason().is_none() {
            let reason = String::from_utf8_lossy(reason);
            tracing::debug!(%code, %reason, "closing the connection");
            // What was found first stands.
            let _first = self.violation.set((code, "the rules of http/3 were broken"));
        }
        self.close(code, reason);
    }

    /// Closes the connection, unless it is closed: the first reason stands.
    pub(crate) fn close(&self, code: Code, reason: &[u8]) {
        if self.connection.close_reason().is_none() {
            self.connection.close(to_varint(code), reason);
        }
    }

    /// Counts a request that was cancelled or malformed, and ends a connection on which there are
    /// too many of them (RFC 9114 §10.5).
    pub(crate) fn count_waste(&self) {
        let now = self.tasks.now();
        let is_spent = self.waste.lock().unwrap_or_else(PoisonError::into_inner).spend(now);
        if is_spent {
            self.violate(Code::H3_EXCESSIVE_LOAD, "too many requests were cancelled or malformed");
        }
    }

    /// Counts a tunnel that the client reset, unless it had lived for a while.
    pub(crate) fn count_reset(&self, opened: Instant) {
        let age = self.tasks.now().saturating_duration_since(opened);
        if !self.is_client() && age < RAPID {
            self.count_waste();
        }
    }

    /// Rejects the requests that come from now on.
    pub(crate) fn reject_more(&self) {
        self.rejects.store(true, Ordering::Relaxed);
    }

    /// Whether requests that come are rejected.
    pub(crate) fn rejects(&self) -> bool {
        self.rejects.load(Ordering::Relaxed)
    }

    /// How many requests of ours wait for a stream.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Why the connection has ended, if it has.
    pub(crate) fn close_reason(&self) -> Option<Error> {
        match self.violation.get() {
            Some(&(code, what)) => Some(Error::ProtocolError { code: code.value(), what }),
            None => self.connection.close_reason().map(Error::Connection),
        }
    }

    /// Whether we opened the connection.
    pub(crate) fn is_client(&self) -> bool {
        self.is_client
    }

    /// Translates what `h3` says about sending a header section.
    pub(crate) fn sending_error(&self, error: StreamError) -> Error {
        match error {
            StreamError::HeaderTooBig { .. } => {
                Error::InvalidRequest("the header section is larger than the peer accepts")
            }
            error => self.stream_error(error),
        }
    }

    /// Translates what `h3` says about a stream.
    pub(crate) fn stream_error(&self, error: StreamError) -> Error {
        match error {
            StreamError::RemoteTerminate { code, .. } => Error::from_stream_code(code.value()),
            StreamError::RemoteClosing { .. } => Error::GoingAway,
            StreamError::HeaderTooBig { max_size, .. } => {
                Error::HandshakeResponseTooBig { max: max_size }
            }
            StreamError::StreamError { code, .. } if code == Code::H3_MESSAGE_ERROR => {
                Error::MalformedMessage("the header section does not make a valid message")
            }
            StreamError::Undefined { 0: error, .. } => match error.downcast::<Error>() {
                Ok(error) => *error,
                Err(other) => Error::Http3(other),
            },
            other => self.close_reason().unwrap_or_else(|| Error::Http3(other.into())),
        }
    }

    /// Begins HTTP/3 by `building` what `h3` has for it, in at most `time`. A connection on which that
    /// fails is closed.
    pub(crate) async fn begin<T>(
        &self,
        time: Duration,
        building: Pin<&mut impl Future<Output = Result<T, ConnectionError>>>,
    ) -> Result<T, Error> {
        let begun = match self.within(time, building).await {
            Ok(built) => built
                .map_err(|error| self.close_reason().unwrap_or_else(|| Error::Http3(error.into()))),
            Err(error) => Err(error),
        };
        if begun.is_err() {
            self.close(Code::H3_NO_ERROR, b"");
        }
        begun
    }

    /// Runs `task` for at most `time`. What is done at once needs no timer.
    ///
    /// It lies with the caller: handed over by value it would be in this future twice.
    pub(crate) async fn within<T>(
        &self,
        time: Duration,
        mut task: Pin<&mut impl Future<Output = T>>,
    ) -> Result<T, Error> {
        let mut deadline = None;
        poll_fn(|cx| match task.as_mut().poll(cx) {
            Poll::Ready(value) => Poll::Ready(Ok(value)),
            Poll::Pending => {
                let deadline = deadline.get_or_insert_with(|| self.tasks.sleep(time));
                deadline.as_mut().poll(cx).map(|()| Err(Error::Timeout))
            }
        })
        .await
    }

    /// Waits until what the peer announced meets `wanted`.
    pub(crate) async fn peer(&self, wanted: impl Fn(&Peer) -> bool) -> Result<Peer, Error> {
        let mut peer = self.peer.subscribe();
        let seen = peer.wait_for(|peer| peer.closed || wanted(peer)).await.map(|peer| *peer);
        match seen {
            Ok(peer) if !peer.closed => Ok(peer),
            _ => Err(self.close_reason().unwrap_or(Error::GoingAway)),
        }
    }

    /// Lets the connection's task wait for the last bytes of a stream.
    pub(crate) fn wait_for(&self, stream: Unacknowledged) {
        // Without that task the connection is closed, and there is nothing to wait for.
        drop(self.unacknowledged.send(Box::new(stream)));
    }

    /// Starts the wait for such a stream: until all is acknowledged or can have arrived, for at most
    /// [`LINGER`].
    pub(crate) fn linger(self: &Arc<Self>, stream: Box<Unacknowledged>) {
        let link = Arc::clone(self);
        self.tasks.spawn(Box::pin(async move {
            let Unacknowledged { send, recv, guard } = *stream;
            if send.is_closed() {
                // QUIC itself goes on sending what is left then, as long as there is a connection.
                drop(link.within(LINGER, pin!(send.acknowledged())).await);
            } else {
                // RFC 9000 §3.2: what has not been read when a reset comes may be thrown away, and QUIC
                // does not tell what was.
                let travel = 2 * link.connection.rtt();
                link.tasks.sleep(travel.clamp(LEAST_TRAVEL, MOST_TRAVEL)).await;
            }
            drop((send, recv, guard));
        }));
    }

    /// Ready when what was just sent can have left.
    pub(crate) fn leave(&self) -> Task {
        let travel = 2 * self.connection.rtt();
        self.tasks.sleep(travel.clamp(LEAST_LEAVE, MOST_LEAVE))
    }

    /// The request stream that `h3` knows by this id; once.
    pub(crate) fn claim(&self, id: u64) -> Option<Arc<Exchange>> {
        self.forget(id)?.upgrade()
    }

    pub(crate) fn remember(&self, id: u64, exchange: &Arc<Exchange>) {
        self.exchanges().push((id, Arc::downgrade(exchange)));
    }

    pub(crate) fn forget(&self, id: u64) -> Option<Weak<Exchange>> {
        let mut exchanges = self.exchanges();
        let at = exchanges.iter().position(|(known, _)| *known == id)?;
        Some(exchanges.swap_remove(at).1)
    }

    fn exchanges(&self) -> MutexGuard<'_, Vec<(u64, Weak<Exchange>)>> {
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("connection", &self.connection.stable_id())
            .field("peer", &*self.peer.borrow())
            .field("handshakes", &self.exchanges().len())
            .field("growth", &self.growth)
            .finish_non_exhaustive()
    }
}

/// The wait of a request for a stream, which the peer allows when another has ended.
pub(crate) struct Wait {
    link: Arc<Link>,
    /// Never locked: `h3` asks that what opens streams can be shared, and a timer cannot.
    end: Mutex<Task<Error>>,
}

impl Wait {
    pub(crate) fn new(link: &Arc<Link>, patience: Duration) -> Self {
        link.waiting.fetch_add(1, Ordering::Relaxed);
        let waited = Arc::clone(link);
        let end = Box::pin(async move {
            let leaving = pin!(waited.peer(|peer| peer.goaway.is_some()));
            match waited.within(patience, leaving).await {
                Ok(left) => left.err().unwrap_or(Error::GoingAway),
                Err(_) => Error::TooManyStreams,
            }
        });
        Self { link: Arc::clone(link), end: Mutex::new(end) }
    }

    /// Ready when there is nothing to wait for any more: it has been long enough, or the peer is leaving.
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        self.end.get_mut().unwrap_or_else(PoisonError::into_inner).as_mut().poll(cx)
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.link.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A [`Runtime`] behind a pointer, so that streams need not name it.
pub(crate) trait Tasks: Send + Sync {
    fn spawn(&self, task: Task);
    fn sleep(&self, time: Duration) -> Task;
    fn now(&self) -> Instant;
}

pub(crate) type Task<T = ()> = Pin<Box<dyn Future<Output = T> + Send>>;

impl<R: Runtime> Tasks for R {
    fn spawn(&self, task: Task) {
        Runtime::spawn(self, task);
    }

    fn sleep(&self, time: Duration) -> Task {
        let now = Runtime::now(self);
        let mut timer = self.timer(now.checked_add(time).unwrap_or(now + FAR));
        Box::pin(poll_fn(move |cx| timer.poll_expired(cx)))
    }

    fn now(&self) -> Instant {
        Runtime::now(self)
    }
}

/// How long a finished stream may wait for its last acknowledgement while nothing else keeps the
/// connection open.
const LINGER: Duration = Duration::from_secs(5);
/// How long what was sent may take to arrive, and be read, before a stream is cancelled: two round
/// trips, within these. A peer that is busy reads later than the network takes.
const LEAST_TRAVEL: Duration = Duration::from_millis(250);
const MOST_TRAVEL: Duration = Duration::from_secs(1);
/// How long GOAWAY may take to leave before a connection with nothing open is closed: two round trips,
/// within these.
const LEAST_LEAVE: Duration = Duration::from_millis(20);
const MOST_LEAVE: Duration = Duration::from_millis(100);
/// What a time beyond the reach of the clock counts as: a year.
const FAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// A tunnel that lived this long was no part of a rapid reset.
const RAPID: Duration = Duration::from_secs(5);
