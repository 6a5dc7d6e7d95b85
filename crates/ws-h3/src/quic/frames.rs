//! Walks the HTTP/3 frames of a stream (RFC 9114 §7.1), cut anywhere, without buffering a payload.

use bytes::{Buf, Bytes};

/// Frame types of RFC 9114 §7.2.
pub(crate) const DATA: u64 = 0x0;
pub(crate) const HEADERS: u64 = 0x1;
pub(crate) const SETTINGS: u64 = 0x4;
pub(crate) const GOAWAY: u64 = 0x7;

/// Whether `kind` is a frame type that RFC 9114 §7.2 defines or forbids; all others are ignored.
pub(crate) fn is_known(kind: u64) -> bool {
    matches!(kind, 0x0..=0x9 | 0xd)
}

/// What a [`FrameReader`] found next.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameEvent {
    /// A frame header; `len` bytes of payload follow.
    Start {
        /// The frame type.
        kind: u64,
        /// Length of the payload in bytes, below 2^62.
        len: u64,
    },
    /// A piece of the current frame's payload, never empty.
    Payload {
        /// The type of the frame it belongs to.
        kind: u64,
        /// The bytes, which still share the input's memory.
        bytes: Bytes,
        /// Whether the frame ends with this piece.
        last: bool,
    },
}

/// Splits a byte stream into frame headers and payload pieces. It holds at most one frame header.
#[derive(Debug, Clone, Default)]
pub struct FrameReader {
    state: State,
}

#[derive(Debug, Clone)]
enum State {
    /// Collecting the two varints of a header.
    Header {
        bytes: [u8; HEADER_MAX],
        len: usize,
    },
    Payload {
        kind: u64,
        left: u64,
    },
}

impl Default for State {
    fn default() -> Self {
        Self::Header { bytes: [0; HEADER_MAX], len: 0 }
    }
}

impl FrameReader {
    /// A reader at the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next event from the front of `input`, of at most `max` bytes of payload; `None` when
    /// all of `input` has been taken and more is needed, or `max` is 0 inside a payload.
    pub fn next(&mut self, input: &mut Bytes, max: usize) -> Option<FrameEvent> {
        match &mut self.state {
            State::Header { bytes, len } => {
                while let Some((&byte, _)) = input.split_first() {
                    input.advance(1);
                    *bytes.get_mut(*len)? = byte;
                    *len += 1;
                    let mut header = bytes.get(..*len).unwrap_or_default();
                    if let (Some(kind), Some(len)) =
                        (take_varint(&mut header), take_varint(&mut header))
                    {
                        self.state = match len {
                            0 => State::default(),
                            left => State::Payload { kind, left },
                        };
                        return Some(FrameEvent::Start { kind, len });
                    }
                }
                None
            }
            State::Payload { kind, left } => {
                let kind = *kind;
                let take = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len()).min(max);
                if take == 0 {
                    return None;
                }
                let bytes = input.split_to(take);
                *left -= take as u64;
                let last = *left == 0;
                if last {
                    self.state = State::default();
                }
                Some(FrameEvent::Payload { kind, bytes, last })
            }
        }
    }

    /// Whether the stream may end here: between two frames (RFC 9114 §7.1).
    #[must_use]
    pub fn is_at_boundary(&self) -> bool {
        matches!(self.state, State::Header { len: 0, .. })
    }
}

/// Takes a variable-length integer (RFC 9000 §16) from the front of `input`, or nothing when it is
/// not complete.
pub(crate) fn take_varint(input: &mut &[u8]) -> Option<u64> {
    let first = *input.first()?;
    let (bytes, rest) = input.split_at_checked(1 << (first >> 6))?;
    let value = bytes.iter().fold(0, |value, &byte| value << 8 | u64::from(byte));
    *input = rest;
    // The two length bits sit on top of the value.
    Some(value & (u64::MAX >> (66 - 8 * bytes.len())))
}

