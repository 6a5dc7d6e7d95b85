//! The answers: written by a server, judged by a client (RFC 8441 §5).

use ws_handshake::{
    ClientOptions, HeaderFields, Headers, Response, UnexpectedResponse, field, format_extensions,
};

use crate::error::Error;
use crate::request::Upgrade;

/// The status of the positive answer.
pub const ACCEPTED: u16 = 200;

/// The header fields of the positive answer, whose status is [`ACCEPTED`]: what was agreed, then
/// those of `extra`. Names are in lower case.
///
/// # Errors
///
/// The agreement of `upgrade` holds what was not offered, or `extra` what must not be written.
pub fn response_headers<H: Headers + ?Sized>(
    upgrade: &Upgrade,
    extra: &H,
) -> Result<Vec<(String, Vec<u8>)>, Error> {
    upgrade.agreement.check_against(&upgrade.request.offer)?;
    let mut headers = Vec::new();
    if let Some(subprotocol) = &upgrade.agreement.subprotocol {
        headers.push(("sec-websocket-protocol".into(), subprotocol.clone().into_bytes()));
    }
    if !upgrade.agreement.extensions.is_empty() {
        let list = format_extensions(&upgrade.agreement.extensions);
        headers.push(("sec-websocket-extensions".into(), list.into_bytes()));
    }
    for (name, value) in extra.fields() {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        field::validate_response_field(&name, value)?;
        headers.push((name, value.to_vec()));
    }
    Ok(headers)
}

/// Judges the final answer to a request that asked for `options`. `Content-Length` and
/// `Transfer-Encoding` say nothing about a tunnel and are ignored (RFC 9110 §9.3.6).
///
/// # Errors
///
/// The first reason found, [`Error::UnexpectedStatus`] (without body) for everything but 2xx.
pub fn validate_response<H: Headers + ?Sized>(
    status: u16,
    headers: &H,
    options: &ClientOptions,
) -> Result<Response, Error> {
    if !(200..=299).contains(&status) {
        let response = UnexpectedResponse::new(status, HeaderFields::copy_of(headers));
        return Err(Error::UnexpectedStatus { response: Box::new(response) });
    }
    let agreement = options.validate_answer(headers)?;
    Ok(Response::new(agreement, HeaderFields::copy_of(headers)))
}

/// [`response_headers`] as an `http::Response` without body.
///
/// # Errors
///
/// As [`response_headers`].
#[cfg(feature = "http")]
pub fn http_response<H: Headers + ?Sized>(
    upgrade: &Upgrade,
    extra: &H,
) -> Result<http::Response<()>, Error> {
    let mut response = http::Response::new(());
    for (name, value) in response_headers(upgrade, extra)? {
        // Both were checked; the types only have to be made.
        let name = http::HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, http::HeaderValue::from_bytes(&value)) {
            response.headers_mut().append(name, value);
        }
    }
    Ok(response)
}
