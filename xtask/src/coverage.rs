//! `cargo xtask coverage`: which test answers which requirement of the RFCs.
//!
//! A test cites rows in a comment above it, `// RFC: WS-5.2-03, WS-5.2-05`; a case of the
//! conformance suite by `.cites(&["WS-5.2-03"])`, or in the table that its cases are made from. The rows are in `docs/rfc-rows.txt`, those that fall on nobody here in `docs/rfc-exceptions.txt`, and the table
//! in `docs/rfc-coverage.md` is generated from both. The number of rows answered there is a floor:
//! tidy refuses a tree that answers fewer.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use crate::citation::{Citation, Driven, citations};
use crate::options::Options;
use crate::tidy::Findings;
use crate::{Verdict, threats, workspace};

pub(crate) const ABOUT: &str = "writes docs/rfc-coverage.md and docs/threats.md: the rows of the \
RFCs\nand the threats, with the tests that cite them";

const ROWS: &str = "docs/rfc-rows.txt";
const EXCEPTIONS: &str = "docs/rfc-exceptions.txt";
const TABLE: &str = "docs/rfc-coverage.md";
const SUITE: &str = "crates/ws-conformance/";

/// A requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    id: String,
    level: String,
    role: String,
    requirement: String,
}

#[derive(Debug)]
struct Coverage {
    rows: Vec<Row>,
    /// By row id; every id is one of `rows`.
    cited: BTreeMap<String, Vec<Citation>>,
    exceptions: BTreeMap<String, String>,
    /// Citations and exceptions of rows that do not exist.
    mistakes: Vec<String>,
}

pub(crate) fn command(arguments: Vec<String>) -> Verdict {
    Options::parse(arguments, &[], &[])?;
    let coverage = collect(&workspace::files()?)?;
    for mistake in &coverage.mistakes {
        println!("{mistake}");
    }
    fs::write(workspace::root().join(TABLE), coverage.table())
        .map_err(|error| format!("{TABLE}: {error}"))?;
    println!("{}; written to {TABLE}", coverage.summary());
    Ok(threats::write()? && coverage.mistakes.is_empty())
}

/// Adds to `findings` what is wrong with the citations, and the count.
pub(crate) fn check(files: &[String], findings: &mut Findings) -> Result<(), String> {
    let coverage = collect(files)?;
    let floor = floor(&workspace::read(TABLE).unwrap_or_default());
    let cited = coverage.cited.len();
    if cited < floor {
        let what = format!("{TABLE}: {floor} rows were answered by tests, now {cited}");
        findings.violations.push(what);
    }
    findings.notes.push(coverage.summary());
    findings.violations.extend(coverage.mistakes);
    Ok(())
}

fn collect(files: &[String]) -> Result<Coverage, String> {
    let rows = parse_rows(&workspace::read(ROWS)?)?;
    let exceptions = parse_exceptions(&workspace::read(EXCEPTIONS)?)?;
    let mut cited: BTreeMap<String, Vec<Citation>> = BTreeMap::new();
    let (driven, mut mistakes) = (Driven::collect(files)?, Vec::new());
    let known = |id: &str| rows.iter().any(|row| row.id == id);
    for path in files.iter().filter(|path| path.ends_with(".rs") && !path.starts_with("xtask/")) {
        let text = workspace::read(path)?;
        // The suite's own tests prove its own codec, not ours: only its cases count.
        let found = if path.starts_with(SUITE) {
            cases(path, &text, known)
        } else {
            citations(path, &text, "RFC: ", &driven, &mut mistakes)
        };
        for citation in found {
            if known(&citation.id) {
                cited.entry(citation.id.clone()).or_default().push(citation);
            } else {
                let Citation { id, path, line, .. } = citation;
                mistakes.push(format!("{path}:{line}: {id} is no row of {ROWS}"));
            }
        }
    }
    for id in exceptions.keys() {
        if !known(id) {
            mistakes.push(format!("{EXCEPTIONS}: {id} is no row of {ROWS}"));
        }
    }
    Ok(Coverage { rows, cited, exceptions, mistakes })
}

fn parse_rows(text: &str) -> Result<Vec<Row>, String> {
    let mut rows: Vec<Row> = Vec::new();
    for line in content(text) {
        let fields: Vec<&str> = line.splitn(4, '|').map(str::trim).collect();
        let [id, level, role, requirement] = fields[..] else {
            return Err(format!("{ROWS}: four fields expected: {line}"));
        };
        if rows.iter().any(|row| row.id == id) {
            return Err(format!("{ROWS}: {id} stands twice"));
        }
        let [id, level, role, requirement] = [id, level, role, requirement].map(String::from);
        rows.push(Row { id, level, role, requirement });
    }
    Ok(rows)
}

fn parse_exceptions(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut exceptions = BTreeMap::new();
    for line in content(text) {
        let (id, reason) =
            line.split_once('|').ok_or_else(|| format!("{EXCEPTIONS}: no reason: {line}"))?;
        exceptions.insert(id.trim().to_owned(), reason.trim().to_owned());
    }
    Ok(exceptions)
}

