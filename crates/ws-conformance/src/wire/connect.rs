//! The extended CONNECT of RFC 8441 §4 and RFC 9220 §3 and its answer, made from the heads that
//! HTTP/1.1 has, and what may be wrong with them.
//!
//! A case writes its head once, as text; what belongs to one connection is left out here.

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

/// The field lines of an answer of HTTP/2 or HTTP/3 that is written for HTTP/1.1.
pub(crate) fn answer_lines(head: &Head) -> Vec<(String, String)> {
    let status = match head.status() {
        Some(101) | None => 200,
        Some(other) => other,
    };
    let stays = |(name, _): &&(String, String)| {
        let mut dropped = CONNECTION_ONLY.iter();
        !dropped.any(|other| name.eq_ignore_ascii_case(other))
    };
    let lower = |(name, value): &(String, String)| (name.to_ascii_lowercase(), value.clone());
    let fields = head.fields.iter().filter(stays).map(lower);
    std::iter::once((":status".to_owned(), status.to_string())).chain(fields).collect()
}

/// The head of an answer that came as field lines.
pub(crate) fn response_head(lines: &[(String, String)], version: &str) -> Head {
    let mut fields = lines.to_vec();
    let at = fields.iter().position(|(name, _)| name == ":status");
    let status = at.map(|at| fields.remove(at).1).unwrap_or_default();
    Head { start: format!("{version} {status}"), fields, flaws: flaws_of_answer_lines(lines) }
}

/// What is malformed in the lines of an answer (RFC 9113 §8.2 and §8.3, RFC 9114 §4.2 and §4.3).
fn flaws_of_answer_lines(lines: &[(String, String)]) -> Vec<String> {
    let mut flaws = flaws_of_fields(lines);
    let statuses: Vec<&String> =
        lines.iter().filter(|(name, _)| name == ":status").map(|(_, value)| value).collect();
    let pseudo = lines.iter().filter(|(name, _)| name.starts_with(':')).count();
    let first = lines.first().is_some_and(|(name, _)| name == ":status");
    let plain = |status: &&String| status.len() == 3 && status.bytes().all(|o| o.is_ascii_digit());
    if !first || pseudo != 1 || !statuses.iter().all(plain) {
        flaws.push(format!("{statuses:?} is no single :status, first and of three digits"));
    }
    flaws
}

