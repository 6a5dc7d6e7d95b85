//! Listening sockets, made the same way for every runtime.

use std::io;
use std::net::{SocketAddr, TcpListener};
#[cfg(unix)]
use std::os::{fd::OwnedFd, unix::net::UnixListener};
#[cfg(unix)]
use std::path::Path;

use socket2::{Domain, SockAddr, Socket, Type};

/// A TCP socket that is bound, listening and non-blocking.
pub(crate) fn listen_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // A restarted server must not wait for the connections of its predecessor to be forgotten. On
    // Windows the same option would let another process take the port over.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    listen(&socket, &SockAddr::from(address))?;
    Ok(socket.into())
}

/// A Unix socket that is bound, listening and non-blocking.
#[cfg(unix)]
pub(crate) fn listen_unix(path: &Path) -> io::Result<UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    listen(&socket, &SockAddr::unix(path)?)?;
    Ok(OwnedFd::from(socket).into())
}

fn listen(socket: &Socket, address: &SockAddr) -> io::Result<()> {
    socket.bind(address)?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)
}

/// How many connections may wait to be accepted; the system may allow fewer
/// (`net.core.somaxconn`). The customary 128 overflows when many clients reconnect at once.
const BACKLOG: i32 = 4096;
