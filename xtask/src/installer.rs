//! Runs installers, which a network may fail now and then.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::process;

/// One try may take this long; there are [`TRIES`].
const LIMIT: Duration = Duration::from_secs(600);
const TRIES: usize = 3;

/// Installs Debian packages, where that is how programs come.
pub(crate) fn debian(packages: &[&str]) -> Result<(), String> {
    let what = format!("Debian packages {}", packages.join(", "));
    if process::find(&["apt-get"]).is_none() {
        return Err(format!("{what}: there is no apt-get here"));
    }
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(["-q", "-o", "Acquire::Retries=3"]).args(arguments);
        command.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
        command
    };
    try_often(|| apt(&["update"])).map_err(|why| format!("{what}: {why}"))?;
    let arguments: Vec<&str> = ["install", "-y", "--no-install-recommends"]
        .into_iter()
        .chain(packages.iter().copied())
        .collect();
    try_often(|| apt(&arguments)).map_err(|why| format!("{what}: {why}"))
}

/// Runs an installer until it succeeds or has been given every chance.
pub(crate) fn try_often(command: impl Fn() -> Command) -> Result<(), String> {
    let mut why = String::new();
    for attempt in 1..=TRIES {
        match process::run_within(&mut command(), LIMIT) {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => why = format!("ended with {status}"),
            Ok(None) => why = format!("not finished after {} s", LIMIT.as_secs()),
            Err(error) => return Err(error),
        }
        println!("try {attempt} of {TRIES}: {why}");
    }
    Err(why)
}
