//! Every reason of this crate by its contracted name, and what a server answers to it.

use std::error::Error as _;

use ws_h1_upgrade::{Error, HandshakeError, HeadProblem, Headers};

use crate::wire::judge;

#[test]
fn reasons_and_statuses_are_those_of_the_contract() {
    let problem = HeadProblem::StartLine;
    let text = || String::from("x");
    let rows = [
        (Error::WrongMethod { method: text() }, "wrong_method", 405),
        (Error::UnsupportedHttpVersion { found: text() }, "unsupported_http_version", 505),
        (Error::MissingHost, "missing_host", 400),
        (Error::MissingUpgradeHeader, "missing_upgrade_header", 426),
        (Error::InvalidUpgrade { value: text() }, "invalid_upgrade", 426),
        (Error::MissingConnectionHeader, "missing_connection_header", 400),
        (Error::InvalidConnection { value: text() }, "invalid_connection", 400),
        (Error::MissingSecWebsocketKey, "missing_sec_websocket_key", 400),
        (Error::BadSecWebsocketKey, "bad_sec_websocket_key", 400),
        (Error::MalformedRequest { problem }, "malformed_request", 400),
        (Error::HandshakeTooBig { limit: 1 }, "handshake_too_big", 431),
        (Error::TargetTooLong { limit: 1 }, "handshake_too_big", 414),
        (Error::TooManyHeaders { limit: 1 }, "too_many_headers", 431),
        (Error::MissingSecWebsocketAccept, "missing_sec_websocket_accept", 500),
        (Error::SecWebsocketAcceptMismatch, "sec_websocket_accept_mismatch", 500),
        (Error::MalformedResponse { problem }, "malformed_response", 500),
        (Error::HandshakeResponseTooBig { limit: 1 }, "handshake_response_too_big", 500),
        (HandshakeError::UnsupportedVersion { found: None }.into(), "unsupported_version", 426),
        (
            HandshakeError::NoAcceptableSubprotocol { offered: vec![] }.into(),
            "no_acceptable_subprotocol",
            400,
        ),
        (HandshakeError::DuplicateHeader { name: "host" }.into(), "duplicate_header", 400),
        (
            HandshakeError::OriginNotAllowed { origin: text(), allowed: None }.into(),
            "origin_not_allowed",
            403,
        ),
        (
            HandshakeError::UnofferedSubprotocol { found: text() }.into(),
            "unoffered_subprotocol",
            500,
        ),
        (HandshakeError::InvalidHeader { name: text() }.into(), "invalid_header", 500),
    ];
    for (error, reason, status) in rows {
        assert_eq!((error.reason(), error.status()), (reason, status));
        assert_eq!(error.refusal().status(), status);
        assert_eq!(error.refusal().values("allow").next().is_some(), status == 405, "{reason}");
        let offers_version = error.refusal().values("sec-websocket-version").next().is_some();
        assert_eq!(offers_version, status == 426, "{reason}");
        let shown = error.to_string();
        assert!(!shown.ends_with('.') && !shown.starts_with(char::is_uppercase), "{shown}");
    }
}

#[test]
fn sources_are_chained_and_not_repeated() {
    let error = Error::MalformedRequest { problem: HeadProblem::BareLineFeed };
    assert_eq!(error.to_string(), "malformed request");
    let source = error.source().map(ToString::to_string);
    assert_eq!(source.as_deref(), Some("a line ends without carriage return"));
    assert!(Error::MissingHost.source().is_none());
}

// THREAT: switching-without-101
#[test]
fn an_unexpected_status_says_which() {
    let error = judge("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").expect_err("refused");
    assert_eq!(error.reason(), "unexpected_status");
    assert_eq!(error.to_string(), "the server answered 404, it must be 101");
}
