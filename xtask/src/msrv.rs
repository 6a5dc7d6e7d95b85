//! `cargo xtask msrv`: builds with the oldest Rust that the manifests promise.
//!
//! Installs nothing: where rustup does not have that version, the step says so and counts as
//! skipped.

use std::process::{Command, Stdio};

use crate::options::Options;
use crate::steps::Outcome;
use crate::{Verdict, process, workspace};

pub(crate) const ABOUT: &str = "checks every crate with the oldest Rust that the manifests promise";

pub(crate) fn command(arguments: Vec<String>) -> Verdict {
    Options::parse(arguments, &[], &[])?;
    match check()? {
        Outcome::Passed(_) => Ok(true),
        Outcome::Failed(why) => {
            println!("msrv: {why}");
            Ok(false)
        }
        Outcome::Skipped(why) => {
            println!("!!! msrv NOT RUN: {why}");
            Ok(true)
        }
    }
}

/// Checks with that version of Rust, if rustup has it.
pub(crate) fn check() -> Result<Outcome, String> {
    let manifest = workspace::read("Cargo.toml")?;
    let version = promised(&manifest).ok_or("Cargo.toml promises no rust-version")?;
    let listed = Command::new("rustup").args(["toolchain", "list"]).stderr(Stdio::null()).output();
    let Ok(listed) = listed else {
        return Ok(Outcome::Skipped(format!("Rust {version} needs rustup, which is not there")));
    };
    let Some(toolchain) = installed(&String::from_utf8_lossy(&listed.stdout), version) else {
        let install = format!("rustup toolchain install {version} --profile minimal");
        return Ok(Outcome::Skipped(format!("Rust {version} is not installed: `{install}`")));
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

fn promised(manifest: &str) -> Option<&str> {
    let value = manifest.lines().find_map(|line| line.strip_prefix("rust-version = "))?;
    Some(value.trim().trim_matches('"'))
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
        assert_eq!(promised("[workspace.package]\nrust-version = \"1.89\"\n"), Some("1.89"));
        let list = "stable-x86_64 (active, default)\n1.8.9-x86_64\n1.890-x86_64\n1.89.1-x86_64\n";
        assert_eq!(installed(list, "1.89").as_deref(), Some("1.89.1-x86_64"));
        assert_eq!(installed("1.89-aarch64\n", "1.89").as_deref(), Some("1.89-aarch64"));
        assert_eq!(installed("stable-x86_64\n", "1.89"), None);
    }
}
