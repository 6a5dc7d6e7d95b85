//! Streams that a program accepted by itself: whatever is known of their types, a peer that waits for the
//! server to end the connection (RFC 6455 §7.1.1) does not wait long.

#![expect(
    clippy::disallowed_methods,
    reason = "the peer is a thread of its own with a socket of the standard library"
)]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};
use std::{iter, thread};

use futures_io::{AsyncRead, AsyncWrite};
use ws_stack::{async_std, smol};

/// Asks for a WebSocket, says goodbye, and returns how long the server took to end the connection.
fn call(address: SocketAddr) -> Duration {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let request = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let goodbye = b"\x88\x82\0\0\0\0\x03\xe8";
    stream.write_all(&[request.as_bytes(), goodbye].concat()).expect("written");
    let start = Instant::now();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an orderly end");
    assert!(answer.starts_with(b"HTTP/1.1 101 ") && answer.ends_with(b"\x88\x02\x03\xe8"));
    start.elapsed()
}

fn listen() -> (TcpListener, thread::JoinHandle<Vec<Duration>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let calls = move || iter::repeat_with(|| call(address)).take(2).collect();
    (listener, thread::spawn(calls))
}

fn check(calls: thread::JoinHandle<Vec<Duration>>) {
    let times = calls.join().expect("no panic");
    assert!(times.iter().all(|time| *time < Duration::from_secs(1)), "{times:?}");
}

trait Both: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Both for S {}

#[test]
fn a_socket_of_smol_ends_when_the_goodbyes_were_said() {
    let (listener, calls) = listen();
    ::smol::block_on(async {
        let (first, _) = listener.accept().expect("a call");
        let socket = ::smol::Async::new(first).expect("a socket");
        let mut websocket = smol::accept(socket).await.expect("a valid request");
        assert!(websocket.peer_addr().is_some());
        while websocket.next().await.is_some() {}
        // Held, so that it is not its drop that ends it.
        let (second, _) = listener.accept().expect("another call");
        let socket: Box<dyn Both> = Box::new(::smol::Async::new(second).expect("a socket"));
        let mut websocket = smol::accept(socket).await.expect("a valid request");
        while websocket.next().await.is_some() {}
    });
    check(calls);
}

#[test]
fn a_socket_of_async_std_in_a_box_ends_when_the_goodbyes_were_said() {
    let (listener, calls) = listen();
    ::async_std::task::block_on(async {
        for _ in 0..2 {
            let (stream, _) = listener.accept().expect("a call");
            let socket: Box<dyn Both> = Box::new(::async_std::net::TcpStream::from(stream));
            let mut websocket = async_std::accept(socket).await.expect("a valid request");
            while websocket.next().await.is_some() {}
        }
    });
    check(calls);
}
