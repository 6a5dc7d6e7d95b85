//! The opening handshake over a transport: both ends of ours, and one end against raw bytes.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use ws_handshake::{HeaderFields, Offer};
use ws_io::{
    AcceptOptions, CloseCode, ConnectOptions, Duplex, Error, Message, OriginPolicy, Refusal,
    Request, Runtime as _, SubprotocolPolicy, Transport, WsUri, accept, connect, duplex, receive,
};

use crate::support::{Hostile, Plan, Sim, Socket, echo, frame, join, read_to_end, write};

fn uri() -> WsUri {
    "ws://chat.example/room?id=7".parse().unwrap()
}

const REQUEST: &str = "GET /room HTTP/1.1\r\nHost: chat.example\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// What a server answers to a raw request, and what it makes of it.
fn answer_to(request: &str, options: AcceptOptions) -> (Result<Socket, Error>, String) {
    let sim = Sim::new();
    let (mut raw, right) = duplex(256 * 1024);
    let request = request.to_owned();
    let answer = sim.spawn_collect(async move {
        write(&mut raw, request).await;
        let mut bytes = BytesMut::new();
        poll_fn(|cx| raw.poll_read(cx, &mut bytes, 10_000)).await.unwrap_or(0);
        let _ = poll_fn(|cx| raw.poll_shutdown(cx)).await;
        (String::from_utf8_lossy(&bytes).into_owned(), raw)
    });
    sim.block_on(async {
        let accepted = accept(right, sim.clone(), options).await;
        (accepted, answer.output().await.0)
    })
}

// RFC: WS-4.1-01
#[test]
fn client_and_server_agree_and_talk() {
    let sim = Sim::new();
    let (left, right) = duplex(64 * 1024);
    let accepting = AcceptOptions {
        subprotocols: SubprotocolPolicy::required(["v2", "v1"]),
        headers: vec![("X-Server".into(), "yes".into())],
        ..AcceptOptions::default()
    };
    let asking = ConnectOptions {
        subprotocols: vec!["v1".into(), "v2".into()],
        origin: Some("http://chat.example".into()),
        headers: vec![("Cookie".into(), "a=b".into())],
        ..ConnectOptions::default()
    };
    let uri = uri();
    sim.block_on(async {
        let (client, server) =
            join(connect(left, sim.clone(), &uri, &asking), accept(right, sim.clone(), accepting))
                .await;
        let (mut client, mut server) = (client.unwrap(), server.unwrap());
        assert_eq!((client.subprotocol(), server.subprotocol()), (Some("v2"), Some("v2")));
        let info = server.upgrade_info().unwrap();
        assert_eq!((info.path(), info.headers().get("cookie")), ("/room?id=7", Some("a=b")));
        assert_eq!(client.upgrade_info().unwrap().headers().get("x-server"), Some("yes"));
        sim.spawn(async move { echo(&mut server).await.unwrap() });
        client.send(Message::text("hello")).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text("hello"));
        assert!(client.close(CloseCode::NORMAL, "").await.unwrap().clean);
        assert_eq!(client.take_upgrade_info().unwrap().path(), "/room?id=7");
        assert!(client.upgrade_info().is_none());
    });
}

// RFC: WS-4.2.2-15
#[test]
fn frames_that_travel_with_the_handshake_are_received_first() {
    let sim = Sim::new();
    let (mut raw, right) = duplex(64 * 1024);
    let mut bytes = BytesMut::from(REQUEST.as_bytes());
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(&frame(0x81, b"early"));
    bytes.extend_from_slice(&frame(0x81, b"bird")[..3]);
    sim.block_on(async {
        write(&mut raw, &bytes).await;
        let mut server = accept(right, sim.clone(), AcceptOptions::default()).await.unwrap();
        assert_eq!(server.next().await.unwrap().unwrap(), Message::text("early"));
        write(&mut raw, &frame(0x81, b"bird")[3..]).await;
        assert_eq!(server.next().await.unwrap().unwrap(), Message::text("bird"));
    });
}

