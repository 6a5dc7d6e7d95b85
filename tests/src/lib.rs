//! What the tests that cross crates share; the tests are the files in `tests/`.

mod carrier;
mod certificates;
mod write_only;

pub use carrier::Carrier;
pub use certificates::{Certificates, certificates, certificates_with_names, distrustful};
pub use write_only::WriteOnly;

/// The code of every README runs as tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
#[doc = include_str!("../../crates/ws-async-std/README.md")]
#[doc = include_str!("../../crates/ws-close/README.md")]
#[doc = include_str!("../../crates/ws-deflate/README.md")]
#[doc = include_str!("../../crates/ws-endpoint/README.md")]
#[doc = include_str!("../../crates/ws-frame/README.md")]
#[doc = include_str!("../../crates/ws-h1-upgrade/README.md")]
#[doc = include_str!("../../crates/ws-h2-upgrade/README.md")]
#[doc = include_str!("../../crates/ws-h2/README.md")]
#[doc = include_str!("../../crates/ws-h3-upgrade/README.md")]
#[doc = include_str!("../../crates/ws-h3/README.md")]
#[doc = include_str!("../../crates/ws-handshake/README.md")]
#[doc = include_str!("../../crates/ws-io/README.md")]
#[doc = include_str!("../../crates/ws-session/README.md")]
#[doc = include_str!("../../crates/ws-smol/README.md")]
#[doc = include_str!("../../crates/ws-stack/README.md")]
#[doc = include_str!("../../crates/ws-tokio/README.md")]
pub struct Readme;
