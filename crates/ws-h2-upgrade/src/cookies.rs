//! The cookies of a request, each of which may come as a field of its own (RFC 9113 §8.2.3).

use http::header::{COOKIE, HeaderMap, HeaderValue};

/// Puts the cookies of a request together that came in pieces, as those of browsers do, before they are
/// given to anybody (RFC 9113 §8.2.3, RFC 9114 §4.2.1): one field, in the order of arrival, with "; "
/// between. Neither the crate `h2` nor `h3` does so.
pub fn join_cookies(headers: &mut HeaderMap) {
    let pieces: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if pieces.len() > 1
        && let Ok(whole) = HeaderValue::from_bytes(&pieces.join(&b"; "[..]))
    {
        headers.insert(COOKIE, whole);
    }
}
