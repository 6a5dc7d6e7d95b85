//! The WebSocket protocol as a state machine without I/O: closing, pings, timers, limits.

mod error;

pub use error::TransportError;
