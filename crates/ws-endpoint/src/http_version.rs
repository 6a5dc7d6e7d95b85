//! The HTTP version that carries a WebSocket.

use std::fmt;

/// The version of HTTP in which a WebSocket was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum HttpVersion {
    /// HTTP/1.1: the connection became the WebSocket (RFC 6455).
    H1,
    /// HTTP/2: one stream of a connection (RFC 8441).
    H2,
    /// HTTP/3: one stream of a QUIC connection (RFC 9220).
    H3,
}

impl HttpVersion {
    /// The name in ALPN (RFC 7301): `http/1.1`, `h2`, `h3`.
    #[must_use]
    pub fn alpn(self) -> &'static str {
        match self {
            Self::H1 => "http/1.1",
            Self::H2 => "h2",
            Self::H3 => "h3",
        }
    }
}

impl fmt::Display for HttpVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::H1 => "HTTP/1.1",
            Self::H2 => "HTTP/2",
            Self::H3 => "HTTP/3",
        })
    }
}
