//! What the opening handshake agreed on and asked for.

use std::fmt;

use ws_handshake::{HeaderFields, Headers};

/// The opening handshake as the connection remembers it: on the server the request, on the client
/// the response.
///
/// [`WebSocket::take_upgrade_info`](crate::WebSocket::take_upgrade_info) frees its memory.
#[derive(Clone, Default)]
pub struct UpgradeInfo {
    /// `None` for the commonest, `/`, which then takes no memory.
    path: Option<Box<str>>,
    subprotocol: Option<Box<str>>,
    headers: HeaderFields,
}

impl UpgradeInfo {
    /// Remembers `path` (with its query), no subprotocol and no header field.
    #[must_use]
    pub fn new(path: impl Into<Box<str>>) -> Self {
        let path = path.into();
        Self { path: (&*path != "/").then_some(path), ..Self::default() }
    }

    /// Remembers the subprotocol that was agreed on.
    #[must_use]
    pub fn with_subprotocol(mut self, subprotocol: Option<impl Into<Box<str>>>) -> Self {
        self.subprotocol = subprotocol.map(Into::into);
        self
    }

    /// Remembers the header fields of the other side.
    #[must_use]
    pub fn with_headers(mut self, headers: HeaderFields) -> Self {
        self.headers = headers;
        self
    }

    /// How many bytes of memory this takes.
    pub(crate) fn held(&self) -> usize {
        let subprotocol = self.subprotocol.as_ref().map_or(0, |name| name.len());
        let path = self.path.as_ref().map_or(0, |path| path.len());
        size_of::<Self>() + path + subprotocol + self.headers.held()
    }

    /// The path and query that was asked for, as it stood on the wire.
    #[must_use]
    pub fn path(&self) -> &str {
        self.path.as_deref().unwrap_or("/")
    }

    /// The path without its query.
    #[must_use]
    pub fn path_only(&self) -> &str {
        self.path().split('?').next().unwrap_or_default()
    }

    /// The query without its question mark, if there is one.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.path().split_once('?').map(|(_, query)| query)
    }

    /// The subprotocol that was agreed on.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// The header fields of the other side in the order of arrival.
    #[must_use]
    pub fn headers(&self) -> &HeaderFields {
        &self.headers
    }
}

impl fmt::Debug for UpgradeInfo {
    /// Header values may be secrets (cookies, credentials): only the names are shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.headers.fields().map(|(name, _)| String::from_utf8_lossy(name));
        f.debug_struct("UpgradeInfo")
            .field("path", &self.path())
            .field("subprotocol", &self.subprotocol)
            .field("headers", &names.collect::<Vec<_>>())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_and_its_query_can_be_had_apart() {
        for (asked, path, query) in
            [("/", "/", None), ("/a?", "/a", Some("")), ("/a?x=1?2", "/a", Some("x=1?2"))]
        {
            let info = UpgradeInfo::new(asked);
            assert_eq!((info.path_only(), info.query()), (path, query), "{asked}");
        }
    }

    #[test]
    fn debug_output_holds_no_header_value() {
        let headers = HeaderFields::copy_of(&[("Cookie", "secret")]);
        let info = UpgradeInfo::new("/chat").with_headers(headers).with_subprotocol(Some("v1"));
        let text = format!("{info:?}");
        assert!(text.contains("Cookie") && !text.contains("secret"), "{text}");
        assert_eq!((info.path(), info.subprotocol()), ("/chat", Some("v1")));
        assert_eq!(info.headers().get("cookie"), Some("secret"));
    }
}
