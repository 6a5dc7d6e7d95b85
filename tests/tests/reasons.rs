//! The error contract, walked: every reason of every crate is produced by what causes it, not
//! constructed, and every name is the one that `tests/data/reasons.txt` lists.
//!
//! `cargo xtask tidy` checks that no listed reason is missing here.

use std::collections::BTreeSet;

use bytes::{Buf, BytesMut};
use ws_frame::{CloseCode, CloseFrame, DataKind, Message};
use ws_h1_upgrade::{
    ClientHandshake, ClientKey, ClientOptions, Extension, HandshakeLimits, HeaderFields,
    OriginPolicy, ServerHandshake, SubprotocolPolicy, WsUri,
};
use ws_session::{Cause, Config, Event, Failure, MaskKeys, Session, TransportError};
use ws_tests::WriteOnly;

/// A reason, and what answers it: a close code, an HTTP status, or nothing.
type Row = (&'static str, u16);

#[test]
fn every_listed_reason_has_a_row_and_every_row_is_listed() {
    let listed: BTreeSet<&str> = include_str!("../data/reasons.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let produced: BTreeSet<&str> = [
        wire().into_iter().collect::<Vec<_>>(),
        causes(),
        callers(),
        drivers(),
        h1_server(),
        h1_client(),
        urls(),
        extended_connect(),
        transports(),
        carriers(),
    ]
    .concat()
    .into_iter()
    .map(|(reason, _)| reason)
    .collect();
    let missing: Vec<_> = listed.difference(&produced).collect();
    let unlisted: Vec<_> = produced.difference(&listed).collect();
    assert!(missing.is_empty(), "listed, but nothing here produces them: {missing:?}");
    assert!(unlisted.is_empty(), "produced, but not listed: {unlisted:?}");
}

fn client() -> Session {
    let config = ws_deflate::Config::default();
    let (_, answer) = ws_deflate::server::negotiate(&config, &[ws_deflate::client::offer(&config)])
        .expect("ours");
    let params = ws_deflate::client::accept(&config, &answer).expect("ours");
    let mut limits = Config::default();
    limits.limits = limits.limits.with_max_message(1000).with_max_fragments(3);
    Session::client(limits, MaskKeys::new(|| [0; 4])).with_deflate(params, &config)
}

/// Ends a session in the middle of what it does and returns it.
fn finish(mut session: Session) -> Session {
    while session.poll_event().is_some() {}
    // The goodbye has left: one that has not was never sent.
    let queue = session.transmit();
    queue.advance(queue.len());
    session.receive_error(TransportError::Closed);
    while session.poll_event().is_some() {}
    session
}

/// What the peer can do wrong on the wire, and the close code that answers it.
fn wire() -> Vec<Row> {
    let mut bomb = BytesMut::from(&b"\xc2"[..]);
    let mut deflater = ws_deflate::Deflater::new(15, false, 6);
    let mut body = BytesMut::new();
    deflater.compress(&[0; 5000], true, &mut body);
    bomb.extend_from_slice(&[u8::try_from(body.len()).expect("a short frame")]);
    bomb.unsplit(body);
    let table: &[(&[u8], &str, u16)] = &[
        (b"\x83\x00", "protocol_error", 1002),
        (b"\x81\x01\xff", "invalid_utf8", 1007),
        (b"\x82\x7e\x03\xe9", "message_too_big", 1009),
        (b"\x88\x02\x03\xed", "bad_close_code", 1002),
        (b"\x01\x00\x00\x00\x00\x00\x00\x00", "too_many_fragments", 1008),
        (b"\xc1\x03\xff\xff\xff", "bad_deflate", 1007),
        (&bomb, "inflate_too_big", 1009),
    ];
    let check = |(wire, reason, code): &(&[u8], &'static str, u16)| {
        let mut session = client();
        session.read_buffer().extend_from_slice(wire);
        assert!(session.poll_event().is_none(), "{reason}");
        let goodbye = session.transmit();
        let sent = goodbye.chunk().get(6..8).map(<[u8]>::to_vec);
        assert_eq!(sent, Some(code.to_be_bytes().to_vec()), "{reason}");
        let session = finish(session);
        let outcome = session.outcome().expect("over");
        assert_eq!(outcome.cause.reason(), "normal", "the session dealt with {reason} by itself");
        let Cause::Violation(error) = &outcome.cause else { panic!("{reason}: {outcome:?}") };
        assert_eq!((error.reason(), error.close_code().get()), (*reason, *code));
        (*reason, *code)
    };
    table.iter().map(check).collect()
}

/// What ends a session, and the close code that it says goodbye with (0 for none).
fn causes() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut check = |session: Session, reason: &'static str, code: u16| {
        let session = finish(session);
        let outcome = session.outcome().expect("over");
        assert_eq!(outcome.cause.reason(), reason);
        let sent = outcome.sent.clone().flatten().map_or(0, |frame| frame.code.get());
        assert_eq!(sent, code, "{reason}");
        rows.push((reason, code));
    };
    // Time goes on from deadline to deadline.
    let mut now = start();
    let mut wait = |session: &mut Session, times: usize| {
        session.poll_timeout(now);
        for _ in 0..times {
            now = session.poll_timeout(now).expect("a deadline");
            session.handle_timeout(now);
        }
    };

    let mut session = client();
    session.close(Some(CloseCode::NORMAL.into())).expect("open");
    check(session, "normal", 1000);

    let mut session = client();
    session.read_buffer().extend_from_slice(b"\x88\x02\x0f\xa0");
    check(session, "remote", 4000);

    let mut config = Config::default();
    config.memory_budget = 300_000;
    let mut session = Session::client(config, MaskKeys::new(|| [0; 4]));
    session.read_buffer().extend_from_slice(b"\x82\x7f\0\0\0\0\x01\0\0\0");
    session.read_buffer().extend_from_slice(&[0; 300_000]);
    check(session, "budget_exceeded", 1009);

    let mut session = client();
    wait(&mut session, 1); // the keep-alive ping
    session.transmit().advance(6);
    wait(&mut session, 1);
    check(session, "idle", 1001);

    let mut session = client();
    session.read_buffer().extend_from_slice(b"\x81\x05abc");
    assert!(session.poll_event().is_none());
    wait(&mut session, 1); // the keep-alive ping
    session.transmit().advance(6);
    session.read_buffer().extend_from_slice(b"d");
    assert!(session.poll_event().is_none());
    wait(&mut session, 2); // the next ping, at the same time as the deadline
    check(session, "message_stalled", 1008);

    let mut session = client();
    session.send(Message::text("nobody reads this")).expect("open");
    wait(&mut session, 2);
    check(session, "write_stalled", 0);

    let mut session = client();
    session.fail(Failure::HandlerFailed);
    check(session, "handler_failed", 1011);

    // Whoever has gone is told nothing.
    check(client(), "transport_error", 0);
    rows
}

