//! What tests say of themselves in comments above them: `// RFC: WS-5.2-03, WS-5.2-05`.
//!
//! Tests are what has an attribute that says so, and what the macros of ours that run tests list.

use std::collections::BTreeSet;

use crate::source::{self, Line};
use crate::workspace;

/// A test that answers something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Citation {
    pub(crate) id: String,
    pub(crate) path: String,
    pub(crate) line: usize,
    /// The function below the comment; a case of the conformance suite has none.
    pub(crate) test: Option<String>,
}

/// The functions that a macro makes tests of, because they stand in its list: by file and name.
#[derive(Debug, Default)]
pub(crate) struct Driven(BTreeSet<(String, String)>);

impl Driven {
    pub(crate) fn collect(files: &[String]) -> Result<Self, String> {
        let mut driven = Self::default();
        for path in files.iter().filter(|path| path.ends_with(".rs")) {
            driven.add(path, &workspace::read(path)?);
        }
        Ok(driven)
    }

    fn add(&mut self, path: &str, text: &str) {
        for (name, close) in LISTS {
            for list in text.split(name).skip(1) {
                let list = list.split(*close).next().unwrap_or_default();
                for test in list.split([',', ' ', '\n']).filter(|test| !test.is_empty()) {
                    self.0.insert(match test.split_once("::") {
                        Some((module, test)) => (beside(path, module), test.to_owned()),
                        None => (path.to_owned(), test.to_owned()),
                    });
                }
            }
        }
    }

    fn contains(&self, path: &str, name: &str) -> bool {
        self.0.contains(&(path.to_owned(), name.to_owned()))
    }
}

/// The file of a module that this one, the root of its directory, declares.
fn beside(path: &str, module: &str) -> String {
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    format!("{directory}/{module}.rs")
}

/// The macros that run each function of a list in several ways, and what ends the list.
const LISTS: &[(&str, char)] = &[("over_every_carrier!(", ')'), ("cases![", ']')];

/// Every row that a comment of this file cites behind `marker`. A comment above something that is no
/// test is one of the `mistakes`.
pub(crate) fn citations(
    path: &str,
    text: &str,
    marker: &str,
    driven: &Driven,
    mistakes: &mut Vec<String>,
) -> Vec<Citation> {
    let lines = source::lines(text);
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let comment = line.text.trim().strip_prefix("//");
        let comment = comment.map(|rest| rest.trim_start_matches(['/', '!']).trim_start());
        let Some(ids) = comment.and_then(|text| text.strip_prefix(marker)) else { continue };
        let function = function_at(&lines, index);
        let Some((test, _)) =
            function.filter(|(name, is_test)| *is_test || driven.contains(path, name))
        else {
            mistakes.push(format!("{path}:{}: a citation above no test", index + 1));
            continue;
        };
        for id in ids.split([',', ' ']).map(|id| id.trim_end_matches('.')) {
            if !id.is_empty() {
                let (id, path, test) = (id.to_owned(), path.to_owned(), Some(test.clone()));
                found.push(Citation { id, path, line: index + 1, test });
            }
        }
    }
    found
}

/// The function that the comment in this line stands above, among other comments and attributes, and
/// whether one of these makes it a test.
fn function_at(lines: &[Line], comment: usize) -> Option<(String, bool)> {
    let is_head = |line: &&Line| {
        let text = line.text.trim();
        text.starts_with("//") || text.starts_with("#[")
    };
    let above = lines.get(..comment)?.iter().rev().take_while(is_head);
    let mut is_test = above.filter(|line| is_test_attribute(&line.code)).count() > 0;
    // How deep the attribute is that goes over several lines.
    let mut depth = 0_usize;
    for line in lines.get(comment..)? {
        if depth == 0 && !is_head(&line) {
            return function_name(line.code.trim()).map(|name| (name, is_test));
        }
        is_test |= depth == 0 && is_test_attribute(&line.code);
        depth += line.code.matches('[').count();
        depth = depth.saturating_sub(line.code.matches(']').count());
    }
    None
}

/// `#[test]`, or that of a runtime: `#[tokio::test(start_paused = true)]`.
fn is_test_attribute(code: &str) -> bool {
    let path = code.trim().strip_prefix("#[").and_then(|rest| rest.split(['(', ']']).next());
    path.is_some_and(|path| path.rsplit("::").next() == Some("test"))
}

fn function_name(line: &str) -> Option<String> {
    let words = line.split_once("fn ").filter(|(before, _)| {
        before
            .split_whitespace()
            .all(|word| ["pub", "pub(crate)", "pub(super)", "async", "const"].contains(&word))
    })?;
    words.1.split(['(', '<']).next().map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows and the tests that cite them, and how many citations are mistakes.
    fn found(path: &str, text: &str, driven: &Driven) -> (Vec<(String, String)>, usize) {
        let mut mistakes = Vec::new();
        let found = citations(path, text, "RFC: ", driven, &mut mistakes);
        let rows = found.into_iter().map(|found| (found.id, found.test.unwrap_or_default()));
        (rows.collect(), mistakes.len())
    }

    fn row(id: &str, test: &str) -> (String, String) {
        (id.to_owned(), test.to_owned())
    }

    #[test]
    fn citations_name_the_test_below_them() {
        let text = "//! Doc.\n/// RFC: WS-1-01, WS-1-02\n#[test]\nfn holds() {}\n\
            // RFC: WS-2-01.\n#[tokio::test(start_paused = true)]\npub async fn waits() {}\n\
            // An RFC: not this\n\n#[test]\n// RFC: WS-3-01\n/// Doc.\n\
            #[expect(\n    lint,\n    reason = \"a ]\"\n)]\nfn stays() {}\n";
        let rows = [
            row("WS-1-01", "holds"),
            row("WS-1-02", "holds"),
            row("WS-2-01", "waits"),
            row("WS-3-01", "stays"),
        ];
        assert_eq!(found("a.rs", text, &Driven::default()), (rows.to_vec(), 0));
    }

    #[test]
    fn what_stands_above_no_test_answers_nothing() {
        for text in [
            "// RFC: WS-1-01\nfn plain() {}\n",
            "// RFC: WS-1-01\n#[inline]\npub fn plain() {}\n",
            "// RFC: WS-1-01\nconst A: u8 = 1;\n\n#[test]\nfn another() {}\n",
            "// RFC: WS-1-01\n#[expect(test)]\nfn plain() {}\n",
            "//! RFC: WS-1-01\n",
        ] {
            assert_eq!(found("a.rs", text, &Driven::default()), (vec![], 1), "{text}");
        }
    }

    #[test]
    fn what_a_macro_lists_is_a_test() {
        let mut driven = Driven::default();
        driven.add("t/a.rs", "over_every_carrier!(\n    listed,\n    other,\n);\n");
        driven.add("t/main.rs", "    cases![\n        b::listed\n        b::more\n    ]\n");
        let text = "// RFC: WS-1-01\nasync fn listed(over: Over) {}\n";
        for (path, is_test) in [("t/a.rs", true), ("t/b.rs", true), ("t/main.rs", false)] {
            let rows = if is_test { vec![row("WS-1-01", "listed")] } else { vec![] };
            assert_eq!(found(path, text, &driven), (rows, usize::from(!is_test)), "{path}");
        }
    }
}
