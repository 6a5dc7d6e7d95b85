//! The floors of the house: which crate may depend on which.
//!
//! An edge that is not in this table is a change of design; it is discussed, then written here.
//! Dev-dependencies are free: what a test uses does not reach users. One that closes a circle is named
//! by its path alone, which cargo leaves out of the package: otherwise none could be published first.

use super::Findings;
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

pub(super) fn check(members: &[Member], findings: &mut Findings) {
    let ours: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
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
            if ours.contains(&dependency.as_str()) && !allowed.contains(&dependency.as_str()) {
                let what = format!("{} may not depend on {dependency}", member.name);
                findings.violation(&place, &what);
            }
        }
        for dependency in circular(member) {
            let what = format!("{dependency} depends on this: a dev-dependency by `path` alone");
            findings.violation(&place, &what);
        }
    }
}

/// The dev-dependencies with a version on crates that depend on this one.
fn circular(member: &Member) -> Vec<String> {
    let dev = member.manifest.split("\n[dev-dependencies]\n").nth(1).unwrap_or_default();
    let lines = dev.lines().take_while(|line| !line.starts_with('['));
    let versioned = lines.filter(|line| line.contains("workspace") || line.contains("version"));
    let names = versioned.filter_map(|line| line.split(['=', '.', ' ']).next());
    names.filter(|name| reaches(name, &member.name)).map(String::from).collect()
}

/// Whether `from` may depend on `to`, over any number of others.
fn reaches(from: &str, to: &str) -> bool {
    let edges = EDGES.iter().find(|(name, _)| *name == from).map_or(&[][..], |(_, edges)| edges);
    edges.iter().any(|next| *next == to || reaches(next, to))
}

/// The names under `[dependencies]`, `[build-dependencies]` and their `target` forms.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut inside = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            let header = header.trim_end_matches(']').trim();
            let (table, name) = match header.rsplit_once('.') {
                Some((table, name)) if table.ends_with("dependencies") => (table, Some(name)),
                _ => (header, None),
            };
            let counted = table.ends_with("dependencies") && !table.ends_with("dev-dependencies");
            inside = counted && name.is_none();
            if let (true, Some(name)) = (counted, name) {
                names.push(name.to_owned());
            }
        } else if inside && !line.starts_with('#') {
            let name = line.split(['=', '.', ' ']).next().unwrap_or_default();
            if !name.is_empty() {
                names.push(name.to_owned());
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_dependency_is_seen_and_dev_dependencies_are_not() {
        let manifest = "[package]\nname = \"x\"\n[dependencies]\na = \"1\"\nb.workspace = true\n\
            # c = \"1\"\n[dependencies.d]\npath = \"d\"\n[dev-dependencies]\ne = \"1\"\n\
            [dev-dependencies.f]\nversion = \"1\"\n[target.'cfg(unix)'.dependencies]\ng = \"1\"\n\
            [build-dependencies]\nh = { workspace = true }\n[features]\ni = []\n";
        assert_eq!(dependencies(manifest), ["a", "b", "d", "g", "h"]);
    }

    #[test]
    fn a_dev_dependency_that_closes_a_circle_has_no_version() {
        let member = |line: &str| Member {
            name: "ws-endpoint".into(),
            directory: "crates/ws-endpoint".into(),
            manifest: format!("[dependencies]\n\n[dev-dependencies]\n{line}\n\n[lints]\n"),
        };
        for line in ["ws-tokio = { workspace = true }", "ws-stack.workspace = true"] {
            assert_eq!(circular(&member(line)).len(), 1, "{line}");
        }
        for line in ["ws-tokio = { path = \"../ws-tokio\" }", "ws-io = { workspace = true }"] {
            assert!(circular(&member(line)).is_empty(), "{line}");
        }
    }

    #[test]
    fn an_edge_against_the_floors_is_reported() {
        let member = |name: &str, manifest: &str| Member {
            name: name.into(),
            directory: format!("crates/{name}"),
            manifest: manifest.into(),
        };
        let members = [
            member("ws-frame", "[dependencies]\nws-session = { workspace = true }\n"),
            member("ws-session", "[dependencies]\nws-frame = { workspace = true }\n"),
        ];
        let mut findings = Findings::default();
        check(&members, &mut findings);
        assert_eq!(
            findings.violations,
            ["crates/ws-frame/Cargo.toml: ws-frame may not depend on ws-session"]
        );
    }
}
