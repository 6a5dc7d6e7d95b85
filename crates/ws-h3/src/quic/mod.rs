//! The `h3::quic` traits over quinn, with `:protocol` made to pass (see [`fields`]), and the raw
//! streams below them.

mod connection;
mod control;
pub(crate) mod fields;
pub(crate) mod frames;
mod halves;
mod head;
mod stream;

pub(crate) use connection::{Connection, OpenStreams};
pub(crate) use halves::{Inbound, Outbound, TURN, to_varint};
pub(crate) use head::private_name;
pub(crate) use stream::{BidiStream, Exchange};
