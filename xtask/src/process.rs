//! Runs other programs: cargo, peers, the programs under test.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::workspace;

/// The cargo that runs us, in the root of the workspace.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(workspace::root());
    command
}

/// Whether `cargo NAME` exists as a component or an installed subcommand.
pub(crate) fn has_cargo_command(name: &str) -> bool {
    let mut command = cargo(&[name, "--version"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Runs to the end with inherited output, after printing what is run.
pub(crate) fn run(command: &mut Command) -> Result<bool, String> {
    announce(command);
    let status = command.status().map_err(|error| failed(command, &error))?;
    Ok(status.success())
}

/// Runs to the end, passes every line of standard output on and hands it to `observe` as well.
pub(crate) fn run_observed(
    command: &mut Command,
    mut observe: impl FnMut(&str),
) -> Result<bool, String> {
    announce(command);
    command.stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| failed(command, &error))?;
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            let line = line.map_err(|error| failed(command, &error))?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            observe(&line);
        }
    }
    let status = child.wait().map_err(|error| failed(command, &error))?;
    Ok(status.success())
}

/// Runs with inherited output; `Ok(None)` when it was killed because the time was up.
pub(crate) fn run_within(
    command: &mut Command,
    limit: Duration,
) -> Result<Option<ExitStatus>, String> {
    announce(command);
    let mut child = command.spawn().map_err(|error| failed(command, &error))?;
    wait_within(&mut child, limit).map_err(|error| failed(command, &error))
}

/// Waits for a child; kills it and answers `None` when it outlives `limit`.
pub(crate) fn wait_within(
    child: &mut Child,
    limit: Duration,
) -> Result<Option<ExitStatus>, std::io::Error> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// The first of `names` that is a file in one of the directories of `PATH`.
pub(crate) fn find(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let candidates = names.iter().flat_map(|name| directories.iter().map(move |d| d.join(name)));
    candidates.into_iter().find(|candidate| candidate.is_file())
}

fn announce(command: &Command) {
    let program = Path::new(command.get_program());
    let mut line = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    println!("$ {line}");
}

fn failed(command: &Command, error: &std::io::Error) -> String {
    format!("cannot run {}: {error}", command.get_program().to_string_lossy())
}
