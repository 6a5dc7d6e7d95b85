//! WebSocket clients and servers over HTTP/1.1, HTTP/2 and HTTP/3, for any runtime.

mod accept;
mod connect_queue;
mod deadline;
mod dial;
#[cfg(test)]
mod fake;
mod net;
mod server;
mod socket;
mod stream;
#[cfg(feature = "rustls")]
pub mod tls;

pub use connect_queue::ConnectQueue;
pub use net::{Listener, Net};
pub use stream::Stream;
