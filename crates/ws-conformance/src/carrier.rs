//! What carries the WebSocket: HTTP/1.1, a stream of HTTP/2 or HTTP/3, or the best of them.

use std::fmt;
use std::str::FromStr;

/// The version of HTTP beneath the WebSocket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Carrier {
    /// A connection of its own, after an upgrade (RFC 6455 §4).
    #[default]
    H1,
    /// A stream of an HTTP/2 connection, after an extended CONNECT (RFC 8441).
    H2,
    /// A stream of an HTTP/3 connection, after an extended CONNECT (RFC 9220).
    H3,
    /// Whatever both sides speak, found out by ALPN and by trying: the cases of falling back.
    Best,
}

impl Carrier {
    /// Whether this build of the suite speaks it (features `h2` and `h3`).
    #[must_use]
    pub fn is_built_in(self) -> bool {
        match self {
            Self::H1 => true,
            Self::H2 => cfg!(feature = "h2"),
            Self::H3 => cfg!(feature = "h3"),
            Self::Best => cfg!(all(feature = "h2", feature = "h3")),
        }
    }
}

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::H1 => "h1",
            Self::H2 => "h2",
            Self::H3 => "h3",
            Self::Best => "best",
        })
    }
}

impl FromStr for Carrier {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = [Self::H1, Self::H2, Self::H3, Self::Best];
        let found = known.into_iter().find(|carrier| carrier.to_string() == text);
        let carrier = found.ok_or_else(|| format!("{text:?} is none of h1, h2, h3 and best"))?;
        if carrier.is_built_in() {
            Ok(carrier)
        } else {
            Err(format!("this program was built without {carrier}"))
        }
    }
}
