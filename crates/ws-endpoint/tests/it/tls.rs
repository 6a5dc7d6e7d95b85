//! TLS over a transport that takes the driver at its word.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use allocation_counter::measure;
use bytes::{Buf, BytesMut};
use rustls::pki_types::ServerName;
use ws_endpoint::tls::Tls;
use ws_endpoint::{Net as _, Server, TransportError};
use ws_io::{Duplex, Transport, duplex};

use crate::certificates::{Certificates, certificates};
use crate::hostile::Fault;
use crate::net::{Memory, Mishap, Side};
use crate::sim::{Sim, join};

/// Reads into the room there is, and makes none.
struct Trusting(Duplex);

impl Transport for Trusting {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut BytesMut,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        let room = buf.capacity() - buf.len();
        assert!(room >= max && max > 0, "asked for {max}, with room for {room}");
        self.0.poll_read(cx, buf, max)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &mut dyn Buf) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, buf)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_shutdown(cx)
    }

    fn name(&self) -> &'static str {
        "trusting"
    }
}

/// Both ends over a pipe of this width.
fn pair(width: usize) -> (Tls<Trusting>, Tls<Trusting>) {
    let Certificates { server, trust, .. } = certificates();
    let (near, far) = duplex(width);
    let name = ServerName::try_from("localhost").unwrap();
    let client = Tls::connect(Trusting(near), Arc::clone(trust), name);
    let server = Tls::accept(Trusting(far), Arc::clone(server));
    let (client, server) = Sim::new().block_on(join(client, server));
    (client.unwrap(), server.unwrap())
}

/// Sends so many bytes and receives them into a buffer with room; then both wait.
fn pass(from: &mut Tls<Trusting>, to: &mut Tls<Trusting>, mut sent: &[u8], into: &mut BytesMut) {
    let mut cx = Context::from_waker(Waker::noop());
    into.clear();
    let length = sent.len();
    while into.len() < length {
        while !sent.is_empty() && from.poll_write(&mut cx, &mut sent).is_ready() {}
        let _ = from.poll_flush(&mut cx);
        while let Poll::Ready(read) = to.poll_read(&mut cx, into, length) {
            assert!(read.unwrap() > 0, "the stream has not ended");
        }
    }
}

#[test]
fn the_transport_below_finds_the_room_it_was_promised() {
    for width in [1, 100, 1 << 20] {
        let (mut client, mut server) = pair(width);
        let longest = if width == 1 { 1000 } else { 100_000 };
        let (sent, mut received) = (vec![7; longest], BytesMut::with_capacity(2 * longest));
        for size in [1, longest / 5, longest] {
            pass(&mut client, &mut server, &sent[..size], &mut received);
            assert_eq!(received, sent[..size], "{size} through {width}");
        }
    }
}

#[test]
fn a_stream_that_reads_and_waits_by_turns_allocates_no_buffers() {
    let (mut client, mut server) = pair(1 << 20);
    let mut received = BytesMut::with_capacity(4096);
    let mut turn = || pass(&mut client, &mut server, &[7; 1000], &mut received);
    turn();
    let taken = measure(turn).bytes_total;
    assert!(taken < 16 * 1024, "{taken} bytes");
}

/// A transport of a peer that goes wrong at a read, and is gone by then.
struct Spoilt {
    inner: Duplex,
    /// So many reads are well.
    left: Arc<AtomicUsize>,
    is_gone: bool,
}

impl Transport for Spoilt {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut BytesMut,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        let start = buf.len();
        let read = ready!(self.inner.poll_read(cx, buf, max))?;
        let left = self.left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
        if left.is_err() {
            self.is_gone = true;
            buf[start] ^= 0xff;
        }
        Poll::Ready(Ok(read))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &mut dyn Buf) -> Poll<io::Result<usize>> {
        if self.is_gone {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        self.inner.poll_write(cx, buf)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_shutdown(cx)
    }

    fn name(&self) -> &'static str {
        "spoilt"
    }
}

