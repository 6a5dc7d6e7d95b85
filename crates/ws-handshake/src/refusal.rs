//! The negative answer of a server, over any HTTP version.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use crate::error::HandshakeError;
use crate::field::validate_refusal_field;
use crate::headers::Headers;

/// A final answer that is no WebSocket: status, header fields and a short body.
///
/// Nothing in it can break out of its place: names and values are checked when they are added, and
/// the length of the body is written by whoever sends it.
///
/// ```
/// use ws_handshake::Refusal;
///
/// let refusal = Refusal::new(401)?.with_header("WWW-Authenticate", "Basic realm=\"chat\"")?;
/// assert_eq!(refusal.status(), 401);
/// # Ok::<(), ws_handshake::HandshakeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    status: u16,
    headers: Vec<(Cow<'static, str>, Vec<u8>)>,
    body: Cow<'static, [u8]>,
}

impl Refusal {
    /// A refusal whose body is the standard phrase of `status`.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::InvalidStatus`] unless `status` is 300 to 599: 101 over HTTP/1.1 and every
    /// 2xx over HTTP/2 and HTTP/3 would accept.
    pub fn new(status: u16) -> Result<Self, HandshakeError> {
        if !(300..=599).contains(&status) {
            return Err(HandshakeError::InvalidStatus { status });
        }
        let body = Cow::Borrowed(phrase(status).as_bytes());
        Ok(Self { status, headers: Vec::new(), body })
    }

    /// A refusal made of constants, as validators answer with. A status outside 300 to 599 becomes
    /// 500, and a field that must not be written is left out.
    #[must_use]
    pub fn fixed(status: u16, headers: &[(&'static str, &'static str)]) -> Self {
        let status = if (300..=599).contains(&status) { status } else { 500 };
        let copy = |&(name, value): &(&'static str, &'static str)| {
            validate_refusal_field(name, value.as_bytes())
                .is_ok()
                .then(|| (Cow::Borrowed(name), value.into()))
        };
        Self {
            status,
            headers: headers.iter().filter_map(copy).collect(),
            body: Cow::Borrowed(phrase(status).as_bytes()),
        }
    }

    /// Adds a header field.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::InvalidHeader`] for a name that is not a token or would frame the message
    /// (`Connection`, `Content-Length`, `Transfer-Encoding` …), or a value with control characters.
    pub fn with_header(
        mut self,
        name: impl Into<String>,
        value: impl Into<Vec<u8>>,
    ) -> Result<Self, HandshakeError> {
        let (name, value) = (name.into(), value.into());
        validate_refusal_field(&name, &value)?;
        self.headers.push((Cow::Owned(name), value));
        Ok(self)
    }

    /// Replaces the body by text, and says so: `Content-Type: text/plain; charset=utf-8`.
    #[must_use]
    pub fn with_text(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        let text_plain = b"text/plain; charset=utf-8".to_vec();
        self.headers.push((Cow::Borrowed("Content-Type"), text_plain));
        self.with_body(match text.into() {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        })
    }

    /// Replaces the body. Of what type it is says a header field `Content-Type`.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Cow<'static, [u8]>>) -> Self {
        self.body = body.into();
        self
    }

    /// The status, 300 to 599.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The body; empty is possible.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The standard phrase for the status (RFC 9110 §15), or the name of its class.
    #[must_use]
    pub fn phrase(&self) -> &'static str {
        phrase(self.status)
    }
}

impl From<HandshakeError> for Refusal {
    /// What a server answers on account of this error, so that `?` may stand where a refusal is put
    /// together: 500 for a field that must not be written.
    fn from(error: HandshakeError) -> Self {
        Self::fixed(error.status(), &[])
    }
}

impl Headers for Refusal {
    fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_slice()))
    }
}

#[cfg(feature = "http")]
impl From<Refusal> for http::Response<Vec<u8>> {
    /// With what the fields call for: `Connection` where there is an `Upgrade` (RFC 9110 §7.8), and the
    /// type of a body that does not say it.
    fn from(refusal: Refusal) -> Self {
        use http::header::{CONNECTION, CONTENT_TYPE, HeaderValue, UPGRADE};

        let mut response = Self::new(refusal.body.into_owned());
        if let Ok(status) = http::StatusCode::from_u16(refusal.status) {
            *response.status_mut() = status;
        }
        for (name, value) in refusal.headers {
            // Both were checked when they came in; the types only have to be made.
            let name = http::HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, http::HeaderValue::from_bytes(&value)) {
                response.headers_mut().append(name, value);
            }
        }
        let is_empty = response.body().is_empty();
        let headers = response.headers_mut();
        if headers.contains_key(UPGRADE) {
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        }
        if !is_empty && !headers.contains_key(CONTENT_TYPE) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        }
        response
    }
}

