//! What a client sends, accepts and refuses over HTTP/2 (RFC 8441).

use ws_h2_upgrade::{ClientOptions, Error, Extension, WsUri, client_request, validate_response};

fn options() -> ClientOptions {
    ClientOptions {
        origin: Some("https://a.example".into()),
        subprotocols: vec!["b".into(), "a".into()],
        extensions: vec![Extension::new("x").flag("y")],
        headers: vec![("Cookie".into(), "c=d".into())],
        ..ClientOptions::default()
    }
}

fn uri() -> WsUri {
    WsUri::parse("wss://A.example:8443/chat?x=1").expect("a uri")
}

// RFC: H2WS-3-02, H3WS-5-01
#[test]
fn nothing_is_sent_to_a_server_that_has_not_allowed_it() {
    for setting in [None, Some(0), Some(2), Some(u32::MAX)] {
        let got = client_request(&uri(), &options(), setting);
        assert_eq!(got, Err(Error::PeerDoesNotAllowConnectProtocol), "{setting:?}");
    }
    assert!(client_request(&uri(), &options(), Some(1)).is_ok());
}

// RFC: H2WS-5-02, H2WS-5-03, H2WS-5-04, H2WS-5-05, H2WS-5-06, SEM-7.2-01, SEM-5.3-01, H3-4.1-02, H3-4.3.1-01
#[test]
fn the_request_is_what_the_rfc_asks_for_and_nothing_of_http_1() {
    let request = client_request(&uri(), &options(), Some(1)).expect("allowed");
    assert_eq!((request.scheme, &*request.authority), ("https", "a.example:8443"));
    assert_eq!(request.path, "/chat?x=1");
    let want = [
        ("sec-websocket-version", "13"),
        ("origin", "https://a.example"),
        ("sec-websocket-protocol", "b, a"),
        ("sec-websocket-extensions", "x; y"),
        ("cookie", "c=d"),
    ];
    assert_eq!(request.headers, want.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let plain = WsUri::parse("ws://[::1]").expect("a uri");
    let request = client_request(&plain, &ClientOptions::default(), Some(1)).expect("allowed");
    assert_eq!((request.scheme, &*request.authority, &*request.path), ("http", "[::1]", "/"));
    assert_eq!(request.headers.len(), 1);
}

// THREAT: header-injection
#[test]
fn line_breaks_and_owned_headers_never_leave() {
    for (name, value) in [("x", "a\r\nb"), ("x\n", "a"), ("upgrade", "websocket"), ("host", "a")] {
        let options = ClientOptions {
            headers: vec![(name.into(), value.into())],
            ..ClientOptions::default()
        };
        let got = client_request(&uri(), &options, Some(1)).map_err(|error| error.reason());
        assert_eq!(got, Err("invalid_header"), "{name:?}");
    }
}

// RFC: H2WS-5-07, SEM-9.3.6-03, WS-4.1-29, WS-4.1-30, WS-4.1-31, ER-3433
// THREAT: switching-without-101
#[test]
fn only_a_2xx_with_what_was_offered_is_accepted() {
    const PROTOCOL: &str = "sec-websocket-protocol";
    const EXTENSIONS: &str = "sec-websocket-extensions";
    let judge = |status: u16, headers: &[(&str, &str)]| {
        validate_response(status, headers, &options()).map_err(|error| error.reason())
    };
    for status in [200, 201, 299] {
        assert!(judge(status, &[("content-length", "5")]).is_ok(), "{status}");
    }
    for status in [100, 101, 199, 300, 403, 500] {
        assert_eq!(judge(status, &[]), Err("unexpected_status"), "{status}");
    }
    let agreed = judge(200, &[(PROTOCOL, "a"), (EXTENSIONS, "x; z")]).expect("offered").agreement;
    assert_eq!(agreed.subprotocol.as_deref(), Some("a"));
    assert_eq!(agreed.extensions, [Extension::new("x").flag("z")]);
    let lines = judge(200, &[(EXTENSIONS, "x; z"), (EXTENSIONS, "x")]).expect("one list");
    assert_eq!(lines.agreement.extensions, [Extension::new("x").flag("z"), Extension::new("x")]);
    assert_eq!(judge(200, &[(PROTOCOL, "A")]), Err("unoffered_subprotocol"));
    assert_eq!(judge(200, &[(PROTOCOL, "a, b")]), Err("unoffered_subprotocol"));
    assert_eq!(judge(200, &[(PROTOCOL, "a"), (PROTOCOL, "a")]), Err("duplicate_header"));
    assert_eq!(judge(200, &[(EXTENSIONS, "z")]), Err("unoffered_extension"));
    assert_eq!(judge(200, &[(EXTENSIONS, "x;")]), Err("bad_extension_response"));
}

// THREAT: credentials-on-redirect
#[test]
fn an_unexpected_status_keeps_its_headers() {
    let error = validate_response(302, &[("location", "/x")], &options()).expect_err("no");
    assert_eq!(error.to_string(), "the server answered 302, it must be 2xx");
    let Error::UnexpectedStatus { response } = error else { panic!("{error}") };
    assert_eq!((response.status, response.headers.get("location")), (302, Some("/x")));
}