#[expect(
    clippy::disallowed_methods,
    reason = "an instant can only be had from the clock; it stays"
)]
fn start() -> std::time::Instant {
    std::time::Instant::now()
}

/// What is refused to the caller; nothing leaves.
fn callers() -> Vec<Row> {
    let mut session = client();
    let long = bytes::Bytes::from_static(&[0; 126]);
    let reason = "r".repeat(124);
    let check = |session: &mut Session, refused: Result<(), ws_session::SendError>, name| {
        assert_eq!(refused.expect_err(name).reason(), name);
        assert!(session.transmit().is_empty(), "{name} left something");
        (name, 0)
    };
    let reserved = session.close(Some(CloseCode::NO_STATUS.into()));
    let mut rows = vec![check(&mut session, reserved, "invalid_close_code")];
    let too_long = session.close(Some(CloseFrame::new(CloseCode::NORMAL, reason)));
    rows.push(check(&mut session, too_long, "reason_too_long"));
    let ping = session.send(Message::Ping(long));
    rows.push(check(&mut session, ping, "control_too_long"));
    let half = session.send_fragment(DataKind::Text, bytes::Bytes::from_static(b"\xce"), true);
    rows.push(check(&mut session, half, "invalid_utf8"));

    session.send_fragment(DataKind::Text, bytes::Bytes::new(), false).expect("open");
    let queued = session.transmit().len();
    session.transmit().advance(queued);
    let inside = session.send(Message::text("x"));
    rows.push(check(&mut session, inside, "message_in_progress"));
    let mixed = session.send_fragment(DataKind::Binary, bytes::Bytes::new(), true);
    rows.push(check(&mut session, mixed, "kind_mismatch"));

    let mut session = finish(session);
    let late = session.send(Message::text("x"));
    rows.push(check(&mut session, late, "closed"));

    let status = ws_h1_upgrade::Refusal::new(200).expect_err("not a refusal");
    assert_eq!(status.reason(), "invalid_status");
    rows.push(("invalid_status", 0));
    rows
}

