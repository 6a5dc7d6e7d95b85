//! The faults of the stock pair `h3` and `h3-quinn` that our backend mends, and the day on which it
//! need not.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use ws_h3::Request;
use ws_io::Transport;

use crate::support::raw::{Answer, RawPeer, Section, answer, frame, varint};
use crate::support::{
    Host, Setup, Tokio, is_healthy, open, read, read_exact, request, shutdown, soon, write_all,
};

/// When this fails, `h3` has learnt the token: the edit of the field section can go.
#[test]
fn stock_h3_still_refuses_the_token_websocket() {
    assert!("websocket".parse::<h3::ext::Protocol>().is_err());
    assert!("connect-udp".parse::<h3::ext::Protocol>().is_ok(), "the stand-in on the way out");
}

#[tokio::test]
async fn a_stream_may_be_dropped_while_a_read_is_pending() {
    let host = Host::new(Setup::default());
    let (client, _server) = soon(host.pair()).await;
    for _ in 0..10 {
        let mut stream = soon(open(&client, "/echo")).await.unwrap();
        let read = poll_fn(|cx| Poll::Ready(stream.poll_read(cx, &mut BytesMut::new(), 10))).await;
        assert!(read.is_pending());
        drop(stream);
    }
    assert!(soon(is_healthy(&client)).await);
}

#[tokio::test]
async fn a_write_may_be_given_up_while_it_is_blocked() {
    let mut setup = Setup::default();
    setup.client_quic.stream_window = 10_000;
    let host = Host::new(setup);
    let (client, _server) = soon(host.pair()).await;
    let mut stream = soon(open(&client, "/echo")).await.unwrap();
    // The echo is blocked by our window of 10,000 bytes until we read, and so, in the end, are we.
    let message = vec![b'm'; 2 << 20];
    let mut left = &message[..];
    let given_up =
        tokio::time::timeout(Duration::from_millis(300), write_all(&mut stream, &mut left));
    assert!(given_up.await.is_err());
    let written = message.len() - left.len();
    assert!(written > 0 && written < message.len());
    // All that was taken arrives, once; another write goes on behind it.
    let back = soon(async {
        let mut back = BytesMut::new();
        poll_fn(|cx| {
            // What was taken but not yet written goes out with a flush.
            let flushed = stream.poll_flush(cx)?.is_ready();
            while back.len() < written && stream.poll_read(cx, &mut back, 65_536)?.is_ready() {}
            if flushed && back.len() == written {
                return Poll::Ready(std::io::Result::Ok(()));
            }
            Poll::Pending
        })
        .await
        .unwrap();
        write_all(&mut stream, &mut &b"and on"[..]).await.unwrap();
        back.unsplit(read_exact(&mut stream, 6).await.unwrap());
        back
    })
    .await;
    assert!(back[..written] == message[..written] && &back[written..] == b"and on");
    assert!(soon(is_healthy(&client)).await);
}

#[tokio::test]
async fn an_answer_that_is_not_taken_ends_its_stream_alone() {
    let mut setup = Setup::default();
    setup.server.handshake_timeout = Duration::from_secs(1);
    let host = Host::new(setup);
    let (quic, mut server) = soon(async { tokio::join!(host.dial(), host.accept()) }).await;
    let peer = RawPeer::new(quic, &[]).await;
    let (_send, mut recv) = peer.open(&Section::request("GET").frame()).await;
    let Some(Request::Http(request)) = soon(server.next()).await else { panic!() };
    let page = http::Response::new(Bytes::from(vec![b'p'; 1 << 20]));
    let error = soon(request.respond(page)).await.unwrap_err();
    assert_eq!(error.reason(), "timeout");
    assert_eq!(soon(answer(&mut recv)).await, Answer::Status("200".into()));
    assert_eq!(soon(end(&mut recv)).await, Err(quinn::ReadError::Reset(0x10c_u32.into())));
    let (_send, mut recv) = peer.open(&Section::request("GET").frame()).await;
    let Some(Request::Http(request)) = soon(server.next()).await else { panic!() };
    soon(request.respond(http::Response::new(Bytes::new()))).await.unwrap();
    assert_eq!(soon(answer(&mut recv)).await, Answer::Status("200".into()));
}

