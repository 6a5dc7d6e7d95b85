//! Rules for Rust files: length, module docs, no panics on a shrug, no silenced lints.

use super::Findings;
use crate::source::{self, Line};
use crate::workspace;

/// One noun per file: no file is longer, its tests and docs included.
const CEILING: usize = 500;

/// Words that may not appear in code, where, and what to write instead.
const BANNED: &[(&str, Scope, &str)] = &[
    (".unwrap()", Scope::Library, "no unwrap in a library: `expect` with the reason, or an error"),
    ("#[allow(", Scope::All, "write `#[expect(lint, reason = \"…\")]` instead of allow"),
    ("#![allow(", Scope::All, "write `#![expect(lint, reason = \"…\")]` instead of allow"),
    ("#[ignore]", Scope::All, "an ignored test says why: `#[ignore = \"…\"]`"),
    ("assert!(true", Scope::All, "asserts nothing"),
    ("should_panic]", Scope::All, "says which panic it expects: `should_panic(expected = \"…\")`"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// Everywhere.
    All,
    /// In `crates/*/src`, outside `#[cfg(test)]`.
    Library,
}

pub(super) fn check(files: &[String], findings: &mut Findings) -> Result<(), String> {
    let rust: Vec<&String> = files.iter().filter(|file| file.ends_with(".rs")).collect();
    let mut parsed = Vec::new();
    let mut test_files = Vec::new();
    for path in rust {
        let text = workspace::read(path)?;
        let lines = source::lines(&text);
        for module in source::test_modules(&lines) {
            test_files.extend(module_files(path, &module));
        }
        parsed.push((path, text, lines));
    }
    for (path, text, lines) in &parsed {
        check_shape(path, text, findings);
        let library = is_library(path) && !test_files.iter().any(|test| path.starts_with(test));
        check_words(path, lines, library, findings);
    }
    Ok(())
}

fn check_shape(path: &str, text: &str, findings: &mut Findings) {
    let length = text.lines().count();
    if length > CEILING {
        findings.violation(path, &format!("{length} lines; a file has at most {CEILING}"));
    }
    if !text.starts_with("//!") {
        findings.violation(path, "must start with `//!`: what it is and what it does not do");
    }
}

fn check_words(path: &str, lines: &[Line], library: bool, findings: &mut Findings) {
    for (number, line) in lines.iter().enumerate() {
        for (word, scope, advice) in BANNED {
            let applies = *scope == Scope::All || (library && !line.in_test);
            if applies && line.code.contains(word) {
                findings.violation(format_args!("{path}:{}", number + 1), advice);
            }
        }
    }
}

fn is_library(path: &str) -> bool {
    path.starts_with("crates/") && path.contains("/src/")
}

/// Where the body of `mod module;` declared in `path` lies: as a prefix of its file names.
fn module_files(path: &str, module: &str) -> [String; 2] {
    let (directory, file) = path.rsplit_once('/').unwrap_or(("", path));
    let base = match file {
        "lib.rs" | "main.rs" | "mod.rs" => directory.to_owned(),
        _ => format!("{directory}/{}", file.trim_end_matches(".rs")),
    };
    [format!("{base}/{module}.rs"), format!("{base}/{module}/")]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(path: &str, text: &str) -> Vec<String> {
        let mut findings = Findings::default();
        check_shape(path, text, &mut findings);
        check_words(path, &source::lines(text), is_library(path), &mut findings);
        findings.violations
    }

    #[test]
    fn unwrap_is_refused_in_a_library_but_not_in_its_tests_docs_or_strings() {
        let text = "//! Doc.\n//! x.unwrap();\nfn a() { b.unwrap(); }\nfn c() { \".unwrap()\"; }\n\
            #[cfg(test)]\nmod tests {\n fn d() { e.unwrap(); }\n}\n";
        let found = violations("crates/x/src/lib.rs", text);
        assert_eq!(found.len(), 1);
        assert!(found.iter().all(|line| line.starts_with("crates/x/src/lib.rs:3: no unwrap")));
        assert!(violations("tests/src/lib.rs", text).is_empty());
    }

    #[test]
    fn a_file_without_module_docs_or_over_the_ceiling_is_refused() {
        let long = format!("//! Doc.\n{}", "\n".repeat(CEILING));
        assert_eq!(violations("a.rs", &long), ["a.rs: 501 lines; a file has at most 500"]);
        assert_eq!(violations("a.rs", "fn a() {}\n").len(), 1);
    }

    #[test]
    fn silenced_lints_and_unexplained_ignores_are_refused_everywhere() {
        let text = "//! Doc.\n#[allow(dead_code)]\nfn a() {}\n#[ignore]\n#[ignore = \"slow\"]\n";
        assert_eq!(violations("tests/tests/a.rs", text).len(), 2);
    }
}
