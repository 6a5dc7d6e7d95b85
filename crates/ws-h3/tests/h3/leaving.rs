//! GOAWAY from either side, and what comes behind it.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use ws_h3::{Error, Request, Server};
use ws_io::Transport;

use crate::support::raw::{Answer, RawPeer, Section, answer, frame};
use crate::support::{Host, Setup, echo, read_exact, request, serve, soon, write_all};
use crate::turns::Counting;

const EXCESSIVE_LOAD: u64 = 0x107;
const REQUEST_REJECTED: u64 = 0x10b;
/// Bytes of a stream that a client of [`host`] does not read.
const WINDOW: u32 = 10_000;

// RFC: H3-5.2-01
// THREAT: goaway
#[tokio::test]
async fn who_waits_for_a_stream_asks_for_nothing_behind_a_goaway() {
    let mut setup = Setup::default();
    setup.server_quic.max_requests = 1;
    setup.client.stream_timeout = Duration::from_secs(5);
    let host = Host::new(setup);
    let serve = async { RawPeer::new(host.accept_quic().await, &[8, 1]).await };
    let (client, mut peer) = soon(async { tokio::join!(host.client(), serve) }).await;
    let first = async {
        let (mut send, recv) = peer.quic.accept_bi().await.unwrap();
        send.write_all(&Section::new().line(":status", "200").frame()).await.unwrap();
        (send, recv)
    };
    let (opened, (mut send, mut recv)) =
        soon(async { tokio::join!(client.connect(request("/")), first) }).await;
    let (_, stream) = opened.unwrap();
    let waits = {
        let client = client.clone();
        tokio::spawn(async move { client.connect(request("/")).await })
    };
    soon(async {
        while client.open_streams() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    peer.control.write_all(&frame(7, &[4])).await.unwrap();
    soon(async {
        while client.is_open() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // There is room for it now.
    drop(stream);
    send.finish().unwrap();
    while let Ok(Some(_)) = soon(recv.read_chunk(4096, true)).await {}
    let error = soon(waits).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::GoingAway), "{error}");
    let more = tokio::time::timeout(Duration::from_millis(50), peer.quic.accept_bi()).await;
    assert!(more.is_err(), "a request behind the GOAWAY");
}

// RFC: H3-5.2-01
#[tokio::test]
async fn our_goaway_names_the_first_request_that_is_not_taken() {
    let host = Host::new(Setup::default());
    let (quic, server) = soon(async { tokio::join!(host.dial(), host.accept()) }).await;
    let peer = RawPeer::new(quic, &[]).await;
    let handle = server.handle();
    tokio::spawn(serve(server));
    let mut control = soon(peer.accept_control()).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let (send, mut recv) = peer.open(&Section::websocket().frame()).await;
        assert_eq!(soon(answer(&mut recv)).await, Answer::Status("200".into()));
        open.push((send, recv));
    }
    handle.drain();
    let goaway = frame(7, &[3 * 4]);
    let mut seen = Vec::new();
    while !seen.ends_with(&goaway) {
        let chunk = soon(control.read_chunk(4096, true)).await.unwrap().unwrap();
        seen.extend_from_slice(&chunk.bytes);
    }
    assert!(peer.quic.close_reason().is_none(), "they run to their end");
    let (late, mut of_late) = peer.open(&Section::websocket().frame()).await;
    assert_eq!(soon(answer(&mut of_late)).await, Answer::Reset(REQUEST_REJECTED));
    assert_eq!(soon(late.stopped()).await.unwrap(), Some(0x10b_u32.into()));
}

#[tokio::test]
async fn a_server_that_is_dropped_leaves_and_keeps_what_is_open() {
    // Also where somebody keeps a handle to the connection.
    for is_held in [false, true] {
        dropped_server_leaves(is_held).await;
    }
}

async fn dropped_server_leaves(is_held: bool) {
    let host = Host::new(Setup::default());
    let (client, mut server) = soon(async { tokio::join!(host.client(), host.accept()) }).await;
    let accepted = async {
        let Some(Request::WebSocket(request)) = server.next().await else { panic!() };
        request.accept(http::Response::new(())).await.unwrap()
    };
    let (ours, theirs) = soon(async { tokio::join!(client.connect(request("/")), accepted) }).await;
    tokio::spawn(echo(theirs));
    let held = is_held.then(|| server.handle());
    drop(server);
    soon(async {
        while client.is_open() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let (_, mut stream) = ours.unwrap();
    soon(write_all(&mut stream, &mut &b"alive"[..])).await.unwrap();
    assert_eq!(soon(read_exact(&mut stream, 5)).await.unwrap(), "alive");
    drop(held);
}

/// A client that has said GOAWAY, and what it has open: a WebSocket that leaves nothing to wait for
/// when it is dropped, as its last bytes are not taken.
async fn with_one_left(host: &Host, runtime: &Counting) -> (RawPeer, Server, impl Sized) {
    let (quic, receiver) = soon(async { tokio::join!(host.dial(), host.accept_quic()) }).await;
    let server = Server::accept(receiver, runtime.clone(), &host.setup.server);
    let (server, mut peer) = soon(async { tokio::join!(server, RawPeer::new(quic, &[])) }).await;
    let mut server = server.unwrap();
    let directions = peer.open(&Section::websocket().frame()).await;
    let Some(Request::WebSocket(request)) = soon(server.next()).await else { panic!() };
    let mut stream = soon(request.accept(http::Response::new(()))).await.unwrap();
    let more = vec![0; 2 * WINDOW as usize];
    soon(poll_fn(|cx| stream.poll_write(cx, &mut &more[..]))).await.unwrap();
    peer.control.write_all(&frame(7, &[0])).await.unwrap();
    soon(async {
        while !format!("{server:?}").contains("goaway: Some(0)") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    (peer, server, (stream, directions))
}

/// So many requests, which lie there to be accepted.
async fn requests(
    peer: &RawPeer,
    server: &Server,
    count: u64,
) -> Vec<(quinn::SendStream, quinn::RecvStream)> {
    let connection = server.handle().connection().clone();
    let before = connection.stats().frame_rx.stream;
    let mut opened = Vec::new();
    for _ in 0..count {
        opened.push(soon(peer.open(&Section::websocket().frame())).await);
    }
    soon(async {
        while connection.stats().frame_rx.stream < before + count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    opened
}

/// A host whose clients take so little of what they do not read, and ask for as much as they like.
fn host() -> Host {
    let mut setup = Setup::default();
    setup.client_quic.stream_window = WINDOW;
    setup.server_quic.max_requests = 4000;
    Host::new(setup)
}

/// The last of what was open ends while the request is on its way.
// RFC: H3-5.2-01
// THREAT: goaway
#[tokio::test]
async fn a_request_that_comes_too_late_for_a_connection_that_ends_may_be_sent_again() {
    let host = host();
    let runtime = Counting::default();
    let (peer, server, last) = with_one_left(&host, &runtime).await;
    runtime.stop();
    drop(last);
    let (_late, mut of_late) = requests(&peer, &server, 1).await.remove(0);
    runtime.go_on();
    assert_eq!(soon(answer(&mut of_late)).await, Answer::Reset(REQUEST_REJECTED));
    assert_eq!(soon(peer.closed_with()).await, 0x100, "no error");
    let reason = server.handle().close_reason().unwrap();
    assert_eq!(reason.reason(), "closed", "nobody broke the protocol: {reason}");
}

// RFC: H3-10.5-01
// THREAT: rapid-reset
#[tokio::test]
async fn what_comes_too_late_without_end_is_cut_off() {
    let (host, runtime) = (host(), Counting::default());
    let (peer, server, last) = with_one_left(&host, &runtime).await;
    runtime.stop();
    drop(last);
    let _late = requests(&peer, &server, 2000).await;
    runtime.go_on();
    assert_eq!(soon(peer.closed_with()).await, EXCESSIVE_LOAD);
}

// RFC: H3-5.2-01
#[tokio::test]
async fn who_drains_is_given_no_request_that_was_not_accepted_before() {
    let (host, runtime) = (host(), Counting::default());
    let (peer, mut server, _open) = with_one_left(&host, &runtime).await;
    runtime.stop();
    let mut late = requests(&peer, &server, 3).await;
    server.handle().drain();
    runtime.go_on();
    for (_, recv) in &mut late {
        assert_eq!(soon(answer(recv)).await, Answer::Reset(REQUEST_REJECTED));
    }
    assert!(poll_fn(|cx| Poll::Ready(server.poll_next(cx).is_pending())).await);
}

// RFC: H3-10.5-01
// THREAT: rapid-reset
#[tokio::test]
async fn requests_that_come_all_at_once_are_accepted_in_turns() {
    let (host, runtime) = (host(), Counting::default());
    let (peer, mut server, _open) = with_one_left(&host, &runtime).await;
    runtime.stop();
    let _asked = requests(&peer, &server, 1000).await;
    let before = runtime.turns();
    runtime.go_on();
    for _ in 0..1000 {
        soon(server.next()).await.unwrap();
    }
    let turns = runtime.turns() - before;
    assert!((1..20).contains(&turns), "{turns} turns");
}

// RFC: H3-10.5-01
// THREAT: rapid-reset
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asking_without_end_behind_our_goaway_is_cut_off() {
    let host = Host::new(Setup::default());
    let (quic, server) = soon(async { tokio::join!(host.dial(), host.accept()) }).await;
    let peer = RawPeer::new(quic, &[]).await;
    let handle = server.handle();
    tokio::spawn(serve(server));
    let (_send, mut recv) = peer.open(&Section::websocket().frame()).await;
    assert_eq!(soon(answer(&mut recv)).await, Answer::Status("200".into()));
    handle.drain();
    let flood = async {
        for _ in 0..20_000 {
            let Ok((mut send, _recv)) = peer.quic.open_bi().await else { return };
            let _ = send.write_all(&Section::websocket().frame()).await;
        }
    };
    soon(flood).await;
    assert!(peer.quic.close_reason().is_some(), "all of them were rejected, one by one");
    assert_eq!(soon(peer.closed_with()).await, EXCESSIVE_LOAD);
}

/// A raw client that takes so much of each stream it does not read.
async fn with_room(host: &Host, room: u32) -> (RawPeer, Server) {
    let (mut config, mut transport) = (host.client_config(), quinn::TransportConfig::default());
    transport.stream_receive_window(room.into());
    config.transport_config(Arc::new(transport));
    let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let connecting = endpoint.connect_with(config, host.address, "localhost").unwrap();
    let (quic, server) = soon(async { tokio::join!(connecting, host.accept()) }).await;
    (RawPeer::new(quic.unwrap(), &[]).await, server)
}

#[tokio::test]
async fn who_does_not_take_our_goaway_keeps_what_is_open() {
    let mut setup = Setup::default();
    setup.server.handshake_timeout = Duration::from_secs(2);
    let host = Host::new(setup);
    let (peer, _server) = with_room(&host, 4096).await;
    let settings = soon(async {
        peer.accept_control().await.read_chunk(4096, true).await.unwrap().unwrap().bytes.len()
    })
    .await;
    // The type of the stream and SETTINGS, and no GOAWAY.
    let (peer, server) = with_room(&host, 1 + settings as u32).await;
    let handle = server.handle();
    tokio::spawn(serve(server));
    let (mut send, mut recv) = peer.open(&Section::websocket().frame()).await;
    assert_eq!(soon(answer(&mut recv)).await, Answer::Status("200".into()));
    handle.drain();
    tokio::time::sleep(Duration::from_secs(4)).await;
    send.write_all(&frame(0, b"alive")).await.unwrap();
    let mut echo = [0; 7];
    soon(recv.read_exact(&mut echo)).await.unwrap();
    assert_eq!(&echo, b"\x00\x05alive");
}
