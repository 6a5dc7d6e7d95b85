//! Streams of smol as transports.

use std::any::Any;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;

use smol::{Async, net};

use crate::Io;

pub(crate) fn io<S: 'static>(stream: S) -> Io<S> {
    let Known { name, peer_addr, shutdown } = identify(&stream);
    let io = Io::new(stream, name).with_peer_addr(peer_addr);
    match shutdown {
        Some(shutdown) => io.with_shutdown(shutdown),
        None => io,
    }
}

/// What is known of a stream.
struct Known<S> {
    name: &'static str,
    peer_addr: Option<SocketAddr>,
    /// What ends our direction once it has closed, if its type is known.
    shutdown: Option<fn(&S) -> io::Result<()>>,
}

fn identify<S: 'static>(stream: &S) -> Known<S> {
    let known: &dyn Any = stream;
    let closes: fn(&S) -> io::Result<()> = |_| Ok(());
    if let Some(tcp) = known.downcast_ref::<net::TcpStream>() {
        return Known { name: "tcp", peer_addr: tcp.peer_addr().ok(), shutdown: Some(closes) };
    }
    if let Some(tcp) = known.downcast_ref::<Async<TcpStream>>() {
        let peer_addr = tcp.get_ref().peer_addr().ok();
        return Known { name: "tcp", peer_addr, shutdown: Some(end_direction) };
    }
    #[cfg(unix)]
    if known.is::<net::unix::UnixStream>() {
        return Known { name: "unix", peer_addr: None, shutdown: Some(closes) };
    }
    #[cfg(unix)]
    if known.is::<Async<UnixStream>>() {
        return Known { name: "unix", peer_addr: None, shutdown: Some(end_direction) };
    }
    Known { name: "stream", peer_addr: None, shutdown: None }
}

/// Closing an `Async` socket only flushes it; the peer has to learn that our direction has ended.
fn end_direction<S: 'static>(stream: &S) -> io::Result<()> {
    let stream: &dyn Any = stream;
    #[cfg(unix)]
    if let Some(unix) = stream.downcast_ref::<Async<UnixStream>>() {
        return unix.get_ref().shutdown(Shutdown::Write);
    }
    match stream.downcast_ref::<Async<TcpStream>>() {
        Some(tcp) => tcp.get_ref().shutdown(Shutdown::Write),
        None => Ok(()),
    }
}
