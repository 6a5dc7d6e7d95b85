//! Everything that can be wrong with an HTTP/1.1 handshake.

use std::error::Error as StdError;
use std::fmt;

use ws_handshake::{HandshakeError, Refusal, UnexpectedResponse};

use crate::request::asks_for_page;

/// Why a handshake failed; on a server [`refusal`](Self::refusal) is the answer to it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The method is not `GET`.
    WrongMethod {
        /// The method found.
        method: String,
    },
    /// The message is not HTTP/1.1.
    UnsupportedHttpVersion {
        /// The version found, like `HTTP/1.0`.
        found: String,
    },
    /// The request has no `Host`.
    MissingHost,
    /// There is no `Upgrade`.
    MissingUpgradeHeader,
    /// `Upgrade` does not name `websocket`.
    InvalidUpgrade {
        /// Its value.
        value: String,
    },
    /// There is no `Connection`.
    MissingConnectionHeader,
    /// `Connection` does not name `upgrade`.
    InvalidConnection {
        /// Its value.
        value: String,
    },
    /// The request has no `Sec-WebSocket-Key`.
    MissingSecWebsocketKey,
    /// `Sec-WebSocket-Key` is not base64 of 16 bytes.
    BadSecWebsocketKey,
    /// The request is not HTTP, or not quite.
    MalformedRequest {
        /// What is wrong.
        problem: HeadProblem,
    },
    /// The request's head is larger than allowed.
    HandshakeTooBig {
        /// The limit in bytes.
        limit: usize,
    },
    /// The request's first line alone is larger than that (RFC 9112 §3).
    TargetTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// The head has more fields than allowed.
    TooManyHeaders {
        /// The limit.
        limit: usize,
    },
    /// The server answered something else than 101.
    UnexpectedStatus {
        /// All of what it answered.
        response: Box<UnexpectedResponse>,
    },
    /// The answer has no `Sec-WebSocket-Accept`.
    MissingSecWebsocketAccept,
    /// `Sec-WebSocket-Accept` does not belong to the key sent.
    SecWebsocketAcceptMismatch,
    /// The answer is not HTTP, or not quite.
    MalformedResponse {
        /// What is wrong.
        problem: HeadProblem,
    },
    /// The heads of the answer together are larger than allowed.
    HandshakeResponseTooBig {
        /// The limit in bytes.
        limit: usize,
    },
    /// A reason that does not depend on the HTTP version.
    Handshake(HandshakeError),
}

/// How a head breaks HTTP/1.1 (RFC 9112).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadProblem {
    /// The first byte cannot begin a message.
    NotHttp,
    /// A line ends in LF without CR.
    BareLineFeed,
    /// More empty lines before the message than are skipped.
    TooManyEmptyLines,
    /// The first line is malformed.
    StartLine,
    /// The request target is neither a path nor an `http` or `https` URI, or not ASCII.
    Target,
    /// The name of a field, or the space before its colon, or a folded line.
    HeaderName,
    /// The value of a field.
    HeaderValue,
    /// A carriage return without a line feed.
    LineEnd,
    /// More interim (1xx) answers than are skipped.
    TooManyInterim,
}