pub(crate) fn content(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Every row that a case of the conformance suite in this file cites. Cases that are made from a
/// table have their rows in it: there whatever is the name of a row counts, and nothing else.
fn cases(path: &str, text: &str, known: impl Fn(&str) -> bool) -> Vec<Citation> {
    let mut found = Vec::new();
    if !text.contains(".cites(") {
        return found;
    }
    for (index, line) in text.lines().enumerate() {
        for id in line.split('"').skip(1).step_by(2).filter(|id| known(id)) {
            let (id, path) = (id.to_owned(), path.to_owned());
            found.push(Citation { id, path, line: index + 1, test: None });
        }
    }
    let mut line = 1;
    let mut parts = text.split(".cites(&[");
    line += parts.next().unwrap_or_default().matches('\n').count();
    for part in parts {
        let ids = part.split(']').next().unwrap_or_default();
        for id in ids.split('"').skip(1).step_by(2).filter(|id| !known(id)) {
            found.push(Citation { id: id.to_owned(), path: path.to_owned(), line, test: None });
        }
        line += part.matches('\n').count();
    }
    found
}

/// The number that the committed table promises.
fn floor(table: &str) -> usize {
    let line = table.lines().find_map(|line| line.strip_prefix("Answered by tests: "));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

impl Coverage {
    fn summary(&self) -> String {
        format!(
            "RFC rows: {} of {} answered by tests, {} excepted with a reason, {} open",
            self.cited.len(),
            self.rows.len(),
            self.exceptions.keys().filter(|id| !self.cited.contains_key(*id)).count(),
            self.open().count()
        )
    }

    fn open(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| {
            !self.cited.contains_key(&row.id) && !self.exceptions.contains_key(&row.id)
        })
    }

    fn table(&self) -> String {
        let mut out = String::from(PREFACE);
        let mut line = |text: std::fmt::Arguments<'_>| {
            // Writing to a `String` cannot fail.
            let _ = out.write_fmt(text);
            out.push('\n');
        };
        line(format_args!("Answered by tests: {} of {} rows.", self.cited.len(), self.rows.len()));
        line(format_args!("\n## Rows and their tests\n"));
        line(format_args!("| row | level | role | requirement | tests |"));
        line(format_args!("|---|---|---|---|---|"));
        for row in &self.rows {
            let Some(citations) = self.cited.get(&row.id) else { continue };
            let tests = tests(citations);
            let Row { id, level, role, requirement } = row;
            line(format_args!("| {id} | {level} | {role} | {requirement} | {tests} |"));
        }
        line(format_args!("\n## Rows without a test, and why\n"));
        line(format_args!("| row | level | role | requirement | reason |"));
        line(format_args!("|---|---|---|---|---|"));
        for row in self.rows.iter().filter(|row| !self.cited.contains_key(&row.id)) {
            let reason = self.exceptions.get(&row.id).map_or("**open**", String::as_str);
            let Row { id, level, role, requirement } = row;
            line(format_args!("| {id} | {level} | {role} | {requirement} | {reason} |"));
        }
        out
    }
}

pub(crate) fn tests(citations: &[Citation]) -> String {
    let mut names: Vec<String> = citations
        .iter()
        .map(|citation| match &citation.test {
            Some(test) => format!("`{}` ({})", test, citation.path),
            None => citation.path.clone(),
        })
        .collect();
    names.sort();
    names.dedup();
    names.join("<br>")
}

const PREFACE: &str = "<!-- Generated by `cargo xtask coverage`; do not edit. -->\n\
# What the RFCs ask, and which test answers\n\n\
Rows are requirements of RFC 6455, 7692, 8441, 9220 and the parts of 9110, 9112, 9113 and 9114 that\n\
fall on a WebSocket library, numbered by section. Levels: M must, N must not, S should, T should\n\
not, O may, A algorithm step of a must, G guidance. Roles: C client, S server, B both, P proxy,\n\
D the definition of an extension.\n\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_of_the_suite_cite_in_their_own_way() {
        let known = |id: &str| ["WS-1-01", "WS-1-02", "WS-2-01"].contains(&id);
        let text =
            "a\n.cites(&[\"WS-1-01\", \"WS-1-02\", \"WS-9\"])\nb.cites(&[\n\"WS-2-01\",\n])\n";
        let found: Vec<(String, usize)> =
            cases("a.rs", text, known).into_iter().map(|c| (c.id, c.line)).collect();
        let row = |id: &str, line: usize| (id.to_owned(), line);
        let expected = [row("WS-1-01", 2), row("WS-1-02", 2), row("WS-2-01", 4), row("WS-9", 2)];
        assert_eq!(found, expected);
        let table = "let table = [(\"UTF-8\", &[\"WS-2-01\"])];\ncase.cites(rows)\n";
        let found: Vec<String> = cases("a.rs", table, known).into_iter().map(|c| c.id).collect();
        assert_eq!(found, ["WS-2-01"]);
        assert!(cases("a.rs", "\"WS-2-01\"", known).is_empty());
    }

    #[test]
    fn the_table_states_its_own_floor_and_lists_what_is_open() {
        let row = |id: &str| Row {
            id: id.into(),
            level: "M".into(),
            role: "B".into(),
            requirement: "something".into(),
        };
        let citation = Citation { id: "A".into(), path: "a.rs".into(), line: 1, test: None };
        let coverage = Coverage {
            rows: vec![row("A"), row("B"), row("C")],
            cited: BTreeMap::from([("A".into(), vec![citation])]),
            exceptions: BTreeMap::from([("B".into(), "policy".into())]),
            mistakes: Vec::new(),
        };
        let table = coverage.table();
        assert_eq!(floor(&table), 1);
        assert!(table.contains("| A | M | B | something | a.rs |"), "{table}");
        assert!(table.contains("| B | M | B | something | policy |"), "{table}");
        assert!(table.contains("| C | M | B | something | **open** |"), "{table}");
    }
}
