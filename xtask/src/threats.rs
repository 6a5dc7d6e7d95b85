//! Which test answers which threat: `docs/threats.txt`, part of `cargo xtask coverage` and of tidy.
//!
//! A test cites threats in a comment above it, `// THREAT: fragment-flood`; the attacks of
//! `cargo xtask attack` name theirs in their table. A threat without either needs its reason.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use crate::citation::{Citation, Driven, citations};
use crate::coverage;
use crate::tidy::Findings;
use crate::{attack, workspace};

const ROWS: &str = "docs/threats.txt";
const TABLE: &str = "docs/threats.md";
const MARKER: &str = "THREAT: ";

/// A threat.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    id: String,
    place: String,
    threat: String,
    /// Why there is no test.
    reason: Option<String>,
}

#[derive(Debug, Default)]
struct Threats {
    rows: Vec<Row>,
    cited: BTreeMap<String, Vec<Citation>>,
    /// By threat: the attacks, with their roles.
    attacks: BTreeMap<String, Vec<String>>,
    mistakes: Vec<String>,
}

/// Writes the table; false when something is wrong with the citations.
pub(crate) fn write() -> Result<bool, String> {
    let threats = collect(&workspace::files()?)?;
    for mistake in &threats.mistakes {
        println!("{mistake}");
    }
    fs::write(workspace::root().join(TABLE), threats.table())
        .map_err(|error| format!("{TABLE}: {error}"))?;
    println!("{}; written to {TABLE}", threats.summary());
    Ok(threats.mistakes.is_empty())
}

/// Adds to `findings` what is wrong with the citations, and the count.
pub(crate) fn check(files: &[String], findings: &mut Findings) -> Result<(), String> {
    let threats = collect(files)?;
    findings.notes.push(threats.summary());
    findings.violations.extend(threats.mistakes);
    Ok(())
}

fn collect(files: &[String]) -> Result<Threats, String> {
    let mut threats = Threats { rows: parse(&workspace::read(ROWS)?)?, ..Threats::default() };
    let driven = Driven::collect(files)?;
    for path in files.iter().filter(|path| path.ends_with(".rs") && !path.starts_with("xtask/")) {
        let text = workspace::read(path)?;
        for citation in citations(path, &text, MARKER, &driven, &mut threats.mistakes) {
            threats.cite(citation);
        }
    }
    for (role, name, threat) in attack::threats() {
        threats.attack(role, name, threat);
    }
    threats.judge();
    Ok(threats)
}

fn parse(text: &str) -> Result<Vec<Row>, String> {
    let mut rows: Vec<Row> = Vec::new();
    for line in coverage::content(text) {
        let mut fields = line.splitn(4, '|').map(|field| field.trim().to_owned());
        let (Some(id), Some(place), Some(threat)) = (fields.next(), fields.next(), fields.next())
        else {
            return Err(format!("{ROWS}: three fields expected: {line}"));
        };
        if rows.iter().any(|row| row.id == id) {
            return Err(format!("{ROWS}: {id} stands twice"));
        }
        rows.push(Row { id, place, threat, reason: fields.next() });
    }
    Ok(rows)
}

impl Threats {
    fn knows(&self, id: &str) -> bool {
        self.rows.iter().any(|row| row.id == id)
    }

    fn cite(&mut self, citation: Citation) {
        if self.knows(&citation.id) {
            self.cited.entry(citation.id.clone()).or_default().push(citation);
        } else {
            let Citation { id, path, line, .. } = citation;
            self.mistakes.push(format!("{path}:{line}: {id} is no row of {ROWS}"));
        }
    }

    fn attack(&mut self, role: &str, name: &str, threat: &str) {
        if self.knows(threat) {
            let attack = format!("attack \u{201c}{name}\u{201d} on the {role}");
            self.attacks.entry(threat.to_owned()).or_default().push(attack);
        } else {
            self.mistakes.push(format!("attack {name:?}: {threat} is no row of {ROWS}"));
        }
    }

    /// Every threat has a test or a reason, and none has both.
    fn judge(&mut self) {
        for row in &self.rows {
            let is_answered =
                self.cited.contains_key(&row.id) || self.attacks.contains_key(&row.id);
            match (&row.reason, is_answered) {
                (None, false) => {
                    self.mistakes.push(format!("{ROWS}: {} has neither test nor reason", row.id));
                }
                (Some(_), true) => {
                    self.mistakes.push(format!("{ROWS}: {} has a test and a reason", row.id));
                }
                _ => {}
            }
        }
    }

    fn summary(&self) -> String {
        let reasons = self.rows.iter().filter(|row| row.reason.is_some()).count();
        let answered = self.rows.len() - reasons;
        format!(
            "threats: {answered} of {} answered by tests, {reasons} excepted with a reason",
            self.rows.len()
        )
    }

    fn table(&self) -> String {
        let mut out = String::from(PREFACE);
        for Row { id, place, threat, reason } in &self.rows {
            let answer = match reason {
                Some(reason) => format!("no test: {reason}"),
                None => {
                    let attacks = self.attacks.get(id).map(Vec::as_slice).unwrap_or_default();
                    let tests = self.cited.get(id).map(|cited| coverage::tests(cited));
                    let all: Vec<String> =
                        tests.into_iter().chain(attacks.iter().cloned()).collect();
                    all.join("<br>")
                }
            };
            // Writing to a `String` cannot fail.
            let _ = writeln!(out, "| {id} | {place} | {threat} | {answer} |");
        }
        out
    }
}

const PREFACE: &str = "<!-- Generated by `cargo xtask coverage`; do not edit. -->\n\
# Threats, and which test answers\n\n\
What libraries of the field were attacked with, and what the design must answer without having been\n\
attacked with it. An attack is one of `cargo xtask attack`, which measures the echo programs from\n\
outside ([results](attacks.md)); a test stands in the file behind its name.\n\n\
| threat | where | what | answered by |\n|---|---|---|---|\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn threats(rows: &str) -> Threats {
        Threats { rows: parse(rows).expect("rows"), ..Threats::default() }
    }

    #[test]
    fn a_threat_needs_a_test_or_a_reason_and_not_both() {
        let mut threats = threats("# rows\na | both | x\nb | client | y | no\nc | both | z\n");
        threats.attack("server", "flood", "a");
        threats.judge();
        assert_eq!(threats.mistakes, ["docs/threats.txt: c has neither test nor reason"]);
        threats.attack("server", "flood", "b");
        threats.judge();
        assert!(threats.mistakes.iter().any(|mistake| mistake.contains("b has a test and")));
    }

    #[test]
    fn what_cites_no_threat_is_told() {
        let mut threats = threats("a | both | x\n");
        let text = "// THREAT: a, q\n#[test]\nfn t() {}\n";
        let (driven, mistakes) = (Driven::default(), &mut threats.mistakes);
        for citation in citations("a.rs", text, MARKER, &driven, mistakes) {
            threats.cite(citation);
        }
        assert_eq!(threats.mistakes, ["a.rs:1: q is no row of docs/threats.txt"]);
        assert!(threats.table().contains("| a | both | x | `t` (a.rs) |"), "{}", threats.table());
    }
}
