//! What can go wrong, by guilt: the transport failed (here), the peer broke the protocol
//! (`ws_frame::FrameError`), or the caller misused us ([`SendError`]).

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use ws_frame::CloseCode;

/// The transport below the session failed or went away.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TransportError {
    /// The peer went away without a close frame, or before the handshake was complete.
    Closed,
    /// The handshake was not complete in time.
    Timeout,
    /// The peer sent a fatal TLS alert with this number (RFC 8446 §6).
    TlsAlert(u8),
    /// Any other I/O error; shared, because the halves of a connection each tell of it.
    Io(Arc<io::Error>),
}

impl TransportError {
    /// The name of this kind of failure: `closed`, `timeout`, `tls_alert` or `io`.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Timeout => "timeout",
            Self::TlsAlert(_) => "tls_alert",
            Self::Io(_) => "io",
        }
    }
}

impl From<io::Error> for TransportError {
    /// The kinds that say "the peer is gone" become [`TransportError::Closed`].
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::WriteZero
            | io::ErrorKind::NotConnected => Self::Closed,
            _ => Self::Io(Arc::new(error)),
        }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str(
                "the peer went away before the end of the handshake or without a close frame",
            ),
            Self::Timeout => f.write_str("the handshake was not complete in time"),
            Self::TlsAlert(number) => write!(f, "the peer sent tls alert {number}"),
            Self::Io(_) => f.write_str("input or output failed"),
        }
    }
}

impl Error for TransportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(error) => Some(&**error),
            _ => None,
        }
    }
}

/// The caller asked for what must not leave. Nothing was queued and the session goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// A close frame was sent or the session is over: no data may follow (RFC 6455 §5.5.1).
    Closed,
    /// A ping or pong with more than 125 bytes (§5.5).
    ControlTooLong(usize),
    /// The reason of a close frame has more than 123 bytes.
    ReasonTooLong(usize),
    /// The close code must not be sent (§7.4), or only with
    /// [`Config::iana_close_codes`](crate::Config::iana_close_codes).
    InvalidCloseCode(CloseCode),
    /// A message that is sent in fragments must be ended first (§5.4).
    MessageInProgress,
    /// A fragment has another kind than the message it belongs to.
    KindMismatch,
    /// The fragments of a text message are not UTF-8 (§5.6).
    InvalidUtf8,
    /// With this message more would be held for the peer than a budget allows.
    BudgetExceeded {
        /// What is held, and the message, in bytes.
        size: usize,
        /// The most bytes allowed now.
        max: usize,
    },
}

impl SendError {
    /// The stable name of the refusal.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::ControlTooLong(_) => "control_too_long",
            Self::ReasonTooLong(_) => "reason_too_long",
            Self::InvalidCloseCode(_) => "invalid_close_code",
            Self::MessageInProgress => "message_in_progress",
            Self::KindMismatch => "kind_mismatch",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::BudgetExceeded { .. } => "budget_exceeded",
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the session is closing, nothing more can be sent"),
            Self::ControlTooLong(len) => {
                write!(f, "a control frame of {len} bytes, at most 125 are allowed")
            }
            Self::ReasonTooLong(len) => {
                write!(f, "a close reason of {len} bytes, at most 123 are allowed")
            }
            Self::InvalidCloseCode(code) if code.is_valid_with_iana() => {
                write!(f, "close code {code} is sent only with iana_close_codes")
            }
            Self::InvalidCloseCode(code) => write!(f, "close code {code} must not be sent"),
            Self::MessageInProgress => {
                f.write_str("a message that is sent in fragments is not complete")
            }
            Self::KindMismatch => f.write_str("a fragment of another kind than its message"),
            Self::InvalidUtf8 => f.write_str("text is not valid utf-8"),
            Self::BudgetExceeded { size, max } => {
                write!(f, "{size} bytes held for one connection, at most {max} are allowed")
            }
        }
    }
}

impl Error for SendError {}

#[cfg(test)]
mod tests {
    use super::*;

    // A load balancer with no server behind it does so, and nobody had thought of close frames yet.
    #[test]
    fn an_end_inside_of_the_handshake_is_not_told_as_a_missing_close_frame_alone() {
        let text = TransportError::Closed.to_string();
        assert!(text.contains("handshake") && text.contains("close frame"), "{text}");
    }

    #[test]
    fn a_close_code_that_may_be_allowed_says_how() {
        let text = |code| SendError::InvalidCloseCode(code).to_string();
        let expected = "close code 1012 service_restart is sent only with iana_close_codes";
        assert_eq!(text(CloseCode::SERVICE_RESTART), expected);
        assert_eq!(text(CloseCode::ABNORMAL), "close code 1006 abnormal must not be sent");
    }
}
