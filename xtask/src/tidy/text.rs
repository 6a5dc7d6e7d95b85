//! Rules for every text file: nothing left open, nothing that belongs to one machine.

use super::Findings;
use crate::workspace;

pub(super) fn check(files: &[String], findings: &mut Findings) -> Result<(), String> {
    for path in files {
        let text = workspace::read(path)?;
        for (number, line) in text.lines().enumerate() {
            if let Some(what) = judge(line) {
                findings.violation(format_args!("{path}:{}", number + 1), what);
            }
        }
    }
    Ok(())
}

fn judge(line: &str) -> Option<&'static str> {
    if MARKERS.iter().any(|marker| has_word(line, &marker.concat())) {
        return Some("left open: do it, or say in the docs that it is absent");
    }
    if MACHINE.iter().any(|path| line.contains(&path.concat())) || has_scratch_path(line) {
        return Some("a path of one machine");
    }
    None
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let before = line.get(..start).and_then(|text| text.chars().next_back());
        let after = line.get(start + word.len()..).and_then(|text| text.chars().next());
        let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !part(before) && !part(after)
    })
}

/// A named file under the scratch directory: tests ask the system for one instead.
fn has_scratch_path(line: &str) -> bool {
    let scratch = ["/t", "mp/"].concat();
    line.match_indices(&scratch).any(|(start, found)| {
        let after = line.get(start + found.len()..).and_then(|text| text.chars().next());
        after.is_some_and(|character| character.is_ascii_lowercase())
    })
}

// In two halves, so that this file keeps its own rule.
const MARKERS: &[[&str; 2]] = &[["TO", "DO"], ["FIX", "ME"], ["XX", "X"]];
const MACHINE: &[[&str; 2]] =
    &[["/ho", "me/"], ["/Us", "ers/"], ["/ro", "ot/"], ["/wo", "rk/"], ["/fa", "rm/"]];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_found_as_words_only() {
        assert!(judge(&["// TO", "DO: later"].concat()).is_some());
        assert!(judge(&["let MASTO", "DON = 1;"].concat()).is_none());
    }

    #[test]
    fn paths_of_a_machine_are_found() {
        assert!(judge(&["see /ho", "me/me/notes"].concat()).is_some());
        assert!(judge(&["cat /t", "mp/out.log"].concat()).is_some());
        assert!(judge("cat /usr/bin/chromium").is_none());
    }
}
