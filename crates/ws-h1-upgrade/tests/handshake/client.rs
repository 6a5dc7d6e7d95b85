//! What a client sends, accepts and refuses (RFC 6455 §4.1).

use bytes::BytesMut;
use ws_h1_upgrade::{
    ClientKey, ClientOptions, Error, Extension, HandshakeLimits, Headers, Response, ResponseHead,
    ServerHandshake, WsUri, request, validate_response,
};

use crate::wire::{ACCEPT, KEY, RESPONSE, client, head, judge, options, reason};

fn key() -> ClientKey {
    ClientKey::new(*b"the sample nonce")
}

fn accepted(text: &str) -> Response {
    judge(text).expect("accepted").expect("complete")
}

// RFC: WS-4.1-12, WS-4.1-13, WS-4.1-14, WS-4.1-15, WS-4.1-16, WS-4.1-17, WS-4.1-18
// RFC: WS-4.1-19, WS-4.1-20, WS-4.1-21, WS-4.1-22, WS-4.1-23, SEM-7.2-01, SEM-7.8-03, SEM-5.6.1-01
// RFC: SEM-5.3-01, WS-9.1-06
#[test]
fn the_request_is_what_the_rfc_asks_for() {
    let uri = WsUri::parse("ws://A.example:8080/chat?x").expect("a uri");
    let options = ClientOptions {
        origin: Some("http://a.example".into()),
        subprotocols: vec!["b".into(), "a".into()],
        extensions: vec![Extension::new("y"), Extension::new("x").param("n", "1")],
        headers: vec![("Cookie".into(), "c=d".into())],
        ..ClientOptions::default()
    };
    let mut out = BytesMut::new();
    request(&uri, &key(), &options, &mut out).expect("legal");
    assert_eq!(
        String::from_utf8_lossy(&out),
        format!(
            "GET /chat?x HTTP/1.1\r\nHost: a.example:8080\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\
             Origin: http://a.example\r\nSec-WebSocket-Protocol: b, a\r\n\
             Sec-WebSocket-Extensions: y, x; n=1\r\nCookie: c=d\r\n\r\n"
        )
    );
    let upgrade = ServerHandshake::default().receive(&mut out).expect("valid").expect("complete");
    assert_eq!(upgrade.request.offer.extensions, options.extensions);
    assert_eq!(upgrade.request.offer.subprotocols, options.subprotocols);
}

// THREAT: header-injection
#[test]
fn line_breaks_and_owned_headers_never_leave() {
    let uri = WsUri::parse("ws://a").expect("a uri");
    let mut out = BytesMut::new();
    for (name, value) in [("X", "a\r\nY: b"), ("X\n", "a"), ("Sec-WebSocket-Key", "a"), ("X", "\0")]
    {
        let options = ClientOptions {
            headers: vec![(name.into(), value.into())],
            ..ClientOptions::default()
        };
        let error = request(&uri, &key(), &options, &mut out).expect_err("refused");
        assert_eq!((error.reason(), out.len()), ("invalid_header", 0), "{name:?}");
    }
}

#[test]
fn an_ipv6_host_keeps_its_brackets_in_the_request() {
    let uri = WsUri::parse("ws://[::1]:9?q").expect("a uri");
    let mut out = BytesMut::new();
    request(&uri, &key(), &ClientOptions::default(), &mut out).expect("legal");
    assert!(out.starts_with(b"GET /?q HTTP/1.1\r\nHost: [::1]:9\r\n"));
}

