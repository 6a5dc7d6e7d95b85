//! The error contract: every reason has a row in the table test, and no crate invents one.

use super::Findings;
use crate::source;
use crate::workspace;

/// One reason per line, then the crate that reports it: `protocol_error ws-frame`.
const CONTRACT: &str = "tests/data/reasons.txt";
/// The table test that makes each of them happen.
const TABLE: &str = "tests/tests/reasons.rs";

pub(super) fn check(files: &[String], findings: &mut Findings) -> Result<(), String> {
    let contract = workspace::read(CONTRACT)?;
    let known: Vec<&str> = reasons(&contract).collect();
    if files.iter().any(|file| file == TABLE) {
        let table = workspace::read(TABLE)?;
        for reason in known.iter().filter(|reason| !table.contains(&format!("\"{reason}\""))) {
            findings.violation(TABLE, &format!("no row for the reason {reason}"));
        }
    } else {
        findings.notes.push(format!("{TABLE} does not exist: reasons are not checked against it"));
    }
    for path in files.iter().filter(|file| file.starts_with("crates/") && file.ends_with(".rs")) {
        for reason in spoken(&workspace::read(path)?) {
            if !known.contains(&reason.as_str()) {
                findings.violation(path, &format!("the reason {reason} is not in {CONTRACT}"));
            }
        }
    }
    Ok(())
}

fn reasons(contract: &str) -> impl Iterator<Item = &str> {
    let lines = contract.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_whitespace().next())
}

/// The string literals inside functions with the signature of the contract.
fn spoken(text: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    let mut depth = None;
    for line in source::lines(text) {
        if line.code.contains("fn reason(&self) -> &'static str") {
            depth = Some(0_usize);
        }
        let Some(open) = depth.as_mut() else { continue };
        reasons.extend(literals(&line.text, &line.code));
        for character in line.code.chars() {
            match character {
                '{' => *open += 1,
                '}' => *open = open.saturating_sub(1),
                _ => {}
            }
        }
        if *open == 0 {
            depth = None;
        }
    }
    reasons
}

/// The quoted words of a line, comments and attributes aside; only snake_case words are reasons.
fn literals(text: &str, code: &str) -> Vec<String> {
    if code.trim().is_empty() || code.trim().starts_with("#[") {
        return Vec::new();
    }
    let inside = text.split('"').skip(1).step_by(2);
    let snake = |word: &&str| {
        !word.is_empty()
            && word.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit())
    };
    inside.filter(snake).map(String::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reasons_of_an_error_type_are_read_from_its_source() {
        let text = "impl Error {\n    pub fn reason(&self) -> &'static str {\n        match self {\n\
            // \"not_this\"\n            #[cfg(feature = \"nor_this\")]\n            Self::A => \"first\",\n            Self::B { .. } => \"the_second\",\n\
            }\n    }\n    fn other() { \"else\" }\n}\n";
        assert_eq!(spoken(text), ["first", "the_second"]);
    }

    #[test]
    fn the_contract_lists_each_reason_once() {
        let contract = workspace::read(CONTRACT).expect("the list is part of the project");
        let mut listed: Vec<&str> = reasons(&contract).collect();
        let all = listed.len();
        listed.sort_unstable();
        listed.dedup();
        assert_eq!(listed.len(), all);
    }
}
