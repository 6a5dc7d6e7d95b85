//! What can go wrong with permessage-deflate, under the names the rest of the stack reports.

use core::fmt;

/// A failure of the negotiation or of the codec.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The peer sent a message that is not a complete, sane DEFLATE stream. Close with 1007.
    BadDeflate(Corruption),
    /// A message inflates to more than [`InflateLimits::max_output`]. Close with 1009.
    ///
    /// [`InflateLimits::max_output`]: crate::InflateLimits::max_output
    InflateTooBig {
        /// The limit, in bytes.
        max: usize,
    },
    /// A message is denser than [`InflateLimits::max_ratio`] allows. Close with 1009.
    ///
    /// Reported under the same reason as [`Error::InflateTooBig`]: both mean that the peer makes
    /// us hold more than we agreed to.
    ///
    /// [`InflateLimits::max_ratio`]: crate::InflateLimits::max_ratio
    InflateRatioTooHigh {
        /// Bytes of output so far.
        produced: u64,
        /// Bytes of compressed input they came from.
        consumed: u64,
        /// The most bytes of output for one byte of input.
        max: u32,
    },
    /// The server's answer does not fit our offer (RFC 7692 §7.1). Fail the handshake; after it,
    /// close with 1010.
    BadExtensionResponse(ResponseFault),
}

impl Error {
    /// The reason as the error contract of the stack spells it.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::BadDeflate(_) => "bad_deflate",
            Self::InflateTooBig { .. } | Self::InflateRatioTooHigh { .. } => "inflate_too_big",
            Self::BadExtensionResponse(_) => "bad_extension_response",
        }
    }

    /// The close code this failure is reported with (RFC 6455 §7.4.1).
    #[must_use]
    pub fn close_code(&self) -> u16 {
        match self {
            Self::BadDeflate(_) => 1007,
            Self::InflateTooBig { .. } | Self::InflateRatioTooHigh { .. } => 1009,
            Self::BadExtensionResponse(_) => 1010,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadDeflate(what) => write!(f, "bad compressed message: {what}"),
            Self::InflateTooBig { max } => {
                write!(f, "message inflates to more than the {max} bytes allowed")
            }
            Self::InflateRatioTooHigh { produced, consumed, max } => write!(
                f,
                "{consumed} compressed bytes inflate to {produced}, more than the {max} to one \
                 allowed"
            ),
            Self::BadExtensionResponse(what) => {
                write!(f, "bad answer to the permessage-deflate offer: {what}")
            }
        }
    }
}

impl core::error::Error for Error {}

/// What is wrong with a compressed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Corruption {
    /// The bytes are not DEFLATE (RFC 1951).
    Invalid,
    /// The message ends inside a block.
    Truncated,
    /// Too much input that produces nothing, such as endless empty blocks.
    Fruitless,
    /// Too many streams ended (`BFINAL`) within one message.
    TooManyRestarts,
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid => "not a deflate stream",
            Self::Truncated => "the message ends inside a block",
            Self::Fruitless => "too much input without output",
            Self::TooManyRestarts => "too many final blocks",
        })
    }
}

/// What is wrong with a server's answer (RFC 7692 §7.1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseFault {
    /// The answer is for another extension, of this name.
    WrongName(String),
    /// The extension was accepted twice.
    AcceptedTwice,
    /// A parameter RFC 7692 does not define.
    UnknownParameter(String),
    /// A parameter given twice.
    DuplicateParameter(&'static str),
    /// A value where none belongs, none where one belongs, or one outside 8 to 15.
    InvalidValue(&'static str),
    /// A parameter only we could have brought up, and did not.
    NotOffered(&'static str),
    /// A window larger than the one offered.
    LargerThanOffered {
        /// The parameter.
        name: &'static str,
        /// The window bits we offered.
        offered: u8,
        /// The window bits the server answered.
        answered: u8,
    },
    /// A parameter that accepting our offer entails is missing.
    Missing(&'static str),
}

impl fmt::Display for ResponseFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongName(name) => write!(f, "it accepts `{}`", name.escape_debug()),
            Self::AcceptedTwice => write!(f, "it is accepted twice"),
            Self::UnknownParameter(name) => {
                write!(f, "unknown parameter `{}`", name.escape_debug())
            }
            Self::DuplicateParameter(name) => write!(f, "`{name}` is given twice"),
            Self::InvalidValue(name) => write!(f, "`{name}` has an invalid value"),
            Self::NotOffered(name) => write!(f, "`{name}` was not offered"),
            Self::LargerThanOffered { name, offered, answered } => {
                write!(f, "`{name}` is {answered} where at most {offered} was offered")
            }
            Self::Missing(name) => write!(f, "`{name}` was asked for and is missing"),
        }
    }
}
