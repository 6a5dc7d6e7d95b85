//! What can go wrong on a connection, by guilt: the peer broke the protocol, the transport failed,
//! or the caller misused us.

use std::error;
use std::fmt;
use std::io;

use ws_frame::FrameError;
use ws_handshake::{HandshakeError, UnexpectedResponse};
use ws_session::{BudgetExceeded, Cause, Outcome, SendError, TransportError};

/// Why a connection ended badly, or why it took no message.
///
/// From [`WebSocket::next`](crate::WebSocket::next) it comes once, after every message that arrived
/// before the failure and after the goodbye; then the stream ends. An orderly end is no error: the
/// stream just ends, and [`WebSocket::outcome`](crate::WebSocket::outcome) tells the rest.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The peer broke the protocol; it was told so in a close frame.
    Violation(FrameError),
    /// The transport failed, or the peer went away without a close frame.
    Transport(TransportError),
    /// The session refused a message or a close code.
    Send(SendError),
    /// More was held for the peer than a budget of memory allows. In a handshake: there is no room
    /// for another connection, and the client was told so (503).
    BudgetExceeded(Box<BudgetExceeded>),
    /// Nothing came from the peer for the idle timeout.
    Idle,
    /// A message of the peer was not complete in time.
    MessageStalled,
    /// The peer accepted no byte for the write timeout.
    WriteStalled,
    /// The application's handler failed or panicked.
    HandlerFailed,
    /// The opening handshake failed.
    Handshake(Box<ws_h1_upgrade::Error>),
    /// The opening handshake failed over HTTP/2 or HTTP/3.
    ExtendedConnect(Box<ws_h2_upgrade::Error>),
    /// The server does not speak the HTTP version that was asked for.
    UnsupportedHttpVersion {
        /// The version as ALPN names it: `h2`, `h3`.
        wanted: &'static str,
    },
    /// The transport with this name cannot be read before the handshake is complete, and a client
    /// over HTTP/1.1 has to.
    TransportDoesNotSupportRecv(&'static str),
    /// The server's answer to our offer of compression is not one RFC 7692 allows.
    #[cfg(feature = "deflate")]
    Deflate(ws_deflate::Error),
}

impl Error {
    /// The contract's name of this failure.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Violation(error) => error.reason(),
            Self::Transport(_) => "transport_error",
            Self::Send(error) => error.reason(),
            Self::BudgetExceeded(_) => "budget_exceeded",
            Self::Idle => "idle",
            Self::MessageStalled => "message_stalled",
            Self::WriteStalled => "write_stalled",
            Self::HandlerFailed => "handler_failed",
            Self::Handshake(error) => error.reason(),
            Self::ExtendedConnect(error) => error.reason(),
            Self::UnsupportedHttpVersion { .. } => "unsupported_http_version",
            Self::TransportDoesNotSupportRecv(_) => "transport_does_not_support_recv",
            #[cfg(feature = "deflate")]
            Self::Deflate(error) => error.reason(),
        }
    }

    /// What the server answered instead of opening a WebSocket, over any HTTP version: a redirect, a
    /// challenge, an error page.
    #[must_use]
    pub fn response(&self) -> Option<&UnexpectedResponse> {
        match self {
            Self::Handshake(error) => match &**error {
                ws_h1_upgrade::Error::UnexpectedStatus { response } => Some(response),
                _ => None,
            },
            Self::ExtendedConnect(error) => match &**error {
                ws_h2_upgrade::Error::UnexpectedStatus { response } => Some(response),
                _ => None,
            },
            _ => None,
        }
    }

    /// The failure behind `outcome`; an orderly end reads as [`SendError::Closed`].
    pub(crate) fn ended(outcome: &Outcome) -> Self {
        Self::of(outcome).unwrap_or(Self::Send(SendError::Closed))
    }

    /// The failure behind `outcome`, if it is one.
    pub(crate) fn of(outcome: &Outcome) -> Option<Self> {
        match &outcome.cause {
            Cause::Normal | Cause::Remote => None,
            Cause::Violation(error) => Some(Self::Violation(*error)),
            Cause::Transport(error) => Some(Self::Transport(error.clone())),
            Cause::BudgetExceeded(exceeded) => Some(Self::BudgetExceeded(Box::new(*exceeded))),
            Cause::Idle => Some(Self::Idle),
            Cause::MessageStalled => Some(Self::MessageStalled),
            Cause::WriteStalled => Some(Self::WriteStalled),
            Cause::HandlerFailed => Some(Self::HandlerFailed),
            _ => Some(Self::Send(SendError::Closed)),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Violation(_) => f.write_str("the peer broke the protocol"),
            Self::Transport(_) => f.write_str("the transport failed"),
            Self::Send(_) => f.write_str("the message was refused"),
            Self::BudgetExceeded(_) => f.write_str("a budget of memory is used up"),
            Self::Idle => f.write_str("nothing came from the peer for the idle timeout"),
            Self::MessageStalled => f.write_str("a message of the peer was not complete in time"),
            Self::WriteStalled => f.write_str("the peer accepted no byte for the write timeout"),
            Self::HandlerFailed => f.write_str("the handler of the connection failed"),
            Self::Handshake(_) | Self::ExtendedConnect(_) => {
                f.write_str("the opening handshake failed")
            }
            Self::UnsupportedHttpVersion { wanted } => {
                write!(f, "the server does not speak {wanted}")
            }
            Self::TransportDoesNotSupportRecv(name) => {
                write!(f, "transport {name} cannot be read during the handshake")
            }
            #[cfg(feature = "deflate")]
            Self::Deflate(_) => f.write_str("the answer to the offer of compression is wrong"),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Violation(error) => Some(error),
            Self::Transport(error) => Some(error),
            Self::Send(error) => Some(error),
            Self::BudgetExceeded(exceeded) => Some(&**exceeded),
            Self::Handshake(error) => Some(&**error),
            Self::ExtendedConnect(error) => Some(&**error),
            Self::Idle
            | Self::MessageStalled
            | Self::WriteStalled
            | Self::HandlerFailed
            | Self::UnsupportedHttpVersion { .. }
            | Self::TransportDoesNotSupportRecv(_) => None,
            #[cfg(feature = "deflate")]
            Self::Deflate(error) => Some(error),
        }
    }
}

/// For functions that return `io::Result`. An error of the system below keeps its kind; the peer that goes
/// away without a goodbye is `UnexpectedEof`, one that breaks the protocol `InvalidData`, a deadline
/// `TimedOut`, and what cannot be sent because the connection was closed `BrokenPipe`.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Transport(TransportError::Closed) => io::ErrorKind::UnexpectedEof,
            Error::Transport(TransportError::Io(error)) => error.kind(),
            Error::Transport(TransportError::Timeout)
            | Error::Idle
            | Error::MessageStalled
            | Error::WriteStalled => io::ErrorKind::TimedOut,
            Error::Violation(_) => io::ErrorKind::InvalidData,
            Error::Send(SendError::Closed) => io::ErrorKind::BrokenPipe,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        Self::Send(error)
    }
}

impl From<ws_h1_upgrade::Error> for Error {
    fn from(error: ws_h1_upgrade::Error) -> Self {
        Self::Handshake(Box::new(error))
    }
}

impl From<ws_h2_upgrade::Error> for Error {
    fn from(error: ws_h2_upgrade::Error) -> Self {
        Self::ExtendedConnect(Box::new(error))
    }
}

impl From<HandshakeError> for Error {
    fn from(error: HandshakeError) -> Self {
        ws_h1_upgrade::Error::from(error).into()
    }
}
