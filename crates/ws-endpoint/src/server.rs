//! Servers: listeners, an accept loop that outlives its errors, routing, and a graceful end.

mod builder;
mod connection;
mod door;
mod registry;
mod shutdown;

pub use builder::Server;
pub use shutdown::{Drained, Shutdown};
