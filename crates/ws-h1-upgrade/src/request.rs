//! A client's request as a server judges it (RFC 6455 §4.2.1, RFC 9112 §3).

use std::borrow::Cow;

use ws_handshake::list;
use ws_handshake::{
    Agreement, Authority, HandshakeError, HeaderFields, Headers, Malformed, Offer, Request,
    SubprotocolPolicy, single, trim_ows, validate_version,
};

use crate::accept_key::{AcceptKey, is_valid_key};
use crate::error::{Error, HeadProblem};

/// A request's head, parsed by whichever HTTP library.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a, H: ?Sized> {
    /// The method as sent; it is case-sensitive.
    pub method: &'a str,
    /// Major and minor version: `(1, 1)`.
    pub version: (u8, u8),
    /// The request target as sent: a path, or an absolute URI.
    pub target: &'a str,
    /// The header fields.
    pub headers: &'a H,
}

/// A valid request for a WebSocket, and the answer to it as far as it is settled.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Upgrade {
    /// What is asked for.
    pub request: Request,
    /// What will be answered: the subprotocol is chosen; extensions are for the caller to add.
    pub agreement: Agreement,
    /// The proof that the key was read.
    pub accept: AcceptKey,
    /// Whether the client waits for an interim answer (RFC 9110 §10.1.1); [`accept`](crate::accept)
    /// writes it.
    pub expects_continue: bool,
}

/// Judges a request: method, version, target, host, repeated fields, `Upgrade`, `Connection`,
/// `Sec-WebSocket-Version`, that there is no body, `Sec-WebSocket-Key`, then what is offered, in this
/// order.
///
/// The origin is read but not judged; see [`Request::check_origin`].
///
/// # Errors
///
/// The first reason found. [`Error::refusal`] is the answer to it.
pub fn validate_request<H: Headers + ?Sized>(
    head: &RequestHead<'_, H>,
    subprotocols: &SubprotocolPolicy,
) -> Result<Upgrade, Error> {
    let headers = head.headers;
    let asks_for_page = || asks_for_page(headers.values("upgrade"));
    // RFC 9110 §9.3.2: HEAD is answered as GET would be, and what GET lacks for a WebSocket it lacks too.
    if head.method != "GET" && !(head.method == "HEAD" && asks_for_page()) {
        return Err(Error::WrongMethod { method: head.method.into() });
    }
    // A page may be asked for in HTTP/1.0, as load balancers do.
    let is_old = head.version == (1, 0);
    if head.version.0 != 1 || is_old && !asks_for_page() {
        let found = format!("HTTP/{}.{}", head.version.0, head.version.1);
        return Err(Error::UnsupportedHttpVersion { found });
    }
    let (target_authority, path, is_secure) = split_target(head.target)
        .ok_or(Error::MalformedRequest { problem: HeadProblem::Target })?;
    // HTTP/1.0 has no `Host`.
    let needs_host = !is_old || headers.values("host").next().is_some();
    let host = if needs_host { validate_host(headers)? } else { "" };
    let version = validate_single_fields(headers);
    let key = version.and_then(|()| single(headers, "sec-websocket-key"))?;
    validate_switch(headers, UpgradeRule::Lists)?;
    validate_version(headers)?;
    validate_no_body(headers)?;
    let key = trim_ows(key.ok_or(Error::MissingSecWebsocketKey)?);
    if !is_valid_key(key) {
        return Err(Error::BadSecWebsocketKey);
    }
    let offer = Offer::from_headers(headers)?;
    let subprotocol = subprotocols.choose(&offer.subprotocols)?.map(String::from);
    let expects_continue =
        headers.values("expect").any(|value| trim_ows(value).eq_ignore_ascii_case(b"100-continue"));
    // RFC 9112 §3.2.2: the host of an absolute target wins over `Host`.
    let authority = target_authority.unwrap_or(host);
    let fields = HeaderFields::copy_of(headers);
    let mut request = Request::new(path.into_owned(), authority.into(), offer, fields);
    request.secure = is_secure;
    Ok(Upgrade {
        request,
        agreement: Agreement { subprotocol, extensions: Vec::new() },
        accept: AcceptKey::derive(key),
        expects_continue,
    })
}

/// How strictly `Upgrade` must name the protocol.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum UpgradeRule {
    /// A request may list several protocols (RFC 9110 §7.8).
    Lists,
    /// An answer names the one protocol switched to (RFC 6455 §4.1).
    IsOnly,
}

