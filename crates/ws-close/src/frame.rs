//! The body of a close frame (RFC 6455 §5.5.1).

use alloc::string::String;
use core::fmt;

use crate::CloseCode;

/// The code and the reason that a close frame carries.
///
/// On the wire the reason is UTF-8 of at most [`MAX_REASON`](Self::MAX_REASON) bytes. It is meant
/// for logs and people who debug, not for users (RFC 6455 §5.5.1), and a peer can write anything
/// into it: escape it before it reaches a terminal, as `{:?}` does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "RFC 6455 fixes the body of a close frame")]
pub struct CloseFrame {
    /// Why the connection ends.
    pub code: CloseCode,
    /// An explanation for people, possibly empty.
    pub reason: String,
}

impl CloseFrame {
    /// The most bytes a reason may have: a control frame holds 125, the code takes two.
    pub const MAX_REASON: usize = 123;

    /// A close frame with this code and reason; neither is checked before it is sent.
    #[must_use]
    pub fn new(code: CloseCode, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }
}

impl From<CloseCode> for CloseFrame {
    fn from(code: CloseCode) -> Self {
        Self { code, reason: String::new() }
    }
}

impl fmt::Display for CloseFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code.fmt(f)?;
        if !self.reason.is_empty() {
            write!(f, ": {}", self.reason.escape_debug())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn display_escapes_what_the_peer_wrote() {
        let frame = CloseFrame::new(CloseCode::NORMAL, "\u{1b}[2Jbye");
        assert_eq!(frame.to_string(), "1000 normal: \\u{1b}[2Jbye");
        assert_eq!(CloseFrame::from(CloseCode::NORMAL).to_string(), "1000 normal");
    }
}
