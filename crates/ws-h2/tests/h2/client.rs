//! What a client makes of a server's answers and of its silence.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::Reason;
use http::{Request, Response};
use tokio::io::AsyncReadExt as _;
use ws_h2::{Client, ClientConfig, Error, ServerConfig};
use ws_io::Transport;

use crate::support::*;
use crate::wire::*;

fn enabled() -> h2::server::Builder {
    let mut builder = h2::server::Builder::new();
    builder.enable_connect_protocol();
    builder
}

// RFC: H2WS-3-02
#[tokio::test]
async fn a_server_that_does_not_allow_the_protocol_is_sent_nothing() {
    let (mut server, client) =
        with_h2_server(&h2::server::Builder::new(), &ClientConfig::default()).await;
    let accepted = tokio::spawn(async move { server.accept().await.is_some() });
    let error = client.connect(request()).await.unwrap_err();
    assert_eq!(error.reason(), "peer_does_not_allow_connect_protocol");
    assert_eq!(client.allows_websockets(), Some(false));
    drop(client);
    assert!(!accepted.await.unwrap(), "the connection ended without a request");
}

#[tokio::test]
async fn a_server_may_allow_the_protocol_later() {
    let (mut server, client) =
        with_h2_server(&h2::server::Builder::new(), &ClientConfig::default()).await;
    let (enable, enabled) = tokio::sync::oneshot::channel::<()>();
    tokio::spawn(async move {
        tokio::select! {
            _ = server.accept() => panic!("a request came too early"),
            _ = enabled => server.enable_connect_protocol().unwrap(),
        }
        let (_, mut respond) = server.accept().await.unwrap().unwrap();
        let _open = respond.send_response(Response::new(()), false).unwrap();
        server.accept().await
    });
    assert!(client.connect(request()).await.is_err());
    enable.send(()).unwrap();
    settle().await;
    assert_eq!(client.allows_websockets(), Some(true));
    assert!(client.connect(request()).await.is_ok());
}

// THREAT: slow-handshake
#[tokio::test(start_paused = true)]
async fn a_silent_server_runs_into_the_deadline() {
    let (near, _far) = tokio::io::duplex(64 * 1024);
    let client = Client::new(near, None, Tokio, &ClientConfig::default()).await.unwrap();
    assert_eq!(client.allows_websockets(), None);
    let start = tokio::time::Instant::now();
    let error = client.connect(request()).await.unwrap_err();
    assert_eq!((error.reason(), start.elapsed().as_secs()), ("timeout", 15));

    // The same when it answers everything but the request, which is then cancelled.
    let (mut server, client) = with_h2_server(&enabled(), &ClientConfig::default()).await;
    let seen = tokio::spawn(async move {
        let (request, mut respond) = server.accept().await.unwrap().unwrap();
        tokio::spawn(async move { while server.accept().await.is_some() {} });
        drop(request);
        std::future::poll_fn(|cx| respond.poll_reset(cx)).await.unwrap()
    });
    assert_eq!(client.connect(request()).await.unwrap_err().reason(), "timeout");
    assert_eq!(seen.await.unwrap(), Reason::CANCEL);
    assert_eq!(client.open_streams(), 0);
}

// RFC: H2-6.8-01, H2-8.7-01
// THREAT: goaway
#[tokio::test]
async fn goaway_in_the_middle_of_a_handshake_is_worth_another_try() {
    let (mut server, client) = with_h2_server(&enabled(), &ClientConfig::default()).await;
    let (go_away, mut shutdown) = tokio::sync::oneshot::channel::<()>();
    tokio::spawn(async move {
        let (_body, mut respond) = server.accept().await.unwrap().unwrap();
        let _live = respond.send_response(Response::new(()), false).unwrap();
        tokio::select! {
            _ = server.accept() => panic!("a second request"),
            _ = &mut shutdown => server.graceful_shutdown(),
        }
        while server.accept().await.is_some() {}
    });
    let (_, mut live) = client.connect(request()).await.unwrap();
    go_away.send(()).unwrap();
    settle().await;
    let error = client.connect(request()).await.unwrap_err();
    assert!(error.is_retryable() && error.reason() == "going_away", "{error}");
    assert!(!client.is_open() && client.close_reason().is_none());
    live.write(&mut Bytes::from_static(b"live ones run on")).await.unwrap();
}

/// Lets the server answer the one request of a client as `answer` does.
async fn answer_with(
    answer: impl FnOnce(h2::server::SendResponse<Bytes>) + Send + 'static,
) -> Result<(Response<()>, ws_h2::H2Stream), Error> {
    let (mut server, client) = with_h2_server(&enabled(), &ClientConfig::default()).await;
    tokio::spawn(async move {
        let (_request, respond) = server.accept().await.unwrap().unwrap();
        answer(respond);
        while server.accept().await.is_some() {}
    });
    client.connect(request()).await
}

