//! The frame header (RFC 6455 §5.2): two to fourteen bytes.

use bytes::BufMut;

use crate::{FrameError, OpCode, Role, Violation};

/// What stands before the payload of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "RFC 6455 fixes the header")]
pub struct FrameHeader {
    /// Whether this is the last frame of its message.
    pub fin: bool,
    /// The reserved bits: RSV1 = 4, RSV2 = 2, RSV3 = 1.
    pub reserved: u8,
    /// What the frame is.
    pub opcode: OpCode,
    /// The masking key, if the payload is masked.
    pub mask: Option<[u8; 4]>,
    /// The number of payload bytes that follow.
    pub payload_len: u64,
}

impl FrameHeader {
    /// The most bytes a header takes.
    pub const MAX_LEN: usize = 14;
    /// RSV1, which permessage-deflate uses to mark a compressed message (RFC 7692 §6).
    pub const RSV1: u8 = 4;
    /// The most payload bytes of a control frame.
    pub const MAX_CONTROL: u64 = 125;

    /// A header for the only frame of a message, without a mask.
    #[must_use]
    pub const fn new(opcode: OpCode, payload_len: u64) -> Self {
        Self { fin: true, reserved: 0, opcode, mask: None, payload_len }
    }

    /// Reads a header from the front of `src` and returns it with the number of bytes it takes;
    /// `None` when bytes are missing. `role` is ours, `allowed_reserved` holds the bits that
    /// negotiated extensions define for data frames.
    ///
    /// What is certainly wrong is refused at once, even if the header is not complete.
    ///
    /// # Errors
    ///
    /// [`FrameError::ProtocolError`] for what RFC 6455 forbids in a single header: reserved bits,
    /// reserved opcodes, long or fragmented control frames, a wrong mask bit, a length that is not
    /// minimal or has its top bit set.
    #[inline]
    pub fn decode(
        src: &[u8],
        role: Role,
        allowed_reserved: u8,
    ) -> Result<Option<(Self, usize)>, FrameError> {
        let Some((header, mask_at)) = Self::decode_keyless(src, role, allowed_reserved)? else {
            return Ok(None);
        };
        // The mask bit was held to the role.
        if role == Role::Client {
            return Ok(Some((header, mask_at)));
        }
        let Some(key) = src.get(mask_at..mask_at + 4) else { return Ok(None) };
        Ok(Some((Self { mask: Some(array(key)), ..header }, mask_at + 4)))
    }

    /// As [`decode`](Self::decode), up to the masking key, which need not be here.
    #[inline(always)]
    pub(crate) fn decode_keyless(
        src: &[u8],
        role: Role,
        allowed_reserved: u8,
    ) -> Result<Option<(Self, usize)>, FrameError> {
        let Some(&first) = src.first() else { return Ok(None) };
        let (fin, reserved, opcode) = Self::decode_first(first, allowed_reserved)?;

        let Some(&second) = src.get(1) else { return Ok(None) };
        let masked = second & 0x80 != 0;
        match role {
            Role::Server if !masked => return Err(Violation::UnmaskedFrame.into()),
            Role::Client if masked => return Err(Violation::MaskedFrame.into()),
            _ => {}
        }
        let short = second & 0x7f;
        if opcode.is_control() && short > 125 {
            return Err(Violation::ControlTooLong.into());
        }
        if opcode == OpCode::Close && short == 1 {
            return Err(Violation::ShortCloseBody.into());
        }

        let (payload_len, mask_at) = match short {
            126 => {
                let Some(bytes) = src.get(2..4) else { return Ok(None) };
                let len = u64::from(u16::from_be_bytes(array(bytes)));
                if len < 126 {
                    return Err(Violation::NonMinimalLength(len).into());
                }
                (len, 4)
            }
            127 => {
                // The top bit stands in the first of the eight bytes.
                if let Some(&top @ 0x80..) = src.get(2) {
                    return Err(Violation::LengthTopBit(top).into());
                }
                let Some(bytes) = src.get(2..10) else { return Ok(None) };
                let len = u64::from_be_bytes(array(bytes));
                if len <= u64::from(u16::MAX) {
                    return Err(Violation::NonMinimalLength(len).into());
                }
                (len, 10)
            }
            len => (u64::from(len), 2),
        };

        Ok(Some((Self { fin, reserved, opcode, mask: None, payload_len }, mask_at)))
    }

    /// Reads the first byte of a header: FIN, the reserved bits, the opcode.
    #[inline]
    pub(crate) fn decode_first(
        first: u8,
        allowed_reserved: u8,
    ) -> Result<(bool, u8, OpCode), FrameError> {
        let fin = first & 0x80 != 0;
        let reserved = (first >> 4) & 0x7;
        let number = first & 0xf;
        let Some(opcode) = OpCode::new(number) else {
            return Err(Violation::UnknownOpcode(number).into());
        };
        let allowed = match opcode {
            // RFC 7692 §6.1: only the first frame of a message carries the bit.
            OpCode::Text | OpCode::Binary => allowed_reserved,
            _ => 0,
        };
        if reserved & !allowed != 0 {
            return Err(Violation::ReservedBits(reserved).into());
        }
        if opcode.is_control() && !fin {
            return Err(Violation::FragmentedControl.into());
        }
        Ok((fin, reserved, opcode))
    }

    /// Appends the header, with the length in the fewest bytes.
    #[inline]
    pub fn encode(&self, dst: &mut impl BufMut) {
        put(first(self.opcode, self.fin, self.reserved), self.mask, self.payload_len, dst);
    }
}

/// The first byte of a header.
#[inline]
pub(crate) const fn first(opcode: OpCode, fin: bool, reserved: u8) -> u8 {
    (fin as u8) << 7 | (reserved & 7) << 4 | opcode.get()
}

