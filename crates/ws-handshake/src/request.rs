//! What a client asks for and what both sides agree on, the same over HTTP/1.1, HTTP/2 and HTTP/3.

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::{HandshakeError, Malformed};
use crate::extension::{Extension, parse_extensions};
use crate::headers::{HeaderFields, Headers, trim_ows};
use crate::origin::OriginPolicy;
use crate::subprotocol;

/// A valid opening handshake as a server sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// The path with its query, as sent: `/chat?room=1`. Always begins with a slash.
    pub path: String,
    /// The host asked for, with the port if one was written.
    pub authority: String,
    /// Whether the request came over TLS. Over HTTP/1.1 only the caller knows; it starts as `false`.
    pub secure: bool,
    /// What the client offers.
    pub offer: Offer,
    /// All header fields, for cookies, authorization and the like.
    pub headers: HeaderFields,
}

impl Request {
    /// Puts a request together; validators do this, and tests of handlers.
    #[must_use]
    pub fn new(path: String, authority: String, offer: Offer, headers: HeaderFields) -> Self {
        Self { path, authority, secure: false, offer, headers }
    }

    /// The path without its query.
    #[must_use]
    pub fn path_only(&self) -> &str {
        self.path.split_once('?').map_or(&self.path, |(path, _)| path)
    }

    /// The query without its question mark, if there is one.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.path.split_once('?').map(|(_, query)| query)
    }

    /// Judges the origin of this request by `policy`. Set [`secure`](Self::secure) first.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::OriginNotAllowed`]: answer 403.
    pub fn check_origin(&self, policy: &OriginPolicy) -> Result<(), HandshakeError> {
        policy.check(self.offer.origin.as_deref(), self.secure, &self.authority)
    }
}

/// The negotiable part of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Offer {
    /// The origin of the page that opened the connection, if a browser did. Not judged yet.
    pub origin: Option<String>,
    /// The subprotocols offered, the client's favourite first.
    pub subprotocols: Vec<String>,
    /// The extensions offered, in the client's order.
    pub extensions: Vec<Extension>,
}

impl Offer {
    /// Reads the offer out of a request's fields.
    ///
    /// # Errors
    ///
    /// A field breaks its grammar, or `Origin` is repeated.
    pub fn from_headers<H: Headers + ?Sized>(headers: &H) -> Result<Self, HandshakeError> {
        let origin = match single(headers, "origin")? {
            Some(value) => Some(text(value, "origin")?.into()),
            None => None,
        };
        let subprotocols = subprotocol::parse_offers(headers)?;
        let extensions =
            parse_extensions(headers.values("sec-websocket-extensions")).map_err(|problem| {
                HandshakeError::MalformedHeader { name: "sec-websocket-extensions", problem }
            })?;
        Ok(Self { origin, subprotocols, extensions })
    }
}

/// What both sides have agreed to speak.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// The subprotocol; `None` when there is none.
    pub subprotocol: Option<String>,
    /// The extensions in use, in the order they apply to outgoing data (RFC 6455 §9.1).
    pub extensions: Vec<Extension>,
}

impl Agreement {
    /// Checks, before a server answers with it, that everything in it was offered and can be written.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::UnofferedSubprotocol`], [`HandshakeError::UnofferedExtension`], or
    /// [`HandshakeError::InvalidHeader`] for an extension that is not made of tokens.
    pub fn check_against(&self, offer: &Offer) -> Result<(), HandshakeError> {
        if let Some(found) = &self.subprotocol
            && !offer.subprotocols.contains(found)
        {
            return Err(HandshakeError::UnofferedSubprotocol { found: found.clone() });
        }
        check_names(&self.extensions, &offer.extensions)?;
        check_well_formed(&self.extensions)
    }
}

/// Refuses an extension whose name is not among `offered` (RFC 6455 §9.1). Of subprotocols and extensions
/// the RFC does not say that case plays no part, as it does where that is so; a name in another case
/// would be agreed on and then found by nobody.
pub(crate) fn check_names(
    found: &[Extension],
    offered: &[Extension],
) -> Result<(), HandshakeError> {
    let is_offered = |name: &str| offered.iter().any(|extension| extension.name == name);
    match found.iter().find(|extension| !is_offered(&extension.name)) {
        Some(extension) => {
            Err(HandshakeError::UnofferedExtension { found: extension.name.clone() })
        }
        None => Ok(()),
    }
}

/// Refuses extensions that cannot be written into a header.
pub(crate) fn check_well_formed(extensions: &[Extension]) -> Result<(), HandshakeError> {
    if extensions.iter().all(Extension::is_well_formed) {
        Ok(())
    } else {
        Err(HandshakeError::InvalidHeader { name: "sec-websocket-extensions".into() })
    }
}

