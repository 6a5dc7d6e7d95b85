//! Which tests failed, read from what `cargo test` prints: the table of the steps stands at the end,
//! where the output of a long run has scrolled away or was cut.

use std::collections::BTreeMap;

/// Each failed test and what it said, by name.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    said: BTreeMap<String, String>,
    /// The test whose first words come next.
    speaker: Option<String>,
}

impl Failures {
    /// Takes the next line of the output.
    pub(crate) fn observe(&mut self, line: &str) {
        if line == "failures:" || line.starts_with("test result:") {
            self.speaker = None;
        } else if let Some(name) = failed(line) {
            self.said.entry(name.to_owned()).or_default();
        } else if let Some(name) = between(line, "---- ", " stdout ----") {
            self.speaker = Some(name.to_owned());
        } else if self.speaker.is_none()
            && let Some((cell, said)) = line.split_once(": FAILED: ")
        {
            self.said.insert(cell.to_owned(), said.to_owned());
        } else if let Some(name) = &self.speaker
            && let Some(said) = self.said.get_mut(name)
            && said.len() < ENOUGH
        {
            let gap = if said.is_empty() { "" } else { " " };
            said.push_str(gap);
            said.push_str(line.trim());
        }
    }

    /// A line for each.
    pub(crate) fn summary(&self) -> String {
        if self.said.is_empty() {
            return "no test said so: see the output above".to_owned();
        }
        let lines = self.said.iter().map(|(name, said)| {
            let said: String = said.chars().take(ENOUGH).collect();
            format!("\n    {name}: {}", said.trim())
        });
        lines.collect()
    }
}

/// The name in `test NAME ... FAILED` or `test NAME - should panic ... FAILED`.
fn failed(line: &str) -> Option<&str> {
    let name = between(line, "test ", " ... FAILED")?;
    Some(NOTES.iter().find_map(|note| name.strip_suffix(note)).unwrap_or(name))
}

/// What a test is announced with, but does not speak under.
const NOTES: [&str; 3] = [" - should panic", " - compile", " - compile fail"];

fn between<'a>(line: &'a str, before: &str, after: &str) -> Option<&'a str> {
    line.strip_prefix(before)?.strip_suffix(after)
}

/// Where somebody panicked and the first of what they said, in characters.
const ENOUGH: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(output: &str) -> String {
        let mut failures = Failures::default();
        output.lines().for_each(|line| failures.observe(line));
        failures.summary()
    }

    #[test]
    fn who_failed_is_named_with_what_they_said() {
        let output = "running 2 tests\ntest good ... ok\ntest it::bad ... FAILED\n\nfailures:\n\n\
            ---- it::bad stdout ----\n\nthread 'it::bad' (7) panicked at src/it.rs:3:9:\n\
            assertion failed: 2s < 1s\n\nfailures:\n    it::bad\n\n\
            test result: FAILED. 1 passed; 1 failed\n   Doc-tests other\n";
        assert_eq!(
            summary(output),
            "\n    it::bad: thread 'it::bad' (7) panicked at src/it.rs:3:9: assertion failed: 2s < 1s"
        );
    }

    #[test]
    fn a_test_that_should_have_panicked_is_named_once() {
        let output = "test bad - should panic ... FAILED\n\nfailures:\n\n---- bad stdout ----\n\
            note: test did not panic as expected: FAILED: not at all\n";
        let expected = "\n    bad: note: test did not panic as expected: FAILED: not at all";
        assert_eq!(summary(output), expected);
    }

    #[test]
    fn a_cell_of_the_matrix_that_failed_is_named() {
        let output = "case  FAILED\n3 ran, 1 failed\nsmol h2+z a_case: FAILED: hangs\n";
        assert_eq!(summary(output), "\n    smol h2+z a_case: hangs");
    }

    #[test]
    fn a_long_speech_is_cut() {
        let speech = "word ".repeat(1000);
        let output = format!("test bad ... FAILED\n---- bad stdout ----\n{speech}\n{speech}");
        assert!(summary(&output).len() < ENOUGH + 20);
    }

    #[test]
    fn a_run_that_broke_down_otherwise_is_sent_to_its_output() {
        assert!(summary("error: could not compile\n").contains("see the output above"));
    }
}
