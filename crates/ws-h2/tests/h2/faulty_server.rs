//! Servers that break the rules or change their minds, frame by frame.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ws_h2::{Client, Error, H2Stream, Server};

use crate::support::*;
use crate::wire::*;

/// `SETTINGS_ENABLE_CONNECT_PROTOCOL = value`
const fn allow(value: u8) -> [u8; 6] {
    [0, 8, 0, 0, 0, value]
}

/// `:status: 200` by its index.
const OK: &[u8] = &[0x88];

/// Lets a client connect and answers it by hand.
async fn tunnel(client: &Client, wire: &mut Wire) -> (u32, H2Stream) {
    let answer = async {
        let id = wire.next_of(HEADERS).await.unwrap().stream;
        wire.send(&frame(HEADERS, END_HEADERS, id, OK)).await;
        id
    };
    let (id, opened) = tokio::join!(answer, client.connect(request()));
    (id, opened.unwrap().1)
}

// RFC: H2WS-3-02, H2WS-3-04
// THREAT: settings
#[tokio::test]
async fn a_server_that_takes_the_setting_back_is_asked_for_nothing_more() {
    let (client, mut wire) = Wire::serve(&allow(1)).await;
    let (id, mut live) = tunnel(&client, &mut wire).await;
    wire.send(&frame(SETTINGS, 0, 0, &allow(0))).await;
    settle().await;
    let error = client.connect(request()).await.unwrap_err();
    assert_eq!(error.reason(), "peer_does_not_allow_connect_protocol");
    wire.send(&frame(DATA, 0, id, b"the live one goes on")).await;
    assert_eq!(live.read_len(20).await.unwrap(), "the live one goes on");
    wire.send(&frame(SETTINGS, 0, 0, &allow(1))).await;
    settle().await;
    assert_eq!(client.allows_websockets(), Some(true));
    tunnel(&client, &mut wire).await;
}

// RFC: H2WS-3-01
// THREAT: settings
#[tokio::test]
async fn any_other_value_of_the_setting_ends_the_connection() {
    let (client, mut wire) = {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let config = ws_h2::ClientConfig::default();
        (Client::new(near, None, Tokio, &config).await.unwrap(), Wire(far))
    };
    tokio::io::AsyncReadExt::read_exact(&mut wire.0, &mut [0; 24]).await.unwrap();
    wire.send(&frame(SETTINGS, 0, 0, &allow(2))).await;
    let error = client.connect(request()).await.unwrap_err();
    assert_eq!(error.reason(), "protocol_error");
    assert_eq!(wire.goaway_code().await, Some(1));
    assert_eq!(client.close_reason().map(|error| error.reason()), Some("protocol_error"));
}

// RFC: H2-6.5-01
#[tokio::test]
async fn who_breaks_the_rules_of_the_connection_is_told_apart_from_who_has_left() {
    const PROTOCOL_ERROR: u32 = 1;
    let (client, mut wire) = Wire::serve(&allow(1)).await;
    let (_, mut live) = tunnel(&client, &mut wire).await;
    wire.send(&frame(SETTINGS, 0, 1, &[])).await;
    let error = live.read(&mut BytesMut::new()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
    let inner = error.get_ref().and_then(|error| error.downcast_ref());
    assert!(matches!(inner, Some(Error::ProtocolError { code: PROTOCOL_ERROR })), "{inner:?}");
    assert_eq!(wire.goaway_code().await, Some(PROTOCOL_ERROR));
}

// RFC: H2-6.8-01, H2-8.7-01
// THREAT: goaway
#[tokio::test]
async fn goaway_below_a_request_says_that_it_was_not_processed() {
    let (client, mut wire) = Wire::serve(&allow(1)).await;
    let (id, mut live) = tunnel(&client, &mut wire).await;
    let asked = tokio::spawn({
        let client = client.clone();
        async move { client.connect(request()).await.map(drop) }
    });
    assert!(wire.next_of(HEADERS).await.unwrap().stream > id);
    let last = [id.to_be_bytes(), 0_u32.to_be_bytes()].concat();
    wire.send(&frame(GOAWAY, 0, 0, &last)).await;
    let error = asked.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::GoingAway { code: 0 }) && error.is_retryable(), "{error}");
    assert!(!client.is_open());
    wire.send(&frame(DATA, 0, id, b"on")).await;
    assert_eq!(live.read_len(2).await.unwrap(), "on");
}

// RFC: H2-6.8-01, H2-8.7-01
// THREAT: goaway
#[tokio::test]
async fn goaway_above_a_request_says_nothing_of_it() {
    for code in [0, 2] {
        // What was asked may have been done, and no answer comes any more.
        let error = asked_before_goaway(1, code).await;
        assert!(!error.is_retryable(), "{code}: {error}");
        assert_eq!(error.reason(), "closed", "{code}");
    }
}

