//! What can go wrong on an HTTP/2 connection, by guilt: the peer, the caller, the transport.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use bytes::Bytes;
use h2::Reason;
use ws_h2_upgrade::HandshakeError;

use crate::failure::Failure;

/// Why a connection, a request or a stream failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The peer's SETTINGS do not enable extended CONNECT (RFC 8441 §3); nothing was sent.
    PeerDoesNotAllowConnectProtocol,
    /// The server refused the WebSocket; its answer, with at most 16 KiB of its body.
    UnexpectedStatus(Box<http::Response<Bytes>>),
    /// A request's body is larger than the reader wanted.
    RequestTooBig {
        /// The limit, in bytes.
        max: usize,
    },
    /// The response's header list is larger than the limit.
    HandshakeResponseTooBig {
        /// The limit, in bytes as RFC 9113 §6.5.2 counts them.
        max: u32,
    },
    /// The response has more header fields than allowed.
    TooManyHeaders {
        /// The limit.
        max: usize,
    },
    /// The peer sent something malformed on this stream, which was reset.
    MalformedMessage {
        /// The HTTP/2 error code sent (RFC 9113 §7).
        code: u32,
    },
    /// The peer broke the protocol in a way that ends the connection; we closed it.
    ProtocolError {
        /// The HTTP/2 error code sent (RFC 9113 §7).
        code: u32,
    },
    /// The peer did not process the request (`REFUSED_STREAM`); it may be tried again.
    RequestRejected,
    /// The connection is being shut down, by the peer (GOAWAY) or by [`drain`](crate::Client::drain),
    /// and the request was not processed; it may be tried again on a new connection, unless the code is
    /// `HTTP_1_1_REQUIRED` (0xd): then over HTTP/1.1 alone.
    GoingAway {
        /// The error code of the GOAWAY, 0 for `drain`.
        code: u32,
    },
    /// As many streams are open as the peer or the options allow, and none ended in time; it may be
    /// tried again on another connection.
    TooManyStreams {
        /// The limit.
        max: usize,
    },
    /// What lay unread on the stream was more than the [budget](crate::ServerConfig::budget) of all
    /// connections had room for: it was thrown away, and the stream was reset.
    BudgetExceeded {
        /// The budget, in bytes.
        max: usize,
    },
    /// The peer reset the stream.
    StreamReset {
        /// The peer's error code; `CANCEL` (0x8) stands for a TCP reset (RFC 8441 §5).
        code: u32,
    },
    /// The deadline for the handshake passed.
    Timeout,
    /// The connection is gone.
    Closed,
    /// The socket below the connection failed.
    Io(io::Error),
    /// What the caller passed cannot be sent.
    InvalidRequest(&'static str),
    /// Any other failure of the HTTP/2 layer.
    Http2(h2::Error),
}

impl Error {
    /// The name of the reason in `snake_case`.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::PeerDoesNotAllowConnectProtocol => "peer_does_not_allow_connect_protocol",
            Self::UnexpectedStatus(_) => "unexpected_status",
            Self::RequestTooBig { .. } => "request_too_big",
            Self::HandshakeResponseTooBig { .. } => "handshake_response_too_big",
            Self::TooManyHeaders { .. } => "too_many_headers",
            Self::MalformedMessage { .. } => "malformed_message",
            Self::ProtocolError { .. } => "protocol_error",
            Self::RequestRejected => "request_rejected",
            Self::GoingAway { .. } => "going_away",
            Self::TooManyStreams { .. } => "too_many_streams",
            Self::BudgetExceeded { .. } => "budget_exceeded",
            Self::StreamReset { .. } => "stream_reset",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Io(_) => "io",
            Self::InvalidRequest(_) => "invalid_request",
            Self::Http2(_) => "http2",
        }
    }

    /// Whether the peer certainly did not act on the request, so that it may be sent again, on a
    /// new connection unless the reason is `request_rejected`.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::GoingAway { code } => Reason::from(*code) != Reason::HTTP_1_1_REQUIRED,
            _ => matches!(self, Self::RequestRejected | Self::TooManyStreams { .. }),
        }
    }

    /// What the socket below the connection failed with, as the socket has told it.
    #[must_use]
    pub fn socket_error(&self) -> Option<&io::Error> {
        match self {
            Self::Io(error) => Some(Failure::told(error)),
            _ => None,
        }
    }

    /// From what is wrong with header fields that the caller wants to send.
    pub(crate) fn from_fields(_: HandshakeError) -> Self {
        Self::InvalidRequest("a connection-specific header field in HTTP/2")
    }

    /// From the code of a peer's `RST_STREAM`.
    pub(crate) fn from_reset(code: Reason) -> Self {
        match code {
            Reason::REFUSED_STREAM => Self::RequestRejected,
            code => Self::StreamReset { code: code.into() },
        }
    }
}

/// Why a connection has ended, for everybody who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Closed,
    /// The peer has said so, with this code.
    GoingAway(u32),
    ProtocolError(u32),
    Timeout,
    Io(io::ErrorKind),
}

impl From<&Error> for Fate {
    fn from(error: &Error) -> Self {
        match error {
            Error::GoingAway { code } => Self::GoingAway(*code),
            Error::ProtocolError { code } => Self::ProtocolError(*code),
            Error::Timeout => Self::Timeout,
            Error::Io(error) => Self::Io(error.kind()),
            _ => Self::Closed,
        }
    }
}

