//! What a server accepts, refuses and answers (RFC 6455 §4.2, RFC 9110, RFC 9112).

use bytes::BytesMut;
use ws_h1_upgrade::{
    Error, Extension, HandshakeLimits, HeadProblem, HeaderFields, Headers, OriginPolicy, Refusal,
    RequestHead, ServerHandshake, SubprotocolPolicy, Upgrade, accept, refuse, response_headers,
    validate_request,
};

use crate::wire::{ACCEPT, REQUEST, head, reason, serve, serve_with, start};

fn upgrade(text: &str) -> Upgrade {
    serve(text).expect("accepted").expect("complete")
}

fn answer(upgrade: &Upgrade) -> String {
    let mut out = BytesMut::new();
    accept(upgrade, &HeaderFields::new(), &mut out).expect("agreed");
    String::from_utf8(out.to_vec()).expect("text")
}

/// The values of all fields of this name.
fn named<'a>(answer: &'a str, name: &str) -> Vec<&'a str> {
    let fields = answer.lines().filter_map(|line| line.split_once(": "));
    fields.filter(|field| field.0.eq_ignore_ascii_case(name)).map(|field| field.1).collect()
}

fn refusal(error: &Error) -> String {
    let mut out = BytesMut::new();
    refuse(&error.refusal(), &mut out);
    String::from_utf8(out.to_vec()).expect("text")
}

// RFC: WS-4.2.2-12, WS-4.2.2-09, SEM-7.8-01, SEM-15.2.2-01, M1-6.1-01
#[test]
fn a_valid_request_is_answered_with_101_and_the_proof() {
    let upgrade = upgrade(&head(&REQUEST, "", &[]));
    assert_eq!(upgrade.request.path, "/chat?x=1");
    assert_eq!(upgrade.request.authority, "a.example");
    assert_eq!(
        answer(&upgrade),
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
        )
    );
}

