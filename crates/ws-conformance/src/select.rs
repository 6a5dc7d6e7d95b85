//! Which cases are run: sections such as 1, 6.4 or 20.1.3, and exceptions.

use std::collections::BTreeSet;

use crate::carrier::Carrier;
use crate::case::{Case, CaseId};
use crate::run::LeftOut;

/// A choice of cases.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Selection {
    /// Only cases in these sections; all when empty.
    pub sections: Vec<CaseId>,
    /// No cases in these sections.
    pub excluded: Vec<CaseId>,
    /// No cases in these either, for the reason beside each, which reports repeat.
    pub excused: Vec<(CaseId, String)>,
}

impl Selection {
    /// The chosen cases that can judge this kind of peer.
    #[must_use]
    pub fn apply(&self, cases: Vec<Case>, peer_is_server: bool) -> Vec<Case> {
        let chosen = |case: &Case| case.applies(peer_is_server) && self.includes(case);
        cases.into_iter().filter(chosen).collect()
    }

    /// Whether the case is chosen, whomever it judges.
    #[must_use]
    pub fn includes(&self, case: &Case) -> bool {
        self.is_wanted(case) && !self.excused.iter().any(|(section, _)| case.id.is_within(section))
    }

    /// What of `cases` was left out for a reason that was given, and would have been played. A
    /// case counts for the first reason that covers it.
    #[must_use]
    pub fn left_out(&self, cases: &[Case], peer_is_server: bool, carrier: Carrier) -> Vec<LeftOut> {
        let played = |case: &&Case| {
            case.applies(peer_is_server)
                && case.why_not_over(carrier).is_none()
                && self.is_wanted(case)
        };
        let first_line =
            |case: &Case| self.excused.iter().position(|(section, _)| case.id.is_within(section));
        let lines: Vec<usize> = cases.iter().filter(played).filter_map(first_line).collect();
        let left_out = |(line, (section, reason)): (usize, &(CaseId, String))| {
            let count = lines.iter().filter(|first| **first == line).count();
            LeftOut { reason: reason.clone(), section: section.clone(), count }
        };
        self.excused.iter().enumerate().map(left_out).filter(|one| one.count > 0).collect()
    }

    fn is_wanted(&self, case: &Case) -> bool {
        let lies_in = |sections: &[CaseId]| sections.iter().any(|one| case.id.is_within(one));
        (self.sections.is_empty() || lies_in(&self.sections)) && !lies_in(&self.excluded)
    }
}

/// Reads a list such as `1,6.4,20.1.3`.
///
/// # Errors
///
/// What is not a case number, or the number of no case of `cases`, in words that name those there are.
pub fn parse_sections(list: &str, cases: &[Case]) -> Result<Vec<CaseId>, String> {
    list.split(',').map(|number| parse_section(number, cases)).collect()
}

fn parse_section(number: &str, cases: &[Case]) -> Result<CaseId, String> {
    let section: CaseId = number.parse()?;
    if cases.iter().any(|case| case.id.is_within(&section)) {
        return Ok(section);
    }
    Err(format!("there is no case {section}: {}", what_there_is(&section, cases)))
}

/// The numbers that could stand in the place of the first one of `section` that leads nowhere.
fn what_there_is(section: &CaseId, cases: &[Case]) -> String {
    let parts = section.parts();
    let found = (0..parts.len()).rev().find_map(|length| {
        let parent = CaseId::new(parts.get(..length)?);
        let within = cases.iter().filter(|case| case.id.is_within(&parent));
        let next: BTreeSet<u16> =
            within.clone().filter_map(|case| case.id.parts().get(length).copied()).collect();
        within.count().gt(&0).then_some((parent, next))
    });
    match found {
        Some((parent, next)) if parent.parts().is_empty() => {
            format!("the groups are {}", ranges("", &next))
        }
        Some((parent, next)) if next.is_empty() => format!("{parent} has nothing below it"),
        Some((parent, next)) => format!("{parent} has {}", ranges(&format!("{parent}."), &next)),
        None => "there are no cases".into(),
    }
}

/// Numbers in ascending order, those in a row as `1 to 7`.
fn ranges(prefix: &str, numbers: &BTreeSet<u16>) -> String {
    let mut rows: Vec<(u16, u16)> = Vec::new();
    for number in numbers.iter().copied() {
        match rows.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => rows.push((number, number)),
        }
    }
    let words = |(first, last): (u16, u16)| match last - first {
        0 => format!("{prefix}{first}"),
        1 => format!("{prefix}{first}, {prefix}{last}"),
        _ => format!("{prefix}{first} to {prefix}{last}"),
    };
    rows.into_iter().map(words).collect::<Vec<String>>().join(", ")
}

/// Reads a file of cases to leave out, or of those that are known to fail: in each line a case or a
/// section and, behind white space, the reason. Empty lines and those that begin with `#` are passed over.
///
/// # Errors
///
/// The first line that names no case of `cases`, or no reason, in words.
pub fn parse_reasons(text: &str, cases: &[Case]) -> Result<Vec<(CaseId, String)>, String> {
    let read = |line: &str| {
        let (number, reason) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        let section = parse_section(number, cases)?;
        match reason.trim() {
            "" => Err(format!("{section} has no reason")),
            reason => Ok((section, reason.to_owned())),
        }
    };
    (1..)
        .zip(text.lines().map(str::trim))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| read(line).map_err(|why| format!("line {number}: {why}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups;

    #[test]
    fn a_number_without_a_case_is_answered_by_those_there_are() {
        let cases = groups::all();
        let refused = |list: &str| parse_sections(list, &cases).expect_err(list);
        let groups = refused("1,99");
        assert!(
            groups.starts_with("there is no case 99: the groups are 1 to 7, 9, 10, 12, 13, 20 to")
        );
        assert_eq!(refused("7.9.77"), "there is no case 7.9.77: 7.9 has 7.9.1 to 7.9.9");
        assert_eq!(refused("9.88.1"), "there is no case 9.88.1: 9 has 9.1 to 9.8");
        assert_eq!(refused("1.1.1.1"), "there is no case 1.1.1.1: 1.1.1 has nothing below it");
        assert_eq!(refused("1.x"), "\"1.x\" is no case number");
        assert_eq!(parse_sections("1.*, 6.4", &cases).map(|sections| sections.len()), Ok(2));
    }

    #[test]
    fn a_case_is_left_out_once_however_many_lines_name_it() {
        let cases = groups::all();
        let excused = parse_reasons("1.1.1 one\n1.1 all\n1.1.2 again\n1 both\n", &cases);
        let excused = excused.expect("cases with reasons");
        let selection = Selection { excused, ..Selection::default() };
        let left_out = selection.left_out(&cases, true, Carrier::H1);
        let counts: Vec<(&str, usize)> =
            left_out.iter().map(|one| (one.reason.as_str(), one.count)).collect();
        assert_eq!(counts, [("one", 1), ("all", 7), ("both", 8)]);
    }
}
