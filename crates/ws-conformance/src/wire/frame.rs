//! Frames, RFC 6455 §5.2, as a test tool needs them: every bit can be set wrong on purpose,
//! and what the peer sent is read without being judged.

use super::mask;

/// The opcodes by name; a test also uses the numbers that have none.
pub(crate) mod opcode {
    pub(crate) const CONTINUATION: u8 = 0x0;
    pub(crate) const TEXT: u8 = 0x1;
    pub(crate) const BINARY: u8 = 0x2;
    pub(crate) const CLOSE: u8 = 0x8;
    pub(crate) const PING: u8 = 0x9;
    pub(crate) const PONG: u8 = 0xA;
}

/// How the payload length is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// With the fewest octets, as §5.2 wants it.
    Minimal,
    /// In the 16-bit form whatever the length.
    Sixteen,
    /// In the 64-bit form whatever the length.
    SixtyFour,
    /// In the 64-bit form, with a number that need not be true.
    Claimed(u64),
}

/// Whether and how a frame to be sent is masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Masking {
    /// As the sender's role demands, with a fresh key.
    ByRole,
    /// Not at all.
    Never,
    /// With this key, whatever the role.
    Key([u8; 4]),
}

/// A frame to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) fin: bool,
    pub(crate) rsv: u8,
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
    pub(crate) length: Length,
    pub(crate) masking: Masking,
}

impl Frame {
    pub(crate) fn new(opcode: u8, payload: impl Into<Vec<u8>>) -> Self {
        let (length, masking) = (Length::Minimal, Masking::ByRole);
        Self { fin: true, rsv: 0, opcode, payload: payload.into(), length, masking }
    }

    pub(crate) fn text(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(opcode::TEXT, payload)
    }

    pub(crate) fn binary(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(opcode::BINARY, payload)
    }

    pub(crate) fn continuation(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(opcode::CONTINUATION, payload)
    }

    pub(crate) fn ping(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(opcode::PING, payload)
    }

    pub(crate) fn pong(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(opcode::PONG, payload)
    }

    /// A close frame with this body, which may be no valid one.
    pub(crate) fn close_body(body: impl Into<Vec<u8>>) -> Self {
        Self::new(opcode::CLOSE, body)
    }

    /// A close frame with a code and a reason.
    pub(crate) fn close(code: u16, reason: &str) -> Self {
        Self::close_body([&code.to_be_bytes(), reason.as_bytes()].concat())
    }

    /// The same frame with FIN clear.
    pub(crate) fn open(mut self) -> Self {
        self.fin = false;
        self
    }

    /// The same frame with the reserved bits set to `rsv` (4 is RSV1, 2 is RSV2, 1 is RSV3).
    pub(crate) fn reserved(mut self, rsv: u8) -> Self {
        self.rsv = rsv;
        self
    }

    pub(crate) fn with_length(mut self, length: Length) -> Self {
        self.length = length;
        self
    }

    pub(crate) fn with_masking(mut self, masking: Masking) -> Self {
        self.masking = masking;
        self
    }

    pub(crate) fn is_close(&self) -> bool {
        self.opcode == opcode::CLOSE
    }

    /// The octets of the frame; `masked` is what the sender's role demands.
    pub(crate) fn encode(&self, masked: bool) -> Vec<u8> {
        let key = match self.masking {
            Masking::ByRole => masked.then(mask::fresh_key),
            Masking::Never => None,
            Masking::Key(key) => Some(key),
        };
        let mut bytes = Vec::with_capacity(self.payload.len() + 14);
        bytes.push(u8::from(self.fin) << 7 | (self.rsv & 7) << 4 | self.opcode & 0xF);
        let mask_bit = if key.is_some() { 0x80 } else { 0 };
        let true_length = self.payload.len() as u64;
        let (small, medium) = (u8::try_from(true_length), u16::try_from(true_length));
        match (self.length, small, medium) {
            (Length::Minimal, Ok(length @ ..=125), _) => bytes.push(mask_bit | length),
            (Length::Minimal | Length::Sixteen, _, Ok(length)) => {
                bytes.push(mask_bit | 126);
                bytes.extend(length.to_be_bytes());
            }
            (form, ..) => {
                bytes.push(mask_bit | 127);
                let claimed = if let Length::Claimed(other) = form { other } else { true_length };
                bytes.extend(claimed.to_be_bytes());
            }
        }
        let Some(key) = key else {
            bytes.extend_from_slice(&self.payload);
            return bytes;
        };
        bytes.extend(key);
        let head = bytes.len();
        bytes.extend_from_slice(&self.payload);
        mask::apply(key, bytes.get_mut(head..).unwrap_or_default());
        bytes
    }
}

