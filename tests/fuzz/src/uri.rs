//! WebSocket URIs: whatever is accepted can be written into a request of any version of HTTP without
//! breaking out of its line, and reads back as itself.

use bytes::BytesMut;
use ws_h1_upgrade::{
    ClientKey, ClientOptions, HandshakeLimits, OriginPolicy, ServerHandshake, SubprotocolPolicy,
    WsUri, request,
};
use ws_h2_upgrade::client_request;

/// Panics where a URI gets out of hand.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    // An origin is judged and never believed; the text is as good for that.
    let _judged = OriginPolicy::SameOrigin.check(Some(&text), true, "a.example");
    let Ok(uri) = WsUri::parse(&text) else { return };
    let is_clean = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
    assert!(is_clean(uri.resource()) && uri.resource().starts_with('/'));
    assert!(is_clean(uri.host_header()) && is_clean(uri.host()));
    assert!(!uri.resource().contains('#') && !uri.host().contains(['/', '?', '#', '@', '[', ']']));
    assert!(uri.port() > 0);
    let written = uri.to_string();
    assert_eq!(WsUri::parse(&written).as_ref(), Ok(&uri), "{written}");

    let options = ClientOptions::default();
    let mut wire = BytesMut::new();
    request(&uri, &ClientKey::new([7; 16]), &options, &mut wire).expect("a clean request");
    if wire.len() < 60_000 {
        let mut server = ServerHandshake::new(SubprotocolPolicy::None, HandshakeLimits::default());
        let upgrade = server.receive(&mut wire).expect("our own request").expect("all of it");
        assert_eq!(upgrade.request.path, uri.resource());
        assert_eq!(upgrade.request.authority, uri.host_header());
        let origin = format!("{}://{}", uri.http_scheme(), uri.host_header());
        let same =
            OriginPolicy::SameOrigin.check(Some(&origin), uri.is_secure(), uri.host_header());
        assert_eq!(same, Ok(()), "{origin}");
    }
    let connect = client_request(&uri, &options, Some(1)).expect("a clean request");
    let http = connect.to_http().expect("the types of `http` take it");
    assert_eq!(http.uri().path_and_query().map(|path| path.as_str()), Some(uri.resource()));
}
