//! Tests that cross crates; see the files in `tests/`.

/// The README's code runs as tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
