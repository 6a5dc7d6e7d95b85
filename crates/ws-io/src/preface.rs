//! The beginning of HTTP/2 where HTTP/1.1 was expected (RFC 9113 §3.4).

use std::fmt;

use bytes::BytesMut;

use crate::handshake::Wire;
use crate::{Error, Runtime, Transport};

/// A connection on which the client speaks HTTP/2; made by [`receive_any`](crate::receive_any).
///
/// Dropping it drops the transport without an answer.
pub struct Preface<T, R: Runtime> {
    wire: Wire<T, R>,
}

impl<T: Transport, R: Runtime> Preface<T, R> {
    pub(crate) fn new(wire: Wire<T, R>) -> Self {
        Self { wire }
    }

    /// The transport below, for the address of the peer and the like.
    pub fn transport(&self) -> &T {
        &self.wire.transport
    }

    /// The transport, and what was read from it: the preface and what came behind it.
    pub fn into_parts(self) -> (T, BytesMut) {
        self.wire.into_parts()
    }

    /// Answers as a server that speaks HTTP/1.1 alone, and returns what the answer was about.
    pub async fn refuse(self) -> Error {
        let error = ws_h1_upgrade::Error::UnsupportedHttpVersion { found: "HTTP/2.0".to_owned() };
        crate::server::turn_down(self.wire, &error.refusal(), error.into()).await
    }
}

impl<T: Transport, R: Runtime> fmt::Debug for Preface<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Preface").finish_non_exhaustive()
    }
}

/// Whether `received` begins with the preface; `None` while it may still become one.
pub(crate) fn is_begun(received: &[u8]) -> Option<bool> {
    let compared = received.len().min(PREFACE.len());
    if received.get(..compared) != PREFACE.get(..compared) {
        return Some(false);
    }
    (compared == PREFACE.len()).then_some(true)
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    // RFC: H2-3.4-01
    #[test]
    fn the_preface_is_known_by_its_last_byte_and_a_request_by_its_first() {
        for cut in 0..PREFACE.len() {
            assert_eq!(is_begun(&PREFACE[..cut]), None, "{cut}");
        }
        assert_eq!(is_begun(&[PREFACE, b"more"].concat()), Some(true));
        for other in ["G", "GET / HTTP/1.1\r\n", "POST", "PRI * HTTP/1.1", "PRI * HTTP/2.0\r\nA"] {
            assert_eq!(is_begun(other.as_bytes()), Some(false), "{other}");
        }
    }
}
