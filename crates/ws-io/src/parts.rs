//! A connection that is one no more.

use ws_session::Session;

use crate::UpgradeInfo;

/// A connection taken apart by [`WebSocket::into_parts`](crate::WebSocket::into_parts).
#[derive(Debug)]
#[non_exhaustive]
pub struct Parts<T, R> {
    /// The transport, as the session left it.
    pub transport: T,
    /// The runtime.
    pub runtime: R,
    /// The session, with what it has queued ([`Session::transmit`]) and buffered
    /// ([`Session::read_buffer`]).
    pub session: Session,
    /// What the handshake agreed on; empty if it was taken before.
    pub info: UpgradeInfo,
}
