//! What a case is: a number, a sentence, the rows of the RFCs it stands for, and a way to play it.

use std::cmp::Ordering;
use std::fmt::{self, Debug};
use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;

use crate::arena::{Arena, Refused};
use crate::carrier::Carrier;
use crate::judge::Verdict;

/// The number of a case, such as 6.4.1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CaseId(Vec<u16>);

impl CaseId {
    pub(crate) fn new(parts: &[u16]) -> Self {
        Self(parts.to_vec())
    }

    /// The numbers between the points.
    #[must_use]
    pub fn parts(&self) -> &[u16] {
        &self.0
    }

    /// The first number.
    #[must_use]
    pub fn group(&self) -> u16 {
        self.0.first().copied().unwrap_or_default()
    }

    /// Whether this is `section` or lies in it: 6.4.1 is within 6, 6.4 and 6.4.1.
    #[must_use]
    pub fn is_within(&self, section: &Self) -> bool {
        self.0.starts_with(&section.0)
    }
}

impl fmt::Display for CaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.pad(&parts.join("."))
    }
}

impl FromStr for CaseId {
    type Err = String;

    /// Reads numbers between points; a trailing `.*` is allowed and means the same as nothing.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers = text.trim().trim_end_matches(".*");
        let parts: Result<Vec<u16>, _> = numbers.split('.').map(str::parse).collect();
        parts.map(Self).map_err(|_| format!("{text:?} is no case number"))
    }
}

/// Which kind of peer a case can judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Judges {
    /// Servers and clients.
    Both,
    /// Servers only; the suite is the client.
    Servers,
    /// Clients only; the suite is the server.
    Clients,
}

/// What a case costs, and whom it disturbs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Weight {
    /// Mostly waits for a deadline of the peer; any number run at the same time.
    Waiting,
    /// Over in a moment.
    Light,
    /// Moves much data.
    Heavy,
    /// Measures time: runs by itself.
    Alone,
}

/// One case of the suite.
#[derive(Debug)]
pub struct Case {
    /// Its number.
    pub id: CaseId,
    /// What is done, in one sentence.
    pub description: String,
    /// What is expected, in one sentence.
    pub expectation: String,
    /// The rows of the RFC table that it stands for.
    pub rows: &'static [&'static str],
    /// Which peers it can judge.
    pub judges: Judges,
    /// What it can be played over.
    pub carriers: &'static [Carrier],
    /// What it costs.
    pub weight: Weight,
    pub(crate) play: Box<dyn Play>,
}

impl Case {
    pub(crate) fn new(id: &[u16], play: impl Play + 'static) -> Self {
        Self {
            id: CaseId::new(id),
            description: String::new(),
            expectation: String::new(),
            rows: &[],
            judges: Judges::Both,
            carriers: &[Carrier::H1, Carrier::H2, Carrier::H3],
            weight: Weight::Light,
            play: Box::new(play),
        }
    }

    pub(crate) fn does(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    pub(crate) fn expects(mut self, expectation: impl Into<String>) -> Self {
        self.expectation = expectation.into();
        self
    }

    pub(crate) fn cites(mut self, rows: &'static [&'static str]) -> Self {
        self.rows = rows;
        self
    }

    pub(crate) fn judges(mut self, judges: Judges) -> Self {
        self.judges = judges;
        self
    }

    pub(crate) fn over(mut self, carriers: &'static [Carrier]) -> Self {
        self.carriers = carriers;
        self
    }

    pub(crate) fn weighs(mut self, weight: Weight) -> Self {
        self.weight = weight;
        self
    }

    /// Whether the case can judge a server (or else a client).
    #[must_use]
    pub fn applies(&self, peer_is_server: bool) -> bool {
        match self.judges {
            Judges::Both => true,
            Judges::Servers => peer_is_server,
            Judges::Clients => !peer_is_server,
        }
    }
}

impl Case {
    /// Why the case is not played over `carrier`, if it is not.
    #[must_use]
    pub fn why_not_over(&self, carrier: Carrier) -> Option<&'static str> {
        if self.carriers.contains(&carrier) {
            return None;
        }
        Some(match (self.id.group(), carrier) {
            (42, _) => "versions are fallen back from with --over best",
            (_, Carrier::Best) => "only falling back is looked at",
            (30 | 31, _) => "the handshake of HTTP/1.1; 40 and 41 have that of HTTP/2 and HTTP/3",
            (40, _) => "frames of HTTP/2",
            (41, _) => "frames of HTTP/3",
            (50, _) => "stalls inside a head of HTTP/1.1; 40.11 and 41.11 stall before a request",
            _ => "made for another version of HTTP",
        })
    }
}

impl PartialEq for Case {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Case {}

impl PartialOrd for Case {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Case {
    fn cmp(&self, other: &Self) -> Ordering {
        self.id.cmp(&other.id)
    }
}

/// What [`Play::play`] returns.
pub(crate) type Playing<'a> = Pin<Box<dyn Future<Output = Result<Verdict, Refused>> + Send + 'a>>;

/// How a case is played against the peer in the arena.
pub(crate) trait Play: Send + Sync + Debug {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_ordered_and_contained() {
        let id = |text: &str| text.parse::<CaseId>().expect("a case number");
        assert!(id("6.4.1").is_within(&id("6")));
        assert!(id("6.4.1").is_within(&id("6.4.*")));
        assert!(!id("6.41").is_within(&id("6.4")));
        assert!(id("9.1.1") < id("10.1.1"));
        assert_eq!(id("13.7.18").to_string(), "13.7.18");
        assert!("6.x".parse::<CaseId>().is_err());
    }
}
