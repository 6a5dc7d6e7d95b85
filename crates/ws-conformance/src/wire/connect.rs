//! The extended CONNECT of RFC 8441 §4 and RFC 9220 §3, made from the request that HTTP/1.1 has.
//!
//! A case writes its request once, as text; what belongs to one connection is left out here.

use super::http::Head;
use super::stream::Wire;

/// An extended CONNECT for `websocket`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Connect {
    pub(crate) scheme: &'static str,
    pub(crate) authority: String,
    pub(crate) path: String,
    pub(crate) fields: Vec<(String, String)>,
}

/// How a server reacted to it.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A head, with the stream behind it.
    Head(Head, Wire),
    /// The stream or the connection was ended without an answer, for this cause.
    Cut(String),
    /// Nothing came.
    Silence,
}

impl Connect {
    /// The same request as `upgrade`, an HTTP/1.1 request for a WebSocket.
    pub(crate) fn from_upgrade(upgrade: &Head, secure: bool, authority: String) -> Self {
        let stays = |(name, _): &&(String, String)| {
            let mut dropped = CONNECTION_ONLY.iter();
            !dropped.any(|other| name.eq_ignore_ascii_case(other))
        };
        Self {
            scheme: if secure { "https" } else { "http" },
            authority,
            path: upgrade.target().to_owned(),
            fields: upgrade.fields.iter().filter(stays).cloned().collect(),
        }
    }
}

#[cfg(feature = "h3")]
impl Connect {
    /// All of it as field lines, pseudo-fields first.
    pub(crate) fn field_lines(&self) -> Vec<(String, String)> {
        let Self { scheme, authority, path, fields } = self;
        let pseudo = [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", scheme),
            (":authority", authority),
            (":path", path),
        ];
        let pseudo = pseudo.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let lower = |(name, value): &(String, String)| (name.to_ascii_lowercase(), value.clone());
        pseudo.into_iter().chain(fields.iter().map(lower)).collect()
    }
}

/// The fields that exist for HTTP/1.1 alone (RFC 8441 §5).
const CONNECTION_ONLY: [&str; 5] =
    ["Host", "Connection", "Upgrade", "Sec-WebSocket-Key", "Sec-WebSocket-Accept"];

/// What is wrong with an answer of HTTP/2 or HTTP/3 that had to open a WebSocket, if anything.
pub(crate) fn flaw_of_answer(head: &Head) -> Option<String> {
    if !head.opens() {
        return Some(format!("the handshake was answered with {:?}", head.start));
    }
    let odd = ["Connection", "Upgrade", "Keep-Alive", "Transfer-Encoding", "Content-Length"];
    let found = odd.iter().find(|name| head.values(name).next().is_some())?;
    Some(format!("the answer has a field {found:?} (RFC 9113 §8.2.2, RFC 9110 §9.3.6)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC: H2WS-4-02, H2WS-5-02, H2WS-5-03, H2WS-5-04, H2WS-5-05, H2WS-5-06
    #[test]
    fn what_belongs_to_a_connection_is_left_out() {
        let text = b"GET /a?b HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nconnection: Upgrade\r\n\
                     Sec-WebSocket-Key: k\r\nSec-WebSocket-Version: 13\r\nOrigin: o\r\n\r\n";
        let connect = Connect::from_upgrade(&Head::parse(text), true, "x:1".into());
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(connect.scheme, "https");
        assert_eq!((connect.authority.as_str(), connect.path.as_str()), ("x:1", "/a?b"));
        assert_eq!(connect.fields, [field("Sec-WebSocket-Version", "13"), field("Origin", "o")]);
    }

    // RFC: H2WS-5-07, H2-9110-01
    #[test]
    fn only_a_clean_success_opens() {
        let table = [
            ("HTTP/2 200 OK\r\n\r\n", true),
            ("HTTP/3 204\r\n\r\n", true),
            ("HTTP/2 101\r\n\r\n", false),
            ("HTTP/2 400\r\n\r\n", false),
            ("HTTP/2 200\r\nContent-Length: 0\r\n\r\n", false),
            ("HTTP/2 200\r\nUpgrade: websocket\r\n\r\n", false),
        ];
        for (text, opens) in table {
            assert_eq!(flaw_of_answer(&Head::parse(text.as_bytes())).is_none(), opens, "{text}");
        }
    }
}
