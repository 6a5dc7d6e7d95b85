//! The HTTP/3 carrier over loopback: both ends ours, then peers that do it wrong.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test may panic"
)]

mod arrivals;
mod bad_servers;
mod bodies;
mod carrier;
mod faults;
mod hostile;
mod leaving;
mod support;
mod turns;
mod waits;
mod waste;
mod websocket;
mod windows;
