//! What an endpoint needs of a runtime beyond clocks and tasks: names, sockets and listeners.
//!
//! An adapter implements [`Net`] once and has every client and server of this crate. It translates
//! and decides nothing: which address to try, how long to wait and what to do when accepting fails
//! is settled here. TLS is not part of it either: [`Tls`](crate::tls::Tls) works over any transport.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::task::{Context, Poll};

use ws_io::{Runtime, Transport};

/// Sockets of an async runtime.
pub trait Net: Runtime {
    /// A connected TCP stream with `TCP_NODELAY` set: frames are batched above, so holding small
    /// segments back would only add latency.
    type Tcp: Transport;

    /// A TCP listener.
    type TcpListener: Listener<Connection = Self::Tcp>;

    /// A connected Unix stream.
    #[cfg(unix)]
    type Unix: Transport;

    /// A Unix listener.
    #[cfg(unix)]
    type UnixListener: Listener<Connection = Self::Unix>;

    /// Resolves a host name to the addresses to try, in the order the system prefers.
    ///
    /// # Errors
    ///
    /// The resolver's error; an empty list means the same as "not found".
    fn resolve(
        &self,
        host: &str,
        port: u16,
    ) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;

    /// Connects to one address.
    ///
    /// # Errors
    ///
    /// The address could not be reached.
    fn connect_tcp(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::Tcp>> + Send;

    /// Adopts a socket that is bound, listening and non-blocking.
    ///
    /// # Errors
    ///
    /// The runtime could not register it.
    fn listen_tcp(&self, socket: std::net::TcpListener) -> io::Result<Self::TcpListener>;

    /// What quinn needs of the runtime: UDP sockets, timers, tasks.
    ///
    /// # Errors
    ///
    /// The runtime has none of it ([`io::ErrorKind::Unsupported`]), which is the default: then there
    /// is no HTTP/3.
    #[cfg(feature = "h3")]
    fn quic_runtime(&self) -> io::Result<std::sync::Arc<dyn quinn::Runtime>> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "the runtime has no quic"))
    }

    /// Connects to a Unix socket.
    ///
    /// # Errors
    ///
    /// The socket could not be reached.
    #[cfg(unix)]
    fn connect_unix(&self, path: &Path) -> impl Future<Output = io::Result<Self::Unix>> + Send;

    /// Adopts a Unix socket that is bound, listening and non-blocking.
    ///
    /// # Errors
    ///
    /// The runtime could not register it.
    #[cfg(unix)]
    fn listen_unix(
        &self,
        socket: std::os::unix::net::UnixListener,
    ) -> io::Result<Self::UnixListener>;
}

/// A source of incoming connections.
pub trait Listener: Send + Unpin + 'static {
    /// What it yields.
    type Connection: Transport;

    /// Takes the next connection off the queue of the operating system.
    ///
    /// # Errors
    ///
    /// The connection died in the queue, or the process or the system is out of descriptors. The
    /// listener stays usable: the caller may pause and call again.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Connection>>;
}