/// Writes the header of a frame of type `kind`, which must be below 64, and returns the bytes used.
pub(crate) fn frame_header(kind: u64, len: usize) -> ([u8; 9], usize) {
    let len = len as u64;
    let (size, length_bits) = match len {
        0..=0x3f => (1, 0),
        0x40..=0x3fff => (2, 1),
        0x4000..=0x3fff_ffff => (4, 2),
        _ => (8, 3_u64),
    };
    let encoded = (len | length_bits << (8 * size - 2)).to_be_bytes();
    let mut header = [0; 9];
    header[0] = kind.to_le_bytes()[0];
    for (to, from) in header.iter_mut().skip(1).zip(encoded.iter().skip(8 - size)) {
        *to = *from;
    }
    (header, 1 + size)
}

/// Two varints of eight bytes.
const HEADER_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &[u8], cut: usize) -> (Vec<(u64, u64, Vec<u8>)>, bool) {
        let mut reader = FrameReader::new();
        let mut frames = Vec::new();
        for piece in input.chunks(cut) {
            let mut piece = Bytes::copy_from_slice(piece);
            while let Some(event) = reader.next(&mut piece, usize::MAX) {
                match event {
                    FrameEvent::Start { kind, len } => frames.push((kind, len, Vec::new())),
                    FrameEvent::Payload { bytes, .. } => {
                        frames.last_mut().expect("a frame began").2.extend_from_slice(&bytes);
                    }
                }
            }
            assert!(piece.is_empty());
        }
        (frames, reader.is_at_boundary())
    }

    #[test]
    fn frames_are_the_same_however_the_bytes_are_cut() {
        let input = b"\x00\x03abc\x00\x00\x01\x40\x02hi\x80\x00\x00\x21\x01x\x07\x01\x04";
        let expected = vec![
            (DATA, 3, b"abc".to_vec()),
            (DATA, 0, vec![]),
            (HEADERS, 2, b"hi".to_vec()),
            (0x21, 1, b"x".to_vec()),
            (GOAWAY, 1, vec![4]),
        ];
        for cut in 1..=input.len() {
            assert_eq!(all(input, cut), (expected.clone(), true), "cut {cut}");
        }
    }

    proptest::proptest! {
        #[test]
        fn random_bytes_give_the_same_frames_however_they_are_cut(
            input in proptest::collection::vec(proptest::prelude::any::<u8>(), 1..200),
            cut in 1..200_usize,
        ) {
            proptest::prop_assert_eq!(all(&input, cut), all(&input, input.len()));
        }
    }

    #[test]
    fn an_unfinished_frame_is_no_boundary() {
        for end in [1, 2, 3, 4] {
            assert!(!all(&b"\x00\x03abc"[..end], 1).1, "end {end}");
        }
        assert!(all(b"\x00\x03abc", 1).1);
    }

    #[test]
    fn headers_are_read_as_they_were_written() {
        for len in [0, 1, 63, 64, 16_383, 16_384, (1 << 30) - 1, 1 << 30, 1 << 40] {
            let (header, size) = frame_header(DATA, len);
            let mut input = Bytes::copy_from_slice(&header[..size]);
            let event = FrameReader::new().next(&mut input, 0);
            assert_eq!(event, Some(FrameEvent::Start { kind: DATA, len: len as u64 }));
            assert!(input.is_empty());
        }
    }

    #[test]
    fn a_varint_needs_all_its_bytes() {
        let cases: [(&[u8], Option<u64>); 7] = [
            (&[], None),
            (&[0x25], Some(37)),
            (&[0x40], None),
            (&[0x7b, 0xbd], Some(15_293)),
            (&[0x9d, 0x7f, 0x3e, 0x7d], Some(494_878_333)),
            (&[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c], Some(151_288_809_941_952_652)),
            (&[0xff; 8], Some((1 << 62) - 1)),
        ];
        for (mut input, expected) in cases {
            assert_eq!(take_varint(&mut input), expected);
        }
    }
}