/// A frame header that the peer sent, as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) fin: bool,
    pub(crate) rsv: u8,
    pub(crate) opcode: u8,
    pub(crate) key: Option<[u8; 4]>,
    pub(crate) length: u64,
    /// Whether the length was written with the fewest octets.
    pub(crate) minimal: bool,
    /// Octets of the header itself.
    pub(crate) size: usize,
}

impl Header {
    /// Reads a header from the start of `bytes`; `None` while it is incomplete.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (&[first, second], rest) = bytes.split_first_chunk::<2>()?;
        let (length, minimal, rest) = match second & 0x7F {
            126 => {
                let (length, rest) = rest.split_first_chunk::<2>()?;
                let length = u64::from(u16::from_be_bytes(*length));
                (length, length > 125, rest)
            }
            127 => {
                let (length, rest) = rest.split_first_chunk::<8>()?;
                let length = u64::from_be_bytes(*length);
                (length, length > 0xFFFF, rest)
            }
            short => (u64::from(short), true, rest),
        };
        let (key, rest) = if second & 0x80 == 0 {
            (None, rest)
        } else {
            let (key, rest) = rest.split_first_chunk::<4>()?;
            (Some(*key), rest)
        };
        Some(Self {
            fin: first & 0x80 != 0,
            rsv: first >> 4 & 7,
            opcode: first & 0xF,
            key,
            length,
            minimal,
            size: bytes.len() - rest.len(),
        })
    }

    pub(crate) fn is_control(&self) -> bool {
        self.opcode & 8 != 0
    }
}

/// The name of an opcode as the RFC has it.
pub(crate) fn opcode_name(number: u8) -> String {
    match number {
        opcode::CONTINUATION => "continuation".into(),
        opcode::TEXT => "text".into(),
        opcode::BINARY => "binary".into(),
        opcode::CLOSE => "close".into(),
        opcode::PING => "ping".into(),
        opcode::PONG => "pong".into(),
        other => format!("opcode {other:#x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC: WS-5.2-04, WS-5.2-06
    #[test]
    fn lengths_are_written_minimally_at_every_boundary() {
        let table = [(0, 2), (125, 2), (126, 4), (127, 4), (65_535, 4), (65_536, 10), (70_000, 10)];
        for (length, size) in table {
            let bytes = Frame::binary(vec![7; length]).encode(false);
            let header = Header::read(&bytes).expect("a whole header");
            assert_eq!((header.size, header.length, header.minimal), (size, length as u64, true));
            assert_eq!(bytes.len(), size + length);
        }
    }

    #[test]
    fn the_frames_of_the_rfc_are_written_as_printed() {
        assert_eq!(Frame::text("Hello").encode(false), b"\x81\x05Hello");
        let masked = Frame::text("Hello").with_masking(Masking::Key([0x37, 0xfa, 0x21, 0x3d]));
        let printed = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
        assert_eq!(masked.encode(false), printed);
        assert_eq!(Frame::text("Hel").open().encode(false), b"\x01\x03Hel");
        assert_eq!(Frame::continuation("lo").encode(false), b"\x80\x02lo");
        assert_eq!(Frame::ping("Hello").encode(false), b"\x89\x05Hello");
    }

    #[test]
    fn a_header_is_read_only_when_whole() {
        let bytes = Frame::text(vec![b'*'; 300]).reserved(5).encode(true);
        for cut in 0..8 {
            assert_eq!(Header::read(bytes.get(..cut).unwrap_or_default()), None);
        }
        let header = Header::read(&bytes).expect("a whole header");
        assert!(header.fin && header.minimal && header.key.is_some());
        assert_eq!((header.rsv, header.opcode, header.length), (5, 1, 300));
    }

    #[test]
    fn wrong_length_forms_can_be_written_and_are_recognised() {
        for form in [Length::Sixteen, Length::SixtyFour] {
            let bytes = Frame::text("x").with_length(form).encode(true);
            assert!(!Header::read(&bytes).expect("a whole header").minimal);
        }
        let bytes = Frame::text("x").with_length(Length::Claimed(u64::MAX)).encode(true);
        assert_eq!(Header::read(&bytes).expect("a whole header").length, u64::MAX);
    }
}