// RFC: H2WS-5-09, H2-8.7-01, H2-7-01
#[tokio::test]
async fn a_reset_instead_of_an_answer_says_what_it_says() {
    let rows = [
        (Reason::REFUSED_STREAM, "request_rejected", true),
        (Reason::CANCEL, "stream_reset", false),
        (Reason::INTERNAL_ERROR, "stream_reset", false),
        (Reason::from(0xabcd), "stream_reset", false),
    ];
    for (code, reason, is_retryable) in rows {
        let error = answer_with(move |mut respond| respond.send_reset(code)).await.unwrap_err();
        assert_eq!((error.reason(), error.is_retryable()), (reason, is_retryable), "{code:?}");
    }
}

#[tokio::test]
async fn a_reset_in_the_middle_of_a_message_is_told_by_its_code() {
    let rows = [
        (Reason::CANCEL, Some(io::ErrorKind::ConnectionReset)),
        (Reason::STREAM_CLOSED, Some(io::ErrorKind::ConnectionReset)),
        (Reason::REFUSED_STREAM, Some(io::ErrorKind::ConnectionRefused)),
        (Reason::INTERNAL_ERROR, Some(io::ErrorKind::ConnectionAborted)),
        (Reason::NO_ERROR, None),
    ];
    for (code, kind) in rows {
        let (_, mut stream) = answer_with(move |mut respond| {
            let mut send = respond.send_response(Response::new(()), false).unwrap();
            send.send_data(Bytes::from_static(b"half a mess"), false).unwrap();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                send.send_reset(code);
            });
        })
        .await
        .unwrap();
        assert_eq!(stream.read_len(11).await.unwrap(), "half a mess");
        let end = stream.read(&mut BytesMut::new()).await;
        assert_eq!(end.as_ref().err().map(io::Error::kind), kind, "{code:?}: {end:?}");
        let late = stream.write(&mut Bytes::from_static(b"late")).await.unwrap_err();
        assert_eq!(late.kind(), kind.unwrap_or(io::ErrorKind::WriteZero), "{code:?}");
        let end = stream.shutdown().await;
        assert_eq!(end.as_ref().err().map(io::Error::kind), kind, "{code:?}: {end:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_websocket_that_was_reset_takes_no_place_while_it_is_kept() {
    let (mut server, client) = with_h2_server(&enabled(), &ClientConfig::default()).await;
    tokio::spawn(async move {
        while let Some(Ok((_, mut respond))) = server.accept().await {
            let mut send = respond.send_response(Response::new(()), false).unwrap();
            send.send_data(Bytes::from_static(b"half a mess"), false).unwrap();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                send.send_reset(Reason::CANCEL);
            });
        }
    });
    let (_, mut stream) = client.connect(request()).await.unwrap();
    assert_eq!(client.open_streams(), 1);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(client.open_streams(), 0);
    assert_eq!(stream.read_len(11).await.unwrap(), "half a mess", "it has lost nothing by it");
}

#[tokio::test]
async fn a_stream_that_ends_without_a_goodbye_ends_in_order() {
    let (_, mut stream) = answer_with(|mut respond| {
        drop(respond.send_response(Response::new(()), true).unwrap());
    })
    .await
    .unwrap();
    assert_eq!(stream.read(&mut BytesMut::new()).await.unwrap(), 0);
    assert_eq!(stream.name(), "h2");
}

