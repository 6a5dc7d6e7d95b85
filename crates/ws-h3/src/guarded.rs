//! TLS inside QUIC that outlives a panic of what the program has brought along: a choice of certificates, a
//! judge of those of others.
//!
//! quinn runs TLS under its locks, when a connection begins under that of the socket. A panic would be met
//! again by whoever wants one of these, also by what is dropped while it unwinds: that ends the process.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::crypto::{
    ClientConfig, ExportKeyingMaterialError, HeaderKey, KeyPair, Keys, PacketKey, ServerConfig,
    Session, UnsupportedVersion,
};
use quinn::{ConnectError, ConnectionId, Side, TransportErrorCode};
use quinn_proto::TransportError;
use quinn_proto::transport_parameters::TransportParameters;

/// A server's side of it.
pub(crate) struct GuardedServer(pub(crate) Arc<QuicServerConfig>);

/// A client's side of it.
pub(crate) struct GuardedClient(pub(crate) Arc<QuicClientConfig>);

impl ServerConfig for GuardedServer {
    fn initial_keys(
        &self,
        version: u32,
        dst_cid: &ConnectionId,
    ) -> Result<Keys, UnsupportedVersion> {
        self.0.initial_keys(version, dst_cid)
    }

    fn retry_tag(&self, version: u32, orig_dst_cid: &ConnectionId, packet: &[u8]) -> [u8; 16] {
        self.0.retry_tag(version, orig_dst_cid, packet)
    }

    fn start_session(
        self: Arc<Self>,
        version: u32,
        params: &TransportParameters,
    ) -> Box<dyn Session> {
        Guarded::around(Arc::clone(&self.0).start_session(version, params))
    }
}

impl ClientConfig for GuardedClient {
    fn start_session(
        self: Arc<Self>,
        version: u32,
        server_name: &str,
        params: &TransportParameters,
    ) -> Result<Box<dyn Session>, ConnectError> {
        Arc::clone(&self.0).start_session(version, server_name, params).map(Guarded::around)
    }
}

struct Guarded {
    session: Box<dyn Session>,
    has_panicked: bool,
}

impl Guarded {
    fn around(session: Box<dyn Session>) -> Box<dyn Session> {
        Box::new(Self { session, has_panicked: false })
    }
}

impl Session for Guarded {
    /// Where rustls asks what the program has given it.
    fn read_handshake(&mut self, buf: &[u8]) -> Result<bool, TransportError> {
        let Self { session, has_panicked } = self;
        if !*has_panicked {
            // The session is not used after a panic.
            match catch_unwind(AssertUnwindSafe(|| session.read_handshake(buf))) {
                Ok(read) => return read,
                Err(_reported) => *has_panicked = true,
            }
        }
        // RFC 9001 §4.8: the alert internal_error.
        Err(TransportErrorCode::crypto(INTERNAL_ERROR).into())
    }

    fn initial_keys(&self, dst_cid: &ConnectionId, side: Side) -> Keys {
        self.session.initial_keys(dst_cid, side)
    }

    fn handshake_data(&self) -> Option<Box<dyn Any>> {
        self.session.handshake_data()
    }

    fn peer_identity(&self) -> Option<Box<dyn Any>> {
        self.session.peer_identity()
    }

    fn early_crypto(&self) -> Option<(Box<dyn HeaderKey>, Box<dyn PacketKey>)> {
        self.session.early_crypto()
    }

    fn early_data_accepted(&self) -> Option<bool> {
        self.session.early_data_accepted()
    }

    fn is_handshaking(&self) -> bool {
        self.session.is_handshaking()
    }

    fn transport_parameters(&self) -> Result<Option<TransportParameters>, TransportError> {
        self.session.transport_parameters()
    }

    fn write_handshake(&mut self, buf: &mut Vec<u8>) -> Option<Keys> {
        if self.has_panicked { None } else { self.session.write_handshake(buf) }
    }

    fn next_1rtt_keys(&mut self) -> Option<KeyPair<Box<dyn PacketKey>>> {
        self.session.next_1rtt_keys()
    }

    fn is_valid_retry(&self, orig_dst_cid: &ConnectionId, header: &[u8], payload: &[u8]) -> bool {
        self.session.is_valid_retry(orig_dst_cid, header, payload)
    }

    fn export_keying_material(
        &self,
        output: &mut [u8],
        label: &[u8],
        context: &[u8],
    ) -> Result<(), ExportKeyingMaterialError> {
        self.session.export_keying_material(output, label, context)
    }
}

/// RFC 8446 §6.
const INTERNAL_ERROR: u8 = 80;
