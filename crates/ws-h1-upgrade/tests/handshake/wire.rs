//! Requests and answers as text, to be bent by the tests.

use bytes::BytesMut;
use ws_h1_upgrade::{
    ClientHandshake, ClientKey, ClientOptions, Error, HandshakeLimits, Response, ServerHandshake,
    SubprotocolPolicy, Upgrade,
};

pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The lines of a valid request, without line ends.
pub(crate) const REQUEST: [&str; 6] = [
    "GET /chat?x=1 HTTP/1.1",
    "Host: a.example",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/// The lines of a valid answer to `KEY`.
pub(crate) const RESPONSE: [&str; 4] = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
];

/// `lines` as a head, after removing those that begin with `without` (if any is given) and adding
/// `with` at the end.
pub(crate) fn head(lines: &[&str], without: &str, with: &[&str]) -> String {
    let kept = lines.iter().filter(|line| without.is_empty() || !line.starts_with(without));
    let mut text: String = kept.chain(with).map(|line| format!("{line}\r\n")).collect();
    text.push_str("\r\n");
    text
}

/// A request with its first line replaced.
pub(crate) fn start(line: &str) -> String {
    let rest = head(&REQUEST, "GET", &[]);
    format!("{line}\r\n{rest}")
}

pub(crate) fn serve(text: impl AsRef<[u8]>) -> Result<Option<Upgrade>, Error> {
    serve_with(SubprotocolPolicy::None, HandshakeLimits::default(), text)
}

pub(crate) fn serve_with(
    policy: SubprotocolPolicy,
    limits: HandshakeLimits,
    text: impl AsRef<[u8]>,
) -> Result<Option<Upgrade>, Error> {
    ServerHandshake::new(policy, limits).receive(&mut BytesMut::from(text.as_ref()))
}

pub(crate) fn options() -> ClientOptions {
    ClientOptions {
        subprotocols: vec!["a".into(), "b".into()],
        extensions: vec![ws_h1_upgrade::Extension::new("x")],
        ..ClientOptions::default()
    }
}

pub(crate) fn client(limits: HandshakeLimits) -> ClientHandshake {
    let key = ClientKey::new(*b"the sample nonce");
    assert_eq!((key.as_str(), key.accept().as_str()), (KEY, ACCEPT));
    ClientHandshake::new(key, options(), limits)
}

/// What a client makes of `text` followed by the end of the stream.
pub(crate) fn judge(text: impl AsRef<[u8]>) -> Result<Option<Response>, Error> {
    let mut client = client(HandshakeLimits::default());
    match client.receive(&mut BytesMut::from(text.as_ref())) {
        Ok(None) => client.receive_eof().map_or(Ok(None), Err),
        result => result,
    }
}

/// The reason in a result, or what there is instead of one.
pub(crate) fn reason<T>(result: &Result<Option<T>, Error>) -> &'static str {
    match result {
        Ok(Some(_)) => "accepted",
        Ok(None) => "incomplete",
        Err(error) => error.reason(),
    }
}
