//! Verdicts: what is said of a case, and how the events and the end of a connection lead to it.
//!
//! The rule behind every case: against a MUST is FAILED, against a SHOULD (or a legal but
//! unexpected reading) is NON-STRICT, what the RFC leaves open is INFORMATIONAL.

use std::fmt;
use std::time::Duration;

use crate::link::Link;
use crate::log::{Entry, brief};

/// How a peer behaved in a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Behavior {
    /// As the RFC demands.
    Ok,
    /// The case only observes; there is no right or wrong.
    Informational,
    /// The peer does not offer what the case needs, as it may.
    Unimplemented,
    /// Legal, or tolerable, but not what a strict reading asks for.
    NonStrict,
    /// Against a MUST of the RFC.
    Failed,
    /// The case was chosen and nothing can be said: it was not played, or the suite broke down.
    Unjudged,
}

impl Behavior {
    /// The name as reports carry it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Informational => "INFORMATIONAL",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::NonStrict => "NON-STRICT",
            Self::Failed => "FAILED",
            Self::Unjudged => "UNJUDGED",
        }
    }
}

impl fmt::Display for Behavior {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How a connection ended, judged apart from what was said on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CloseBehavior {
    /// As expected.
    Ok,
    /// The case only observes how the connection ends.
    Informational,
    /// The connection ended without a closing handshake where one was due.
    Unclean,
    /// A close code was received that is not among those that fit.
    WrongCode,
    /// The suite, as the client, had to drop TCP because the server did not.
    FailedByClient,
    /// The wrong endpoint ended the connection, nobody did in time, or there was none.
    Failed,
}

impl CloseBehavior {
    /// The name as reports carry it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Informational => "INFORMATIONAL",
            Self::Unclean => "UNCLEAN",
            Self::WrongCode => "WRONG CODE",
            Self::FailedByClient => "FAILED BY CLIENT",
            Self::Failed => "FAILED",
        }
    }

    /// Whether the end of the connection is held against the peer.
    #[must_use]
    pub fn is_failure(self) -> bool {
        self > Self::Informational
    }
}

impl fmt::Display for CloseBehavior {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What is said of one case.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// What was judged of the conversation.
    pub behavior: Behavior,
    /// What was judged of its end.
    pub close: CloseBehavior,
    /// The sentence that explains both.
    pub why: String,
    /// What was observed, in words.
    pub observed: String,
    /// The close code that the peer sent, if it sent one.
    pub remote_code: Option<u16>,
    /// The close reason that the peer sent.
    pub remote_reason: String,
    /// How long the case took, on a monotonic clock.
    pub duration: Duration,
    pub(crate) log: Vec<Entry>,
}

impl Verdict {
    /// A verdict without a connection behind it.
    pub(crate) fn plain(behavior: Behavior, why: impl Into<String>) -> Self {
        let why = why.into();
        Self {
            behavior,
            close: CloseBehavior::Ok,
            observed: why.clone(),
            why,
            remote_code: None,
            remote_reason: String::new(),
            duration: Duration::ZERO,
            log: Vec::new(),
        }
    }

    /// No verdict, for the reason given.
    pub(crate) fn none(why: impl Into<String>) -> Self {
        Self { close: CloseBehavior::Informational, ..Self::plain(Behavior::Unjudged, why) }
    }

    /// A verdict on `link`. A breach of the protocol that the link noticed outweighs `behavior`.
    pub(crate) fn on(
        link: &Link,
        behavior: Behavior,
        close: CloseBehavior,
        why: impl Into<String>,
    ) -> Self {
        let mut verdict = Self::plain(behavior, why);
        verdict.close = close;
        verdict.observed = observed(link);
        if let Some(close) = link.peer_close() {
            verdict.remote_code = close.code;
            verdict.remote_reason.clone_from(&close.reason);
        }
        if let Some(breach) = link.breaches().first() {
            verdict.behavior = Behavior::Failed;
            verdict.why = format!("the peer broke the protocol: {breach}");
        }
        verdict
    }

    /// The verdict on a peer that refused what it was sent by a limit of its own (1009, or 1008),
    /// if it did. A server has to end the stream then as ever.
    pub(crate) fn on_refusal_by_limit(link: &Link) -> Option<Self> {
        let code = link.peer_close().and_then(|close| close.code);
        if !matches!(code, Some(1008 | 1009)) || link.suite_closed_first() {
            return None;
        }
        let allowed = "refused by a limit of the peer, as §10.4 allows";
        let (close, why) = match transport_behavior(link) {
            (CloseBehavior::Ok, _) => (CloseBehavior::Ok, allowed.to_owned()),
            (close, why) => (close, format!("{why}; {allowed}")),
        };
        Some(Self::on(link, Behavior::NonStrict, close, why))
    }

