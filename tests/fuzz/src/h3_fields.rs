//! The edit of field sections that HTTP/3 goes through, against the
//! [reference](crate::reference::field_lines): which lines stay, which one moves, what is refused and
//! why. The frames around them, cut anywhere.

use bytes::{Bytes, BytesMut};
use httlib_huffman::DecoderSpeed;
use ws_h3::wire::{
    FieldError, FrameEvent, FrameReader, PseudoHeader, check_response, lift_protocol,
    rewrite_protocol,
};

use crate::reference::field_lines::{Line, Name, Text, Undecodable, line, prefix, put_integer};
use crate::source::{Source, pieces};

/// Panics where edit and reference differ.
pub fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let how = source.byte();
    let section = if how & 1 == 0 { source.rest().to_vec() } else { composed(&mut source) };
    let max_fields = usize::from(how >> 4);
    lift(&section, max_fields);
    rewrite(&section);
    response(&section, max_fields);
    frames(&section, how);
}

const PRIVATE: &str = "x-private";
const NAMES: [&str; 16] = [
    ":authority",
    ":method",
    ":path",
    ":protocol",
    ":scheme",
    ":status",
    ":other",
    ":",
    "accept",
    "x-private",
    "sec-websocket-version",
    "UPPER",
    "x",
    ":protocols",
    "",
    "cookie",
];

/// A section of well-formed lines that the bytes choose.
fn composed(source: &mut Source<'_>) -> Vec<u8> {
    let mut section = vec![0, 0];
    while !source.is_empty() && section.len() < 4000 {
        let what = source.byte();
        let len = usize::from(source.byte() & 0x3f);
        let value = source.bytes(len);
        match what >> 6 {
            0 => put_integer(&mut section, 0xc0, 6, usize::from(what & 0x3f) * 2),
            1 => {
                put_integer(&mut section, 0x50 | (what & 0x20), 4, usize::from(what & 0x1f) * 4);
                put_text(&mut section, 0, 7, value, false);
            }
            _ => {
                let name = NAMES[usize::from(what & 0x0f)].as_bytes();
                put_text(&mut section, 0x20, 3, name, what & 0x40 != 0);
                put_text(&mut section, 0, 7, value, what & 0x20 != 0);
            }
        }
    }
    section
}

fn put_text(out: &mut Vec<u8>, pattern: u8, bits: u32, text: &[u8], coded: bool) {
    if !coded {
        put_integer(out, pattern, bits, text.len());
        return out.extend_from_slice(text);
    }
    let mut huffman = Vec::new();
    httlib_huffman::encode(text, &mut huffman).expect("every byte has a code");
    put_integer(out, pattern | 1 << bits, bits, huffman.len());
    out.extend_from_slice(&huffman);
}

/// The name of a line as far as the edit has to know it.
#[derive(Debug, PartialEq, Eq)]
enum Known {
    Pseudo(PseudoHeader),
    Unknown,
    Uppercase,
    Cookie,
    Ordinary,
}

fn known(name: &Name) -> Known {
    let text = match name {
        Name::Static(index) => {
            // RFC 9204 appendix A.
            return match index {
                0 => Known::Pseudo(PseudoHeader::Authority),
                1 => Known::Pseudo(PseudoHeader::Path),
                5 => Known::Cookie,
                15..=21 => Known::Pseudo(PseudoHeader::Method),
                22 | 23 => Known::Pseudo(PseudoHeader::Scheme),
                24..=28 | 63..=71 => Known::Pseudo(PseudoHeader::Status),
                _ => Known::Ordinary,
            };
        }
        Name::Text(Text { coded: false, bytes }) => Some(bytes.clone()),
        Name::Text(Text { coded: true, bytes }) => decoded(bytes),
    };
    match (text.as_deref(), name) {
        (Some(b":authority"), _) => Known::Pseudo(PseudoHeader::Authority),
        (Some(b":method"), _) => Known::Pseudo(PseudoHeader::Method),
        (Some(b":path"), _) => Known::Pseudo(PseudoHeader::Path),
        (Some(b":protocol"), _) => Known::Pseudo(PseudoHeader::Protocol),
        (Some(b":scheme"), _) => Known::Pseudo(PseudoHeader::Scheme),
        (Some(b":status"), _) => Known::Pseudo(PseudoHeader::Status),
        (Some([b':', ..]), _) => Known::Unknown,
        (Some(b"cookie"), _) => Known::Cookie,
        (Some(text), Name::Text(Text { coded: false, .. }))
            if text.iter().any(u8::is_ascii_uppercase) =>
        {
            Known::Uppercase
        }
        // What begins with a colon but cannot be decoded to its end.
        (None, Name::Text(Text { bytes, .. })) if bytes.first().is_some_and(|b| b >> 1 == 0x5c) => {
            Known::Unknown
        }
        _ => Known::Ordinary,
    }
}

