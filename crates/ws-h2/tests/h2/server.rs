//! What a server answers, and how it ends.

use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Method, Request, Response, StatusCode, Version};
use ws_h2::{ClientConfig, Server, ServerConfig};

use crate::support::*;
use crate::wire::*;

/// Sends a request and reads status and body.
async fn ask(
    send: &mut SendRequest<Bytes>,
    request: Request<()>,
    body: &'static [u8],
) -> Result<(StatusCode, Vec<u8>), h2::Error> {
    let is_connect = request.method() == Method::CONNECT;
    let (response, mut out) = send.send_request(request, body.is_empty() && !is_connect)?;
    if !body.is_empty() {
        out.send_data(Bytes::from_static(body), true)?;
    }
    let (head, mut recv) = response.await?.into_parts();
    let mut content = Vec::new();
    while let Some(data) = recv.data().await {
        let data = data?;
        recv.flow_control().release_capacity(data.len())?;
        content.extend_from_slice(&data);
    }
    Ok((head.status, content))
}

fn get(path: &str) -> Request<()> {
    let uri = format!("https://a.example{path}");
    Request::builder().version(Version::HTTP_2).uri(uri).body(()).unwrap()
}

// RFC: H2WS-X-01, H2WS-4-03, H2-8.5-01
#[tokio::test]
async fn what_is_no_websocket_is_answered_without_asking_anybody() {
    let (mut server, mut send) = with_h2_client(&ServerConfig::default()).await;
    for protocol in ["connect-udp", "webtransport", "websocket2"] {
        let (status, _) = ask(&mut send, h2_request(protocol), b"").await.unwrap();
        assert_eq!(status, 501, "{protocol}");
    }
    let plain = Request::builder().version(Version::HTTP_2).method(Method::CONNECT);
    let plain = plain.uri("a.example:443").body(()).unwrap();
    assert_eq!(ask(&mut send, plain, b"").await.unwrap().0, 501);
    assert!(futures_now(server.next()).await.is_none(), "nobody was asked");
}

/// What a future gives without waiting.
async fn futures_now<T>(future: impl std::future::Future<Output = Option<T>>) -> Option<T> {
    settle().await;
    tokio::select! {
        biased;
        value = future => value,
        () = std::future::ready(()) => None,
    }
}

#[tokio::test]
async fn a_websocket_request_shows_what_was_asked() {
    let (mut server, mut send) = with_h2_client(&ServerConfig::default()).await;
    let (_response, _stream) = send.send_request(h2_request("WebSocket"), false).unwrap();
    let Some(ws_h2::Request::WebSocket(request)) = server.next().await else { panic!() };
    assert_eq!(request.protocol(), "WebSocket");
    assert_eq!(request.head().uri(), "https://a.example/chat");
    assert_eq!(request.head().headers()["sec-websocket-version"], "13");
    let policy = ws_h2_upgrade::SubprotocolPolicy::default();
    let upgrade = ws_h2_upgrade::validate_request(&request.connect_request(), &policy).unwrap();
    assert_eq!((upgrade.request.path.as_str(), upgrade.request.secure), ("/chat", true));
    let text = format!("{request:?}");
    assert!(text.contains("/chat") && !text.contains("13"), "{text}");
}

#[tokio::test]
async fn a_refusal_arrives_with_its_status_fields_and_body() {
    let (mut server, client) = pair(&ServerConfig::default(), &ClientConfig::default()).await;
    let refuse = async {
        let Some(ws_h2::Request::WebSocket(request)) = server.next().await else { panic!() };
        let response = Response::builder().status(403).header("x-why", "origin");
        request.refuse(response.body(vec![b'n'; 40_000]).unwrap()).unwrap();
    };
    let ((), answer) = tokio::join!(refuse, client.connect(request()));
    let Err(ws_h2::Error::UnexpectedStatus(response)) = answer else { panic!("{answer:?}") };
    assert_eq!(
        (response.status().as_u16(), &response.headers()["x-why"]),
        (403, &"origin".parse().unwrap())
    );
    assert_eq!(response.body().len(), 16 * 1024, "a bounded part of the body is kept");
}

