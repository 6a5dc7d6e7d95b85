//! Peers that send too much of something, each with a neighbour that must not notice.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Response;
use tokio::time::Instant;
use ws_h2::{ClientConfig, Error, H2Stream, Request, Server, ServerConfig};

use crate::support::*;
use crate::wire::*;

const ENHANCE_YOUR_CALM: u32 = 11;

async fn accept(server: &mut Server) -> H2Stream {
    let Some(Request::WebSocket(request)) = server.next().await else { panic!("no websocket") };
    request.accept(Response::new(())).unwrap()
}

// RFC: H2-WIN-01, H2-10.5-01
// THREAT: tiny-reads
#[tokio::test]
async fn tiny_frames_that_nobody_reads_disturb_no_neighbour() {
    let config = ServerConfig::default();
    let (mut server, mut wire) = Wire::connect(&config, &[]).await;
    wire.send(&[connect(1), connect(3)].concat()).await;
    let (mut stuck, mut lively) = (accept(&mut server).await, accept(&mut server).await);
    let echo = tokio::spawn(async move {
        let mut buf = BytesMut::new();
        while lively.read(&mut buf).await.unwrap() > 0 {
            lively.write(&mut buf).await.unwrap();
        }
    });
    // As many frames of one byte as the window lets through: a quarter of a million.
    let start = Instant::now();
    let tiny = frame(DATA, 0, 1, b"x").repeat(1024);
    for round in 0..config.stream_window / 1024 {
        wire.send(&tiny).await;
        if round % 16 == 0 {
            wire.send(&frame(DATA, 0, 3, b"still well?")).await;
            assert_eq!(wire.next_of(DATA).await.unwrap().payload, b"still well?");
        }
    }
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    // All of it is there, and nothing was lost.
    let read = stuck.read_len(config.stream_window as usize).await.unwrap();
    assert_eq!(read.len(), config.stream_window as usize);
    wire.send(&frame(DATA, END_STREAM, 3, b"")).await;
    echo.await.unwrap();
}

/// Requests that were reset wait like others for a server that does not ask for them.
#[tokio::test]
async fn requests_beyond_those_that_may_wait_are_refused_and_not_kept() {
    let mut config = ServerConfig::default();
    config.max_streams = 2;
    let (mut server, mut wire) = Wire::connect(&config, &[]).await;
    wire.send(&[connect(1), connect(3), reset(1, 8), reset(3, 8), connect(5)].concat()).await;
    let refused = wire.next_of(RST_STREAM).await.unwrap();
    assert_eq!((refused.stream, &refused.payload[..]), (5, &[0, 0, 0, 7][..]), "REFUSED_STREAM");
    for _ in 0..2 {
        assert!(matches!(server.next().await, Some(Request::WebSocket(_))));
    }
    wire.send(&connect(7)).await;
    let Some(Request::WebSocket(request)) = server.next().await else { panic!("no request") };
    assert!(request.accept(Response::new(())).is_ok());
}

/// A client learns of a reset a round trip later, and speaks until then: in the long life of a
/// connection that adds up.
#[tokio::test]
async fn what_crosses_resets_is_no_flood() {
    let (mut server, mut wire) = Wire::connect(&ServerConfig::default(), &[]).await;
    wire.send(&connect(1)).await;
    drop(accept(&mut server).await);
    assert_eq!(wire.next_of(RST_STREAM).await.unwrap().stream, 1);
    for _ in 0..100 {
        wire.send(&frame(DATA, 0, 1, b"x").repeat(1024)).await;
    }
    wire.send(&connect(3)).await;
    let next = server.next().await;
    assert!(matches!(next, Some(Request::WebSocket(_))), "{:?}", server.handle().close_reason());
}

