//! Field sections of HTTP/3 (RFC 9204), without a dynamic table.
//!
//! What is written are literals; the peer is offered no table, so that it can refer to none.

use super::field_lines::{put_integer, take_integer, take_string};

/// A field section of literal lines (RFC 9204 §4.5.6).
pub(crate) fn section(fields: &[(String, String)]) -> Vec<u8> {
    let mut section = vec![0, 0];
    for (name, value) in fields {
        put_integer(&mut section, 3, 0x20, name.len());
        section.extend(name.as_bytes());
        put_integer(&mut section, 7, 0, value.len());
        section.extend(value.as_bytes());
    }
    section
}

/// Reads a field section that refers to no dynamic table; what is not understood ends it.
pub(crate) fn read_section(section: &[u8]) -> Vec<(String, String)> {
    let mut input = section.get(2..).unwrap_or_default();
    let mut fields = Vec::new();
    while let Some(field) = read_line(&mut input) {
        fields.push(field);
    }
    fields
}

fn read_line(input: &mut &[u8]) -> Option<(String, String)> {
    let first = *input.first()?;
    if first & 0x80 != 0 {
        let index = take_integer(input, 6)?;
        return Some(static_line(index));
    }
    if first & 0x40 != 0 {
        let (name, _) = static_line(take_integer(input, 4)?);
        return Some((name, take_string(input, 7)?));
    }
    let name = take_string(input, 3)?;
    Some((name, take_string(input, 7)?))
}

fn static_line(index: usize) -> (String, String) {
    match STATIC.get(index) {
        Some((name, value)) => ((*name).to_owned(), (*value).to_owned()),
        None => (format!("x-static-{index}"), String::new()),
    }
}

/// RFC 9204 Appendix A.
#[rustfmt::skip]
const STATIC: [(&str, &str); 99] = [
    (":authority", ""), (":path", "/"), ("age", "0"), ("content-disposition", ""),
    ("content-length", "0"), ("cookie", ""), ("date", ""), ("etag", ""), ("if-modified-since", ""),
    ("if-none-match", ""), ("last-modified", ""), ("link", ""), ("location", ""), ("referer", ""),
    ("set-cookie", ""), (":method", "CONNECT"), (":method", "DELETE"), (":method", "GET"),
    (":method", "HEAD"), (":method", "OPTIONS"), (":method", "POST"), (":method", "PUT"),
    (":scheme", "http"), (":scheme", "https"), (":status", "103"), (":status", "200"),
    (":status", "304"), (":status", "404"), (":status", "503"), ("accept", "*/*"),
    ("accept", "application/dns-message"), ("accept-encoding", "gzip, deflate, br"),
    ("accept-ranges", "bytes"), ("access-control-allow-headers", "cache-control"),
    ("access-control-allow-headers", "content-type"), ("access-control-allow-origin", "*"),
    ("cache-control", "max-age=0"), ("cache-control", "max-age=2592000"),
    ("cache-control", "max-age=604800"), ("cache-control", "no-cache"),
    ("cache-control", "no-store"), ("cache-control", "public, max-age=31536000"),
    ("content-encoding", "br"), ("content-encoding", "gzip"),
    ("content-type", "application/dns-message"), ("content-type", "application/javascript"),
    ("content-type", "application/json"), ("content-type", "application/x-www-form-urlencoded"),
    ("content-type", "image/gif"), ("content-type", "image/jpeg"), ("content-type", "image/png"),
    ("content-type", "text/css"), ("content-type", "text/html; charset=utf-8"),
    ("content-type", "text/plain"), ("content-type", "text/plain;charset=utf-8"),
    ("range", "bytes=0-"), ("strict-transport-security", "max-age=31536000"),
    ("strict-transport-security", "max-age=31536000; includesubdomains"),
    ("strict-transport-security", "max-age=31536000; includesubdomains; preload"),
    ("vary", "accept-encoding"), ("vary", "origin"), ("x-content-type-options", "nosniff"),
    ("x-xss-protection", "1; mode=block"), (":status", "100"), (":status", "204"),
    (":status", "206"), (":status", "302"), (":status", "400"), (":status", "403"),
    (":status", "421"), (":status", "425"), (":status", "500"), ("accept-language", ""),
    ("access-control-allow-credentials", "FALSE"), ("access-control-allow-credentials", "TRUE"),
    ("access-control-allow-headers", "*"), ("access-control-allow-methods", "get"),
    ("access-control-allow-methods", "get, post, options"),
    ("access-control-allow-methods", "options"),
    ("access-control-expose-headers", "content-length"),
    ("access-control-request-headers", "content-type"), ("access-control-request-method", "get"),
    ("access-control-request-method", "post"), ("alt-svc", "clear"), ("authorization", ""),
    ("content-security-policy", "script-src 'none'; object-src 'none'; base-uri 'none'"),
    ("early-data", "1"), ("expect-ct", ""), ("forwarded", ""), ("if-range", ""), ("origin", ""),
    ("purpose", "prefetch"), ("server", ""), ("timing-allow-origin", "*"),
    ("upgrade-insecure-requests", "1"), ("user-agent", ""), ("x-forwarded-for", ""),
    ("x-frame-options", "deny"), ("x-frame-options", "sameorigin"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_read() {
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let fields = [field("sec-websocket-version", "13"), field("x", "")];
        assert_eq!(read_section(&section(&fields)), fields);
        assert_eq!(read_section(&[0, 0, 0xD9]), [field(":status", "200")]);
        assert_eq!(
            read_section(&[0, 0, 0x5F, 0x09, 3, b'5', b'0', b'1']),
            [field(":status", "501")]
        );
    }
}
