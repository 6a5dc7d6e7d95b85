//! How the result of a case counts for the run: a failure that is known does not, and a case that is
//! known to fail and passes does, so that what is known stays true.

use crate::case::CaseId;
use crate::judge::Behavior;
use crate::run::CaseResult;

/// How a case counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// Nothing in it fails the run.
    Passes,
    /// It fails the run.
    Fails,
    /// It would fail the run, and is known to.
    FailsAsKnown,
    /// It is known to fail and would not fail the run. That does.
    PassesUnexpectedly,
    /// Nothing can be said, so the run is no pass.
    Unjudged,
}

impl CaseResult {
    /// How it counts; with `strict` what is non-strict is a failure, too.
    #[must_use]
    pub fn standing(&self, strict: bool) -> Standing {
        let overall = self.verdict.overall();
        let fails = overall == Behavior::Failed || strict && overall == Behavior::NonStrict;
        match (overall, fails, &self.known) {
            (Behavior::Unjudged, ..) => Standing::Unjudged,
            (_, true, None) => Standing::Fails,
            (_, true, Some(_)) => Standing::FailsAsKnown,
            (_, false, None) => Standing::Passes,
            (_, false, Some(_)) => Standing::PassesUnexpectedly,
        }
    }

    /// What there is to say of a failure that was known; nothing where none was.
    pub(crate) fn of_known(&self, strict: bool) -> Option<String> {
        let reason = self.known.as_ref()?;
        match self.standing(strict) {
            Standing::PassesUnexpectedly => {
                Some(format!("passes unexpectedly, known to fail: {reason}"))
            }
            Standing::FailsAsKnown => Some(format!("known to fail: {reason}")),
            _ => None,
        }
    }
}

/// The reason beside the first of the sections that `case` lies in.
pub(crate) fn reason_for(case: &CaseId, known: &[(CaseId, String)]) -> Option<String> {
    known.iter().find(|(section, _)| case.is_within(section)).map(|(_, reason)| reason.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups;
    use crate::judge::Verdict;

    #[test]
    fn a_known_failure_counts_when_it_is_none() {
        let case = &groups::all()[0];
        let standing = |behavior, known: bool, strict| {
            let mut result = CaseResult::new(case, Verdict::plain(behavior, "why"), &[]);
            result.known = known.then(|| "issue 12".to_owned());
            result.standing(strict)
        };
        for (behavior, strict, unknown, known) in [
            (Behavior::Failed, false, Standing::Fails, Standing::FailsAsKnown),
            (Behavior::NonStrict, true, Standing::Fails, Standing::FailsAsKnown),
            (Behavior::NonStrict, false, Standing::Passes, Standing::PassesUnexpectedly),
            (Behavior::Ok, true, Standing::Passes, Standing::PassesUnexpectedly),
            (Behavior::Informational, true, Standing::Passes, Standing::PassesUnexpectedly),
            (Behavior::Unimplemented, true, Standing::Passes, Standing::PassesUnexpectedly),
            (Behavior::Unjudged, false, Standing::Unjudged, Standing::Unjudged),
        ] {
            assert_eq!(standing(behavior, false, strict), unknown, "{behavior}");
            assert_eq!(standing(behavior, true, strict), known, "{behavior}");
        }
    }
}
