//! `cargo xtask ci`: installs the peers that are missing, then runs the test command.

use crate::{Verdict, peers, test};

pub(crate) const ABOUT: &str = "installs the missing peers, then does what `test` does\n\
(takes the options of `test`)";

pub(crate) fn command(arguments: Vec<String>) -> Verdict {
    peers::install();
    test::command(arguments)
}
