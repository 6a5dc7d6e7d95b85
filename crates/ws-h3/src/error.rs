//! What can go wrong on an HTTP/3 connection, by guilt: the peer, the caller, the transport.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use bytes::Bytes;
use h3::error::Code;

use crate::quic::fields::FieldError;

/// Why a connection, a request or a stream failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The peer's SETTINGS do not enable extended CONNECT (RFC 9220 §3); nothing was sent.
    PeerDoesNotAllowConnectProtocol,
    /// The server refused the WebSocket; its answer, with at most 16 KiB of its body.
    UnexpectedStatus(Box<http::Response<Bytes>>),
    /// A request's header section is larger than this many bytes; it was answered with 431.
    HandshakeTooBig {
        /// The limit, in bytes.
        max: u64,
    },
    /// The response's header section is larger than the limit.
    HandshakeResponseTooBig {
        /// The limit, in bytes.
        max: u64,
    },
    /// A request has more header fields than allowed; it was answered with 431.
    TooManyHeaders {
        /// The limit.
        max: usize,
    },
    /// A request's body is larger than the reader wanted.
    RequestTooBig {
        /// The limit, in bytes.
        max: usize,
    },
    /// The header section breaks the rules of RFC 9114 §4.
    MalformedHeader(FieldError),
    /// The message as a whole is malformed (RFC 9114 §4.1.2).
    MalformedMessage(&'static str),
    /// The peer broke the protocol in a way that ends the connection; we closed it.
    ProtocolError {
        /// The HTTP/3 error code sent (RFC 9114 §8.1, RFC 9204 §6).
        code: u64,
        /// What the peer did.
        what: &'static str,
    },
    /// The peer did not process the request (`H3_REQUEST_REJECTED`, or above the limit of its
    /// GOAWAY); it may be tried again, on another connection.
    RequestRejected,
    /// The peer is shutting the connection down (GOAWAY); nothing was sent.
    GoingAway,
    /// The server let no further stream be opened in time; nothing was sent, and another connection
    /// may do.
    TooManyStreams,
    /// The peer reset the stream or stopped reading it.
    StreamReset {
        /// The peer's error code; `H3_REQUEST_CANCELLED` (0x10c) stands for a TCP reset.
        code: u64,
    },
    /// The deadline for the handshake passed.
    Timeout,
    /// The QUIC connection was lost or closed.
    Connection(quinn::ConnectionError),
    /// What the caller passed cannot be sent.
    InvalidRequest(&'static str),
    /// The TLS configuration cannot serve QUIC: no TLS 1.3, or without a cipher suite that QUIC needs.
    InvalidTlsConfig(Box<dyn StdError + Send + Sync>),
    /// Any other failure of the HTTP/3 layer.
    Http3(Box<dyn StdError + Send + Sync>),
}

impl Error {
    /// The name of the reason in `snake_case`.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::PeerDoesNotAllowConnectProtocol => "peer_does_not_allow_connect_protocol",
            Self::UnexpectedStatus(_) => "unexpected_status",
            Self::HandshakeTooBig { .. } => "handshake_too_big",
            Self::HandshakeResponseTooBig { .. } => "handshake_response_too_big",
            Self::TooManyHeaders { .. } => "too_many_headers",
            Self::RequestTooBig { .. } => "request_too_big",
            Self::MalformedHeader(_) => "malformed_header",
            Self::MalformedMessage(_) => "malformed_message",
            Self::ProtocolError { .. } => "protocol_error",
            Self::RequestRejected => "request_rejected",
            Self::GoingAway => "going_away",
            Self::TooManyStreams => "too_many_streams",
            Self::StreamReset { .. } => "stream_reset",
            Self::Timeout => "timeout",
            Self::Connection(_) if self.tls_alert().is_some() => "tls_alert",
            Self::Connection(_) => "closed",
            Self::InvalidRequest(_) => "invalid_request",
            Self::InvalidTlsConfig(_) => "invalid_tls_config",
            Self::Http3(_) => "http3",
        }
    }

    /// Whether the peer certainly did not act on the request, so that it may be sent again.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::RequestRejected | Self::GoingAway | Self::TooManyStreams)
    }

    /// The TLS alert that ended the connection, whoever sent it (RFC 9001 §4.8).
    #[must_use]
    pub fn tls_alert(&self) -> Option<u8> {
        let code = match self {
            Self::Connection(quinn::ConnectionError::TransportError(error)) => error.code,
            Self::Connection(quinn::ConnectionError::ConnectionClosed(close)) => close.error_code,
            _ => return None,
        };
        u8::try_from(u64::from(code).checked_sub(0x100)?).ok()
    }

    /// From the code of a peer's `RESET_STREAM` or `STOP_SENDING`.
    pub(crate) fn from_stream_code(code: u64) -> Self {
        if Code::H3_REQUEST_REJECTED == code {
            Self::RequestRejected
        } else {
            Self::StreamReset { code }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PeerDoesNotAllowConnectProtocol => {
                f.write_str("the peer does not allow extended CONNECT")
            }
            Self::UnexpectedStatus(response) => {
                write!(f, "the server answered {}, expected a 2xx status", response.status())
            }
            Self::HandshakeTooBig { max } => {
                write!(f, "the request header is larger than the {max} bytes allowed")
            }
            Self::HandshakeResponseTooBig { max } => {
                write!(f, "the response header is larger than the {max} bytes allowed")
            }
            Self::TooManyHeaders { max } => write!(f, "more than the {max} headers allowed"),
            Self::RequestTooBig { max } => {
                write!(f, "the request body is larger than the {max} bytes wanted")
            }
            Self::MalformedHeader(_) => f.write_str("malformed header section"),
            Self::MalformedMessage(what) => write!(f, "malformed message: {what}"),
            Self::ProtocolError { code, what } => {
                write!(f, "protocol error {}: {what}", Code::from(*code))
            }
            Self::RequestRejected => f.write_str("the peer did not process the request"),
            Self::GoingAway => f.write_str("the peer is shutting the connection down"),
            Self::TooManyStreams => f.write_str("the server lets no more streams be opened"),
            Self::StreamReset { code } => {
                write!(f, "the peer reset the stream with {}", Code::from(*code))
            }
            Self::Timeout => f.write_str("the handshake was not complete in time"),
            Self::Connection(_) => f.write_str("the quic connection is gone"),
            Self::InvalidRequest(what) => write!(f, "invalid request: {what}"),
            Self::InvalidTlsConfig(_) => f.write_str("the tls configuration cannot serve quic"),
            Self::Http3(_) => f.write_str("the http/3 layer failed"),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::MalformedHeader(error) => Some(error),
            Self::Connection(error) => Some(error),
            Self::InvalidTlsConfig(error) | Self::Http3(error) => Some(&**error),
            _ => None,
        }
    }
}