// RFC: H2-9110-01, H2-8.2.2-01
#[tokio::test]
async fn an_answer_that_http_2_forbids_is_refused_to_the_caller() {
    for (name, value) in [("upgrade", "websocket"), ("content-length", "0"), ("te", "gzip")] {
        let (mut server, client) = pair(&ServerConfig::default(), &ClientConfig::default()).await;
        let connect = tokio::spawn(async move { client.connect(request()).await });
        let Some(ws_h2::Request::WebSocket(request)) = server.next().await else { panic!() };
        let response = Response::builder().header(name, value).body(()).unwrap();
        assert_eq!(request.accept(response).unwrap_err().reason(), "invalid_request");
        // It was not answered, so it is answered now.
        let error = connect.await.unwrap().unwrap_err();
        assert!(matches!(&error, ws_h2::Error::UnexpectedStatus(answer) if answer.status() == 500));
    }
}

// RFC: H2WS-5-07
#[tokio::test]
async fn a_websocket_is_accepted_with_2xx_and_refused_with_anything_else() {
    for (status, is_accepted) in [(101, false), (200, true), (299, true), (300, false)] {
        for does_accept in [true, false] {
            let (mut server, mut send) = with_h2_client(&ServerConfig::default()).await;
            let (response, _stream) = send.send_request(h2_request("websocket"), false).unwrap();
            let Some(ws_h2::Request::WebSocket(request)) = server.next().await else { panic!() };
            let answer = Response::builder().status(status);
            let result = if does_accept {
                request.accept(answer.body(()).unwrap()).map(drop)
            } else {
                request.refuse(answer.body(Bytes::new()).unwrap())
            };
            let is_said = does_accept == is_accepted && status != 101;
            let reason = result.map_err(|error| error.reason());
            assert_eq!(reason, if is_said { Ok(()) } else { Err("invalid_request") });
            let answered = response.await.unwrap().status();
            assert_eq!(answered, if is_said { status } else { 500 }, "{status} {does_accept}");
        }
    }
}

#[tokio::test]
async fn a_request_that_is_dropped_is_answered_with_500() {
    let (mut server, mut send) = with_h2_client(&ServerConfig::default()).await;
    let drop_two = async {
        for _ in 0..2 {
            drop(server.next().await.unwrap());
        }
        server
    };
    let both = async {
        let first = ask(&mut send, get("/"), b"").await.unwrap().0;
        (first, ask(&mut send, h2_request("websocket"), b"").await.unwrap().0)
    };
    let (_server, (page, websocket)) = tokio::join!(drop_two, both);
    assert_eq!((page.as_u16(), websocket.as_u16()), (500, 500));
}

#[tokio::test]
async fn pages_are_served_beside_websockets() {
    let (mut server, mut send) = with_h2_client(&ServerConfig::default()).await;
    tokio::spawn(async move {
        while let Some(request) = server.next().await {
            let ws_h2::Request::Http(mut request) = request else { continue };
            let answer = match (request.head().method(), request.head().uri().path()) {
                (&Method::POST, "/echo") => request.body(100).await,
                (_, "/big") => Ok(pattern(1_000_000)),
                _ => Ok(Bytes::from_static(b"page")),
            };
            let response = match answer {
                Ok(body) => Response::new(body),
                Err(error) => {
                    Response::builder().status(413).body(error.to_string().into()).unwrap()
                }
            };
            request.respond(response).unwrap();
        }
    });
    assert_eq!(ask(&mut send, get("/"), b"").await.unwrap(), (StatusCode::OK, b"page".to_vec()));
    assert_eq!(ask(&mut send, get("/big"), b"").await.unwrap().1, pattern(1_000_000));
    let post = |path| {
        let mut request = get(path);
        *request.method_mut() = Method::POST;
        request
    };
    for body in [&b"body"[..], &[b'x'; 100]] {
        assert_eq!(ask(&mut send, post("/echo"), body).await.unwrap().1, body);
    }
    let (status, why) = ask(&mut send, post("/echo"), &[b'x'; 5000]).await.unwrap();
    assert_eq!(status, 413);
    assert_eq!(why, b"the request body is larger than the 100 bytes allowed");
}

