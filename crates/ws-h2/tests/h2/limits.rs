//! Limits of requests, on the wire.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Response;
use ws_h2::{ClientConfig, Request, ServerConfig};

use crate::support::*;
use crate::wire::*;

/// The status of an answer whose header block begins with a literal or indexed `:status`.
fn status(block: &[u8]) -> u16 {
    match block {
        [0x88, ..] => 200,
        [0x8e, ..] => 500,
        // `:status` by its index 8, value Huffman-coded or plain.
        [_, 0x03, digits @ ..] => std::str::from_utf8(&digits[..3]).unwrap().parse().unwrap(),
        // 431 in Huffman code.
        [_, 0x83, 0x69, 0x90, 0xff] => 431,
        other => panic!("{other:x?}"),
    }
}

async fn ask(fields: &[Vec<u8>]) -> (bool, Option<u16>) {
    let (mut server, mut wire) = Wire::connect(&ServerConfig::default(), &[]).await;
    let mut blocks = vec![connect_block()];
    blocks.extend(fields.iter().cloned());
    let block = blocks.concat();
    let mut chunks = block.chunks(16_000).peekable();
    let first = chunks.next().unwrap();
    let flags = |is_last| if is_last { END_HEADERS } else { 0 };
    wire.send(&frame(HEADERS, flags(chunks.peek().is_none()), 1, first)).await;
    while let Some(chunk) = chunks.next() {
        wire.send(&frame(9, flags(chunks.peek().is_none()), 1, chunk)).await;
    }
    settle().await;
    let was_surfaced = tokio::select! {
        biased;
        request = server.next() => matches!(request, Some(Request::WebSocket(_))),
        () = std::future::ready(()) => false,
    };
    let answer = wire.next_of(HEADERS).await;
    (was_surfaced, answer.map(|frame| status(&frame.payload)))
}

// RFC: H2-10.5.1-01
// THREAT: header-count, h2-header-bomb
#[tokio::test]
async fn a_header_that_is_too_large_is_answered_with_431() {
    let field = |i: usize, len: usize| literal(&format!("x-{i}"), &"v".repeat(len));
    let many = |count, len| (0..count).map(|i| field(i, len)).collect::<Vec<_>>();
    // One field is part of every request here.
    assert!(ask(&many(99, 10)).await.0);
    assert_eq!(ask(&many(100, 10)).await, (false, Some(431)));
    // A cookie is one field, in however many pieces it comes.
    let cookie = |pieces| vec![literal("cookie", "a=b"); pieces];
    assert!(ask(&[many(98, 10), cookie(200)].concat()).await.0);
    assert_eq!(ask(&[many(99, 10), cookie(2)].concat()).await, (false, Some(431)));
    assert_eq!(ask(&cookie(5_000)).await, (false, Some(431)));
    let long = |count| {
        (0..count).map(|i| [literal(&format!("y-{i}"), ""), vec![]].concat()).collect::<Vec<_>>()
    };
    assert_eq!(ask(&long(5_000)).await, (false, Some(431)));
}

// RFC: H2-8.1.1-01, H2-8.2-01, H2-8.2.2-01, H2-8.3-01, H2WS-4-02, H2WS-5-03
#[tokio::test]
async fn a_malformed_request_is_reset_and_never_seen() {
    let good = connect_block();
    let without = |name: &str| {
        let fields = [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "https"),
            (":path", "/"),
            (":authority", "a.example"),
        ];
        let kept = fields.iter().filter(|(field, _)| *field != name);
        kept.flat_map(|(name, value)| literal(name, value)).collect::<Vec<u8>>()
    };
    let rows = [
        ("no scheme", without(":scheme")),
        ("no path", without(":path")),
        ("connection field", [good.clone(), literal("connection", "upgrade")].concat()),
        ("upgrade field", [good.clone(), literal("upgrade", "websocket")].concat()),
        ("upper case", [good.clone(), literal("X-Upper", "1")].concat()),
        ("pseudo-header after a field", [good.clone(), literal(":path", "/")].concat()),
        ("protocol on GET", {
            let mut block = literal(":method", "GET");
            block.extend(without(":method"));
            block
        }),
        ("protocol twice", {
            let mut block = literal(":protocol", "websocket");
            block.extend(without(""));
            block
        }),
    ];
    for (what, block) in rows {
        let (mut server, mut wire) = Wire::connect(&ServerConfig::default(), &[]).await;
        wire.send(&frame(HEADERS, END_HEADERS, 1, &block)).await;
        let answer = loop {
            match wire.next().await {
                Some(frame) if frame.kind == RST_STREAM => break "reset",
                Some(frame) if frame.kind == GOAWAY => break "goaway",
                Some(frame) if frame.kind == HEADERS => break "answer",
                Some(_) => {}
                None => break "end",
            }
        };
        assert!(["reset", "goaway"].contains(&answer), "{what}: {answer}");
        drop(wire);
        assert!(server.next().await.is_none(), "{what}");
    }
}

