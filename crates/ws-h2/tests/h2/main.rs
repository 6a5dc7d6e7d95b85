//! The HTTP/2 carrier against itself, against the plain `h2` crate and against hand-written frames.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod budget;
mod client;
mod ends;
mod faulty_server;
mod flood;
mod limits;
mod rules;
mod server;
mod sessions;
mod streams;
mod support;
mod wire;
