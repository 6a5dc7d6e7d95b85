//! `cargo xtask deny`: licences, sources and advisories of the dependencies, by cargo-deny.
//!
//! The tool is not installed from here: it takes longer to build than everything it checks. Where
//! it is absent that is said, and tidy still refuses sources other than the default registry.

use crate::options::Options;
use crate::steps::Outcome;
use crate::{Verdict, process};

pub(crate) const ABOUT: &str = "checks licences, sources and advisories with cargo-deny";

pub(crate) fn command(arguments: Vec<String>) -> Verdict {
    Options::parse(arguments, &[], &[])?;
    let outcome = check()?;
    println!("deny: {outcome:?}");
    Ok(!matches!(outcome, Outcome::Failed(_)))
}

/// Runs what can be run: advisories need a database from the network.
pub(crate) fn check() -> Result<Outcome, String> {
    if !process::has_cargo_command("deny") {
        return Ok(Outcome::Skipped(
            "cargo-deny is not installed (cargo install cargo-deny --locked)".to_owned(),
        ));
    }
    let rules = ["deny", "--all-features", "check", "bans", "licenses", "sources"];
    if !process::run(&mut process::cargo(&rules))? {
        return Ok(Outcome::Failed("bans, licences or sources".to_owned()));
    }
    let fetched = process::run(&mut process::cargo(&["deny", "fetch", "db"]))?;
    if !fetched {
        return Ok(Outcome::Passed(
            "bans, licences, sources; ADVISORIES NOT RUN: the database cannot be fetched"
                .to_owned(),
        ));
    }
    let passed = process::run(&mut process::cargo(&[
        "deny",
        "--all-features",
        "check",
        "--disable-fetch",
        "advisories",
    ]))?;
    Ok(Outcome::of(passed, "advisories"))
}
