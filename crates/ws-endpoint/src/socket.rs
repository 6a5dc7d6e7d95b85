//! Listening sockets, made the same way for every runtime.

use std::io;
use std::net::{Ipv6Addr, SocketAddr, TcpListener};
#[cfg(unix)]
use std::os::{fd::OwnedFd, unix::net::UnixListener};
#[cfg(unix)]
use std::path::Path;

use socket2::{Domain, SockAddr, Socket, Type};

/// A TCP socket that is bound, listening and non-blocking.
pub(crate) fn listen_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = open(address, Type::STREAM)?;
    // A restarted server must not wait for the connections of its predecessor to be forgotten. On
    // Windows the same option would let another process take the port over.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    listen(&socket, &SockAddr::from(address))?;
    Ok(socket.into())
}

/// A UDP socket that is bound and non-blocking.
#[cfg(feature = "h3")]
pub(crate) fn bind_udp(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = open(address, Type::DGRAM)?;
    // All connections share it. The system may allow less, and then that has to do.
    let _ = socket.set_recv_buffer_size(UDP_BUFFER);
    let _ = socket.set_send_buffer_size(UDP_BUFFER);
    socket.bind(&SockAddr::from(address))?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// A Unix socket that is bound, listening and non-blocking.
#[cfg(unix)]
pub(crate) fn listen_unix(path: &Path) -> io::Result<UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    listen(&socket, &SockAddr::unix(path)?)?;
    Ok(OwnedFd::from(socket).into())
}

fn open(address: SocketAddr, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    if address.ip() == Ipv6Addr::UNSPECIFIED {
        // All addresses are those of IPv4 as well. Most systems take it so, Windows when it is told,
        // and where there is no such thing IPv6 has to do.
        let _ = socket.set_only_v6(false);
    }
    Ok(socket)
}

fn listen(socket: &Socket, address: &SockAddr) -> io::Result<()> {
    socket.bind(address)?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)
}

/// Whether it is this port that cannot be had, and another may be free. Windows denies the ports in
/// ranges that it keeps for itself, and keeps others of UDP than of TCP.
#[cfg(feature = "h3")]
pub(crate) fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}

/// Bytes that may wait in a UDP socket.
#[cfg(feature = "h3")]
const UDP_BUFFER: usize = 4 * 1024 * 1024;

/// How many connections may wait to be accepted; the system may allow fewer
/// (`net.core.somaxconn`). The customary 128 overflows when many clients reconnect at once.
const BACKLOG: i32 = 4096;

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr, TcpStream, UdpSocket};

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "it is the sockets that are looked at")]
    fn all_addresses_of_ipv6_are_those_of_ipv4_too() {
        let all = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
        if UdpSocket::bind(all).is_err() {
            println!("NOT RUN: no IPv6 here");
            return;
        }
        let listener = listen_tcp(all).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
    }

    #[cfg(feature = "h3")]
    #[test]
    fn a_port_that_another_or_the_system_keeps_is_taken() {
        use io::ErrorKind::{AddrInUse, AddrNotAvailable, InvalidInput, PermissionDenied};
        let taken = |kind: io::ErrorKind| is_taken(&kind.into());
        assert_eq!([AddrInUse, PermissionDenied].map(taken), [true; 2]);
        assert_eq!([AddrNotAvailable, InvalidInput].map(taken), [false; 2]);
        #[cfg(windows)]
        assert!(is_taken(&io::Error::from_raw_os_error(10_013)), "WSAEACCES");
    }
}
