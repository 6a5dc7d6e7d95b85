//! Frames and messages, cut anywhere, against the [reference](crate::reference): the same events, the
//! same error, the same bytes taken.

use bytes::BytesMut;
use ws_frame::{
    DataKind, Decoded, FrameDecoder, FrameError, FrameHeader, Inflate, Limits, Message,
    MessageDecoder, Role,
};

use crate::reference::frames::{Found, frame};
use crate::reference::messages::{Read, Rules, TOY_CORRUPT, doubled, read};
use crate::source::{Source, pieces};

/// Panics where decoder and reference differ.
pub fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let flags = source.byte();
    let bit = |n: u8| flags & (1 << n) != 0;
    let small = bit(3);
    let rules = Rules {
        role: if bit(0) { Role::Client } else { Role::Server },
        allow_rsv1: bit(1),
        iana_codes: bit(2),
        max_frame: if small { 10 } else { 1000 },
        max_message: if small { 15 } else { 1500 },
        max_fragments: if small { 3 } else { 20 },
    };
    let seed = source.byte();
    let wire = source.rest();

    let expected = read(wire, &rules);
    for cut in [0, 1, seed] {
        frames(wire, &rules, cut);
        messages(wire, &rules, cut, &expected);
        chunks(wire, &rules, cut, &expected);
        alternating(wire, &rules, cut, seed, &expected);
    }
}

fn limits(rules: &Rules) -> Limits {
    Limits::default()
        .with_max_frame(rules.max_frame)
        .with_max_message(rules.max_message)
        .with_max_fragments(rules.max_fragments)
}

/// The lower of the two decoders: headers, payloads, errors, and how much was taken.
fn frames(wire: &[u8], rules: &Rules, cut: u8) {
    let mut decoder = FrameDecoder::new(rules.role, &limits(rules));
    if rules.allow_rsv1 {
        decoder = decoder.with_rsv1();
    }
    let mut src = BytesMut::new();
    let mut found = Vec::new();
    let mut error = None;
    for piece in pieces(wire, cut) {
        src.extend_from_slice(piece);
        while error.is_none() {
            match decoder.decode(&mut src) {
                Ok(Some(frame)) => found.push(frame),
                Ok(None) => break,
                Err(wrong) => {
                    assert_eq!(decoder.decode(&mut src), Err(wrong), "the error repeats");
                    error = Some(wrong);
                }
            }
        }
    }

    let mut at = 0;
    let mut found = found.into_iter();
    loop {
        match frame(&wire[at..], rules.role, rules.allow_rsv1, rules.max_frame as u64) {
            Found::Frame(expected) if expected.is_whole() => {
                let frame = found.next().expect("a frame that the reference sees");
                assert_eq!(frame.payload, expected.payload);
                let mut header = BytesMut::new();
                frame.header.encode(&mut header);
                assert_eq!(header, expected.header, "headers are minimal");
                assert!(header.len() <= FrameHeader::MAX_LEN);
                at += expected.header.len() + expected.payload.len();
            }
            Found::Frame(expected) => {
                assert_eq!(error, None);
                assert!(decoder.has_frame());
                assert_eq!(src.len(), expected.payload.len(), "the header is taken");
                let missing = expected.declared - expected.payload.len() as u64;
                assert_eq!(decoder.missing() as u64, missing);
                break;
            }
            Found::Nothing | Found::Keyless(_) => {
                assert_eq!((error, src.len()), (None, wire.len() - at));
                break;
            }
            Found::First(violation) => {
                assert_eq!(error, Some(FrameError::ProtocolError(violation)));
                break;
            }
            Found::Wrong(wrong) => {
                assert_eq!(error, Some(wrong));
                break;
            }
        }
    }
    assert_eq!(found.next(), None, "a frame that the reference does not see");
}

fn decoder(rules: &Rules) -> MessageDecoder {
    let decoder = MessageDecoder::new(rules.role, &limits(rules)).with_iana_codes(rules.iana_codes);
    if rules.allow_rsv1 { decoder.with_rsv1() } else { decoder }
}

fn messages(wire: &[u8], rules: &Rules, cut: u8, expected: &Read) {
    let mut decoder = decoder(rules);
    let mut toy = Toy { max_message: rules.max_message };
    let mut src = BytesMut::new();
    let mut found = Vec::new();
    let mut error = None;
    for piece in pieces(wire, cut) {
        src.extend_from_slice(piece);
        while error.is_none() {
            match decoder.decode_with(&mut src, Some(&mut toy)) {
                Ok(Some(message)) => found.push(message),
                Ok(None) => break,
                Err(wrong) => {
                    let again = decoder.decode_with(&mut src, Some(&mut toy));
                    assert_eq!(again, Err(wrong), "the error repeats");
                    error = Some(wrong);
                }
            }
        }
        assert!(decoder.buffered() <= 2 * rules.max_message + 64, "{}", decoder.buffered());
    }
    assert_eq!(found, expected.messages);
    assert_eq!(error, expected.error);
    if error.is_none() && expected.open.is_some() {
        assert!(decoder.is_mid_message());
    }
}

