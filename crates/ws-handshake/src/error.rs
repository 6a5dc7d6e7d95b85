//! Everything that can be wrong with a handshake whatever the HTTP version.

use alloc::string::String;
use alloc::vec::Vec;
use core::error::Error;
use core::fmt;

/// A reason to refuse a handshake, or to refuse to begin one.
///
/// The errors of the HTTP/1.1 and HTTP/2 crates carry it unchanged. Text that came from the peer is
/// escaped when displayed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeError {
    /// `Sec-WebSocket-Version` is not `13` (RFC 6455 §4.4).
    UnsupportedVersion {
        /// What was sent, if anything.
        found: Option<String>,
    },
    /// A subprotocol is required and none that is supported was offered or chosen.
    NoAcceptableSubprotocol {
        /// What the client had offered.
        offered: Vec<String>,
    },
    /// A field that may appear once appeared more often.
    DuplicateHeader {
        /// The field's name in lower case.
        name: &'static str,
    },
    /// A field breaks its own grammar.
    MalformedHeader {
        /// The field's name in lower case.
        name: &'static str,
        /// How.
        problem: Malformed,
    },
    /// The page behind the request comes from an origin that is not allowed (RFC 6455 §10.2).
    OriginNotAllowed {
        /// The origin as sent.
        origin: String,
        /// The origin that the request was sent to, where that is the one allowed; `None` where
        /// those on a list are. Its host is as the client wrote it.
        allowed: Option<String>,
    },
    /// The server chose a subprotocol that was not offered, or more than one.
    UnofferedSubprotocol {
        /// What it answered.
        found: String,
    },
    /// The answer holds an extension that was not offered.
    UnofferedExtension {
        /// Its name.
        found: String,
    },
    /// The server's `Sec-WebSocket-Extensions` cannot be read.
    BadExtensionResponse {
        /// Why.
        problem: Malformed,
    },
    /// The text is not a WebSocket URI (RFC 6455 §3).
    InvalidUrl {
        /// What is wrong with it.
        problem: UrlProblem,
    },
    /// The scheme is neither `ws` nor `wss`.
    InvalidScheme {
        /// The scheme found.
        scheme: String,
    },
    /// The port is not a number from 1 to 65535.
    InvalidPort {
        /// The port found.
        value: String,
    },
    /// The caller passed a header that must not be written: not a token, with CR, LF, NUL or another
    /// control character in its value, or owned by the protocol.
    InvalidHeader {
        /// The header's name.
        name: String,
    },
    /// The caller wanted to refuse with a status outside 300 to 599.
    InvalidStatus {
        /// The status asked for.
        status: u16,
    },
}

/// How a header field breaks its grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Malformed {
    /// The field is there, but lists nothing.
    Empty,
    /// Something that must be a token is not one.
    NotAToken,
    /// A quoted string does not end.
    UnclosedQuote,
    /// A byte that cannot stand where it stands.
    UnexpectedByte,
    /// More elements, empty elements or parameters than are read.
    TooManyElements,
    /// The same element twice where all must differ.
    Repeated,
    /// Not a host with an optional port.
    NotAHost,
    /// Contradicts another field.
    Conflict,
    /// Well-formed, but not one of the values that may stand here.
    NotAllowed,
}

/// Why a text is not a WebSocket URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlProblem {
    /// No `://` after the scheme.
    NoAuthority,
    /// The host is empty.
    EmptyHost,
    /// The host is no IPv6 literal, IPv4 address or domain name.
    BadHost,
    /// A user name or password before the host.
    UserInfo,
    /// A fragment, which a WebSocket URI never has.
    Fragment,
    /// A character that must be percent-encoded.
    BadCharacter(char),
    /// A percent sign without two hexadecimal digits.
    BadEscape,
}

