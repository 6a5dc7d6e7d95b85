//! `ws:` and `wss:` URIs (RFC 6455 §3, §11.1).
//!
//! Parsing happens once, before any I/O; what the client then dials, sends and asks TLS for are
//! plain accessors.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use core::fmt;
use core::net::Ipv6Addr;
use core::str::FromStr;

use crate::authority::split_port;
use crate::error::{HandshakeError, UrlProblem};

/// A parsed WebSocket URI.
///
/// ```
/// use ws_handshake::WsUri;
///
/// let uri: WsUri = "wss://Example.com:8443/chat?room=1".parse()?;
/// assert!(uri.is_secure());
/// assert_eq!((uri.host(), uri.port()), ("example.com", 8443));
/// assert_eq!(uri.host_header(), "example.com:8443");
/// assert_eq!(uri.resource(), "/chat?room=1");
/// # Ok::<(), ws_handshake::HandshakeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WsUri {
    secure: bool,
    host: String,
    host_header: String,
    port: u16,
    resource: String,
}

impl WsUri {
    /// Reads a URI.
    ///
    /// A host beyond ASCII becomes its IDNA form; other text beyond ASCII is percent-encoded as
    /// UTF-8. Nothing is trimmed.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::InvalidUrl`], [`HandshakeError::InvalidScheme`] or
    /// [`HandshakeError::InvalidPort`].
    pub fn parse(text: &str) -> Result<Self, HandshakeError> {
        let (scheme, rest) =
            text.split_once(':').ok_or_else(|| invalid(UrlProblem::NoAuthority))?;
        let secure = match scheme {
            _ if scheme.eq_ignore_ascii_case("ws") => false,
            _ if scheme.eq_ignore_ascii_case("wss") => true,
            _ => return Err(HandshakeError::InvalidScheme { scheme: scheme.into() }),
        };
        let rest = rest.strip_prefix("//").ok_or_else(|| invalid(UrlProblem::NoAuthority))?;
        if rest.contains('#') {
            return Err(invalid(UrlProblem::Fragment));
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, resource) = rest.split_at(end);
        if authority.contains('@') {
            return Err(invalid(UrlProblem::UserInfo));
        }
        let (host, port) = split_port(authority).ok_or_else(|| invalid(UrlProblem::BadHost))?;
        let host = ascii_host(host)?;
        let default_port = if secure { 443 } else { 80 };
        let port = parse_port(port, default_port)?;
        let host_header =
            if port == default_port { host.clone() } else { format!("{host}:{port}") };
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) => address.into(),
            None => host,
        };
        Ok(Self { secure, host, host_header, port, resource: encode_resource(resource)? })
    }

    /// Whether the scheme is `wss`: TLS comes first.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host to resolve and to name in SNI: lower case, IPv6 addresses without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port to dial: the one written, or 80 for `ws` and 443 for `wss`.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The value of `Host` and `:authority`: brackets kept, the port only when not the default.
    #[must_use]
    pub fn host_header(&self) -> &str {
        &self.host_header
    }

    /// The resource name, which is the request target: path, then `?query` unless it is empty.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The `:scheme` of HTTP/2 and HTTP/3: `https` for `wss`, `http` for `ws` (RFC 8441 §5).
    #[must_use]
    pub fn http_scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }
}

impl FromStr for WsUri {
    type Err = HandshakeError;

    fn from_str(text: &str) -> Result<Self, HandshakeError> {
        Self::parse(text)
    }
}

impl TryFrom<&str> for WsUri {
    type Error = HandshakeError;

    fn try_from(text: &str) -> Result<Self, HandshakeError> {
        Self::parse(text)
    }
}

impl fmt::Display for WsUri {
    /// The URI in its normal form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.host_header, self.resource)
    }
}

fn invalid(problem: UrlProblem) -> HandshakeError {
    HandshakeError::InvalidUrl { problem }
}

