//! Servers: listeners, an accept loop that outlives its errors, routing, and a graceful end.

mod builder;
mod connection;
mod door;
#[cfg(any(feature = "h2", feature = "h3"))]
mod extended;
#[cfg(feature = "h2")]
mod h2;
#[cfg(feature = "h3")]
mod h3;
#[cfg(any(feature = "h2", feature = "h3"))]
mod multiplexed;
mod pulse;
#[cfg(feature = "h3")]
mod quic;
mod registry;
mod route;
mod shutdown;
#[cfg(unix)]
mod socket_file;

pub use builder::Server;
pub use route::Deciding;
pub use shutdown::{Drained, Shutdown};
