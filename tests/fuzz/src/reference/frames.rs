//! RFC 6455 §5.2, §5.5: one frame after the other, out of bytes that are all there.

use ws_frame::{FrameError, Role, Violation};

/// A frame, or the beginning of one at the end of the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// FIN.
    pub fin: bool,
    /// RSV1 to RSV3 as a number of three bits.
    pub reserved: u8,
    /// The opcode.
    pub opcode: u8,
    /// The masking key.
    pub key: Option<[u8; 4]>,
    /// Payload bytes that the header declares.
    pub declared: u64,
    /// The payload as far as it is there, unmasked.
    pub payload: Vec<u8>,
    /// The bytes of the header.
    pub header: Vec<u8>,
}

impl Frame {
    /// Whether all of the payload is there.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.payload.len() as u64 == self.declared
    }

    /// Whether this is a close, ping or pong frame.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.opcode >= 8
    }
}

/// What stands at the front of some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Not enough to say.
    Nothing,
    /// All of a header but its masking key.
    Keyless(Frame),
    /// A header, and its payload as far as it is there.
    Frame(Frame),
    /// A breach that the first byte shows.
    First(Violation),
    /// A breach that shows later.
    Wrong(FrameError),
}

/// The frame at the front of `wire`, as an endpoint of this `role` receives it.
#[must_use]
pub fn frame(wire: &[u8], role: Role, allow_rsv1: bool, max_frame: u64) -> Found {
    let Some(&first) = wire.first() else { return Found::Nothing };
    let fin = first >= 0x80;
    let reserved = (first / 16) % 8;
    let opcode = first % 16;
    if (3..=7).contains(&opcode) || opcode >= 11 {
        return Found::First(Violation::UnknownOpcode(opcode));
    }
    let may_have_rsv1 = allow_rsv1 && (opcode == 1 || opcode == 2);
    if !(reserved == 0 || reserved == 4 && may_have_rsv1) {
        return Found::First(Violation::ReservedBits(reserved));
    }
    if opcode >= 8 && !fin {
        return Found::First(Violation::FragmentedControl);
    }

    let Some(&second) = wire.get(1) else { return Found::Nothing };
    let masked = second >= 0x80;
    let wrong = |violation| Found::Wrong(FrameError::ProtocolError(violation));
    match role {
        Role::Server if !masked => return wrong(Violation::UnmaskedFrame),
        Role::Client if masked => return wrong(Violation::MaskedFrame),
        _ => {}
    }
    let short = second % 128;
    if opcode >= 8 && short > 125 {
        return wrong(Violation::ControlTooLong);
    }
    if opcode == 8 && short == 1 {
        return wrong(Violation::ShortCloseBody);
    }

    let size = match short {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let mut declared = u64::from(short);
    if size > 0 {
        if size == 8 && wire.get(2).is_some_and(|top| *top >= 0x80) {
            return wrong(Violation::LengthTopBit(wire[2]));
        }
        if wire.len() < 2 + size {
            return Found::Nothing;
        }
        declared = wire[2..2 + size].iter().fold(0, |length, byte| length * 256 + u64::from(*byte));
        let least = if size == 2 { 126 } else { 65_536 };
        if declared < least {
            return wrong(Violation::NonMinimalLength(declared));
        }
    }

    if opcode < 8 && declared > max_frame {
        let max = usize::try_from(max_frame).expect("a limit of the machine");
        return Found::Wrong(FrameError::MessageTooBig { size: declared, max });
    }
    let header = 2 + size + if masked { 4 } else { 0 };
    if wire.len() < header {
        let payload = Vec::new();
        let header = wire.to_vec();
        return Found::Keyless(Frame { fin, reserved, opcode, key: None, declared, payload, header });
    }
    let key: Option<[u8; 4]> =
        masked.then(|| wire[2 + size..header].try_into().expect("four bytes of a key"));
    let mut payload = Vec::new();
    for (index, byte) in wire[header..].iter().enumerate() {
        if index as u64 == declared {
            break;
        }
        payload.push(key.map_or(*byte, |key| byte ^ key[index % 4]));
    }
    let header = wire[..header].to_vec();
    Found::Frame(Frame { fin, reserved, opcode, key, declared, payload, header })
}
