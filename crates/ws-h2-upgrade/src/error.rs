//! Everything that can be wrong with an extended CONNECT handshake.

use std::error::Error as StdError;
use std::fmt;

use ws_handshake::{HandshakeError, Refusal, UnexpectedResponse};

/// Why a handshake failed; on a server [`refusal`](Self::refusal) is the answer to it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The method is not `CONNECT`.
    WrongMethod {
        /// The method found.
        method: String,
    },
    /// `:protocol` is not `websocket`.
    WrongProtocol {
        /// The protocol found; `None` for a plain CONNECT.
        found: Option<String>,
    },
    /// There is no `:scheme`.
    MissingScheme,
    /// There is no `:authority`.
    MissingAuthority,
    /// There is no `:path`.
    MissingPath,
    /// The server has not allowed extended CONNECT, so nothing was sent.
    PeerDoesNotAllowConnectProtocol,
    /// The server answered something else than 2xx.
    UnexpectedStatus {
        /// What it answered; the body has not been read.
        response: Box<UnexpectedResponse>,
    },
    /// A reason that does not depend on the HTTP version.
    Handshake(HandshakeError),
}

impl Error {
    /// The name of the reason, stable across versions.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::WrongMethod { .. } => "wrong_method",
            Self::WrongProtocol { .. } => "wrong_protocol",
            Self::MissingScheme => "missing_scheme",
            Self::MissingAuthority => "missing_authority",
            Self::MissingPath => "missing_path",
            Self::PeerDoesNotAllowConnectProtocol => "peer_does_not_allow_connect_protocol",
            Self::UnexpectedStatus { .. } => "unexpected_status",
            Self::Handshake(error) => error.reason(),
        }
    }

    /// The status a server answers; 500 for what is not the request's fault.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::WrongMethod { .. } => 405,
            Self::WrongProtocol { .. } => 501,
            Self::MissingScheme | Self::MissingAuthority | Self::MissingPath => 400,
            Self::Handshake(error) => error.status(),
            _ => 500,
        }
    }

    /// What a server answers: the status, the fields it must carry and a fixed phrase. Nothing of
    /// the request or of this error is repeated to the peer.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        Refusal::fixed(
            self.status(),
            match self {
                Self::WrongMethod { .. } => &[("allow", "CONNECT")],
                Self::Handshake(HandshakeError::UnsupportedVersion { .. }) => {
                    &[("sec-websocket-version", "13")]
                }
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
            Self::WrongMethod { method } => {
                write!(f, "the method is {method:?}, it must be CONNECT")
            }
            Self::WrongProtocol { found: Some(found) } => {
                write!(f, "the protocol is {found:?}, it must be websocket")
            }
            Self::WrongProtocol { found: None } => f.write_str("no protocol, it must be websocket"),
            Self::MissingScheme => f.write_str("no scheme"),
            Self::MissingAuthority => f.write_str("no authority"),
            Self::MissingPath => f.write_str("no path"),
            Self::PeerDoesNotAllowConnectProtocol => {
                f.write_str("the server has not allowed the extended connect method")
            }
            Self::UnexpectedStatus { response } => {
                write!(f, "the server answered {}, it must be 2xx", response.status)
            }
            Self::Handshake(error) => error.fmt(f),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Handshake(error) => error.source(),
            _ => None,
        }
    }
}