const KEY: &str = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const VERSION: &str = "sec-websocket-version: 13\r\n";
const HOST: &str = "host: a\r\n";
const UPGRADE: &str = "upgrade: websocket\r\n";
const CONNECTION: &str = "connection: upgrade\r\n";

/// What a server refuses, and the status it answers.
fn h1_server() -> Vec<Row> {
    let request = |first: &str, fields: &[&str]| format!("{first}\r\n{}\r\n", fields.concat());
    let get = |fields: &[&str]| request("GET / HTTP/1.1", fields);
    let flood = "x: y\r\n".repeat(101);
    let long = format!("x: {}\r\n", "y".repeat(70_000));
    let table = [
        (
            "wrong_method",
            405,
            request("POST / HTTP/1.1", &[HOST, UPGRADE, CONNECTION, KEY, VERSION]),
        ),
        ("unsupported_http_version", 505, request("GET / HTTP/1.0", &[HOST, UPGRADE])),
        ("malformed_request", 400, request("GET  / HTTP/1.1", &[HOST])),
        ("missing_host", 400, get(&[UPGRADE, CONNECTION, KEY, VERSION])),
        ("duplicate_header", 400, get(&[HOST, UPGRADE, CONNECTION, KEY, KEY, VERSION])),
        ("malformed_header", 400, get(&["host: a b\r\n", UPGRADE, CONNECTION, KEY, VERSION])),
        ("missing_upgrade_header", 426, get(&[HOST, CONNECTION, KEY, VERSION])),
        ("invalid_upgrade", 426, get(&[HOST, "upgrade: h2c\r\n", CONNECTION, KEY, VERSION])),
        ("missing_connection_header", 400, get(&[HOST, UPGRADE, KEY, VERSION])),
        ("invalid_connection", 400, get(&[HOST, UPGRADE, "connection: close\r\n", KEY, VERSION])),
        ("unsupported_version", 426, get(&[HOST, UPGRADE, CONNECTION, KEY])),
        ("missing_sec_websocket_key", 400, get(&[HOST, UPGRADE, CONNECTION, VERSION])),
        (
            "bad_sec_websocket_key",
            400,
            get(&[HOST, UPGRADE, CONNECTION, "sec-websocket-key: c2hvcnQ=\r\n", VERSION]),
        ),
        (
            "no_acceptable_subprotocol",
            400,
            get(&[HOST, UPGRADE, CONNECTION, KEY, VERSION, "sec-websocket-protocol: b\r\n"]),
        ),
        ("too_many_headers", 431, get(&[HOST, &flood])),
        ("handshake_too_big", 431, get(&[HOST, &long])),
    ];
    let mut rows: Vec<Row> = table
        .into_iter()
        .map(|(reason, status, request)| {
            let policy = SubprotocolPolicy::required(["a"]);
            let mut server = ServerHandshake::new(policy, HandshakeLimits::default());
            let error = server.receive(&mut BytesMut::from(request.as_bytes())).expect_err(reason);
            assert_eq!((error.reason(), error.status()), (reason, status));
            (reason, status)
        })
        .collect();

    let mut server = ServerHandshake::new(SubprotocolPolicy::None, HandshakeLimits::default());
    let origin = "origin: https://evil.example\r\n";
    let request = get(&[HOST, UPGRADE, CONNECTION, KEY, VERSION, origin]);
    let upgrade = server.receive(&mut BytesMut::from(request.as_bytes())).expect("valid");
    let request = upgrade.expect("complete").request;
    let error = request.check_origin(&OriginPolicy::SameOrigin).expect_err("another origin");
    let error = ws_h1_upgrade::Error::from(error);
    assert_eq!((error.reason(), error.status()), ("origin_not_allowed", 403));
    rows.push(("origin_not_allowed", 403));
    rows
}