impl From<quinn::ConnectionError> for Error {
    fn from(error: quinn::ConnectionError) -> Self {
        Self::Connection(error)
    }
}

impl From<quinn::WriteError> for Error {
    fn from(error: quinn::WriteError) -> Self {
        match error {
            quinn::WriteError::Stopped(code) => Self::from_stream_code(code.into_inner()),
            quinn::WriteError::ConnectionLost(error) => Self::Connection(error),
            other => Self::Http3(other.into()),
        }
    }
}

impl From<quinn::ReadError> for Error {
    fn from(error: quinn::ReadError) -> Self {
        match error {
            quinn::ReadError::Reset(code) => Self::from_stream_code(code.into_inner()),
            quinn::ReadError::ConnectionLost(error) => Self::Connection(error),
            other => Self::Http3(other.into()),
        }
    }
}

impl From<Error> for io::Error {
    /// A cancelled stream is [`io::ErrorKind::ConnectionReset`], a rejected one `ConnectionRefused`,
    /// one that ended without an error `BrokenPipe`, one whose peer broke the rules, its own or those of
    /// the connection, or does not pass in TLS, `InvalidData`, a handshake that took too long `TimedOut`,
    /// and every other end of a stream or a lost connection `ConnectionAborted`.
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::StreamReset { code } if Code::H3_REQUEST_CANCELLED == *code => {
                io::ErrorKind::ConnectionReset
            }
            Error::StreamReset { code } if Code::H3_NO_ERROR == *code => io::ErrorKind::BrokenPipe,
            // RFC 9001 §4.8: what TLS finds wrong here, a certificate for example.
            Error::Connection(quinn::ConnectionError::TransportError(_))
                if error.tls_alert().is_some() =>
            {
                io::ErrorKind::InvalidData
            }
            Error::StreamReset { .. } | Error::Connection(_) => io::ErrorKind::ConnectionAborted,
            Error::RequestRejected => io::ErrorKind::ConnectionRefused,
            Error::Timeout => io::ErrorKind::TimedOut,
            Error::ProtocolError { .. }
            | Error::MalformedHeader(_)
            | Error::MalformedMessage(_) => io::ErrorKind::InvalidData,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC: H3-A.4-01
    #[test]
    fn every_reason_has_its_name_its_text_and_its_kind_of_io_error() {
        use io::ErrorKind as Kind;
        let lost = || Error::Connection(quinn::ConnectionError::TimedOut);
        let cases = [
            (
                Error::PeerDoesNotAllowConnectProtocol,
                "peer_does_not_allow_connect_protocol",
                Kind::Other,
            ),
            (Error::UnexpectedStatus(Box::default()), "unexpected_status", Kind::Other),
            (Error::HandshakeTooBig { max: 1 }, "handshake_too_big", Kind::Other),
            (Error::HandshakeResponseTooBig { max: 1 }, "handshake_response_too_big", Kind::Other),
            (Error::TooManyHeaders { max: 1 }, "too_many_headers", Kind::Other),
            (Error::RequestTooBig { max: 1 }, "request_too_big", Kind::Other),
            (Error::MalformedHeader(FieldError::Truncated), "malformed_header", Kind::InvalidData),
            (Error::MalformedMessage("x"), "malformed_message", Kind::InvalidData),
            (Error::ProtocolError { code: 0x101, what: "x" }, "protocol_error", Kind::InvalidData),
            (Error::RequestRejected, "request_rejected", Kind::ConnectionRefused),
            (Error::GoingAway, "going_away", Kind::Other),
            (Error::TooManyStreams, "too_many_streams", Kind::Other),
            (Error::StreamReset { code: 0x10c }, "stream_reset", Kind::ConnectionReset),
            (Error::StreamReset { code: 0x100 }, "stream_reset", Kind::BrokenPipe),
            (Error::StreamReset { code: 0x10f }, "stream_reset", Kind::ConnectionAborted),
            (Error::Timeout, "timeout", Kind::TimedOut),
            (lost(), "closed", Kind::ConnectionAborted),
            (Error::InvalidRequest("x"), "invalid_request", Kind::Other),
            (Error::Http3("x".into()), "http3", Kind::Other),
        ];
        for (error, reason, kind) in cases {
            let text = error.to_string();
            assert_eq!(error.reason(), reason);
            assert!(text.starts_with(|first: char| first.is_lowercase()), "{text}");
            assert!(!text.ends_with('.'), "{text}");
            assert_eq!(io::Error::from(error).kind(), kind, "{reason}");
        }
    }
}