// RFC: H2-8.2.2-01
#[tokio::test]
async fn a_page_has_no_body_for_head_and_no_answer_that_is_none() {
    for (method, status, name, reason) in [
        (Method::GET, 200, "x-page", "page"),
        (Method::HEAD, 200, "x-page", ""),
        (Method::GET, 200, "connection", "invalid_request"),
        (Method::GET, 103, "x-page", "invalid_request"),
    ] {
        let (mut server, mut send) = with_h2_client(&ServerConfig::default()).await;
        let mut asked = get("/");
        *asked.method_mut() = method;
        let serve = async {
            let Some(ws_h2::Request::Http(request)) = server.next().await else { panic!() };
            let page = Response::builder().status(status).header(name, "close").body("page");
            request.respond(page.unwrap()).map_err(|error| error.reason())
        };
        let (answered, answer) = tokio::join!(serve, ask(&mut send, asked, b""));
        let (status, body) = answer.unwrap();
        match answered {
            Ok(()) => assert_eq!((status.as_u16(), &body[..]), (200, reason.as_bytes())),
            Err(found) => assert_eq!((found, status.as_u16()), (reason, 500)),
        }
    }
}

/// `NO_ERROR` says that its client is content, not that there is nothing more.
#[tokio::test]
async fn a_body_that_a_reset_cuts_is_not_taken_for_a_whole_one() {
    for code in [0, 8] {
        let (mut server, mut wire) = Wire::connect(&ServerConfig::default(), &[]).await;
        // `POST http://a/`
        wire.send(&frame(HEADERS, END_HEADERS, 1, b"\x83\x84\x86\x41\x01a")).await;
        let Some(ws_h2::Request::Http(mut request)) = server.next().await else { panic!() };
        wire.send(&[frame(DATA, 0, 1, b"ha"), reset(1, code)].concat()).await;
        let error = request.body(100).await.unwrap_err();
        assert!(matches!(error, ws_h2::Error::StreamReset { code: found } if found == code));
    }
}

// RFC: H2-8.2.3-01
#[tokio::test]
async fn a_cookie_that_came_in_pieces_is_whole() {
    let (mut server, mut wire) = Wire::connect(&ServerConfig::default(), &[]).await;
    // `GET http://a/`
    let blocks = [connect_block(), b"\x82\x84\x86\x41\x01a".to_vec()];
    let mut ids = (1..).step_by(2);
    for (pieces, whole) in [
        (&[][..], None),
        (&["a=b"], Some("a=b")),
        (&["a=b", "c=d", "e=f; g=h"], Some("a=b; c=d; e=f; g=h")),
    ] {
        for block in &blocks {
            let cookies = pieces.iter().flat_map(|piece| literal("cookie", piece));
            let block: Vec<u8> = block.iter().copied().chain(cookies).collect();
            wire.send(&frame(HEADERS, END_HEADERS, ids.next().unwrap(), &block)).await;
            let head = match server.next().await.unwrap() {
                ws_h2::Request::WebSocket(request) => request.head().headers().clone(),
                ws_h2::Request::Http(request) => request.head().headers().clone(),
                other => panic!("{other:?}"),
            };
            let found: Vec<_> = head.get_all("cookie").iter().collect();
            assert_eq!(found, whole.as_slice());
        }
    }
}

// RFC: H2WS-3-05, H2WS-X-02, H2-6.5.2-02
#[tokio::test]
async fn without_websockets_the_setting_is_not_advertised() {
    let mut config = ServerConfig::default();
    let (_server, send) = with_h2_client(&config).await;
    assert!(send.is_extended_connect_protocol_enabled());
    config.websockets = false;
    let (mut server, mut send) = with_h2_client(&config).await;
    assert!(!send.is_extended_connect_protocol_enabled());
    let error = ask(&mut send, h2_request("websocket"), b"").await.unwrap_err();
    assert_eq!(error.reason(), Some(h2::Reason::PROTOCOL_ERROR));
    assert!(futures_now(server.next()).await.is_none());
}

// RFC: H2-6.8-01
#[tokio::test]
async fn a_drained_connection_lets_live_websockets_run_to_their_end() {
    let (mut server, client) = pair(&ServerConfig::default(), &ClientConfig::default()).await;
    let (mut near, mut far) = open(&mut server, &client).await;
    server.handle().drain();
    settle().await;
    assert!(!client.is_open());
    let error = client.connect(request()).await.unwrap_err();
    assert!(error.is_retryable() && error.reason() == "going_away", "{error}");
    near.write(&mut Bytes::from_static(b"on")).await.unwrap();
    assert_eq!(far.read_len(2).await.unwrap(), "on");
    assert!(server.handle().close_reason().is_none());
    let (one, two) = tokio::join!(near.shutdown(), far.shutdown());
    assert!(one.is_ok() && two.is_ok());
    drop((near, far));
    assert!(server.next().await.is_none());
    assert_eq!(server.handle().close_reason().unwrap().reason(), "closed");
}

