//! Which web pages may open a connection (RFC 6455 §10.2, RFC 6454).
//!
//! A browser sends cookies with every WebSocket handshake, whatever page asked for it; the `Origin`
//! it adds is the only thing that keeps a foreign page out. Other programs can write any `Origin`
//! they like, so this is no authentication.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::authority::Authority;
use crate::error::HandshakeError;

/// The decision about a request's `Origin`.
///
/// A request without `Origin` is not from a browser's page and passes under every policy. `null`
/// (sandboxed frames, local files) passes only when listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OriginPolicy {
    /// Scheme, host and port must be those the request was sent to. Behind a proxy that ends TLS or
    /// rewrites `Host`, list the public origins instead. The schemes `ws` and `wss`, which some
    /// programs other than browsers write for their own, count as `http` and `https`.
    #[default]
    SameOrigin,
    /// Exactly these origins, written like `https://example.com` or `http://localhost:8080`. A host that
    /// begins with `*.` stands for all below it, however deep, and not for itself: `https://*.example.com`
    /// for `https://chat.example.com`. Whoever has one of these names can open a connection.
    List(Vec<String>),
    /// Everyone. Right only if nothing a browser sends by itself (cookies, client certificates, an
    /// address inside a private network) grants access.
    Any,
}

impl OriginPolicy {
    /// [`List`](Self::List) of anything that lists origins.
    ///
    /// ```
    /// use ws_handshake::OriginPolicy;
    ///
    /// let policy = OriginPolicy::list(["https://chat.example"]);
    /// assert!(policy.check(Some("https://chat.example"), true, "api.example").is_ok());
    /// assert!(policy.check(Some("https://evil.example"), true, "api.example").is_err());
    /// ```
    pub fn list<S: Into<String>>(origins: impl IntoIterator<Item = S>) -> Self {
        Self::List(origins.into_iter().map(Into::into).collect())
    }

    /// Judges `origin` for a request sent to `authority` over a `secure` (TLS) connection or not.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::OriginNotAllowed`]: answer 403.
    pub fn check(
        &self,
        origin: Option<&str>,
        secure: bool,
        authority: &str,
    ) -> Result<(), HandshakeError> {
        let Some(origin) = origin else { return Ok(()) };
        let allowed = match self {
            Self::Any => true,
            Self::SameOrigin => is_same_origin(origin, secure, authority),
            Self::List(list) => list.iter().any(|listed| are_equal(listed, origin)),
        };
        if allowed {
            Ok(())
        } else {
            let is_known = Authority::parse(authority).is_some();
            let allowed = (is_known && matches!(self, Self::SameOrigin)).then(|| {
                let scheme = if secure { "https" } else { "http" };
                format!("{scheme}://{authority}")
            });
            Err(HandshakeError::OriginNotAllowed { origin: origin.into(), allowed })
        }
    }
}

fn is_same_origin(origin: &str, secure: bool, authority: &str) -> bool {
    // The second of each has no page: it comes from programs that repeat the URL they connect to.
    let (schemes, port) = if secure { (["https", "wss"], 443) } else { (["http", "ws"], 80) };
    let Some((found, place)) = split(origin) else { return false };
    schemes.iter().any(|scheme| found.eq_ignore_ascii_case(scheme))
        && Authority::parse(authority).is_some_and(|ours| ours.is_same(&place, port))
}

fn are_equal(listed: &str, origin: &str) -> bool {
    match (split(listed), split(origin)) {
        (Some((scheme, place)), Some((their_scheme, their_place))) => {
            let port = default_port(scheme);
            let place = match place.host.strip_prefix("*.") {
                Some(parent) if is_below(their_place.host, parent) => {
                    Authority { host: their_place.host, ..place }
                }
                _ => place,
            };
            scheme.eq_ignore_ascii_case(their_scheme) && place.is_same(&their_place, port)
        }
        // `null`, and opaque schemes that have no host.
        _ => listed.eq_ignore_ascii_case(origin),
    }
}

/// Whether `host` is a name below `parent`.
fn is_below(host: &str, parent: &str) -> bool {
    let at = host.len().saturating_sub(parent.len());
    let Some((name, end)) = host.split_at_checked(at) else { return false };
    let is_name = name.ends_with('.') && !name.starts_with('.');
    is_name && !parent.is_empty() && end.eq_ignore_ascii_case(parent)
}

/// Scheme and place of a serialised origin; `None` for `null` and whatever else is no such thing.
fn split(origin: &str) -> Option<(&str, Authority<'_>)> {
    let (scheme, place) = origin.split_once("://")?;
    Some((scheme, Authority::parse(place)?))
}