// RFC: H2-3.4-01, H2-6.5.2-02
#[tokio::test]
async fn the_first_settings_say_what_the_config_says() {
    let (_server, mut wire) = Wire::connect(&ServerConfig::default(), &[]).await;
    let settings = wire.next().await.unwrap();
    assert_eq!((settings.kind, settings.stream), (SETTINGS, 0));
    let mut found: Vec<(u16, u32)> = settings
        .payload
        .chunks(6)
        .map(|s| (u16::from_be_bytes([s[0], s[1]]), u32::from_be_bytes([s[2], s[3], s[4], s[5]])))
        .collect();
    found.sort_unstable();
    assert_eq!(found, [(3, 256), (4, 256 * 1024), (6, 64 * 1024), (8, 1)]);
    let update = wire.next_of(WINDOW_UPDATE).await.unwrap();
    let connection_window = 64 * 1024 * 1024 - 65_535_u32;
    assert_eq!((update.stream, update.payload), (0, connection_window.to_be_bytes().to_vec()));
}

// THREAT: window-stall
#[tokio::test(start_paused = true)]
async fn a_page_that_is_not_taken_is_kept_for_a_while_and_then_reset() {
    const CANCEL: [u8; 4] = [0, 0, 0, 8];
    // `SETTINGS_INITIAL_WINDOW_SIZE = 0`
    let (mut server, mut wire) = Wire::connect(&ServerConfig::default(), &[0, 4, 0, 0, 0, 0]).await;
    tokio::spawn(async move {
        while let Some(ws_h2::Request::Http(request)) = server.next().await {
            request.respond(http::Response::new(Bytes::from_static(&[7; 5000]))).unwrap();
        }
    });
    let start = tokio::time::Instant::now();
    // `GET http://a/`
    wire.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x82\x84\x86\x41\x01a")).await;
    assert_eq!(wire.next_of(HEADERS).await.unwrap().flags & END_STREAM, 0);
    // A reader that takes an octet now and then has no more time.
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_secs(2)).await;
        wire.send(&window_update(1, 1)).await;
        assert_eq!(wire.next_of(DATA).await.unwrap().payload, [7]);
    }
    assert_eq!(wire.next_of(RST_STREAM).await.unwrap().payload, CANCEL);
    assert_eq!(start.elapsed().as_secs(), ServerConfig::default().handshake_timeout.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_zero_leaves_time_for_the_first_request_and_a_stream_to_be_reset() {
    let mut config = ServerConfig::default();
    (config.idle_timeout, config.reset_burst) = (Duration::ZERO, 0);
    let (mut server, client) = pair(&config, &ClientConfig::default()).await;
    settle().await;
    let (_near, _far) = open(&mut server, &client).await;
    let (near, far) = open(&mut server, &client).await;
    drop((near, far));
    settle().await;
    assert!(client.is_open());
}

#[tokio::test]
async fn a_limit_may_be_as_large_as_its_type() {
    let (mut server_config, mut client_config) = (ServerConfig::default(), ClientConfig::default());
    (server_config.max_streams, client_config.max_streams) = (u32::MAX, u32::MAX);
    (server_config.stream_window, client_config.stream_window) = (u32::MAX, u32::MAX);
    (server_config.send_buffer, client_config.send_buffer) = (usize::MAX, usize::MAX);
    (server_config.max_header_size, client_config.max_header_size) = (u32::MAX, u32::MAX);
    (server_config.max_headers, client_config.max_headers) = (usize::MAX, usize::MAX);
    (server_config.handshake_timeout, client_config.handshake_timeout) =
        (Duration::MAX, Duration::MAX);
    (server_config.linger, client_config.linger) = (Duration::MAX, Duration::MAX);
    (server_config.reset_burst, server_config.resets_per_second) = (u32::MAX, u32::MAX);
    let (mut server, client) = pair(&server_config, &client_config).await;
    let (mut near, mut far) = open(&mut server, &client).await;
    far.write(&mut pattern(1 << 20)).await.unwrap();
    assert_eq!(near.read_len(1 << 20).await.unwrap(), pattern(1 << 20));
}

/// The peer has reset it, or ended it; that we drop it then costs the peer nothing more.
#[tokio::test(start_paused = true)]
async fn a_stream_that_a_peer_has_done_with_is_charged_once() {
    let mut config = ServerConfig::default();
    (config.reset_burst, config.resets_per_second) = (3, 1);
    let (mut server, mut wire) = Wire::connect(&config, &[]).await;
    for (id, end) in [(1, reset(1, 8)), (3, reset(3, 8)), (5, reset(5, 8)), (7, Vec::new())] {
        wire.send(&connect(id)).await;
        let Some(ws_h2::Request::WebSocket(request)) = server.next().await else { panic!() };
        let mut stream = request.accept(http::Response::new(())).unwrap();
        wire.send(&end).await;
        if end.is_empty() {
            wire.send(&frame(DATA, END_STREAM, id, b"")).await;
            assert_eq!(stream.read(&mut BytesMut::new()).await.unwrap(), 0);
        } else {
            assert!(stream.read(&mut BytesMut::new()).await.is_err());
        }
        drop(stream);
        settle().await;
    }
    wire.send(&frame(PING, 0, 0, &[0; 8])).await;
    let answer = tokio::time::timeout(SOON, wire.next_of(PING)).await;
    assert!(answer.is_ok_and(|answer| answer.is_some()), "the connection lives");
}

#[tokio::test(start_paused = true)]
async fn the_longest_time_is_no_deadline() {
    let mut config = ServerConfig::default();
    config.idle_timeout = Duration::MAX;
    let (_server, client) = pair(&config, &ClientConfig::default()).await;
    tokio::time::sleep(Duration::from_secs(30 * 24 * 60 * 60)).await;
    assert!(client.is_open());
}

/// A reset gives the place back to the client, and whoever serves the request may be at work for long.
// RFC: H2-10.5-01
// THREAT: rapid-reset
#[tokio::test(start_paused = true)]
async fn what_is_kept_of_streams_that_are_reset_unnoticed_has_a_bound() {
    let mut config = ServerConfig::default();
    (config.max_streams, config.reset_burst, config.resets_per_second) = (4, 10, 0);
    config.idle_timeout = Duration::MAX;
    for is_old in [false, true] {
        let (mut server, mut wire) = Wire::connect(&config, &[]).await;
        let mut ids = (1..).step_by(2);
        let mut kept = Vec::new();
        for id in ids.by_ref().take(14) {
            wire.send(&connect(id)).await;
            let Some(Request::WebSocket(request)) = server.next().await else { panic!("{id}") };
            kept.push(request.accept(Response::new(())).unwrap());
            if is_old {
                tokio::time::sleep(Duration::from_secs(10)).await;
            } else {
                wire.send(&frame(DATA, END_STREAM, id, b"message")).await;
                settle().await;
            }
            wire.send(&reset(id, 8)).await;
            settle().await;
        }
        for id in ids.by_ref().take(5) {
            wire.send(&connect(id)).await;
            let refused = tokio::time::timeout(SOON, wire.next_of(RST_STREAM)).await;
            let refused = refused.expect("the fifteenth is one too many").unwrap();
            assert_eq!((refused.stream, &refused.payload[..]), (id, &[0, 0, 0, 7][..]));
        }
        // Room comes back with those who let go.
        kept.truncate(13);
        settle().await;
        let id = ids.next().unwrap();
        wire.send(&connect(id)).await;
        let Some(Request::WebSocket(request)) = server.next().await else { panic!("no room") };
        kept.push(request.accept(Response::new(())).unwrap());
        for id in ids.take(6) {
            wire.send(&connect(id)).await;
            settle().await;
        }
        assert_eq!(wire.goaway_code().await, Some(11), "who asks again and again is a flood");
    }
}

/// A slow line has more on its way than a second's worth, of all that were reset. The clock is one of
/// `h2`, which no test can turn.
#[tokio::test]
async fn what_crosses_resets_late_is_passed_over() {
    let mut config = ServerConfig::default();
    config.max_streams = 2;
    let (mut server, mut wire) = Wire::connect(&config, &[]).await;
    let ids = || (1..).step_by(2).take(100);
    for id in ids() {
        wire.send(&connect(id)).await;
        let Some(Request::WebSocket(request)) = server.next().await else { panic!("{id}") };
        drop(request.accept(Response::new(())).unwrap());
        assert_eq!(wire.next_of(RST_STREAM).await.unwrap().stream, id);
    }
    tokio::time::sleep(Duration::from_millis(1100)).await;
    // What is forgotten is forgotten after a turn.
    assert_eq!(wire.resets().await, 0);
    for id in ids() {
        wire.send(&frame(DATA, 0, id, b"late")).await;
    }
    assert_eq!(wire.resets().await, 0, "each would count as an error of its own");
}
