//! What must hold for any bytes that a peer, or a caller, can come up with. Each target is a function
//! of bytes that panics when something does not hold; libFuzzer and the smoke run call the same ones.

pub mod mutate;
pub mod reference;
pub mod scale;
pub mod source;

mod connection;
mod cut;
mod frame_decode;
mod h1_request;
mod h1_response;
mod h2_request;
mod h3_fields;
mod header_lists;
mod inflate;
mod session_ops;
mod uri;

// What the tests of the crates have already is not written again.
#[expect(dead_code, reason = "the tests of ws-deflate use more of it")]
#[path = "../../../crates/ws-deflate/tests/suite/reference.rs"]
mod bitwise;
#[expect(dead_code, reason = "the tests of ws-io use more of it")]
#[path = "../../../crates/ws-io/tests/it/support/sim.rs"]
mod sim;

/// One property, or several that the same bytes can decide.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name on the command line, and that of its corpus.
    pub name: &'static str,
    /// Panics when it does not hold.
    pub run: fn(&[u8]),
    /// The most bytes that are worth trying.
    pub max_len: usize,
}

/// All targets, the most valuable first.
pub const TARGETS: &[Target] = &[
    Target { name: "frame_decode", run: frame_decode::run, max_len: 1024 },
    Target { name: "session_ops", run: session_ops::run, max_len: 2048 },
    Target { name: "h3_fields", run: h3_fields::run, max_len: 512 },
    Target { name: "connection", run: connection::run, max_len: 1024 },
    Target { name: "h1_request", run: h1_request::run, max_len: 1024 },
    Target { name: "h1_response", run: h1_response::run, max_len: 1024 },
    Target { name: "inflate", run: inflate::run, max_len: 1024 },
    Target { name: "header_lists", run: header_lists::run, max_len: 512 },
    Target { name: "h2_request", run: h2_request::run, max_len: 512 },
    Target { name: "uri", run: uri::run, max_len: 256 },
];

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
