//! Progress of a run, on the standard error stream.

use std::io::{IsTerminal, Write, stderr};

use crate::report::table::printable;
use crate::run::CaseResult;

/// Counts cases and names those that did not pass.
#[derive(Debug)]
pub(crate) struct Progress {
    total: usize,
    done: usize,
    shown: bool,
    terminal: bool,
}

impl Progress {
    pub(crate) fn new(total: usize, shown: bool) -> Self {
        Self { total, done: 0, shown, terminal: stderr().is_terminal() }
    }

    pub(crate) fn step(&mut self, result: &CaseResult) {
        self.done += 1;
        let Self { total, done, .. } = *self;
        let verdict = &result.verdict;
        if verdict.is_against() {
            let known = result.known.as_ref().map(|why| format!(" [known to fail: {why}]"));
            let clear = if self.terminal { "\r\x1b[K" } else { "" };
            let (id, overall, close) = (&result.id, verdict.overall(), verdict.close);
            let (what, why) = (&result.description, &verdict.why);
            let line = format!("{id:<9} {overall} (close: {close}): {what} {why}");
            let line = printable(&(line + &known.unwrap_or_default()));
            self.write(&format!("{clear}{line}\n"));
        }
        if self.terminal {
            self.write(&format!("\r\x1b[K{done}/{total} {}", result.id));
        } else if total >= 100 && done * 10 / total > (done - 1) * 10 / total {
            // In a log each tenth is enough to see that a long run goes on.
            self.write(&format!("{done} of {total} cases\n"));
        }
    }

    /// Tells of a case that broke down in the suite itself.
    pub(crate) fn fault(&mut self, what: &str) {
        self.shown = true;
        self.write(&format!("\na case broke down, which is a fault of this suite: {what}\n"));
    }

    pub(crate) fn end(&self) {
        if self.terminal {
            self.write("\r\x1b[K");
        }
    }

    fn write(&self, text: &str) {
        if self.shown {
            // Without a standard error stream there is nobody to tell.
            let _ = stderr().write_all(text.as_bytes());
        }
    }
}
