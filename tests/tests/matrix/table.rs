//! The matrix as a table: cases downwards, runtimes and what carries the messages across.

use std::fmt;

/// One square.
pub(crate) struct Entry {
    pub(crate) runtime: &'static str,
    pub(crate) column: String,
    pub(crate) case: String,
    pub(crate) result: String,
}

pub(crate) struct Table {
    entries: Vec<Entry>,
}

/// How a result begins that makes the run fail.
pub(crate) const FAILED: &str = "FAILED";

impl Table {
    pub(crate) fn new(entries: Vec<Entry>) -> Self {
        Self { entries }
    }

    pub(crate) fn has_failures(&self) -> bool {
        self.failures().next().is_some()
    }

    fn failures(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.result.starts_with(FAILED))
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runtimes = unique(self.entries.iter().map(|entry| entry.runtime));
        let columns = unique(self.entries.iter().map(|entry| entry.column.as_str()));
        let cases = unique(self.entries.iter().map(|entry| entry.case.as_str()));
        let label = cases.iter().map(|case| case.len()).max().unwrap_or_default();
        let group = (WIDTH + 1) * columns.len();
        write!(f, "{:label$}", "")?;
        for runtime in &runtimes {
            write!(f, " |{runtime:^group$}")?;
        }
        write!(f, "\n{:label$}", "")?;
        for _ in &runtimes {
            f.write_str(" |")?;
            for column in &columns {
                write!(f, " {column:>WIDTH$}")?;
            }
        }
        for case in &cases {
            write!(f, "\n{case:label$}")?;
            for runtime in &runtimes {
                f.write_str(" |")?;
                for column in &columns {
                    let entry = self.entries.iter().find(|entry| {
                        entry.runtime == *runtime && entry.column == *column && entry.case == *case
                    });
                    let result = entry.map_or("", |entry| entry.result.as_str());
                    let result = if result.starts_with(FAILED) { FAILED } else { result };
                    write!(f, " {result:>WIDTH$}")?;
                }
            }
        }
        let ran = self.entries.iter().filter(|entry| entry.result != "-").count();
        let failed = self.failures().count();
        write!(
            f,
            "\n\n{ran} ran, {failed} failed; s: over TLS; +z: with permessage-deflate; -: not there"
        )?;
        for Entry { runtime, column, case, result } in self.failures() {
            write!(f, "\n{runtime} {column} {case}: {result}")?;
        }
        Ok(())
    }
}

/// In the order of their first appearance.
fn unique<'a>(values: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for value in values {
        if !seen.contains(&value) {
            seen.push(value);
        }
    }
    seen
}

const WIDTH: usize = 7;
