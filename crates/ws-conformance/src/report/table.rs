//! The summary at the end of a run: a line for each group, then what did not pass.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::groups::title;
use crate::judge::Behavior;
use crate::run::{LeftOut, Report};

const COLUMNS: [(Behavior, &str); 5] = [
    (Behavior::Ok, "ok"),
    (Behavior::NonStrict, "non-strict"),
    (Behavior::Failed, "failed"),
    (Behavior::Informational, "informational"),
    (Behavior::Unimplemented, "unimplemented"),
];

/// The summary of `report` as text.
#[must_use]
pub fn summary(report: &Report) -> String {
    let mut groups: BTreeMap<u16, [usize; COLUMNS.len()]> = BTreeMap::new();
    let mut total = [0; COLUMNS.len()];
    for result in &report.results {
        let counts = groups.entry(result.id.group()).or_default();
        let overall = result.verdict.overall();
        for (place, (behavior, _)) in COLUMNS.iter().enumerate() {
            if *behavior == overall {
                counts.iter_mut().skip(place).take(1).for_each(|count| *count += 1);
                total.iter_mut().skip(place).take(1).for_each(|count| *count += 1);
            }
        }
    }
    let mut text = format!("{:<40}", report.agent);
    for (_, name) in COLUMNS {
        let _ = write!(text, "{name:>14}");
    }
    text.push('\n');
    for (group, counts) in &groups {
        line(&mut text, &format!("{group:>3}  {}", title(*group)), counts);
    }
    line(&mut text, "     all", &total);
    for LeftOut { reason, group, count } in &report.left_out {
        let _ = writeln!(text, "{group:>3}  not played, {count} cases: {reason}");
    }
    let kind = if report.peer_is_server { "server" } else { "client" };
    let seconds = report.elapsed.as_secs_f64();
    let _ = writeln!(text, "{} cases against a {kind} in {seconds:.1} s", report.results.len());
    text
}

/// The cases that did not pass, one a line, with the reason.
#[must_use]
pub fn shortcomings(report: &Report) -> String {
    let mut text = String::new();
    for result in &report.results {
        let verdict = &result.verdict;
        if verdict.is_against() {
            let (id, behavior, close) = (&result.id, verdict.behavior, verdict.close);
            let _ = writeln!(text, "{id:<10}{behavior:<14}close {close:<18}{}", verdict.why);
        }
    }
    text
}

fn line(text: &mut String, name: &str, counts: &[usize]) {
    let _ = write!(text, "{name:<40}");
    for count in counts {
        let shown = if *count == 0 { "·".to_owned() } else { count.to_string() };
        let _ = write!(text, "{shown:>14}");
    }
    text.push('\n');
}