// RFC: WS-4.2.2-04, WS-10.7-02
#[test]
fn every_refusal_reaches_the_client_and_the_caller() {
    let plain = AcceptOptions::default;
    let strict = || AcceptOptions {
        subprotocols: SubprotocolPolicy::required(["v1"]),
        ..AcceptOptions::default()
    };
    let small = || AcceptOptions { max_handshake_size: 100, ..AcceptOptions::default() };
    let few = || AcceptOptions { max_headers: 4, ..AcceptOptions::default() };
    let rows: [(String, AcceptOptions, &str, &str); 8] = [
        (
            format!("{REQUEST}Origin: https://evil.example\r\n\r\n"),
            plain(),
            "origin_not_allowed",
            "403",
        ),
        (format!("{REQUEST}\r\n"), strict(), "no_acceptable_subprotocol", "400"),
        (format!("{REQUEST}\r\n"), small(), "handshake_too_big", "431"),
        (format!("{REQUEST}\r\n"), few(), "too_many_headers", "431"),
        (format!("{REQUEST}\r\n").replace("13", "8"), plain(), "unsupported_version", "426"),
        (format!("{REQUEST}\r\n").replace("GET", "POST"), plain(), "wrong_method", "405"),
        ("\x16\x03\x01".into(), plain(), "malformed_request", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n".into(), plain(), "missing_upgrade_header", "426"),
    ];
    for (request, options, reason, status) in rows {
        let (accepted, answer) = answer_to(&request, options);
        assert_eq!(accepted.unwrap_err().reason(), reason);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{reason}: {answer}");
    }
}

// RFC: WS-10.2-01
#[test]
fn a_page_of_the_same_origin_or_of_the_list_may_connect() {
    let listed = AcceptOptions {
        origin: OriginPolicy::List(vec!["https://app.example".into()]),
        ..AcceptOptions::default()
    };
    let secure = AcceptOptions { secure: true, ..AcceptOptions::default() };
    for (origin, options) in [
        ("http://chat.example", AcceptOptions::default()),
        ("https://chat.example", secure),
        ("https://app.example", listed),
    ] {
        let (accepted, answer) = answer_to(&format!("{REQUEST}Origin: {origin}\r\n\r\n"), options);
        assert!(accepted.is_ok() && answer.starts_with("HTTP/1.1 101 "), "{origin}: {answer}");
    }
}

#[test]
fn a_request_that_another_server_decrypted_is_of_the_same_origin_if_the_options_say_so() {
    let asked = |origin: &str, secure| {
        let fields = HeaderFields::copy_of(&[("Origin", origin)]);
        let offer = Offer::from_headers(&fields).unwrap();
        let mut request = Request::new("/".into(), "chat.example".into(), offer, fields);
        request.secure = secure;
        request
    };
    for (origin, request_is, options_are, want) in [
        ("https://chat.example", false, true, true),
        ("https://chat.example", true, false, true),
        ("https://chat.example", false, false, false),
        ("http://chat.example", false, false, true),
        ("http://chat.example", false, true, false),
    ] {
        let options = AcceptOptions { secure: options_are, ..AcceptOptions::default() };
        let agreed = options.agree(&asked(origin, request_is));
        assert_eq!(agreed.is_ok(), want, "{origin} {request_is} {options_are}");
    }
}

#[test]
fn whoever_looks_at_the_request_first_may_refuse_it_with_anything() {
    let sim = Sim::new();
    let (left, right) = duplex(64 * 1024);
    let options = ConnectOptions::default();
    let uri = uri();
    let (connected, refused) =
        sim.block_on(join(connect(left, sim.clone(), &uri, &options), async {
            let incoming = receive(right, sim.clone(), AcceptOptions::default()).await?;
            assert_eq!(incoming.request().path, "/room?id=7");
            sim.sleep(Duration::from_secs(9)).await;
            let refusal = Refusal::new(401)?.with_header("WWW-Authenticate", "Basic")?;
            incoming.refuse(refusal.with_body(&b"who are you"[..])).await
        }));
    refused.unwrap();
    let Error::Handshake(error) = connected.unwrap_err() else { panic!("not a handshake error") };
    let ws_h1_upgrade::Error::UnexpectedStatus { response } = *error else { panic!("{error}") };
    assert_eq!(response.status, 401);
    assert_eq!(response.headers.get("www-authenticate"), Some("Basic"));
    assert_eq!(response.body, b"who are you");
}

#[test]
fn the_caller_may_choose_the_subprotocol_and_add_header_fields() {
    let sim = Sim::new();
    let (left, right) = duplex(64 * 1024);
    let options = ConnectOptions { subprotocols: vec!["a".into()], ..ConnectOptions::default() };
    let uri = uri();
    let (connected, accepted) =
        sim.block_on(join(connect(left, sim.clone(), &uri, &options), async {
            let incoming = receive(right, sim.clone(), AcceptOptions::default()).await?;
            incoming.with_subprotocol(Some("a")).with_header("Set-Cookie", "x=y").accept().await
        }));
    accepted.unwrap();
    let client = connected.unwrap();
    assert_eq!(client.subprotocol(), Some("a"));
    assert_eq!(client.upgrade_info().unwrap().headers().get("set-cookie"), Some("x=y"));
}

#[test]
fn a_choice_that_was_not_offered_is_never_answered_nor_one_to_another_origin() {
    for (fields, reason) in [
        ("", "unoffered_subprotocol"),
        ("Sec-WebSocket-Protocol: b\r\nOrigin: http://other.example\r\n", "origin_not_allowed"),
    ] {
        let sim = Sim::new();
        let (mut raw, right) = duplex(64 * 1024);
        sim.block_on(async {
            write(&mut raw, format!("{REQUEST}{fields}\r\n")).await;
            poll_fn(|cx| raw.poll_shutdown(cx)).await.unwrap();
            let incoming = receive(right, sim.clone(), AcceptOptions::default()).await.unwrap();
            let error = incoming.with_subprotocol(Some("b")).accept().await.unwrap_err();
            assert_eq!(error.reason(), reason);
            assert!(!read_to_end(&mut raw).await.contains("101"));
        });
    }
}

// THREAT: slow-handshake
#[test]
fn silence_and_dripping_in_the_handshake_are_cut() {
    // Bytes one at a time, at this distance; when the server gives up.
    for (gap, limit) in [(60, 5), (2, 15)] {
        let sim = Sim::new();
        let (mut raw, right) = duplex(64 * 1024);
        let clock = sim.clone();
        sim.spawn(async move {
            for byte in REQUEST.bytes() {
                clock.sleep(Duration::from_secs(gap)).await;
                write(&mut raw, [byte]).await;
            }
        });
        let error = sim.block_on(accept(right, sim.clone(), AcceptOptions::default())).unwrap_err();
        assert_eq!(
            (error.reason(), error.to_string().as_str()),
            ("transport_error", "the transport failed")
        );
        let elapsed = sim.elapsed().as_secs();
        assert!((limit..=limit + 1).contains(&elapsed), "gave up after {elapsed} s");
    }
}

// THREAT: slow-handshake
#[test]
fn a_client_gives_up_on_a_silent_server_and_notices_one_that_leaves() {
    let (options, uri) = (ConnectOptions::default(), uri());
    let sim = Sim::new();
    let (left, _right) = duplex(64 * 1024);
    let error = sim.block_on(connect(left, sim.clone(), &uri, &options)).unwrap_err();
    assert!(matches!(&error, Error::Transport(ws_io::TransportError::Timeout)), "{error:?}");
    assert_eq!(sim.elapsed(), Duration::from_secs(15));

    let (left, mut right) = duplex(64 * 1024);
    sim.block_on(poll_fn(|cx| right.poll_shutdown(cx))).unwrap();
    let error = sim.block_on(connect(left, sim.clone(), &uri, &options)).unwrap_err();
    assert!(matches!(&error, Error::Transport(ws_io::TransportError::Closed)), "{error:?}");
}

// THREAT: slow-handshake
#[test]
fn a_server_that_begins_to_answer_and_pauses_or_drips_is_given_up_on() {
    // Bytes one at a time, at this distance; when the client gives up.
    for (gap, limit) in [(60, 5), (2, 15)] {
        let sim = Sim::new();
        let (left, mut raw) = duplex(64 * 1024);
        let clock = sim.clone();
        sim.spawn(async move {
            for byte in b"HTTP/1.1 101 Switching Protocols\r\n" {
                write(&mut raw, [*byte]).await;
                clock.sleep(Duration::from_secs(gap)).await;
            }
        });
        let options = ConnectOptions::default();
        let error = sim.block_on(connect(left, sim.clone(), &uri(), &options)).unwrap_err();
        assert!(matches!(&error, Error::Transport(ws_io::TransportError::Timeout)), "{error:?}");
        assert_eq!(sim.elapsed(), Duration::from_secs(limit), "{gap}");
    }
}

#[test]
fn a_peer_that_takes_nothing_of_the_handshake_is_given_up_on() {
    let sim = Sim::new();
    let (left, _raw) = duplex(10);
    let options = ConnectOptions::default();
    let error = sim.block_on(connect(left, sim.clone(), &uri(), &options)).unwrap_err();
    assert!(matches!(&error, Error::Transport(ws_io::TransportError::Timeout)), "{error:?}");
    assert_eq!(sim.elapsed(), Duration::from_secs(15));

    let sim = Sim::new();
    let (mut raw, right) = duplex(64 * 1024);
    sim.block_on(write(&mut raw, format!("{REQUEST}\r\n")));
    let stuck = Hostile::new(right, Plan { stuck: true, ..Plan::default() });
    let error = sim.block_on(accept(stuck, sim.clone(), AcceptOptions::default())).unwrap_err();
    assert!(matches!(&error, Error::Transport(ws_io::TransportError::Timeout)), "{error:?}");
    assert_eq!(sim.elapsed(), Duration::from_secs(15));
}

// RFC: WS-4.1-25
// THREAT: slow-handshake
#[test]
fn a_refusal_whose_body_has_no_end_does_not_keep_the_client_waiting() {
    let sim = Sim::new();
    let (left, mut right) = duplex(64 * 1024);
    let mut answer: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\r\nlater";
    sim.block_on(poll_fn(|cx| right.poll_write(cx, &mut answer))).unwrap();
    assert!(answer.is_empty(), "all of it was written");
    let options = ConnectOptions::default();
    let error = sim.block_on(connect(left, sim.clone(), &uri(), &options)).unwrap_err();
    let Error::Handshake(error) = error else { panic!("{error:?}") };
    let ws_h1_upgrade::Error::UnexpectedStatus { response } = *error else { panic!("{error}") };
    assert_eq!((response.status, &response.body[..]), (503, &b"later"[..]));
    assert!(sim.elapsed() < Duration::from_secs(1));
}

// RFC: WS-4.1-23
// THREAT: header-injection
#[test]
fn what_must_not_be_written_is_refused_before_a_byte_is_sent() {
    let sim = Sim::new();
    let (left, mut right) = duplex(64 * 1024);
    let headers = vec![("X".into(), "a\r\nHost: evil".into())];
    let options = ConnectOptions { headers, ..ConnectOptions::default() };
    let error = sim.block_on(connect(left, sim.clone(), &uri(), &options)).unwrap_err();
    assert_eq!(error.reason(), "invalid_header");
    assert_eq!(sim.block_on(read_to_end(&mut right)), "");
}

#[test]
fn a_transport_that_cannot_be_read_yet_is_refused_by_name() {
    struct Mute(Duplex);
    impl Transport for Mute {
        fn poll_read(
            &mut self,
            cx: &mut std::task::Context<'_>,
            buf: &mut BytesMut,
            max: usize,
        ) -> std::task::Poll<std::io::Result<usize>> {
            self.0.poll_read(cx, buf, max)
        }
        fn poll_write(
            &mut self,
            cx: &mut std::task::Context<'_>,
            buf: &mut dyn bytes::Buf,
        ) -> std::task::Poll<std::io::Result<usize>> {
            self.0.poll_write(cx, buf)
        }
        fn poll_flush(
            &mut self,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            self.0.poll_flush(cx)
        }
        fn poll_shutdown(
            &mut self,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            self.0.poll_shutdown(cx)
        }
        fn supports_handshake_recv(&self) -> bool {
            false
        }
        fn name(&self) -> &'static str {
            "mute"
        }
    }
    let sim = Sim::new();
    let (left, mut right) = duplex(64 * 1024);
    let options = ConnectOptions::default();
    let error = sim.block_on(connect(Mute(left), sim.clone(), &uri(), &options)).unwrap_err();
    assert_eq!(error.reason(), "transport_does_not_support_recv");
    assert_eq!(error.to_string(), "transport mute cannot be read during the handshake");
    assert_eq!(sim.block_on(read_to_end(&mut right)), "");
}

