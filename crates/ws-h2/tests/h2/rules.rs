//! Rules of RFC 9113 that a server keeps and enforces, each seen on the wire.

use std::io;

use bytes::{Bytes, BytesMut};
use http::Response;
use ws_h2::{Error, H2Stream, Request, Server, ServerConfig};

use crate::support::*;
use crate::wire::*;

const PROTOCOL_ERROR: u32 = 1;
const FLOW_CONTROL_ERROR: u32 = 3;
const FRAME_SIZE_ERROR: u32 = 6;

/// A connection with one WebSocket on stream 1, opened under these settings of the client.
async fn opened(settings: &[u8]) -> (Server, Wire, H2Stream) {
    let (mut server, mut wire) = Wire::connect(&ServerConfig::default(), settings).await;
    wire.send(&connect(1)).await;
    let Some(Request::WebSocket(request)) = server.next().await else { panic!() };
    let stream = request.accept(Response::new(())).unwrap();
    wire.next_of(HEADERS).await.unwrap();
    (server, wire, stream)
}

// RFC: H2-5.4-01, H2-5.1-01, H2-4.2-01, H2-6.1-01, H2-6.2-01, H2-6.5-01, H2-6.5.2-01, H2-6.9-01
#[tokio::test]
async fn an_error_of_the_connection_is_named_in_goaway_and_ends_it() {
    let setting = |id: u8, value: u32| {
        let payload = [&[0, id][..], &value.to_be_bytes()].concat();
        frame(SETTINGS, 0, 0, &payload)
    };
    let rows = [
        ("a frame above the limit", frame(DATA, 0, 1, &[0; 16_385]), FRAME_SIZE_ERROR),
        ("an even stream", connect(2), PROTOCOL_ERROR),
        ("data on an idle stream", frame(DATA, 0, 9, b"x"), PROTOCOL_ERROR),
        ("data on no stream", frame(DATA, 0, 0, b"x"), PROTOCOL_ERROR),
        ("more padding than frame", frame(DATA, 8, 1, b"\xffx"), PROTOCOL_ERROR),
        (
            "a header block cut by data",
            {
                let block = connect_block();
                [frame(HEADERS, 0, 3, &block), frame(DATA, 0, 1, b"x")].concat()
            },
            PROTOCOL_ERROR,
        ),
        ("settings on a stream", frame(SETTINGS, 0, 1, &[]), PROTOCOL_ERROR),
        ("settings of five bytes", frame(SETTINGS, 0, 0, &[0; 5]), FRAME_SIZE_ERROR),
        ("a window beyond 2^31", setting(4, 1 << 31), FLOW_CONTROL_ERROR),
        ("a frame size below 2^14", setting(5, 100), PROTOCOL_ERROR),
        ("a frame size above 2^24", setting(5, 1 << 24), PROTOCOL_ERROR),
        ("an update of nothing", window_update(0, 0), PROTOCOL_ERROR),
        ("an update of three bytes", frame(WINDOW_UPDATE, 0, 0, &[0; 3]), FRAME_SIZE_ERROR),
        ("a push from a client", frame(5, END_HEADERS, 1, &[0; 4]), PROTOCOL_ERROR),
    ];
    for (what, bytes, code) in rows {
        let (mut server, mut wire, mut stream) = opened(&[]).await;
        wire.send(&bytes).await;
        // The general code may stand for a special one.
        let found = wire.goaway_code().await.unwrap();
        assert!([code, PROTOCOL_ERROR].contains(&found), "{what}: {found}");
        assert!(wire.next_of(GOAWAY).await.is_none(), "{what}: the socket is closed");
        let error = stream.read(&mut BytesMut::new()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{what}");
        assert!(server.next().await.is_none(), "{what}");
        assert_eq!(server.handle().close_reason().unwrap().reason(), "protocol_error", "{what}");
    }
}

// RFC: H2-5.4-01, H2-6.4-01, H2-6.9.1-01
#[tokio::test]
async fn an_error_of_a_stream_resets_it_and_leaves_the_connection() {
    let rows = [
        (
            "a window beyond all bounds",
            window_update(1, i32::MAX.unsigned_abs()),
            FLOW_CONTROL_ERROR,
        ),
        ("header fields that are no trailers", connect(1), PROTOCOL_ERROR),
    ];
    for (what, bytes, code) in rows {
        let (_server, mut wire, _stream) = opened(&[]).await;
        wire.send(&bytes).await;
        settle().await;
        wire.send(&frame(PING, 0, 0, &[7; 8])).await;
        let mut found = None;
        loop {
            let frame = wire.next().await.unwrap_or_else(|| panic!("{what}: the connection ended"));
            match frame.kind {
                RST_STREAM => found = Some(u32::from_be_bytes(frame.payload.try_into().unwrap())),
                PING => break,
                GOAWAY => panic!("{what}: the connection was ended"),
                _ => {}
            }
        }
        assert_eq!(found, Some(code), "{what}");
    }
}

// RFC: H2-6.4-01, H2-5.4-01
#[tokio::test]
async fn after_a_reset_nothing_more_is_sent_and_what_was_under_way_is_let_pass() {
    let (_server, mut wire, mut stream) = opened(&[]).await;
    wire.send(&reset(1, 8)).await;
    settle().await;
    let error = stream.write(&mut Bytes::from_static(b"late")).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    drop(stream);
    // No answer to a reset, and frames that crossed ours are no error.
    let (_server2, mut wire2, stream) = opened(&[]).await;
    drop(stream);
    wire2.send(&frame(DATA, 0, 1, &[0; 1000]).repeat(50)).await;
    for wire in [&mut wire, &mut wire2] {
        wire.send(&frame(PING, 0, 0, &[7; 8])).await;
        let mut resets = 0;
        loop {
            let frame = wire.next().await.unwrap();
            assert!(![DATA, GOAWAY].contains(&frame.kind));
            match frame.kind {
                RST_STREAM => resets += 1,
                PING => break,
                _ => {}
            }
        }
        assert!(resets <= 1);
    }
}

// RFC: H2-6.9.2-01
#[tokio::test]
async fn a_new_initial_window_shifts_the_windows_of_open_streams() {
    let initial = |value: u8| [0, 4, 0, 0, 0, value];
    let (_server, mut wire, mut stream) = opened(&initial(10)).await;
    let writer = tokio::spawn(async move {
        stream.write(&mut pattern(20)).await.unwrap();
        stream
    });
    let next = async |wire: &mut Wire| wire.next_of(DATA).await.unwrap().payload;
    assert_eq!(next(&mut wire).await, pattern(20)[..10]);
    // The window is now -5, then 0, then 3.
    wire.send(&[frame(SETTINGS, 0, 0, &initial(5)), window_update(1, 5)].concat()).await;
    wire.send(&frame(PING, 0, 0, &[7; 8])).await;
    loop {
        let frame = wire.next().await.unwrap();
        assert_ne!(frame.kind, DATA);
        if frame.kind == PING {
            break;
        }
    }
    wire.send(&window_update(1, 3)).await;
    assert_eq!(next(&mut wire).await, pattern(20)[10..13]);
    wire.send(&frame(SETTINGS, 0, 0, &initial(50))).await;
    assert_eq!(next(&mut wire).await, pattern(20)[13..]);
    writer.await.unwrap();
}

// RFC: H2WS-3-03, H2-5.5-01
#[tokio::test]
async fn a_client_that_sends_the_setting_changes_nothing() {
    for settings in [[0, 8, 0, 0, 0, 1], [0, 8, 0, 0, 0, 0], [0xaa, 0xaa, 1, 2, 3, 4]] {
        let (_server, mut wire, mut stream) = opened(&settings).await;
        wire.send(&frame(DATA, 0, 1, b"as ever")).await;
        assert_eq!(stream.read_len(7).await.unwrap(), "as ever");
    }
}

// RFC: H2-5.1-01, H2WS-4-01, H2WS-4-02, H2WS-5-02, H2WS-5-04
#[tokio::test]
async fn a_clients_requests_are_extended_connects_on_odd_and_growing_streams() {
    let mut builder = h2::server::Builder::new();
    builder.enable_connect_protocol();
    let (mut server, client) = with_h2_server(&builder, &Default::default()).await;
    let connects = tokio::spawn(async move {
        for _ in 0..3 {
            client.connect(request()).await.unwrap();
        }
    });
    let mut ids = Vec::new();
    while let Some(Ok((request, mut respond))) = server.accept().await {
        ids.push(respond.stream_id().as_u32());
        assert_eq!(request.method(), http::Method::CONNECT);
        assert_eq!(request.uri(), "https://a.example/chat");
        let protocol = request.extensions().get::<h2::ext::Protocol>().unwrap();
        assert_eq!(protocol.as_str(), "websocket");
        assert!(!request.headers().contains_key("host"));
        drop(respond.send_response(Response::new(()), false));
    }
    connects.await.unwrap();
    assert!(ids.iter().all(|id| id % 2 == 1) && ids.is_sorted() && ids.len() == 3, "{ids:?}");
}

// RFC: H2-8.5-02, H2-8.1.1-01
#[tokio::test]
async fn trailers_reset_a_websockets_stream_and_end_a_body() {
    let (mut server, mut wire, mut stream) = opened(&[]).await;
    let trailers = literal("x-sum", "1");
    wire.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &trailers)).await;
    let error = stream.read(&mut BytesMut::new()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    let reset = tokio::time::timeout(SOON, wire.next_of(RST_STREAM)).await.unwrap().unwrap();
    assert_eq!((reset.stream, &reset.payload[..]), (1, &PROTOCOL_ERROR.to_be_bytes()[..]));
    // `POST http://a/`
    let post = frame(HEADERS, END_HEADERS, 3, b"\x83\x84\x86\x41\x01a");
    let body = frame(DATA, 0, 3, b"body");
    let trailers = frame(HEADERS, END_HEADERS | END_STREAM, 3, &trailers);
    wire.send(&[post, body, trailers].concat()).await;
    let Some(Request::Http(mut request)) = server.next().await else { panic!() };
    assert_eq!(request.body(100).await.unwrap(), "body");
}

