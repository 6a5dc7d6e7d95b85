//! The suite's own bytes: HTTP/1.1 text, frames, masking, deflate and the streams beneath them.
//!
//! Nothing here is shared with the crates that this suite judges. It is written to be read beside
//! the RFCs, and it can produce what no honest endpoint would send.

pub(crate) mod blocks;
pub(crate) mod connect;
pub(crate) mod deflate;
pub(crate) mod extension;
pub(crate) mod field_lines;
pub(crate) mod frame;
#[cfg(feature = "h3")]
pub(crate) mod h3_stream;
pub(crate) mod hpack;
pub(crate) mod http;
pub(crate) mod identity;
pub(crate) mod mask;
pub(crate) mod negotiation;
#[cfg(feature = "h3")]
pub(crate) mod qpack;
pub(crate) mod raw_h2;
#[cfg(feature = "h3")]
pub(crate) mod raw_h3;
pub(crate) mod stream;
pub(crate) mod tls;
pub(crate) mod tunnel;
