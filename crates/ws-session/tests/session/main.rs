//! The session through its public surface: what comes in as bytes, what leaves as bytes, and when.

mod closing;
mod deadlines;
#[cfg(feature = "deflate")]
mod deflate;
mod sending;
mod support;