/// A connection with too little room for GOAWAY, so that its end takes a while.
async fn connect_narrow(config: &ServerConfig) -> (Server, Wire) {
    let (near, far) = tokio::io::duplex(60);
    let mut wire = Wire(near);
    let preface = async {
        wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        wire.send(&frame(SETTINGS, 0, 0, &[])).await;
    };
    let (server, ()) = tokio::join!(Server::accept(far, None, Tokio, config), preface);
    (server.unwrap(), wire)
}

/// Its streams see that as a reset, which is none of the client's.
#[tokio::test(start_paused = true)]
async fn a_connection_that_is_closed_by_its_server_is_no_flood() {
    let mut config = ServerConfig::default();
    (config.reset_burst, config.resets_per_second) = (1, 0);
    let (mut server, mut wire) = connect_narrow(&config).await;
    let mut waiting = Vec::new();
    for id in [1, 3, 5] {
        // `GET http://a/`
        wire.send(&frame(HEADERS, END_HEADERS | END_STREAM, id, b"\x82\x84\x86\x41\x01a")).await;
        waiting.push(server.next().await.unwrap());
    }
    server.handle().close();
    assert!(server.next().await.is_none());
    assert_ne!(server.handle().close_reason().unwrap().reason(), "protocol_error");
    for request in waiting {
        let ws_h2::Request::Http(request) = request else { panic!() };
        assert_eq!(request.respond(Response::new("late")).unwrap_err().reason(), "closed");
    }
}

/// Who answers while the last is written is told the same as who answers later, and so is who writes on a
/// WebSocket whose client has ended it.
#[tokio::test(start_paused = true)]
async fn a_stream_of_a_connection_that_is_being_closed_was_not_reset_by_its_client() {
    for is_flood in [false, true] {
        let mut config = ServerConfig::default();
        (config.reset_burst, config.resets_per_second) = (1, 0);
        let (mut server, mut wire) = connect_narrow(&config).await;
        wire.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x82\x84\x86\x41\x01a")).await;
        let Some(ws_h2::Request::Http(request)) = server.next().await else { panic!() };
        wire.send(&frame(HEADERS, END_HEADERS | END_STREAM, 3, &connect_block())).await;
        let Some(ws_h2::Request::WebSocket(websocket)) = server.next().await else { panic!() };
        let mut websocket = websocket.accept(Response::new(())).unwrap();
        if is_flood {
            for id in [5, 7] {
                wire.send(&[connect(id), reset(id, 8)].concat()).await;
            }
        } else {
            server.handle().close();
        }
        settle().await;
        assert!(server.handle().close_reason().is_none(), "it writes");
        let error = request.respond(Response::new("late")).unwrap_err();
        assert_eq!(error.reason(), if is_flood { "protocol_error" } else { "closed" });
        if is_flood {
            let error = websocket.write(&mut &b"late"[..]).await.unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{error:?}");
        }
    }
}

/// `h2` ends the streams with the connection, and the one who broke its rules is told which.
#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_a_rule_is_not_said_to_be_a_flood() {
    let mut config = ServerConfig::default();
    (config.reset_burst, config.resets_per_second) = (1, 0);
    let (mut server, mut wire) = connect_narrow(&config).await;
    let mut waiting = Vec::new();
    for (id, flags) in [(1, END_STREAM), (3, END_STREAM), (5, END_STREAM), (7, 0), (9, 0)] {
        let page = b"\x82\x84\x86\x41\x01a";
        wire.send(&frame(HEADERS, END_HEADERS | flags, id, page)).await;
        waiting.push(server.next().await.unwrap());
    }
    // RFC 9113 §6.7: a PING belongs to no stream.
    wire.send(&frame(PING, 0, 1, &[0; 8])).await;
    settle().await;
    let rest = async {
        while server.next().await.is_some() {}
        server
    };
    let (code, server) = tokio::join!(wire.goaway_code(), rest);
    assert_eq!(code, Some(1));
    let reason = server.handle().close_reason().unwrap();
    assert!(matches!(reason, ws_h2::Error::ProtocolError { code: 1 }), "{reason:?}");
}

