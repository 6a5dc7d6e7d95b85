//! A runtime without sockets for the unit tests of this crate: its clock is moved by hand, and what
//! an address or a listener does is written down beforehand.

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use ws_io::{Runtime, Timer, Transport};

use crate::net::{Listener, Net};

/// A network where the port says what happens: [`DEAD`] never answers, [`REFUSED`] refuses, every
/// other port connects.
#[derive(Clone, Debug)]
pub(crate) struct Fake {
    now: Arc<Mutex<Instant>>,
}

pub(crate) const DEAD: u16 = 1;
pub(crate) const REFUSED: u16 = 2;

impl Fake {
    #[expect(clippy::disallowed_methods, reason = "the only way to make an Instant")]
    pub(crate) fn new() -> Self {
        Self { now: Arc::new(Mutex::new(Instant::now())) }
    }

    pub(crate) fn advance(&self, by: Duration) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }
}

impl Runtime for Fake {
    type Timer = FakeTimer;

    fn now(&self) -> Instant {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn timer(&self, at: Instant) -> FakeTimer {
        FakeTimer { fake: self.clone(), at }
    }

    fn spawn(&self, _task: impl Future<Output = ()> + Send + 'static) {}
}

#[derive(Debug)]
pub(crate) struct FakeTimer {
    fake: Fake,
    at: Instant,
}

impl Timer for FakeTimer {
    fn reset(&mut self, at: Instant) {
        self.at = at;
    }

    fn poll_expired(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
        if self.fake.now() >= self.at { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Net for Fake {
    type Tcp = FakeStream;
    type TcpListener = FakeListener;
    #[cfg(unix)]
    type Unix = FakeStream;
    #[cfg(unix)]
    type UnixListener = FakeListener;

    async fn resolve(&self, _host: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(Vec::new())
    }

    async fn connect_tcp(&self, address: SocketAddr) -> io::Result<FakeStream> {
        match address.port() {
            DEAD => pending().await,
            REFUSED => Err(io::ErrorKind::ConnectionRefused.into()),
            _ => Ok(FakeStream { peer: address, is_held: false }),
        }
    }

    fn listen_tcp(&self, _socket: std::net::TcpListener) -> io::Result<FakeListener> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[cfg(unix)]
    async fn connect_unix(&self, _path: &Path) -> io::Result<FakeStream> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[cfg(unix)]
    fn listen_unix(&self, _socket: std::os::unix::net::UnixListener) -> io::Result<FakeListener> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Yields what was written down, then nothing for ever.
#[derive(Debug)]
pub(crate) struct FakeListener {
    pub(crate) script: VecDeque<io::Result<FakeStream>>,
}

impl Listener for FakeListener {
    type Connection = FakeStream;

    fn poll_accept(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<FakeStream>> {
        self.script.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

/// A stream that carries nothing.
#[derive(Debug)]
pub(crate) struct FakeStream {
    pub(crate) peer: SocketAddr,
    /// Whether the peer learns of its end only when it is dropped.
    pub(crate) is_held: bool,
}

impl Transport for FakeStream {
    fn poll_read(
        &mut self,
        _cx: &mut Context<'_>,
        _buf: &mut BytesMut,
        _max: usize,
    ) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_write(&mut self, _cx: &mut Context<'_>, _buf: &mut dyn Buf) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn ends_when_dropped(&self) -> bool {
        self.is_held
    }

    fn name(&self) -> &'static str {
        "fake"
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        Some(self.peer)
    }
}

/// The waker of a task whose end takes a lock: what it is told must say that nobody has it then.
pub(crate) fn last_waker(is_free: impl Fn() -> bool + Send + Sync + 'static) -> Waker {
    struct Last<F: Fn() -> bool>(F);

    impl<F: Fn() -> bool + Send + Sync> Wake for Last<F> {
        fn wake(self: Arc<Self>) {}
    }

    impl<F: Fn() -> bool> Drop for Last<F> {
        fn drop(&mut self) {
            assert!(std::thread::panicking() || (self.0)(), "a waker was dropped under the lock");
        }
    }

    Waker::from(Arc::new(Last(is_free)))
}
