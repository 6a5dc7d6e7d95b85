//! One driver for WebSocket sessions over any transport and any runtime.

mod runtime;
mod transport;

pub use runtime::{Runtime, Timer};
pub use transport::Transport;