// RFC: WS-4.2.1-01, WS-4.2.1-02, WS-4.2.1-03, WS-4.2.1-04, WS-4.2.1-05, WS-4.2.1-06, WS-10.7-02
// RFC: WS-11.3.1-01, M1-3.2-06, SEM-7.8-04
#[test]
fn each_missing_or_wrong_field_has_its_reason_and_status() {
    let without = |name: &str| head(&REQUEST, name, &[]);
    let replaced = |name: &str, line: &str| head(&REQUEST, name, &[line]);
    let also = |line: &str| head(&REQUEST, "", &[line]);
    let rows = [
        (start("POST / HTTP/1.1"), "wrong_method", 405),
        (start("POST / HTTP/1.1").replace("Upgrade: websocket", "X: y"), "wrong_method", 405),
        (start("get / HTTP/1.1"), "wrong_method", 405),
        (start("HEAD / HTTP/1.1"), "wrong_method", 405),
        (start("CONNECT a.example:80 HTTP/1.1"), "wrong_method", 405),
        (start("GET / HTTP/1.0"), "unsupported_http_version", 505),
        (start("GET / HTTP/2.0"), "unsupported_http_version", 505),
        (start("GET / http/1.1"), "malformed_request", 400),
        (without("Host"), "missing_host", 400),
        (replaced("Host", "Host:"), "malformed_header", 400),
        (replaced("Host", "Host: a b"), "malformed_header", 400),
        (replaced("Host", "Host: u@a"), "malformed_header", 400),
        (replaced("Host", "Host: a:99999"), "malformed_header", 400),
        (replaced("Host", "Host: a/b"), "malformed_header", 400),
        (also("Host: a.example"), "duplicate_header", 400),
        (also("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), "duplicate_header", 400),
        (also("Sec-WebSocket-Version: 13"), "duplicate_header", 400),
        (also("Origin: a\r\nOrigin: a"), "duplicate_header", 400),
        (also("Transfer-Encoding: chunked\r\nContent-Length: 3"), "malformed_header", 400),
        (also("Transfer-Encoding: chunked"), "malformed_header", 400),
        (also("Content-Length: 3"), "malformed_header", 400),
        (also("Content-Length: three"), "malformed_header", 400),
        (also("Content-Length: -1"), "malformed_header", 400),
        (also("Content-Length:"), "malformed_header", 400),
        // What smuggles comes before what only opens no WebSocket.
        (replaced("Upgrade", "Sec-WebSocket-Version: 13"), "duplicate_header", 400),
        (replaced("Upgrade", "Content-Length: three"), "malformed_header", 400),
        (
            replaced("Upgrade", "Transfer-Encoding: chunked\r\nContent-Length: 3"),
            "malformed_header",
            400,
        ),
        (without("Upgrade"), "missing_upgrade_header", 426),
        (replaced("Upgrade", "Upgrade: h2c"), "invalid_upgrade", 426),
        (replaced("Upgrade", "Upgrade: websocket/13"), "invalid_upgrade", 426),
        (replaced("Upgrade", "Upgrade: websocket, a b"), "invalid_upgrade", 426),
        (replaced("Upgrade", "Upgrade:"), "invalid_upgrade", 426),
        (without("Connection"), "missing_connection_header", 400),
        (replaced("Connection", "Connection: close"), "invalid_connection", 400),
        (replaced("Connection", "Connection: notupgrade"), "invalid_connection", 400),
        (replaced("Connection", "Connection: \"upgrade\""), "invalid_connection", 400),
        (without("Sec-WebSocket-Version"), "unsupported_version", 426),
        (without("Sec-WebSocket-Key"), "missing_sec_websocket_key", 400),
        (replaced("Sec-WebSocket-Key", "Sec-WebSocket-Key: abc"), "bad_sec_websocket_key", 400),
        (also("Sec-WebSocket-Extensions: a; b=\"c d\""), "malformed_header", 400),
        (also("Sec-WebSocket-Protocol: a, a"), "malformed_header", 400),
    ];
    for (request, want, status) in rows {
        let error = serve(&request).expect_err(&request);
        assert_eq!((error.reason(), error.status()), (want, status), "{request}");
        let answer = refusal(&error);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        let connection = named(&answer, "Connection").concat();
        assert_eq!(connection, if status == 426 { "close, Upgrade" } else { "close" }, "{answer}");
    }
}

// RFC: WS-4.2.1-03, WS-4.2.1-04, WS-4.2.1-10, WS-2.1-01, ER-5453
#[test]
fn lists_case_order_and_unknown_fields_do_not_matter() {
    let request = "GET / HTTP/1.1\r\nX-Unknown: \u{e9}\r\nsec-websocket-key:dGhlIHNhbXBsZSBub25jZQ==\t\r\n\
                   CONNECTION: keep-alive\r\nconnection: ,UPGRADE\r\nupgrade: h2c/2, WebSocket\r\n\
                   sec-WEBSOCKET-version:  13\r\nhOST:  a.example:8080 \r\n\r\n";
    let upgrade = upgrade(request);
    assert_eq!(upgrade.request.authority, "a.example:8080");
    assert_eq!(upgrade.request.headers.get("x-unknown"), Some("\u{e9}"));
    assert_eq!(upgrade.request.headers.len(), 7);
}

// RFC: WS-4.2.2-06, WS-4.4-01, SEM-7.8-02, SEM-15.5.22-01
#[test]
fn a_wrong_version_is_not_answered_without_the_version_to_use() {
    for version in ["8", "013", "12", "14", "0", "256", "x", "13, 8"] {
        let line = format!("Sec-WebSocket-Version: {version}");
        let error = serve(head(&REQUEST, "Sec-WebSocket-Version", &[&line])).expect_err(version);
        assert_eq!(error.reason(), "unsupported_version");
        let answer = refusal(&error);
        assert!(answer.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{answer}");
        assert_eq!(named(&answer, "Sec-WebSocket-Version"), ["13"], "{answer}");
        assert_eq!(named(&answer, "Upgrade"), ["websocket"], "{answer}");
        assert_eq!(named(&answer, "Connection"), ["close, Upgrade"], "{answer}");
    }
}

// RFC: M1-3.2-03, WS-4.1-14
#[test]
fn the_host_of_an_absolute_target_wins() {
    let rows = [
        ("http://b.example:81/p?q", "b.example:81", "/p?q"),
        ("HTTPS://[::1]", "[::1]", "/"),
        ("http://b.example?q", "b.example", "/?q"),
        ("//x/y", "a.example", "//x/y"),
    ];
    for (target, authority, path) in rows {
        let request = upgrade(&start(&format!("GET {target} HTTP/1.1"))).request;
        assert_eq!((&*request.authority, &*request.path), (authority, path), "{target}");
        assert_eq!(request.secure, target.starts_with("HTTPS"), "{target}");
    }
    for target in ["*", "p", "ftp://a/", "http:///p", "http://u@a/", "ws://a/", "/a#b", "/\u{e9}"] {
        let got = serve(start(&format!("GET {target} HTTP/1.1")));
        assert_eq!(reason(&got), "malformed_request", "{target}");
    }
}

// RFC: M1-3.2-06, SEM-7.8-04, WS-11.3.1-01
// THREAT: smuggling
#[test]
fn post_http_1_0_no_host_or_a_second_key_do_not_open_a_connection() {
    for request in [
        start("POST / HTTP/1.1"),
        start("GET / HTTP/1.0"),
        head(&REQUEST, "Host", &[]),
        head(&REQUEST, "", &[REQUEST[5]]),
    ] {
        assert!(serve(&request).is_err(), "{request}");
    }
}

// Load balancers ask like this whether a server is well, with a Host or without.
#[test]
fn a_request_of_http_1_0_for_a_page_is_no_attempt_at_a_websocket() {
    for (head, reason) in [
        ("GET /health HTTP/1.0\r\n\r\n", "missing_upgrade_header"),
        ("HEAD / HTTP/1.0\r\nHost: a\r\nConnection: close\r\n\r\n", "missing_upgrade_header"),
        ("GET / HTTP/1.0\r\nHost: a b\r\n\r\n", "malformed_header"),
        ("POST / HTTP/1.0\r\n\r\n", "wrong_method"),
        ("GET / HTTP/1.0\r\nUpgrade: websocket\r\n\r\n", "unsupported_http_version"),
        ("GET / HTTP/1.0\r\nUpgrade: h2c\r\n\r\n", "invalid_upgrade"),
        ("HEAD / HTTP/1.1\r\nHost: a\r\nUpgrade: TLS/1.2\r\n\r\n", "invalid_upgrade"),
        ("HEAD / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", "wrong_method"),
        ("GET / HTTP/2.0\r\n\r\n", "unsupported_http_version"),
        ("GET / HTTP/1.1\r\n\r\n", "missing_host"),
    ] {
        assert_eq!(self::reason(&serve(head)), reason, "{head:?}");
    }
}

// RFC: WS-11.3.4-01, WS-11.3.2-01, WS-9.1-02
#[test]
fn split_header_lines_are_not_refused() {
    let text = head(
        &REQUEST,
        "Connection",
        &[
            "Connection: keep-alive",
            "Connection: Upgrade",
            "Sec-WebSocket-Protocol: a",
            "Sec-WebSocket-Protocol: b",
            "Sec-WebSocket-Extensions: x",
            "Sec-WebSocket-Extensions: y; z",
        ],
    );
    let offer = upgrade(&text).request.offer;
    assert_eq!(offer.subprotocols, ["a", "b"]);
    assert_eq!(offer.extensions, [Extension::new("x"), Extension::new("y").flag("z")]);
}

// RFC: WS-10.5-01
#[test]
fn whatever_authenticates_a_client_reaches_the_one_who_decides() {
    let text = head(&REQUEST, "", &["Authorization: Basic eDp5", "Cookie: a=b", "Cookie: c=d"]);
    let request = upgrade(&text).request;
    assert_eq!(request.headers.get("authorization"), Some("Basic eDp5"));
    let cookies: Vec<_> = request.headers.values("cookie").collect();
    assert_eq!(cookies, [b"a=b", b"c=d"]);
}

// RFC: M1-3-01
#[test]
fn a_target_of_eight_thousand_bytes_is_read() {
    let path = format!("/{}", "a".repeat(8_000));
    assert_eq!(upgrade(&start(&format!("GET {path} HTTP/1.1"))).request.path, path);
}

// RFC: M1-3-01
#[test]
fn a_target_that_is_too_long_is_told_from_a_head_that_is() {
    let limits = HandshakeLimits { max_handshake_size: 500, ..HandshakeLimits::default() };
    let long = "a".repeat(600);
    let line = start(&format!("GET /{long} HTTP/1.1"));
    let field = head(&REQUEST, "", &[&long]);
    // Empty lines before the request are no part of it.
    let late = |request: &String| format!("\r\n\r\n{request}");
    let rows = [(late(&line), 414), (late(&field), 431), (line, 414), (field, 431)];
    for (request, status) in rows {
        for cut in [request.len(), 1] {
            let mut server = ServerHandshake::new(SubprotocolPolicy::None, limits);
            let mut buf = BytesMut::new();
            let mut pieces = request.as_bytes().chunks(cut);
            let refused = pieces.find_map(|piece| {
                buf.extend_from_slice(piece);
                server.receive(&mut buf).err()
            });
            assert_eq!(refused.map(|error| error.status()), Some(status), "{request:?}");
        }
    }
}

// RFC: SEM-7.8-05, M1-6.3-01
#[test]
fn a_client_that_waits_for_100_is_not_left_waiting() {
    let upgrade = upgrade(&head(&REQUEST, "", &["Expect: 100-Continue", "Content-Length: 0"]));
    assert!(upgrade.expects_continue);
    let answer = answer(&upgrade);
    assert!(answer.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 "), "{answer}");
}

// RFC: WS-4.2.2-15
#[test]
fn frames_behind_the_request_are_not_lost() {
    let mut buf = BytesMut::from(&*head(&REQUEST, "", &[]));
    buf.extend_from_slice(b"\x81\x80\x00\x00\x00\x00\r\n\r\n");
    let mut server = ServerHandshake::default();
    assert!(matches!(server.receive(&mut buf), Ok(Some(_))));
    assert_eq!(&buf[..], b"\x81\x80\x00\x00\x00\x00\r\n\r\n");
    assert_eq!(server.receive(&mut buf), Ok(None));
    buf.clear();
    buf.extend_from_slice(head(&REQUEST, "", &[]).as_bytes());
    assert_eq!(server.receive(&mut buf), Ok(None), "another request is none");
}

#[test]
fn what_is_wrong_with_a_field_is_named() {
    for (line, problem) in
        [("X y: z", HeadProblem::HeaderName), ("X: a\u{1}", HeadProblem::HeaderValue)]
    {
        let refused = serve(head(&REQUEST, "", &[line]));
        assert_eq!(refused, Err(Error::MalformedRequest { problem }), "{line:?}");
    }
}

#[test]
fn a_refused_request_is_refused_again_whatever_follows() {
    let mut server = ServerHandshake::default();
    let mut buf = BytesMut::from(&*start("POST / HTTP/1.1"));
    let refused = server.receive(&mut buf);
    assert_eq!(reason(&refused), "wrong_method");
    let mut buf = BytesMut::from(&*head(&REQUEST, "", &[]));
    assert_eq!(server.receive(&mut buf), refused);
}

// RFC: WS-4.2.2-08, WS-4.2.2-09, WS-4.2.2-13
#[test]
fn the_subprotocol_is_chosen_in_the_order_of_the_server() {
    let serve = |policy| {
        let text =
            head(&REQUEST, "", &["Sec-WebSocket-Protocol: a, b", "Sec-WebSocket-Protocol: c"]);
        serve_with(policy, HandshakeLimits::default(), text)
    };
    let chosen =
        |policy| serve(policy).map(|upgrade| upgrade.and_then(|u| u.agreement.subprotocol));
    assert_eq!(chosen(SubprotocolPolicy::optional(["c", "a"])), Ok(Some("c".into())));
    assert_eq!(chosen(SubprotocolPolicy::optional(["x"])), Ok(None));
    let upgrade = serve(SubprotocolPolicy::required(["b"])).ok().flatten().expect("accepted");
    assert_eq!(named(&answer(&upgrade), "Sec-WebSocket-Protocol"), ["b"]);
    let refused = serve(SubprotocolPolicy::required(["x"])).expect_err("none acceptable");
    assert_eq!((refused.reason(), refused.status()), ("no_acceptable_subprotocol", 400));
}

// RFC: WS-4.2.2-10, WS-4.2.2-11, WS-4.2.2-14, WS-9-01, WS-9.1-05, WS-9.1-06
#[test]
fn extensions_are_answered_in_one_line_and_only_if_offered() {
    let mut upgrade = upgrade(&head(&REQUEST, "", &["Sec-WebSocket-Extensions: x; y=1, z"]));
    upgrade.agreement.extensions = vec![Extension::new("x").flag("y"), Extension::new("z")];
    assert_eq!(named(&answer(&upgrade), "Sec-WebSocket-Extensions"), ["x; y, z"]);
    upgrade.agreement.extensions.push(Extension::new("w"));
    let mut out = BytesMut::new();
    let error = accept(&upgrade, &HeaderFields::new(), &mut out).expect_err("not offered");
    assert_eq!((error.reason(), error.status(), out.len()), ("unoffered_extension", 500, 0));
    let error = response_headers(&upgrade).expect_err("not offered");
    assert_eq!(error.reason(), "unoffered_extension");
}

// RFC: SEM-5.5-01
// THREAT: header-injection
#[test]
fn line_breaks_in_headers_of_the_answer_never_leave() {
    let upgrade = upgrade(&head(&REQUEST, "", &[]));
    let mut out = BytesMut::new();
    for extra in [("X", "a\r\nY: b"), ("X\r\nY", "a"), ("Sec-WebSocket-Accept", "a"), ("X", "\0")] {
        let error = accept(&upgrade, &[extra], &mut out).expect_err("refused");
        assert_eq!((error.reason(), out.len()), ("invalid_header", 0), "{extra:?}");
    }
    accept(&upgrade, &[("Set-Cookie", "a=b")], &mut out).expect("allowed");
    assert!(out.windows(20).any(|part| part == b"\r\nSet-Cookie: a=b\r\n\r"));
}

// RFC: WS-4.2.2-02, WS-4.2.2-03, WS-4.2.2-07, M1-9.6-01, SEM-11.6.1-01
#[test]
fn an_embedder_refuses_as_it_likes() {
    let write = |refusal: Refusal| {
        let mut out = BytesMut::new();
        refuse(&refusal, &mut out);
        String::from_utf8(out.to_vec()).expect("text")
    };
    let refusal =
        Refusal::new(401).and_then(|r| r.with_header("WWW-Authenticate", "Basic realm=\"x\""));
    assert_eq!(
        write(refusal.expect("legal").with_body(&b"who?"[..])),
        "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\
         Content-Length: 4\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nwho?"
    );
    let empty = write(Refusal::new(404).expect("legal").with_body(Vec::new()));
    assert_eq!(empty, "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    let elsewhere = Refusal::new(307).and_then(|r| r.with_header("Location", "wss://b.example/"));
    assert_eq!(
        write(elsewhere.expect("legal").with_body(Vec::new())),
        "HTTP/1.1 307 Temporary Redirect\r\nConnection: close\r\nLocation: wss://b.example/\r\n\
         Content-Length: 0\r\n\r\n"
    );
    let unmodified = write(Refusal::new(304).expect("legal"));
    assert_eq!(unmodified, "HTTP/1.1 304 Redirection\r\nConnection: close\r\n\r\n");
}

#[test]
fn the_body_of_a_refusal_does_not_leak_internal_terms() {
    let error = serve(head(&REQUEST, "Upgrade", &["Upgrade: <script>"])).expect_err("refused");
    let answer = refusal(&error);
    assert!(answer.ends_with("\r\n\r\nUpgrade Required"), "{answer}");
    assert!(!answer.contains("script") && !answer.contains("invalid_upgrade"));
}

// RFC: WS-4.2.2-04, WS-10.2-01
// THREAT: cross-site
#[test]
fn a_foreign_origin_is_not_let_in_by_the_default_policy() {
    let mut request = upgrade(&head(&REQUEST, "", &["Origin: https://evil.example"])).request;
    let error = request.check_origin(&OriginPolicy::default()).map_err(Error::from);
    assert_eq!(
        error.map_err(|error| (error.reason(), error.status())),
        Err(("origin_not_allowed", 403))
    );
    request.offer.origin = Some("https://a.example".into());
    request.secure = true;
    assert_eq!(request.check_origin(&OriginPolicy::default()), Ok(()));
}

#[test]
fn a_parsed_head_from_elsewhere_is_judged_by_the_same_rules() {
    let headers = [
        ("host", "a"),
        ("upgrade", "websocket"),
        ("connection", "upgrade"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let head = RequestHead { method: "GET", version: (1, 1), target: "/", headers: &headers };
    let upgrade = validate_request(&head, &SubprotocolPolicy::None).expect("valid");
    assert_eq!(upgrade.request.headers.fields().count(), 5);
    let answer = response_headers(&upgrade).expect("agreed");
    assert_eq!(answer[2], ("Sec-WebSocket-Accept", ACCEPT.to_owned()));
    for version in [(0, 9), (1, 0), (2, 0), (3, 0)] {
        let got = validate_request(&RequestHead { version, ..head }, &SubprotocolPolicy::None);
        assert_eq!(got.map_err(|error| error.status()), Err(505), "{version:?}");
    }
}
