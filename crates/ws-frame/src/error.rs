//! What a peer can do wrong on the wire. Every variant is the peer's fault.

use core::error::Error;
use core::fmt;

use ws_close::CloseCode;

/// The peer's bytes break RFC 6455 or a limit of ours.
///
/// [`reason`](Self::reason) is the stable name of the failure, [`close_code`](Self::close_code) the
/// code to close the connection with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// A rule of the framing is broken (1002).
    ProtocolError(Violation),
    /// A text message or the reason of a close frame is not UTF-8 (1007).
    InvalidUtf8,
    /// A frame or a message is larger than allowed (1009). For compressed messages, the size on
    /// the wire.
    MessageTooBig {
        /// The size it has or declares so far, in bytes.
        size: u64,
        /// The most bytes allowed.
        max: usize,
    },
    /// A close frame carries a reserved or undefined code (1002).
    BadCloseCode(CloseCode),
    /// A message came in more fragments than allowed (1008).
    TooManyFragments {
        /// The most frames a message may have.
        max: usize,
    },
    /// A compressed message is not valid DEFLATE (1007).
    BadDeflate,
    /// A compressed message inflates to more than allowed (1009).
    InflateTooBig {
        /// The most bytes allowed.
        max: usize,
    },
    /// A compressed message is denser than allowed (1009). It has the reason of
    /// [`InflateTooBig`](Self::InflateTooBig): both make us hold more than was agreed to.
    InflateRatioTooHigh {
        /// The most bytes that one byte may inflate to.
        max: u32,
    },
}

impl FrameError {
    /// The stable name of the failure, in `snake_case`.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::ProtocolError(_) => "protocol_error",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::MessageTooBig { .. } => "message_too_big",
            Self::BadCloseCode(_) => "bad_close_code",
            Self::TooManyFragments { .. } => "too_many_fragments",
            Self::BadDeflate => "bad_deflate",
            Self::InflateTooBig { .. } | Self::InflateRatioTooHigh { .. } => "inflate_too_big",
        }
    }

    /// The code of the close frame that answers this failure.
    #[must_use]
    pub const fn close_code(&self) -> CloseCode {
        match self {
            Self::ProtocolError(_) | Self::BadCloseCode(_) => CloseCode::PROTOCOL_ERROR,
            Self::InvalidUtf8 | Self::BadDeflate => CloseCode::INVALID_UTF8,
            Self::MessageTooBig { .. }
            | Self::InflateTooBig { .. }
            | Self::InflateRatioTooHigh { .. } => CloseCode::MESSAGE_TOO_BIG,
            Self::TooManyFragments { .. } => CloseCode::POLICY_VIOLATION,
        }
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProtocolError(violation) => violation.fmt(f),
            Self::InvalidUtf8 => f.write_str("text is not valid utf-8"),
            Self::MessageTooBig { size, max } => {
                write!(f, "a frame or message of at least {size} bytes, at most {max} are allowed")
            }
            Self::BadCloseCode(code) => write!(f, "close code {code} is not allowed on the wire"),
            Self::TooManyFragments { max } => {
                write!(f, "a message in more than the allowed {max} fragments")
            }
            Self::BadDeflate => f.write_str("a compressed message is not valid deflate data"),
            Self::InflateTooBig { max } => {
                write!(f, "a compressed message inflates to more than the allowed {max} bytes")
            }
            Self::InflateRatioTooHigh { max } => {
                write!(f, "a compressed message inflates to more than the allowed {max} to one")
            }
        }
    }
}

impl Error for FrameError {}

impl From<Violation> for FrameError {
    fn from(violation: Violation) -> Self {
        Self::ProtocolError(violation)
    }
}

/// Which rule of the framing is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// Reserved bits are set that no negotiated extension defines (RFC 6455 §5.2); the value holds
    /// them as RSV1 = 4, RSV2 = 2, RSV3 = 1.
    ReservedBits(u8),
    /// The opcode is reserved (§5.2).
    UnknownOpcode(u8),
    /// The length is written in more bytes than it needs (§5.2).
    NonMinimalLength(u64),
    /// The top bit of a 64-bit length is set (§5.2); the value is the length's first byte, which is
    /// all that was waited for.
    LengthTopBit(u8),
    /// A control frame with more than 125 bytes (§5.5).
    ControlTooLong,
    /// A control frame without FIN (§5.5).
    FragmentedControl,
    /// The client sent a frame without a mask (§5.1).
    UnmaskedFrame,
    /// The server sent a masked frame (§5.1).
    MaskedFrame,
    /// A continuation frame while no message is open (§5.4).
    UnexpectedContinuation,
    /// A new message began inside an open one (§5.4).
    InterleavedMessage,
    /// A close frame with a body of one byte (§5.5.1).
    ShortCloseBody,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReservedBits(bits) => {
                write!(f, "reserved bits {bits:03b} are set without an extension that defines them")
            }
            Self::UnknownOpcode(opcode) => write!(f, "opcode 0x{opcode:x} is reserved"),
            Self::NonMinimalLength(length) => {
                write!(f, "length {length} is not written in the fewest bytes")
            }
            Self::LengthTopBit(top) => {
                write!(f, "a length whose first byte is 0x{top:x} has its top bit set")
            }
            Self::ControlTooLong => {
                f.write_str("a control frame with more than the allowed 125 bytes")
            }
            Self::FragmentedControl => f.write_str("a control frame is fragmented"),
            Self::UnmaskedFrame => f.write_str("a frame of the client is not masked"),
            Self::MaskedFrame => f.write_str("a frame of the server is masked"),
            Self::UnexpectedContinuation => {
                f.write_str("a continuation frame while no message is open")
            }
            Self::InterleavedMessage => f.write_str("a new message began inside an open one"),
            Self::ShortCloseBody => {
                f.write_str("a close frame with a body of 1 byte, 0 or at least 2 are allowed")
            }
        }
    }
}
