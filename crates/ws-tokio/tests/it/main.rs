//! The crate from outside, over real sockets.

mod endpoints;
mod support;
#[cfg(feature = "rustls")]
mod tls_stream;
