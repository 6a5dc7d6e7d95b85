//! What the tests that cross crates share; the tests are the files in `tests/`.

mod write_only;

pub use write_only::WriteOnly;

/// The README's code runs as tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
