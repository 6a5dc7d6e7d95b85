//! A server's reading of an HTTP/1.1 request: the same however it is cut, within its limits, and
//! whatever is accepted reads the same to the strictest reader, and to `httparse`.

use bytes::BytesMut;
use ws_h1_upgrade::{
    Error, HandshakeLimits, HeaderFields, Headers, ServerHandshake, SubprotocolPolicy, accept,
    refuse,
};

use crate::cut::same_however_cut;
use crate::reference::head::head;
use crate::source::Source;

const LIMITS: HandshakeLimits =
    HandshakeLimits { max_handshake_size: 700, max_headers: 12, max_body: 24 };

/// Panics where a request can be read in two ways.
pub fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let seed = source.byte();
    let text = source.rest();
    let policy = SubprotocolPolicy::optional(["chat", "b"]);
    let new = || {
        let mut server = ServerHandshake::new(policy.clone(), LIMITS);
        move |buf: &mut BytesMut| server.receive(buf)
    };
    let (result, left) = same_however_cut(text, seed, new);
    match result {
        Ok(None) => {
            assert!(text.len() < LIMITS.max_handshake_size, "a head is waited for within a limit");
        }
        Ok(Some(upgrade)) => {
            let consumed = text.len() - left.len();
            assert!(consumed <= LIMITS.max_handshake_size);
            let head = head(text).expect("what is accepted is beyond doubt");
            assert_eq!(head.len, consumed, "one end of the head");
            let [method, target, version] = &head.start;
            assert_eq!((method.as_str(), version.as_str()), ("GET", "HTTP/1.1"));
            assert!(
                target.ends_with(&upgrade.request.path)
                    || upgrade.request.path == "/"
                    || target.contains('?'),
                "{target} as {}",
                upgrade.request.path
            );
            assert!(upgrade.request.path.starts_with('/'));
            assert!(head.fields.len() <= LIMITS.max_headers);
            let fields: Vec<(String, Vec<u8>)> = upgrade
                .request
                .headers
                .fields()
                .map(|(name, value)| {
                    let name = String::from_utf8(name.to_vec()).expect("a token");
                    (name, value.trim_ascii().to_vec())
                })
                .collect();
            assert_eq!(fields, head.fields, "one reading of the fields");
            for name in ["host", "sec-websocket-key", "sec-websocket-version"] {
                assert_eq!(head.values(name).count(), 1, "{name}");
            }
            // A request with a body has a second reading: the body, or the first frames.
            assert!(head.values("content-length").all(|value| value.iter().all(|d| *d == b'0')));
            assert_eq!(head.values("transfer-encoding").count(), 0);
            second_reader(text, consumed, head.fields.len());

            let mut answer = BytesMut::new();
            accept(&upgrade, &HeaderFields::new(), &mut answer).expect("what was agreed is legal");
            let answer = strip_continue(&answer);
            let answer = crate::reference::head::head(answer).expect("an answer beyond doubt");
            assert_eq!(answer.start[1], "101");
        }
        Err(error) => {
            let mut answer = BytesMut::new();
            refuse(&error.refusal(), &mut answer);
            let head = head(&answer).expect("an answer beyond doubt");
            let is_too_big =
                matches!(error, Error::HandshakeTooBig { .. } | Error::TargetTooLong { .. });
            assert!(is_too_big || !head.fields.is_empty());
            assert!(matches!(head.start[1].parse(), Ok(400..=599_u16)), "{:?}", head.start);
        }
    }
}

fn second_reader(text: &[u8], consumed: usize, fields: usize) {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut headers);
    let parsed = request.parse(text).expect("httparse reads it too");
    assert_eq!(parsed, httparse::Status::Complete(consumed));
    assert_eq!((request.method, request.version), (Some("GET"), Some(1)));
    assert_eq!(request.headers.len(), fields);
}

fn strip_continue(answer: &[u8]) -> &[u8] {
    answer.strip_prefix(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(answer)
}
