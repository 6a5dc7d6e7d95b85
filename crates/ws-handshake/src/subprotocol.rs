//! `Sec-WebSocket-Protocol`: offers, choice and the check of the answer (RFC 6455 §4, RFC 7936).
//!
//! Names are compared with their case.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use crate::error::{HandshakeError, Malformed};
use crate::headers::{Headers, trim_ows};
use crate::list::{is_token, tokens};

pub(crate) const HEADER: &str = "sec-websocket-protocol";

/// A function from the client's offers to the one to speak.
type Choose = dyn for<'a> Fn(&'a [String]) -> Option<&'a str> + Send + Sync;

/// How a server settles on a subprotocol.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum SubprotocolPolicy {
    /// Speak none, whatever is offered.
    #[default]
    None,
    /// Speak the first of these that the client offers; go on without one when it offers none.
    Optional(Vec<String>),
    /// Speak the first of these that the client offers; refuse the handshake when it offers none.
    Required(Vec<String>),
    /// Ask this function, which picks from the offers or answers `None` to go on without one.
    Custom(Arc<Choose>),
}

impl SubprotocolPolicy {
    /// [`Optional`](Self::Optional) over anything that lists names, best first.
    pub fn optional<S: Into<String>>(supported: impl IntoIterator<Item = S>) -> Self {
        Self::Optional(supported.into_iter().map(Into::into).collect())
    }

    /// [`Required`](Self::Required) over anything that lists names, best first.
    pub fn required<S: Into<String>>(supported: impl IntoIterator<Item = S>) -> Self {
        Self::Required(supported.into_iter().map(Into::into).collect())
    }

    /// Picks from `offered`. What is picked was always offered.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::NoAcceptableSubprotocol`] under [`Required`](Self::Required) when nothing
    /// matches.
    pub fn choose<'a>(&self, offered: &'a [String]) -> Result<Option<&'a str>, HandshakeError> {
        match self {
            Self::None => Ok(None),
            Self::Optional(supported) => Ok(choose(supported, offered)),
            Self::Required(supported) => choose(supported, offered).map(Some).ok_or_else(|| {
                HandshakeError::NoAcceptableSubprotocol { offered: offered.to_vec() }
            }),
            Self::Custom(pick) => {
                Ok(pick(offered).filter(|&name| offered.iter().any(|offer| offer == name)))
            }
        }
    }
}

impl fmt::Debug for SubprotocolPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Optional(names) => f.debug_tuple("Optional").field(names).finish(),
            Self::Required(names) => f.debug_tuple("Required").field(names).finish(),
            Self::Custom(_) => f.debug_tuple("Custom").finish_non_exhaustive(),
        }
    }
}

/// The first of `supported` that is among `offered`: the server's order wins.
#[must_use]
pub fn choose<'a, S: AsRef<str>>(supported: &[S], offered: &'a [String]) -> Option<&'a str> {
    supported
        .iter()
        .find_map(|name| offered.iter().find(|offer| *offer == name.as_ref()))
        .map(String::as_str)
}

/// The subprotocols a client offers, over all header lines, in its order of preference.
///
/// # Errors
///
/// [`HandshakeError::MalformedHeader`] when a name is not a token or listed twice, or when the field
/// is there but lists nothing.
pub fn parse_offers<H: Headers + ?Sized>(headers: &H) -> Result<Vec<String>, HandshakeError> {
    let malformed = |problem| HandshakeError::MalformedHeader { name: HEADER, problem };
    let mut offers = Vec::new();
    for name in tokens(headers.values(HEADER)) {
        offers.push(String::from(name.map_err(malformed)?));
    }
    if offers.is_empty() && headers.values(HEADER).next().is_some() {
        return Err(malformed(Malformed::Empty));
    }
    if has_repetition(&offers) {
        return Err(malformed(Malformed::Repeated));
    }
    Ok(offers)
}

/// Checks names a client is about to offer: tokens, all different (RFC 6455 §4.1).
///
/// # Errors
///
/// [`HandshakeError::InvalidHeader`].
pub fn validate_offers(offers: &[String]) -> Result<(), HandshakeError> {
    if offers.iter().all(|name| is_token(name.as_bytes())) && !has_repetition(offers) {
        Ok(())
    } else {
        Err(HandshakeError::InvalidHeader { name: HEADER.into() })
    }
}

/// The subprotocol a server's answer names, if any.
///
/// # Errors
///
/// [`HandshakeError::DuplicateHeader`] for several lines, [`HandshakeError::UnofferedSubprotocol`]
/// for anything but one of `offered`: a list, an empty value, another case.
pub fn validate_answer<H: Headers + ?Sized>(
    headers: &H,
    offered: &[String],
) -> Result<Option<String>, HandshakeError> {
    let mut lines = headers.values(HEADER);
    let Some(line) = lines.next() else { return Ok(None) };
    if lines.next().is_some() {
        return Err(HandshakeError::DuplicateHeader { name: HEADER });
    }
    let found = trim_ows(line);
    match offered.iter().find(|name| name.as_bytes() == found) {
        Some(name) => Ok(Some(name.clone())),
        None => Err(HandshakeError::UnofferedSubprotocol {
            found: String::from_utf8_lossy(found).into_owned(),
        }),
    }
}

