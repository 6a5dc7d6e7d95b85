//! One target after the other under libFuzzer, for so much processor time each.
//!
//! Coverage is measured with flags that every compiler takes; only AddressSanitizer needs a nightly
//! one. A target stops at its first finding, which is kept; the others still run.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{MANIFEST, directory, process_time, targets};
use crate::{Verdict, process, workspace};

/// What libFuzzer needs to see, as cargo-fuzz sets it.
const COVERAGE: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "-Ccodegen-units=1",
    "--cfg",
    "fuzzing",
];
/// Seconds after which libFuzzer calls an input a hang. By the clock on the wall, so that a process
/// which is stopped for a minute must not be a finding; that time stays in proportion is judged by
/// counted instructions elsewhere.
const HANG: u32 = 900;
/// Between two looks at a target, and between two lines about it.
const LOOK: Duration = Duration::from_millis(500);
const TELL: Duration = Duration::from_secs(15);

pub(super) fn run(minutes: f64, only: &[&str], address: bool) -> Verdict {
    let targets = targets()?;
    if let Some(name) = only.iter().find(|name| !targets.iter().any(|(known, _)| known == *name)) {
        let names: Vec<&str> = targets.iter().map(|(name, _)| name.as_str()).collect();
        return Err(format!("no target {name:?}; there are {}", names.join(", ")));
    }
    let program = build(address)?;
    let budget = Duration::from_secs_f64((minutes * 60.0).max(1.0));
    let mut rows = Vec::new();
    let mut clean = true;
    for (name, max_len) in &targets {
        if !only.is_empty() && !only.contains(&name.as_str()) {
            continue;
        }
        let (row, fine) = fuzz(&program, name, max_len, budget)?;
        rows.push(row);
        clean &= fine;
    }
    println!("\n=== fuzzing ===");
    for row in rows {
        println!("{row}");
    }
    Ok(clean)
}

fn build(address: bool) -> Result<PathBuf, String> {
    let host = host()?;
    let mut flags = COVERAGE.join(" ");
    let mut command = process::cargo(&["build"]);
    if address {
        let mut nightly = Command::new("rustup");
        nightly.args(["run", "nightly", "rustc", "--version"]);
        let found = nightly.stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            return Err("NOT RUN: AddressSanitizer needs a nightly compiler \
                        (rustup toolchain install nightly); without --address any will do"
                .to_owned());
        }
        flags.push_str(" -Zsanitizer=address");
        command = Command::new("rustup");
        command.args(["run", "nightly", "cargo", "build"]).current_dir(workspace::root());
    }
    let target = directory().join(if address { "address" } else { "coverage" });
    command.args(["--release", "--quiet", "--manifest-path", MANIFEST]);
    command.args(["--package", "ws-fuzz-libfuzzer", "--target", &host, "--target-dir"]);
    if process::run(command.arg(&target).env("RUSTFLAGS", flags))? {
        Ok(target.join(host).join("release").join("ws-fuzz-libfuzzer"))
    } else {
        Err("the targets do not build with libFuzzer, which needs a C++ compiler".to_owned())
    }
}

fn host() -> Result<String, String> {
    let output = Command::new("rustc").arg("-vV").output();
    let output = output.map_err(|error| format!("rustc: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc does not name its host".to_owned())
}

/// Runs one target; a line for the table, and whether nothing was found.
fn fuzz(
    program: &PathBuf,
    name: &str,
    max_len: &str,
    budget: Duration,
) -> Result<(String, bool), String> {
    let grown = made(&["corpus", name])?;
    let findings = made(&["findings", name])?;
    let before = files(&findings);
    let log = directory().join(format!("{name}.log"));
    let written = File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
    let mut command = Command::new(program);
    command.arg(&grown).arg(workspace::root().join("tests/fuzz/corpus").join(name));
    command.arg(format!("-max_len={max_len}")).arg("-rss_limit_mb=1024");
    command.arg(format!("-timeout={HANG}")).arg(format!("-report_slow_units={HANG}"));
    command.arg(format!("-artifact_prefix={}/", findings.display()));
    let dictionary = workspace::root().join(format!("tests/fuzz/dictionaries/{name}.dict"));
    if dictionary.is_file() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    command.env("WS_FUZZ_TARGET", name).stdout(Stdio::null()).stderr(written);
    println!("\n=== {name}: {:.0} s of processor time ===", budget.as_secs_f64());
    let mut child = command.spawn().map_err(|error| format!("{name}: {error}"))?;
    let start = Instant::now();
    let (mut used, mut told) = (Duration::ZERO, Instant::now());
    let stopped = loop {
        if let Some(status) = child.try_wait().map_err(|error| format!("{name}: {error}"))? {
            break Some(status);
        }
        // Where the system does not tell, the time that went by is counted.
        used = process_time::of(child.id()).unwrap_or_else(|| start.elapsed()).max(used);
        if used >= budget {
            child.kill().and_then(|()| child.wait()).map_err(|error| format!("{name}: {error}"))?;
            break None;
        }
        if told.elapsed() >= TELL {
            told = Instant::now();
            println!("{:>6.0} s  {}", used.as_secs_f64(), progress(&log));
        }
        thread::sleep(LOOK);
    };
    let new: Vec<String> =
        files(&findings).into_iter().filter(|file| !before.contains(file)).collect();
    for file in &new {
        println!("!!! {name} FAILS for {file}; see {}", log.display());
    }
    if let Some(status) = stopped.filter(|_| new.is_empty()) {
        println!("!!! {name} ended by itself ({status}); see {}", log.display());
    }
    let seconds = used.as_secs_f64();
    let row = format!("{name:<14} {seconds:>6.0} s  {}  findings: {}", progress(&log), new.len());
    Ok((row, new.is_empty() && stopped.is_none()))
}

/// The last thing libFuzzer said of runs, coverage and corpus.
fn progress(log: &PathBuf) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let last = text.lines().rev().find(|line| line.starts_with('#') && line.contains("cov: "));
    last.map(summary).unwrap_or_else(|| "no runs yet".to_owned())
}

/// `#4096 pulse cov: 12 ft: 34 corp: 5/67b …` in fewer words.
fn summary(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let after = |name: &str| {
        let at = words.iter().position(|word| *word == name);
        at.and_then(|at| words.get(at + 1)).copied().unwrap_or("?")
    };
    let runs = words.first().map_or("?", |word| word.trim_start_matches('#'));
    format!("{runs:>9} runs  coverage {:>5}  corpus {:>11}", after("cov:"), after("corp:"))
}

fn files(directory: &PathBuf) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    entries.flatten().map(|entry| entry.path().display().to_string()).collect()
}

fn made(parts: &[&str]) -> Result<PathBuf, String> {
    let path = parts.iter().fold(directory(), |path, part| path.join(part));
    fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_libfuzzer_is_read() {
        let line =
            "#8192\tpulse  cov: 788 ft: 2706 corp: 317/12138b lim: 132 exec/s: 4096 rss: 28Mb";
        assert_eq!(summary(line), "     8192 runs  coverage   788  corpus  317/12138b");
    }
}
