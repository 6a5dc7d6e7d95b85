//! The five ways from a client to a server.

use ws_stack::endpoint::{HttpPolicy, HttpVersion};

/// What carries the WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a test is to look at each of them")]
pub enum Carrier {
    /// HTTP/1.1 over TCP.
    H1,
    /// HTTP/1.1 over TLS over TCP.
    H1Tls,
    /// HTTP/2 over TCP, with prior knowledge.
    H2,
    /// HTTP/2 over TLS over TCP, negotiated.
    H2Tls,
    /// HTTP/3 over QUIC.
    H3,
}

impl Carrier {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::H1, Self::H1Tls, Self::H2, Self::H2Tls, Self::H3];

    /// In a word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::H1 => "h1",
            Self::H1Tls => "h1s",
            Self::H2 => "h2",
            Self::H2Tls => "h2s",
            Self::H3 => "h3",
        }
    }

    /// Whether its URLs are `wss:`.
    #[must_use]
    pub fn is_secure(self) -> bool {
        matches!(self, Self::H1Tls | Self::H2Tls | Self::H3)
    }

    /// The version of HTTP.
    #[must_use]
    pub fn version(self) -> HttpVersion {
        match self {
            Self::H1 | Self::H1Tls => HttpVersion::H1,
            Self::H2 | Self::H2Tls => HttpVersion::H2,
            Self::H3 => HttpVersion::H3,
        }
    }

    /// The way a client is told.
    #[must_use]
    pub fn policy(self) -> HttpPolicy {
        match self {
            Self::H1 | Self::H1Tls => HttpPolicy::H1,
            Self::H2 | Self::H2Tls => HttpPolicy::H2,
            Self::H3 => HttpPolicy::H3,
        }
    }
}