#[tokio::test]
async fn who_asks_for_the_header_of_a_page_gets_no_body() {
    let host = Host::new(Setup::default());
    let (quic, mut server) = soon(async { tokio::join!(host.dial(), host.accept()) }).await;
    let peer = RawPeer::new(quic, &[]).await;
    for (method, has_body) in [("GET", true), ("HEAD", false)] {
        let (_send, mut recv) = peer.open(&Section::request(method).frame()).await;
        let Some(Request::Http(request)) = soon(server.next()).await else { panic!() };
        let page = http::Response::new(Bytes::from_static(b"a page"));
        soon(request.respond(page)).await.unwrap();
        let answer = soon(recv.read_to_end(4096)).await.unwrap();
        assert!(!answer.is_empty());
        assert_eq!(answer.windows(6).any(|bytes| bytes == b"a page"), has_body, "{method}");
    }
}

#[tokio::test]
async fn a_cookie_that_came_in_pieces_is_whole() {
    let host = Host::new(Setup::default());
    let (quic, mut server) = soon(async { tokio::join!(host.dial(), host.accept()) }).await;
    let peer = RawPeer::new(quic, &[]).await;
    for (pieces, whole) in [
        (&[][..], None),
        (&["a=b"], Some("a=b")),
        (&["a=b", "c=d", "e=f; g=h"], Some("a=b; c=d; e=f; g=h")),
    ] {
        for section in [Section::websocket(), Section::request("GET")] {
            let section = pieces.iter().fold(section, |all, piece| all.line("cookie", piece));
            let _directions = peer.open(&section.line("accept", "*/*").frame()).await;
            let head = match soon(server.next()).await {
                Some(Request::WebSocket(request)) => request.head().headers().clone(),
                Some(Request::Http(request)) => request.head().headers().clone(),
                other => panic!("{other:?}"),
            };
            let found: Vec<_> = head.get_all("cookie").iter().collect();
            assert_eq!(found, whole.as_slice());
            assert_eq!(head["accept"], "*/*");
        }
    }
}

// RFC: H3-7.1-01
#[tokio::test]
async fn a_body_that_ends_inside_a_frame_ends_the_connection() {
    let host = Host::new(Setup::default());
    let (quic, mut server) = soon(async { tokio::join!(host.dial(), host.accept()) }).await;
    let peer = RawPeer::new(quic, &[]).await;
    let head = Section::request("POST").frame();
    let (mut send, _recv) = peer.open(&[&head[..], &frame(0, b"body")[..5]].concat()).await;
    send.finish().unwrap();
    let Some(Request::Http(mut request)) = soon(server.next()).await else { panic!() };
    assert_eq!(soon(request.body(10)).await.unwrap_err().reason(), "protocol_error");
    assert_eq!(soon(peer.closed_with()).await, 0x106, "frame error");
}

// RFC: H3-10.5-01
// THREAT: frame-flood
#[tokio::test]
async fn a_body_of_empty_frames_is_cut_off() {
    let host = Host::new(Setup::default());
    let (quic, mut server) = soon(async { tokio::join!(host.dial(), host.accept()) }).await;
    let peer = RawPeer::new(quic, &[]).await;
    let head = Section::request("POST").frame();
    let _directions = peer.open(&[&head[..], &[0, 0].repeat(1100)].concat()).await;
    let Some(Request::Http(mut request)) = soon(server.next()).await else { panic!() };
    assert_eq!(soon(request.body(10)).await.unwrap_err().reason(), "protocol_error");
    assert_eq!(soon(peer.closed_with()).await, 0x107, "excessive load");
}

