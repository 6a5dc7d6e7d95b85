//! What a session reports.

use std::fmt;

use bytes::Bytes;
use ws_frame::{CloseCode, CloseFrame, DataKind, FrameError, Message};

use crate::{BudgetExceeded, TransportError};

/// What [`Session::poll_event`](crate::Session::poll_event) and
/// [`Session::poll_chunk`](crate::Session::poll_chunk) return.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a driver must handle every event")]
pub enum Event {
    /// A message, or a control frame. The session has answered pings and close frames already.
    Message(Message),
    /// A piece of a data message, from [`Session::poll_chunk`](crate::Session::poll_chunk) only.
    Chunk {
        /// The kind of the message.
        kind: DataKind,
        /// The bytes. Those of a text message were checked; a code point may be cut in two.
        data: Bytes,
        /// Whether the message ends here.
        last: bool,
    },
    /// The session is over, the goodbye was said as far as the peer let us, and the transport is to
    /// be dropped. [`Session::outcome`](crate::Session::outcome) says why. Reported once.
    Finished,
}

/// How and why a session ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The code of the peer's close frame; [`CloseCode::NO_STATUS`] if the frame had none,
    /// [`CloseCode::ABNORMAL`] if there was no close frame (RFC 6455 §7.1.5).
    pub code: CloseCode,
    /// The reason in the peer's close frame, or empty (§7.1.6). The peer can write anything here.
    pub reason: String,
    /// The close frame that we sent: the inner `None` means one with an empty body. `None` also when
    /// it was queued and the end came before it had left.
    pub sent: Option<Option<CloseFrame>>,
    /// Whether close frames went both ways, the peer broke no rule (§7.1.4), and nothing that was
    /// queued before our close frame was lost.
    pub clean: bool,
    /// What set the end in motion.
    pub cause: Cause,
}

impl fmt::Display for Outcome {
    /// The code with its name, the reason with what the peer wrote escaped, and the cause.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if !self.reason.is_empty() {
            write!(f, ": {}", self.reason.escape_debug())?;
        }
        write!(f, " ({})", self.cause)
    }
}

/// What set the end of a session in motion.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Cause {
    /// We closed it.
    Normal,
    /// The peer closed it.
    Remote,
    /// The peer broke the protocol or a limit.
    Violation(FrameError),
    /// More was held for the peer than a budget of memory allows.
    BudgetExceeded(BudgetExceeded),
    /// Nothing came from the peer for the idle timeout.
    Idle,
    /// A message was not complete in time.
    MessageStalled,
    /// The peer accepted no byte for the write timeout.
    WriteStalled,
    /// The application's handler failed or panicked.
    HandlerFailed,
    /// The transport failed, or ended without a close frame.
    Transport(TransportError),
}

impl Cause {
    /// The stable name of the cause. A violation reads `normal`: the session dealt with it by
    /// itself, in an orderly way; its own name is that of the error it holds.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Normal | Self::Violation(_) => "normal",
            Self::Remote => "remote",
            Self::BudgetExceeded(_) => "budget_exceeded",
            Self::Idle => "idle",
            Self::MessageStalled => "message_stalled",
            Self::WriteStalled => "write_stalled",
            Self::HandlerFailed => "handler_failed",
            Self::Transport(_) => "transport_error",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => f.write_str("we closed it"),
            Self::Remote => f.write_str("the peer closed it"),
            Self::Violation(error) => error.fmt(f),
            Self::BudgetExceeded(error) => error.fmt(f),
            Self::Idle => f.write_str("nothing came from the peer for the idle timeout"),
            Self::MessageStalled => f.write_str("a message of the peer was not complete in time"),
            Self::WriteStalled => f.write_str("the peer accepted no byte for the write timeout"),
            Self::HandlerFailed => f.write_str("the handler of the connection failed"),
            Self::Transport(error) => error.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_reads_as_a_line_in_which_nothing_of_the_peer_is_raw() {
        let outcome = |code: u16, reason: &str, cause| Outcome {
            code: CloseCode::new(code),
            reason: reason.to_owned(),
            sent: None,
            clean: false,
            cause,
        };
        for (outcome, line) in [
            (outcome(1000, "", Cause::Normal), "1000 normal (we closed it)"),
            (
                outcome(1001, "\u{1b}[2J", Cause::Remote),
                "1001 going_away: \\u{1b}[2J (the peer closed it)",
            ),
            (
                outcome(1006, "", Cause::Idle),
                "1006 abnormal (nothing came from the peer for the idle timeout)",
            ),
        ] {
            assert_eq!(outcome.to_string(), line);
        }
    }
}