/// The text that these bytes are the one right spelling of.
fn decoded(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    httlib_huffman::decode(bytes, &mut text, DecoderSpeed::OneBit).ok()?;
    let mut again = Vec::new();
    httlib_huffman::encode(&text, &mut again).ok()?;
    (again == bytes).then_some(text)
}

/// Walks the lines by the rules that hold between them.
fn judge(
    section: &[u8],
    max_fields: usize,
    mut each: impl FnMut(&Line, &Known) -> Result<(), FieldError>,
) -> Result<(), FieldError> {
    let mut at = prefix(section).map_err(undecodable)?;
    let mut seen = Vec::new();
    let (mut fields, mut has_cookie) = (0, false);
    while at < section.len() {
        let line = line(section, &mut at).map_err(undecodable)?;
        let known = known(&line.name);
        match &known {
            Known::Unknown => return Err(FieldError::UnknownPseudoHeader),
            Known::Uppercase => return Err(FieldError::UppercaseName),
            Known::Pseudo(_) if fields > 0 => return Err(FieldError::MisplacedPseudoHeader),
            Known::Pseudo(pseudo) if seen.contains(pseudo) => {
                return Err(FieldError::RepeatedPseudoHeader(*pseudo));
            }
            Known::Pseudo(pseudo) => seen.push(*pseudo),
            // One field, in however many lines.
            Known::Cookie if has_cookie => {}
            Known::Cookie | Known::Ordinary => {
                has_cookie |= known == Known::Cookie;
                fields += 1;
                if fields > max_fields {
                    return Err(FieldError::TooManyFields { max: max_fields });
                }
            }
        }
        each(&line, &known)?;
    }
    Ok(())
}

fn undecodable(why: Undecodable) -> FieldError {
    match why {
        Undecodable::Truncated => FieldError::Truncated,
        Undecodable::TooLarge => FieldError::IntegerTooLarge,
        Undecodable::Dynamic => FieldError::DynamicReference,
    }
}

fn lift(section: &[u8], max_fields: usize) {
    let mut expected = prefix(section).map_or(Vec::new(), |end| section[..end].to_vec());
    let mut protocol = None;
    let judged = judge(section, max_fields, |line, known| {
        let private = Name::Text(Text { coded: false, bytes: PRIVATE.into() });
        match known {
            Known::Pseudo(PseudoHeader::Status) => return Err(FieldError::UnknownPseudoHeader),
            Known::Pseudo(PseudoHeader::Protocol) => protocol = line.value.clone(),
            _ if line.name == private => {}
            _ => expected.extend_from_slice(&line.raw),
        }
        Ok(())
    });
    let mut out = BytesMut::new();
    let lifted = lift_protocol(section, PRIVATE, max_fields, &mut out);
    match (lifted, judged) {
        (Ok(seen), Ok(())) => {
            assert_eq!(seen.has(PseudoHeader::Protocol), protocol.is_some());
            assert!(!seen.has(PseudoHeader::Status));
            if let Some(value) = protocol {
                // The value goes on as it was spelled, its length however it was written.
                assert!(out.starts_with(&expected), "what stays is not touched");
                let mut at = expected.len();
                let moved = line(&out, &mut at).expect("the line that was added");
                assert_eq!(at, out.len(), "one line is added");
                let name = Text { coded: false, bytes: PRIVATE.into() };
                assert_eq!((moved.name, moved.value), (Name::Text(name), Some(value)));
            } else {
                assert_eq!(out, expected, "what stays is not touched");
            }
            let again = judge(&out, max_fields + 1, |_, known| {
                assert_ne!(*known, Known::Pseudo(PseudoHeader::Protocol), "it is gone");
                Ok(())
            });
            assert_eq!(again, Ok(()));
        }
        (lifted, judged) => assert_eq!(lifted.map(drop), judged),
    }
}