impl From<Fate> for Error {
    fn from(fate: Fate) -> Self {
        match fate {
            Fate::Closed => Self::Closed,
            Fate::GoingAway(code) => Self::GoingAway { code },
            Fate::ProtocolError(code) => Self::ProtocolError { code },
            Fate::Timeout => Self::Timeout,
            Fate::Io(kind) => Self::Io(kind.into()),
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
            Self::RequestTooBig { max } => {
                write!(f, "the request body is larger than the {max} bytes allowed")
            }
            Self::HandshakeResponseTooBig { max } => {
                write!(f, "the response header is larger than the {max} bytes allowed")
            }
            Self::TooManyHeaders { max } => write!(f, "more than the {max} headers allowed"),
            Self::MalformedMessage { code } => {
                write!(f, "the peer sent a malformed message: {}", Reason::from(*code))
            }
            Self::ProtocolError { code } => {
                write!(f, "the peer broke the protocol: {}", Reason::from(*code))
            }
            Self::RequestRejected => f.write_str("the peer did not process the request"),
            Self::GoingAway { code: 0 } => f.write_str("the peer is shutting the connection down"),
            Self::GoingAway { code } => {
                write!(f, "the peer is shutting the connection down: {}", Reason::from(*code))
            }
            Self::TooManyStreams { max } => {
                write!(f, "all of the {max} streams allowed are in use")
            }
            Self::BudgetExceeded { max } => {
                write!(f, "the {max} bytes that all connections may hold are used up")
            }
            Self::StreamReset { code } => {
                write!(f, "the peer reset the stream: {}", Reason::from(*code))
            }
            Self::Timeout => f.write_str("the handshake was not complete in time"),
            Self::Closed => f.write_str("the connection is gone"),
            Self::Io(_) => f.write_str("the socket failed"),
            Self::InvalidRequest(what) => write!(f, "invalid request: {what}"),
            Self::Http2(_) => f.write_str("the http/2 layer failed"),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Http2(error) => Some(error),
            _ => None,
        }
    }
}

impl Error {
    /// Why the socket failed.
    pub(crate) fn from_io(error: io::Error) -> Self {
        match error.kind() {
            // How h2 says that the peer closed the socket.
            io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => Self::Closed,
            // How our socket says that the peer does not begin with SETTINGS (RFC 9113 §3.4).
            io::ErrorKind::Unsupported => {
                Self::ProtocolError { code: Reason::PROTOCOL_ERROR.into() }
            }
            _ => Self::Io(error),
        }
    }
}

impl From<h2::Error> for Error {
    fn from(error: h2::Error) -> Self {
        let code = error.reason();
        if error.is_io() {
            return error.into_io().map_or(Self::Closed, Self::from_io);
        }
        match code {
            Some(code) if error.is_go_away() && error.is_remote() => {
                Self::GoingAway { code: code.into() }
            }
            Some(code) if error.is_reset() && error.is_remote() => Self::from_reset(code),
            Some(Reason::NO_ERROR) if error.is_go_away() => Self::Closed,
            // Ours, for what `h2` or the driver has found.
            Some(code) if error.is_go_away() => Self::ProtocolError { code: code.into() },
            Some(code) if error.is_reset() && error.is_library() => {
                Self::MalformedMessage { code: code.into() }
            }
            _ => Self::Http2(error),
        }
    }
}

impl From<Error> for io::Error {
    /// `CANCEL` and `STREAM_CLOSED` are [`io::ErrorKind::ConnectionReset`], a rejected stream is
    /// `ConnectionRefused`, one that ended without an error `BrokenPipe`, one whose peer broke the
    /// rules, its own or those of the connection, `InvalidData`, and every other end of a stream or a
    /// connection `ConnectionAborted`.
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::StreamReset { code } => match Reason::from(*code) {
                Reason::CANCEL | Reason::STREAM_CLOSED => io::ErrorKind::ConnectionReset,
                Reason::NO_ERROR => io::ErrorKind::BrokenPipe,
                _ => io::ErrorKind::ConnectionAborted,
            },
            Error::RequestRejected => io::ErrorKind::ConnectionRefused,
            Error::Timeout => io::ErrorKind::TimedOut,
            Error::MalformedMessage { .. } | Error::ProtocolError { .. } => {
                io::ErrorKind::InvalidData
            }
            Error::Closed | Error::GoingAway { .. } | Error::BudgetExceeded { .. } => {
                io::ErrorKind::ConnectionAborted
            }
            Error::Io(error) => error.kind(),
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC: H2WS-5-09, H2-8.7-01, H2-7-01, H3-A.4-01
    #[test]
    fn reset_codes_become_the_io_errors_of_a_tcp_socket() {
        let rows = [
            (Reason::CANCEL, io::ErrorKind::ConnectionReset, "stream_reset"),
            (Reason::STREAM_CLOSED, io::ErrorKind::ConnectionReset, "stream_reset"),
            (Reason::REFUSED_STREAM, io::ErrorKind::ConnectionRefused, "request_rejected"),
            (Reason::NO_ERROR, io::ErrorKind::BrokenPipe, "stream_reset"),
            (Reason::INTERNAL_ERROR, io::ErrorKind::ConnectionAborted, "stream_reset"),
            (Reason::from(0xfeed), io::ErrorKind::ConnectionAborted, "stream_reset"),
        ];
        for (code, kind, reason) in rows {
            let error = Error::from_reset(code);
            assert_eq!(error.reason(), reason);
            assert_eq!(error.is_retryable(), reason == "request_rejected");
            assert_eq!(io::Error::from(error).kind(), kind, "{code:?}");
        }
    }

    #[test]
    fn the_code_of_a_goaway_is_in_what_it_says() {
        let said = |code| Error::GoingAway { code }.to_string();
        assert_eq!(said(0), "the peer is shutting the connection down");
        assert!(said(0xd).starts_with(&said(0)) && said(0xd).contains("HTTP/1.1"), "{}", said(0xd));
    }
}
