//! Which rows of the RFC table are observed by which cases.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::case::{Case, CaseId};

/// One line for each row that a case cites: the row, then the cases.
#[must_use]
pub fn table(cases: &[Case]) -> String {
    let mut rows: BTreeMap<&str, Vec<&CaseId>> = BTreeMap::new();
    for case in cases {
        for row in case.rows {
            rows.entry(row).or_default().push(&case.id);
        }
    }
    let mut text = String::new();
    for (row, ids) in &rows {
        let shown: Vec<String> = ids.iter().take(8).map(ToString::to_string).collect();
        let more = match ids.len().saturating_sub(8) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let _ = writeln!(text, "{row:<18} {}{more}", shown.join(" "));
    }
    let _ = writeln!(text, "{} rows are observed by {} cases", rows.len(), cases.len());
    text
}