#[tokio::test]
async fn an_answer_that_may_not_be_sent_is_not_sent() {
    let host = Host::new(Setup::default());
    let (quic, mut server) = soon(async { tokio::join!(host.dial(), host.accept()) }).await;
    let peer = RawPeer::new(quic, &[]).await;
    let answers = |status: u16, name: &str| {
        http::Response::builder().status(status).header(name, "x").body(()).unwrap()
    };
    for (accepts, status, name) in [
        (true, 404, "x-any"),
        (true, 200, "connection"),
        (false, 200, "x-any"),
        (false, 404, "transfer-encoding"),
    ] {
        let (_send, mut recv) = peer.open(&Section::websocket().frame()).await;
        let Some(Request::WebSocket(request)) = soon(server.next()).await else { panic!() };
        let response = answers(status, name);
        let error = if accepts {
            soon(request.accept(response)).await.unwrap_err()
        } else {
            soon(request.refuse(response.map(|()| Bytes::new()))).await.unwrap_err()
        };
        assert_eq!(error.reason(), "invalid_request", "{status} with {name}");
        assert_eq!(soon(answer(&mut recv)).await, Answer::Reset(0x10c));
    }
}

#[tokio::test]
async fn what_is_left_of_a_body_is_not_wanted_when_its_request_has_an_answer() {
    let host = Host::new(Setup::default());
    let (quic, mut server) = soon(async { tokio::join!(host.dial(), host.accept()) }).await;
    let peer = RawPeer::new(quic, &[]).await;
    let (send, mut recv) = peer.open(&Section::request("POST").frame()).await;
    let Some(Request::Http(request)) = soon(server.next()).await else { panic!() };
    soon(request.respond(http::Response::default())).await.unwrap();
    assert_eq!(soon(answer(&mut recv)).await, Answer::Status("200".into()));
    assert_eq!(soon(send.stopped()).await.unwrap(), Some(0x100_u32.into()), "no error");
}

#[tokio::test]
async fn the_last_page_of_a_connection_arrives_before_that_is_closed() {
    let host = Host::new(Setup::default());
    let (quic, mut server) = soon(async { tokio::join!(host.dial(), host.accept()) }).await;
    let peer = RawPeer::new(quic, &[]).await;
    let (_send, mut recv) = peer.open(&Section::request("GET").frame()).await;
    let Some(Request::Http(request)) = soon(server.next()).await else { panic!() };
    server.handle().drain();
    // The GOAWAY has left.
    tokio::time::sleep(Duration::from_millis(150)).await;
    let page = http::Response::new(Bytes::from(vec![b'p'; 200_000]));
    soon(request.respond(page)).await.unwrap();
    let came = soon(recv.read_to_end(1 << 20)).await.unwrap();
    assert!(came.len() > 200_000 && came.ends_with(b"ppp"), "{} bytes", came.len());
    assert_eq!(soon(peer.closed_with()).await, 0x100, "no error");
}

// RFC: H3-4.2.2-01
#[tokio::test]
async fn who_is_answered_431_is_to_stop_without_error() {
    let mut setup = Setup::default();
    setup.server.max_header_size = 1000;
    let host = Host::new(setup);
    let (quic, server) = soon(async { tokio::join!(host.dial(), host.accept()) }).await;
    tokio::spawn(crate::support::serve(server));
    let peer = RawPeer::new(quic, &[]).await;
    let decoded = (0..30).fold(Section::websocket(), |all, i| all.line(&format!("f{i}"), ""));
    let encoded = [varint(1), varint(1 << 40)].concat();
    for request in [&encoded[..], &decoded.frame()] {
        let (send, mut recv) = peer.open(request).await;
        assert_eq!(soon(answer(&mut recv)).await, Answer::Status("431".into()));
        assert_eq!(soon(end(&mut recv)).await, Ok(()));
        assert_eq!(soon(send.stopped()).await.unwrap(), Some(0x100_u32.into()));
    }
}

