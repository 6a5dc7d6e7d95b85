//! Streams of the `futures` ecosystem as transports.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use futures_io::{AsyncRead, AsyncWrite};
use ws_io::{
    AcceptOptions, CloseCode, ConnectOptions, Duplex, FuturesIo, Message, Runtime as _, Transport,
    accept, connect, duplex,
};

use crate::support::{Sim, client, echo, frame, join, server, write};

/// A stream in memory that knows only the traits of `futures-io`. Its closing ends its direction, or
/// only flushes, as that of many sockets does.
struct Plain {
    inner: Duplex,
    closes: bool,
    shutdowns: Arc<AtomicUsize>,
    /// What ending its direction fails with.
    fails: Option<ErrorKind>,
}

impl Plain {
    fn new(inner: Duplex, closes: bool) -> Self {
        Self { inner, closes, shutdowns: Arc::default(), fails: None }
    }
}

impl AsyncRead for Plain {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut bytes = BytesMut::new();
        let read = std::task::ready!(self.inner.poll_read(cx, &mut bytes, buf.len()))?;
        buf[..read].copy_from_slice(&bytes);
        Poll::Ready(Ok(read))
    }
}

impl AsyncWrite for Plain {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.inner.poll_write(cx, &mut buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match (self.closes, self.fails) {
            (true, Some(kind)) => Poll::Ready(Err(kind.into())),
            (true, None) => self.inner.poll_shutdown(cx),
            (false, _) => self.inner.poll_flush(cx),
        }
    }
}

#[test]
fn a_stream_of_the_futures_traits_carries_a_connection() {
    let sim = Sim::new();
    let (left, right) = duplex(1000);
    let address = "127.0.0.1:80".parse().ok();
    let left = FuturesIo::new(Plain::new(left, true), "plain").with_peer_addr(address);
    let right = FuturesIo::new(Plain::new(right, true), "plain");
    let options = ConnectOptions::default();
    let uri = "ws://localhost/".parse().unwrap();
    sim.block_on(async {
        let (client, server) = join(
            connect(left, sim.clone(), &uri, &options),
            accept(right, sim.clone(), AcceptOptions::default()),
        )
        .await;
        let (mut client, mut server) = (client.unwrap(), server.unwrap());
        assert_eq!(client.peer_addr(), address);
        sim.spawn(async move { echo(&mut server).await.unwrap() });
        for len in [0, 10, 5_000, 100_000] {
            let message = Message::binary(vec![3; len]);
            client.send(message.clone()).await.unwrap();
            assert_eq!(client.next().await.unwrap().unwrap(), message);
        }
        assert!(client.close(CloseCode::NORMAL, "").await.unwrap().clean);
    });
}

#[test]
fn a_stream_that_ends_only_when_dropped_is_dropped_after_both_goodbyes() {
    let sim = Sim::new();
    let (left, right) = duplex(1000);
    let right = FuturesIo::new(Plain::new(right, false), "plain");
    let uri = "ws://localhost/".parse().unwrap();
    let options = ConnectOptions::default();
    sim.block_on(async {
        let (client, server) = join(
            connect(left, sim.clone(), &uri, &options),
            accept(right, sim.clone(), AcceptOptions::default()),
        )
        .await;
        let (mut client, mut server) = (client.unwrap(), server.unwrap());
        sim.spawn(async move { echo(&mut server).await.unwrap() });
        assert!(client.close(CloseCode::NORMAL, "").await.unwrap().clean);
        assert_eq!(sim.elapsed(), Duration::ZERO);
    });
}

#[test]
fn a_stream_whose_closing_ends_its_direction_is_closed_and_no_more() {
    let sim = Sim::new();
    let (left, right) = duplex(1000);
    let right = FuturesIo::new(Plain::new(right, true), "plain").with_shutdown(|_| Ok(()));
    let (mut client, mut server) = (client(&sim, left), server(&sim, right));
    sim.block_on(async {
        sim.spawn(async move {
            echo(&mut server).await.unwrap();
            std::future::pending::<()>().await;
        });
        assert!(client.close(CloseCode::NORMAL, "").await.unwrap().clean);
    });
    assert_eq!(sim.elapsed(), Duration::ZERO);
}

#[test]
fn a_peer_that_is_told_of_its_fault_is_given_the_time_to_hear_it() {
    let sim = Sim::new();
    let (mut raw, right) = duplex(1000);
    let mut server = server(&sim, FuturesIo::new(Plain::new(right, false), "plain"));
    sim.block_on(async {
        // Not masked.
        write(&mut raw, b"\x81\x01a").await;
        assert!(matches!(server.next().await, Some(Err(_))));
    });
    assert_eq!(sim.elapsed(), Duration::from_secs(5), "the stream was dropped too early");
}

#[test]
fn a_stream_with_a_shutdown_of_its_own_ends_with_it_and_waits_for_the_peer() {
    // The peer does not end its direction, which is waited for unless the transport has failed.
    for (fails, waits) in [
        (None, 1500),
        // The peer has gone before.
        (Some(ErrorKind::NotConnected), 1500),
        (Some(ErrorKind::PermissionDenied), 0),
    ] {
        let sim = Sim::new();
        let (mut raw, right) = duplex(1000);
        let plain = Plain { fails, ..Plain::new(right, false) };
        let shutdowns = Arc::clone(&plain.shutdowns);
        let transport = FuturesIo::new(plain, "plain").with_shutdown(|plain| {
            plain.shutdowns.fetch_add(1, Ordering::SeqCst);
            plain.fails.map_or(Ok(()), |kind| Err(kind.into()))
        });
        let mut server = server(&sim, transport);
        sim.block_on(async {
            write(&mut raw, frame(0x88, &1000_u16.to_be_bytes())).await;
            while server.next().await.is_some() {}
        });
        assert_eq!(shutdowns.load(Ordering::SeqCst), 1, "{fails:?}");
        assert_eq!(sim.elapsed(), Duration::from_millis(waits), "{fails:?}");
    }
}

#[test]
fn a_stream_whose_closing_finds_the_peer_gone_has_ended() {
    for (fails, waits) in [(ErrorKind::NotConnected, 1500), (ErrorKind::PermissionDenied, 0)] {
        let sim = Sim::new();
        let (mut raw, right) = duplex(1000);
        let plain = Plain { fails: Some(fails), ..Plain::new(right, true) };
        let transport = FuturesIo::new(plain, "plain").with_shutdown(|_| Ok(()));
        let mut server = server(&sim, transport);
        sim.block_on(async {
            write(&mut raw, frame(0x88, &1000_u16.to_be_bytes())).await;
            while server.next().await.is_some() {}
        });
        assert_eq!(sim.elapsed(), Duration::from_millis(waits), "{fails:?}");
    }
}
