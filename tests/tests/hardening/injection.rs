//! Whatever text a caller passes on, from wherever it has it, a head stays the head that was meant.

use bytes::BytesMut;
use ws_h1_upgrade::{
    ClientKey, ClientOptions, Extension, HandshakeLimits, Refusal, ServerHandshake,
    SubprotocolPolicy, Upgrade, WsUri,
};

/// What must not get into a field, a path or a status line.
const HOSTILE: [&str; 9] = [
    "a\r\nEvil: 1",
    "a\nEvil: 1",
    "a\rEvil: 1",
    "a\r\n\r\nGET /evil HTTP/1.1\r\nHost: b",
    "\r\nEvil: 1",
    "a\r\n",
    "a\0b",
    "a\x1b[31m",
    "a\u{7f}b",
];

/// The request of a client with these options: over HTTP/1.1 as bytes, over HTTP/2 and HTTP/3 as
/// fields.
fn requests(uri: &WsUri, options: &ClientOptions) -> Result<Vec<Vec<u8>>, &'static str> {
    let mut head = BytesMut::new();
    let h1 = ws_h1_upgrade::request(uri, &ClientKey::new([0; 16]), options, &mut head);
    let h2 = ws_h2_upgrade::client_request(uri, options, Some(1));
    match (h1, h2) {
        (Err(h1), Err(h2)) => {
            assert!(head.is_empty(), "part of a refused head was written");
            assert_eq!(h1.reason(), h2.reason(), "the versions agree");
            Err(h1.reason())
        }
        (Ok(()), Ok(request)) => {
            let fields = request.headers.iter().flat_map(|(name, value)| [name, value]);
            let parts = fields.chain([&request.authority, &request.path]);
            Ok([vec![head.to_vec()], parts.map(|part| part.clone().into_bytes()).collect()]
                .concat())
        }
        (h1, h2) => panic!("the versions differ: {h1:?}, {h2:?}"),
    }
}

fn uri() -> WsUri {
    WsUri::parse("ws://a.example/room").expect("a uri")
}

// THREAT: header-injection
#[test]
fn a_request_is_refused_or_clean_whatever_stands_in_its_options() {
    let plain = || ClientOptions::default();
    type Put = fn(ClientOptions, &str) -> ClientOptions;
    let arguments: [(&str, Put); 8] = [
        ("header name", |o, t| ClientOptions { headers: vec![(t.into(), "v".into())], ..o }),
        ("header value", |o, t| ClientOptions { headers: vec![("X".into(), t.into())], ..o }),
        ("origin", |o, t| ClientOptions { origin: Some(t.into()), ..o }),
        ("subprotocol", |o, t| ClientOptions { subprotocols: vec![t.into()], ..o }),
        ("second subprotocol", |o, t| ClientOptions {
            subprotocols: vec!["a".into(), t.into()],
            ..o
        }),
        ("extension", |o, t| ClientOptions { extensions: vec![Extension::new(t)], ..o }),
        ("parameter", |o, t| ClientOptions { extensions: vec![Extension::new("x").flag(t)], ..o }),
        ("parameter value", |o, t| ClientOptions {
            extensions: vec![Extension::new("x").param("p", t)],
            ..o
        }),
    ];
    for (argument, put) in arguments {
        for text in HOSTILE {
            let made = requests(&uri(), &put(plain(), text));
            assert_eq!(made, Err("invalid_header"), "{argument} {text:?}");
        }
    }
    for name in ["Host", "upgrade", "Connection", "Sec-WebSocket-Key", "content-length", ":path"] {
        let headers = vec![(name.to_owned(), "v".to_owned())];
        let made = requests(&uri(), &ClientOptions { headers, ..plain() });
        assert_eq!(made, Err("invalid_header"), "{name}");
    }
}

// THREAT: header-injection
#[test]
fn a_url_is_refused_whatever_line_it_would_begin() {
    for text in HOSTILE {
        for url in [
            format!("ws://{text}/"),
            format!("ws://a.example/{text}"),
            format!("ws://a.example/?{text}"),
            format!("ws://a.example:80{text}/"),
            format!("ws{text}://a.example/"),
        ] {
            let Ok(uri) = WsUri::parse(&url) else { continue };
            // What is let in is encoded.
            for part in requests(&uri, &ClientOptions::default()).expect("a clean request") {
                let head = String::from_utf8(part).expect("text");
                let lines = head.split("\r\n").filter(|line| line.starts_with("Evil")).count();
                assert_eq!(lines, 0, "{url:?}: {head}");
                let rest = head.replace("\r\n", "");
                assert!(!rest.chars().any(char::is_control), "{url:?}: {head:?}");
            }
        }
    }
}

