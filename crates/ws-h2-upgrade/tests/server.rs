//! What a server accepts, refuses and answers over HTTP/2 (RFC 8441).

use ws_h2_upgrade::{
    ConnectRequest, Error, Extension, HandshakeError, HeaderFields, Headers, OriginPolicy,
    SubprotocolPolicy, Upgrade, response_headers, validate_request,
};

type Fields<'a> = [(&'a str, &'a str)];

const VERSION: (&str, &str) = ("sec-websocket-version", "13");

fn connect<'a>(headers: &'a Fields<'a>) -> ConnectRequest<'a, Fields<'a>> {
    ConnectRequest {
        method: "CONNECT",
        protocol: Some("websocket"),
        scheme: Some("https"),
        authority: Some("a.example"),
        path: Some("/chat?x=1"),
        headers,
    }
}

fn judge(request: &ConnectRequest<'_, Fields<'_>>) -> Result<Upgrade, (&'static str, u16)> {
    validate_request(request, &SubprotocolPolicy::required(["a"]))
        .map_err(|error| (error.reason(), error.status()))
}

// RFC: H2WS-4-01, H2WS-4-02, H2WS-4-03, H2WS-X-01, H3WS-3-02, H2WS-5-01
#[test]
fn the_first_of_several_faults_is_reported_in_the_order_of_the_contract() {
    // Everything is wrong; each step repairs what was reported and meets the next fault.
    let none: &Fields<'_> = &[];
    let mut request = ConnectRequest {
        method: "GET",
        protocol: None,
        scheme: None,
        authority: None,
        path: None,
        headers: none,
    };
    assert_eq!(judge(&request), Err(("wrong_method", 405)));
    request.method = "CONNECT";
    assert_eq!(judge(&request), Err(("wrong_protocol", 501)));
    request.protocol = Some("connect-udp");
    assert_eq!(judge(&request), Err(("wrong_protocol", 501)));
    request.protocol = Some("WebSocket");
    assert_eq!(judge(&request), Err(("missing_scheme", 400)));
    request.scheme = Some("https");
    assert_eq!(judge(&request), Err(("missing_authority", 400)));
    request.authority = Some("a");
    assert_eq!(judge(&request), Err(("missing_path", 400)));
    request.path = Some("/");
    assert_eq!(judge(&request), Err(("unsupported_version", 400)));
    request.headers = &[VERSION];
    assert_eq!(judge(&request), Err(("no_acceptable_subprotocol", 400)));
    request.headers = &[VERSION, ("sec-websocket-protocol", "a")];
    let upgrade = judge(&request).expect("nothing is left to repair");
    assert_eq!(upgrade.agreement.subprotocol.as_deref(), Some("a"));
}

// RFC: H2WS-5-02, H2WS-5-04, SEM-9.3.6-01
#[test]
fn pseudo_fields_must_hold_what_they_promise() {
    let fields = [VERSION, ("sec-websocket-protocol", "a")];
    let good = connect(&fields);
    let rows = [
        ConnectRequest { scheme: Some("wss"), ..good },
        ConnectRequest { scheme: Some(""), ..good },
        ConnectRequest { authority: Some(""), ..good },
        ConnectRequest { authority: Some("u@a"), ..good },
        ConnectRequest { authority: Some("a:b"), ..good },
        ConnectRequest { authority: Some("a:99999"), ..good },
        ConnectRequest { path: Some(""), ..good },
        ConnectRequest { path: Some("*"), ..good },
        ConnectRequest { path: Some("chat"), ..good },
        ConnectRequest { path: Some("/a#b"), ..good },
        ConnectRequest { path: Some("/a b"), ..good },
        ConnectRequest { path: Some("/a\r\nb"), ..good },
    ];
    for request in rows {
        assert_eq!(judge(&request), Err(("malformed_header", 400)), "{request:?}");
    }
    let upgrade = judge(&good).expect("valid");
    assert!(upgrade.request.secure);
    assert_eq!(upgrade.request.authority, "a.example");
    assert_eq!((upgrade.request.path_only(), upgrade.request.query()), ("/chat", Some("x=1")));
    let plain = judge(&ConnectRequest { scheme: Some("http"), ..good }).expect("valid");
    assert!(!plain.request.secure);
}

// RFC: H2WS-5-03, H2WS-5-05, H3-4.1-02, H3-4.3.1-01
#[test]
fn connection_fields_are_malformed_and_the_key_is_ignored() {
    let with = |name: &'static str, value: &'static str| {
        let fields = [VERSION, ("sec-websocket-protocol", "a"), (name, value)];
        judge(&connect(&fields)).map(|_| ())
    };
    for (name, value) in [
        ("connection", "upgrade"),
        ("Upgrade", "websocket"),
        ("keep-alive", "1"),
        ("proxy-connection", "x"),
        ("transfer-encoding", "chunked"),
        ("te", "gzip"),
        ("host", "b.example"),
    ] {
        assert_eq!(with(name, value), Err(("malformed_header", 400)), "{name}");
    }
    for (name, value) in [
        ("te", "trailers"),
        ("TE", " Trailers\t"),
        ("host", "A.example"),
        ("sec-websocket-key", "nonsense"),
        ("sec-websocket-accept", "nonsense"),
        ("x-unknown", "\u{e9}"),
    ] {
        assert_eq!(with(name, value), Ok(()), "{name}");
    }
}

