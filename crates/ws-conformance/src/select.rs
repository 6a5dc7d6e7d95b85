//! Which cases are run: sections such as 1, 6.4 or 20.1.3, and exceptions.

use crate::case::{Case, CaseId};

/// A choice of cases.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Selection {
    /// Only cases in these sections; all when empty.
    pub sections: Vec<CaseId>,
    /// No cases in these sections.
    pub excluded: Vec<CaseId>,
}

impl Selection {
    /// The chosen cases that can judge this kind of peer.
    #[must_use]
    pub fn apply(&self, cases: Vec<Case>, peer_is_server: bool) -> Vec<Case> {
        let lies_in = |case: &Case, sections: &[CaseId]| {
            sections.iter().any(|section| case.id.is_within(section))
        };
        let chosen = |case: &Case| {
            case.applies(peer_is_server)
                && (self.sections.is_empty() || lies_in(case, &self.sections))
                && !lies_in(case, &self.excluded)
        };
        cases.into_iter().filter(chosen).collect()
    }
}

/// Reads a list such as `1,6.4,20.1.3`.
///
/// # Errors
///
/// What is not a case number, in words.
pub fn parse_sections(list: &str) -> Result<Vec<CaseId>, String> {
    list.split(',').map(str::parse).collect()
}
