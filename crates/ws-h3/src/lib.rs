//! WebSocket over HTTP/3 (RFC 9220) on quinn, for any runtime.

mod client;
mod error;
mod link;
mod quic;
mod request;
mod server;
mod tls;
mod transport;

pub use client::{Client, ClientConfig};
pub use error::Error;
pub use quic::fields::{FieldError, PseudoHeader};
pub use request::{HttpRequest, Request, WebSocketRequest};
pub use server::{Server, ServerConfig, ServerHandle};
pub use tls::{ALPN, QuicOptions, client_config, server_config};
pub use transport::H3Stream;

/// The parsers that meet a peer's bytes first, for fuzzing; not part of the stable interface.
#[doc(hidden)]
pub mod wire {
    pub use crate::quic::fields::{
        FieldError, PseudoHeader, PseudoHeaders, check_response, lift_protocol, rewrite_protocol,
    };
    pub use crate::quic::frames::{FrameEvent, FrameReader};
}