/// Who breaks them need not read what is said to that.
#[tokio::test]
async fn who_answers_is_told_what_was_broken_while_that_is_still_being_said() {
    // Whether the request has ended, and whether the server is at work on it by then.
    for (has_ended, is_late) in [(true, true), (true, false), (false, true), (false, false)] {
        // Room for what a server says first and not for its GOAWAY.
        let (near, far) = tokio::io::duplex(60);
        let mut wire = Wire(near);
        let config = ServerConfig::default();
        let accepted = Server::accept(far, None, Tokio, &config);
        let preface = async {
            wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
            wire.send(&frame(SETTINGS, 0, 0, &[])).await;
        };
        let mut server = tokio::join!(accepted, preface).0.unwrap();
        let flags = END_HEADERS | if has_ended { END_STREAM } else { 0 };
        wire.send(&frame(HEADERS, flags, 1, &connect_block())).await;
        let mut request = None;
        if is_late {
            request = server.next().await;
        }
        // DATA of no stream (RFC 9113 §6.1).
        wire.send(&frame(DATA, 0, 0, b"x")).await;
        settle().await;
        if request.is_none() {
            request = server.next().await;
        }
        let Some(Request::WebSocket(request)) = request else { panic!("no request") };
        assert!(server.handle().close_reason().is_none(), "it is still being said");
        let error = request.accept(Response::new(())).unwrap_err();
        assert!(
            matches!(error, Error::ProtocolError { code: PROTOCOL_ERROR }),
            "{has_ended} {is_late}: {error:?}"
        );
    }
}

#[tokio::test]
async fn who_answers_is_told_what_was_broken_on_a_stream_that_had_ended() {
    let (mut server, mut wire) = Wire::connect(&ServerConfig::default(), &[]).await;
    wire.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &connect_block())).await;
    let Some(Request::WebSocket(request)) = server.next().await else { panic!("no request") };
    // More than a window can be (RFC 9113 §6.9.1).
    wire.send(&window_update(1, 0x7fff_ffff)).await;
    settle().await;
    let error = request.accept(Response::new(())).unwrap_err();
    assert!(matches!(error, Error::MalformedMessage { code: FLOW_CONTROL_ERROR }), "{error:?}");
}
