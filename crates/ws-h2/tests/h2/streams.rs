//! What a stream promises, seen from both of its ends.

use std::io;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use ws_h2::{ClientConfig, ServerConfig};
use ws_io::Transport;

use crate::support::*;
use crate::wire::*;

fn defaults() -> (ServerConfig, ClientConfig) {
    (ServerConfig::default(), ClientConfig::default())
}

// RFC: H2WS-5-01, H2WS-5-07, H2WS-5-08, H2-WSFRAG-01, H2-6.9.1-01
#[tokio::test]
async fn every_size_comes_back_unchanged() {
    let (server_config, client_config) = defaults();
    let (server, client) = pair(&server_config, &client_config).await;
    serve_echo(server);
    let (response, mut stream) = client.connect(request()).await.unwrap();
    assert_eq!((response.status().as_u16(), stream.name()), (200, "h2"));
    for size in [1, 2, 125, 126, 4095, 4096, 4097, 16_384, 65_535, 65_536, 300_000, 1 << 20] {
        let sent = pattern(size);
        // A header and its payload, as a session has them.
        let mut out = Bytes::from_static(b"head").chain(sent.clone());
        let mut back = BytesMut::new();
        while back.len() < size + 4 {
            std::future::poll_fn(|cx| {
                if out.has_remaining() {
                    while stream.poll_write(cx, &mut out)?.is_ready() && out.has_remaining() {}
                }
                stream.poll_read(cx, &mut back, 16 * 1024).map_ok(drop)
            })
            .await
            .unwrap();
        }
        assert_eq!(back.split_to(4), "head", "size {size}");
        assert!(back == sent, "size {size}");
    }
    stream.shutdown().await.unwrap();
}

// RFC: H2-WIN-01, H2-5.2-01
// THREAT: isolation
#[tokio::test]
async fn a_stream_that_is_never_read_holds_up_no_other() {
    let (server_config, client_config) = defaults();
    let (mut server, client) = pair(&server_config, &client_config).await;
    let (mut stuck_here, _stuck_there) = open(&mut server, &client).await;
    let (mut stuck_back, mut _unread_here) = open(&mut server, &client).await;
    serve_echo(server);

    // Both directions are filled until nothing goes any more.
    let mut filled = 0;
    let mut fill = pattern(16 * 1024 * 1024);
    for stream in [&mut stuck_here, &mut _unread_here] {
        let mut out = fill.clone();
        let full = tokio::time::timeout(Duration::from_millis(300), stream.write(&mut out)).await;
        assert!(full.is_err(), "a window has an end");
        filled += fill.len() - out.len();
    }
    fill.clear();
    let most = 2 * (server_config.stream_window as usize + server_config.send_buffer);
    assert!(filled <= most, "{filled} of {most} bytes are under way");

    let mut tasks = Vec::new();
    for _ in 0..198 {
        let client = client.clone();
        tasks.push(tokio::spawn(async move {
            let (_, mut stream) = client.connect(request()).await.unwrap();
            for round in 0..20 {
                let sent = pattern(100 * round + 1);
                stream.write(&mut sent.clone()).await.unwrap();
                assert_eq!(stream.read_len(sent.len()).await.unwrap(), sent);
            }
        }));
    }
    for task in tasks {
        tokio::time::timeout(SOON, task).await.unwrap().unwrap();
    }
    assert!(stuck_back.read(&mut BytesMut::new()).await.unwrap() > 0);
}

/// The peer's credit for the connection is for who comes to use it.
// RFC: H2-5.2-01
// THREAT: isolation
#[tokio::test]
async fn streams_that_do_not_write_on_leave_the_connection_window_to_others() {
    let (mut server, mut wire) = Wire::connect(&ServerConfig::default(), &[]).await;
    let mut streams = Vec::new();
    for id in (0..41).map(|number| 2 * number + 1) {
        wire.send(&connect(id)).await;
        let Some(ws_h2::Request::WebSocket(request)) = server.next().await else { panic!() };
        streams.push(request.accept(http::Response::new(())).unwrap());
    }
    let [stalled, others @ .., neighbour] = &mut streams[..] else { panic!() };
    // A message larger than the windows of 65,535 bytes; then its writer does something else.
    let mut large = pattern(1 << 20);
    let rest = async { while wire.next_of(DATA).await.is_some() {} };
    let full = async { tokio::join!(rest, stalled.write(&mut large)) };
    assert!(tokio::time::timeout(Duration::from_millis(100), full).await.is_err());
    assert_eq!(large.len(), (1 << 20) - 65_535);
    for other in others {
        let write = other.write(&mut large);
        assert!(tokio::time::timeout(Duration::from_millis(1), write).await.is_err());
    }
    wire.send(&window_update(1, 1 << 20)).await;
    wire.send(&window_update(0, 32 * 1024)).await;
    settle().await;
    let mut words = pattern(10_000);
    let written = tokio::time::timeout(SOON, neighbour.write(&mut words)).await;
    assert!(written.is_ok_and(|written| written.is_ok()));
}

