//! `cargo xtask ci`: installs what the test command can use, then runs it.

use crate::{Verdict, deny, msrv, peers, targets, test};

pub(crate) const ABOUT: &str = "installs the missing peers and tools, then does what `test` does\n\
(takes the options of `test`)";

pub(crate) fn command(arguments: Vec<String>) -> Verdict {
    peers::install();
    deny::install();
    targets::install();
    msrv::install();
    test::command(arguments)
}