fn rewrite(section: &[u8]) {
    let mut expected = Vec::new();
    let mut found = false;
    let result = (|| {
        let mut at = prefix(section).map_err(undecodable)?;
        expected.extend_from_slice(&section[..at]);
        while at < section.len() {
            let line = line(section, &mut at).map_err(undecodable)?;
            match known(&line.name) {
                Known::Unknown => return Err(FieldError::UnknownPseudoHeader),
                Known::Uppercase => return Err(FieldError::UppercaseName),
                Known::Pseudo(PseudoHeader::Protocol) => {
                    found = true;
                    expected.extend_from_slice(&line.before_value);
                    put_text(&mut expected, 0, 7, b"websocket", false);
                }
                _ => expected.extend_from_slice(&line.raw),
            }
        }
        Ok(found)
    })();
    let mut out = BytesMut::new();
    assert_eq!(rewrite_protocol(section, "websocket", &mut out), result);
    if result.is_ok() {
        assert_eq!(out, expected);
    }
}

fn response(section: &[u8], max_fields: usize) {
    let judged = judge(section, max_fields, |_, known| match known {
        Known::Pseudo(PseudoHeader::Status) | Known::Cookie | Known::Ordinary => Ok(()),
        _ => Err(FieldError::UnknownPseudoHeader),
    });
    assert_eq!(check_response(section, max_fields), judged);
}

/// RFC 9114 §7.1: type, length, payload; whole, byte by byte and cut otherwise.
fn frames(stream: &[u8], seed: u8) {
    let mut expected = Vec::new();
    let mut at = 0;
    while let Some((kind, len, payload)) = varint(stream, at)
        .and_then(|(kind, at)| varint(stream, at).map(|(len, at)| (kind, len, at)))
    {
        let there = usize::try_from(len).unwrap_or(usize::MAX).min(stream.len() - payload);
        expected.push((kind, len, stream[payload..payload + there].to_vec()));
        at = payload + there;
        if (there as u64) < len {
            break;
        }
    }
    let ended = expected.last().is_none_or(|(_, len, payload)| payload.len() as u64 == *len);
    for cut in [0, 1, seed] {
        let mut reader = FrameReader::new();
        let mut found: Vec<(u64, u64, Vec<u8>)> = Vec::new();
        for piece in pieces(stream, cut) {
            let mut piece = Bytes::copy_from_slice(piece);
            while let Some(event) = reader.next(&mut piece, usize::MAX) {
                match event {
                    FrameEvent::Start { kind, len } => found.push((kind, len, Vec::new())),
                    FrameEvent::Payload { kind, bytes, last } => {
                        let (of, len, payload) = found.last_mut().expect("a frame began");
                        assert!(*of == kind && !bytes.is_empty());
                        payload.extend_from_slice(&bytes);
                        assert_eq!(last, payload.len() as u64 == *len);
                    }
                    _ => {}
                }
            }
            assert!(piece.is_empty(), "all of it is taken");
        }
        assert_eq!(found, expected);
        assert_eq!(reader.is_at_boundary(), ended && at == stream.len());
    }
}

/// RFC 9000 §16.
fn varint(stream: &[u8], at: usize) -> Option<(u64, usize)> {
    let first = *stream.get(at)?;
    let len = [1, 2, 4, 8][usize::from(first / 64)];
    let mut value = u64::from(first % 64);
    for byte in stream.get(at + 1..at + len)? {
        value = value * 256 + u64::from(*byte);
    }
    Some((value, at + len))
}
