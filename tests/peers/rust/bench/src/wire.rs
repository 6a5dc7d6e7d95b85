//! Frames and handshakes as bytes, written out here: nothing that is measured checks itself.

use flate2::{Compress, CompressError, Compression, FlushCompress};

/// The request of the load generator; RFC 6455 §1.3 has its key and the answer to it.
pub const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// The same with an offer of permessage-deflate (RFC 7692).
pub fn request_with_deflate() -> Vec<u8> {
    let (fields, end) = REQUEST.split_at(REQUEST.len() - 2);
    [fields, b"Sec-WebSocket-Extensions: permessage-deflate\r\n", end].concat()
}

/// The least a server may answer.
pub const RESPONSE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// What every answer must contain.
pub const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
/// Beside the opcode of the last frame of a message.
const FIN: u8 = 0x80;
/// RSV1, beside the opcode of a message that is compressed (RFC 7692 §6).
pub const COMPRESSED: u8 = 0x40;
#[cfg(feature = "streams")]
pub const CLOSE: u8 = 8;

/// The payload of a close frame with the code 1000.
#[cfg(feature = "streams")]
pub const NORMAL: [u8; 2] = 1000_u16.to_be_bytes();

/// Header of an unmasked, whole message, and its length.
pub fn server_header(opcode: u8, payload: usize) -> ([u8; 10], usize) {
    let mut header = [0; 10];
    header[0] = FIN | opcode;
    let len = match payload {
        0..=125 => {
            header[1] = payload as u8;
            2
        }
        126..=0xffff => {
            header[1] = 126;
            header[2..4].copy_from_slice(&(payload as u16).to_be_bytes());
            4
        }
        _ => {
            header[1] = 127;
            header[2..10].copy_from_slice(&(payload as u64).to_be_bytes());
            10
        }
    };
    (header, len)
}

/// Appends a whole message as a server sends it.
pub fn server_frame(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    let (header, len) = server_header(opcode, payload.len());
    out.extend_from_slice(&header[..len]);
    out.extend_from_slice(payload);
}

/// Appends a whole message as a client sends it.
pub fn client_frame(opcode: u8, key: [u8; 4], payload: &[u8], out: &mut Vec<u8>) {
    let (mut header, len) = server_header(opcode, payload.len());
    header[1] |= 0x80;
    out.extend_from_slice(&header[..len]);
    out.extend_from_slice(&key);
    let start = out.len();
    out.extend_from_slice(payload);
    unmask(key, &mut out[start..]);
}

/// Appends a message in so many frames, all but the last of one size, as a client sends it.
pub fn client_message(
    opcode: u8,
    fragments: usize,
    key: [u8; 4],
    payload: &[u8],
    out: &mut Vec<u8>,
) {
    let (mut opcode, mut rest) = (opcode, payload);
    for _ in 1..fragments {
        let (fragment, left) = rest.split_at(payload.len() / fragments);
        let start = out.len();
        client_frame(opcode, key, fragment, out);
        out[start] &= !FIN;
        (opcode, rest) = (CONTINUATION, left);
    }
    client_frame(opcode, key, rest, out);
}

/// Masks and unmasks, eight bytes at a time; the compiler makes vectors of it.
pub fn unmask(key: [u8; 4], data: &mut [u8]) {
    let word = u64::from_ne_bytes([key[0], key[1], key[2], key[3], key[0], key[1], key[2], key[3]]);
    let mut words = data.chunks_exact_mut(8);
    for chunk in &mut words {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(chunk);
        chunk.copy_from_slice(&(u64::from_ne_bytes(bytes) ^ word).to_ne_bytes());
    }
    for (byte, key) in words.into_remainder().iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

/// A context that has seen nothing yet, with the full window and the level that are default.
pub fn fresh_context() -> Compress {
    Compress::new_with_window_bits(Compression::new(6), false, 15)
}

/// The payload of a compressed message (RFC 7692 §7.2.1).
pub fn deflate(context: &mut Compress, message: &[u8]) -> Result<Vec<u8>, CompressError> {
    let mut out = Vec::with_capacity(message.len() + 64);
    context.compress_vec(message, &mut out, FlushCompress::Sync)?;
    out.truncate(out.len() - 4);
    Ok(out)
}

/// What a message is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    Binary,
    Ascii,
    /// One to four bytes a character.
    Mixed,
}

/// A payload of exactly `size` bytes, another one for each `seed`.
pub fn payload(content: Content, size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    match content {
        Content::Binary => (0..size).map(|_| random() as u8).collect(),
        Content::Ascii => (0..size).map(|_| b' ' + (random() % 95) as u8).collect(),
        Content::Mixed => {
            let mut text = String::with_capacity(size + 4);
            while text.len() < size {
                text.push(
                    ['a', 'b', ' ', 'ä', 'é', 'ж', '中', '文', '😀'][(random() % 9) as usize],
                );
            }
            // Cut to size at a character, and filled up.
            let mut cut = size;
            while !text.is_char_boundary(cut) {
                cut -= 1;
            }
            text.truncate(cut);
            text.extend(std::iter::repeat_n('.', size - cut));
            text.into_bytes()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_is_encoded_as_printed_there() {
        let mut frame = Vec::new();
        client_frame(TEXT, [0x37, 0xfa, 0x21, 0x3d], b"Hello", &mut frame);
        assert_eq!(frame, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    }

    #[test]
    fn a_message_in_fragments_ends_with_its_last_frame() {
        let mut frames = Vec::new();
        client_message(BINARY, 3, [0; 4], b"abcdefg", &mut frames);
        let expected = b"\x02\x82\0\0\0\0ab\x00\x82\0\0\0\0cd\x80\x83\0\0\0\0efg";
        assert_eq!(frames, expected);
    }

    #[test]
    fn payloads_have_the_size_asked_for_and_text_is_text() {
        for content in [Content::Binary, Content::Ascii, Content::Mixed] {
            for size in [0, 1, 16, 125, 1024, 65_536] {
                let payload = payload(content, size, 3);
                assert_eq!(payload.len(), size);
                assert!(content == Content::Binary || std::str::from_utf8(&payload).is_ok());
            }
        }
    }
}