/// The same in chunks: joined they are the messages, and what came of the last one is its beginning.
fn chunks(wire: &[u8], rules: &Rules, cut: u8, expected: &Read) {
    let mut decoder = decoder(rules);
    let mut toy = Toy { max_message: rules.max_message };
    let mut src = BytesMut::new();
    let mut found = Vec::new();
    let mut open: Option<(DataKind, Vec<u8>)> = None;
    let mut error = None;
    for piece in pieces(wire, cut) {
        src.extend_from_slice(piece);
        while error.is_none() {
            match decoder.decode_chunk(&mut src, Some(&mut toy)) {
                Ok(Some(Decoded::Message(message))) => {
                    assert!(message.data_kind().is_none(), "data comes in chunks");
                    found.push(message);
                }
                Ok(Some(Decoded::Chunk { kind, data, last })) => {
                    assert!(last || !data.is_empty(), "an empty chunk says nothing");
                    let (of, bytes) = open.get_or_insert((kind, Vec::new()));
                    assert_eq!(*of, kind);
                    bytes.extend_from_slice(&data);
                    if last {
                        found.extend(open.take().map(whole));
                    }
                }
                Ok(None) => break,
                Err(wrong) => error = Some(wrong),
            }
        }
    }
    assert_eq!(found, expected.messages);
    assert_eq!(error, expected.error);
    if let Some((kind, bytes)) = open {
        let (of, all) = expected.open.as_ref().or(None).map_or((kind, &bytes), |(k, b)| (*k, b));
        assert_eq!(of, kind);
        assert!(all.starts_with(&bytes), "chunks are the beginning of the message");
    }
}

fn whole((kind, bytes): (DataKind, Vec<u8>)) -> Message {
    match kind {
        DataKind::Binary => Message::binary(bytes),
        DataKind::Text => Message::text(String::from_utf8(bytes).expect("text was checked")),
    }
}

/// Both ways in turn: the same control frames and the same error, however data is asked for.
fn alternating(wire: &[u8], rules: &Rules, cut: u8, seed: u8, expected: &Read) {
    let mut decoder = decoder(rules);
    let mut toy = Toy { max_message: rules.max_message };
    let mut src = BytesMut::new();
    let mut controls = Vec::new();
    let mut error = None;
    let mut turn = u32::from(seed);
    for piece in pieces(wire, cut) {
        src.extend_from_slice(piece);
        while error.is_none() {
            turn = turn.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let in_chunks = turn >> 31 != 0;
            let decoded = if in_chunks {
                decoder.decode_chunk(&mut src, Some(&mut toy))
            } else {
                let message = decoder.decode_with(&mut src, Some(&mut toy));
                message.map(|message| message.map(Decoded::Message))
            };
            match decoded {
                Ok(Some(Decoded::Message(message))) if message.data_kind().is_none() => {
                    controls.push(message);
                }
                Ok(Some(Decoded::Message(message))) => {
                    assert!(expected.messages.contains(&message), "a message nobody sent");
                }
                Ok(Some(Decoded::Chunk { .. })) => {}
                Ok(None) => break,
                Err(wrong) => error = Some(wrong),
            }
        }
    }
    let is_control = |message: &&Message| message.data_kind().is_none();
    let expected_controls: Vec<_> = expected.messages.iter().filter(is_control).cloned().collect();
    assert_eq!(controls, expected_controls);
    assert_eq!(error, expected.error);
}

/// Stands for DEFLATE: ASCII comes out twice, anything else once, and one byte is corrupt.
struct Toy {
    max_message: usize,
}

impl Inflate for Toy {
    fn inflate(
        &mut self,
        piece: &[u8],
        _last: bool,
        out: &mut BytesMut,
        max: usize,
    ) -> Result<(), FrameError> {
        for &byte in piece {
            if byte == TOY_CORRUPT {
                return Err(FrameError::BadDeflate);
            }
            for byte in doubled(byte) {
                if out.len() == max {
                    return Err(FrameError::InflateTooBig { max: self.max_message });
                }
                out.extend_from_slice(&[byte]);
            }
        }
        Ok(())
    }
}