// RFC: H2-10.5-01
// THREAT: rapid-reset
#[tokio::test]
async fn a_hundred_thousand_rapid_resets_end_their_connection_and_nothing_else() {
    let config = ServerConfig::default();
    let start = Instant::now();
    // First in a steady stream, then each batch after the server has seen the one before.
    for batch in [10_000, 100] {
        let (mut server, mut wire) = Wire::connect(&config, &[]).await;
        let answered = tokio::spawn(async move {
            let mut count = 0_u32;
            while let Some(Request::WebSocket(request)) = server.next().await {
                count += u32::from(request.accept(Response::new(())).is_ok());
            }
            (count, server.handle().close_reason().unwrap().reason())
        });
        let (mut reader, mut writer) = tokio::io::split(wire.0);
        let flood = tokio::spawn(async move {
            for first in (0..100_000_u32).step_by(batch) {
                let streams = (first..first + u32::try_from(batch).unwrap()).map(|i| 2 * i + 1);
                let bytes: Vec<u8> =
                    streams.flat_map(|id| [connect(id), reset(id, 8)].concat()).collect();
                if tokio::io::AsyncWriteExt::write_all(&mut writer, &bytes).await.is_err() {
                    return first;
                }
                settle().await;
            }
            100_000
        });
        let mut received = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut received).await.unwrap();
        let calm = |window: &[u8]| window == [0, 0, 0, 11];
        assert!(received.windows(4).any(calm), "the end says ENHANCE_YOUR_CALM");
        let (count, reason) = tokio::time::timeout(SOON, answered).await.unwrap().unwrap();
        assert!(count <= config.reset_burst + config.max_streams, "{count} were accepted");
        assert_eq!(reason, "protocol_error");
        drop(reader);
        assert!(flood.await.unwrap() < 100_000);
        wire = Wire(tokio::io::duplex(1).0);
        drop(wire);
    }
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

/// A stream that lives on the connection meanwhile learns why it is gone.
// THREAT: rapid-reset
#[tokio::test]
async fn a_flood_that_ends_the_connection_is_told_to_its_streams_as_the_peers_fault() {
    let mut config = ServerConfig::default();
    (config.reset_burst, config.resets_per_second) = (10, 0);
    let (mut server, mut wire) = Wire::connect(&config, &[]).await;
    wire.send(&connect(1)).await;
    let mut stream = accept(&mut server).await;
    for id in (3..61).step_by(2) {
        wire.send(&[connect(id), reset(id, 8)].concat()).await;
    }
    assert_eq!(wire.goaway_code().await, Some(ENHANCE_YOUR_CALM));
    let errors = [
        stream.write(&mut &b"late"[..]).await.unwrap_err(),
        stream.read(&mut BytesMut::new()).await.unwrap_err(),
    ];
    for error in errors {
        let cause = error.get_ref().and_then(|error| error.downcast_ref::<Error>());
        let is_named = matches!(cause, Some(Error::ProtocolError { code: ENHANCE_YOUR_CALM }));
        assert!(is_named, "{error:?}");
    }
}

// RFC: H2-10.5-01
// THREAT: rapid-reset
#[tokio::test(start_paused = true)]
async fn a_flood_of_resets_ends_its_connection_whatever_their_code() {
    let mut config = ServerConfig::default();
    (config.reset_burst, config.resets_per_second) = (10, 0);
    for code in [0, 1, 5, 7, 8, 11, 0xfeed] {
        let (mut server, mut wire) = Wire::connect(&config, &[]).await;
        tokio::spawn(async move { while server.next().await.is_some() {} });
        for id in (1..).step_by(2).take(11) {
            wire.send(&[connect(id), reset(id, code)].concat()).await;
            settle().await;
        }
        let end = tokio::time::timeout(Duration::from_secs(1), wire.goaway_code()).await;
        assert_eq!(end, Ok(Some(ENHANCE_YOUR_CALM)), "{code}");
    }
}

/// `GET http://a/`, or a WebSocket whose client will say nothing.
fn ended(id: u32, is_page: bool) -> Vec<u8> {
    let page = b"\x82\x84\x86\x41\x01a".to_vec();
    let block = if is_page { page } else { connect_block() };
    frame(HEADERS, END_HEADERS | END_STREAM, id, &block)
}

/// Also when the server has seen the whole request before, and is at work on it.
// RFC: H2-10.5-01
// THREAT: rapid-reset
#[tokio::test(start_paused = true)]
async fn resets_of_requests_that_have_ended_are_a_flood_too() {
    let mut config = ServerConfig::default();
    (config.max_streams, config.reset_burst, config.resets_per_second) = (4, 10, 0);
    let cases = [true, false].into_iter().flat_map(|is_page| {
        [(is_page, true, true), (is_page, true, false), (is_page, false, true)]
    });
    for (is_page, is_late, is_answered) in cases {
        let (mut server, mut wire) = Wire::connect(&config, &[]).await;
        let mut kept = Vec::new();
        for id in (1..).step_by(2).take(11) {
            assert!(server.handle().close_reason().is_none(), "ten are allowed");
            wire.send(&ended(id, is_page)).await;
            if is_late {
                settle().await;
            }
            wire.send(&reset(id, 8)).await;
            settle().await;
            let result = match server.next().await {
                Some(Request::Http(request)) if is_answered => {
                    request.respond(Response::new("page"))
                }
                Some(Request::WebSocket(request)) if is_answered => {
                    request.accept(Response::new(())).map(drop)
                }
                request => {
                    kept.push(request);
                    continue;
                }
            };
            let expected = if id < 21 { "stream_reset" } else { "closed" };
            assert_eq!(result.unwrap_err().reason(), expected, "{id}");
        }
        let end = tokio::time::timeout(Duration::from_secs(1), wire.goaway_code()).await;
        assert_eq!(end, Ok(Some(ENHANCE_YOUR_CALM)), "{is_page} {is_late} {is_answered}");
    }
}

