//! An extended CONNECT as a server judges it, over any list of fields: what is accepted names a
//! place that can be written anywhere, and nothing that HTTP/2 forbids.

use ws_h2_upgrade::{
    ACCEPTED, ClientOptions, ConnectRequest, HeaderFields, Headers, SubprotocolPolicy,
    response_headers, validate_request, validate_response,
};

use crate::source::Source;

/// Panics where a request is accepted that must not be.
pub fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let flags = source.byte();
    let bit = |n: u8| flags & (1 << n) != 0;
    let mut lines = source.rest().split(|byte| *byte == b'\n');
    let mut pseudo = |usual: &str, given: bool| {
        if given {
            lines.next().map(|line| String::from_utf8_lossy(line).into_owned())
        } else {
            Some(usual.to_owned())
        }
    };
    let method = pseudo("CONNECT", bit(0)).unwrap_or_default();
    let protocol = pseudo("websocket", bit(1));
    let scheme = pseudo("https", bit(2));
    let authority = pseudo("a.example", bit(3));
    let path = pseudo("/chat", bit(4));
    let mut headers: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    if !bit(5) {
        headers.push((b"sec-websocket-version".to_vec(), b"13".to_vec()));
    }
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        headers.push((name.to_vec(), value.get(1..).unwrap_or_default().to_vec()));
    }
    let request = ConnectRequest {
        method: &method,
        protocol: protocol.as_deref(),
        scheme: scheme.as_deref(),
        authority: authority.as_deref(),
        path: path.as_deref(),
        headers: &headers,
    };
    let policy = SubprotocolPolicy::optional(["chat", "b"]);
    let upgrade = match validate_request(&request, &policy) {
        Ok(upgrade) => upgrade,
        Err(error) => {
            assert!(matches!(error.refusal().status(), 400..=599));
            assert!(!error.reason().is_empty());
            return;
        }
    };
    assert_eq!(method, "CONNECT");
    assert!(protocol.is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket")));
    let is_clean = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    assert!(upgrade.request.path.starts_with('/') && is_clean(&upgrade.request.path));
    assert!(!upgrade.request.authority.is_empty() && is_clean(&upgrade.request.authority));
    assert!(!upgrade.request.authority.contains(['@', '/', '?', '#']));
    let named = |name: &str| headers.values(name).count();
    assert_eq!(named("sec-websocket-version"), 1);
    for name in ["connection", "upgrade", "keep-alive", "proxy-connection", "transfer-encoding"] {
        assert_eq!(named(name), 0, "{name}");
    }
    // A cookie is one field, in however many pieces it came.
    let pieces = named("cookie");
    assert_eq!(upgrade.request.headers.values("cookie").count(), pieces.min(1));
    assert_eq!(upgrade.request.headers.len(), headers.len() - pieces.saturating_sub(1));

    // What is answered is what such a client takes.
    let answer = response_headers(&upgrade, &HeaderFields::new()).expect("it was offered");
    let options = ClientOptions {
        subprotocols: upgrade.request.offer.subprotocols.clone(),
        ..ClientOptions::default()
    };
    let response = validate_response(ACCEPTED, &answer, &options).expect("a legal answer");
    assert_eq!(response.agreement, upgrade.agreement);
}
