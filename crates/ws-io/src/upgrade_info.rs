//! What the opening handshake agreed on and asked for.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use ws_handshake::{HeaderFields, Headers};

/// The opening handshake as the connection remembers it: on the server the request, on the client
/// the response.
///
/// [`WebSocket::take_upgrade_info`](crate::WebSocket::take_upgrade_info) frees its memory.
#[derive(Clone, Default)]
pub struct UpgradeInfo {
    /// `None` for the commonest, `/`, which then takes no memory.
    path: Option<Box<str>>,
    headers: HeaderFields,
    /// `None` for most connections.
    terms: Option<Box<Terms>>,
}

/// What not every handshake has.
#[derive(Clone, Default)]
struct Terms {
    subprotocol: Option<Box<str>>,
    attachment: Option<Arc<dyn Any + Send + Sync>>,
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
        let subprotocol = subprotocol.map(Into::into);
        if subprotocol.is_some() || self.terms.is_some() {
            self.terms.get_or_insert_default().subprotocol = subprotocol;
        }
        self
    }

    /// Remembers what the program made of the request, for [`attachment`](Self::attachment).
    #[must_use]
    pub fn with_attachment(mut self, attachment: Arc<dyn Any + Send + Sync>) -> Self {
        self.terms.get_or_insert_default().attachment = Some(attachment);
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
        let path = self.path.as_ref().map_or(0, |path| path.len());
        let subprotocol = self.subprotocol().map_or(0, str::len);
        let terms = self.terms.as_ref().map_or(0, |_| size_of::<Terms>() + subprotocol);
        size_of::<Self>() + path + terms + self.headers.held()
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
        self.terms.as_ref()?.subprotocol.as_deref()
    }

    /// What the route of a server returned for this request: who is asking, for example. `None` if
    /// there is none, or none of this type. It does not count for the memory budget.
    #[must_use]
    pub fn attachment<A: Any>(&self) -> Option<&A> {
        self.terms.as_ref()?.attachment.as_ref()?.downcast_ref()
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
            .field("subprotocol", &self.subprotocol())
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
        let info = info.with_attachment(Arc::new("secret"));
        let text = format!("{info:?}");
        assert!(text.contains("Cookie") && !text.contains("secret"), "{text}");
        assert_eq!((info.path(), info.subprotocol()), ("/chat", Some("v1")));
        assert_eq!(info.headers().get("cookie"), Some("secret"));
    }

    #[test]
    fn an_attachment_is_found_by_its_type() {
        let info = UpgradeInfo::new("/").with_attachment(Arc::new(7_u32));
        assert_eq!((info.attachment::<u32>(), info.attachment::<u64>()), (Some(&7), None));
        assert_eq!(info.subprotocol(), None);
        let info = info.with_subprotocol(Some("v1"));
        assert_eq!((info.attachment::<u32>(), info.subprotocol()), (Some(&7), Some("v1")));
        assert_eq!(info.with_subprotocol(None::<&str>).subprotocol(), None);
    }
}