    /// Whether something is held against the peer.
    pub(crate) fn is_against(&self) -> bool {
        matches!(self.overall(), Behavior::Failed | Behavior::NonStrict)
    }

    /// The graver of the two judgements, as one.
    #[must_use]
    pub fn overall(&self) -> Behavior {
        match self.close {
            // A fitting code is a SHOULD (RFC 6455 §7.1.7), the one received only typical (§5.5.1).
            CloseBehavior::WrongCode => self.behavior.max(Behavior::NonStrict),
            close if close.is_failure() => Behavior::Failed,
            _ => self.behavior,
        }
    }
}

/// Who has to end a connection, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The suite closes with 1000 once it has seen what it waited for; the peer answers.
    SuiteCloses(&'static [u16]),
    /// A close frame is among the steps; the peer answers it with one of these codes.
    ScriptCloses(&'static [u16]),
    /// The peer fails the connection, with one of these codes or without any.
    PeerFails(&'static [u16]),
    /// However it ends.
    Any,
}

/// Judges the end of `link`.
pub(crate) fn close_behavior(link: &Link, ending: &Ending) -> (CloseBehavior, String) {
    let peer_close = link.peer_close();
    let code = peer_close.and_then(|close| close.code);
    match ending {
        Ending::Any => (CloseBehavior::Informational, String::new()),
        Ending::SuiteCloses(_) | Ending::ScriptCloses(_) if !link.suite_closed_first() => {
            let how = describe_end(link);
            (CloseBehavior::Failed, format!("the suite was to close, but {how}"))
        }
        Ending::SuiteCloses(_) | Ending::ScriptCloses(_) if peer_close.is_none() => {
            let how = describe_end(link);
            (CloseBehavior::Unclean, format!("our close frame was not answered: {how}"))
        }
        Ending::PeerFails(_) if peer_close.is_none() && link.ended_by_peer() => {
            (CloseBehavior::Ok, String::new())
        }
        Ending::PeerFails(_) if peer_close.is_none() => {
            let why = "the peer was to fail the connection, but left it open";
            (CloseBehavior::Failed, why.into())
        }
        Ending::SuiteCloses(allowed)
        | Ending::ScriptCloses(allowed)
        | Ending::PeerFails(allowed) => {
            let transport = transport_behavior(link);
            let is_wrong = code.is_some_and(|code| !allowed.contains(&code));
            let code = is_wrong.then(|| wrong_code(code, allowed));
            match (code, transport) {
                (None, transport) => transport,
                (Some(why), (CloseBehavior::Ok, _)) => (CloseBehavior::WrongCode, why),
                // What breaks a MUST is not to hide behind what breaks none.
                (Some(code), (close, why)) => (close, format!("{why}; {code}")),
            }
        }
    }
}

/// After both close frames a server has to end TCP itself (RFC 6455 §7.1.1), or its direction of
/// the stream (RFC 8441 §5, RFC 9220 §3).
fn transport_behavior(link: &Link) -> (CloseBehavior, String) {
    if link.suite_is_client() && !link.ended_by_peer() {
        let why = "both close frames were exchanged, but the server did not end the stream";
        return (CloseBehavior::FailedByClient, why.into());
    }
    (CloseBehavior::Ok, String::new())
}

fn wrong_code(code: Option<u16>, allowed: &[u16]) -> String {
    format!("close code {} was sent, allowed is {allowed:?}", code.unwrap_or_default())
}

/// How the connection ended, in words.
pub(crate) fn describe_end(link: &Link) -> String {
    match (link.peer_close(), link.end()) {
        (Some(close), end) => {
            let code = close.code.map_or_else(|| "no code".to_owned(), |code| code.to_string());
            let reason = match close.reason.as_str() {
                "" => String::new(),
                reason => format!(" {}", brief(reason.as_bytes())),
            };
            let end = end.map_or_else(|| "the stream stays open".to_owned(), ToString::to_string);
            format!("the peer sent close ({code}{reason}), {end}")
        }
        (None, Some(end)) => format!("{end} without a close frame"),
        (None, None) => "the connection stays open".into(),
    }
}

fn observed(link: &Link) -> String {
    let mut words: Vec<String> = link.events().iter().take(12).map(ToString::to_string).collect();
    if link.events().len() > 12 {
        words.push(format!("… {} events in all", link.events().len()));
    }
    words.push(describe_end(link));
    words.join("; ")
}