impl Error {
    /// The name of the reason, stable across versions.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::WrongMethod { .. } => "wrong_method",
            Self::UnsupportedHttpVersion { .. } => "unsupported_http_version",
            Self::MissingHost => "missing_host",
            Self::MissingUpgradeHeader => "missing_upgrade_header",
            Self::InvalidUpgrade { .. } => "invalid_upgrade",
            Self::MissingConnectionHeader => "missing_connection_header",
            Self::InvalidConnection { .. } => "invalid_connection",
            Self::MissingSecWebsocketKey => "missing_sec_websocket_key",
            Self::BadSecWebsocketKey => "bad_sec_websocket_key",
            Self::MalformedRequest { .. } => "malformed_request",
            Self::HandshakeTooBig { .. } | Self::TargetTooLong { .. } => "handshake_too_big",
            Self::TooManyHeaders { .. } => "too_many_headers",
            Self::UnexpectedStatus { .. } => "unexpected_status",
            Self::MissingSecWebsocketAccept => "missing_sec_websocket_accept",
            Self::SecWebsocketAcceptMismatch => "sec_websocket_accept_mismatch",
            Self::MalformedResponse { .. } => "malformed_response",
            Self::HandshakeResponseTooBig { .. } => "handshake_response_too_big",
            Self::Handshake(error) => error.reason(),
        }
    }

    /// Whether a valid `GET` or `HEAD` is refused only because it asks for no WebSocket: without `Upgrade`,
    /// or with one for other protocols, which a server may pass over to answer with a page (RFC 9110 §7.8).
    #[must_use]
    pub fn asks_for_page(&self) -> bool {
        match self {
            Self::MissingUpgradeHeader => true,
            Self::InvalidUpgrade { value } => asks_for_page([value.as_bytes()].into_iter()),
            _ => false,
        }
    }

    /// The status a server answers; 500 for what is not the request's fault.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::MissingUpgradeHeader
            | Self::InvalidUpgrade { .. }
            | Self::Handshake(HandshakeError::UnsupportedVersion { .. }) => 426,
            Self::WrongMethod { .. } => 405,
            Self::UnsupportedHttpVersion { .. } => 505,
            Self::TargetTooLong { .. } => 414,
            Self::HandshakeTooBig { .. } | Self::TooManyHeaders { .. } => 431,
            Self::MissingHost
            | Self::MissingConnectionHeader
            | Self::InvalidConnection { .. }
            | Self::MissingSecWebsocketKey
            | Self::BadSecWebsocketKey
            | Self::MalformedRequest { .. } => 400,
            Self::Handshake(error) => error.status(),
            _ => 500,
        }
    }

    /// What a server answers: the status, the fields it must carry and a fixed phrase. Nothing of
    /// the request or of this error is repeated to the peer.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        const VERSION: (&str, &str) = ("Sec-WebSocket-Version", "13");
        let status = self.status();
        Refusal::fixed(
            status,
            match status {
                405 => &[("Allow", "GET")],
                426 => &[("Upgrade", "websocket"), VERSION],
                _ => &[],
            },
        )
    }
}

impl From<HandshakeError> for Error {
    fn from(error: HandshakeError) -> Self {
        Self::Handshake(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongMethod { method } => write!(f, "the method is {method:?}, it must be GET"),
            Self::UnsupportedHttpVersion { found } => {
                write!(f, "the version is {found:?}, it must be HTTP/1.1")
            }
            Self::MissingHost => f.write_str("no host"),
            Self::MissingUpgradeHeader => f.write_str("no upgrade, it must be websocket"),
            Self::InvalidUpgrade { value } => {
                write!(f, "upgrade is {value:?}, it must be websocket")
            }
            Self::MissingConnectionHeader => f.write_str("no connection, it must name upgrade"),
            Self::InvalidConnection { value } => {
                write!(f, "connection is {value:?}, it must name upgrade")
            }
            Self::MissingSecWebsocketKey => f.write_str("no sec-websocket-key"),
            Self::BadSecWebsocketKey => f.write_str("sec-websocket-key is not base64 of 16 bytes"),
            Self::MalformedRequest { .. } => f.write_str("malformed request"),
            Self::HandshakeTooBig { limit } => {
                write!(f, "the request's head is larger than {limit} bytes")
            }
            Self::TargetTooLong { limit } => {
                write!(f, "the request's target is longer than {limit} bytes")
            }
            Self::TooManyHeaders { limit } => write!(f, "more than {limit} header fields"),
            Self::UnexpectedStatus { response } => {
                write!(f, "the server answered {}, it must be 101", response.status)
            }
            Self::MissingSecWebsocketAccept => f.write_str("no sec-websocket-accept"),
            Self::SecWebsocketAcceptMismatch => {
                f.write_str("sec-websocket-accept does not belong to the key sent")
            }
            Self::MalformedResponse { .. } => f.write_str("malformed response"),
            Self::HandshakeResponseTooBig { limit } => {
                write!(f, "the response's head is larger than {limit} bytes")
            }
            Self::Handshake(error) => error.fmt(f),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::MalformedRequest { problem } | Self::MalformedResponse { problem } => {
                Some(problem)
            }
            Self::Handshake(error) => error.source(),
            _ => None,
        }
    }
}

impl fmt::Display for HeadProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotHttp => "the first byte cannot begin an http message",
            Self::BareLineFeed => "a line ends without carriage return",
            Self::TooManyEmptyLines => "too many empty lines before the message",
            Self::StartLine => "the first line is malformed",
            Self::Target => "the target is neither a path nor an http uri",
            Self::HeaderName => "the name of a field is malformed",
            Self::HeaderValue => "the value of a field is malformed",
            Self::LineEnd => "a carriage return without line feed",
            Self::TooManyInterim => "too many interim responses",
        })
    }
}

impl StdError for HeadProblem {}
