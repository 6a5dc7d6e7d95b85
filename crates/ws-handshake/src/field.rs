//! Header fields a caller hands us to write: nothing that could break out of its line, and nothing
//! that would override what the protocol itself writes.

use crate::error::HandshakeError;
use crate::list::is_token;

/// Checks a field to be added to a client's request.
///
/// # Errors
///
/// [`HandshakeError::InvalidHeader`]: the name is not a token, the value holds a control character,
/// or the field is written by the handshake itself (`Host`, `Origin`, `Upgrade`, `Connection`, all
/// `Sec-WebSocket-*`, and those that would frame a body).
pub fn validate_request_field(name: &str, value: &[u8]) -> Result<(), HandshakeError> {
    let taken = ["host", "origin", "expect", "te"];
    let owned = taken.iter().any(|taken| name.eq_ignore_ascii_case(taken)) || is_handshake(name);
    check(name, value, owned)
}

/// Checks a field to be added to a server's positive answer; the same rules, for what it writes.
///
/// # Errors
///
/// [`HandshakeError::InvalidHeader`].
pub fn validate_response_field(name: &str, value: &[u8]) -> Result<(), HandshakeError> {
    check(name, value, is_handshake(name))
}

/// Checks a field of a refusal, which may carry anything but the framing of its body.
pub(crate) fn validate_refusal_field(name: &str, value: &[u8]) -> Result<(), HandshakeError> {
    check(name, value, is_framing(name))
}

fn check(name: &str, value: &[u8], owned: bool) -> Result<(), HandshakeError> {
    // RFC 9110 §5.5: visible characters, space, tab and obs-text.
    let is_value = value.iter().all(|&byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f));
    if !owned && is_token(name.as_bytes()) && is_value {
        Ok(())
    } else {
        Err(HandshakeError::InvalidHeader { name: name.into() })
    }
}

fn is_handshake(name: &str) -> bool {
    const PREFIX: &str = "sec-websocket-";
    is_framing(name)
        || name.eq_ignore_ascii_case("upgrade")
        || name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// Connection-specific fields, which HTTP/2 and HTTP/3 forbid altogether, and the length of a body.
fn is_framing(name: &str) -> bool {
    [
        "connection",
        "content-length",
        "http2-settings",
        "keep-alive",
        "proxy-connection",
        "trailer",
        "transfer-encoding",
    ]
    .iter()
    .any(|framing| name.eq_ignore_ascii_case(framing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_may_add_what_it_does_not_own() {
        let rows = [
            // name, in a request, in an answer, in a refusal
            ("Cookie", true, true, true),
            ("Origin", false, true, true),
            ("Host", false, true, true),
            ("Upgrade", false, false, true),
            ("Sec-WebSocket-Version", false, false, true),
            ("Connection", false, false, false),
            ("Content-Length", false, false, false),
            ("Transfer-Encoding", false, false, false),
            ("no token", false, false, false),
        ];
        for (name, request, answer, refusal) in rows {
            assert_eq!(validate_request_field(name, b"v").is_ok(), request, "{name}");
            assert_eq!(validate_response_field(name, b"v").is_ok(), answer, "{name}");
            assert_eq!(validate_refusal_field(name, b"v").is_ok(), refusal, "{name}");
        }
    }
}