// RFC: H2-7-01
// THREAT: goaway
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_for_http_1_1_is_not_asked_for_again_in_http_2() {
    const HTTP_1_1_REQUIRED: u32 = 0xd;
    // As often as it takes that who asks is sooner awake than the task that drives the connection is done.
    for last in [0, 1].repeat(200) {
        let error = asked_before_goaway(last, HTTP_1_1_REQUIRED).await;
        assert!(matches!(error, Error::GoingAway { code: HTTP_1_1_REQUIRED }), "{last}: {error}");
        assert!(!error.is_retryable(), "{last}");
    }
}

/// What becomes of the first request of a client whose server then says GOAWAY and leaves.
async fn asked_before_goaway(last: u32, code: u32) -> Error {
    let (client, mut wire) = Wire::serve(&allow(1)).await;
    tokio::spawn(async move {
        assert_eq!(wire.next_of(HEADERS).await.unwrap().stream, 1);
        let words = [last.to_be_bytes(), code.to_be_bytes()].concat();
        wire.send(&frame(GOAWAY, 0, 0, &words)).await;
    });
    client.connect(request()).await.map(drop).unwrap_err()
}

// RFC: H2WS-5-08, H2-8.6-01
// THREAT: switching-without-101
#[tokio::test]
async fn interim_answers_are_passed_over_and_anything_but_2xx_refuses() {
    // `:status` with an incremental-indexing-free literal value.
    let status = |value: &str| [&[0x08, 3], value.as_bytes()].concat();
    for (value, is_open) in [("200", true), ("204", true), ("299", true), ("302", false)] {
        let (client, mut wire) = Wire::serve(&allow(1)).await;
        let answer = async {
            let id = wire.next_of(HEADERS).await.unwrap().stream;
            wire.send(&frame(HEADERS, END_HEADERS, id, &status("103"))).await;
            let flags = if is_open { END_HEADERS } else { END_HEADERS | END_STREAM };
            wire.send(&frame(HEADERS, flags, id, &status(value))).await;
        };
        let ((), opened) = tokio::join!(answer, client.connect(request()));
        let found = opened.map(|(response, _)| response.status().as_u16());
        match found {
            Ok(found) => assert!(is_open && found.to_string() == value),
            Err(error) => assert!(!is_open && error.reason() == "unexpected_status", "{error}"),
        }
    }
}

// THREAT: header-size
#[tokio::test]
async fn interim_answers_without_end_are_cut() {
    const ENHANCE_YOUR_CALM: [u8; 4] = [0, 0, 0, 11];
    let early = frame(HEADERS, END_HEADERS, 1, &[&[0x08, 3], &b"103"[..]].concat());
    for (count, is_open) in [(7, true), (8, false)] {
        let (client, mut wire) = Wire::serve(&allow(1)).await;
        let answer = async {
            assert_eq!(wire.next_of(HEADERS).await.unwrap().stream, 1);
            wire.send(&early.repeat(count)).await;
            if is_open {
                wire.send(&frame(HEADERS, END_HEADERS, 1, OK)).await;
            } else {
                assert_eq!(wire.next_of(RST_STREAM).await.unwrap().payload[..], ENHANCE_YOUR_CALM);
            }
        };
        let ((), opened) = tokio::join!(answer, client.connect(request()));
        let reason = opened.map(drop).map_err(|error| error.reason());
        assert_eq!(reason, if is_open { Ok(()) } else { Err("malformed_message") });
    }
}

// RFC: H2-8.6-01
// THREAT: switching-without-101
#[tokio::test]
async fn switching_protocols_is_refused_at_once() {
    const PROTOCOL_ERROR: [u8; 4] = [0, 0, 0, 1];
    let (client, mut wire) = Wire::serve(&allow(1)).await;
    let answer = async {
        let id = wire.next_of(HEADERS).await.unwrap().stream;
        let switching = [&[0x08, 3], &b"101"[..]].concat();
        wire.send(&frame(HEADERS, END_HEADERS, id, &switching)).await;
        assert_eq!(wire.next_of(RST_STREAM).await.unwrap().payload[..], PROTOCOL_ERROR);
    };
    let ((), opened) = tokio::join!(answer, client.connect(request()));
    assert_eq!(opened.map(drop).unwrap_err().reason(), "malformed_message");
    assert!(client.is_open());
}

