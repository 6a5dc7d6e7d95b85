//! `cargo xtask tidy`: the house rules that the compiler does not know.
//!
//! Also runs as a test, so that `cargo test` alone enforces them.

mod dependencies;
mod edges;
mod manifests;
mod reasons;
mod sources;
mod text;

use crate::coverage;
use crate::options::Options;
use crate::threats;
use crate::{Verdict, workspace};

pub(crate) const ABOUT: &str = "checks the house rules: crate edges, file length, module docs, \
lints,\nerror reasons, and the rows of the RFCs and the threats that tests cite";

/// What the checks found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// `path:line: what is wrong`, or `path: what is wrong`.
    pub(crate) violations: Vec<String>,
    /// What could not be checked, and figures worth seeing.
    pub(crate) notes: Vec<String>,
}

impl Findings {
    fn violation(&mut self, place: impl std::fmt::Display, what: &str) {
        self.violations.push(format!("{place}: {what}"));
    }
}

/// Runs every check.
pub(crate) fn check() -> Result<Findings, String> {
    let members = workspace::members()?;
    let files = workspace::files()?;
    let mut findings = Findings::default();
    let root = workspace::read("Cargo.toml")?;
    manifests::check(&root, &members, &mut findings)?;
    edges::check(&root, &members, &mut findings);
    sources::check(&files, &mut findings)?;
    text::check(&files, &mut findings)?;
    reasons::check(&files, &mut findings)?;
    coverage::check(&files, &mut findings)?;
    threats::check(&files, &mut findings)?;
    findings.violations.sort();
    Ok(findings)
}

pub(crate) fn command(arguments: Vec<String>) -> Verdict {
    Options::parse(arguments, &[], &[])?;
    let findings = check()?;
    for note in &findings.notes {
        println!("note: {note}");
    }
    for violation in &findings.violations {
        println!("{violation}");
    }
    println!("tidy: {} violations", findings.violations.len());
    Ok(findings.violations.is_empty())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tree_keeps_the_house_rules() {
        let findings = super::check().expect("the tree can be read");
        assert!(findings.violations.is_empty(), "\n{}", findings.violations.join("\n"));
    }
}
