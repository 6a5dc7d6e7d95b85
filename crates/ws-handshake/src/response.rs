//! A server's answer as a client sees it, the same over every HTTP version.

use alloc::vec::Vec;

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
#[derive(Clone, Debug, PartialEq, Eq)]
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
