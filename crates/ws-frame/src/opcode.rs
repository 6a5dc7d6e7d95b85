//! Opcodes (RFC 6455 §5.2 and §11.8) and the two roles that decide who masks (§5.1).

/// Which end of the connection we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a connection has two ends")]
pub enum Role {
    /// We opened the connection: we mask, the peer must not.
    Client,
    /// We accepted the connection: the peer masks, we must not.
    Server,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "all other opcodes are reserved and refused")]
#[repr(u8)]
pub enum OpCode {
    /// A further frame of a fragmented message.
    Continuation = 0x0,
    /// The first or only frame of a text message.
    Text = 0x1,
    /// The first or only frame of a binary message.
    Binary = 0x2,
    /// The closing handshake.
    Close = 0x8,
    /// Asks for a pong.
    Ping = 0x9,
    /// Answers a ping, or says unasked that we are alive.
    Pong = 0xA,
}

impl OpCode {
    /// The opcode with this number; `None` for the reserved ones (0x3–0x7, 0xB–0xF) and beyond.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        match number {
            0x0 => Some(Self::Continuation),
            0x1 => Some(Self::Text),
            0x2 => Some(Self::Binary),
            0x8 => Some(Self::Close),
            0x9 => Some(Self::Ping),
            0xA => Some(Self::Pong),
            _ => None,
        }
    }

    /// The four bits that stand in the frame header.
    #[must_use]
    pub const fn get(self) -> u8 {
        self as u8
    }

    /// Whether this is a control frame: never fragmented, at most 125 bytes (RFC 6455 §5.5).
    #[must_use]
    pub const fn is_control(self) -> bool {
        self.get() & 0x8 != 0
    }
}

/// The two types of message (RFC 6455 §5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "all other data opcodes are reserved and refused")]
pub enum DataKind {
    /// UTF-8 text.
    Text,
    /// Arbitrary bytes.
    Binary,
}

impl From<DataKind> for OpCode {
    fn from(kind: DataKind) -> Self {
        match kind {
            DataKind::Text => Self::Text,
            DataKind::Binary => Self::Binary,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC: WS-5.2-02
    #[test]
    fn only_six_opcodes_exist() {
        let known: &[u8] = &[0, 1, 2, 8, 9, 10];
        for number in 0..=u8::MAX {
            assert_eq!(
                OpCode::new(number).map(OpCode::get),
                known.contains(&number).then_some(number)
            );
        }
    }
}
