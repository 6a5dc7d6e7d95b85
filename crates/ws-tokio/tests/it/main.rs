//! The crate from outside, over real sockets.

#[cfg(feature = "rustls")]
mod carriers;
mod endpoints;
mod support;
mod timers;
#[cfg(feature = "rustls")]
mod tired;
#[cfg(feature = "rustls")]
mod tls_stream;
mod turns;
