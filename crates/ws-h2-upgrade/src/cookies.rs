//! The cookies of a request, each of which may come as a field of its own (RFC 9113 §8.2.3).

use std::mem;

#[cfg(feature = "http")]
use http::header::{COOKIE, HeaderMap, HeaderValue};
use ws_handshake::{HeaderFields, Headers};

/// Puts the cookies of a request together that came in pieces, as those of browsers do, before they are
/// given to anybody (RFC 9113 §8.2.3, RFC 9114 §4.2.1): one field, in the order of arrival, with "; "
/// between; it is as [sensitive](HeaderValue::is_sensitive) as any of them. Neither the crate `h2` nor `h3`
/// does so.
///
/// [`validate_request`](crate::validate_request) does it in what it returns.
#[cfg(feature = "http")]
pub fn join_cookies(headers: &mut HeaderMap) {
    if let Some(whole) = joined(headers)
        && let Ok(mut whole) = HeaderValue::from_bytes(&whole)
    {
        whole.set_sensitive(headers.get_all(COOKIE).iter().any(HeaderValue::is_sensitive));
        headers.insert(COOKIE, whole);
    }
}

/// A copy with the cookies in one field, where the first of them was.
pub(crate) fn copy_fields<H: Headers + ?Sized>(headers: &H) -> HeaderFields {
    let Some(whole) = joined(headers) else { return HeaderFields::copy_of(headers) };
    let mut is_first = true;
    let mut fields: Vec<(&[u8], &[u8])> = Vec::new();
    for (name, value) in headers.fields() {
        if !name.eq_ignore_ascii_case(b"cookie") {
            fields.push((name, value));
        } else if mem::take(&mut is_first) {
            fields.push((name, &whole));
        }
    }
    HeaderFields::copy_of(&fields)
}

/// The whole of a cookie that came in pieces.
fn joined<H: Headers + ?Sized>(headers: &H) -> Option<Vec<u8>> {
    let pieces: Vec<_> = headers.values("cookie").collect();
    (pieces.len() > 1).then(|| pieces.join(&b"; "[..]))
}
