//! The files that a run leaves behind, and the names that keep the peers in them apart.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use ws_conformance::{CaseResult, Report, html, json, junit};

/// Where the reports are written; nowhere unless asked for.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    pub(crate) json: Option<PathBuf>,
    pub(crate) junit: Option<PathBuf>,
    pub(crate) html: Option<PathBuf>,
}

impl Outputs {
    /// Makes the folders, and sees that the files can be written: a run may take an hour.
    pub(crate) fn prepare(&self) -> io::Result<()> {
        for path in [&self.json, &self.junit, &self.html].into_iter().flatten() {
            let named = |error| naming(path, error);
            let is_folder = self.html.as_ref() == Some(path) && !is_page(path);
            let folder = if is_folder { Some(path.as_path()) } else { path.parent() };
            folder.map_or(Ok(()), fs::create_dir_all).map_err(named)?;
            if !is_folder {
                OpenOptions::new().append(true).create(true).open(path).map_err(named)?;
            }
        }
        Ok(())
    }

    /// Writes what was asked for.
    pub(crate) fn write(&self, reports: &[Report], strict: bool) -> io::Result<()> {
        let file_of = |report: &Report, result: &CaseResult| case_file(&report.agent, result);
        if let Some(path) = &self.json {
            write(path, json::index(reports, strict, file_of))?;
        }
        if let Some(path) = &self.junit {
            write(path, junit::document(reports, strict))?;
        }
        let Some(path) = &self.html else { return Ok(()) };
        if is_page(path) {
            return write(path, html::page(reports, strict));
        }
        write(&path.join("index.html"), html::page(reports, strict))?;
        write(&path.join("index.json"), json::index(reports, strict, file_of))?;
        for report in reports {
            for result in &report.results {
                let file = path.join(case_file(&report.agent, result));
                write(&file, json::case(report, strict, result))?;
            }
        }
        Ok(())
    }
}

/// Gives agents whose files would have the same names a number each.
pub(crate) fn tell_apart(reports: &mut [Report]) {
    let mut taken = HashSet::new();
    for report in reports {
        report.agent = distinct(&report.agent, &mut taken);
    }
}

/// `name`, or it with the first number that makes it differ from those taken.
fn distinct(name: &str, taken: &mut HashSet<String>) -> String {
    let numbered = (2..).map(|number| format!("{name} ({number})"));
    let mut names = std::iter::once(name.to_owned()).chain(numbered);
    names.find(|name| taken.insert(in_file(name))).unwrap_or_default()
}

/// The file of a case's detailed report, as its agent and its number.
fn case_file(agent: &str, result: &CaseResult) -> String {
    format!("{}.json", in_file(&format!("{agent}_case_{}", result.id)))
}

/// A name as the name of a file.
fn in_file(name: &str) -> String {
    let safe = |character: char| if character.is_ascii_alphanumeric() { character } else { '_' };
    name.chars().map(safe).collect::<String>().to_lowercase()
}

fn is_page(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "html")
}

fn write(path: &Path, text: String) -> io::Result<()> {
    fs::write(path, text).map_err(|error| naming(path, error))
}

/// An error that says which file it is about.
fn naming(path: &Path, error: io::Error) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_so_do_their_files() {
        let mut taken = HashSet::new();
        let names = ["X", "X", "x", "a b", "a_b", "X (2)"];
        let found = names.map(|name| distinct(name, &mut taken));
        assert_eq!(found, ["X", "X (2)", "x (3)", "a b", "a_b (2)", "X (2) (2)"]);
    }
}
