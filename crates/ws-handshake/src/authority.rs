//! A host with an optional port, as in `Host`, `:authority` and `Origin` (RFC 3986 §3.2).
//!
//! User information is never accepted.

use core::net::Ipv6Addr;

/// A checked host and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// The host; an IPv6 address keeps its brackets.
    pub host: &'a str,
    /// The port, if one was written; an empty port counts as none.
    pub port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Reads `host`, `host:port`, `[v6]` or `[v6]:port`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (host, port) = split_port(text)?;
        let valid = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => is_reg_name(host),
        };
        let port = match port {
            None | Some("") => None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            Some(_) => return None,
        };
        valid.then_some(Self { host, port })
    }

    /// Whether both name the same host and, with `default_port` in place of a missing one, the same
    /// port. Names compare without case, IPv6 addresses by value.
    #[must_use]
    pub fn is_same(&self, other: &Authority<'_>, default_port: u16) -> bool {
        self.port.unwrap_or(default_port) == other.port.unwrap_or(default_port)
            && match (self.ipv6(), other.ipv6()) {
                (Some(ours), Some(theirs)) => ours == theirs,
                (None, None) => self.host.eq_ignore_ascii_case(other.host),
                _ => false,
            }
    }

    fn ipv6(&self) -> Option<Ipv6Addr> {
        self.host.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
    }
}

/// Splits the port off; `None` when something else follows the bracket of an IPv6 address.
pub(crate) fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    if text.starts_with('[') {
        let (host, rest) = text.split_at(text.find(']')? + 1);
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, Some(port))),
            None if rest.is_empty() => Some((host, None)),
            None => None,
        };
    }
    Some(match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    })
}

/// A non-empty `reg-name`: unreserved, sub-delims and percent escapes.
fn is_reg_name(host: &str) -> bool {
    !host.is_empty()
        && host.bytes().all(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'%' | b'!' | b'$' | b'&' | b'\'')
                || matches!(byte, b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_told_apart() {
        let rows = [
            ("a", Some(("a", None))),
            ("a.b-c_d:80", Some(("a.b-c_d", Some(80)))),
            ("a:", Some(("a", None))),
            ("127.0.0.1:65535", Some(("127.0.0.1", Some(65_535)))),
            ("[::1]", Some(("[::1]", None))),
            ("[::1]:9", Some(("[::1]", Some(9)))),
            ("", None),
            (":80", None),
            ("a:b", None),
            ("a:65536", None),
            ("a:+80", None),
            ("::1", None),
            ("[::1", None),
            ("[::1]x", None),
            ("[zz]", None),
            ("[fe80::1%eth0]", None),
            ("u@a", None),
            ("a/b", None),
            ("a b", None),
            ("a,b@", None),
            ("\u{e9}", None),
        ];
        for (text, want) in rows {
            let got = Authority::parse(text).map(|found| (found.host, found.port));
            assert_eq!(got, want, "{text:?}");
        }
    }

    // THREAT: cross-site
    #[test]
    fn sameness_knows_case_default_ports_and_addresses() {
        let same = |a, b| {
            let (a, b) = (Authority::parse(a), Authority::parse(b));
            a.zip(b).is_some_and(|(a, b)| a.is_same(&b, 443))
        };
        assert!(same("A.example", "a.EXAMPLE:443"));
        assert!(same("[::1]", "[0:0:0:0:0:0:0:1]:443"));
        assert!(!same("a.example", "a.example:444"));
        assert!(!same("a.example", "b.a.example"));
        assert!(!same("[::1]", "[::2]"));
        assert!(!same("[::1]", "localhost"));
    }
}
