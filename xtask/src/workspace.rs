//! Where things are: the root, the members and the files of this workspace.
//!
//! Members are read from the directories, not from `cargo metadata`: this runs before anything
//! builds, and needs no JSON.

use std::fs;
use std::path::{Path, PathBuf};

/// A package of the workspace.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// Relative to the root, with forward slashes.
    pub(crate) directory: String,
    pub(crate) manifest: String,
}

impl Member {
    /// A library or program that is published, as opposed to tests, examples and tools.
    pub(crate) fn is_crate(&self) -> bool {
        self.directory.starts_with("crates/")
    }
}

/// The directory of the root manifest: as cargo says when it runs this program, so that a copied
/// target directory does not check the tree that it was built in.
pub(crate) fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    here.parent().unwrap_or(&here).to_path_buf()
}

/// Where cargo builds: `CARGO_TARGET_DIR` or `target`.
pub(crate) fn target_directory() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => root().join(directory),
        None => root().join("target"),
    }
}

/// Where downloaded peers live: always inside the project, in an ignored directory.
pub(crate) fn peers_directory() -> PathBuf {
    root().join("target").join("peers")
}

/// All packages, `crates/*` first, in order of their names.
pub(crate) fn members() -> Result<Vec<Member>, String> {
    let mut directories: Vec<String> = Vec::new();
    for entry in read_directory(&root().join("crates"))? {
        if entry.join("Cargo.toml").is_file() {
            directories.push(relative(&entry));
        }
    }
    directories.extend(["examples", "tests", "xtask"].map(String::from));
    directories.into_iter().map(member).collect()
}

fn member(directory: String) -> Result<Member, String> {
    let manifest = read(&format!("{directory}/Cargo.toml"))?;
    let name = manifest
        .lines()
        .find_map(|line| line.strip_prefix("name = "))
        .map(|name| name.trim().trim_matches('"').to_owned())
        .ok_or_else(|| format!("{directory}/Cargo.toml names no package"))?;
    Ok(Member { name, directory, manifest })
}

/// The text of a file, by its path relative to the root.
pub(crate) fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(root().join(path)).map_err(|error| format!("{path}: {error}"))
}

/// Every text file of the project that people write, relative to the root and sorted.
pub(crate) fn files() -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut pending = vec![root()];
    while let Some(directory) = pending.pop() {
        for path in read_directory(&directory)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if !SKIPPED.contains(&name.as_str()) {
                    pending.push(path);
                }
            } else if is_text(&path) {
                found.push(relative(&path));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn is_text(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    TEXT.contains(&extension.as_ref()) || path.ends_with(".ci/run")
}

fn read_directory(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", directory.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    paths.sort();
    Ok(paths)
}

fn relative(path: &Path) -> String {
    let path = path.strip_prefix(root()).unwrap_or(path);
    path.to_string_lossy().replace('\\', "/")
}

const SKIPPED: &[&str] = &[".git", "target", "node_modules", ".venv", "__pycache__", "corpus"];
const TEXT: &[&str] =
    &["rs", "toml", "md", "txt", "py", "js", "json", "html", "sh", "yml", "yaml", "css"];
