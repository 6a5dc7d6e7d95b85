//! `cargo xtask minimal`: builds with the oldest dependencies that the manifests promise.
//!
//! Who depends on us may have any of them in a lock file of their own. Ours has newer ones, so the
//! oldest have one beside it, `xtask/minimal.lock`, which the resolver writes when asked to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::options::Options;
use crate::steps::{Outcome, Steps};
use crate::{Verdict, process, workspace};

pub(crate) const ABOUT: &str = "builds every crate with the oldest dependencies that the manifests promise\n\
--bless  writes down which those are, after a change of the manifests";

/// The lock file of the oldest dependencies, relative to the root.
const LOCK: &str = "xtask/minimal.lock";

pub(crate) fn command(arguments: Vec<String>) -> Verdict {
    let options = Options::parse(arguments, &[], &["bless"])?;
    if options.has("bless") {
        return bless();
    }
    let mut steps = Steps::default();
    steps.run("minimal", check);
    Ok(steps.report())
}

/// Checks that the lock file is what the manifests promise, and builds with it.
pub(crate) fn check() -> Result<Outcome, String> {
    let lock = workspace::read(LOCK)?;
    let outdated = outdated(&workspace::read("Cargo.toml")?, &lock);
    if !outdated.is_empty() {
        let names = outdated.join(", ");
        return Ok(Outcome::Failed(format!("{LOCK} has another {names}; run with --bless")));
    }
    let tree = copied_tree(LOCK)?;
    let mut command = in_tree(&tree, &["check", "--quiet", "--locked", "--workspace"]);
    command.args(["--all-features", "--exclude", "xtask"]);
    command.env("CARGO_TARGET_DIR", directory().join("target"));
    let passed = process::run(&mut command)?;
    Ok(Outcome::of(passed, "does not build with the oldest dependencies"))
}

/// Has the resolver choose, which takes an option of cargo that is not stable.
fn bless() -> Verdict {
    let tree = copied_tree("Cargo.lock")?;
    let mut command = in_tree(&tree, &["update", "-Z", "direct-minimal-versions"]);
    if !process::run(command.env("RUSTC_BOOTSTRAP", "1"))? {
        return Ok(false);
    }
    copy(&tree.join("Cargo.lock"), &workspace::root().join(LOCK))?;
    Ok(true)
}

/// The files of the workspace in a directory of their own with this lock file, which has no other
/// place than beside the manifest.
fn copied_tree(lock: &str) -> Result<PathBuf, String> {
    let tree = directory().join("tree");
    let failed = |error: std::io::Error| format!("{}: {error}", tree.display());
    if tree.exists() {
        fs::remove_dir_all(&tree).map_err(failed)?;
    }
    for path in workspace::files()? {
        let to = tree.join(&path);
        fs::create_dir_all(to.parent().unwrap_or(&tree)).map_err(failed)?;
        copy(&workspace::root().join(&path), &to)?;
    }
    copy(&workspace::root().join(lock), &tree.join("Cargo.lock"))?;
    Ok(tree)
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let copied = fs::copy(from, to).map_err(|error| format!("{}: {error}", from.display()));
    copied.map(drop)
}

fn in_tree(tree: &Path, arguments: &[&str]) -> Command {
    let mut command = process::cargo(arguments);
    command.current_dir(tree);
    command
}

fn directory() -> PathBuf {
    workspace::target_directory().join("minimal")
}

/// The dependencies of which the lock file does not have the version that the manifest asks for.
fn outdated(manifest: &str, lock: &str) -> Vec<String> {
    let lines = manifest.lines().skip_while(|line| *line != "[workspace.dependencies]").skip(1);
    let promises = lines.take_while(|line| !line.starts_with('[')).filter_map(promise);
    let is_locked = |(name, version): &(&str, String)| {
        lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\""))
    };
    promises.filter(|promise| !is_locked(promise)).map(|(name, _)| name.to_owned()).collect()
}

/// The name and the whole version of a dependency that is not a crate of ours.
fn promise(line: &str) -> Option<(&str, String)> {
    let (name, value) = line.split_once(" = ")?;
    if value.contains("path = ") {
        return None;
    }
    let value = value.strip_prefix("{ version = ").unwrap_or(value).strip_prefix('"')?;
    let mut version = value.split('"').next()?.trim_start_matches('=').to_owned();
    while version.matches('.').count() < 2 {
        version.push_str(".0");
    }
    Some((name, version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_with_another_version_than_promised_is_found() {
        let manifest = "[workspace.dependencies]\nours = { path = \"ours\", version = \"0.1.0\" }\n\
                        tokio = { version = \"1.47\", default-features = false }\n\
                        h3 = { version = \"=0.0.8\", default-features = false }\n\
                        plain = \"1\"\n\n[workspace.lints.rust]\nunsafe_code = \"forbid\"\n";
        let lock = "[[package]]\nname = \"tokio\"\nversion = \"1.47.0\"\n\n\
                    [[package]]\nname = \"h3\"\nversion = \"0.0.8\"\n\n\
                    [[package]]\nname = \"plain\"\nversion = \"1.0.0\"\n";
        assert_eq!(outdated(manifest, lock), [""; 0]);
        assert_eq!(outdated(manifest, &lock.replace("1.47.0", "1.47.1")), ["tokio"]);
        assert_eq!(outdated(manifest, &lock.replace("0.0.8", "0.0.9")), ["h3"]);
    }
}
