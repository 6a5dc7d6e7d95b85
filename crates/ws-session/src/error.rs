//! What can go wrong, by guilt: the transport failed (here), the peer broke the protocol
//! (`ws_frame::FrameError`), or the caller misused us (`SendError`).

use std::error::Error;
use std::fmt;
use std::io;

/// The transport below the session failed or went away.
#[derive(Debug)]
#[non_exhaustive]
pub enum TransportError {
    /// The peer went away without a close frame.
    Closed,
    /// The handshake was not complete in time.
    Timeout,
    /// The peer sent a fatal TLS alert with this number (RFC 8446 §6).
    TlsAlert(u8),
    /// Any other I/O error.
    Io(io::Error),
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
            _ => Self::Io(error),
        }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the peer went away without a close frame"),
            Self::Timeout => f.write_str("the handshake was not complete in time"),
            Self::TlsAlert(number) => write!(f, "the peer sent tls alert {number}"),
            Self::Io(_) => f.write_str("the transport failed"),
        }
    }
}

impl Error for TransportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}
