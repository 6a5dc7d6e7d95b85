//! The answers: written by a server, judged by a client (RFC 6455 §4.2.2 and §4.1).

use bytes::{BufMut as _, BytesMut};
use ws_handshake::{
    Agreement, ClientOptions, HeaderFields, Headers, Refusal, Response, UnexpectedResponse, field,
    format_extensions, single, trim_ows,
};

use crate::accept_key::ClientKey;
use crate::error::Error;
use crate::request::{Upgrade, UpgradeRule, validate_switch};

/// The header fields of the positive answer, for an HTTP library that writes the status line and
/// the fields itself. The status is 101.
///
/// # Errors
///
/// The agreement of `upgrade` holds what was not offered or cannot be written.
pub fn response_headers(upgrade: &Upgrade) -> Result<Vec<(&'static str, String)>, Error> {
    upgrade.agreement.check_against(&upgrade.request.offer)?;
    let mut headers = Vec::new();
    for_each_header(upgrade, |name, value| headers.push((name, value.to_owned())));
    Ok(headers)
}

/// The size of an answer with a subprotocol and compression.
const USUAL_ANSWER: usize = 256;

fn for_each_header(upgrade: &Upgrade, mut take: impl FnMut(&'static str, &str)) {
    let Agreement { subprotocol, extensions } = &upgrade.agreement;
    take("Upgrade", "websocket");
    take("Connection", "Upgrade");
    take("Sec-WebSocket-Accept", upgrade.accept.as_str());
    if let Some(subprotocol) = subprotocol {
        take("Sec-WebSocket-Protocol", subprotocol);
    }
    if !extensions.is_empty() {
        take("Sec-WebSocket-Extensions", &format_extensions(extensions));
    }
}

/// Writes the positive answer, status 101, with the fields of `extra` besides its own. If the client
/// waits for `100 Continue`, that goes first. The connection is open once this is sent.
///
/// # Errors
///
/// The agreement holds what was not offered, or `extra` what must not be written; then nothing has
/// been written.
pub fn accept<H: Headers + ?Sized>(
    upgrade: &Upgrade,
    extra: &H,
    out: &mut BytesMut,
) -> Result<(), Error> {
    upgrade.agreement.check_against(&upgrade.request.offer)?;
    for (name, value) in extra.fields() {
        field::validate_response_field(&String::from_utf8_lossy(name), value)?;
    }
    out.reserve(USUAL_ANSWER);
    if upgrade.expects_continue {
        out.put_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
    }
    out.put_slice(b"HTTP/1.1 101 Switching Protocols\r\n");
    for_each_header(upgrade, |name, value| put_field(out, name.as_bytes(), value.as_bytes()));
    for (name, value) in extra.fields() {
        put_field(out, name, value);
    }
    out.put_slice(b"\r\n");
    Ok(())
}

/// Writes a negative answer. The connection is to be closed after it, and says so.
pub fn refuse(refusal: &Refusal, out: &mut BytesMut) {
    // RFC 9110 §15.4.5: a 304 ends after its header.
    let body = if refusal.status() == 304 { &[] } else { refusal.body() };
    out.put_slice(format!("HTTP/1.1 {} {}\r\n", refusal.status(), refusal.phrase()).as_bytes());
    // RFC 9110 §7.8: whoever sends `Upgrade` names it in `Connection`.
    let upgrades = refusal.values("upgrade").next().is_some();
    put_field(out, b"Connection", if upgrades { b"close, Upgrade" } else { b"close" });
    for (name, value) in refusal.fields() {
        put_field(out, name, value);
    }
    if refusal.status() != 304 {
        put_field(out, b"Content-Length", body.len().to_string().as_bytes());
    }
    if !body.is_empty() && refusal.values("content-type").next().is_none() {
        put_field(out, b"Content-Type", b"text/plain; charset=utf-8");
    }
    out.put_slice(b"\r\n");
    out.put_slice(body);
}

/// An answer's head, parsed by whichever HTTP library.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'a, H: ?Sized> {
    /// The status code.
    pub status: u16,
    /// The header fields.
    pub headers: &'a H,
}

/// Judges an answer to the request that carried `key` and asked for `options`.
///
/// # Errors
///
/// The first reason found, [`Error::UnexpectedStatus`] (without body) for everything but 101.
pub fn validate_response<H: Headers + ?Sized>(
    head: &ResponseHead<'_, H>,
    key: &ClientKey,
    options: &ClientOptions,
) -> Result<Response, Error> {
    let headers = HeaderFields::copy_of(head.headers);
    if head.status != 101 {
        let response = UnexpectedResponse::new(head.status, headers);
        return Err(Error::UnexpectedStatus { response: Box::new(response) });
    }
    validate_switch(&headers, UpgradeRule::IsOnly)?;
    let accept =
        single(&headers, "sec-websocket-accept")?.ok_or(Error::MissingSecWebsocketAccept)?;
    if !key.accept().matches(trim_ows(accept)) {
        return Err(Error::SecWebsocketAcceptMismatch);
    }
    let agreement = options.validate_answer(&headers)?;
    Ok(Response::new(agreement, headers))
}

/// Appends `name: value` and the line end. Both were checked.
pub(crate) fn put_field(out: &mut BytesMut, name: &[u8], value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.put_slice(name);
    out.put_slice(b": ");
    out.put_slice(value);
    out.put_slice(b"\r\n");
}
