//! What every manifest must say, and where dependencies may come from.

use super::Findings;
use super::dependencies::{Dependency, dependencies};
use crate::workspace::{self, Member};

/// `root` is the manifest of the workspace.
pub(super) fn check(root: &str, members: &[Member], findings: &mut Findings) -> Result<(), String> {
    if !root.lines().any(|line| line.trim() == "unsafe_code = \"forbid\"") {
        findings.violation("Cargo.toml", "the workspace lints must forbid unsafe code");
    }
    for what in shared(root, members) {
        findings.violation("Cargo.toml", &what);
    }
    for member in members {
        let place = format!("{}/Cargo.toml", member.directory);
        for what in missing(member) {
            findings.violation(&place, what);
        }
        if member.is_crate() {
            check_files(member, findings);
        }
    }
    for source in foreign_sources(&workspace::read("Cargo.lock")?) {
        findings.violation("Cargo.lock", &format!("a dependency from outside: {source}"));
    }
    Ok(())
}

/// What is wrong with the dependencies that members share: each has a reason and somebody who uses it.
fn shared(root: &str, members: &[Member]) -> Vec<String> {
    let used: Vec<_> = members.iter().flat_map(|member| dependencies(&member.manifest)).collect();
    let mut wrong = Vec::new();
    for dependency in dependencies(root) {
        let name = &dependency.name;
        let inherits =
            |other: &Dependency| other.name == *name && other.term("workspace").is_some();
        if !used.iter().any(inherits) {
            wrong.push(format!("no member uses {name}"));
        }
        // Our own crates say in their own manifests what they are.
        if dependency.term("path").is_none() && !is_explained(root, dependency.line) {
            wrong.push(format!("{name} needs a comment that says why it is there"));
        }
    }
    wrong
}

/// Whether there is a comment beside this line or right above it.
fn is_explained(manifest: &str, line: usize) -> bool {
    let (above, own) = (line.checked_sub(1), Some(line));
    let text = |line: Option<usize>| manifest.lines().nth(line?).map(str::trim);
    text(above).is_some_and(|text| text.starts_with('#'))
        || text(own).is_some_and(|text| text.contains(" # "))
}

fn missing(member: &Member) -> Vec<&'static str> {
    let manifest = &member.manifest;
    let mut missing = Vec::new();
    if !(manifest.contains("[lints]\nworkspace = true")
        || manifest.contains("lints.workspace = true"))
    {
        missing.push("must take the lints of the workspace");
    }
    for (key, what) in [
        ("version.workspace = true", "must take its version from the workspace"),
        ("edition.workspace = true", "must take its edition from the workspace"),
        ("rust-version.workspace = true", "must take its rust-version from the workspace"),
        ("license.workspace = true", "must take its licence from the workspace"),
        ("description = \"", "must have a description"),
    ] {
        if !manifest.lines().any(|line| line.starts_with(key)) {
            missing.push(what);
        }
    }
    if member.is_crate() {
        missing.extend(unpublishable(manifest));
    }
    if !member.is_crate() && !manifest.lines().any(|line| line == "publish = false") {
        missing.push("is not for publishing and must say `publish = false`");
    }
    missing
}

/// What crates.io and docs.rs want to be told.
fn unpublishable(manifest: &str) -> Vec<&'static str> {
    let mut missing = Vec::new();
    for (key, most, what) in [
        ("keywords = [", 5, "must have one to five keywords of its own"),
        ("categories = [", 5, "must have one to five categories of its own"),
    ] {
        let list = manifest.lines().find_map(|line| line.strip_prefix(key));
        let count = list.map_or(0, |list| list.matches('"').count() / 2);
        if !(1..=most).contains(&count) {
            missing.push(what);
        }
    }
    if !manifest.contains(DOCS_RS) {
        missing.push("must have docs.rs build all features: `[package.metadata.docs.rs]`");
    }
    missing
}