/// Checks that a request asks for version 13 and says so once (RFC 6455 §4.4).
///
/// # Errors
///
/// [`HandshakeError::UnsupportedVersion`] or [`HandshakeError::DuplicateHeader`].
pub fn validate_version<H: Headers + ?Sized>(headers: &H) -> Result<(), HandshakeError> {
    match single(headers, "sec-websocket-version")? {
        Some(value) if trim_ows(value) == b"13" => Ok(()),
        found => Err(HandshakeError::UnsupportedVersion {
            found: found.map(|value| String::from_utf8_lossy(trim_ows(value)).into_owned()),
        }),
    }
}

/// The value of a field that may appear once; `None` when it is absent.
///
/// # Errors
///
/// [`HandshakeError::DuplicateHeader`].
pub fn single<'a, H: Headers + ?Sized>(
    headers: &'a H,
    name: &'static str,
) -> Result<Option<&'a [u8]>, HandshakeError> {
    let mut values = headers.values(name);
    let first = values.next();
    if values.next().is_some() {
        return Err(HandshakeError::DuplicateHeader { name });
    }
    Ok(first)
}

/// A field value as visible ASCII text.
fn text<'a>(value: &'a [u8], name: &'static str) -> Result<&'a str, HandshakeError> {
    match core::str::from_utf8(trim_ows(value)) {
        Ok(text) if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) => Ok(text),
        _ => Err(HandshakeError::MalformedHeader { name, problem: Malformed::UnexpectedByte }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    // RFC: WS-4.2.1-06, WS-4.3-02, WS-11.3.5-01
    #[test]
    fn only_version_13_written_as_13_once_is_supported() {
        let version = |values: &[&str]| {
            let headers: Vec<_> =
                values.iter().map(|value| ("Sec-WebSocket-Version", value)).collect();
            validate_version(&headers).map_err(|error| error.reason())
        };
        assert_eq!(version(&["13"]), Ok(()));
        assert_eq!(version(&[" 13\t"]), Ok(()));
        assert_eq!(version(&["13", "13"]), Err("duplicate_header"));
        assert_eq!(version(&[]), Err("unsupported_version"));
        for bad in ["8", "013", "13.0", "13, 8", "+13", "", "\u{ff11}\u{ff13}"] {
            assert_eq!(version(&[bad]), Err("unsupported_version"), "{bad:?}");
        }
    }

    #[test]
    fn an_offer_is_read_whole() {
        let offer = Offer::from_headers(&[
            ("Origin", " https://a.example "),
            ("Sec-WebSocket-Protocol", "a"),
            ("Sec-WebSocket-Extensions", "x; y=1"),
            ("Sec-WebSocket-Protocol", "b"),
            ("Sec-WebSocket-Extensions", "x"),
        ]);
        let want = Offer {
            origin: Some("https://a.example".into()),
            subprotocols: vec!["a".into(), "b".into()],
            extensions: vec![Extension::new("x").param("y", "1"), Extension::new("x")],
        };
        assert_eq!(offer, Ok(want));
        assert_eq!(Offer::from_headers(&[("x", "y")]), Ok(Offer::default()));
    }

    // RFC: WS-8.1-01
    #[test]
    fn a_malformed_offer_is_refused() {
        let rows = [
            (vec![("origin", "a"), ("origin", "a")], "duplicate_header"),
            (vec![("origin", "a\u{e9}")], "malformed_header"),
            (vec![("sec-websocket-extensions", "a;")], "malformed_header"),
            (vec![("sec-websocket-protocol", "a a")], "malformed_header"),
        ];
        for (headers, want) in rows {
            let got = Offer::from_headers(&headers).map_err(|error| error.reason());
            assert_eq!(got, Err(want), "{headers:?}");
        }
    }

    // RFC: WS-4.2.2-10, WS-4.2.2-11, WS-9-01
    #[test]
    fn nothing_that_was_not_offered_is_ever_answered() {
        let offer = Offer {
            subprotocols: vec!["a".into()],
            extensions: vec![Extension::new("x")],
            ..Offer::default()
        };
        let check = |subprotocol: Option<&str>, extension: Extension| {
            let agreement = Agreement {
                subprotocol: subprotocol.map(String::from),
                extensions: vec![extension],
            };
            agreement.check_against(&offer).map_err(|error| error.reason())
        };
        assert_eq!(check(Some("a"), Extension::new("x").flag("f")), Ok(()));
        assert_eq!(check(None, Extension::new("X")), Err("unoffered_extension"));
        assert_eq!(check(Some("A"), Extension::new("x")), Err("unoffered_subprotocol"));
        assert_eq!(check(None, Extension::new("y")), Err("unoffered_extension"));
        assert_eq!(check(None, Extension::new("x").flag("\r\n")), Err("invalid_header"));
    }

    #[test]
    fn path_and_query_are_told_apart() {
        let request = |path: &str| {
            Request::new(path.into(), "a".into(), Offer::default(), HeaderFields::new())
        };
        assert_eq!(request("/a?b?c").path_only(), "/a");
        assert_eq!(request("/a?b?c").query(), Some("b?c"));
        assert_eq!((request("/a").path_only(), request("/a").query()), ("/a", None));
    }
}
