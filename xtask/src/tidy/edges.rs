//! The floors of the house: which crate may depend on which.
//!
//! An edge that is not in this table is a change of design; it is discussed, then written here.
//! Dev-dependencies are free: what a test uses does not reach users. One that closes a circle is named
//! by its path alone, which cargo leaves out of the package: otherwise none could be published first.

use super::Findings;
use super::dependencies::{Dependency, dependencies};
use crate::workspace::Member;

/// A crate and every crate of ours that it may depend on.
const EDGES: &[(&str, &[&str])] = &[
    ("ws-close", &[]),
    ("ws-handshake", &[]),
    ("ws-frame", &["ws-close"]),
    ("ws-deflate", &["ws-handshake"]),
    ("ws-h1-upgrade", &["ws-handshake"]),
    ("ws-h2-upgrade", &["ws-handshake"]),
    ("ws-h3-upgrade", &["ws-h2-upgrade"]),
    ("ws-session", &["ws-frame", "ws-close", "ws-deflate"]),
    (
        "ws-io",
        &[
            "ws-session",
            "ws-h1-upgrade",
            "ws-h2-upgrade",
            "ws-handshake",
            "ws-frame",
            "ws-close",
            "ws-deflate",
        ],
    ),
    ("ws-h2", &["ws-io", "ws-h2-upgrade"]),
    ("ws-h3", &["ws-io", "ws-h3-upgrade"]),
    (
        "ws-endpoint",
        &[
            "ws-io",
            "ws-h2",
            "ws-h3",
            "ws-h1-upgrade",
            "ws-h2-upgrade",
            "ws-handshake",
            "ws-deflate",
            "ws-session",
            "ws-frame",
            "ws-close",
        ],
    ),
    ("ws-tokio", &["ws-io", "ws-endpoint"]),
    ("ws-async-std", &["ws-io", "ws-endpoint"]),
    ("ws-smol", &["ws-io", "ws-endpoint"]),
    (
        "ws-stack",
        &[
            "ws-close",
            "ws-handshake",
            "ws-frame",
            "ws-deflate",
            "ws-h1-upgrade",
            "ws-h2-upgrade",
            "ws-h3-upgrade",
            "ws-session",
            "ws-io",
            "ws-h2",
            "ws-h3",
            "ws-endpoint",
            "ws-tokio",
            "ws-async-std",
            "ws-smol",
        ],
    ),
    ("ws-conformance", &["ws-h2", "ws-h3"]),
    ("xtask", &[]),
];

/// Packages that may use every crate: they are used by none.
const FREE: &[&str] = &["ws-tests", "ws-examples"];

/// `root` is the manifest of the workspace, which may say what a name stands for.
pub(super) fn check(root: &str, members: &[Member], findings: &mut Findings) {
    let ours: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
    let shared = dependencies(root);
    for member in members {
        if FREE.contains(&member.name.as_str()) {
            continue;
        }
        let place = format!("{}/Cargo.toml", member.directory);
        let Some((_, allowed)) = EDGES.iter().find(|(name, _)| *name == member.name) else {
            findings.violation(place, "a crate that the table of edges does not know");
            continue;
        };
        for dependency in dependencies(&member.manifest) {
            let package = dependency.package(&shared);
            if dependency.is_dev {
                if is_versioned(&dependency) && reaches(package, &member.name) {
                    let what =
                        format!("{package} depends on this: a dev-dependency by `path` alone");
                    findings.violation(&place, &what);
                }
            } else if ours.contains(&package) && !allowed.contains(&package) {
                findings.violation(&place, &format!("{} may not depend on {package}", member.name));
            }
        }
    }
}

/// Whether cargo keeps it in the package of a dev-dependency's owner.
fn is_versioned(dependency: &Dependency) -> bool {
    ["workspace", "version"].iter().any(|key| dependency.term(key).is_some())
}

/// Whether `from` may depend on `to`, over any number of others.
fn reaches(from: &str, to: &str) -> bool {
    let edges = EDGES.iter().find(|(name, _)| *name == from).map_or(&[][..], |(_, edges)| edges);
    edges.iter().any(|next| *next == to || reaches(next, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, manifest: &str) -> Member {
        Member { name: name.into(), directory: format!("crates/{name}"), manifest: manifest.into() }
    }

    fn violations(root: &str, members: &[Member]) -> Vec<String> {
        let mut findings = Findings::default();
        check(root, members, &mut findings);
        findings.violations
    }

    #[test]
    fn a_dev_dependency_that_closes_a_circle_has_no_version() {
        for (line, count) in [
            ("ws-tokio = { workspace = true }", 1),
            ("ws-stack.workspace = true", 1),
            ("ws-tokio = { path = \"../ws-tokio\" }", 0),
            ("ws-io = { workspace = true }", 0),
        ] {
            let manifest = format!("[dependencies]\n\n[dev-dependencies]\n{line}\n\n[lints]\n");
            let found = violations("", &[member("ws-endpoint", &manifest)]);
            assert_eq!(found.len(), count, "{line}");
        }
    }

    #[test]
    fn neither_another_name_nor_another_table_hides_an_edge() {
        let root = "[workspace.dependencies]\nx = { package = \"ws-tokio\", path = \"y\" }\n";
        for (manifest, expected) in [
            ("[dependencies]\nx = { package = \"ws-tokio\", path = \"y\" }\n", "may not"),
            ("[dependencies.x]\npackage = \"ws-tokio\"\npath = \"y\"\n", "may not"),
            ("[dependencies]\nx.workspace = true\n", "may not"),
            ("[dev-dependencies]\nx = { package = \"ws-tokio\", version = \"1\" }\n", "alone"),
            ("[dev-dependencies.ws-tokio]\nworkspace = true\n", "alone"),
            ("[target.'cfg(unix)'.dev-dependencies]\nws-tokio = \"1\"\n", "alone"),
            ("[dev-dependencies] # tests\n\"ws-tokio\".workspace = true\n", "alone"),
        ] {
            let found =
                violations(root, &[member("ws-endpoint", manifest), member("ws-tokio", "")]);
            assert!(found.len() == 1 && found[0].contains(expected), "{manifest}: {found:?}");
        }
    }

    #[test]
    fn an_edge_against_the_floors_is_reported() {
        let members = [
            member("ws-frame", "[dependencies]\nws-session = { workspace = true }\n"),
            member("ws-session", "[dependencies]\nws-frame = { workspace = true }\n"),
        ];
        assert_eq!(
            violations("", &members),
            ["crates/ws-frame/Cargo.toml: ws-frame may not depend on ws-session"]
        );
    }
}