// RFC: H2-8.5-02, H2-8.1-01
#[tokio::test]
async fn trailers_on_a_websockets_stream_are_a_protocol_error() {
    let (_, mut stream) = answer_with(|mut respond| {
        let mut send = respond.send_response(Response::new(()), false).unwrap();
        send.send_trailers(http::HeaderMap::new()).unwrap();
    })
    .await
    .unwrap();
    let error = stream.read(&mut BytesMut::new()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}

// THREAT: header-size, h2-header-bomb
#[tokio::test]
async fn an_answer_that_is_too_large_is_not_taken() {
    let with_header = |count: usize, len: usize| {
        answer_with(move |mut respond| {
            let mut response = Response::new(());
            for i in 0..count {
                let name = http::HeaderName::try_from(format!("x-{i}")).unwrap();
                let value = http::HeaderValue::try_from("v".repeat(len)).unwrap();
                response.headers_mut().append(name, value);
            }
            drop(respond.send_response(response, false));
        })
    };
    assert!(with_header(100, 10).await.is_ok());
    assert_eq!(with_header(101, 10).await.unwrap_err().reason(), "too_many_headers");
    let error = with_header(70, 1000).await.unwrap_err();
    assert_eq!(error.reason(), "handshake_response_too_big");
    assert_eq!(error.to_string(), "the response header is larger than the 65536 bytes allowed");
    assert!(with_header(99, 16_000).await.is_err());
}

// RFC: H2-5.1.2-01
#[tokio::test(start_paused = true)]
async fn more_websockets_than_the_server_allows_wait_for_their_turn() {
    let server_config = {
        let mut config = ws_h2::ServerConfig::default();
        config.max_streams = 2;
        config
    };
    let (mut server, client) = pair(&server_config, &ClientConfig::default()).await;
    let (one, _one) = open(&mut server, &client).await;
    let (_two, _also_two) = open(&mut server, &client).await;
    let error = client.connect(request()).await.unwrap_err();
    assert!(matches!(error, Error::TooManyStreams { max: 2 }) && error.is_retryable());
    let third = tokio::spawn({
        let client = client.clone();
        async move { client.connect(request()).await.map(drop) }
    });
    settle().await;
    assert_eq!(client.open_streams(), 2);
    drop((one, _one));
    let Some(ws_h2::Request::WebSocket(request)) = server.next().await else { panic!() };
    let _stream = request.accept(Response::new(())).unwrap();
    third.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_drain_turns_away_who_still_waits_to_open() {
    let wait = |client: &Client| {
        let client = client.clone();
        tokio::spawn(async move { client.connect(request()).await.map(drop) })
    };
    // For the server's SETTINGS, which come a moment later.
    let (near, far) = tokio::io::duplex(64 * 1024);
    let client = Client::new(near, None, Tokio, &ClientConfig::default()).await.unwrap();
    let waiting = wait(&client);
    settle().await;
    client.drain();
    let server = tokio::spawn(async move {
        let mut streams = Vec::new();
        let Ok(mut server) = enabled().handshake::<_, Bytes>(far).await else { return 0 };
        while let Some(Ok((_, mut respond))) = server.accept().await {
            streams.push(respond.send_response(Response::new(()), false).unwrap());
        }
        streams.len()
    });
    let error = waiting.await.unwrap().unwrap_err();
    assert!(error.is_retryable() && error.reason() == "going_away", "{error}");
    assert_eq!(server.await.unwrap(), 0);

    // For one of those that are open to end.
    let mut server_config = ws_h2::ServerConfig::default();
    server_config.max_streams = 1;
    let (mut server, client) = pair(&server_config, &ClientConfig::default()).await;
    let (mut near, mut far) = open(&mut server, &client).await;
    let waiting = wait(&client);
    settle().await;
    client.drain();
    let error = waiting.await.unwrap().unwrap_err();
    assert!(error.is_retryable() && error.reason() == "going_away", "{error}");
    tokio::time::sleep(Duration::from_secs(5)).await;
    near.write(&mut Bytes::from_static(b"on")).await.unwrap();
    assert_eq!(far.read_len(2).await.unwrap(), "on");
}

// RFC: H2-8.3.1-01
#[tokio::test]
async fn what_cannot_be_sent_is_refused_to_the_caller() {
    let (_server, client) = with_h2_server(&enabled(), &ClientConfig::default()).await;
    let rows = [
        ("wss://a.example/", None),
        ("/path-only", None),
        ("https://user@a.example/", None),
        ("https://a.example/", Some(("upgrade", "websocket"))),
        ("https://a.example/", Some(("connection", "upgrade"))),
        ("https://a.example/", Some(("te", "gzip"))),
    ];
    for (uri, header) in rows {
        let mut request = Request::builder().uri(uri);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let error = client.connect(request.body(()).unwrap()).await.unwrap_err();
        assert_eq!(error.reason(), "invalid_request", "{uri} {header:?}");
    }
}

#[tokio::test]
async fn the_connection_ends_with_its_last_user() {
    let (mut server, client) = pair(&Default::default(), &ClientConfig::default()).await;
    let (mut near, mut far) = open(&mut server, &client).await;
    drop(client);
    near.write(&mut Bytes::from_static(b"still there")).await.unwrap();
    assert_eq!(far.read_len(11).await.unwrap(), "still there");
    let (one, two) = tokio::join!(near.shutdown(), far.shutdown());
    assert!(one.is_ok() && two.is_ok());
    drop((near, far));
    let ended = tokio::time::timeout(SOON, server.next()).await.unwrap();
    assert!(ended.is_none());
}

/// A server that goes away says so right behind its answer.
#[tokio::test]
async fn what_came_with_the_answer_and_the_end_is_read() {
    let settings = [0, 8, 0, 0, 0, 1];
    // The server may have reset the stream as well, and why is not forgotten.
    for (is_reset, reason) in [(false, "closed"), (true, "stream_reset")] {
        let (client, mut wire) = Wire::serve(&settings).await;
        let server = async {
            let asked = wire.next_of(HEADERS).await.unwrap();
            let stream = asked.stream;
            // `:status: 200` of the static table.
            let answer = frame(HEADERS, END_HEADERS, stream, &[0x88]);
            let words = frame(DATA, 0, stream, b"last words");
            let end = if is_reset { reset(stream, 2) } else { Vec::new() };
            let goaway = frame(GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0]);
            wire.send(&[answer, words, end, goaway].concat()).await;
            drop(wire);
        };
        let (opened, ()) = tokio::join!(client.connect(request()), server);
        let (_, mut stream) = opened.unwrap();
        settle().await;
        assert_eq!(stream.read_len(10).await.unwrap(), "last words");
        let error = stream.read(&mut BytesMut::new()).await.unwrap_err();
        let error = error.get_ref().and_then(|error| error.downcast_ref::<Error>());
        assert_eq!(error.map(Error::reason), Some(reason));
    }
}

#[tokio::test]
async fn what_a_server_allows_is_known_of_a_client_that_drains() {
    let (client, _wire) = Wire::serve(&[0, 8, 0, 0, 0, 1]).await;
    settle().await;
    assert_eq!(client.allows_websockets(), Some(true));
    client.drain();
    assert_eq!(client.allows_websockets(), Some(true));
}

/// A slow line may have more on its way than a second's worth.
#[tokio::test]
async fn what_crosses_the_reset_of_a_client_late_is_passed_over() {
    let (client, mut wire) = Wire::serve(&[0, 8, 0, 0, 0, 1]).await;
    let server = async {
        let id = wire.next_of(HEADERS).await.unwrap().stream;
        wire.send(&frame(HEADERS, END_HEADERS, id, &[0x88])).await;
        id
    };
    let (opened, id) = tokio::join!(client.connect(request()), server);
    drop(opened.unwrap());
    assert_eq!(wire.next_of(RST_STREAM).await.unwrap().stream, id);
    // By the clock of `h2`, which no test can turn.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(wire.resets().await, 0);
    wire.send(&frame(DATA, 0, id, b"late")).await;
    assert_eq!(wire.resets().await, 0);
}

#[tokio::test]
async fn a_server_is_asked_whether_it_is_there_once_at_a_time() {
    let (client, mut wire) = Wire::serve(&[]).await;
    settle().await;
    for _ in 0..2 {
        let before = client.bytes_received();
        assert!(client.ping());
        settle().await;
        assert!(client.ping());
        settle().await;
        let ping = wire.next_of(PING).await.unwrap();
        assert_eq!((ping.flags, ping.payload.len()), (0, 8));
        assert_eq!(client.bytes_received(), before);
        wire.send(&frame(PING, ACK, 0, &ping.payload)).await;
        settle().await;
        assert_eq!(client.bytes_received(), before + 17);
    }
    // Its own is answered, and nothing else was sent.
    wire.send(&frame(PING, 0, 0, &[7; 8])).await;
    let answer = wire.next_of(PING).await.unwrap();
    assert_eq!((answer.flags, answer.payload), (ACK, vec![7; 8]));
}

#[tokio::test]
async fn of_a_server_that_answers_no_ping_no_answer_is_expected() {
    let (near, far) = tokio::io::duplex(1024 * 1024);
    let mut wire = Wire(far);
    let client = Client::new(near, None, Tokio, &ClientConfig::default()).await.unwrap();
    // It has said nothing so far.
    assert!(client.ping());
    wire.send(&frame(SETTINGS, 0, 0, &[0, 8, 0, 0, 0, 1])).await;
    wire.send(&frame(SETTINGS, ACK, 0, &[])).await;
    settle().await;
    assert_eq!(client.allows_websockets(), Some(true));
    assert!(!client.ping(), "and now all but that");
    wire.0.read_exact(&mut [0; 24]).await.unwrap();
    let ping = wire.next_of(PING).await.unwrap();
    wire.send(&frame(PING, ACK, 0, &ping.payload)).await;
    settle().await;
    assert!(client.ping());
}

/// As many as there are wakers of it, and one.
struct Task;

impl Wake for Task {
    fn wake(self: Arc<Self>) {}
}

/// WebSockets may live for hours, in which nothing else happens on their connection.
#[tokio::test]
async fn who_gives_up_waiting_for_room_leaves_no_waker_behind() {
    let mut config = ClientConfig::default();
    config.max_streams = 1;
    let (mut server, client) = pair(&ServerConfig::default(), &config).await;
    let _open = open(&mut server, &client).await;
    let task = Arc::new(Task);
    for _ in 0..3 {
        let waker = Waker::from(Arc::clone(&task));
        let mut waiting = pin!(client.connect(request()));
        assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        settle().await;
        assert!(waiting.poll(&mut Context::from_waker(&waker)).is_pending());
    }
    assert_eq!(Arc::strong_count(&task), 1);
}