/// Whether a handshake and one echo work between two transports after these plans.
fn shake(server_plan: Plan, client_plan: Plan) -> bool {
    let sim = Sim::new();
    let (left, right) = duplex(300);
    let (left, right) = (Hostile::new(left, client_plan), Hostile::new(right, server_plan));
    let (options, uri) = (ConnectOptions::default(), uri());
    let accepting = Arc::new(AcceptOptions::default());
    let (connected, served) = sim.block_on(join(
        async {
            let mut client = connect(left, sim.clone(), &uri, &options).await?;
            client.send(Message::text("hello")).await?;
            let echoed = client.next().await.transpose()?;
            Ok::<_, Error>(echoed == Some(Message::text("hello")))
        },
        async {
            let mut server = accept(right, sim.clone(), accepting).await?;
            echo(&mut server).await
        },
    ));
    // The client leaves without a goodbye, which the server reports; so only the client counts.
    drop(served);
    matches!(connected, Ok(true))
}

#[test]
fn a_handshake_survives_every_transport_that_keeps_its_promises() {
    for (read, write) in [(1, 1), (3, 7), (usize::MAX, 1)] {
        for pending_every in [None, Some(2)] {
            let plan = Plan { read, write, pending_every, ..Plan::default() };
            assert!(shake(plan.clone(), plan.clone()), "{plan:?}");
        }
    }
}

