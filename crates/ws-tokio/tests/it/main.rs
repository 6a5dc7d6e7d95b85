//! The crate from outside, over real sockets.

#[cfg(feature = "rustls")]
mod carriers;
mod endpoints;
mod support;
#[cfg(feature = "rustls")]
mod tls_stream;