#[tokio::test]
async fn why_a_stream_ended_is_told_behind_what_came_before() {
    let (_kept, mut stream, (mut send, _recv)) = accepted().await;
    // As many packets as are taken from QUIC at a time.
    for _ in 0..16 {
        send.write_all(&frame(0, b"x")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    soon(async {
        while stream.connection().stats().frame_rx.stream < 16 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    stream.connection().close(0x100_u32.into(), b"");
    let mut buf = BytesMut::new();
    assert_eq!(soon(read(&mut stream, &mut buf)).await.unwrap(), 16);
    let error = soon(read(&mut stream, &mut buf)).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionAborted, "{error}");
}

// RFC: H3-4.1.2-01
#[tokio::test]
async fn a_body_that_is_not_as_long_as_announced_is_malformed() {
    let host = Host::new(Setup::default());
    let (quic, mut server) = soon(async { tokio::join!(host.dial(), host.accept()) }).await;
    let peer = RawPeer::new(quic, &[]).await;
    let body = [frame(0, b"some "), frame(0, b"body")].concat();
    for (announced, is_taken) in [("9", true), ("8", false), ("10", false), ("nine", false)] {
        let head = Section::request("POST").line("content-length", announced).frame();
        let (mut send, mut recv) = peer.open(&[&head[..], &body].concat()).await;
        send.finish().unwrap();
        let Some(Request::Http(mut request)) = soon(server.next()).await else { panic!() };
        let found = soon(request.body(100)).await;
        if is_taken {
            assert_eq!(found.unwrap(), "some body");
            continue;
        }
        assert_eq!(found.unwrap_err().reason(), "malformed_message", "{announced}");
        assert_eq!(soon(answer(&mut recv)).await, Answer::Reset(0x10e), "{announced}");
    }
}

#[tokio::test]
async fn an_empty_data_frame_is_no_end() {
    let host = Host::new(Setup::default());
    let (quic, server) = soon(async { tokio::join!(host.dial(), host.accept()) }).await;
    tokio::spawn(crate::support::serve(server));
    let peer = RawPeer::new(quic, &[]).await;
    let (mut send, mut recv) = peer.open(&Section::websocket().frame()).await;
    assert_eq!(soon(answer(&mut recv)).await, Answer::Status("200".into()));
    for bytes in [frame(0, b""), frame(0, b"after")] {
        send.write_all(&bytes).await.unwrap();
    }
    let mut echo = [0; 7];
    soon(recv.read_exact(&mut echo)).await.unwrap();
    assert_eq!(&echo, b"\x00\x05after");
}

#[tokio::test]
async fn a_server_stream_dropped_without_an_end_is_reset_not_finished() {
    let (_kept, mut stream, (send, mut recv)) = accepted().await;
    soon(write_all(&mut stream, &mut &b"half a mes"[..])).await.unwrap();
    assert_eq!(soon(answer(&mut recv)).await, Answer::Status("200".into()));
    drop(stream);
    assert_eq!(soon(end(&mut recv)).await, Err(quinn::ReadError::Reset(0x10c_u32.into())));
    let stopped = soon(send.stopped()).await.unwrap();
    assert_eq!(stopped, Some(0x10c_u32.into()));
}

#[tokio::test]
async fn a_server_stream_dropped_after_its_end_wants_no_more_and_says_so_without_error() {
    let (_kept, mut stream, (send, mut recv)) = accepted().await;
    assert_eq!(stream.id(), 0, "the first that a client opens");
    soon(shutdown(&mut stream)).await.unwrap();
    drop(stream);
    assert_eq!(soon(end(&mut recv)).await, Ok(()));
    let stopped = soon(send.stopped()).await.unwrap();
    assert_eq!(stopped, Some(0x100_u32.into()));
}

/// A WebSocket on a server, both directions of its stream at the peer, and what is to be kept for them.
async fn accepted() -> (impl Sized, ws_h3::H3Stream, (quinn::SendStream, quinn::RecvStream)) {
    let host = Host::new(Setup::default());
    let (quic, mut server) = soon(async { tokio::join!(host.dial(), host.accept()) }).await;
    let peer = RawPeer::new(quic, &[]).await;
    let directions = peer.open(&Section::websocket().frame()).await;
    let Some(Request::WebSocket(request)) = soon(server.next()).await else { panic!() };
    let stream = soon(request.accept(http::Response::new(()))).await.unwrap();
    ((host, server, peer), stream, directions)
}

/// Reads to the end, or to what comes in its place.
async fn end(recv: &mut quinn::RecvStream) -> Result<(), quinn::ReadError> {
    while recv.read_chunk(4096, true).await?.is_some() {}
    Ok(())
}

#[test]
fn a_runtime_that_ends_takes_its_connections_with_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (client, mut stream) = runtime.block_on(async {
        let host = Host::new(Setup::default());
        let (client, _server) = soon(host.pair()).await;
        let stream = soon(open(&client, "/echo")).await.unwrap();
        (client, stream)
    });
    drop(runtime);
    // Nobody is left who could wake a reader.
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let read = stream.poll_read(&mut cx, &mut BytesMut::new(), 100);
    assert!(matches!(read, Poll::Ready(Err(_))), "{read:?}");
    assert!(!client.is_open());
}

#[tokio::test]
async fn what_a_release_has_cancelled_does_not_count_as_flushed() {
    let mut setup = Setup::default();
    setup.client_quic.stream_window = 10_000;
    let host = Host::new(setup);
    let (client, _server) = soon(host.pair()).await;
    for (len, expected) in [(1024, None), (2 << 20, Some(std::io::ErrorKind::NotConnected))] {
        let mut ours = soon(open(&client, "/echo")).await.unwrap();
        let everything = vec![0; len];
        let mut left = &everything[..];
        let written = write_all(&mut ours, &mut left);
        let written = tokio::time::timeout(Duration::from_millis(200), written).await;
        assert_eq!(written.is_err(), expected.is_some(), "{len}");
        assert!(ours.release());
        let flushed = soon(poll_fn(|cx| ours.poll_flush(cx))).await;
        assert_eq!(flushed.err().map(|error| error.kind()), expected, "{len}");
    }
}

#[tokio::test]
async fn what_could_not_be_sent_does_not_count_as_flushed() {
    let (_kept, mut stream, (_send, mut recv)) = accepted().await;
    assert_eq!(soon(answer(&mut recv)).await, Answer::Status("200".into()));
    recv.stop(0x10c_u32.into()).unwrap();
    soon(async {
        while write_all(&mut stream, &mut &b"hello"[..]).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for _ in 0..2 {
        let flushed = soon(poll_fn(|cx| stream.poll_flush(cx))).await;
        let error = flushed.expect_err("the peer has not taken it");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    soon(shutdown(&mut stream)).await.expect("an end is an end");
}

#[tokio::test]
async fn a_connection_with_nothing_open_says_goaway_before_it_is_closed() {
    let host = Host::new(Setup::default());
    let (quic, server) = soon(async { tokio::join!(host.dial(), host.accept()) }).await;
    let peer = RawPeer::new(quic, &[]).await;
    let mut control = soon(peer.accept_control()).await;
    server.handle().drain();
    let mut seen = Vec::new();
    while let Ok(Some(chunk)) = soon(control.read_chunk(4096, true)).await {
        seen.extend_from_slice(&chunk.bytes);
    }
    assert!(matches!(seen[..], [.., 7, 1, 0]), "{seen:?}");
    assert_eq!(soon(peer.closed_with()).await, 0x100, "no error");
}

#[tokio::test]
async fn a_breach_behind_data_is_reported_whatever_comes_behind_it() {
    let (_kept, mut stream, (mut send, _recv)) = accepted().await;
    // More than is taken from QUIC at a time.
    let rest = [0; 64 * 1024];
    send.write_all(&[&frame(0, b"last words"), &frame(4, &[]), &rest[..]].concat()).await.unwrap();
    soon(async {
        while stream.connection().stats().udp_rx.bytes < rest.len() as u64 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    let mut buf = BytesMut::new();
    assert_eq!(soon(read(&mut stream, &mut buf)).await.unwrap(), 10);
    let error = soon(read(&mut stream, &mut buf)).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{error}");
    let error = soon(read(&mut stream, &mut buf)).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotConnected, "nothing is read behind it");
}

#[tokio::test]
async fn a_request_that_says_too_little_or_too_much_is_not_sent() {
    let host = Host::new(Setup::default());
    let (client, server) = soon(host.pair()).await;
    for (uri, field) in [("/echo", "x-any"), ("localhost:443", "x-any"), ("https://a/", "upgrade")]
    {
        let request = http::Request::builder().uri(uri).header(field, "x").body(()).unwrap();
        let error = soon(client.connect(request)).await.unwrap_err();
        assert_eq!(error.reason(), "invalid_request", "{uri} with {field}");
    }
    assert_eq!(server.connection().stats().frame_rx.stream, 3, "three stream headers, no request");
    assert!(soon(is_healthy(&client)).await);
}

#[tokio::test]
async fn a_request_that_names_two_hosts_fails_alone() {
    let host = Host::new(Setup::default());
    let (client, _server) = soon(host.pair()).await;
    let mut stream = soon(open(&client, "/echo")).await.unwrap();
    for hosts in [&["elsewhere"][..], &["localhost", "elsewhere"]] {
        let mut request = request("/echo");
        for host in hosts {
            request.headers_mut().append("host", host.parse().unwrap());
        }
        let error = soon(client.connect(request)).await.unwrap_err();
        assert_eq!(error.reason(), "invalid_request", "{error}");
    }
    soon(write_all(&mut stream, &mut &b"alive"[..])).await.unwrap();
    assert_eq!(soon(read_exact(&mut stream, 5)).await.unwrap(), "alive");
    let mut request = request("/echo");
    request.headers_mut().append("host", "localhost".parse().unwrap());
    soon(client.connect(request)).await.unwrap();
}

/// As RFC 9114 §6.2 asks it to.
#[tokio::test]
async fn a_peer_that_lets_us_open_no_control_stream_is_told_that_it_is_left() {
    let mut setup = Setup::default();
    setup.server.handshake_timeout = Duration::from_millis(200);
    let host = Host::new(setup);
    let mut none = quinn::TransportConfig::default();
    none.max_concurrent_uni_streams(0_u32.into());
    let mut config = host.client_config();
    config.transport_config(std::sync::Arc::new(none));
    let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let connecting = endpoint.connect_with(config, host.address, "localhost").unwrap();
    let (quic, theirs) = soon(async { tokio::join!(connecting, host.accept_quic()) }).await;
    let quic = quic.unwrap();
    let server = ws_h3::Server::accept(theirs, Tokio, &host.setup.server);
    assert_eq!(soon(server).await.unwrap_err().reason(), "timeout");
    let quinn::ConnectionError::ApplicationClosed(close) = soon(quic.closed()).await else {
        panic!("it was not closed")
    };
    assert_eq!(close.error_code.into_inner(), 0x100, "no error");
}

// THREAT: memory-amplification
#[tokio::test]
async fn of_requests_that_have_their_answer_nothing_is_remembered() {
    let host = Host::new(Setup::default());
    let (client, server) = soon(host.pair()).await;
    let mut open_streams = Vec::new();
    for _ in 0..10 {
        open_streams.push(soon(open(&client, "/echo")).await.unwrap());
        soon(open(&client, "/refuse")).await.unwrap_err();
    }
    for known in [format!("{client:?}"), format!("{server:?}")] {
        assert!(known.contains("handshakes: 0"), "{known}");
    }
}