/// Checks `Upgrade` and `Connection`.
pub(crate) fn validate_switch<H: Headers + ?Sized>(
    headers: &H,
    rule: UpgradeRule,
) -> Result<(), Error> {
    const UPGRADE: &str = "upgrade";
    const CONNECTION: &str = "connection";
    if headers.values(UPGRADE).next().is_none() {
        return Err(Error::MissingUpgradeHeader);
    }
    let (mut named, mut others) = (false, false);
    for element in list::elements(headers.values(UPGRADE)) {
        match element {
            Ok(protocol) if protocol.eq_ignore_ascii_case(b"websocket") => {
                // Named once more it is another element too.
                others |= named;
                named = true;
            }
            Ok(protocol) if is_protocol(protocol) => others = true,
            _ => return Err(Error::InvalidUpgrade { value: joined(headers, UPGRADE) }),
        }
    }
    if !named || (others && rule == UpgradeRule::IsOnly) {
        return Err(Error::InvalidUpgrade { value: joined(headers, UPGRADE) });
    }
    if headers.values(CONNECTION).next().is_none() {
        return Err(Error::MissingConnectionHeader);
    }
    match list::contains(headers.values(CONNECTION), UPGRADE) {
        Ok(true) => Ok(()),
        _ => Err(Error::InvalidConnection { value: joined(headers, CONNECTION) }),
    }
}

/// Whether these values of `Upgrade` speak of no WebSocket: there are none, or they list other protocols
/// alone, which a server may pass over (RFC 9110 §7.8).
pub(crate) fn asks_for_page<'a>(values: impl Iterator<Item = &'a [u8]>) -> bool {
    let name = |protocol: &'a [u8]| protocol.split(|&byte| byte == b'/').next();
    let is_websocket =
        |protocol| name(protocol).is_some_and(|name| name.eq_ignore_ascii_case(b"websocket"));
    list::elements(values).all(|element| {
        element.is_ok_and(|protocol| is_protocol(protocol) && !is_websocket(protocol))
    })
}

/// `protocol-name ["/" protocol-version]` of RFC 9110 §7.8.
fn is_protocol(element: &[u8]) -> bool {
    let mut parts = element.splitn(2, |&byte| byte == b'/');
    parts.all(list::is_token)
}

/// The one `Host`, valid (RFC 9112 §3.2).
fn validate_host<H: Headers + ?Sized>(headers: &H) -> Result<&str, Error> {
    let host = single(headers, "host")?.ok_or(Error::MissingHost)?;
    core::str::from_utf8(trim_ows(host))
        .ok()
        .filter(|host| Authority::parse(host).is_some())
        .ok_or_else(|| malformed("host", Malformed::NotAHost).into())
}

/// Refuses repeated fields, a length that is no number, and the two ways to frame a body together,
/// which is how requests are smuggled (RFC 9112 §6.1, §6.3).
fn validate_single_fields<H: Headers + ?Sized>(headers: &H) -> Result<(), HandshakeError> {
    single(headers, "sec-websocket-version")?;
    let Some(length) = single(headers, "content-length")? else { return Ok(()) };
    let digits = trim_ows(length);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(malformed("content-length", Malformed::NotAllowed));
    }
    if headers.values("transfer-encoding").next().is_some() {
        return Err(malformed("transfer-encoding", Malformed::Conflict));
    }
    Ok(())
}

/// Refuses a body: what follows the head of a handshake are frames, and whoever stands between us
/// and takes them for a body reads other messages than we do.
fn validate_no_body<H: Headers + ?Sized>(headers: &H) -> Result<(), HandshakeError> {
    if headers.values("transfer-encoding").next().is_some() {
        return Err(malformed("transfer-encoding", Malformed::NotAllowed));
    }
    let is_empty = |length: &[u8]| trim_ows(length).iter().all(|&digit| digit == b'0');
    if headers.values("content-length").all(is_empty) {
        Ok(())
    } else {
        Err(malformed("content-length", Malformed::NotAllowed))
    }
}

/// The path with its query that a request target asks for: of an absolute one, such as a proxy sends, what
/// follows the authority (RFC 9112 §3.2.2). `None` for a target that no request here may have.
#[must_use]
pub fn path_of_target(target: &str) -> Option<Cow<'_, str>> {
    split_target(target).map(|(_, path, _)| path)
}

/// The authority of an absolute target, the path with its query, and whether the target says `https`.
fn split_target(target: &str) -> Option<(Option<&str>, Cow<'_, str>, bool)> {
    if !target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return None;
    }
    if target.starts_with('/') {
        return Some((None, target.into(), false));
    }
    let (scheme, rest) = target.split_once("://")?;
    let is_secure = scheme.eq_ignore_ascii_case("https");
    if !is_secure && !scheme.eq_ignore_ascii_case("http") {
        return None;
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    Authority::parse(authority)?;
    let path = if path.starts_with('/') { path.into() } else { format!("/{path}").into() };
    Some((Some(authority), path, is_secure))
}

fn malformed(name: &'static str, problem: Malformed) -> HandshakeError {
    HandshakeError::MalformedHeader { name, problem }
}

/// All values of a field as one text, for an error.
fn joined<H: Headers + ?Sized>(headers: &H, name: &str) -> String {
    let values: Vec<_> = headers.values(name).map(String::from_utf8_lossy).collect();
    values.join(", ")
}
