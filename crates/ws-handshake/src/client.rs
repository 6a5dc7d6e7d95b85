//! What a client wants, checked before a byte is sent, and the check of the server's answer.

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::HandshakeError;
use crate::extension::{Extension, parse_extensions};
use crate::field;
use crate::headers::Headers;
use crate::request::{Agreement, check_names, check_well_formed};
use crate::subprotocol;

/// What a client asks for, over any HTTP version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientOptions {
    /// The `Origin` to send; browsers always do, other programs need not.
    pub origin: Option<String>,
    /// The subprotocols to offer, favourite first.
    pub subprotocols: Vec<String>,
    /// Whether to fail when the server chooses none of the subprotocols offered. RFC 6455 lets such
    /// a connection stand; browsers fail it.
    pub require_subprotocol: bool,
    /// The extensions to offer, favourite first.
    pub extensions: Vec<Extension>,
    /// More header fields: cookies, authorization, user agent.
    pub headers: Vec<(String, String)>,
}

impl ClientOptions {
    /// Checks that all of it may be written into a request.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::InvalidHeader`]: a name is not a token or is owned by the protocol, a value
    /// holds CR, LF, NUL or another control character, a subprotocol or an extension is not made of
    /// tokens, or a subprotocol is listed twice.
    pub fn validate(&self) -> Result<(), HandshakeError> {
        for (name, value) in &self.headers {
            field::validate_request_field(name, value.as_bytes())?;
        }
        if let Some(origin) = &self.origin
            && (origin.is_empty() || !origin.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            return Err(HandshakeError::InvalidHeader { name: "origin".into() });
        }
        subprotocol::validate_offers(&self.subprotocols)?;
        check_well_formed(&self.extensions)
    }

    /// Judges the negotiated part of a server's positive answer (RFC 6455 §4.1).
    ///
    /// The parameters of the extensions are left to the extensions.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::UnofferedSubprotocol`], [`HandshakeError::UnofferedExtension`],
    /// [`HandshakeError::BadExtensionResponse`], [`HandshakeError::DuplicateHeader`], and
    /// [`HandshakeError::NoAcceptableSubprotocol`] when one is required.
    pub fn validate_answer<H: Headers + ?Sized>(
        &self,
        headers: &H,
    ) -> Result<Agreement, HandshakeError> {
        let subprotocol = subprotocol::validate_answer(headers, &self.subprotocols)?;
        if subprotocol.is_none() && self.require_subprotocol {
            let offered = self.subprotocols.clone();
            return Err(HandshakeError::NoAcceptableSubprotocol { offered });
        }
        let extensions = parse_extensions(headers.values("sec-websocket-extensions"))
            .map_err(|problem| HandshakeError::BadExtensionResponse { problem })?;
        check_names(&extensions, &self.extensions)?;
        Ok(Agreement { subprotocol, extensions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn options() -> ClientOptions {
        ClientOptions {
            subprotocols: vec!["a".into()],
            extensions: vec![Extension::new("x")],
            ..ClientOptions::default()
        }
    }

    fn answer(
        options: &ClientOptions,
        headers: &[(&str, &str)],
    ) -> Result<Agreement, &'static str> {
        options.validate_answer(headers).map_err(|error| error.reason())
    }

    // RFC: WS-4.1-29, WS-9.1-04, WS-9.1-01, WS-11.3.2-02, ER-3433
    // THREAT: extension-names
    #[test]
    fn an_extension_that_was_not_offered_is_not_accepted_from_a_server() {
        const NAME: &str = "Sec-WebSocket-Extensions";
        let agreed = answer(&options(), &[(NAME, "x; p=1"), (NAME, "x")]).map(|a| a.extensions);
        assert_eq!(agreed, Ok(vec![Extension::new("x").param("p", "1"), Extension::new("x")]));
        assert_eq!(answer(&options(), &[]), Ok(Agreement::default()));
        for other in ["x, y", "X"] {
            assert_eq!(answer(&options(), &[(NAME, other)]), Err("unoffered_extension"), "{other}");
        }
        for bad in ["", "x;", "x y", "x; p=\"", ","] {
            assert_eq!(answer(&options(), &[(NAME, bad)]), Err("bad_extension_response"), "{bad}");
        }
    }

    // RFC: WS-4.1-33, WS-4.1-32
    #[test]
    fn a_missing_subprotocol_fails_only_where_one_is_required() {
        let strict = ClientOptions { require_subprotocol: true, ..options() };
        let chosen = [("sec-websocket-protocol", "a")];
        assert_eq!(answer(&options(), &[]), Ok(Agreement::default()));
        assert_eq!(answer(&strict, &[]), Err("no_acceptable_subprotocol"));
        assert_eq!(answer(&strict, &chosen).map(|a| a.subprotocol), Ok(Some("a".into())));
    }

    // RFC: SEM-5.5-01, WS-4.1-21, WS-4.1-23
    // THREAT: header-injection
    #[test]
    fn line_breaks_in_origin_or_headers_never_leave() {
        let origin = |origin: &str| ClientOptions { origin: Some(origin.into()), ..options() };
        let header = |name: &str, value: &str| ClientOptions {
            headers: vec![(name.into(), value.into())],
            ..options()
        };
        assert_eq!(origin("https://a.example").validate(), Ok(()));
        assert_eq!(header("Cookie", "a=b; c=\u{e9}").validate(), Ok(()));
        let bad = [
            origin("https://a\r\nX: y"),
            origin(""),
            origin("a b"),
            header("X", "a\r\nY: b"),
            header("X", "a\nb"),
            header("X", "a\0b"),
            header("X", "a\rb"),
            header("X\r\nY", "a"),
            header("X:", "a"),
            header("", "a"),
            header("Host", "a"),
            header("origin", "a"),
            header("Connection", "close"),
            header("sec-websocket-KEY", "a"),
            header("Sec-WebSocket-Anything", "a"),
            header("Transfer-Encoding", "chunked"),
            header("Content-Length", "5"),
            ClientOptions { extensions: vec![Extension::new("a\r\nb")], ..options() },
            ClientOptions { subprotocols: vec!["a\r\nX: y".into()], ..options() },
            ClientOptions { subprotocols: vec!["a".into(), "a".into()], ..options() },
            ClientOptions { subprotocols: vec!["".into()], ..options() },
        ];
        for options in bad {
            let got = options.validate().map_err(|error| error.reason());
            assert_eq!(got, Err("invalid_header"), "{options:?}");
        }
    }
}
