//! Sockets and timers on the reactor of async-io, which async-std and smol share.
//!
//! A runtime whose tasks run anywhere and wait with async-io has every socket from here: it
//! implements [`Reactor`], that is, says how names are resolved, and [`Net`] follows. How its tasks
//! are run is the business of its [`Runtime`].

#[cfg(feature = "h3")]
mod quic;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
#[cfg(unix)]
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use async_io::Async;
use ws_io::{FuturesIo, Runtime};

use crate::net::{Listener, Net};

/// A runtime whose tasks wait with async-io.
pub trait Reactor: Runtime {
    /// As [`Net::resolve`].
    ///
    /// # Errors
    ///
    /// The resolver's error; an empty list means the same as "not found".
    fn resolve(
        &self,
        host: &str,
        port: u16,
    ) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;
}

impl<R: Reactor> Net for R {
    type Tcp = FuturesIo<Async<TcpStream>>;
    type TcpListener = TcpListener;
    #[cfg(unix)]
    type Unix = FuturesIo<Async<UnixStream>>;
    #[cfg(unix)]
    type UnixListener = UnixListener;

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Reactor::resolve(self, host, port).await
    }

    async fn connect_tcp(&self, address: SocketAddr) -> io::Result<Self::Tcp> {
        let stream = Async::<TcpStream>::connect(address).await?;
        stream.get_ref().set_nodelay(true)?;
        Ok(tcp(stream, address))
    }

    fn listen_tcp(&self, socket: std::net::TcpListener) -> io::Result<TcpListener> {
        Ok(TcpListener(Async::new_nonblocking(socket)?))
    }

    #[cfg(feature = "h3")]
    fn quic_runtime(&self) -> io::Result<std::sync::Arc<dyn quinn::Runtime>> {
        Ok(std::sync::Arc::new(quic::Quic(self.clone())))
    }

    #[cfg(unix)]
    async fn connect_unix(&self, path: &Path) -> io::Result<Self::Unix> {
        Ok(unix(Async::<UnixStream>::connect(path).await?))
    }

    #[cfg(unix)]
    fn listen_unix(&self, socket: std::os::unix::net::UnixListener) -> io::Result<UnixListener> {
        Ok(UnixListener(Async::new_nonblocking(socket)?))
    }
}

/// A TCP listener.
#[derive(Debug)]
pub struct TcpListener(Async<std::net::TcpListener>);

impl Listener for TcpListener {
    type Connection = FuturesIo<Async<TcpStream>>;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Connection>> {
        let (stream, peer) = ready!(poll_accept(&self.0, cx, std::net::TcpListener::accept))?;
        // Fails only on a connection that is gone already, which its first read will say.
        let _ = stream.set_nodelay(true);
        Poll::Ready(Ok(tcp(Async::new(stream)?, peer)))
    }
}

/// A Unix listener.
#[cfg(unix)]
#[derive(Debug)]
pub struct UnixListener(Async<std::os::unix::net::UnixListener>);

#[cfg(unix)]
impl Listener for UnixListener {
    type Connection = FuturesIo<Async<UnixStream>>;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Connection>> {
        let accept = std::os::unix::net::UnixListener::accept;
        let (stream, _unnamed) = ready!(poll_accept(&self.0, cx, accept))?;
        Poll::Ready(Ok(unix(Async::new(stream)?)))
    }
}

// Closing an `Async` only flushes; the peer has to learn that our direction has ended.

fn tcp(stream: Async<TcpStream>, peer: SocketAddr) -> FuturesIo<Async<TcpStream>> {
    FuturesIo::new(stream, "tcp")
        .with_peer_addr(Some(peer))
        .with_shutdown(|stream| stream.get_ref().shutdown(Shutdown::Write))
}

#[cfg(unix)]
fn unix(stream: Async<UnixStream>) -> FuturesIo<Async<UnixStream>> {
    FuturesIo::new(stream, "unix")
        .with_shutdown(|stream| stream.get_ref().shutdown(Shutdown::Write))
}

fn poll_accept<L, C>(
    listener: &Async<L>,
    cx: &mut Context<'_>,
    accept: impl Fn(&L) -> io::Result<C>,
) -> Poll<io::Result<C>> {
    loop {
        match accept(listener.get_ref()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                ready!(listener.poll_readable(cx))?;
            }
            accepted => return Poll::Ready(accepted),
        }
    }
}

/// An `async_io::Timer` that remembers that it has fired.
pub struct Timer {
    timer: async_io::Timer,
    is_expired: bool,
}

impl Timer {
    /// Fires at `at`.
    #[must_use]
    pub fn new(at: Instant) -> Self {
        Self { timer: async_io::Timer::at(at), is_expired: false }
    }
}

impl ws_io::Timer for Timer {
    fn reset(&mut self, at: Instant) {
        self.timer.set_at(at);
        self.is_expired = false;
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_expired {
            ready!(Pin::new(&mut self.timer).poll(cx));
            self.is_expired = true;
        }
        Poll::Ready(())
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").field("is_expired", &self.is_expired).finish_non_exhaustive()
    }
}