/// 0, which no origin has, for schemes without a default of their own.
fn default_port(scheme: &str) -> u16 {
    if scheme.eq_ignore_ascii_case("https") {
        443
    } else if scheme.eq_ignore_ascii_case("http") {
        80
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    // RFC: WS-10.2-01, WS-4.2.2-04, WS-4.2.2-05
    // THREAT: cross-site
    #[test]
    fn same_origin_compares_scheme_host_and_port() {
        let rows = [
            ("http://a.example", false, "a.example", true),
            ("http://A.EXAMPLE", false, "a.example", true),
            ("HTTP://a.example", false, "A.example", true),
            ("http://a.example:80", false, "a.example", true),
            ("http://a.example", false, "a.example:80", true),
            ("https://a.example", true, "a.example:443", true),
            ("http://a.example:8080", false, "a.example:8080", true),
            ("http://[::1]:9", false, "[0::1]:9", true),
            ("https://a.example", false, "a.example", false),
            ("http://a.example", true, "a.example", false),
            ("http://a.example:8080", false, "a.example", false),
            ("http://a.example", false, "a.example:8080", false),
            ("http://a.example.evil", false, "a.example", false),
            ("http://evil-a.example", false, "a.example", false),
            ("http://x.a.example", false, "a.example", false),
            ("http://a.example@evil", false, "a.example", false),
            ("http://a.example/", false, "a.example", false),
            ("http://a.example/x", false, "a.example", false),
            ("null", false, "a.example", false),
            ("null", false, "null", false),
            ("", false, "a.example", false),
            ("a.example", false, "a.example", false),
            ("file://", false, "a.example", false),
            ("http://a.example", false, "", false),
            // Of programs that repeat the URL they connect to: no page has such an origin.
            ("ws://a.example", false, "a.example", true),
            ("WS://a.example:8080", false, "a.example:8080", true),
            ("wss://a.example", true, "a.example:443", true),
            ("wss://a.example", false, "a.example", false),
            ("ws://a.example", true, "a.example", false),
            ("ws://a.example:443", true, "a.example", false),
            ("ws://evil.example", false, "a.example", false),
            ("wss://evil.example", true, "a.example", false),
            ("ws://a.example/", false, "a.example", false),
            ("http://a.example, http://evil", false, "a.example", false),
        ];
        for (origin, secure, authority, want) in rows {
            let got = OriginPolicy::SameOrigin.check(Some(origin), secure, authority);
            assert_eq!(got.is_ok(), want, "{origin} {secure} {authority}");
        }
    }

    // THREAT: cross-site
    #[test]
    fn a_list_allows_what_it_lists_and_nothing_else() {
        let list = [
            "https://a.example",
            "http://c.example",
            "http://localhost:8080",
            "chrome-extension://abc",
            "null",
        ];
        let policy = OriginPolicy::List(list.map(String::from).to_vec());
        let rows = [
            ("https://a.example", true),
            ("https://A.example:443", true),
            ("http://localhost:8080", true),
            ("http://c.example:80", true),
            ("http://c.example:443", false),
            ("chrome-extension://abc", true),
            ("chrome-extension://abc:80", false),
            ("null", true),
            ("http://a.example", false),
            ("http://localhost", false),
            ("https://b.a.example", false),
            ("https://a.example.b", false),
            ("", false),
        ];
        for (origin, want) in rows {
            assert_eq!(policy.check(Some(origin), false, "x").is_ok(), want, "{origin}");
        }
        let no_null = OriginPolicy::List(alloc::vec!["https://a.example".into()]);
        assert!(no_null.check(Some("null"), true, "a.example").is_err());
    }

    // THREAT: cross-site
    #[test]
    fn a_list_may_allow_all_hosts_below_one() {
        let policy = OriginPolicy::list(["https://*.a.example", "http://*.b.example:8080"]);
        let rows = [
            ("https://x.a.example", true),
            ("HTTPS://y.x.A.EXAMPLE:443", true),
            ("http://x.b.example:8080", true),
            ("https://a.example", false),
            ("https://.a.example", false),
            ("https://..a.example", false),
            ("https://xa.example", false),
            ("https://x.a.example.evil", false),
            ("https://evil/.a.example", false),
            ("https://evil?.a.example", false),
            ("https://evil#.a.example", false),
            ("https://evil@x.a.example", false),
            ("https://evil:443.a.example", false),
            ("https://x.a.example:8443", false),
            ("http://x.a.example", false),
            ("http://x.b.example", false),
            ("null", false),
        ];
        for (origin, want) in rows {
            assert_eq!(policy.check(Some(origin), true, "x").is_ok(), want, "{origin}");
        }
        // A star stands for names below another and for nothing else.
        for listed in ["https://*", "https://*.", "*.a.example", "*", "https://x*.a.example"] {
            let policy = OriginPolicy::list([listed]);
            assert!(policy.check(Some("https://x.a.example"), true, "x").is_err(), "{listed}");
            assert!(policy.check(Some("https://x."), true, "x").is_err(), "{listed}");
        }
    }

    // RFC: WS-4.2.1-07
    #[test]
    fn a_request_without_origin_is_not_taken_for_a_browser() {
        for policy in [OriginPolicy::SameOrigin, OriginPolicy::List(Vec::new()), OriginPolicy::Any]
        {
            assert_eq!(policy.check(None, false, "a.example"), Ok(()));
        }
        assert_eq!(OriginPolicy::Any.check(Some("null"), false, "a"), Ok(()));
    }

    // Most often the operator's own page is refused, because a proxy rewrites `Host` or ends TLS.
    #[test]
    fn a_refusal_names_the_origin_and_what_it_had_to_be() {
        let list = OriginPolicy::list(["https://a.example"]);
        for (policy, secure, authority, text) in [
            (
                OriginPolicy::SameOrigin,
                true,
                "10.0.0.7:8080",
                r#"origin "https://b.example" is not allowed, it must be "https://10.0.0.7:8080""#,
            ),
            (
                OriginPolicy::SameOrigin,
                false,
                "b.example",
                r#"origin "https://b.example" is not allowed, it must be "http://b.example""#,
            ),
            (
                list,
                true,
                "b.example",
                r#"origin "https://b.example" is not allowed, it must be one of those listed"#,
            ),
        ] {
            let refused = policy.check(Some("https://b.example"), secure, authority);
            assert_eq!(refused.expect_err(text).to_string(), text);
        }
    }
}