// RFC: WS-4.1-26, WS-4.1-27, WS-4.1-28, WS-4.1-29, WS-4.1-30, WS-4.1-31, WS-11.3.3-01
#[test]
fn each_missing_or_wrong_field_of_the_answer_has_its_reason() {
    let without = |name: &str| head(&RESPONSE, name, &[]);
    let replaced = |name: &str, line: &str| head(&RESPONSE, name, &[line]);
    let also = |line: &str| head(&RESPONSE, "", &[line]);
    let rows = [
        (without("Upgrade"), "missing_upgrade_header"),
        (replaced("Upgrade", "Upgrade: h2c"), "invalid_upgrade"),
        (replaced("Upgrade", "Upgrade: websocket, h2c"), "invalid_upgrade"),
        (replaced("Upgrade", "Upgrade: websocket, websocket"), "invalid_upgrade"),
        (replaced("Upgrade", "Upgrade: websocket\r\nUpgrade: websocket"), "invalid_upgrade"),
        (without("Connection"), "missing_connection_header"),
        (replaced("Connection", "Connection: close"), "invalid_connection"),
        (without("Sec-WebSocket-Accept"), "missing_sec_websocket_accept"),
        (
            replaced("Sec-WebSocket-Accept", "Sec-WebSocket-Accept: x"),
            "sec_websocket_accept_mismatch",
        ),
        (
            replaced("Sec-WebSocket-Accept", "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            "sec_websocket_accept_mismatch",
        ),
        (also(RESPONSE[3]), "duplicate_header"),
        (also("Sec-WebSocket-Protocol: c"), "unoffered_subprotocol"),
        (also("Sec-WebSocket-Protocol: A"), "unoffered_subprotocol"),
        (also("Sec-WebSocket-Protocol: a, b"), "unoffered_subprotocol"),
        (also("Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a"), "duplicate_header"),
        (also("Sec-WebSocket-Extensions: y"), "unoffered_extension"),
        (also("Sec-WebSocket-Extensions: x;"), "bad_extension_response"),
        (without("HTTP"), "malformed_response"),
        (head(&RESPONSE, "", &[]).replace("HTTP/1.1", "HTTP/1.0"), "unsupported_http_version"),
        (head(&RESPONSE, "", &[]).replace("HTTP/1.1", "ICY"), "malformed_response"),
        (also("X : y"), "malformed_response"),
        (also("X: a\rb"), "malformed_response"),
        (also("X: a\0b"), "malformed_response"),
    ];
    for (answer, want) in rows {
        assert_eq!(reason(&judge(&answer)), want, "{answer}");
    }
}

// RFC: WS-4.1-27, WS-4.1-28, WS-4.1-32, WS-11.3.2-02, ER-3433, SEM-9.3.6-03, M1-5.2-01
#[test]
fn a_valid_answer_is_accepted_with_all_that_may_vary() {
    let text = "HTTP/1.1 101\r\nUPGRADE: WebSocket\r\nconnection: keep-alive, UPGRADE\r\n\
                sec-websocket-accept: \t s3pPLMBiTxaQ9kYGzzhZRbK+xOo= \r\nContent-Length: 5\r\n\
                Sec-WebSocket-Extensions: x; y\r\nSec-WebSocket-Extensions: x\r\n\
                Sec-WebSocket-Protocol: b\r\nX-Folded: a\r\n b\r\nSet-Cookie: c=d\r\n\r\n";
    let response = accepted(text);
    assert_eq!(response.agreement.subprotocol.as_deref(), Some("b"));
    assert_eq!(response.agreement.extensions.len(), 2);
    assert_eq!(response.headers.get("set-cookie"), Some("c=d"));
    assert_eq!(response.headers.get("x-folded"), Some("a   b"));
}

// RFC: WS-4.1-28
#[test]
fn a_parsed_answer_from_elsewhere_is_judged_by_the_same_rules() {
    let judge = |status: u16, accept: &str| {
        let headers = [
            ("upgrade", " websocket"),
            ("connection", "upgrade\t"),
            ("sec-websocket-accept", accept),
        ];
        let head = ResponseHead { status, headers: &headers };
        validate_response(&head, &key(), &options()).map_err(|error| error.reason())
    };
    // Not every library trims the values of fields.
    let padded = format!("\t {ACCEPT} ");
    assert!(judge(101, &padded).is_ok_and(|response| response.headers.len() == 3));
    assert_eq!(judge(101, &padded.to_lowercase()), Err("sec_websocket_accept_mismatch"));
    assert_eq!(judge(200, &padded), Err("unexpected_status"));
}

// RFC: WS-4.1-25
// THREAT: switching-without-101, credentials-on-redirect
#[test]
fn a_refusal_keeps_status_headers_and_body() {
    let unexpected = |text: &str| match judge(text) {
        Err(Error::UnexpectedStatus { response }) => response,
        other => panic!("{other:?}"),
    };
    let found = unexpected("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 5\r\n\r\nmoved!");
    assert_eq!((found.status, found.headers.get("location")), (302, Some("/x")));
    assert_eq!((&found.body[..], found.is_truncated), (&b"moved"[..], false));
    let found = unexpected("HTTP/1.0 403 No\r\n\r\nuntil the end");
    assert_eq!(
        (found.status, &found.body[..], found.is_truncated),
        (403, &b"until the end"[..], false)
    );
    let found =
        unexpected("HTTP/1.1 401 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    assert_eq!((found.status, &found.body[..]), (401, &b"abc"[..]));
    let found = unexpected("HTTP/1.1 500 x\r\nContent-Length: 9\r\n\r\nshort");
    assert_eq!((&found.body[..], found.is_truncated), (&b"short"[..], true));
    let found = unexpected("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!((found.status, found.body.len(), found.is_truncated), (200, 0, false));
    let found = unexpected("HTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\n");
    assert_eq!((found.status, found.is_truncated), (304, false), "it has no body");
}

#[test]
fn an_answer_and_a_refusal_are_judged_once() {
    let mut client = client(HandshakeLimits::default());
    let mut buf = BytesMut::from(&*head(&RESPONSE, "", &[]).repeat(2));
    assert!(matches!(client.receive(&mut buf), Ok(Some(_))));
    assert_eq!(client.receive(&mut buf), Ok(None));

    let mut client = self::client(HandshakeLimits::default());
    let error = client.receive(&mut BytesMut::from("HTTP/1.1 2000 x\r\n\r\n")).err();
    assert!(error.is_some());
    let mut buf = BytesMut::from(&*head(&RESPONSE, "", &[]));
    assert_eq!(client.receive(&mut buf).err(), error);

    let mut client = self::client(HandshakeLimits::default());
    assert!(!client.is_refused());
    let mut buf = BytesMut::from("HTTP/1.1 403 No\r\n\r\nuntil");
    assert_eq!(client.receive(&mut buf), Ok(None));
    assert!(client.is_refused(), "only its words are missing");
    let refused = client.receive_eof();
    assert!(refused.as_ref().is_some_and(|error| error.reason() == "unexpected_status"));
    let mut buf = BytesMut::from(&*head(&RESPONSE, "", &[]));
    assert_eq!(client.receive(&mut buf).err(), refused);
}

// RFC: WS-4.4-02, WS-11.3.5-02
#[test]
fn the_versions_a_server_names_reach_the_caller() {
    let answer = "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 25, 14\r\n\
                  Sec-WebSocket-Version: 8\r\nContent-Length: 0\r\n\r\n";
    let Err(Error::UnexpectedStatus { response }) = judge(answer) else { panic!("accepted") };
    let versions: Vec<_> = response.headers.values("sec-websocket-version").collect();
    assert_eq!((response.status, versions), (426, vec![&b"25, 14"[..], b"8"]));
}

#[test]
fn a_body_without_end_is_cut_at_the_limit() {
    let mut client = client(HandshakeLimits { max_body: 100, ..HandshakeLimits::default() });
    let mut buf = BytesMut::from("HTTP/1.1 500 x\r\n\r\n");
    for _ in 0..20 {
        buf.extend_from_slice(&[b'x'; 7]);
        if let Err(error) = client.receive(&mut buf) {
            let Error::UnexpectedStatus { response } = &error else { panic!("{error}") };
            assert_eq!((response.body.len(), response.is_truncated), (100, true));
            assert_eq!(client.receive(&mut buf), Err(error.clone()));
            assert_eq!(client.receive_eof(), Some(error));
            return;
        }
    }
    panic!("the body was never cut");
}

// RFC: SEM-15.2-01
// THREAT: header-size
#[test]
fn interim_answers_are_skipped_and_bounded() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
    let answer = head(&RESPONSE, "", &[]);
    assert_eq!(reason(&judge(format!("{interim}{answer}"))), "accepted");
    let sixteen = "HTTP/1.1 100 Continue\r\n\r\n".repeat(16);
    assert_eq!(reason(&judge(format!("{sixteen}{answer}"))), "accepted");
    let more = "HTTP/1.1 100 Continue\r\n\r\n".repeat(17);
    assert_eq!(reason(&judge(format!("{more}{answer}"))), "malformed_response");
}

// THREAT: header-size
#[test]
fn the_size_of_all_heads_together_is_limited() {
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n\r\n";
    let text = format!("{}{}", interim.repeat(3), head(&RESPONSE, "", &[]));
    let judge = |max_handshake_size| {
        let limits = HandshakeLimits { max_handshake_size, ..HandshakeLimits::default() };
        reason(&client(limits).receive(&mut BytesMut::from(&*text)))
    };
    assert_eq!(judge(text.len()), "accepted");
    assert_eq!(judge(text.len() - 1), "handshake_response_too_big");
    assert_eq!(judge(0), "handshake_response_too_big");
}

#[test]
fn frames_behind_the_answer_are_not_lost() {
    let mut buf = BytesMut::from(&*head(&RESPONSE, "", &[]));
    buf.extend_from_slice(b"\x81\x02hi");
    let mut client = client(HandshakeLimits::default());
    assert!(matches!(client.receive(&mut buf), Ok(Some(_))));
    assert_eq!(&buf[..], b"\x81\x02hi");
    assert_eq!(client.receive(&mut buf), Ok(None));
    assert_eq!(client.receive_eof(), None);
}

#[test]
fn a_connection_that_goes_away_before_the_answer_is_no_protocol_error() {
    assert_eq!(judge("HTTP/1.1 101 Switch"), Ok(None));
    assert_eq!(judge(""), Ok(None));
}

#[test]
fn what_was_agreed_without_offers_is_nothing() {
    let mut bare = ws_h1_upgrade::ClientHandshake::new(
        key(),
        ClientOptions::default(),
        HandshakeLimits::default(),
    );
    let response = bare.receive(&mut BytesMut::from(&*head(&RESPONSE, "", &[]))).expect("valid");
    let response = response.expect("complete");
    assert_eq!(response.agreement, ws_h1_upgrade::Agreement::default());
    assert_eq!(response.headers.fields().count(), 3);
    assert_eq!(options().subprotocols.len(), 2);
}