const ACCEPT: &str = "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

/// What a client refuses.
fn h1_client() -> Vec<Row> {
    let answer = |fields: &[&str]| format!("HTTP/1.1 101 Switching\r\n{}\r\n", fields.concat());
    let good = [UPGRADE, CONNECTION, ACCEPT];
    let with = |field: &str| answer(&[&good.concat(), field]);
    let table = [
        ("unexpected_status", "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned()),
        ("malformed_response", "SMTP\r\n\r\n".to_owned()),
        ("missing_upgrade_header", answer(&[CONNECTION, ACCEPT])),
        ("missing_connection_header", answer(&[UPGRADE, ACCEPT])),
        ("invalid_upgrade", answer(&["upgrade: h2c\r\n", CONNECTION, ACCEPT])),
        ("invalid_connection", answer(&[UPGRADE, "connection: close\r\n", ACCEPT])),
        ("missing_sec_websocket_accept", answer(&[UPGRADE, CONNECTION])),
        (
            "sec_websocket_accept_mismatch",
            answer(&[UPGRADE, CONNECTION, "sec-websocket-accept: x\r\n"]),
        ),
        ("duplicate_header", with(ACCEPT)),
        ("unoffered_subprotocol", with("sec-websocket-protocol: A\r\n")),
        ("unoffered_extension", with("sec-websocket-extensions: bar\r\n")),
        ("too_many_headers", with(&"x: y\r\n".repeat(101))),
        ("handshake_response_too_big", with(&format!("x: {}\r\n", "y".repeat(70_000)))),
    ];
    let mut rows: Vec<Row> = table
        .into_iter()
        .map(|(reason, response)| {
            let options = ClientOptions {
                subprotocols: vec!["a".into()],
                extensions: vec![Extension::new("foo")],
                ..ClientOptions::default()
            };
            let key = ClientKey::new(*b"the sample nonce");
            let mut client = ClientHandshake::new(key, options, HandshakeLimits::default());
            let error = client.receive(&mut BytesMut::from(response.as_bytes())).expect_err(reason);
            assert_eq!(error.reason(), reason);
            (reason, 0)
        })
        .collect();

    let answer = Extension::new("permessage-deflate").flag("no_such_parameter");
    let error = ws_deflate::client::accept(&ws_deflate::Config::default(), &answer);
    assert_eq!(error.expect_err("unknown").reason(), "bad_extension_response");
    rows.push(("bad_extension_response", 0));
    rows
}

/// What is refused before a byte is sent.
fn urls() -> Vec<Row> {
    let table = [
        ("invalid_url", "ws://a/#fragment"),
        ("invalid_scheme", "http://a/"),
        ("invalid_port", "ws://a:70000/"),
    ];
    let mut rows: Vec<Row> = table
        .into_iter()
        .map(|(reason, url)| {
            assert_eq!(WsUri::parse(url).expect_err(url).reason(), reason);
            (reason, 0)
        })
        .collect();
    let options = ClientOptions {
        headers: vec![("X-Evil".into(), "a\r\nInjected: yes".into())],
        ..ClientOptions::default()
    };
    let uri = WsUri::parse("ws://a/").expect("valid");
    let mut out = BytesMut::new();
    let error = ws_h1_upgrade::request(&uri, &ClientKey::new([0; 16]), &options, &mut out);
    assert_eq!(error.expect_err("a line break").reason(), "invalid_header");
    assert!(out.is_empty(), "nothing was written");
    rows.push(("invalid_header", 0));
    rows
}

/// What a server refuses over HTTP/2 and HTTP/3, in the order it looks.
fn extended_connect() -> Vec<Row> {
    let headers = HeaderFields::new();
    let good = ws_h3_upgrade::ConnectRequest {
        method: "CONNECT",
        protocol: Some("websocket"),
        scheme: Some("https"),
        authority: Some("a"),
        path: Some("/"),
        headers: &headers,
    };
    type Broken<'a> = ws_h3_upgrade::ConnectRequest<'a, HeaderFields>;
    let table: [(&str, u16, Broken<'_>); 6] = [
        ("wrong_method", 405, Broken { method: "GET", ..good }),
        ("wrong_protocol", 501, Broken { protocol: Some("connect-udp"), ..good }),
        ("missing_scheme", 400, Broken { scheme: None, ..good }),
        ("missing_authority", 400, Broken { authority: None, ..good }),
        ("missing_path", 400, Broken { path: None, ..good }),
        ("unsupported_version", 400, good),
    ];
    let mut rows: Vec<Row> = table
        .into_iter()
        .map(|(reason, status, request)| {
            let error = ws_h3_upgrade::validate_request(&request, &SubprotocolPolicy::None);
            let error = error.expect_err(reason);
            assert_eq!((error.reason(), error.status()), (reason, status));
            (reason, status)
        })
        .collect();

    let uri = WsUri::parse("wss://a/").expect("valid");
    for setting in [None, Some(0)] {
        let refused = ws_h2_upgrade::client_request(&uri, &ClientOptions::default(), setting);
        let reason = "peer_does_not_allow_connect_protocol";
        assert_eq!(refused.expect_err(reason).reason(), reason);
        rows.push((reason, 0));
    }
    rows
}

/// How a transport ends, inside `transport_error`.
fn transports() -> Vec<Row> {
    let io = |kind: std::io::ErrorKind| TransportError::from(std::io::Error::from(kind));
    let table = [
        ("closed", io(std::io::ErrorKind::ConnectionReset)),
        ("timeout", TransportError::Timeout),
        ("tls_alert", TransportError::TlsAlert(48)),
        ("io", io(std::io::ErrorKind::PermissionDenied)),
    ];
    table
        .into_iter()
        .map(|(reason, error)| {
            assert_eq!(error.reason(), reason);
            let mut session = client();
            session.receive_error(error);
            while let Some(event) = session.poll_event() {
                assert!(matches!(event, Event::Finished));
            }
            let cause = &session.outcome().expect("over").cause;
            assert!(matches!(cause, Cause::Transport(error) if error.reason() == reason));
            (reason, 0)
        })
        .collect()
}

/// What the driver adds.
fn drivers() -> Vec<Row> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let uri = WsUri::parse("ws://a/").expect("valid");
    let options = ws_io::ConnectOptions::default();
    let refused = runtime.block_on(async {
        ws_io::connect(WriteOnly, ws_stack::tokio::Tokio, &uri, &options).await
    });
    let error = refused.expect_err("it cannot be read");
    assert_eq!(error.reason(), "transport_does_not_support_recv");
    assert!(error.to_string().contains("write-only"));
    vec![("transport_does_not_support_recv", 0)]
}

/// The names that the carriers add. What causes them takes a connection each, and is tested where
/// the carriers are.
fn carriers() -> Vec<Row> {
    use ws_h3::Error;
    let table = [
        ("going_away", Error::GoingAway),
        ("request_rejected", Error::RequestRejected),
        ("stream_reset", Error::StreamReset { code: 0x10c }),
        ("malformed_message", Error::MalformedMessage("no status")),
        ("invalid_request", Error::InvalidRequest("no authority")),
        ("request_too_big", Error::RequestTooBig { max: 16 * 1024 }),
        ("too_many_streams", Error::TooManyStreams),
        ("http3", Error::Http3("broken".into())),
    ];
    let mut rows: Vec<Row> = table
        .into_iter()
        .map(|(reason, error)| {
            assert_eq!(error.reason(), reason);
            (reason, 0)
        })
        .collect();
    let table = [
        ("going_away", ws_h2::Error::GoingAway { code: 0 }),
        ("request_rejected", ws_h2::Error::RequestRejected),
        ("http2", ws_h2::Error::Http2(h2::Reason::PROTOCOL_ERROR.into())),
    ];
    for (reason, error) in table {
        assert_eq!(error.reason(), reason);
        rows.push((reason, 0));
    }

    // QUIC needs a TLS 1.3 suite, and this configuration has none.
    let mut provider = rustls::crypto::ring::default_provider();
    provider.cipher_suites.retain(|suite| suite.tls13().is_none());
    let tls = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .expect("tls 1.2 suites remain")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let refused = ws_h3::client_config(tls, &ws_h3::QuicOptions::default());
    assert_eq!(refused.expect_err("no suite").reason(), "invalid_tls_config");
    rows.push(("invalid_tls_config", 0));
    rows
}
