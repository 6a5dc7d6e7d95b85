//! Header blocks of HTTP/2 (RFC 7541), without a dynamic table.
//!
//! What is written are literals; what is read comes from a peer that was told to keep no table.

use super::field_lines::{put_integer, take_integer, take_string};

/// Field lines as literals without indexing (RFC 7541 §6.2.2).
pub(crate) fn block(fields: &[(String, String)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            put_integer(&mut block, 7, 0, text.len());
            block.extend(text.as_bytes());
        }
    }
    block
}

/// Reads a header block of a peer that keeps no table; what is not understood ends it.
pub(crate) fn read_block(mut input: &[u8]) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    while let Some(line) = read_line(&mut input) {
        fields.extend(line);
    }
    fields
}

/// One line, or none for a change of the table's size.
fn read_line(input: &mut &[u8]) -> Option<Option<(String, String)>> {
    let first = *input.first()?;
    if first & 0x80 != 0 {
        let (name, value) = STATIC.get(take_integer(input, 7)?.checked_sub(1)?)?;
        return Some(Some(((*name).to_owned(), (*value).to_owned())));
    }
    if first & 0xE0 == 0x20 {
        take_integer(input, 5)?;
        return Some(None);
    }
    let bits = if first & 0x40 != 0 { 6 } else { 4 };
    let name = match take_integer(input, bits)? {
        0 => take_string(input, 7)?,
        index => STATIC.get(index - 1)?.0.to_owned(),
    };
    Some(Some((name, take_string(input, 7)?)))
}

/// RFC 7541 Appendix A.
#[rustfmt::skip]
const STATIC: [(&str, &str); 61] = [
    (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"),
    (":path", "/index.html"), (":scheme", "http"), (":scheme", "https"), (":status", "200"),
    (":status", "204"), (":status", "206"), (":status", "304"), (":status", "400"),
    (":status", "404"), (":status", "500"), ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""),
    ("accept", ""), ("access-control-allow-origin", ""), ("age", ""), ("allow", ""),
    ("authorization", ""), ("cache-control", ""), ("content-disposition", ""),
    ("content-encoding", ""), ("content-language", ""), ("content-length", ""),
    ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""),
    ("date", ""), ("etag", ""), ("expect", ""), ("expires", ""), ("from", ""), ("host", ""),
    ("if-match", ""), ("if-modified-since", ""), ("if-none-match", ""), ("if-range", ""),
    ("if-unmodified-since", ""), ("last-modified", ""), ("link", ""), ("location", ""),
    ("max-forwards", ""), ("proxy-authenticate", ""), ("proxy-authorization", ""), ("range", ""),
    ("referer", ""), ("refresh", ""), ("retry-after", ""), ("server", ""), ("set-cookie", ""),
    ("strict-transport-security", ""), ("transfer-encoding", ""), ("user-agent", ""), ("vary", ""),
    ("via", ""), ("www-authenticate", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_response_of_the_rfc_is_read() {
        // RFC 7541 Appendix C.5.1, the first two lines; then one of our own.
        let mut octets = vec![0x48, 0x03, b'3', b'0', b'2', 0x58, 0x07];
        octets.extend(b"private");
        let own = [("x-a".to_owned(), "b".to_owned())];
        octets.extend(block(&own));
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = [field(":status", "302"), field("cache-control", "private"), own[0].clone()];
        assert_eq!(read_block(&octets), expected);
    }
}
