//! Any cut gives the same result.

use bytes::BytesMut;
use ws_h1_upgrade::{Error, HandshakeLimits, ServerHandshake, SubprotocolPolicy};

use crate::wire::{REQUEST, RESPONSE, client, head, start};

const LIMITS: HandshakeLimits =
    HandshakeLimits { max_handshake_size: 512, max_headers: 12, max_body: 24 };

/// The result and what is left in the buffer, for `text` given in the parts `cuts` makes of it.
fn run<T, F>(text: &[u8], cuts: &[usize], mut receive: F) -> (Result<Option<T>, Error>, Vec<u8>)
where
    F: FnMut(&mut BytesMut) -> Result<Option<T>, Error>,
{
    let mut buf = BytesMut::new();
    let mut result = Ok(None);
    let mut from = 0;
    for &to in cuts.iter().chain([&text.len()]) {
        buf.extend_from_slice(text.get(from..to).expect("cuts ascend"));
        from = to;
        if matches!(result, Ok(None)) {
            result = receive(&mut buf);
        }
    }
    (result, buf.to_vec())
}

/// Checks `text` whole, in single bytes and in every two parts, and returns the outcome.
fn every_cut<T: PartialEq + std::fmt::Debug, F, M>(text: &[u8], machine: M) -> &'static str
where
    M: Fn() -> F,
    F: FnMut(&mut BytesMut) -> Result<Option<T>, Error>,
{
    let (whole, rest) = run(text, &[], machine());
    let bytes: Vec<usize> = (1..text.len()).collect();
    let mut all: Vec<Vec<usize>> = bytes.iter().map(|&cut| vec![cut]).collect();
    all.push(bytes);
    for cuts in all {
        let (result, left) = run(text, &cuts, machine());
        assert_eq!(result, whole, "cut {cuts:?} of {:?}", String::from_utf8_lossy(text));
        if whole.is_ok() {
            assert_eq!(left, rest, "cut {cuts:?}");
        }
    }
    crate::wire::reason(&whole)
}

// RFC: SEM-5.3-02
#[test]
fn every_cut_of_a_request_gives_the_same_result() {
    let long = "X: y\r\n".repeat(80);
    let rows = [
        (head(&REQUEST, "", &[]), "accepted"),
        (format!("\r\n\r\n{}\u{1}\r\n\r\nGET", head(&REQUEST, "", &[])), "accepted"),
        (start("POST / HTTP/1.1"), "wrong_method"),
        (start("GET / HTTP/1.0"), "unsupported_http_version"),
        (head(&REQUEST, "", &["X : y"]), "malformed_request"),
        (head(&REQUEST, "", &[" folded"]), "malformed_request"),
        (head(&REQUEST, "", &["X: a\nY: b"]), "malformed_request"),
        (head(&REQUEST, "", &["X: y"; 8]), "too_many_headers"),
        (head(&REQUEST, "", &[&long]), "handshake_too_big"),
        (format!("GET /{} HTTP/1.1", "a".repeat(600)), "handshake_too_big"),
        ("GET / HTTP/1.1\r\nHost: a".into(), "incomplete"),
        ("\u{16}\u{3}\u{1}\u{2}".into(), "malformed_request"),
    ];
    for (text, want) in rows {
        let got = every_cut(text.as_bytes(), || {
            let mut server = ServerHandshake::new(SubprotocolPolicy::None, LIMITS);
            move |buf: &mut BytesMut| server.receive(buf)
        });
        assert_eq!(got, want, "{text}");
    }
}

#[test]
fn every_cut_of_an_answer_gives_the_same_result() {
    let rows = [
        (head(&RESPONSE, "", &["Sec-WebSocket-Protocol: a"]), "accepted"),
        (format!("HTTP/1.1 100 x\r\n\r\n{}\u{2}\r\n\r\n", head(&RESPONSE, "", &[])), "accepted"),
        (head(&RESPONSE, "", &["Sec-WebSocket-Protocol: c"]), "unoffered_subprotocol"),
        (head(&RESPONSE, "", &["X: y"; 13]), "too_many_headers"),
        ("HTTP/1.1 404 x\r\nContent-Length: 5\r\n\r\nhello".into(), "unexpected_status"),
        (
            "HTTP/1.1 404 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
                .into(),
            "unexpected_status",
        ),
        (format!("HTTP/1.1 500 x\r\n\r\n{}", "x".repeat(30)), "unexpected_status"),
        (
            "HTTP/1.1 103 x\r\nLink: yyyyyyyyyyyyyyyyyyyyyy\r\n\r\n".repeat(13),
            "handshake_response_too_big",
        ),
        ("SSH-2.0-x\r\n".into(), "malformed_response"),
    ];
    for (text, want) in rows {
        let got = every_cut(text.as_bytes(), || {
            let mut client = client(LIMITS);
            move |buf: &mut BytesMut| client.receive(buf)
        });
        assert_eq!(got, want, "{text}");
    }
}