impl HandshakeError {
    /// The name of the reason, stable across versions.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::UnsupportedVersion { .. } => "unsupported_version",
            Self::NoAcceptableSubprotocol { .. } => "no_acceptable_subprotocol",
            Self::DuplicateHeader { .. } => "duplicate_header",
            Self::MalformedHeader { .. } => "malformed_header",
            Self::OriginNotAllowed { .. } => "origin_not_allowed",
            Self::UnofferedSubprotocol { .. } => "unoffered_subprotocol",
            Self::UnofferedExtension { .. } => "unoffered_extension",
            Self::BadExtensionResponse { .. } => "bad_extension_response",
            Self::InvalidUrl { .. } => "invalid_url",
            Self::InvalidScheme { .. } => "invalid_scheme",
            Self::InvalidPort { .. } => "invalid_port",
            Self::InvalidHeader { .. } => "invalid_header",
            Self::InvalidStatus { .. } => "invalid_status",
        }
    }

    /// The status a server answers: 500 for what only a client finds or a caller did. Over HTTP/1.1
    /// an unsupported version is answered 426 instead (RFC 6455 §4.4).
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::OriginNotAllowed { .. } => 403,
            Self::UnsupportedVersion { .. }
            | Self::NoAcceptableSubprotocol { .. }
            | Self::DuplicateHeader { .. }
            | Self::MalformedHeader { .. } => 400,
            _ => 500,
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnsupportedVersion { found: Some(found) } => {
                write!(f, "sec-websocket-version is {found:?}, only 13 is supported")
            }
            Self::UnsupportedVersion { found: None } => {
                f.write_str("no sec-websocket-version, it must be 13")
            }
            Self::NoAcceptableSubprotocol { offered } if offered.is_empty() => {
                f.write_str("a subprotocol is required and none was offered")
            }
            Self::NoAcceptableSubprotocol { offered } => {
                write!(f, "a subprotocol is required and none of {offered:?} is acceptable")
            }
            Self::DuplicateHeader { name } => write!(f, "more than one {name}, one is allowed"),
            Self::MalformedHeader { name, .. } => write!(f, "malformed {name}"),
            Self::OriginNotAllowed { origin, allowed: Some(allowed) } => {
                write!(f, "origin {origin:?} is not allowed, it must be {allowed:?}")
            }
            Self::OriginNotAllowed { origin, allowed: None } => {
                write!(f, "origin {origin:?} is not allowed, it must be one of those listed")
            }
            Self::UnofferedSubprotocol { found } => {
                write!(f, "the server chose subprotocol {found:?}, which was not offered")
            }
            Self::UnofferedExtension { found } => {
                write!(f, "the answer holds extension {found:?}, which was not offered")
            }
            Self::BadExtensionResponse { .. } => f.write_str("malformed extensions in the answer"),
            Self::InvalidUrl { .. } => f.write_str("not a websocket uri"),
            Self::InvalidScheme { scheme } => {
                write!(f, "the scheme is {scheme:?}, it must be ws or wss")
            }
            Self::InvalidPort { value } => {
                write!(f, "the port is {value:?}, it must be 1 to 65535")
            }
            Self::InvalidHeader { name } => write!(f, "header {name:?} must not be written"),
            Self::InvalidStatus { status } => {
                write!(f, "status {status} does not refuse, it must be 300 to 599")
            }
        }
    }
}

impl Error for HandshakeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::MalformedHeader { problem, .. } | Self::BadExtensionResponse { problem } => {
                Some(problem)
            }
            Self::InvalidUrl { problem } => Some(problem),
            _ => None,
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "nothing is listed",
            Self::NotAToken => "a token was expected",
            Self::UnclosedQuote => "a quoted string does not end",
            Self::UnexpectedByte => "a byte cannot stand where it stands",
            Self::TooManyElements => "too many elements",
            Self::Repeated => "an element is listed twice",
            Self::NotAHost => "a host with an optional port was expected",
            Self::Conflict => "it contradicts another field",
            Self::NotAllowed => "it is not one of the values allowed here",
        })
    }
}

impl Error for Malformed {}

impl fmt::Display for UrlProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAuthority => f.write_str("no `://` after the scheme"),
            Self::EmptyHost => f.write_str("the host is empty"),
            Self::BadHost => f.write_str("the host is neither an address nor a domain name"),
            Self::UserInfo => f.write_str("user information is not allowed"),
            Self::Fragment => f.write_str("a fragment is not allowed"),
            Self::BadCharacter(found) => write!(f, "character {found:?} must be percent-encoded"),
            Self::BadEscape => f.write_str("a percent sign without two hexadecimal digits"),
        }
    }
}

impl Error for UrlProblem {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    #[test]
    fn reasons_have_the_names_of_the_contract() {
        let problem = Malformed::Empty;
        let rows = [
            (HandshakeError::UnsupportedVersion { found: None }, "unsupported_version"),
            (
                HandshakeError::NoAcceptableSubprotocol { offered: Vec::new() },
                "no_acceptable_subprotocol",
            ),
            (HandshakeError::DuplicateHeader { name: "host" }, "duplicate_header"),
            (HandshakeError::MalformedHeader { name: "host", problem }, "malformed_header"),
            (
                HandshakeError::OriginNotAllowed { origin: "x".into(), allowed: None },
                "origin_not_allowed",
            ),
            (HandshakeError::UnofferedSubprotocol { found: "x".into() }, "unoffered_subprotocol"),
            (HandshakeError::UnofferedExtension { found: "x".into() }, "unoffered_extension"),
            (HandshakeError::BadExtensionResponse { problem }, "bad_extension_response"),
            (HandshakeError::InvalidUrl { problem: UrlProblem::Fragment }, "invalid_url"),
            (HandshakeError::InvalidScheme { scheme: "x".into() }, "invalid_scheme"),
            (HandshakeError::InvalidPort { value: "x".into() }, "invalid_port"),
            (HandshakeError::InvalidHeader { name: "x".into() }, "invalid_header"),
            (HandshakeError::InvalidStatus { status: 200 }, "invalid_status"),
        ];
        for (error, want) in rows {
            assert_eq!(error.reason(), want);
            let text = error.to_string();
            assert!(!text.ends_with('.') && !text.starts_with(char::is_uppercase), "{text}");
        }
    }

    // THREAT: log-injection
    #[test]
    fn text_of_the_peer_is_escaped_when_displayed() {
        let text = "a\r\n\u{1b}[31m";
        let error =
            HandshakeError::OriginNotAllowed { origin: text.into(), allowed: Some(text.into()) };
        assert_eq!(
            error.to_string(),
            r#"origin "a\r\n\u{1b}[31m" is not allowed, it must be "a\r\n\u{1b}[31m""#
        );
    }
}
