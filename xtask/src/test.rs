//! `cargo xtask test`: the one command that says whether this tree is good.
//!
//! Every step runs even when one before it failed. A step whose tool is absent says so and counts
//! as skipped. The steps share one target directory, and flags go to the last compiler only, so
//! that each step builds on the one before it.

use crate::failures::Failures;
use crate::options::Options;
use crate::steps::{Outcome, Steps};
use crate::{
    Verdict, attack, bench, conformance, deny, docs, features, fuzz, minimal, msrv, peers, process,
    targets, tidy, workspace,
};

pub(crate) const ABOUT: &str = "everything: formatting, house rules, lints, tests, documentation, features, oldest Rust, oldest dependencies,\n\
other targets, counts, fuzz targets, dependencies, real peers, conformance, attacks\n\
--only STEP[,STEP]  --skip STEP[,STEP]";

/// A step, or one that is several: a line in the table for each peer.
enum Step {
    One(fn() -> Result<Outcome, String>),
    Many(fn(&mut Steps)),
}

const STEPS: &[(&str, Step)] = &[
    ("fmt", Step::One(fmt)),
    ("tidy", Step::One(tidy)),
    ("clippy", Step::One(clippy)),
    ("tests", Step::One(tests)),
    ("docs", Step::One(docs)),
    ("features", Step::One(features)),
    ("msrv", Step::One(msrv::check)),
    ("minimal", Step::One(minimal::check)),
    ("targets", Step::Many(targets::check)),
    ("counts", Step::One(bench::step)),
    ("fuzz", Step::One(fuzz::smoke)),
    ("scaling", Step::One(fuzz::scaling)),
    ("deny", Step::Many(deny::check)),
    ("peers", Step::Many(peers::check)),
    ("conformance", Step::Many(conformance::quick)),
    ("attack", Step::One(attack::step)),
];

pub(crate) fn command(arguments: Vec<String>) -> Verdict {
    let options = Options::parse(arguments, &["only", "skip"], &[])?;
    let (only, skip) = (options.all("only"), options.all("skip"));
    for name in only.iter().chain(&skip) {
        if !STEPS.iter().any(|(step, _)| step == name) {
            let names: Vec<&str> = STEPS.iter().map(|(step, _)| *step).collect();
            return Err(format!("no step {name:?}; there are {}", names.join(", ")));
        }
    }
    let mut steps = Steps::default();
    for (name, step) in STEPS {
        if !only.is_empty() && !only.contains(name) {
            continue;
        }
        if skip.contains(name) {
            steps.run(name, || Ok(Outcome::Skipped("left out by --skip".to_owned())));
            continue;
        }
        match step {
            Step::One(step) => steps.run(name, step),
            Step::Many(step) => step(&mut steps),
        }
    }
    Ok(steps.report())
}

fn fmt() -> Result<Outcome, String> {
    if !process::has_cargo_command("fmt") {
        return Ok(Outcome::Skipped("rustfmt is not installed".to_owned()));
    }
    let passed = process::run(&mut process::cargo(&["fmt", "--all", "--check"]))?;
    Ok(Outcome::of(passed, "run `cargo fmt --all`"))
}

fn tidy() -> Result<Outcome, String> {
    let findings = tidy::check()?;
    for line in findings.notes.iter().chain(&findings.violations) {
        println!("{line}");
    }
    let count = findings.violations.len();
    Ok(Outcome::of(count == 0, &format!("{count} violations")))
}

/// Each package on its own: in a workspace build cargo unifies features, which hides what a package
/// forgot to ask for.
fn clippy() -> Result<Outcome, String> {
    if !process::has_cargo_command("clippy") {
        return Ok(Outcome::Skipped("clippy is not installed".to_owned()));
    }
    let mut failed = Vec::new();
    for member in workspace::members()? {
        let package = ["--package", &member.name, "--all-targets", "--all-features"];
        let mut command = process::cargo(&["clippy", "--quiet"]);
        command.args(package).args(["--", "-D", "warnings"]);
        if !process::run(&mut command)? {
            failed.push(member.name);
        }
    }
    Ok(Outcome::of(failed.is_empty(), &failed.join(", ")))
}

fn tests() -> Result<Outcome, String> {
    let mut passed = 0;
    let mut ignored = 0;
    let mut failures = Failures::default();
    let mut command = process::cargo(&["test", "--workspace", "--all-features", "--no-fail-fast"]);
    let green = process::run_observed(&mut command, |line| {
        passed += count(line, "passed");
        ignored += count(line, "ignored");
        failures.observe(line);
    })?;
    if !green {
        return Ok(Outcome::Failed(failures.summary()));
    }
    Ok(Outcome::Passed(format!("{passed} tests passed, {ignored} ignored")))
}

/// The number before `word` in a line such as `test result: ok. 3 passed; 0 failed; …`.
fn count(line: &str, word: &str) -> usize {
    let Some(result) = line.strip_prefix("test result:") else { return 0 };
    let field = result.split([';', '.']).find_map(|field| field.trim().strip_suffix(word));
    field.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

fn docs() -> Result<Outcome, String> {
    Ok(Outcome::of(docs::check()?, "rustdoc warnings or dead links"))
}

fn features() -> Result<Outcome, String> {
    features::check(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_a_test_run_are_read_from_its_result_lines() {
        let line = "test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 0 filtered out";
        assert_eq!((count(line, "passed"), count(line, "ignored")), (12, 3));
        assert_eq!(count("running 12 passed", "passed"), 0);
    }
}