/// The head of a request that came as field lines; the pseudo-fields stay among the fields.
pub(crate) fn request_head(lines: &[(String, String)], version: &str) -> Head {
    let value = |wanted: &str| {
        let found = lines.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    let start = format!("{} {} {version}", value(":method"), value(":path"));
    Head { start, fields: lines.to_vec(), flaws: flaws_of_lines(lines) }
}

/// What is malformed in the lines of a request (RFC 9113 §8.2 and §8.3, RFC 9114 §4.2 and §4.3).
fn flaws_of_lines(lines: &[(String, String)]) -> Vec<String> {
    const PSEUDO: [&str; 5] = [":method", ":protocol", ":scheme", ":authority", ":path"];
    let mut flaws = flaws_of_fields(lines);
    let mut regular = false;
    for (at, (name, _)) in lines.iter().enumerate() {
        if name.starts_with(':') {
            if regular {
                flaws.push(format!("{name} comes after other fields"));
            }
            if !PSEUDO.contains(&name.as_str()) {
                flaws.push(format!("{name} is no pseudo-field of a request"));
            }
            let earlier = lines.iter().take(at);
            if earlier.into_iter().any(|(other, _)| other == name) {
                flaws.push(format!("{name} is there twice"));
            }
        } else {
            regular = true;
        }
    }
    flaws
}

fn flaws_of_fields(lines: &[(String, String)]) -> Vec<String> {
    const CONNECTION: [&str; 5] =
        ["connection", "upgrade", "keep-alive", "proxy-connection", "transfer-encoding"];
    let mut flaws = Vec::new();
    for (name, value) in lines {
        let bare = name.trim_start_matches(':');
        let clean = super::http::is_token(bare) && !bare.bytes().any(|o| o.is_ascii_uppercase());
        if !clean {
            flaws.push(format!("the field name {name:?} is not one in lower case"));
        }
        if CONNECTION.contains(&bare) || bare == "te" && value != "trailers" {
            flaws.push(format!("{name} belongs to connections of HTTP/1.1"));
        }
        if value.contains(['\r', '\n', '\0']) || value.trim_matches([' ', '\t']) != value {
            flaws.push(format!("the value {value:?} of {name} is not a clean one"));
        }
    }
    flaws
}

/// What a client's extended CONNECT lacks (RFC 8441 §4 and §5, RFC 9220 §3).
pub(crate) fn flaws_of_connect(request: &Head) -> Vec<String> {
    let mut flaws: Vec<String> =
        request.flaws.iter().map(|flaw| format!("the request is malformed: {flaw}")).collect();
    let mut demand = |holds: bool, what: &str| {
        if !holds {
            flaws.push(format!("the client's request: {what} (RFC 8441)"));
        }
    };
    let one = |name: &str| {
        let mut values = request.fields.iter().filter(|(field, _)| field == name);
        let first = values.next().map(|(_, value)| value.clone());
        first.filter(|_| values.next().is_none()).unwrap_or_default()
    };
    demand(one(":method") == "CONNECT", "the method is not CONNECT");
    demand(one(":protocol") == "websocket", ":protocol is not websocket");
    demand(matches!(one(":scheme").as_str(), "http" | "https"), ":scheme is not http or https");
    demand(one(":path").starts_with('/'), ":path is not one");
    demand(!one(":path").contains('#'), ":path has a fragment");
    let authority = one(":authority");
    demand(!authority.is_empty() && !authority.contains('@'), ":authority is not one");
    let equal = request.values("host").all(|host| host == authority);
    demand(equal, "host is not the same as :authority");
    demand(one("sec-websocket-version") == "13", "the version is not 13, once");
    flaws
}

/// The fields that exist for HTTP/1.1 alone (RFC 8441 §5).
const CONNECTION_ONLY: [&str; 5] =
    ["Host", "Connection", "Upgrade", "Sec-WebSocket-Key", "Sec-WebSocket-Accept"];

/// What is wrong with an answer of HTTP/2 or HTTP/3 that had to open a WebSocket, if anything.
pub(crate) fn flaw_of_answer(head: &Head) -> Option<String> {
    if !head.opens() {
        return Some(format!("the handshake was answered with {:?}", head.start));
    }
    if let Some(flaw) = head.flaws.first() {
        return Some(format!("the answer is malformed: {flaw}"));
    }
    let odd = ["Connection", "Upgrade", "Keep-Alive", "Transfer-Encoding", "Content-Length"];
    let found = odd.iter().find(|name| head.values(name).next().is_some())?;
    Some(format!("the answer has a field {found:?} (RFC 9113 §8.2.2, RFC 9110 §9.3.6)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_request_of_ours_has_no_flaw_and_others_are_named() {
        let good = [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "https"),
            (":authority", "a:1"),
            (":path", "/x"),
            ("sec-websocket-version", "13"),
        ];
        let head = request_head(&lines(&good), "HTTP/2");
        assert_eq!((head.target(), flaws_of_connect(&head)), ("/x", Vec::new()));
        let bad = [
            (":scheme", ""),
            (":protocol", "x"),
            ("X", "y"),
            ("upgrade", "websocket"),
            ("te", "gzip"),
            ("x", "a\nb"),
            ("host", "b"),
            (":path", "/"),
        ];
        for extra in bad {
            let without = good.iter().filter(|(name, _)| extra.1.is_empty() && *name == extra.0);
            let mut fields: Vec<(&str, &str)> = good.to_vec();
            match without.count() {
                0 => fields.push(extra),
                _ => fields.retain(|(name, _)| *name != extra.0),
            }
            let head = request_head(&lines(&fields), "HTTP/2");
            assert!(!flaws_of_connect(&head).is_empty(), "{extra:?}");
        }
    }

    #[test]
    fn an_answer_loses_what_belongs_to_a_connection() {
        let text = b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                     Sec-WebSocket-Accept: x\r\nSec-WebSocket-Protocol: a\r\n\r\n";
        let answer = answer_lines(&Head::parse(text));
        assert_eq!(answer, lines(&[(":status", "200"), ("sec-websocket-protocol", "a")]));
        assert!(response_head(&answer, "HTTP/3").opens());
    }

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