#[test]
fn what_broke_the_stream_is_told_though_the_peer_cannot_be_told() {
    let Certificates { server, trust, .. } = certificates();
    let name = || ServerName::try_from("localhost").unwrap();
    let is_broken = |error: &TransportError| matches!(error, TransportError::Io(_));
    for is_open in [false, true] {
        let left = Arc::new(AtomicUsize::new(if is_open { 1000 } else { 0 }));
        let (near, far) = duplex(1 << 20);
        let spoilt = Spoilt { inner: near, left: Arc::clone(&left), is_gone: false };
        let client = Tls::connect(spoilt, Arc::clone(trust), name());
        let server = Tls::accept(far, Arc::clone(server));
        let mut cx = Context::from_waker(Waker::noop());
        if !is_open {
            let (mut client, mut server) = (pin!(client), pin!(server));
            assert!(client.as_mut().poll(&mut cx).is_pending());
            assert!(server.as_mut().poll(&mut cx).is_pending());
            let Poll::Ready(Err(error)) = client.poll(&mut cx) else { panic!("it was spoilt") };
            assert!(is_broken(&error), "{error:?}");
            continue;
        }
        let (client, server) = Sim::new().block_on(join(client, server));
        let (mut client, mut server) = (client.unwrap(), server.unwrap());
        left.store(0, Relaxed);
        assert!(server.poll_write(&mut cx, &mut &b"hello"[..]).is_ready());
        assert!(server.poll_flush(&mut cx).is_ready());
        for _ in 0..2 {
            let mut received = BytesMut::with_capacity(100);
            let read = client.poll_read(&mut cx, &mut received, 100);
            let Poll::Ready(Err(error)) = read else { panic!("it was spoilt: {read:?}") };
            let error = client.classify(error);
            assert!(is_broken(&error), "{error:?}");
        }
    }
}

/// A server over TLS, the network of its clients, and its address.
fn serve(sim: &Sim) -> (Memory, SocketAddr) {
    let nothing = Mishap { side: Side::Client, fault: Fault::Error, number: usize::MAX };
    let (near, far) = Memory::new(sim, nothing);
    let identity = Arc::clone(&certificates().server);
    let server = Server::new(far).listen_tls(([127, 0, 0, 1], 0).into(), identity).unwrap();
    let address = server.local_addrs().next().unwrap();
    sim.spawn_collect(server.serve(|_websocket| async {}));
    (near, address)
}

// THREAT: slow-handshake
#[test]
fn a_client_that_is_silent_before_it_is_encrypted_is_cut_as_one_behind_it() {
    for mut said in [&b""[..], b"\x16\x03\x01"] {
        let sim = Sim::new();
        let (near, address) = serve(&sim);
        let mut client = sim.block_on(near.connect_tcp(address)).unwrap();
        while !said.is_empty() {
            sim.block_on(poll_fn(|cx| client.poll_write(cx, &mut said))).unwrap();
        }
        let mut heard = BytesMut::with_capacity(100);
        let end = sim.block_on(poll_fn(|cx| client.poll_read(cx, &mut heard, 100)));
        assert_eq!(sim.elapsed(), Duration::from_secs(5), "{end:?}");
    }
}

// THREAT: slow-handshake
#[test]
fn a_client_that_drips_its_hello_is_cut_when_the_handshake_has_to_be_over() {
    let (sim, Certificates { trust, .. }) = (Sim::new(), certificates());
    let (near, address) = serve(&sim);
    let name = ServerName::try_from("localhost").unwrap();
    let mut hello = Vec::new();
    let mut tls = rustls::ClientConnection::new(Arc::clone(trust), name).unwrap();
    tls.write_tls(&mut hello).unwrap();
    sim.block_on(async {
        let mut client = near.connect_tcp(address).await.unwrap();
        let mut heard = BytesMut::with_capacity(100);
        for byte in hello {
            let mut said = &[byte][..];
            let sent = poll_fn(|cx| client.poll_write(cx, &mut said)).await;
            sim.sleep(Duration::from_secs(4)).await;
            let mut cx = Context::from_waker(Waker::noop());
            if sent.is_err() || client.poll_read(&mut cx, &mut heard, 100).is_ready() {
                break;
            }
        }
    });
    // By default it may take 15 seconds.
    assert_eq!(sim.elapsed(), Duration::from_secs(16));
}

// THREAT: slow-handshake
#[cfg(feature = "h2")]
#[test]
fn a_client_that_chose_http_2_and_does_not_begin_it_is_cut_as_soon() {
    let (sim, Certificates { trust, .. }) = (Sim::new(), certificates());
    let (near, address) = serve(&sim);
    let socket = sim.block_on(near.connect_tcp(address)).unwrap();
    let mut trust = rustls::ClientConfig::clone(trust);
    trust.alpn_protocols = vec![b"h2".to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = sim.block_on(Tls::connect(socket, Arc::new(trust), name)).unwrap();
    assert_eq!(client.alpn_protocol(), Some(&b"h2"[..]));
    let mut heard = BytesMut::with_capacity(1000);
    while let Ok(1..) = sim.block_on(poll_fn(|cx| client.poll_read(cx, &mut heard, 100))) {}
    assert_eq!(sim.elapsed(), Duration::from_secs(5));
}