fn phrase(status: u16) -> &'static str {
    match status {
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        410 => "Gone",
        414 => "URI Too Long",
        421 => "Misdirected Request",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => match status / 100 {
            3 => "Redirection",
            4 => "Client Error",
            _ => "Server Error",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // THREAT: switching-without-101
    #[test]
    fn a_status_that_would_accept_is_no_refusal() {
        for status in [0, 100, 101, 200, 204, 299, 600, 999] {
            let got = Refusal::new(status).map(|refusal| refusal.status());
            assert_eq!(got, Err(HandshakeError::InvalidStatus { status }));
        }
        for status in [300, 404, 599] {
            assert_eq!(Refusal::new(status).map(|refusal| refusal.status()), Ok(status));
        }
    }

    #[test]
    fn the_body_is_a_fixed_phrase_until_replaced() {
        let refusal = Refusal::fixed(426, &[("Upgrade", "websocket")]);
        assert_eq!(refusal.body(), b"Upgrade Required");
        assert_eq!(refusal.values("upgrade").next(), Some(&b"websocket"[..]));
        assert_eq!(refusal.with_body(&b"no"[..]).body(), b"no");
        let refusal = Refusal::fixed(401, &[("content-type", "text/html")]).with_text("no token");
        assert_eq!(refusal.body(), b"no token");
        let types: Vec<_> = refusal.values("content-type").collect();
        assert_eq!(types, [&b"text/plain; charset=utf-8"[..]]);
        for status in 300..=599 {
            assert!(!phrase(status).is_empty());
        }
    }

    #[test]
    fn a_fault_in_a_refusal_is_a_refusal() {
        let redirect = |to: &str| -> Result<Refusal, Refusal> {
            Ok(Refusal::new(302)?.with_header("Location", to)?)
        };
        assert_eq!(redirect("/b").map(|refusal| refusal.status()), Ok(302));
        assert_eq!(redirect("/\r\n").map_err(|refusal| refusal.status()), Err(500));
        let error = HandshakeError::DuplicateHeader { name: "origin" };
        assert_eq!(Refusal::from(error).status(), 400);
    }

    // THREAT: header-injection
    #[test]
    fn no_header_can_break_out_of_its_line() {
        let add = |name: &str, value: &str| {
            Refusal::fixed(403, &[]).with_header(name, value).map_err(|error| error.reason())
        };
        assert!(add("Retry-After", "5").is_ok());
        for (name, value) in [
            ("X", "a\r\nb: c"),
            ("X", "a\0"),
            ("X Y", "a"),
            ("Content-Length", "0"),
            ("Connection", "keep-alive"),
        ] {
            assert_eq!(add(name, value), Err("invalid_header"), "{name} {value:?}");
        }
        let hostile = Refusal::fixed(101, &[("X", "a\r\nb: c")]);
        assert_eq!((hostile.status(), hostile.fields().count()), (500, 0));
    }

    #[cfg(feature = "http")]
    #[test]
    fn a_refusal_becomes_a_response_of_the_http_crate() {
        let response = http::Response::from(Refusal::fixed(405, &[("Allow", "GET")]));
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()["allow"], "GET");
        assert_eq!(response.body(), b"Method Not Allowed");
        assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
        assert_eq!(response.headers().get("connection"), None);

        // RFC 9110 §7.8: whoever sends `Upgrade` names it in `Connection`.
        let response = http::Response::from(Refusal::fixed(426, &[("Upgrade", "websocket")]));
        assert_eq!(response.headers()["connection"], "Upgrade");

        let json = Refusal::fixed(403, &[("Content-Type", "application/json")]).with_body(b"{}");
        let response = http::Response::from(json);
        let types: Vec<_> = response.headers().get_all("content-type").iter().collect();
        assert_eq!(types, ["application/json"]);

        let empty = http::Response::from(Refusal::fixed(403, &[]).with_body(b""));
        assert_eq!(empty.headers().get("content-type"), None);
    }
}
