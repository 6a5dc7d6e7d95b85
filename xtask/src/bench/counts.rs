//! Counts that do not depend on how busy the machine is, against a committed baseline.
//!
//! `ws-counts` counts allocations and transport calls itself. Its instructions are counted by
//! valgrind at two numbers of messages: the difference is what messages cost.

use std::path::Path;
use std::process::{Command, Stdio};

use super::baseline::{self, Change, Count};
use crate::steps::Outcome;
use crate::{Verdict, process, workspace};

const BASELINE: &str = "tests/peers/rust/counts.txt";

/// Messages of a run that counts itself, and of the two runs under valgrind.
const COUNT: u64 = 1600;
const FEW: u64 = 160;
const MANY: u64 = 960;

pub(super) fn command(bless: bool) -> Verdict {
    let found = take()?;
    if bless {
        if found.missing.is_some() {
            return Err("a baseline without instructions is none: install valgrind".to_owned());
        }
        let text = baseline::write(&found.counts, &compiler());
        std::fs::write(workspace::root().join(BASELINE), text)
            .map_err(|error| format!("{BASELINE}: {error}"))?;
        println!("wrote {BASELINE}");
        return Ok(true);
    }
    match judge(&found)? {
        Outcome::Failed(why) => {
            println!("!!! {why}");
            Ok(false)
        }
        Outcome::Passed(detail) | Outcome::Skipped(detail) => {
            println!("{detail}");
            Ok(true)
        }
    }
}

/// The step of `cargo xtask test`.
pub(crate) fn step() -> Result<Outcome, String> {
    judge(&take()?)
}

struct Found {
    counts: Vec<Count>,
    /// Why there are no instructions.
    missing: Option<String>,
}

fn take() -> Result<Found, String> {
    let program = super::build("ws-counts", &[])?;
    let names = output(&mut Command::new(&program))?;
    let valgrind = process::find(&["valgrind"]);
    let mut counts = Vec::new();
    for case in names.lines() {
        let counted = output(Command::new(&program).args([case, &COUNT.to_string()]))?;
        for line in counted.lines() {
            counts.extend(baseline::parse(&format!("{case} {line}"))?);
        }
        if let (Some(valgrind), false) = (&valgrind, case.starts_with("idle")) {
            let few = instructions(valgrind, &program, &[case, &FEW.to_string()])?;
            let many = instructions(valgrind, &program, &[case, &MANY.to_string()])?;
            let value = many.saturating_sub(few) as f64 / (MANY - FEW) as f64;
            counts.push(Count { case: case.to_owned(), what: "instructions".into(), value });
        }
    }
    let missing = valgrind.is_none().then(|| "valgrind is not installed".to_owned());
    Ok(Found { counts, missing })
}

fn judge(found: &Found) -> Result<Outcome, String> {
    let text = workspace::read(BASELINE)?;
    let baseline = baseline::parse(&text)?;
    let (then, now) = (baseline::compiler(&text).to_owned(), compiler());
    let mut missing = found.missing.clone();
    if missing.is_none() && then != now {
        missing = Some(format!("the baseline is of {then}, this is {now}"));
    }
    let mut worse = Vec::new();
    for count in &found.counts {
        let before = baseline::find(&baseline, count);
        let counts = !(count.what == "instructions" && missing.is_some());
        let change = baseline::compare(before, count.value);
        let mark = match change {
            Change::Same => "",
            Change::Better => "  better: write it down with --bless",
            Change::New => "  new: write it down with --bless",
            Change::Worse if counts => "  WORSE",
            Change::Worse => "  worse, not compared",
        };
        let before = before.map_or_else(|| "-".to_owned(), |count| format!("{:.2}", count.value));
        let (case, what, value) = (&count.case, &count.what, count.value);
        println!("{case:<28} {what:<20} {before:>10} {value:>10.2}{mark}");
        if counts && matches!(change, Change::Worse | Change::New) {
            worse.push(format!("{case} {what}"));
        }
    }
    for count in &baseline {
        let counts = !(count.what == "instructions" && found.missing.is_some());
        if counts && baseline::find(&found.counts, count).is_none() {
            worse.push(format!("{} {} is no longer counted", count.case, count.what));
        }
    }
    if let Some(why) = &missing {
        println!("!!! INSTRUCTIONS NOT COMPARED: {why}");
    }
    if !worse.is_empty() {
        return Ok(Outcome::Failed(format!("more than before: {}", worse.join(", "))));
    }
    let note = missing.map_or(String::new(), |why| format!("; INSTRUCTIONS NOT COMPARED: {why}"));
    Ok(Outcome::Passed(format!("{} counts{note}", found.counts.len())))
}

/// The instructions of a program with these arguments.
pub(crate) fn instructions(
    valgrind: &Path,
    program: &Path,
    arguments: &[&str],
) -> Result<u64, String> {
    let mut command = Command::new(valgrind);
    command.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]);
    command.arg(program).args(arguments);
    let output = command.output().map_err(|error| format!("valgrind: {error}"))?;
    let report = String::from_utf8_lossy(&output.stderr);
    parse_instructions(&report).ok_or_else(|| format!("valgrind counted nothing: {report}"))
}

fn parse_instructions(report: &str) -> Option<u64> {
    let line = report.lines().find(|line| line.contains("I") && line.contains("refs:"))?;
    line.rsplit(':').next()?.trim().replace(',', "").parse().ok()
}

fn compiler() -> String {
    let version = output(Command::new("rustc").arg("--version")).unwrap_or_default();
    format!("{}, {}", version.trim(), std::env::consts::ARCH)
}

fn output(command: &mut Command) -> Result<String, String> {
    let output = command.stderr(Stdio::inherit()).output();
    let program = command.get_program().to_string_lossy().into_owned();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{program} failed"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_of_valgrind_is_read() {
        let report = "==1== \n==1== I   refs:      5,236,071\n";
        assert_eq!(parse_instructions(report), Some(5_236_071));
        assert_eq!(parse_instructions("==1== nothing"), None);
    }
}