/// Nobody is woken by that reset but the task that finds it.
// RFC: H2-10.5-01
// THREAT: rapid-reset
#[tokio::test(start_paused = true)]
async fn the_reset_that_is_one_too_many_ends_the_connection_at_once() {
    let mut config = ServerConfig::default();
    (config.reset_burst, config.resets_per_second) = (1, 0);
    let (mut server, mut wire) = Wire::connect(&config, &[]).await;
    let start = Instant::now();
    let mut kept = Vec::new();
    for id in [1, 3] {
        wire.send(&connect(id)).await;
        kept.push(server.next().await.unwrap());
        wire.send(&reset(id, 8)).await;
        settle().await;
    }
    assert_eq!(wire.goaway_code().await, Some(ENHANCE_YOUR_CALM));
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert!(server.next().await.is_none());
    assert_eq!(server.handle().close_reason().unwrap().reason(), "protocol_error");
}

/// Who floods need not read.
// THREAT: rapid-reset
#[tokio::test(start_paused = true)]
async fn a_flood_is_the_cause_of_the_end_also_where_its_peer_takes_no_bytes() {
    let mut config = ServerConfig::default();
    (config.reset_burst, config.resets_per_second) = (1, 0);
    // Room for what a server says first and not for its GOAWAY.
    let (near, far) = tokio::io::duplex(60);
    let mut wire = Wire(near);
    let accepted = Server::accept(far, None, Tokio, &config);
    let preface = async {
        wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        wire.send(&frame(SETTINGS, 0, 0, &[])).await;
    };
    let (server, ()) = tokio::join!(accepted, preface);
    let mut server = server.unwrap();
    for id in [1, 3] {
        wire.send(&[connect(id), reset(id, 8)].concat()).await;
    }
    while server.next().await.is_some() {}
    assert_eq!(server.handle().close_reason().unwrap().reason(), "protocol_error");
}