// RFC: H2-8.1.1-01
#[tokio::test]
async fn a_malformed_answer_is_not_an_answer() {
    let rows = [
        ("no status", literal("x", "y")),
        ("upper case", [OK.to_vec(), literal("X-Upper", "1")].concat()),
        ("connection field", [OK.to_vec(), literal("connection", "upgrade")].concat()),
        ("a request", literal(":path", "/")),
    ];
    for (what, block) in rows {
        let (client, mut wire) = Wire::serve(&allow(1)).await;
        let answer = async {
            let id = wire.next_of(HEADERS).await.unwrap().stream;
            wire.send(&frame(HEADERS, END_HEADERS, id, &block)).await;
        };
        let ((), opened) = tokio::join!(answer, client.connect(request()));
        let reason = opened.map(drop).unwrap_err().reason();
        assert!(["malformed_message", "protocol_error"].contains(&reason), "{what}: {reason}");
    }
}

/// RFC 9110 §9.3.6 says to ignore the field, `h2` does not: this shows when that changes.
#[tokio::test]
async fn a_length_in_an_answer_to_connect_costs_its_stream_and_no_other() {
    let (client, mut wire) = Wire::serve(&allow(1)).await;
    let (other, mut live) = tunnel(&client, &mut wire).await;
    let answer = async {
        let id = wire.next_of(HEADERS).await.unwrap().stream;
        let block = [OK.to_vec(), literal("content-length", "3")].concat();
        wire.send(&frame(HEADERS, END_HEADERS, id, &block)).await;
        id
    };
    let (id, opened) = tokio::join!(answer, client.connect(request()));
    let mut stream = opened.unwrap().1;
    wire.send(&frame(DATA, 0, id, b"abc")).await;
    assert_eq!(stream.read_len(3).await.unwrap(), "abc");
    wire.send(&frame(DATA, 0, id, b"d")).await;
    let error = stream.read(&mut BytesMut::new()).await.unwrap_err();
    let error = error.into_inner().unwrap().downcast::<Error>().unwrap();
    assert_eq!(error.reason(), "malformed_message");
    wire.send(&frame(DATA, 0, other, b"the other goes on")).await;
    assert_eq!(live.read_len(17).await.unwrap(), "the other goes on");
}