fn upgrade() -> Upgrade {
    let mut server = ServerHandshake::new(SubprotocolPolicy::None, HandshakeLimits::default());
    let request = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: x; p\r\n\r\n";
    let received = server.receive(&mut BytesMut::from(request.as_bytes())).expect("valid");
    received.expect("complete")
}

/// The answer over HTTP/2 and HTTP/3 to the same request, with what was agreed over HTTP/1.1.
fn answer_by_streams(
    upgrade: &Upgrade,
    headers: &[(String, String)],
) -> Result<http::Response<()>, ws_h2_upgrade::Error> {
    let fields = [
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "chat"),
        ("sec-websocket-extensions", "x; p"),
    ];
    let request = ws_h2_upgrade::ConnectRequest {
        method: "CONNECT",
        protocol: Some("websocket"),
        scheme: Some("https"),
        authority: Some("a"),
        path: Some("/"),
        headers: &fields[..],
    };
    let judged = ws_h2_upgrade::validate_request(&request, &SubprotocolPolicy::None);
    let mut asked = judged.expect("a valid request");
    asked.agreement = upgrade.agreement.clone();
    ws_h2_upgrade::http_response(&asked, headers)
}

// THREAT: header-injection
#[test]
fn an_answer_is_refused_or_clean_whatever_stands_in_it() {
    type Put = fn(&mut Upgrade, &mut Vec<(String, String)>, &str);
    let arguments: [(&str, Put); 5] = [
        ("header name", |_, headers, text| headers.push((text.into(), "v".into()))),
        ("header value", |_, headers, text| headers.push(("X".into(), text.into()))),
        ("subprotocol", |upgrade, _, text| upgrade.agreement.subprotocol = Some(text.into())),
        ("extension", |upgrade, _, text| upgrade.agreement.extensions.push(Extension::new(text))),
        ("parameter", |upgrade, _, text| {
            upgrade.agreement.extensions.push(Extension::new("x").param("p", text));
        }),
    ];
    for (argument, put) in arguments {
        for text in HOSTILE {
            let (mut upgrade, mut headers, mut head) = (upgrade(), Vec::new(), BytesMut::new());
            put(&mut upgrade, &mut headers, text);
            let answered = ws_h1_upgrade::accept(&upgrade, &headers, &mut head);
            assert!(answered.is_err(), "{argument} {text:?}: {head:?}");
            assert!(head.is_empty(), "{argument} {text:?}: part of the answer was written");
            let answered = answer_by_streams(&upgrade, &headers);
            assert!(answered.is_err(), "{argument} {text:?}: {answered:?}");
        }
    }
    for name in ["Connection", "Transfer-Encoding", "Upgrade", "Keep-Alive", ":status", ":path"] {
        let headers = vec![(name.to_owned(), "v".to_owned())];
        assert!(answer_by_streams(&upgrade(), &headers).is_err(), "{name}");
    }
    let fine = vec![("X".to_owned(), "fine".to_owned())];
    let answer = answer_by_streams(&upgrade(), &fine).expect("a clean answer");
    assert_eq!(answer.headers().get("x").map(http::HeaderValue::as_bytes), Some(&b"fine"[..]));
    let mut head = BytesMut::new();
    ws_h1_upgrade::accept(&upgrade(), &[("X", "fine")], &mut head).expect("a clean answer");
    assert!(head.starts_with(b"HTTP/1.1 101 ") && head.ends_with(b"\r\nX: fine\r\n\r\n"));
}

// THREAT: header-injection
#[test]
fn a_refusal_and_a_page_take_no_field_that_smuggles() {
    for text in HOSTILE {
        let refusal = || Refusal::new(404).expect("a refusal");
        assert!(refusal().with_header(text, "v").is_err(), "{text:?}");
        assert!(refusal().with_header("X", text).is_err(), "{text:?}");
        let page = || ws_io::Page::html("fine");
        assert!(page().with_header(text, "v").is_err(), "{text:?}");
        assert!(page().with_header("X", text).is_err(), "{text:?}");
        assert!(ws_io::Page::new(text, &b"fine"[..]).is_err(), "{text:?}");
        // A body is not a head, and counted.
        let mut out = BytesMut::new();
        ws_h1_upgrade::refuse(&refusal().with_body(text.as_bytes().to_vec()), &mut out);
        let out = String::from_utf8(out.to_vec()).expect("text");
        let (head, body) = out.split_once("\r\n\r\n").expect("a head");
        assert_eq!(body, text);
        assert!(!head.contains("Evil"), "{text:?}");
        assert!(head.contains(&format!("Content-Length: {}", text.len())), "{head}");
    }
}