// RFC: H2WS-5-06, WS-4.2.1-06, WS-11.3.5-01
#[test]
fn a_wrong_version_is_not_answered_without_the_version_to_use() {
    for fields in [
        &[][..],
        &[("sec-websocket-version", "8")],
        &[("sec-websocket-version", "013")],
        &[("sec-websocket-version", "13, 13")],
    ] {
        let error = validate_request(&connect(fields), &SubprotocolPolicy::None).expect_err("no");
        assert_eq!((error.reason(), error.status()), ("unsupported_version", 400));
        let refusal = error.refusal();
        assert_eq!(refusal.values("sec-websocket-version").next(), Some(&b"13"[..]));
        assert!(refusal.values("upgrade").next().is_none());
    }
    let twice = [VERSION, VERSION];
    assert_eq!(judge(&connect(&twice)), Err(("duplicate_header", 400)));
}

// RFC: H2WS-5-07, SEM-9.3.6-02, WS-4.2.2-11
#[test]
fn the_answer_holds_what_was_agreed_and_no_proof() {
    let fields = [
        VERSION,
        ("sec-websocket-protocol", "b, a"),
        ("sec-websocket-extensions", "x; y"),
        ("cookie", "c=d"),
    ];
    let mut upgrade = judge(&connect(&fields)).expect("valid");
    assert_eq!(upgrade.request.headers.get("cookie"), Some("c=d"));
    upgrade.agreement.extensions.push(Extension::new("x"));
    let answer = response_headers(&upgrade, &[("Set-Cookie", "e=f")]).expect("agreed");
    let want: Vec<(String, Vec<u8>)> = vec![
        ("sec-websocket-protocol".into(), b"a".to_vec()),
        ("sec-websocket-extensions".into(), b"x".to_vec()),
        ("set-cookie".into(), b"e=f".to_vec()),
    ];
    assert_eq!(answer, want);
    for extra in [("connection", "x"), ("content-length", "0"), ("x", "a\r\nb"), ("x\r", "a")] {
        let error = response_headers(&upgrade, &[extra]).map_err(|error| error.reason());
        assert_eq!(error, Err("invalid_header"), "{extra:?}");
    }
    upgrade.agreement.extensions.push(Extension::new("z"));
    let error = response_headers(&upgrade, &HeaderFields::new()).map_err(|error| error.reason());
    assert_eq!(error, Err("unoffered_extension"));
}

// RFC: H2WS-8-01, WS-10.2-01
// THREAT: cross-site
#[test]
fn a_foreign_origin_is_not_let_in_by_the_default_policy() {
    let judge_origin = |origin: &'static str| {
        let fields = [VERSION, ("sec-websocket-protocol", "a"), ("origin", origin)];
        let request = judge(&connect(&fields)).expect("valid").request;
        request.check_origin(&OriginPolicy::default()).map_err(Error::from)
    };
    assert_eq!(judge_origin("https://a.example"), Ok(()));
    for origin in ["https://b.example", "http://a.example", "null", "https://a.example:8443"] {
        let error = judge_origin(origin).expect_err(origin);
        assert_eq!((error.reason(), error.status()), ("origin_not_allowed", 403));
    }
}

#[test]
fn reasons_and_statuses_are_those_of_the_contract() {
    let rows = [
        (Error::WrongMethod { method: "x".into() }, "wrong_method", 405),
        (Error::WrongProtocol { found: None }, "wrong_protocol", 501),
        (Error::MissingScheme, "missing_scheme", 400),
        (Error::MissingAuthority, "missing_authority", 400),
        (Error::MissingPath, "missing_path", 400),
        (Error::PeerDoesNotAllowConnectProtocol, "peer_does_not_allow_connect_protocol", 500),
        (HandshakeError::DuplicateHeader { name: "origin" }.into(), "duplicate_header", 400),
        (
            HandshakeError::UnofferedExtension { found: "x".into() }.into(),
            "unoffered_extension",
            500,
        ),
    ];
    for (error, reason, status) in rows {
        assert_eq!((error.reason(), error.status()), (reason, status));
        assert_eq!(error.refusal().status(), status);
        let shown = error.to_string();
        assert!(!shown.ends_with('.') && !shown.starts_with(char::is_uppercase), "{shown}");
    }
}

// RFC: H2-8.2.3-01
#[test]
fn a_cookie_that_came_in_pieces_is_one_field_of_the_request() {
    let (before, behind) = (("x", "1"), ("y", "2"));
    let pieces = [before, VERSION, ("cookie", "a=b"), behind, ("Cookie", "c=d")];
    let judged = validate_request(&connect(&pieces), &SubprotocolPolicy::None).expect("valid");
    let whole = [before, VERSION, ("cookie", "a=b; c=d"), behind];
    assert_eq!(judged.request.headers, HeaderFields::copy_of(&whole));
}