fn has_repetition(names: &[String]) -> bool {
    let mut seen = BTreeSet::new();
    !names.iter().all(|name| seen.insert(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString as _;
    use alloc::vec;

    fn names(list: &str) -> Vec<String> {
        list.split_whitespace().map(String::from).collect()
    }

    fn offers(lines: &[&str]) -> Result<Vec<String>, HandshakeError> {
        parse_offers(&lines.iter().map(|line| ("Sec-WebSocket-Protocol", line)).collect::<Vec<_>>())
    }

    // RFC: WS-4.2.1-08, WS-11.3.4-01, WS-4.1-21
    #[test]
    fn offers_are_unique_tokens_over_all_lines() {
        assert_eq!(offers(&[]), Ok(vec![]));
        assert_eq!(offers(&["b, a", "c"]), Ok(names("b a c")));
        assert_eq!(offers(&["chat, Chat"]), Ok(names("chat Chat")));
        for bad in ["", ",", "a, a", "a b", "a;q=1", "\"a\"", "\u{e9}"] {
            let error = offers(&[bad]).map_err(|error| error.reason());
            assert_eq!(error, Err("malformed_header"), "{bad:?}");
        }
        assert!(offers(&["a", "a"]).is_err());
    }

    // RFC: WS-4.2.2-08, UP-7936
    #[test]
    fn the_order_of_the_server_wins() {
        let offered = names("a b c");
        let rows = [("c a", Some("c")), ("x b", Some("b")), ("x", None), ("", None), ("A", None)];
        for (supported, want) in rows {
            assert_eq!(choose(&names(supported), &offered), want, "{supported}");
        }
    }

    #[test]
    fn a_subprotocol_may_be_optional_required_or_chosen_by_a_function() {
        let offered = names("a b");
        let rows = [
            (SubprotocolPolicy::None, Ok(None)),
            (SubprotocolPolicy::optional(["b"]), Ok(Some("b"))),
            (SubprotocolPolicy::optional(["x"]), Ok(None)),
            (SubprotocolPolicy::required(["b"]), Ok(Some("b"))),
            (SubprotocolPolicy::required(["x"]), Err("no_acceptable_subprotocol")),
            (
                SubprotocolPolicy::Custom(Arc::new(|all| all.last().map(String::as_str))),
                Ok(Some("b")),
            ),
            (SubprotocolPolicy::Custom(Arc::new(|_| None)), Ok(None)),
        ];
        for (policy, want) in rows {
            let got = policy.choose(&offered).map_err(|error| error.reason());
            assert_eq!(got, want, "{policy:?}");
        }
    }

    #[test]
    fn a_function_cannot_choose_what_was_not_offered() {
        let policy = SubprotocolPolicy::Custom(Arc::new(|_| Some("mine")));
        assert_eq!(policy.choose(&names("a")), Ok(None));
        assert_eq!(format!("{policy:?}"), "Custom(..)");
    }

    #[test]
    fn a_required_subprotocol_is_also_missed_when_nothing_is_offered() {
        let error = SubprotocolPolicy::required(["a"]).choose(&[]).map_err(|e| e.to_string());
        assert_eq!(error, Err("a subprotocol is required and none was offered".into()));
    }

    // RFC: WS-4.1-30, WS-4.1-31, WS-11.3.4-02, UP-7936
    #[test]
    fn a_subprotocol_that_was_not_offered_is_not_accepted_from_a_server() {
        let answer = |lines: &[&str]| {
            let headers: Vec<_> =
                lines.iter().map(|line| ("sec-websocket-protocol", line)).collect();
            validate_answer(&headers, &names("a b")).map_err(|error| error.reason())
        };
        assert_eq!(answer(&[]), Ok(None));
        assert_eq!(answer(&[" b "]), Ok(Some("b".into())));
        assert_eq!(answer(&["a", "a"]), Err("duplicate_header"));
        for bad in ["A", "c", "a, b", "a,", ""] {
            assert_eq!(answer(&[bad]), Err("unoffered_subprotocol"), "{bad:?}");
        }
    }

    // RFC: WS-4.1-21
    // THREAT: header-injection
    #[test]
    fn offers_with_line_breaks_or_repetitions_never_leave() {
        assert_eq!(validate_offers(&names("a b")), Ok(()));
        for bad in [names("a a"), vec!["a\r\nx: y".into()], vec!["".into()], vec!["a b".into()]] {
            let got = validate_offers(&bad).map_err(|error| error.reason());
            assert_eq!(got, Err("invalid_header"), "{bad:?}");
        }
    }
}
