//! `cargo xtask features`: the combinations of features that must build, warnings being errors.
//!
//! The list is explicit: a power set of twelve crates would cost hours and prove no more. Each crate
//! stands alone (cargo unifies features in a workspace build and hides what is missing), the facade
//! goes through runtime × carrier × deflate × TLS.

use crate::options::Options;
use crate::process;
use crate::workspace;
use crate::{Verdict, steps::Outcome};

pub(crate) const ABOUT: &str = "checks the combinations of features that must build\n\
--full  all of them; otherwise the short list of the test command";

/// One combination: a package and its features; `*` stands for all of them.
type Combination = (String, String);

/// The facade's combinations that stand for the rest in the test command.
const QUICK: &[&str] =
    &["", "tokio", "tokio,rustls", "tokio,h2,deflate", "smol,h3", "async-std,h2", "http"];

const FACADE: &str = "ws-stack";
const RUNTIMES: &[&str] = &["tokio", "async-std", "smol"];
const CARRIERS: &[&str] = &["", "h2", "h3", "h2,h3"];
const EXTRAS: &[&str] = &["", "deflate", "rustls", "deflate,rustls", "http"];

/// Features of other crates that are worth a build of their own.
const SINGLE: &[(&str, &[&str])] = &[
    ("ws-handshake", &["http", "uri"]),
    ("ws-h1-upgrade", &["http"]),
    ("ws-h2-upgrade", &["http"]),
    ("ws-h3-upgrade", &["http"]),
    ("ws-session", &["deflate"]),
    ("ws-io", &["deflate", "http"]),
    ("ws-h2", &["deflate"]),
    ("ws-h3", &["deflate"]),
    ("ws-endpoint", &["rustls", "deflate", "h2", "h3"]),
    ("ws-tokio", &["rustls", "deflate", "h2", "h3"]),
    ("ws-async-std", &["rustls", "deflate", "h2", "h3"]),
    ("ws-smol", &["rustls", "deflate", "h2", "h3"]),
    ("ws-conformance", &["h2", "h3"]),
];

pub(crate) fn command(arguments: Vec<String>) -> Verdict {
    let options = Options::parse(arguments, &[], &["full"])?;
    match check(options.has("full"))? {
        Outcome::Failed(what) => {
            println!("features: {what}");
            Ok(false)
        }
        Outcome::Passed(what) | Outcome::Skipped(what) => {
            println!("features: {what}");
            Ok(true)
        }
    }
}

/// Checks every combination, or the short list, and goes on after a failure.
pub(crate) fn check(full: bool) -> Result<Outcome, String> {
    let combinations = combinations(full)?;
    let clippy = process::has_cargo_command("clippy");
    let mut failed = Vec::new();
    for (package, features) in &combinations {
        let mut arguments = vec![if clippy { "clippy" } else { "check" }, "--quiet", "--lib"];
        arguments.extend(["--package", package]);
        match features.as_str() {
            "*" => arguments.push("--all-features"),
            "default" => {}
            features => arguments.extend(["--no-default-features", "--features", features]),
        }
        if clippy {
            arguments.extend(["--", "-D", "warnings"]);
        }
        if !process::run(&mut process::cargo(&arguments))? {
            failed.push(format!("{package} [{features}]"));
        }
    }
    let all = combinations.len();
    if failed.is_empty() {
        return Ok(Outcome::Passed(format!("{all} combinations")));
    }
    Ok(Outcome::Failed(format!("{} of {all}: {}", failed.len(), failed.join("; "))))
}

fn combinations(full: bool) -> Result<Vec<Combination>, String> {
    let mut list: Vec<Combination> = Vec::new();
    let mut add = |package: &str, features: &str| {
        let combination = (package.to_owned(), features.to_owned());
        if !list.contains(&combination) {
            list.push(combination);
        }
    };
    for member in workspace::members()?.iter().filter(|member| member.is_crate()) {
        add(&member.name, "default");
        if full && has_features(&member.manifest) {
            add(&member.name, "");
            add(&member.name, "*");
        }
    }
    for features in QUICK {
        add(FACADE, features);
    }
    if !full {
        return Ok(list);
    }
    for (package, features) in SINGLE {
        for feature in *features {
            add(package, feature);
        }
    }
    for runtime in RUNTIMES {
        for carrier in CARRIERS {
            for extra in EXTRAS {
                let parts = [*runtime, carrier, extra];
                let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
                add(FACADE, &parts.join(","));
            }
        }
    }
    for feature in RUNTIMES.iter().chain(CARRIERS).chain(EXTRAS) {
        add(FACADE, feature);
    }
    add(FACADE, &RUNTIMES.join(","));
    Ok(list)
}

fn has_features(manifest: &str) -> bool {
    manifest.lines().any(|line| line == "[features]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_is_checked_alone_and_nothing_twice() {
        let mut list = combinations(true).expect("the manifests can be read");
        for member in workspace::members().expect("the manifests can be read") {
            let alone = list.iter().any(|(package, _)| *package == member.name);
            assert_eq!(alone, member.is_crate(), "{}", member.name);
        }
        let all = list.len();
        list.sort();
        list.dedup();
        assert_eq!(list.len(), all);
    }

    #[test]
    fn every_feature_in_the_lists_exists() {
        let members = workspace::members().expect("the manifests can be read");
        for (package, features) in combinations(true).expect("the manifests can be read") {
            let member = members.iter().find(|member| member.name == package);
            let manifest = &member.expect("a listed package is a member").manifest;
            for feature in features.split(',').filter(|f| !["", "*", "default"].contains(f)) {
                let line = format!("\n{feature} = [");
                assert!(manifest.contains(&line), "{package} has no feature {feature}");
            }
        }
    }
}
