//! HTTP/1.1 heads as text, and the key of RFC 6455 §4.2.2.
//!
//! Reading is lenient enough to show what the peer sent; judging it is the caller's task.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::RngCore;
use sha1::{Digest, Sha1};

use super::stream::Wire;

/// A start line and header fields, from the peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) start: String,
    pub(crate) fields: Vec<(String, String)>,
    /// What does not fit the grammar of RFC 9112, in words.
    pub(crate) flaws: Vec<String>,
}

impl Head {
    /// Parses the octets up to and including the empty line.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let mut head = Self::default();
        let mut lines = text.split_inclusive('\n').map(|line| {
            let bare = line.trim_end_matches('\n');
            (bare.trim_end_matches('\r').to_owned(), bare.ends_with('\r'))
        });
        let Some((start, ended_in_crlf)) = lines.next() else { return head };
        head.start = start;
        if !ended_in_crlf {
            head.flaws.push("the start line does not end in CRLF".into());
        }
        for (line, ended_in_crlf) in lines.take_while(|(line, _)| !line.is_empty()) {
            if !ended_in_crlf {
                head.flaws.push(format!("the line {line:?} does not end in CRLF"));
            }
            if line.starts_with([' ', '\t']) {
                head.flaws.push(format!("the line {line:?} is folded"));
                continue;
            }
            let Some((name, value)) = line.split_once(':') else {
                head.flaws.push(format!("the line {line:?} has no colon"));
                continue;
            };
            if name.is_empty() || !name.bytes().all(is_token_octet) {
                head.flaws.push(format!("the field name {name:?} is no token"));
            }
            if value.contains(['\r', '\0']) {
                head.flaws.push(format!("the value of {name:?} holds CR or NUL"));
            }
            head.fields.push((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()));
        }
        head
    }

    /// Start line and fields as lines, for the log.
    pub(crate) fn lines(&self) -> Vec<u8> {
        let fields = self.fields.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        format!("{}\r\n{}", self.start, fields.collect::<String>()).into_bytes()
    }

    /// Every value of the field, in order of appearance.
    pub(crate) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        let named = move |(field, _): &&(String, String)| field.eq_ignore_ascii_case(name);
        self.fields.iter().filter(named).map(|(_, value)| value.as_str())
    }

    /// The values of the field as one list, as RFC 9110 §5.3 combines them.
    pub(crate) fn combined(&self, name: &str) -> Option<String> {
        let values: Vec<&str> = self.values(name).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// Whether the list-valued field names `token`, whatever the case.
    pub(crate) fn lists(&self, name: &str, token: &str) -> bool {
        let mut items = self.values(name).flat_map(|value| value.split(','));
        items.any(|item| item.trim_matches([' ', '\t']).eq_ignore_ascii_case(token))
    }

    /// The status code of a response.
    pub(crate) fn status(&self) -> Option<u16> {
        let versions = ["HTTP/1.0 ", "HTTP/1.1 ", "HTTP/2 ", "HTTP/3 "];
        let rest = versions.iter().find_map(|version| self.start.strip_prefix(version))?;
        rest.get(..3)?.parse().ok()
    }

    /// Whether this is an answer that opens a WebSocket by its status: 101, or from HTTP/2 on 2xx.
    pub(crate) fn opens(&self) -> bool {
        match self.status() {
            Some(101) => self.start.starts_with("HTTP/1"),
            Some(200..=299) => !self.start.starts_with("HTTP/1"),
            _ => false,
        }
    }

    /// The request target of a request.
    pub(crate) fn target(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_default()
    }
}

/// Reads octets until an empty line; `None` when the stream ends or 256 KiB pass without one.
pub(crate) async fn read_head(wire: &mut Wire) -> Option<(Head, Vec<u8>)> {
    let mut searched = 0;
    loop {
        let bytes = wire.buffered();
        let from = searched.min(bytes.len());
        let fresh = bytes.get(from..).unwrap_or_default();
        let crlf = find(fresh, b"\r\n\r\n").map(|at| at + 4);
        if let Some(found) = crlf.or_else(|| find(fresh, b"\n\n").map(|at| at + 2)) {
            let whole = bytes.get(..from + found).unwrap_or_default().to_vec();
            wire.consume(whole.len());
            return Some((Head::parse(&whole), whole));
        }
        if bytes.len() > 256 * 1024 {
            return None;
        }
        searched = bytes.len().saturating_sub(3);
        if !wire.fill().await {
            return None;
        }
    }
}

/// The answer to a `Sec-WebSocket-Key`.
pub(crate) fn accept_for(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(hash.finalize())
}

/// A key of sixteen fresh octets.
pub(crate) fn fresh_key() -> String {
    let mut octets = [0; 16];
    rand::rng().fill_bytes(&mut octets);
    STANDARD.encode(octets)
}

/// How many octets a key decodes to, whatever its unused trailing bits (erratum 3150).
pub(crate) fn key_length(key: &str) -> Option<usize> {
    use base64::alphabet;
    use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
    let lenient = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(&alphabet::STANDARD, lenient).decode(key).ok().map(|octets| octets.len())
}

/// Whether the octet may stand in a token (RFC 9110 §5.6.2).
pub(crate) fn is_token_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet)
}

/// Whether `text` is a token.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_octet)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC: WS-4.2.2-12
    #[test]
    fn the_key_of_the_rfc_gives_the_accept_of_the_rfc() {
        assert_eq!(accept_for("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    // RFC: WS-4.2.1-05
    #[test]
    fn key_length_ignores_the_unused_bits_of_the_last_character() {
        let table = [
            ("dGhlIHNhbXBsZSBub25jZQ==", Some(16)),
            ("AQIDBAUGBwgJCgsMDQ4PEC==", Some(16)),
            ("AQIDBAUGBwgJCgsMDQ4PEA==", Some(16)),
            ("AQIDBAUGBwgJCgsMDQ4P", Some(15)),
            ("not base64", None),
        ];
        for (key, expected) in table {
            assert_eq!(key_length(key), expected, "{key}");
        }
        assert_eq!(key_length(&fresh_key()), Some(16));
    }

    #[test]
    fn a_head_is_parsed_and_its_flaws_are_named() {
        let head = Head::parse(b"HTTP/1.1 101 Switching\r\nUpgrade: a, WebSocket \r\nx : y\n\r\n");
        assert_eq!(head.status(), Some(101));
        assert!(head.lists("upgrade", "websocket"));
        assert_eq!(head.flaws.len(), 2);
        assert_eq!(head.combined("Upgrade").as_deref(), Some("a, WebSocket"));
    }
}
