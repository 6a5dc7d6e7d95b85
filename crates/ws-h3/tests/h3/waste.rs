//! Requests that come to nothing, and how many of them are forgiven.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use ws_h3::{Request, Server};
use ws_io::Runtime;

use crate::support::raw::{Answer, RawPeer, Section, answer, frame};
use crate::support::{Host, Setup, Tokio, TokioTimer, read, serve, soon};

// RFC: H3-10.5-01
// THREAT: rapid-reset, stop-sending
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_without_end_that_come_to_nothing_are_cut_off() {
    const EXCESSIVE_LOAD: u64 = 0x107;
    let host = Host::new(Setup::default());
    let (page, websocket) = (Section::request("GET"), Section::websocket());
    for (name, section, is_wanted) in [
        ("an answer that is not wanted", page, false),
        ("malformed for us", websocket.clone().line("connection", "upgrade"), true),
        // An upper-case letter in Huffman code.
        ("malformed for h3", websocket.raw(&[0x29, 0x87, 0x00]), true),
    ] {
        let (quic, server) = soon(async { tokio::join!(host.dial(), host.accept()) }).await;
        let peer = RawPeer::new(quic, &[]).await;
        tokio::spawn(serve(server));
        let flood = async {
            for _ in 0..20_000 {
                let Ok((mut send, mut recv)) = peer.quic.open_bi().await else { return };
                if !is_wanted {
                    let _ = recv.stop(0x10c_u32.into());
                }
                let _ = send.write_all(&section.frame()).await;
                let _ = send.finish();
            }
        };
        soon(flood).await;
        assert!(peer.quic.close_reason().is_some(), "{name}: there was no end to it");
        assert_eq!(soon(peer.closed_with()).await, EXCESSIVE_LOAD, "{name}");
    }
}

// RFC: H3-10.5-01
// THREAT: frame-flood
#[tokio::test]
async fn empty_frames_before_a_request_are_not_ignored_for_ever() {
    let host = Host::new(Setup::default());
    let (quic, server) = soon(async { tokio::join!(host.dial(), host.accept()) }).await;
    let peer = RawPeer::new(quic, &[]).await;
    tokio::spawn(serve(server));
    for (times, expected) in [(10, Answer::Status("200".into())), (5000, Answer::Reset(0x107))] {
        let frames = [frame(0x21, &[]).repeat(times), Section::websocket().frame().to_vec()];
        let (_send, mut recv) = peer.open(&frames.concat()).await;
        assert_eq!(soon(answer(&mut recv)).await, expected, "{times}");
    }
}

/// Tokio, but its clock can be put forward.
#[derive(Clone, Debug, Default)]
struct Later(Arc<AtomicU64>);

impl Later {
    fn offset(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::Relaxed))
    }
}

impl Runtime for Later {
    type Timer = TokioTimer;

    fn now(&self) -> Instant {
        Tokio.now() + self.offset()
    }

    fn timer(&self, at: Instant) -> TokioTimer {
        Tokio.timer(at - self.offset())
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        Tokio.spawn(task);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tunnels_that_have_lived_for_a_while_may_all_be_reset_at_once() {
    // More than would be forgiven.
    const TUNNELS: u32 = 1100;
    let mut setup = Setup::default();
    setup.server_quic.max_requests = 2 * TUNNELS;
    let (host, runtime) = (Host::new(setup), Later::default());
    let (quic, receiver) = soon(async { tokio::join!(host.dial(), host.accept_quic()) }).await;
    let server = Server::accept(receiver, runtime.clone(), &host.setup.server);
    let (server, peer) = soon(async { tokio::join!(server, RawPeer::new(quic, &[])) }).await;
    let mut server = server.unwrap();
    let (mut open, mut tunnels) = (Vec::new(), Vec::new());
    for _ in 0..TUNNELS {
        open.push(peer.open(&Section::websocket().frame()).await);
    }
    for directions in open {
        let Some(Request::WebSocket(request)) = soon(server.next()).await else { panic!() };
        let stream = soon(request.accept(http::Response::new(()))).await.unwrap();
        tunnels.push((directions, stream));
    }
    runtime.0.store(6, Ordering::Relaxed);
    for ((send, _), _) in &mut tunnels {
        send.reset(0x10c_u32.into()).unwrap();
    }
    for (_, stream) in &mut tunnels {
        soon(read(stream, &mut BytesMut::new())).await.unwrap_err();
    }
    let (_send, mut recv) = peer.open(&Section::websocket().frame()).await;
    let Some(Request::WebSocket(request)) = soon(server.next()).await else { panic!() };
    let _stream = soon(request.accept(http::Response::new(()))).await.unwrap();
    assert_eq!(soon(answer(&mut recv)).await, Answer::Status("200".into()));
}
