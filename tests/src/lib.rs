//! What the tests that cross crates share; the tests are the files in `tests/`.

mod carrier;
mod certificates;
mod write_only;

pub use carrier::Carrier;
pub use certificates::{Certificates, certificates, certificates_with_names, distrustful};
pub use write_only::WriteOnly;

/// The README's code runs as tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