/// Appends a header whose first byte is this.
#[inline]
pub(crate) fn put(first: u8, key: Option<[u8; 4]>, payload_len: u64, dst: &mut impl BufMut) {
    let mask_bit = u8::from(key.is_some()) << 7;
    // Arrays of a fixed size are stored without a call to copy them.
    if let Ok(len @ 0..=125) = u8::try_from(payload_len) {
        dst.put_slice(&[first, mask_bit | len]);
    } else if let Ok(len) = u16::try_from(payload_len) {
        let [a, b] = len.to_be_bytes();
        dst.put_slice(&[first, mask_bit | 126, a, b]);
    } else {
        let [a, b, c, d, e, f, g, h] = payload_len.to_be_bytes();
        dst.put_slice(&[first, mask_bit | 127, a, b, c, d, e, f, g, h]);
    }
    if let Some(key) = key {
        dst.put_slice(&key);
    }
}

/// The bytes as an array. `bytes` always has `N` of them, the callers slice it so.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().unwrap_or([0; N])
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn violation(src: &[u8], role: Role) -> Option<Violation> {
        match FrameHeader::decode(src, role, 0) {
            Err(FrameError::ProtocolError(violation)) => Some(violation),
            Err(other) => panic!("{other}"),
            Ok(_) => None,
        }
    }

    // RFC: WS-5.2-01, WS-5.2-02, WS-5.2-03, WS-5.2-05, WS-5.1-02, WS-5.1-04, WS-5.5-01, WS-5.4-03
    // THREAT: length-arithmetic, control-frames, unmasked-frames
    #[test]
    fn what_is_certainly_wrong_is_refused_with_the_fewest_bytes() {
        use Violation::*;
        let table: &[(&[u8], Role, Violation)] = &[
            (&[0xc1], Role::Server, ReservedBits(4)),
            (&[0xa1], Role::Server, ReservedBits(2)),
            (&[0x91], Role::Server, ReservedBits(1)),
            (&[0xf8], Role::Server, ReservedBits(7)),
            (&[0x83], Role::Server, UnknownOpcode(3)),
            (&[0x87], Role::Server, UnknownOpcode(7)),
            (&[0x8b], Role::Server, UnknownOpcode(11)),
            (&[0x8f], Role::Server, UnknownOpcode(15)),
            (&[0x08], Role::Server, FragmentedControl),
            (&[0x09], Role::Server, FragmentedControl),
            (&[0x0a], Role::Server, FragmentedControl),
            (&[0x81, 0x05], Role::Server, UnmaskedFrame),
            (&[0x81, 0x85], Role::Client, MaskedFrame),
            (&[0x89, 0xfe], Role::Server, ControlTooLong),
            (&[0x88, 0x7f], Role::Client, ControlTooLong),
            (&[0x88, 0x81], Role::Server, ShortCloseBody),
            (&[0x82, 126, 0, 125], Role::Client, NonMinimalLength(125)),
            (&[0x82, 126, 0, 0], Role::Client, NonMinimalLength(0)),
            (&[0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff], Role::Client, NonMinimalLength(65_535)),
            (&[0x82, 127, 0x80], Role::Client, LengthTopBit(0x80)),
        ];
        for (src, role, expected) in table {
            assert_eq!(violation(src, *role), Some(*expected), "{src:02x?}");
            assert_eq!(
                violation(&src[..src.len() - 1], *role),
                None,
                "{src:02x?} without its last"
            );
        }
    }

    // RFC: PMD-6.1-02, PMD-6.1-03
    #[test]
    fn rsv1_is_allowed_on_the_first_frame_of_a_message_only() {
        for (first, allowed) in [(0xc1, true), (0x42, true), (0xc0, false), (0xc9, false)] {
            let decoded = FrameHeader::decode(&[first, 0], Role::Client, FrameHeader::RSV1);
            assert_eq!(decoded.is_ok(), allowed, "{first:x}");
        }
    }

    // RFC: WS-5.2-04, WS-5.2-06
    #[test]
    fn lengths_are_minimal_and_survive_the_round_trip_at_every_cut() {
        let lengths = [
            (0, 2),
            (1, 2),
            (125, 2),
            (126, 4),
            (127, 4),
            (0xffff, 4),
            (0x1_0000, 10),
            (u64::from(u32::MAX), 10),
            (u64::from(u32::MAX) + 1, 10),
            ((1 << 63) - 1, 10),
        ];
        // In network byte order, on both ways.
        let written: [(u64, &[u8]); 3] = [
            (0x5a, b"\x82\x5a"),
            (0x1234, b"\x82\x7e\x12\x34"),
            (0x0123_4567_89ab_cdef, b"\x82\x7f\x01\x23\x45\x67\x89\xab\xcd\xef"),
        ];
        for (payload_len, expected) in written {
            let mut wire = Vec::new();
            FrameHeader::new(OpCode::Binary, payload_len).encode(&mut wire);
            assert_eq!(wire, expected);
        }
        for (payload_len, base) in lengths {
            for (mask, role) in [(None, Role::Client), (Some([1, 2, 3, 4]), Role::Server)] {
                let header = FrameHeader { mask, ..FrameHeader::new(OpCode::Binary, payload_len) };
                let mut wire = Vec::new();
                header.encode(&mut wire);
                assert_eq!(wire.len(), base + if mask.is_some() { 4 } else { 0 });
                for cut in 0..wire.len() {
                    assert_eq!(FrameHeader::decode(&wire[..cut], role, 0), Ok(None));
                }
                let expected = Ok(Some((header, wire.len())));
                assert_eq!(FrameHeader::decode(&wire, role, 0), expected);
            }
        }
    }
}