/// The host in ASCII and lower case, an IPv6 address in brackets and its shortest form.
fn ascii_host(host: &str) -> Result<String, HandshakeError> {
    if host.is_empty() {
        return Err(invalid(UrlProblem::EmptyHost));
    }
    if let Some(found) = host.chars().find(|&found| is_never_allowed(found)) {
        return Err(invalid(UrlProblem::BadCharacter(found)));
    }
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        let address: Ipv6Addr = address.parse().map_err(|_| invalid(UrlProblem::BadHost))?;
        return Ok(format!("[{address}]"));
    }
    match idna::domain_to_ascii_cow(host.as_bytes(), idna::AsciiDenyList::URL) {
        Ok(ascii) if !ascii.is_empty() => Ok(Cow::into_owned(ascii)),
        _ => Err(invalid(UrlProblem::BadHost)),
    }
}

fn parse_port(port: Option<&str>, default_port: u16) -> Result<u16, HandshakeError> {
    match port {
        None | Some("") => Ok(default_port),
        Some(digits) => match digits.parse::<u16>() {
            Ok(port) if port > 0 && !digits.starts_with('+') => Ok(port),
            _ => Err(HandshakeError::InvalidPort { value: digits.into() }),
        },
    }
}

/// The resource name of RFC 6455 §3 from what follows the authority.
fn encode_resource(rest: &str) -> Result<String, HandshakeError> {
    let mut resource = String::with_capacity(rest.len() + 1);
    if !rest.starts_with('/') {
        resource.push('/');
    }
    let rest = match rest.split_once('?') {
        Some((path, "")) => path,
        _ => rest,
    };
    let mut characters = rest.chars();
    while let Some(character) = characters.next() {
        match character {
            '%' => {
                let digits = characters.as_str().as_bytes().get(..2);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(invalid(UrlProblem::BadEscape));
                }
                resource.push('%');
            }
            _ if is_never_allowed(character) => {
                return Err(invalid(UrlProblem::BadCharacter(character)));
            }
            _ if character.is_ascii() => resource.push(character),
            _ => {
                for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                    resource.push_str(&format!("%{byte:02X}"));
                }
            }
        }
    }
    Ok(resource)
}

