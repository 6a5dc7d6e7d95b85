//! The pseudo-header fields of an extended CONNECT (RFC 8441 §4, RFC 9113 §8.3).

use ws_handshake::{Authority, HandshakeError, Headers, Malformed, trim_ows};

use crate::error::Error;

/// A request as an HTTP/2 or HTTP/3 library hands it over.
#[derive(Clone, Copy, Debug)]
pub struct ConnectRequest<'a, H: ?Sized> {
    /// `:method`.
    pub method: &'a str,
    /// `:protocol`, if it was sent.
    pub protocol: Option<&'a str>,
    /// `:scheme`, if it was sent.
    pub scheme: Option<&'a str>,
    /// `:authority`, if it was sent.
    pub authority: Option<&'a str>,
    /// `:path` with its query, if it was sent.
    pub path: Option<&'a str>,
    /// The header fields.
    pub headers: &'a H,
}

#[cfg(feature = "http")]
impl<'a> ConnectRequest<'a, http::HeaderMap> {
    /// Takes a request of the `http` crate apart. The crate has no place for `:protocol`, which
    /// therefore comes separately: of an `h2` server it is the `h2::ext::Protocol` among the extensions of
    /// the request.
    #[must_use]
    pub fn from_http<B>(request: &'a http::Request<B>, protocol: Option<&'a str>) -> Self {
        let uri = request.uri();
        Self {
            method: request.method().as_str(),
            protocol,
            scheme: uri.scheme_str(),
            authority: uri.authority().map(http::uri::Authority::as_str),
            path: uri.path_and_query().map(http::uri::PathAndQuery::as_str),
            headers: request.headers(),
        }
    }
}

/// Where a valid request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    pub(crate) secure: bool,
    pub(crate) authority: &'a str,
    pub(crate) path: &'a str,
}

/// Checks presence first, in the order the fields are defined, then each value.
pub(crate) fn validate_pseudo_fields<'a, H: ?Sized>(
    request: &ConnectRequest<'a, H>,
) -> Result<Target<'a>, Error> {
    if request.method != "CONNECT" {
        return Err(Error::WrongMethod { method: request.method.into() });
    }
    if !request.protocol.is_some_and(|found| found.eq_ignore_ascii_case("websocket")) {
        return Err(Error::WrongProtocol { found: request.protocol.map(String::from) });
    }
    let scheme = request.scheme.ok_or(Error::MissingScheme)?;
    let authority = request.authority.ok_or(Error::MissingAuthority)?;
    let path = request.path.ok_or(Error::MissingPath)?;
    let secure = scheme.eq_ignore_ascii_case("https");
    if !secure && !scheme.eq_ignore_ascii_case("http") {
        return Err(malformed(":scheme", Malformed::NotAllowed).into());
    }
    if Authority::parse(authority).is_none() {
        return Err(malformed(":authority", Malformed::NotAHost).into());
    }
    let is_clean = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if !path.starts_with('/') || !is_clean {
        return Err(malformed(":path", Malformed::UnexpectedByte).into());
    }
    Ok(Target { secure, authority, path })
}

/// Refuses the fields that belong to a connection of HTTP/1.1, in a request as in a response
/// (RFC 9113 §8.2.2, RFC 9114 §4.2): `connection`, `upgrade`, `keep-alive`, `proxy-connection`,
/// `transfer-encoding`, and `te` with anything but `trailers`.
///
/// [`validate_request`](crate::validate_request) does so itself; this is for everything else that a
/// connection carries.
///
/// # Errors
///
/// [`HandshakeError::MalformedHeader`] with the first of them.
pub fn validate_fields<H: Headers + ?Sized>(headers: &H) -> Result<(), HandshakeError> {
    for (name, value) in headers.fields() {
        let found = OF_A_CONNECTION.into_iter().find(|of| name.eq_ignore_ascii_case(of.as_bytes()));
        match found {
            Some("te") if trim_ows(value).eq_ignore_ascii_case(b"trailers") => {}
            Some(name) => return Err(malformed(name, Malformed::NotAllowed)),
            None => {}
        }
    }
    Ok(())
}

/// The fields that [`validate_fields`] is about.
const OF_A_CONNECTION: [&str; 6] =
    ["connection", "upgrade", "keep-alive", "proxy-connection", "transfer-encoding", "te"];

/// Refuses a `Host` that names another place than `:authority` (RFC 9113 §8.3.1).
pub(crate) fn validate_host<H: Headers + ?Sized>(
    headers: &H,
    authority: &str,
) -> Result<(), HandshakeError> {
    let mut hosts = headers.values("host").map(trim_ows);
    if hosts.any(|host| !host.eq_ignore_ascii_case(authority.as_bytes())) {
        return Err(malformed("host", Malformed::Conflict));
    }
    Ok(())
}

fn malformed(name: &'static str, problem: Malformed) -> HandshakeError {
    HandshakeError::MalformedHeader { name, problem }
}