/// Also of one whose turn to be looked at comes when the connection has been given up.
// THREAT: rapid-reset
#[tokio::test]
async fn a_stream_learns_of_the_flood_however_many_resets_came_at_once() {
    let mut config = ServerConfig::default();
    (config.reset_burst, config.resets_per_second) = (1, 0);
    let (mut server, mut wire) = Wire::connect(&config, &[]).await;
    wire.send(&[connect(1), connect(3), connect(5)].concat()).await;
    let mut stream = accept(&mut server).await;
    let _waiting = (server.next().await, server.next().await);
    settle().await;
    let flood = [reset(3, 8), reset(5, 8), connect(7), reset(7, 8), connect(9), reset(9, 8)];
    wire.send(&flood.concat()).await;
    assert_eq!(wire.goaway_code().await, Some(ENHANCE_YOUR_CALM));
    assert!(wire.next().await.is_none());
    let error = stream.read(&mut BytesMut::new()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{error:?}");
}

/// A load test or a page with many tabs does just that.
// RFC: H2-10.5-01
#[tokio::test]
async fn websockets_that_are_dropped_as_soon_as_they_are_open_cost_their_neighbour_nothing() {
    let config = ServerConfig::default();
    let (server, client) = pair(&config, &ClientConfig::default()).await;
    serve_echo(server);
    let (_, mut neighbour) = client.connect(request()).await.unwrap();
    for _ in 0..2 * config.reset_burst {
        drop(client.connect(request()).await.unwrap());
    }
    neighbour.write(&mut Bytes::from_static(b"still well?")).await.unwrap();
    assert_eq!(neighbour.read_len(11).await.unwrap(), "still well?");
}

/// The reset has freed its place, and its user may still be at work.
// RFC: H2-10.5-01
// THREAT: rapid-reset
#[tokio::test]
async fn a_websocket_that_was_reset_counts_until_its_user_lets_go_of_it() {
    let mut config = ServerConfig::default();
    (config.reset_burst, config.resets_per_second) = (10, 0);
    let (mut server, mut wire) = Wire::connect(&config, &[]).await;
    let mut ids = (1..).step_by(2);
    let mut kept = Vec::new();
    for round in 0..3 {
        kept.clear();
        settle().await;
        for id in ids.by_ref().take(10) {
            wire.send(&connect(id)).await;
            kept.push(accept(&mut server).await);
            wire.send(&reset(id, 8)).await;
            settle().await;
        }
        wire.send(&frame(PING, 0, 0, &[0; 8])).await;
        assert!(wire.next_of(PING).await.is_some(), "round {round}");
    }
    for id in ids.take(1) {
        wire.send(&connect(id)).await;
        kept.push(accept(&mut server).await);
        wire.send(&reset(id, 8)).await;
    }
    assert_eq!(wire.goaway_code().await, Some(ENHANCE_YOUR_CALM));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_reset_where_there_is_no_room_for_it_is_charged_once() {
    let mut config = ServerConfig::default();
    (config.max_streams, config.reset_burst, config.resets_per_second) = (2, 10, 0);
    let (_server, mut wire) = Wire::connect(&config, &[]).await;
    for id in (1..).step_by(2).take(10) {
        wire.send(&[connect(id), reset(id, 8)].concat()).await;
        settle().await;
    }
    wire.send(&frame(PING, 0, 0, &[0; 8])).await;
    assert!(wire.next_of(PING).await.is_some(), "ten are allowed");
    wire.send(&[connect(21), reset(21, 8)].concat()).await;
    assert_eq!(wire.goaway_code().await, Some(ENHANCE_YOUR_CALM));
}

// RFC: H2-10.5-01
// THREAT: provoked-resets
#[tokio::test]
async fn resets_that_we_are_provoked_to_send_are_limited_too() {
    let (mut server, mut wire) = Wire::connect(&ServerConfig::default(), &[]).await;
    tokio::spawn(async move { while server.next().await.is_some() {} });
    // A stream's own error, each answered with RST_STREAM: a window beyond all bounds.
    for id in (1..20_000).step_by(2) {
        let bytes = [connect(id), window_update(id, i32::MAX.unsigned_abs())].concat();
        if tokio::io::AsyncWriteExt::write_all(&mut wire.0, &bytes).await.is_err() {
            break;
        }
        if id % 201 == 0 {
            settle().await;
        }
    }
    assert_eq!(wire.goaway_code().await, Some(ENHANCE_YOUR_CALM));
}

#[tokio::test]
async fn streams_that_we_are_made_to_drop_count_as_resets() {
    let mut config = ServerConfig::default();
    config.reset_burst = 10;
    let (mut server, mut wire) = Wire::connect(&config, &[]).await;
    tokio::spawn(async move {
        while let Some(Request::WebSocket(request)) = server.next().await {
            drop(request.accept(Response::new(())));
        }
    });
    for id in (1..100).step_by(2) {
        if tokio::io::AsyncWriteExt::write_all(&mut wire.0, &connect(id)).await.is_err() {
            break;
        }
        settle().await;
    }
    let code = tokio::time::timeout(SOON, wire.goaway_code()).await.expect("it has to end");
    assert_eq!(code, Some(ENHANCE_YOUR_CALM));
}

/// They are answered, and the client does not reset them.
#[tokio::test(start_paused = true)]
async fn requests_that_are_refused_cost_their_client_nothing() {
    let mut config = ServerConfig::default();
    (config.max_headers, config.reset_burst, config.resets_per_second) = (1, 1, 0);
    let (mut server, mut wire) = Wire::connect(&config, &[]).await;
    let plain = [literal(":method", "CONNECT"), literal(":authority", "a.example:443")].concat();
    let many = [connect_block(), literal("x", "1"), literal("x", "2")].concat();
    for (id, block) in (1..).step_by(2).zip([&plain, &many].repeat(3)) {
        wire.send(&frame(HEADERS, END_HEADERS, id, block)).await;
        assert_eq!(wire.next_of(HEADERS).await.unwrap().stream, id);
    }
    wire.send(&connect(21)).await;
    assert!(matches!(server.next().await, Some(Request::WebSocket(_))));
}

/// Nobody asks for requests, and those that wait were reset long ago.
// RFC: H2-10.5-01
// THREAT: provoked-resets
#[tokio::test]
async fn requests_that_we_are_made_to_refuse_count_as_resets() {
    let mut config = ServerConfig::default();
    (config.max_streams, config.reset_burst, config.resets_per_second) = (2, 10, 0);
    let (_server, mut wire) = Wire::connect(&config, &[]).await;
    wire.send(&[connect(1), connect(3), reset(1, 8), reset(3, 8)].concat()).await;
    for id in (5..1000).step_by(2) {
        if tokio::io::AsyncWriteExt::write_all(&mut wire.0, &connect(id)).await.is_err() {
            break;
        }
        settle().await;
    }
    let code = tokio::time::timeout(SOON, wire.goaway_code()).await;
    assert_eq!(code.expect("it has to end"), Some(ENHANCE_YOUR_CALM));
}

// RFC: H2-6.9.2-01, H2-6.9.1-01
// THREAT: window-stall
#[tokio::test]
async fn a_window_of_one_byte_is_slow_and_correct() {
    // SETTINGS_INITIAL_WINDOW_SIZE = 1
    let (mut server, mut wire) = Wire::connect(&ServerConfig::default(), &[0, 4, 0, 0, 0, 1]).await;
    wire.send(&connect(1)).await;
    let mut stream = accept(&mut server).await;
    let writer = tokio::spawn(async move {
        stream.write(&mut pattern(2_000)).await.unwrap();
        stream
    });
    let mut received = Vec::new();
    while received.len() < 2_000 {
        let data = wire.next_of(DATA).await.unwrap();
        assert_eq!(data.payload.len(), 1);
        received.extend(data.payload);
        wire.send(&window_update(1, 1)).await;
    }
    assert_eq!(received, pattern(2_000));
    writer.await.unwrap();
}

/// A peer that opens no window at all blocks its own stream only, and dropping that stream frees it.
// THREAT: window-stall
#[tokio::test]
async fn a_window_that_never_opens_blocks_its_own_stream_only() {
    let (mut server, mut wire) = Wire::connect(&ServerConfig::default(), &[0, 4, 0, 0, 0, 0]).await;
    wire.send(&[connect(1), connect(3), window_update(3, 1000)].concat()).await;
    let (mut stuck, mut lively) = (accept(&mut server).await, accept(&mut server).await);
    let mut out = pattern(100);
    let blocked = tokio::time::timeout(Duration::from_millis(50), stuck.write(&mut out)).await;
    assert!(blocked.is_err() && out.len() == 100, "nothing is buffered without a window");
    lively.write(&mut Bytes::from_static(b"free")).await.unwrap();
    assert_eq!(wire.next_of(DATA).await.unwrap().stream, 3);
    drop(stuck);
    let reset = wire.next_of(RST_STREAM).await.unwrap();
    assert_eq!((reset.stream, &reset.payload[..]), (1, &[0, 0, 0, 8][..]));
}

// RFC: H2-6.1-01, H2-10.5-01
// THREAT: frame-flood
#[tokio::test]
async fn empty_and_padded_frames_carry_only_what_they_carry() {
    let (mut server, mut wire) = Wire::connect(&ServerConfig::default(), &[]).await;
    wire.send(&connect(1)).await;
    let mut stream = accept(&mut server).await;
    for _ in 0..50 {
        wire.send(&frame(DATA, 0, 1, b"")).await;
    }
    // Padded: one byte of length, the data, the padding.
    wire.send(&frame(DATA, 8, 1, b"\x03data\0\0\0")).await;
    assert_eq!(stream.read_len(4).await.unwrap(), "data");
    for _ in 0..60 {
        wire.send(&frame(DATA, 0, 1, b"")).await;
    }
    assert_eq!(wire.goaway_code().await, Some(ENHANCE_YOUR_CALM));
}

// RFC: H2-6.7-01, H2-5.5-01, H2-4.1-01
// THREAT: frame-flood
#[tokio::test]
async fn pings_settings_and_unknown_frames_are_served_in_any_number() {
    let (mut server, mut wire) = Wire::connect(&ServerConfig::default(), &[]).await;
    wire.send(&connect(1)).await;
    let mut stream = accept(&mut server).await;
    for i in 0..2_000_u64 {
        wire.send(&frame(0xee, 0xff, 0, b"unknown")).await;
        wire.send(&frame(PING, 0, 0, &i.to_be_bytes())).await;
        let pong = wire.next_of(PING).await.unwrap();
        assert_eq!((pong.flags, pong.payload), (ACK, i.to_be_bytes().to_vec()));
    }
    wire.send(&frame(DATA, 0, 1, b"alive")).await;
    assert_eq!(stream.read_len(5).await.unwrap(), "alive");
}
