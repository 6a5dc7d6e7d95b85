//! What each parser does with inputs of any size, for the count of its instructions: the input is the
//! worst that is known for it, and whoever counts compares sizes.

use std::hint::black_box;

use bytes::{BufMut, BytesMut};
use ws_deflate::{Deflater, InflateLimits, Inflater};
use ws_frame::{FrameHeader, Limits, MessageDecoder, OpCode, Role};
use ws_h1_upgrade::{
    ClientHandshake, ClientKey, ClientOptions, HandshakeLimits, ServerHandshake, SubprotocolPolicy,
    WsUri,
};
use ws_handshake::{list, parse_extensions, subprotocol};
use ws_session::{Config, Session};

/// A parser and the worst input of a size.
pub type Case = (&'static str, fn(usize));

/// The last one is quadratic on purpose: whoever counts has to see that.
pub const CASES: &[Case] = &[
    ("frame_in_bytes", frame_in_bytes),
    ("fragments_in_bytes", fragments_in_bytes),
    ("session_in_bytes", session_in_bytes),
    ("request_in_bytes", request_in_bytes),
    ("request_of_fields", request_of_fields),
    ("answer_in_bytes", answer_in_bytes),
    ("answer_of_folds", answer_of_folds),
    ("unclosed_quote", unclosed_quote),
    ("extensions", extensions),
    ("list_of_spaces", list_of_spaces),
    ("subprotocols", subprotocols),
    ("uri_path", uri_path),
    ("h3_fields", h3_fields),
    ("inflate_in_bytes", inflate_in_bytes),
    ("toy_quadratic", toy_quadratic),
];

fn frame_in_bytes(size: usize) {
    let mut decoder = MessageDecoder::new(Role::Client, &Limits::default());
    let mut wire = BytesMut::new();
    FrameHeader::new(OpCode::Text, size as u64).encode(&mut wire);
    wire.put_bytes(b'a', size);
    let mut src = BytesMut::new();
    let mut found = 0;
    for byte in wire {
        src.put_u8(byte);
        found += usize::from(decoder.decode(&mut src).expect("it is right").is_some());
    }
    assert_eq!(found, 1);
}

fn fragments_in_bytes(size: usize) {
    let mut decoder = MessageDecoder::new(Role::Client, &Limits::default());
    let mut src = BytesMut::new();
    for n in 0..size / 3 {
        for byte in [if n == 0 { 2 } else { 0 }, 1, b'a'] {
            src.put_u8(byte);
            assert_eq!(decoder.decode(&mut src), Ok(None));
        }
    }
}

fn session_in_bytes(size: usize) {
    let mut session = Session::server(Config::default());
    let mut wire = BytesMut::new();
    let header =
        FrameHeader { mask: Some([1; 4]), ..FrameHeader::new(OpCode::Binary, size as u64) };
    header.encode(&mut wire);
    wire.put_bytes(b'a', size);
    let mut events = 0;
    for byte in wire {
        session.read_buffer().put_u8(byte);
        events += usize::from(session.poll_event().is_some());
    }
    assert_eq!(events, 1);
}

/// Limits that do not end the trial.
fn limits(size: usize) -> HandshakeLimits {
    HandshakeLimits { max_handshake_size: 2 * size + 1000, max_headers: size + 10, max_body: size }
}

fn request_in_bytes(size: usize) {
    let mut server = ServerHandshake::new(SubprotocolPolicy::None, limits(size));
    let mut buf = BytesMut::new();
    for byte in b"GET / HTTP/1.1\r\nX: ".iter().chain(std::iter::repeat_n(&b'a', size)) {
        buf.put_u8(*byte);
        assert_eq!(server.receive(&mut buf), Ok(None));
    }
}

fn request_of_fields(size: usize) {
    let mut server = ServerHandshake::new(SubprotocolPolicy::None, limits(size));
    let mut buf = BytesMut::from(&b"GET / HTTP/1.1\r\nHost: a\r\n"[..]);
    buf.extend_from_slice(&b"X: y\r\n".repeat(size / 6));
    buf.extend_from_slice(b"\r\n");
    assert!(server.receive(&mut buf).is_err(), "it asks for no upgrade");
}

fn client(size: usize) -> ClientHandshake {
    ClientHandshake::new(ClientKey::new([7; 16]), ClientOptions::default(), limits(size))
}

fn answer_in_bytes(size: usize) {
    let mut client = client(size);
    let mut buf = BytesMut::new();
    let head = b"HTTP/1.1 404 x\r\nTransfer-Encoding: chunked\r\n\r\n".iter();
    let body = b"1\r\na\r\n".iter().cycle().take(size);
    for byte in head.chain(body) {
        buf.put_u8(*byte);
        let _refused = client.receive(&mut buf);
    }
}

fn answer_of_folds(size: usize) {
    let mut buf = BytesMut::from(&b"HTTP/1.1 404 x\r\nX: y\r\n"[..]);
    buf.extend_from_slice(&b" z\r\n".repeat(size / 4));
    buf.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    assert!(client(size).receive(&mut buf).is_err(), "it is a refusal");
}

fn unclosed_quote(size: usize) {
    let line = [b"a;b=\"".to_vec(), b"\\c".repeat(size / 2)].concat();
    assert!(parse_extensions(std::iter::once(&line[..])).is_err());
}

fn extensions(size: usize) {
    // As many as may be, with names as long as there is room for.
    let line = [b"a".repeat(size / 64), b";b=\"c\"".to_vec()].concat();
    let line = [line.as_slice(); 64].join(&b','.to_le_bytes()[..1]);
    assert_eq!(parse_extensions(std::iter::once(&line[..])).map(|list| list.len()), Ok(64));
}

fn list_of_spaces(size: usize) {
    let line = [b"a".to_vec(), b" \t".repeat(size / 2), b",b".to_vec()].concat();
    let tokens = list::tokens(std::iter::once(&line[..]));
    assert_eq!(tokens.filter(Result::is_ok).count(), 2);
}

fn subprotocols(size: usize) {
    let name = |n: usize| format!("{}{n}", "a".repeat(size / 64));
    let line = (0..64).map(name).collect::<Vec<_>>().join(", ");
    let offers = subprotocol::parse_offers(&[("sec-websocket-protocol", line)]);
    assert_eq!(offers.map(|offers| offers.len()), Ok(64));
}

fn uri_path(size: usize) {
    let uri =
        WsUri::parse(&format!("ws://a/{}?{}", "%41".repeat(size / 6), "\u{e9}".repeat(size / 4)));
    assert!(black_box(uri).is_ok());
}

fn h3_fields(size: usize) {
    let mut section = vec![0, 0, 0xcf];
    section.extend_from_slice(&b"\x21x\x01y".repeat(size / 4));
    let mut out = BytesMut::new();
    ws_h3::wire::lift_protocol(&section, "x-private", size, &mut out).expect("it is right");
    assert_eq!(out, section);
}

fn inflate_in_bytes(size: usize) {
    // Stored, so that input and output grow alike.
    let mut payload = BytesMut::new();
    Deflater::new(15, true, 0).compress(&vec![b'a'; size], true, &mut payload);
    let limits = InflateLimits::default();
    let mut inflater = Inflater::new(15, true);
    let mut out = BytesMut::new();
    for byte in payload {
        inflater.inflate(&[byte], &mut out, &limits).expect("it is right");
    }
    inflater.finish(&limits).expect("it is whole");
    assert_eq!(out.len(), size);
}

/// Looks for the end of a line from its beginning whenever a byte comes.
fn toy_quadratic(size: usize) {
    let mut line = Vec::new();
    for _ in 0..size {
        line.push(b'a');
        assert!(!black_box(&line).contains(&b'\n'));
    }
}
