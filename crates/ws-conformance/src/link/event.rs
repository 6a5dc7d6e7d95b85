//! What can be observed on a link.

use std::fmt;

use crate::log::brief;
use crate::wire::frame::opcode;

/// The two kinds of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Binary,
}

impl Kind {
    pub(crate) fn opcode(self) -> u8 {
        match self {
            Self::Text => opcode::TEXT,
            Self::Binary => opcode::BINARY,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Binary => "binary",
        })
    }
}

/// Something that happened, in the order in which it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A whole message of the peer.
    Message(Kind, Vec<u8>),
    /// A pong of the peer.
    Pong(Vec<u8>),
    /// Something against the protocol in place of a message, which can be waited for no longer.
    Unreadable,
    /// A point in time that the script marked.
    Mark(&'static str),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(kind, data) => write!(f, "{kind} {}", brief(data)),
            Self::Pong(data) => write!(f, "pong {}", brief(data)),
            Self::Unreadable => f.write_str("something that is no message"),
            Self::Mark(name) => write!(f, "[{name}]"),
        }
    }
}

/// The first close frame of the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PeerClose {
    pub(crate) code: Option<u16>,
    pub(crate) reason: String,
}

/// Whether a close frame may carry the code (RFC 6455 §7.4 and the IANA registry).
pub(super) fn is_sendable(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