/// A package holds what is in its directory, so each has a page and the licences beside its manifest.
fn check_files(member: &Member, findings: &mut Findings) {
    let directory = workspace::root().join(&member.directory);
    for file in ["README.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        // Follows links, as packaging does.
        if !directory.join(file).is_file() {
            findings.violation(&member.directory, &format!("must have a {file}, or a link to it"));
        }
    }
}

const DOCS_RS: &str = "[package.metadata.docs.rs]\nall-features = true\n\
                       rustdoc-args = [\"--cfg\", \"docsrs\"]\n";

/// Sources in the lock file other than cargo's default registry.
fn foreign_sources(lock: &str) -> Vec<&str> {
    let mut sources: Vec<&str> = lock
        .lines()
        .filter_map(|line| line.strip_prefix("source = "))
        .map(|source| source.trim_matches('"'))
        .filter(|source| !source.starts_with("registry+https://github.com/rust-lang/"))
        .collect();
    sources.dedup();
    sources
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_dependency_that_nobody_uses_is_found() {
        let root =
            "[workspace.dependencies]\na.path = \"a\"\n# Why.\nb = \"1\"\nc = \"1\" # Why.\n";
        let member = Member {
            name: "x".into(),
            directory: "crates/x".into(),
            manifest: "[dependencies]\na.workspace = true\nc = \"2\"\n\
                [dev-dependencies]\nb = { workspace = true }\n"
                .into(),
        };
        assert_eq!(shared(root, &[member]), ["no member uses c"]);
    }

    #[test]
    fn a_shared_dependency_without_a_reason_is_found() {
        let root = "[workspace.dependencies]\na.path = \"a\"\n# Why.\nb = \"1\"\nc = \"1\"\n\
            d = \"1\" # Why.\n\n# Not why.\n\ne = { version = \"1\", features = [\n  \"#\",\n] }\n";
        let manifest = "[dependencies]\na.workspace = true\nb.workspace = true\n\
            c.workspace = true\nd.workspace = true\ne.workspace = true\n";
        let member =
            Member { name: "x".into(), directory: "crates/x".into(), manifest: manifest.into() };
        let wrong =
            ["c", "e"].map(|name| format!("{name} needs a comment that says why it is there"));
        assert_eq!(shared(root, &[member]), wrong);
    }

    #[test]
    fn a_dependency_from_a_repository_or_another_registry_is_found() {
        let lock = "source = \"registry+https://github.com/rust-lang/index\"\n\
            source = \"git+https://example.com/fork#1\"\n\
            source = \"registry+https://example.com/index\"\n";
        let found = foreign_sources(lock);
        assert_eq!(found, ["git+https://example.com/fork#1", "registry+https://example.com/index"]);
    }

    #[test]
    fn a_manifest_without_the_common_keys_is_told_what_is_missing() {
        let member = Member {
            name: "x".into(),
            directory: "crates/x".into(),
            manifest: "[package]\nname = \"x\"\nversion.workspace = true\n".into(),
        };
        assert_eq!(
            missing(&member),
            [
                "must take the lints of the workspace",
                "must take its edition from the workspace",
                "must take its rust-version from the workspace",
                "must take its licence from the workspace",
                "must have a description",
                "must have one to five keywords of its own",
                "must have one to five categories of its own",
                "must have docs.rs build all features: `[package.metadata.docs.rs]`",
            ]
        );
    }

    #[test]
    fn a_manifest_that_says_all_lacks_nothing() {
        let lists = "keywords = [\"a\", \"b\"]\ncategories = [\"c\"]\n";
        assert!(unpublishable(&format!("{lists}\n{DOCS_RS}")).is_empty());
        let none = "keywords = []\ncategories = [\"1\", \"2\", \"3\", \"4\", \"5\", \"6\"]\n";
        assert_eq!(unpublishable(&format!("{none}\n{DOCS_RS}")).len(), 2);
    }
}