/// Such as one that is sent in pieces, and whose writer has something else to do in between.
// RFC: H2-5.2-01
// THREAT: isolation
#[tokio::test]
async fn a_message_of_which_a_part_was_taken_leaves_the_connection_window_to_others() {
    let (mut server, mut wire) = Wire::connect(&ServerConfig::default(), &[]).await;
    let mut streams = Vec::new();
    for id in [1, 3] {
        wire.send(&[connect(id), window_update(id, 1 << 20)].concat()).await;
        let Some(ws_h2::Request::WebSocket(request)) = server.next().await else { panic!() };
        streams.push(request.accept(http::Response::new(())).unwrap());
    }
    let [begun, neighbour] = &mut streams[..] else { panic!() };
    let mut large = pattern(1 << 20);
    let taken = std::future::poll_fn(|cx| begun.poll_write(cx, &mut large)).await.unwrap();
    assert_eq!(taken, 65_535, "the connection's window");
    settle().await;
    wire.send(&window_update(0, 32 * 1024)).await;
    settle().await;
    let mut words = pattern(10_000);
    let written = tokio::time::timeout(Duration::from_secs(1), neighbour.write(&mut words)).await;
    assert!(written.is_ok_and(|written| written.is_ok()));
}

// RFC: H2-5.2-01
// THREAT: isolation
#[tokio::test(start_paused = true)]
async fn a_page_that_leaves_slowly_leaves_the_connection_window_to_others() {
    const WINDOW: u32 = 4 << 20;
    let (mut server, mut wire) = Wire::connect(&ServerConfig::default(), &[]).await;
    let get = [
        literal(":method", "GET"),
        literal(":scheme", "https"),
        literal(":path", "/"),
        literal(":authority", "a.example"),
    ];
    wire.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &get.concat())).await;
    wire.send(&window_update(1, WINDOW)).await;
    wire.send(&window_update(0, WINDOW)).await;
    wire.send(&connect(3)).await;
    let Some(ws_h2::Request::Http(page)) = server.next().await else { panic!() };
    let Some(ws_h2::Request::WebSocket(neighbour)) = server.next().await else { panic!() };
    // More than the windows, to a peer whose socket takes a part of them.
    page.respond(http::Response::new(pattern(2 * WINDOW as usize))).unwrap();
    let mut neighbour = neighbour.accept(http::Response::new(())).unwrap();
    settle().await;
    let mut words = pattern(10_000);
    let written = tokio::time::timeout(Duration::from_secs(1), neighbour.write(&mut words)).await;
    assert!(written.is_ok_and(|written| written.is_ok()));
}

// RFC: H2WS-5-09, H2WS-5-10
#[tokio::test]
async fn after_the_end_of_one_direction_the_other_stays_usable() {
    let (server_config, client_config) = defaults();
    let (mut server, client) = pair(&server_config, &client_config).await;
    let (mut near, mut far) = open(&mut server, &client).await;
    near.write(&mut Bytes::from_static(b"goodbye")).await.unwrap();
    near.shutdown().await.unwrap();
    // Writing after the end is an error at once, shutting down again is none.
    let late = tokio::time::timeout(SOON, near.write(&mut Bytes::from_static(b"x"))).await;
    assert!(late.unwrap().is_err());
    near.shutdown().await.unwrap();
    assert_eq!(far.read_len(100).await.unwrap(), "goodbye");
    assert_eq!(far.read(&mut BytesMut::new()).await.unwrap(), 0);
    far.write(&mut Bytes::from_static(b"still here")).await.unwrap();
    far.shutdown().await.unwrap();
    assert_eq!(near.read_len(100).await.unwrap(), "still here");
    assert_eq!(near.read(&mut BytesMut::new()).await.unwrap(), 0);
    // Both have ended, and it stays like that.
    assert!(near.write(&mut Bytes::from_static(b"x")).await.is_err());
    near.shutdown().await.unwrap();
}

