//! The handshake in the types of the `http` crate.
#![cfg(feature = "http")]

use http::header::{COOKIE, HeaderMap, HeaderValue};
use ws_h2_upgrade::{
    ClientOptions, ConnectRequest, HeaderFields, SubprotocolPolicy, WsUri, client_request,
    http_response, join_cookies, validate_request, validate_response,
};

#[test]
fn requests_and_responses_of_the_http_crate_shake_hands() {
    let uri = WsUri::parse("wss://a.example:8443/chat?x=1").expect("a uri");
    let options = ClientOptions {
        subprotocols: vec!["a".into()],
        headers: vec![("X-Name".into(), "J\u{fc}rgen".into())],
        ..ClientOptions::default()
    };
    let asked = client_request(&uri, &options, Some(1)).expect("allowed");
    let request = asked.to_http().expect("legal");
    assert_eq!(request.method(), http::Method::CONNECT);
    assert_eq!(request.uri(), "https://a.example:8443/chat?x=1");

    let request = ConnectRequest::from_http(&request, Some("websocket"));
    let upgrade = validate_request(&request, &SubprotocolPolicy::optional(["a"])).expect("valid");
    assert_eq!(upgrade.request.authority, "a.example:8443");
    assert_eq!(upgrade.request.path, "/chat?x=1");
    assert_eq!(upgrade.request.headers.get("x-name"), Some("J\u{fc}rgen"));

    let answer = http_response(&upgrade, &HeaderFields::new()).expect("agreed");
    let response = validate_response(answer.status().as_u16(), answer.headers(), &options);
    assert_eq!(response.expect("accepted").agreement.subprotocol.as_deref(), Some("a"));
}

#[test]
fn a_request_changed_to_something_illegal_is_not_made() {
    let uri = WsUri::parse("ws://a").expect("a uri");
    let mut asked = client_request(&uri, &ClientOptions::default(), Some(1)).expect("allowed");
    asked.headers.push(("x".into(), "a\r\nb".into()));
    let error = asked.to_http().map_err(|error| error.to_string());
    assert_eq!(error.err().as_deref(), Some("header \"x\" must not be written"));
}

// RFC: H2-8.2.3-01
#[test]
fn cookies_are_one_field_and_other_fields_stay_as_they_are() {
    for (pieces, whole) in [
        (&[][..], None),
        (&["a=b"], Some("a=b")),
        (&["a=b", "", "c=\u{fc}; d=e"], Some("a=b; ; c=\u{fc}; d=e")),
    ] {
        let mut headers = HeaderMap::new();
        for value in ["1", "2"] {
            headers.append("x", HeaderValue::from_static(value));
        }
        for piece in pieces {
            headers.append("cookie", HeaderValue::from_str(piece).expect("a value"));
        }
        join_cookies(&mut headers);
        let found: Vec<_> =
            headers.get_all("cookie").iter().map(|value| value.as_bytes()).collect();
        let expected: Vec<_> = whole.iter().map(|whole| whole.as_bytes()).collect();
        assert_eq!(found, expected);
        assert_eq!(headers.get_all("x").iter().count(), 2);
    }
}

#[test]
fn cookies_are_as_secret_as_any_of_their_pieces() {
    for secret in [None, Some(0), Some(1)] {
        let mut headers = HeaderMap::new();
        for (number, piece) in ["a=b", "c=d"].into_iter().enumerate() {
            let mut piece = HeaderValue::from_static(piece);
            piece.set_sensitive(secret == Some(number));
            headers.append(COOKIE, piece);
        }
        join_cookies(&mut headers);
        let whole = headers.get(COOKIE).expect("the cookie");
        assert_eq!(whole, "a=b; c=d");
        assert_eq!(whole.is_sensitive(), secret.is_some());
    }
}
