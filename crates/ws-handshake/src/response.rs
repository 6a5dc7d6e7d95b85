//! A server's answer as a client sees it, the same over every HTTP version.

use alloc::vec::Vec;
use core::fmt;

use crate::headers::HeaderFields;
use crate::request::Agreement;

/// A positive answer, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// What both sides speak from here on.
    pub agreement: Agreement,
    /// All header fields, for cookies and the like.
    pub headers: HeaderFields,
}

impl Response {
    /// Puts an answer together; validators do this.
    #[must_use]
    pub fn new(agreement: Agreement, headers: HeaderFields) -> Self {
        Self { agreement, headers }
    }
}

/// An answer that is no WebSocket: a redirect, a challenge, an error page.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnexpectedResponse {
    /// The status code.
    pub status: u16,
    /// All header fields.
    pub headers: HeaderFields,
    /// The beginning of the body, as far as it was read.
    pub body: Vec<u8>,
    /// Whether the body goes on beyond what was kept, or was cut off.
    pub is_truncated: bool,
}

impl UnexpectedResponse {
    /// An answer whose body has not been read.
    #[must_use]
    pub fn new(status: u16, headers: HeaderFields) -> Self {
        Self { status, headers, body: Vec::new(), is_truncated: false }
    }
}

impl fmt::Debug for UnexpectedResponse {
    /// The body as text, if it is that, up to 256 bytes of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("UnexpectedResponse");
        debug.field("status", &self.status).field("headers", &self.headers);
        let shown = self.body.get(..MOST_SHOWN).unwrap_or(&self.body);
        match text_of(shown) {
            Some(text) if shown.len() == self.body.len() => debug.field("body", &text),
            Some(text) => {
                debug.field("body", &format_args!("{text:?} of {} bytes", self.body.len()))
            }
            None => debug.field("body", &format_args!("{} bytes", self.body.len())),
        };
        debug.field("is_truncated", &self.is_truncated).finish()
    }
}

/// The bytes as text, without a character that is cut at the end.
fn text_of(bytes: &[u8]) -> Option<&str> {
    match core::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() => {
            core::str::from_utf8(bytes.get(..error.valid_up_to())?).ok()
        }
        Err(_) => None,
    }
}

/// Enough for what a server says in words.
const MOST_SHOWN: usize = 256;

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn a_body_is_shown_as_text_if_it_is_that_and_never_at_length() {
        let shown = |body: &[u8]| {
            let headers = HeaderFields::copy_of(&[("Set-Cookie", "secret")]);
            let mut response = UnexpectedResponse::new(404, headers);
            response.body = body.to_vec();
            format!("{response:?}")
        };
        assert!(shown(b"no such room\n").contains(r#"body: "no such room\n", "#));
        assert!(shown("é".repeat(10).as_bytes()).contains("é"));
        assert!(shown(&[0xff; 300]).contains("body: 300 bytes,"));
        // The 256th byte is the first half of a character.
        let long = format!("a{}", "é".repeat(1000));
        assert!(shown(long.as_bytes()).contains("é\" of 2001 bytes,"));
        assert!(shown(long.as_bytes()).len() < 500);
        assert!(!shown(b"").contains("secret"));
    }
}