// RFC: H2-6.8-01
#[tokio::test(start_paused = true)]
async fn an_idle_connection_that_is_drained_says_so_at_once() {
    let (server, mut wire) = Wire::connect(&ServerConfig::default(), &[]).await;
    settle().await;
    let start = tokio::time::Instant::now();
    server.handle().drain();
    assert_eq!(wire.goaway_code().await, Some(0));
    assert_eq!(start.elapsed(), Duration::ZERO);
}

// RFC: H2-6.8-01
#[tokio::test(start_paused = true)]
async fn a_websocket_that_crosses_our_goaway_runs_to_its_end() {
    for is_asked in [true, false] {
        let config = ServerConfig::default();
        let (mut server, mut wire) = Wire::connect(&config, &[]).await;
        if is_asked {
            server.handle().drain();
        }
        // After the idle timeout at the latest.
        assert!(wire.next_of(GOAWAY).await.is_some());
        let ping = wire.next_of(PING).await.unwrap();
        wire.send(&connect(1)).await;
        let Some(ws_h2::Request::WebSocket(request)) = server.next().await else { panic!() };
        let mut stream = request.accept(Response::new(())).unwrap();
        wire.send(&frame(PING, ACK, 0, &ping.payload)).await;
        tokio::time::sleep(config.linger * 5).await;
        assert!(server.handle().close_reason().is_none());
        wire.send(&frame(DATA, END_STREAM, 1, b"still here")).await;
        assert_eq!(stream.read_len(10).await.unwrap(), "still here");
        stream.shutdown().await.unwrap();
        drop(stream);
        assert!(server.next().await.is_none());
        assert_eq!(server.handle().close_reason().unwrap().reason(), "closed");
    }
}

// RFC: H2-8.7-01
#[tokio::test]
async fn requests_that_nobody_will_see_are_rejected_unprocessed() {
    let (server, client) = pair(&ServerConfig::default(), &ClientConfig::default()).await;
    let waiting = tokio::spawn(async move { client.connect(request()).await.map(drop) });
    settle().await;
    drop(server);
    let error = waiting.await.unwrap().unwrap_err();
    assert!(error.is_retryable() && error.reason() == "request_rejected", "{error}");
}

// THREAT: idle-carrier
#[tokio::test(start_paused = true)]
async fn a_connection_that_does_nothing_is_closed() {
    let config = ServerConfig::default();
    let start = tokio::time::Instant::now();
    let (mut server, client) = pair(&config, &ClientConfig::default()).await;
    assert!(server.next().await.is_none());
    assert_eq!(start.elapsed().as_secs(), config.idle_timeout.as_secs());
    assert!(!client.is_open());
}

// THREAT: idle-carrier
#[tokio::test(start_paused = true)]
async fn a_connection_that_takes_no_bytes_is_dropped() {
    let config = ServerConfig::default();
    let (near, far) = tokio::io::duplex(100);
    let near_preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let mut near = near;
    tokio::io::AsyncWriteExt::write_all(&mut near, near_preface).await.unwrap();
    let start = tokio::time::Instant::now();
    let mut server = Server::accept(far, None, Tokio, &config).await.unwrap();
    assert!(server.next().await.is_none());
    assert!(start.elapsed() <= config.idle_timeout + config.linger + Duration::from_secs(1));
}

// THREAT: slow-handshake
#[tokio::test(start_paused = true)]
async fn a_client_has_a_deadline_for_its_preface() {
    let config = ServerConfig::default();
    let (_near, far) = tokio::io::duplex(1000);
    let start = tokio::time::Instant::now();
    let error = Server::accept(far, None, Tokio, &config).await.unwrap_err();
    assert_eq!((error.reason(), start.elapsed().as_secs()), ("timeout", 15));
}

// RFC: H2-3.4-01
#[tokio::test]
async fn what_is_not_http_2_is_refused() {
    let (mut near, far) = tokio::io::duplex(1000);
    tokio::io::AsyncWriteExt::write_all(&mut near, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let error = Server::accept(far, None, Tokio, &ServerConfig::default()).await.unwrap_err();
    assert_eq!(error.reason(), "protocol_error");
}
