//! `cargo xtask fuzz`: the targets of `tests/fuzz` under libFuzzer, and the smoke run of
//! `cargo xtask test`, which needs neither libFuzzer nor a nightly compiler.

mod campaign;
mod process_time;
mod scaling;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::options::Options;
use crate::steps::Outcome;
use crate::{Verdict, process, workspace};

pub(crate) use scaling::step as scaling;

pub(crate) const ABOUT: &str = "runs the fuzz targets under libFuzzer (needs a C++ compiler), new inputs on top of the corpora\n\
--minutes N  processor minutes for each target (default 1)  --only TARGET[,TARGET]\n\
--address    with AddressSanitizer, which needs a nightly compiler\n\
--smoke      only what the test command does: corpora and fixed mutations, seconds each";

const MANIFEST: &str = "tests/fuzz/Cargo.toml";
/// Of each target in the smoke run.
const SMOKE_SECONDS: u64 = 3;
/// More than the smoke run takes on a very busy machine; after that something hangs.
const SMOKE_LIMIT: Duration = Duration::from_secs(10 * 60);

pub(crate) fn command(arguments: Vec<String>) -> Verdict {
    let options = Options::parse(arguments, &["minutes", "only"], &["address", "smoke"])?;
    if options.has("smoke") {
        return match smoke()? {
            Outcome::Passed(_) => Ok(true),
            Outcome::Failed(why) | Outcome::Skipped(why) => {
                println!("!!! {why}");
                Ok(false)
            }
        };
    }
    let minutes = match options.value("minutes") {
        Some(minutes) => minutes.parse().map_err(|_| "--minutes takes a number".to_owned())?,
        None => 1.0,
    };
    campaign::run(minutes, &options.all("only"), options.has("address"))
}

/// The step of `cargo xtask test`.
pub(crate) fn smoke() -> Result<Outcome, String> {
    let program = plain()?;
    let mut command = Command::new(program);
    command.args(["smoke", &SMOKE_SECONDS.to_string()]);
    let status = process::run_within(&mut command, SMOKE_LIMIT)?;
    Ok(match status {
        None => Outcome::Failed("a target runs for ever".to_owned()),
        Some(status) => Outcome::of(status.success(), "see the findings above"),
    })
}

/// Builds the targets without libFuzzer; returns the program.
fn plain() -> Result<PathBuf, String> {
    let mut command = process::cargo(&["build", "--release", "--quiet"]);
    command.args(["--manifest-path", MANIFEST, "--package", "ws-fuzz", "--target-dir"]);
    if process::run(command.arg(directory()))? {
        Ok(directory().join("release").join("ws-fuzz"))
    } else {
        Err("ws-fuzz does not build".to_owned())
    }
}

/// The names of the targets, and the most bytes of an input of each.
fn targets() -> Result<Vec<(String, String)>, String> {
    let mut command = Command::new(plain()?);
    let output = command.arg("list").stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("ws-fuzz list: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let pair = |line: &str| line.split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned()));
    Ok(text.lines().filter_map(pair).collect())
}

/// Where everything of fuzzing is built and kept.
fn directory() -> PathBuf {
    workspace::root().join("target").join("fuzz")
}
