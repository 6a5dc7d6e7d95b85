//! What holds for a whole run.

use std::path::PathBuf;
use std::time::Duration;

use crate::carrier::Carrier;
use crate::case::CaseId;

/// How much of the costly cases is run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effort {
    /// Samples of the costly cases; under two minutes.
    Quick,
    /// Every case as it is written.
    #[default]
    Normal,
    /// Every case, and patience for peers with long deadlines.
    Full,
}

impl Effort {
    /// What is run, in words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Quick => "samples of the costly cases (--quick)",
            Self::Normal => "every case in full",
            Self::Full => "every case in full, with long patience (--full)",
        }
    }
}

/// Settings of a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// How much of the costly cases is run.
    pub effort: Effort,
    /// How long a peer may take to react. Default: 2 s.
    pub wait: Duration,
    /// How long a server may take before it opens WebSockets at all, because it still starts. Default:
    /// none.
    pub startup: Duration,
    /// How long a peer may take to end what a hostile peer leaves hanging. Default: 20 s, with
    /// [`Effort::Full`] 90 s.
    pub patience: Duration,
    /// What carries the WebSockets. Default: HTTP/1.1.
    pub carrier: Carrier,
    /// Header lines, without their CRLF, that each request to a server carries besides its own, for
    /// one that asks for credentials. Default: none.
    pub headers: Vec<String>,
    /// Whether clients are to call by TLS; over HTTP/3 they always are. Default: no.
    pub tls: bool,
    /// Cases that are played and reported but do not count as long as they fail, for the reason beside
    /// each; a section stands for all its cases, of which each has to fail. Default: none.
    pub known_failures: Vec<(CaseId, String)>,
    /// Where the certificate is written that clients may be told to trust. Default: nowhere.
    pub ca_out: Option<PathBuf>,
    /// Cases at the same time. Default: 4.
    pub jobs: usize,
    /// Whether progress is shown on the standard error stream.
    pub progress: bool,
}

impl Settings {
    /// The defaults for `effort`.
    #[must_use]
    pub fn new(effort: Effort) -> Self {
        let patience = match effort {
            Effort::Quick => 8,
            Effort::Normal => 20,
            Effort::Full => 90,
        };
        let (wait, patience) = (Duration::from_secs(2), Duration::from_secs(patience));
        Self {
            effort,
            wait,
            startup: Duration::ZERO,
            patience,
            carrier: Carrier::H1,
            headers: Vec::new(),
            tls: false,
            known_failures: Vec::new(),
            ca_out: None,
            jobs: 4,
            progress: false,
        }
    }

    /// Whether clients call by TLS.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.tls || matches!(self.carrier, Carrier::H3 | Carrier::Best)
    }

    /// `count`, or about a twentieth of it in a quick run.
    pub(crate) fn repetitions(&self, count: usize) -> usize {
        if self.effort == Effort::Quick { count.div_ceil(20) } else { count }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new(Effort::Normal)
    }
}
