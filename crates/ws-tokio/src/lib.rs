//! WebSocket on tokio: dial, listen, serve.

mod io;
mod net;
mod runtime;

pub use io::Io;
pub use net::TcpListener;
#[cfg(unix)]
pub use net::UnixListener;
pub use runtime::{Timer, Tokio};
