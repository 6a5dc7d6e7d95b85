//! Two ends of a connection in memory, on a virtual clock.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking, and its numbers are small"
)]

mod answers;
mod budgets;
mod buffered;
mod busy;
mod bytes;
mod cancel;
mod deadlines;
mod driver;
mod echo;
#[cfg(feature = "http")]
mod embedded;
mod every_call;
mod faults;
mod handler;
mod handshake;
#[cfg(feature = "deflate")]
mod inflating;
mod inline_wakers;
mod pages;
mod random_use;
mod sender;
mod shared;
mod slow_peers;
mod split;
mod streaming;
mod support;
mod weight;
mod wrapped;
