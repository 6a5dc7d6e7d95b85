//! Streams of smol as transports.

use std::any::Any;
use std::net::SocketAddr;

use smol::net::TcpStream;
#[cfg(unix)]
use smol::net::unix::UnixStream;

use crate::Io;

pub(crate) fn io<S: 'static>(stream: S) -> Io<S> {
    let (name, peer) = identity(&stream);
    Io::new(stream, name).with_peer_addr(peer)
}

/// What the stream turns out to be, and who is at its other end.
fn identity<S: 'static>(stream: &S) -> (&'static str, Option<SocketAddr>) {
    let stream: &dyn Any = stream;
    #[cfg(unix)]
    if stream.is::<UnixStream>() {
        return ("unix", None);
    }
    match stream.downcast_ref::<TcpStream>() {
        Some(tcp) => ("tcp", tcp.peer_addr().ok()),
        None => ("stream", None),
    }
}
