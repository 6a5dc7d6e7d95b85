//! Clients and servers of every HTTP version on a network in memory with a clock of its own.

#![cfg(all(feature = "h2", feature = "h3"))]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and its buffers are as large as it made them"
)]

// What tests of other crates have already is not written again.
#[expect(dead_code, reason = "the tests that cross crates use more of it")]
#[expect(unreachable_pub, reason = "the tests that cross crates share it between binaries")]
#[path = "../../../../tests/src/certificates.rs"]
mod certificates;
#[path = "../../../ws-io/tests/it/support/hostile.rs"]
mod hostile;
#[expect(dead_code, reason = "the tests of ws-io use more of it")]
#[path = "../../../ws-io/tests/it/support/sim.rs"]
mod sim;

mod best;
mod every_call;
mod every_poll;
mod lives;
mod net;
mod offload;
mod reborn;
mod shared;
mod slow;
mod tls;
mod tls_errors;
mod tls_resumed;
mod udp;
