//! A client's reading of an HTTP/1.1 answer: the same however it is cut, within its limits, and only
//! an answer that the strictest reader takes for a 101 opens a WebSocket.

use bytes::BytesMut;
use ws_h1_upgrade::{
    ClientHandshake, ClientKey, ClientOptions, Error, Extension, HandshakeLimits, Headers,
};

use crate::cut::same_however_cut;
use crate::reference::head::head;
use crate::source::Source;

const LIMITS: HandshakeLimits =
    HandshakeLimits { max_handshake_size: 700, max_headers: 12, max_body: 24 };

/// Panics where an answer can be read in two ways.
pub fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let seed = source.byte();
    let text = source.rest();
    let key = ClientKey::new([7; 16]);
    let options = ClientOptions {
        subprotocols: vec!["chat".into(), "b".into()],
        extensions: vec![Extension::new("permessage-deflate")],
        ..ClientOptions::default()
    };
    let new = || {
        let mut client = ClientHandshake::new(key, options.clone(), LIMITS);
        move |buf: &mut BytesMut| client.receive(buf)
    };
    let (result, left) = same_however_cut(text, seed, new);
    at_end(text, seed, &key, &options);
    match result {
        Ok(None) => {}
        Ok(Some(response)) => {
            let consumed = text.len() - left.len();
            assert!(consumed <= LIMITS.max_handshake_size, "all heads count together");
            let head = final_head(&text[..consumed]);
            let values = |name: &str| -> Vec<String> {
                let values = response.headers.values(name);
                values.map(|value| String::from_utf8_lossy(value).trim().to_owned()).collect()
            };
            assert_eq!(values("sec-websocket-accept"), [key.accept().as_str()]);
            // A list may have empty members, and spaces and tabs around each (RFC 9110 §5.6.1).
            let upgrade = values("upgrade").join(",").to_ascii_lowercase();
            let members = upgrade.split(',').map(|member| member.trim_matches([' ', '\t']));
            assert!(members.filter(|member| !member.is_empty()).eq(["websocket"]));
            if let Some(subprotocol) = &response.agreement.subprotocol {
                assert!(options.subprotocols.contains(subprotocol));
            }
            assert!(response.agreement.extensions.iter().all(|e| e.is_well_formed()));
            // Folded lines are the one thing that a client reads and the strictest reader does not.
            if let Some(head) = head {
                assert_eq!(head.start[0], "HTTP/1.1");
                assert!(head.start[1].starts_with("101"));
                assert_eq!(head.fields.len(), response.headers.len());
            }
        }
        Err(Error::UnexpectedStatus { response }) => {
            assert_ne!(response.status, 101);
            assert!(response.body.len() <= LIMITS.max_body);
        }
        Err(error) => assert!(!error.reason().is_empty()),
    }
}

/// The head behind the interim ones.
fn final_head(mut text: &[u8]) -> Option<crate::reference::head::Head> {
    loop {
        let head = head(text)?;
        if head.len == text.len() {
            return Some(head);
        }
        text = &text[head.len..];
    }
}

/// What is said when the server has nothing more to say does not depend on cuts either.
fn at_end(text: &[u8], seed: u8, key: &ClientKey, options: &ClientOptions) {
    let mut whole = None;
    for cut in [0, 1, seed] {
        let mut client = ClientHandshake::new(*key, options.clone(), LIMITS);
        let mut buf = BytesMut::new();
        let mut result = Ok(None);
        for piece in crate::source::pieces(text, cut) {
            buf.extend_from_slice(piece);
            if matches!(result, Ok(None)) {
                result = client.receive(&mut buf);
            }
        }
        let end = client.receive_eof();
        if let Some(expected) = &whole {
            assert_eq!(&end, expected);
        }
        whole = Some(end);
    }
}