/// Controls, space, and the ASCII characters outside every URI production (RFC 3986 §2).
fn is_never_allowed(character: char) -> bool {
    character.is_control()
        || character.is_whitespace()
        || matches!(character, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(text: &str) -> &'static str {
        WsUri::parse(text).map_or_else(|error| error.reason(), |_| "accepted")
    }

    // RFC: WS-3-01, WS-3-02, WS-3-03, WS-4.1-15, WS-11.1-01, M1-3.2-02, M1-3.2-04
    #[test]
    fn parts_are_read_as_the_rfc_says() {
        let rows = [
            ("ws://a", false, "a", 80, "a", "/"),
            ("wss://a", true, "a", 443, "a", "/"),
            ("WS://A.Example/X", false, "a.example", 80, "a.example", "/X"),
            ("wSs://a:80/", true, "a", 80, "a:80", "/"),
            ("ws://a:80/", false, "a", 80, "a", "/"),
            ("ws://a:", false, "a", 80, "a", "/"),
            ("ws://a:443", false, "a", 443, "a:443", "/"),
            ("ws://a?q", false, "a", 80, "a", "/?q"),
            ("ws://a/?", false, "a", 80, "a", "/"),
            ("ws://a?", false, "a", 80, "a", "/"),
            ("ws://a/p?", false, "a", 80, "a", "/p"),
            ("ws://a/p?x=/?:@", false, "a", 80, "a", "/p?x=/?:@"),
            ("ws://a//b/../c", false, "a", 80, "a", "//b/../c"),
            ("ws://[::1]:9/", false, "::1", 9, "[::1]:9", "/"),
            ("wss://[2001:DB8::0:1]", true, "2001:db8::1", 443, "[2001:db8::1]", "/"),
            ("ws://127.0.0.1:8080", false, "127.0.0.1", 8080, "127.0.0.1:8080", "/"),
            (
                "ws://b\u{fc}cher.example",
                false,
                "xn--bcher-kva.example",
                80,
                "xn--bcher-kva.example",
                "/",
            ),
            ("ws://a_b.local", false, "a_b.local", 80, "a_b.local", "/"),
            ("ws://a/\u{e9}?\u{20ac}=1", false, "a", 80, "a", "/%C3%A9?%E2%82%AC=1"),
            ("ws://a/%23%2f", false, "a", 80, "a", "/%23%2f"),
        ];
        for (text, secure, host, port, host_header, resource) in rows {
            let uri = WsUri::parse(text).expect(text);
            assert_eq!(uri.is_secure(), secure, "{text}");
            assert_eq!((uri.host(), uri.port()), (host, port), "{text}");
            assert_eq!((uri.host_header(), uri.resource()), (host_header, resource), "{text}");
        }
    }

    // RFC: WS-3-04, WS-3-05, WS-3-06, WS-4.1-02
    #[test]
    fn what_is_no_websocket_uri_is_refused() {
        let rows = [
            ("", "invalid_url"),
            ("a", "invalid_url"),
            ("ws:a", "invalid_url"),
            ("ws:/a", "invalid_url"),
            ("ws://", "invalid_url"),
            ("ws:///p", "invalid_url"),
            ("ws://:80", "invalid_url"),
            ("ws://a/#f", "invalid_url"),
            ("ws://a#", "invalid_url"),
            ("ws://u@a", "invalid_url"),
            ("ws://u:p@a/", "invalid_url"),
            ("ws://a b/", "invalid_url"),
            ("ws://a/ b", "invalid_url"),
            ("ws://a/b ", "invalid_url"),
            ("ws://a/\r\nX: y", "invalid_url"),
            ("ws://a\r\n", "invalid_url"),
            ("ws://a/\0", "invalid_url"),
            ("ws://a/\u{85}", "invalid_url"),
            ("ws://a\\b", "invalid_url"),
            ("ws://a/%", "invalid_url"),
            ("ws://a/%4", "invalid_url"),
            ("ws://a/%zz", "invalid_url"),
            ("ws://a/{}", "invalid_url"),
            ("ws://[::1", "invalid_url"),
            ("ws://[::1]x", "invalid_url"),
            ("ws://[g]", "invalid_url"),
            ("ws://a%20b", "invalid_url"),
            (" ws://a", "invalid_scheme"),
            ("http://a", "invalid_scheme"),
            ("wsss://a", "invalid_scheme"),
            ("://a", "invalid_scheme"),
            ("ws://a:x", "invalid_port"),
            ("ws://a:0", "invalid_port"),
            ("ws://a:65536", "invalid_port"),
            ("ws://a:-1", "invalid_port"),
            ("ws://a:+1", "invalid_port"),
            ("ws://::1", "invalid_url"),
        ];
        for (text, want) in rows {
            assert_eq!(reason(text), want, "{text:?}");
        }
        let error = WsUri::parse("ws://a:99999").err();
        assert_eq!(error, Some(HandshakeError::InvalidPort { value: "99999".into() }));
    }

    // THREAT: header-injection
    #[test]
    fn line_breaks_in_a_url_never_leave() {
        for text in ["ws://a/\r\nX: y", "ws://a\r\nX: y", "ws://a/?\n", "ws://a:80\r\n/"] {
            assert!(WsUri::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_query_without_a_path_does_not_lose_its_slash_nor_ipv6_its_brackets() {
        let uri = WsUri::parse("WSS://[::1]?q").expect("a uri");
        assert_eq!((uri.resource(), uri.host_header(), uri.host()), ("/?q", "[::1]", "::1"));
    }

    #[test]
    fn the_normal_form_reads_back_as_the_same_uri() {
        for text in ["WS://A", "wss://[::1]:1/x?y", "ws://b\u{fc}cher.example/\u{e9}"] {
            let uri = WsUri::parse(text).expect(text);
            assert_eq!(WsUri::parse(&format!("{uri}")), Ok(uri));
        }
    }
}