#[test]
fn a_request_is_as_secure_as_its_connection() {
    for secure in [false, true] {
        let sim = Sim::new();
        let (mut raw, right) = duplex(64 * 1024);
        sim.block_on(async {
            write(&mut raw, format!("{REQUEST}\r\n")).await;
            let options = AcceptOptions::default().with_secure(secure);
            let incoming = receive(right, sim.clone(), options).await.unwrap();
            assert_eq!(incoming.request().secure, secure);
        });
    }
}

#[cfg(feature = "deflate")]
#[test]
fn compression_is_agreed_on_and_used() {
    let sim = Sim::new();
    let (left, right) = duplex(64 * 1024);
    let left = Hostile::new(left, Plan::default());
    let counts = left.counts();
    let options = ConnectOptions {
        deflate: Some(ws_deflate::Config::default()),
        ..ConnectOptions::default()
    };
    let accepting =
        AcceptOptions { deflate: Some(ws_deflate::Config::default()), ..AcceptOptions::default() };
    let uri = uri();
    sim.block_on(async {
        let (client, server) =
            join(connect(left, sim.clone(), &uri, &options), accept(right, sim.clone(), accepting))
                .await;
        let (mut client, mut server) = (client.unwrap(), server.unwrap());
        sim.spawn(async move { echo(&mut server).await.unwrap() });
        let before = counts.lock().unwrap().written;
        let text = Message::text("compress me ".repeat(1000));
        client.send(text.clone()).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), text);
        let compressed = counts.lock().unwrap().written - before;
        assert!(compressed < 1000, "{compressed} bytes");
        client.feed_with(text.clone(), ws_io::Compress::Never).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), text);
        assert!(counts.lock().unwrap().written - before > 12_000);
    });
}
