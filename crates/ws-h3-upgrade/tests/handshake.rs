//! HTTP/3 shakes hands by the rules of HTTP/2 (RFC 9220 §3).

use ws_h3_upgrade::{
    ConnectRequest, H3_REQUEST_CANCELLED, SETTINGS_ENABLE_CONNECT_PROTOCOL, SubprotocolPolicy,
    validate_request,
};

// RFC: H3WS-3-01, H3WS-3-02
#[test]
fn an_unknown_protocol_is_answered_with_501() {
    let headers = [("sec-websocket-version", "13")];
    let request = |protocol| ConnectRequest {
        method: "CONNECT",
        protocol: Some(protocol),
        scheme: Some("https"),
        authority: Some("a.example"),
        path: Some("/"),
        headers: &headers,
    };
    let status = |protocol| {
        validate_request(&request(protocol), &SubprotocolPolicy::None)
            .map(|upgrade| upgrade.request.path)
            .map_err(|error| error.refusal().status())
    };
    assert_eq!(status("websocket"), Ok("/".into()));
    assert_eq!(status("webtransport"), Err(501));
}

// RFC: H3WS-5-01, H3WS-3-03
#[test]
fn numbers_are_those_of_the_registries() {
    assert_eq!(SETTINGS_ENABLE_CONNECT_PROTOCOL, 8);
    assert_eq!(H3_REQUEST_CANCELLED, 0x010c);
}
