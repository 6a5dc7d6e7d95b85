//! The session: one connection after its handshake (RFC 6455 §5 to §7).

mod ending;
mod memory;
mod receiving;
mod sending;
mod time;

use std::sync::Arc;

use bytes::BytesMut;
use ws_frame::{FrameEncoder, MaskKeys, MessageDecoder, Role};

use crate::Config;
use crate::budget::{Charge, SharedBudget};
use crate::closing::Closing;
use crate::compression::Compression;
use crate::inbound::Inbound;
use crate::outbound::Outbound;
use crate::timers::Timers;

/// One WebSocket connection, from the end of its handshake to its last byte, without I/O.
///
/// The [crate documentation](crate) shows the loop that drives it. A session is always in a state
/// in which any method may be called, in any order.
#[derive(Debug)]
pub struct Session {
    config: Arc<Config>,
    role: Role,
    inbound: Inbound,
    outbound: Outbound,
    closing: Closing,
    timers: Timers,
    compression: Option<Box<Compression>>,
    /// What is charged on the budget shared with other sessions.
    charge: Option<Box<Charge>>,
    /// Bytes that the owner keeps for the peer.
    beside: u32,
}

/// What fails on our side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The application failed or panicked: the session closes with 1011.
    HandlerFailed,
}

impl Session {
    /// A session for the endpoint that opened the connection.
    #[must_use]
    pub fn client(config: impl Into<Arc<Config>>, keys: MaskKeys) -> Self {
        Self::new(config.into(), Role::Client, FrameEncoder::client(keys))
    }

    /// A session for the endpoint that accepted the connection.
    #[must_use]
    pub fn server(config: impl Into<Arc<Config>>) -> Self {
        Self::new(config.into(), Role::Server, FrameEncoder::server())
    }

    fn new(config: Arc<Config>, role: Role, encoder: FrameEncoder) -> Self {
        let decoder =
            MessageDecoder::new(role, &config.limits).with_iana_codes(config.iana_close_codes);
        let charge = config.shared_budget.as_ref().map(SharedBudget::open).map(Box::new);
        Self {
            config,
            role,
            inbound: Inbound::new(decoder),
            outbound: Outbound::new(encoder),
            closing: Closing::default(),
            timers: Timers::default(),
            compression: None,
            charge,
            beside: 0,
        }
    }

    /// Begins with bytes that arrived together with the handshake.
    #[must_use]
    pub fn with_leftover(mut self, leftover: BytesMut) -> Self {
        self.inbound.buffer = leftover;
        self
    }

    /// Compresses and inflates messages by the parameters that the handshake agreed on
    /// (RFC 7692), with the level, the threshold and the `release_after` of `config`.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn with_deflate(mut self, params: ws_deflate::Params, config: &ws_deflate::Config) -> Self {
        self.inbound.map_decoder(MessageDecoder::with_rsv1);
        let compression = Compression::new(&params, config, Arc::clone(&self.config));
        self.compression = Some(Box::new(compression));
        self
    }

    /// The limits and deadlines of this session.
    #[must_use]
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Which end of the connection this is.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Gives up the contexts of compression, as a session does by itself when it has been idle for
    /// `release_after`. The next message costs a little time, and more bytes: it finds an empty
    /// window. In the middle of a message nothing is given up.
    pub fn release(&mut self) {
        if let Some(compression) = &mut self.compression {
            compression.release();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_session_is_small() {
        // Beside buffers, which an idle session has none of: what each of 100,000 of them costs.
        let size = size_of::<Session>();
        assert!(size <= 456, "{size} bytes");
    }
}
