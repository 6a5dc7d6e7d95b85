//! A sequence of steps with a table of results at its end.

use std::time::{Duration, Instant};

use crate::Verdict;
use crate::options::Options;

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Ran and found nothing wrong; the text is a detail for the table.
    Passed(String),
    /// Ran and found something wrong, or could not go on.
    Failed(String),
    /// Did not run, and why. Never counts as passed.
    Skipped(String),
}

impl Outcome {
    /// Passed without a detail, or failed with `why`.
    pub(crate) fn of(passed: bool, why: &str) -> Self {
        if passed { Self::Passed(String::new()) } else { Self::Failed(why.to_owned()) }
    }
}

/// A command that checks something by itself, with `--install` after installing what that takes, and
/// with `--install-only` does no more than that.
pub(crate) fn command(
    arguments: Vec<String>,
    install: impl FnOnce(),
    check: impl FnOnce(&mut Steps),
) -> Verdict {
    let options = Options::parse(arguments, &[], &["install", "install-only"])?;
    if options.has("install") || options.has("install-only") {
        install();
    }
    if options.has("install-only") {
        return Ok(true);
    }
    let mut steps = Steps::default();
    check(&mut steps);
    Ok(steps.report())
}

/// The results so far.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    rows: Vec<(String, Outcome, Duration)>,
}

impl Steps {
    /// Runs one step and keeps its result; an error is a failure.
    pub(crate) fn run(&mut self, name: &str, step: impl FnOnce() -> Result<Outcome, String>) {
        println!("\n=== {name} ===");
        let start = Instant::now();
        let outcome = step().unwrap_or_else(Outcome::Failed);
        match &outcome {
            Outcome::Passed(_) => {}
            Outcome::Failed(why) => println!("!!! {name} FAILED: {why}"),
            Outcome::Skipped(why) => println!("!!! {name} NOT RUN: {why}"),
        }
        self.rows.push((name.to_owned(), outcome, start.elapsed()));
    }

    /// Prints the table and the closing line; true when no step failed.
    pub(crate) fn report(&self) -> bool {
        println!("\n=== steps ===");
        let width = self.rows.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
        for (name, outcome, took) in &self.rows {
            let (word, detail) = match outcome {
                Outcome::Passed(detail) => ("passed", detail),
                Outcome::Failed(detail) => ("FAILED", detail),
                Outcome::Skipped(detail) => ("NOT RUN", detail),
            };
            let line = format!("{name:<width$}  {word:<8} {:>7.1} s  {detail}", took.as_secs_f64());
            println!("{}", line.trim_end());
        }
        let (passed, failed, skipped) = self.count();
        println!("\n{passed} passed, {failed} failed, {skipped} skipped");
        failed == 0
    }

    fn count(&self) -> (usize, usize, usize) {
        let mut counts = (0, 0, 0);
        for (_, outcome, _) in &self.rows {
            match outcome {
                Outcome::Passed(_) => counts.0 += 1,
                Outcome::Failed(_) => counts.1 += 1,
                Outcome::Skipped(_) => counts.2 += 1,
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_could_not_run_is_neither_passed_nor_failed() {
        let mut steps = Steps::default();
        steps.run("good", || Ok(Outcome::of(true, "unused")));
        steps.run("absent", || Ok(Outcome::Skipped("no tool".into())));
        assert_eq!(steps.count(), (1, 0, 1));
        assert!(steps.report());
    }

    #[test]
    fn an_error_inside_a_step_fails_the_run_but_not_the_steps_after_it() {
        let mut steps = Steps::default();
        steps.run("broken", || Err("no such file".into()));
        steps.run("good", || Ok(Outcome::of(true, "unused")));
        assert_eq!(steps.count(), (1, 1, 0));
        assert!(!steps.report());
    }
}
