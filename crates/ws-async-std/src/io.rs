//! Streams of async-std as transports.

use std::any::Any;
use std::io;
use std::net::{Shutdown, SocketAddr};

use async_std::net::TcpStream;
#[cfg(unix)]
use async_std::os::unix::net::UnixStream;

use crate::Io;

pub(crate) fn io<S: 'static>(stream: S) -> Io<S> {
    let (name, peer) = identity(&stream);
    let io = Io::new(stream, name).with_peer_addr(peer);
    if name == UNKNOWN { io } else { io.with_shutdown(end_direction) }
}

/// What a stream of another type is called.
const UNKNOWN: &str = "stream";

/// What the stream turns out to be, and who is at its other end.
fn identity<S: 'static>(stream: &S) -> (&'static str, Option<SocketAddr>) {
    let stream: &dyn Any = stream;
    #[cfg(unix)]
    if stream.is::<UnixStream>() {
        return ("unix", None);
    }
    match stream.downcast_ref::<TcpStream>() {
        Some(tcp) => ("tcp", tcp.peer_addr().ok()),
        None => (UNKNOWN, None),
    }
}

/// Closing a socket of async-std only flushes it; the peer has to learn that our direction has
/// ended.
fn end_direction<S: 'static>(stream: &S) -> io::Result<()> {
    let stream: &dyn Any = stream;
    #[cfg(unix)]
    if let Some(unix) = stream.downcast_ref::<UnixStream>() {
        return unix.shutdown(Shutdown::Write);
    }
    match stream.downcast_ref::<TcpStream>() {
        Some(tcp) => tcp.shutdown(Shutdown::Write),
        None => Ok(()),
    }
}
