//! `cargo xtask deny`: licences, sources and advisories of the dependencies, by cargo-deny.
//!
//! Building the tool takes minutes, so it is installed on request only. Where it is absent that is
//! said, and tidy still refuses sources other than the default registry.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::steps::{self, Outcome, Steps};
use crate::{Verdict, process, workspace};

pub(crate) const ABOUT: &str = "checks licences, sources and advisories with cargo-deny\n\
--install       builds cargo-deny into target/tools first, if it is missing\n\
--install-only  builds it and stops";

/// The version that deny.toml is written for.
const VERSION: &str = "0.20.2";
/// Longer than it takes on two slow cores; after that the checks are not run.
const BUILD: Duration = Duration::from_secs(15 * 60);
const FETCH: Duration = Duration::from_secs(120);

pub(crate) fn command(arguments: Vec<String>) -> Verdict {
    steps::command(arguments, install, check)
}

/// Builds the tool into the project when there is none, and says so when that fails.
pub(crate) fn install() {
    println!("\n=== installing cargo-deny ===");
    if tool().is_some() {
        return;
    }
    let mut command = process::cargo(&["install", "cargo-deny", "--locked", "--version", VERSION]);
    command.arg("--root").arg(tools()).env_remove("CARGO_TARGET_DIR");
    match process::run_within(&mut command, BUILD) {
        Ok(Some(status)) if status.success() => {}
        Ok(Some(status)) => println!("!!! NOT INSTALLED: cargo-deny: {status}"),
        Ok(None) => println!("!!! NOT INSTALLED: cargo-deny: over {} s", BUILD.as_secs()),
        Err(why) => println!("!!! NOT INSTALLED: cargo-deny: {why}"),
    }
}

/// Two steps: the rules of deny.toml, and the advisories, whose database comes from the network.
pub(crate) fn check(steps: &mut Steps) {
    let tool = tool();
    steps.run("deny", || {
        let Some(tool) = &tool else { return Ok(absent()) };
        let rules = ["check", "bans", "licenses", "sources"];
        let default = process::run(deny(tool).args(rules))?;
        let all = process::run(deny(tool).arg("--all-features").args(rules))?;
        Ok(Outcome::of(default && all, "see above"))
    });
    steps.run("advisories", || {
        let Some(tool) = &tool else { return Ok(absent()) };
        let fetched = process::run_within(deny(tool).args(["fetch", "db"]), FETCH)?;
        if !fetched.is_some_and(|status| status.success()) {
            return Ok(Outcome::Skipped("the database of advisories cannot be fetched".to_owned()));
        }
        let offline = ["--offline", "--all-features", "check", "advisories"];
        Ok(Outcome::of(process::run(deny(tool).args(offline))?, "see above"))
    });
}

fn absent() -> Outcome {
    Outcome::Skipped("cargo-deny is not installed (cargo xtask deny --install)".to_owned())
}

fn deny(tool: &PathBuf) -> Command {
    let mut command = Command::new(tool);
    command.current_dir(workspace::root());
    command
}

fn tool() -> Option<PathBuf> {
    let name = format!("cargo-deny{}", std::env::consts::EXE_SUFFIX);
    let own = tools().join("bin").join(&name);
    if own.is_file() { Some(own) } else { process::find(&[&name]) }
}

fn tools() -> PathBuf {
    workspace::root().join("target").join("tools")
}