// RFC: H2WS-5-09
#[tokio::test]
async fn a_dropped_stream_is_a_reset_to_its_peer_and_to_nobody_else() {
    let (server_config, client_config) = defaults();
    let (mut server, client) = pair(&server_config, &client_config).await;
    let (mut neighbour_near, mut neighbour_far) = open(&mut server, &client).await;
    for drop_server_side in [true, false] {
        let (near, far) = open(&mut server, &client).await;
        let (mut rest, gone) = if drop_server_side { (far, near) } else { (near, far) };
        drop(gone);
        let error = rest.read(&mut BytesMut::new()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(rest.classify(error).reason(), "closed");
        let error = rest.write(&mut Bytes::from_static(b"late")).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
    neighbour_near.write(&mut Bytes::from_static(b"well")).await.unwrap();
    assert_eq!(neighbour_far.read_len(4).await.unwrap(), "well");
}

// RFC: H2WS-5-09
#[tokio::test]
async fn a_reset_that_is_no_leave_taking_is_told_apart() {
    let (mut server, mut wire) = Wire::connect(&ServerConfig::default(), &[]).await;
    for (id, code, reason) in [(1, 8, "closed"), (3, 5, "closed"), (5, 2, "io"), (7, 0xfeed, "io")]
    {
        wire.send(&connect(id)).await;
        let Some(ws_h2::Request::WebSocket(request)) = server.next().await else { panic!() };
        let mut stream = request.accept(http::Response::new(())).unwrap();
        wire.send(&reset(id, code)).await;
        let error = stream.read(&mut BytesMut::new()).await.unwrap_err();
        assert_eq!(stream.classify(error).reason(), reason, "{code}");
    }
}

/// As on TCP, where what was written arrives although the socket is dropped.
#[tokio::test]
async fn what_was_written_before_the_drop_arrives_before_the_reset() {
    let (server_config, client_config) = defaults();
    let (mut server, client) = pair(&server_config, &client_config).await;
    for len in [20, 60_000] {
        for drop_server_side in [true, false] {
            let (near, far) = open(&mut server, &client).await;
            let (mut rest, mut gone) = if drop_server_side { (far, near) } else { (near, far) };
            let mut words = pattern(len);
            while !words.is_empty() {
                gone.write(&mut words).await.unwrap();
            }
            drop(gone);
            assert_eq!(rest.read_len(len).await.unwrap(), pattern(len));
            let error = rest.read(&mut BytesMut::new()).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        }
    }
}

/// The answer to the handshake is written, too.
#[tokio::test]
async fn a_websocket_that_is_dropped_at_once_was_accepted() {
    let (server_config, client_config) = defaults();
    let (mut server, client) = pair(&server_config, &client_config).await;
    let (opened, accepted) = tokio::join!(client.connect(request()), async {
        let Some(ws_h2::Request::WebSocket(request)) = server.next().await else { panic!() };
        request.accept(http::Response::new(())).map(drop)
    });
    accepted.unwrap();
    let (_, mut stream) = opened.unwrap();
    let error = stream.read(&mut BytesMut::new()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn what_came_together_with_the_end_of_the_connection_is_read() {
    let (mut server, mut wire) = Wire::connect(&ServerConfig::default(), &[]).await;
    wire.send(&connect(1)).await;
    let Some(ws_h2::Request::WebSocket(request)) = server.next().await else { panic!() };
    let mut stream = request.accept(http::Response::new(())).unwrap();
    let goaway = frame(GOAWAY, 0, 0, &[0; 8]);
    wire.send(&[frame(DATA, 0, 1, b"last words"), reset(1, 8), goaway].concat()).await;
    drop(wire);
    assert_eq!(stream.read_len(10).await.unwrap(), "last words");
    assert!(stream.read(&mut BytesMut::new()).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_when_the_reset_comes_finds_what_came_before_it() {
    let (server_config, client_config) = defaults();
    let (mut server, client) = pair(&server_config, &client_config).await;
    for round in 0..200 {
        let (mut near, mut far) = open(&mut server, &client).await;
        tokio::spawn(async move { near.write(&mut Bytes::from_static(b"goodbye")).await });
        while far.write(&mut Bytes::from_static(b"x")).await.is_ok() {}
        let mut cx = Context::from_waker(Waker::noop());
        let mut arrived = BytesMut::new();
        let read = far.poll_read(&mut cx, &mut arrived, 100);
        assert!(matches!(read, Poll::Ready(Ok(7))), "round {round}: {read:?}");
    }
}

#[tokio::test]
async fn what_came_before_a_reset_is_read_before_it() {
    let (server_config, client_config) = defaults();
    let (mut server, client) = pair(&server_config, &client_config).await;
    let (mut near, mut far) = open(&mut server, &client).await;
    near.write(&mut Bytes::from_static(b"whole message")).await.unwrap();
    settle().await;
    drop(near);
    assert_eq!(far.read_len(13).await.unwrap(), "whole message");
    let error = far.read(&mut BytesMut::new()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

/// A goodbye must not be destroyed by what the peer still sends.
#[tokio::test]
async fn a_server_may_end_and_drop_at_once_and_its_last_words_arrive() {
    let (server_config, client_config) = defaults();
    let (mut server, client) = pair(&server_config, &client_config).await;
    let (mut near, mut far) = open(&mut server, &client).await;
    let words = pattern(100_000);
    near.write(&mut words.clone()).await.unwrap();
    near.shutdown().await.unwrap();
    drop(near);
    // The client goes on talking into the void for a while; that is drained.
    far.write(&mut pattern(500_000)).await.unwrap();
    assert!(far.read_len(words.len()).await.unwrap() == words);
    assert_eq!(far.read(&mut BytesMut::new()).await.unwrap(), 0);
    far.shutdown().await.unwrap();
    drop(far);
    settle().await;
    assert_eq!(client.open_streams(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_waits_for_the_servers_end_and_then_cancels() {
    let (server_config, client_config) = defaults();
    let (mut server, client) = pair(&server_config, &client_config).await;
    let (mut near, mut far) = open(&mut server, &client).await;
    let start = tokio::time::Instant::now();
    far.shutdown().await.unwrap();
    assert_eq!(start.elapsed().as_secs(), client_config.linger.as_secs());
    assert_eq!(far.read(&mut BytesMut::new()).await.unwrap(), 0, "it is given up");
    drop(far);
    let error = near.read(&mut BytesMut::new()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);

    // A server that ends first is answered at once.
    let (mut near, mut far) = open(&mut server, &client).await;
    let start = tokio::time::Instant::now();
    let (near_end, far_end) = tokio::join!(near.shutdown(), far.shutdown());
    assert!(near_end.is_ok() && far_end.is_ok());
    assert!(start.elapsed() < Duration::from_millis(100));
    drop(far);
    assert_eq!(near.read(&mut BytesMut::new()).await.unwrap(), 0);
}

// THREAT: open-after-close
#[tokio::test(start_paused = true)]
async fn a_client_that_never_ends_is_cut_after_a_while_and_frees_its_place() {
    let (mut server_config, client_config) = defaults();
    server_config.max_streams = 1;
    let (mut server, client) = pair(&server_config, &client_config).await;
    let (mut near, mut far) = open(&mut server, &client).await;
    near.shutdown().await.unwrap();
    drop(near);
    let start = tokio::time::Instant::now();
    let (_again, _) = {
        assert_eq!(far.read(&mut BytesMut::new()).await.unwrap(), 0);
        tokio::time::sleep(server_config.linger).await;
        settle().await;
        // The reset says NO_ERROR, so the client's late words are no error either.
        assert_eq!(
            far.write(&mut Bytes::from_static(b"late")).await.unwrap_err().kind(),
            io::ErrorKind::WriteZero
        );
        drop(far);
        open(&mut server, &client).await
    };
    assert!(start.elapsed() < server_config.linger * 2);
}

#[tokio::test]
async fn the_end_of_the_connection_is_the_end_of_its_streams() {
    let (server_config, client_config) = defaults();
    let (mut server, client) = pair(&server_config, &client_config).await;
    let (mut near, mut far) = open(&mut server, &client).await;
    server.handle().close();
    for stream in [&mut near, &mut far] {
        let error = stream.read(&mut BytesMut::new()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
    }
    assert!(server.next().await.is_none());
    assert_eq!(server.handle().close_reason().map(|error| error.reason()), Some("closed"));
    assert!(!client.is_open());
    let error = client.connect(request()).await.unwrap_err();
    assert!(["closed", "going_away"].contains(&error.reason()), "{error}");
}

/// Every way a stream can end, from many threads at once: no deadlock, no leak, no confusion.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn streams_come_and_go_from_many_threads() {
    let (mut server_config, client_config) = defaults();
    server_config.reset_burst = u32::MAX;
    let (server, client) = pair(&server_config, &client_config).await;
    serve_echo(server);
    let mut tasks = Vec::new();
    for task in 0..32_usize {
        let client = client.clone();
        tasks.push(tokio::spawn(async move {
            for round in 0..60 {
                let connecting = client.connect(request());
                if (task + round) % 7 == 0 {
                    // Given up before the answer.
                    drop(tokio::time::timeout(Duration::from_micros(50), connecting).await);
                    continue;
                }
                let (_, mut stream) = connecting.await.unwrap();
                let sent = pattern((task * 997 + round * 131) % 40_000 + 1);
                stream.write(&mut sent.clone()).await.unwrap();
                match (task + round) % 3 {
                    0 => drop(stream),
                    1 => assert!(
                        stream.read_len(sent.len() / 2).await.unwrap().len() * 2 + 1 >= sent.len()
                    ),
                    _ => assert!(stream.read_len(sent.len()).await.unwrap() == sent),
                }
            }
        }));
    }
    for task in tasks {
        tokio::time::timeout(SOON, task).await.unwrap().unwrap();
    }
    let (_, mut last) = client.connect(request()).await.unwrap();
    last.write(&mut Bytes::from_static(b"well")).await.unwrap();
    assert_eq!(last.read_len(4).await.unwrap(), "well");
    drop(last);
    while client.open_streams() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