// RFC: H2-6.9.1-01, H2-6.1-01
#[tokio::test]
async fn a_server_that_ignores_our_window_loses_its_stream_and_no_other() {
    let (client, mut wire) = Wire::serve(&allow(1)).await;
    let (bad_id, mut bad) = tunnel(&client, &mut wire).await;
    let (good_id, mut good) = tunnel(&client, &mut wire).await;
    let chunk = vec![0; 16 * 1024];
    for _ in 0..17 {
        wire.send(&frame(DATA, 0, bad_id, &chunk)).await;
    }
    let reset = wire.next_of(RST_STREAM).await.unwrap();
    assert_eq!((reset.stream, &reset.payload[..]), (bad_id, &[0, 0, 0, 3][..]));
    assert_eq!(bad.read_len(16 * chunk.len()).await.unwrap().len(), 16 * chunk.len());
    let error = bad.read(&mut BytesMut::new()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    wire.send(&frame(DATA, 0, good_id, b"good")).await;
    assert_eq!(good.read_len(4).await.unwrap(), "good");
    good.write(&mut Bytes::from_static(b"fine")).await.unwrap();
    assert_eq!(wire.next_of(DATA).await.unwrap().payload, b"fine");
}

#[tokio::test]
async fn a_server_that_is_suddenly_gone_ends_every_stream() {
    let (client, mut wire) = Wire::serve(&allow(1)).await;
    let (_, mut one) = tunnel(&client, &mut wire).await;
    let (_, mut two) = tunnel(&client, &mut wire).await;
    drop(wire);
    for stream in [&mut one, &mut two] {
        let error = stream.read(&mut BytesMut::new()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
        stream.write(&mut Bytes::from_static(b"x")).await.unwrap_err();
        drop(stream.shutdown().await);
    }
    assert!(client.close_reason().is_some() && !client.is_open());
    drop((one, two));
    assert_eq!(client.open_streams(), 0);
}

/// Our side of it is open until it is reset.
// RFC: H2-5.1.2-01
#[tokio::test]
async fn a_stream_that_trailers_end_keeps_its_place_until_it_is_dropped() {
    let (client, mut wire) = Wire::serve(&allow(1)).await;
    let (id, stream) = tunnel(&client, &mut wire).await;
    wire.send(&frame(HEADERS, END_HEADERS | END_STREAM, id, &literal("x-sum", "1"))).await;
    settle().await;
    assert_eq!(client.open_streams(), 1);
    drop(stream);
    assert_eq!(wire.next_of(RST_STREAM).await.unwrap().stream, id);
    assert_eq!(client.open_streams(), 0);
}

/// What a busy server sent before it knew that its streams were dropped is no fault of its own.
#[tokio::test]
async fn what_crosses_the_resets_of_many_streams_leaves_the_others_alone() {
    let (client, mut wire) = Wire::serve(&allow(1)).await;
    let (id, mut neighbour) = tunnel(&client, &mut wire).await;
    let mut dropped = Vec::new();
    for _ in 0..200 {
        dropped.push(tunnel(&client, &mut wire).await);
    }
    let crossing = |(id, _): &(u32, H2Stream)| frame(DATA, 0, *id, b"on its way");
    let crossing: Vec<u8> = dropped.iter().flat_map(crossing).collect();
    drop(dropped);
    for _ in 0..200 {
        wire.next_of(RST_STREAM).await.unwrap();
    }
    for _ in 0..10 {
        wire.send(&crossing).await;
        settle().await;
    }
    wire.send(&frame(DATA, 0, id, b"still well?")).await;
    assert_eq!(neighbour.read_len(11).await.unwrap(), "still well?");
}

/// `SETTINGS_MAX_CONCURRENT_STREAMS = value`, beside that WebSockets are allowed.
fn limit(value: u8) -> Vec<u8> {
    [allow(1), [0, 3, 0, 0, 0, value]].concat()
}

// RFC: H2-5.1.2-01, H2-6.8-01
#[tokio::test(start_paused = true)]
async fn who_waits_for_room_learns_at_once_what_the_server_says() {
    let start = tokio::time::Instant::now();
    for is_leaving in [false, true] {
        let (client, mut wire) = Wire::serve(&limit(1)).await;
        let (_, _live) = tunnel(&client, &mut wire).await;
        let waiting = tokio::spawn({
            let client = client.clone();
            async move { client.connect(request()).await.map(drop).map_err(|error| error.reason()) }
        });
        settle().await;
        assert_eq!(client.open_streams(), 1);
        if is_leaving {
            wire.send(&frame(GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0])).await;
            assert_eq!(waiting.await.unwrap(), Err("going_away"));
        } else {
            wire.send(&frame(SETTINGS, 0, 0, &limit(2))).await;
            let id = wire.next_of(HEADERS).await.unwrap().stream;
            wire.send(&frame(HEADERS, END_HEADERS, id, OK)).await;
            assert_eq!(waiting.await.unwrap(), Ok(()));
        }
        assert_eq!(start.elapsed(), std::time::Duration::ZERO);
    }
}

// THREAT: write-stall
#[tokio::test(start_paused = true)]
async fn a_connection_that_its_users_have_left_is_not_kept_by_a_server_that_reads_nothing() {
    let windows = [0, 4, 0x7f, 0xff, 0xff, 0xff];
    let (client, mut wire) = Wire::serve(&[allow(1), windows].concat()).await;
    wire.send(&window_update(0, 1 << 30)).await;
    let (_, mut stream) = tunnel(&client, &mut wire).await;
    let mut bytes = pattern(4 << 20);
    let full = tokio::time::timeout(std::time::Duration::from_millis(1), stream.write(&mut bytes));
    assert!(full.await.is_err());
    drop((client, stream));
    tokio::time::sleep(ws_h2::ClientConfig::default().linger * 3).await;
    let word = frame(PING, 0, 0, &[0; 8]);
    assert!(tokio::io::AsyncWriteExt::write_all(&mut wire.0, &word).await.is_err());
}

/// A socket that can fail when it is written to.
struct Failing(tokio::io::DuplexStream, Arc<AtomicBool>);

impl AsyncRead for Failing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Failing {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.1.load(Ordering::Relaxed) {
            return Poll::Ready(Err(io::ErrorKind::HostUnreachable.into()));
        }
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_fails_is_the_cause_of_the_end_on_both_sides() {
    for is_clients in [true, false] {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let fails = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let near = Failing(near, Arc::clone(&fails[0]));
        let far = Failing(far, Arc::clone(&fails[1]));
        let (server_config, client_config) = Default::default();
        let (server, client) = tokio::join!(
            Server::accept(far, None, Tokio, &server_config),
            Client::new(near, None, Tokio, &client_config)
        );
        let (mut server, client) = (server.unwrap(), client.unwrap());
        let (mut here, mut there) = open(&mut server, &client).await;
        settle().await;
        fails[usize::from(!is_clients)].store(true, Ordering::Relaxed);
        let stream = if is_clients { &mut there } else { &mut here };
        stream.write(&mut Bytes::from_static(b"lost")).await.unwrap();
        settle().await;
        let reason =
            if is_clients { client.close_reason() } else { server.handle().close_reason() };
        let Some(Error::Io(error)) = reason else { panic!("{is_clients}: {reason:?}") };
        assert_eq!(error.kind(), io::ErrorKind::HostUnreachable);
    }
}
