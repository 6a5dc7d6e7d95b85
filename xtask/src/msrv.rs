//! `cargo xtask msrv`: builds with the oldest Rust that the manifests promise.
//!
//! Installs nothing unless asked: where rustup does not have that version, the step says so and
//! counts as skipped.

use std::process::{Command, Stdio};

use crate::steps::{self, Outcome};
use crate::{Verdict, process, workspace};

pub(crate) const ABOUT: &str = "checks every crate with the oldest Rust that the manifests promise\n\
--install       adds that version to rustup\n\
--install-only  adds it and stops";

pub(crate) fn command(arguments: Vec<String>) -> Verdict {
    steps::command(arguments, install, |steps| steps.run("msrv", check))
}

/// Adds that version if rustup does not have it, and says so when that fails.
pub(crate) fn install() {
    println!("\n=== installing the oldest Rust ===");
    let installed = promised().and_then(|version| match toolchain(&version) {
        Some(_) => Ok(true),
        None => process::run(
            Command::new("rustup")
                .args(["toolchain", "install", &version])
                .args(["--profile", "minimal"]),
        ),
    });
    match installed {
        Ok(true) => {}
        Ok(false) => println!("!!! NOT INSTALLED: the oldest Rust"),
        Err(why) => println!("!!! NOT INSTALLED: the oldest Rust: {why}"),
    }
}

/// Checks with that version of Rust, if rustup has it.
pub(crate) fn check() -> Result<Outcome, String> {
    let version = promised()?;
    let Some(toolchain) = toolchain(&version) else {
        let install = "cargo xtask msrv --install";
        return Ok(Outcome::Skipped(format!("Rust {version} is not installed ({install})")));
    };
    let mut command = Command::new("rustup");
    command.args(["run", &toolchain, "cargo", "check", "--quiet", "--workspace"]);
    command.args(["--all-features", "--exclude", "xtask"]);
    // What the other compiler has built stays as it is, and so does what it is told to be.
    command.current_dir(workspace::root()).env("CARGO_TARGET_DIR", directory());
    for name in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(name);
    }
    Ok(Outcome::of(process::run(&mut command)?, &format!("does not build with Rust {version}")))
}

fn directory() -> std::path::PathBuf {
    workspace::target_directory().join("msrv")
}

fn promised() -> Result<String, String> {
    let manifest = workspace::read("Cargo.toml")?;
    Ok(promise(&manifest).ok_or("Cargo.toml promises no rust-version")?.to_owned())
}

fn promise(manifest: &str) -> Option<&str> {
    let value = manifest.lines().find_map(|line| line.strip_prefix("rust-version = "))?;
    Some(value.trim().trim_matches('"'))
}

/// What rustup calls the toolchain of this version, if there is a rustup and it has one.
fn toolchain(version: &str) -> Option<String> {
    let mut command = Command::new("rustup");
    let listed = command.args(["toolchain", "list"]).stderr(Stdio::null()).output().ok()?;
    installed(&String::from_utf8_lossy(&listed.stdout), version)
}

/// The toolchain of this version, or of a patch of it, among those that rustup lists.
fn installed(list: &str, version: &str) -> Option<String> {
    let names = list.lines().filter_map(|line| line.split_whitespace().next());
    let mut found = names.filter(|name| {
        let rest = name.strip_prefix(version);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']))
    });
    found.next().map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_toolchain_of_the_promised_version_is_found_and_no_other() {
        assert_eq!(promise("[workspace.package]\nrust-version = \"1.89\"\n"), Some("1.89"));
        let list = "stable-x86_64 (active, default)\n1.8.9-x86_64\n1.890-x86_64\n1.89.1-x86_64\n";
        assert_eq!(installed(list, "1.89").as_deref(), Some("1.89.1-x86_64"));
        assert_eq!(installed("1.89-aarch64\n", "1.89").as_deref(), Some("1.89-aarch64"));
        assert_eq!(installed("stable-x86_64\n", "1.89"), None);
    }
}
