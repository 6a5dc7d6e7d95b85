//! QUIC configurations for HTTP/3: ALPN, TLS 1.3, no early data, and bounds on what a peer may make
//! us hold.

use std::error::Error as StdError;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{IdleTimeout, TransportConfig, VarInt};
use rustls::pki_types::ServerName;
use rustls::quic::Version;

use crate::error::Error;
use crate::guarded::{GuardedClient, GuardedServer};
use crate::windows::Windows;

/// The bounds and timers of a QUIC connection.
///
/// What a peer can make a connection hold is at most `connection_window` of unread data, however
/// many streams it opens, or `max_connection_window` where the window may grow; the window of a stream
/// is what one reader that stopped may take of it. A connection stalls as a whole when its stopped
/// readers have taken all. So that they cannot, its window grows with the WebSockets that are open,
/// where it is told to ([`ServerConfig::windows`](crate::ServerConfig::windows),
/// [`ClientConfig`](crate::ClientConfig)), by a `stream_window` for each and up to
/// `max_connection_window`. It does not shrink again: credit cannot be taken back (RFC 9000 §4.1).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct QuicOptions {
    /// Unread bytes of one stream. Default: 256 KiB.
    pub stream_window: u32,
    /// Unread bytes of all streams together. Default: 4 MiB.
    pub connection_window: u32,
    /// The same, however many WebSockets are open. Default: 68 MiB, so that 256 of them may be left
    /// unread. What is less than `connection_window` counts as that: then the window does not grow.
    pub max_connection_window: u32,
    /// Bytes of all streams that are sent and not acknowledged. Default: 4 MiB.
    pub send_window: u64,
    /// Requests the peer may have open at once. Default: 256. More than 65,536 count as that: QUIC makes
    /// room for each when a connection begins.
    ///
    /// On a server those that were cancelled or malformed are bounded too: 1,000 at once and 33 a second
    /// in the long run, then the connection is closed with `H3_EXCESSIVE_LOAD` (RFC 9114 §10.5). A
    /// WebSocket that its client resets within 5 seconds is one of them once the reset has been read,
    /// and stays one when its user has let go of it, other than over HTTP/2: so a load test should end
    /// its WebSockets in order.
    pub max_requests: u32,
    /// A ping is sent after this time without traffic, so that a quiet WebSocket lives on. Default:
    /// 10 seconds. Zero turns it off, and so does the longest time.
    pub keep_alive: Duration,
    /// The connection is dead after this time without a sign of the peer. Default: 30 seconds.
    pub idle_timeout: Duration,
    /// With this many handshakes under way a server asks clients to show that they receive at their
    /// address before it does more for them ([`Admission`](crate::Admission)). Default: 64. Zero asks
    /// everyone, which costs each new client a round trip.
    pub retry_above: usize,
    /// With this many handshakes under way a server begins no more. Default: 1024.
    pub max_handshakes: usize,
    /// Whether datagrams may be handed to the system several in one call, which has them cut apart on
    /// their way to the network (GSO on Linux, USO on Windows). Default: yes; it saves most of the calls
    /// for large messages.
    ///
    /// Some network cards, drivers and packet filters lose what comes so. What the system refuses at once
    /// is noticed, and then it is no longer tried; what is lost later looks like a bad network: connections
    /// that open and stall under load. Turn it off there.
    pub segmentation_offload: bool,
}

impl Default for QuicOptions {
    fn default() -> Self {
        Self {
            stream_window: 256 * 1024,
            connection_window: 4 * 1024 * 1024,
            max_connection_window: 68 * 1024 * 1024,
            send_window: 4 * 1024 * 1024,
            max_requests: 256,
            keep_alive: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            retry_above: 64,
            max_handshakes: 1024,
            segmentation_offload: true,
        }
    }
}

impl QuicOptions {
    /// How the window of a connection that is made with these options may grow.
    #[must_use]
    pub fn windows(&self) -> Windows {
        Windows::new(self)
    }

    /// The same as quinn takes it. Datagrams are off; a peer may open eight unidirectional streams
    /// (three are used). An idle timeout of more than 2^62 milliseconds, or of zero, becomes the
    /// default.
    #[must_use]
    pub fn transport_config(&self) -> TransportConfig {
        let idle = Some(self.idle_timeout).filter(|time| !time.is_zero());
        let idle = idle.and_then(|time| IdleTimeout::try_from(time).ok());
        let mut config = TransportConfig::default();
        config
            .stream_receive_window(VarInt::from_u32(self.stream_window))
            .receive_window(VarInt::from_u32(self.connection_window))
            .send_window(self.send_window)
            .max_concurrent_bidi_streams(VarInt::from_u32(self.max_requests.min(MOST_REQUESTS)))
            .max_concurrent_uni_streams(VarInt::from_u32(UNI_STREAMS))
            .keep_alive_interval(self.keep_alive_interval())
            .enable_segmentation_offload(self.segmentation_offload)
            .datagram_receive_buffer_size(None);
        if let Some(idle) = idle {
            config.max_idle_timeout(Some(idle));
        }
        config
    }

    /// quinn adds it to the time there is: what is longer than any idle timeout may be more than there are
    /// times.
    fn keep_alive_interval(&self) -> Option<Duration> {
        let is_some = !self.keep_alive.is_zero() && IdleTimeout::try_from(self.keep_alive).is_ok();
        is_some.then_some(self.keep_alive)
    }
}

/// A quinn server configuration that speaks HTTP/3 with the certificate and rules of `tls`: its ALPN
/// becomes `h3`, early data is off (a replayed CONNECT must not open a WebSocket: RFC 9114 §10.9).
///
/// # Errors
///
/// [`Error::InvalidTlsConfig`] when `tls` does not allow TLS 1.3 with AES-128-GCM, which QUIC needs.
pub fn server_config(
    mut tls: rustls::ServerConfig,
    options: &QuicOptions,
) -> Result<quinn::ServerConfig, Error> {
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls.max_early_data_size = 0;
    let tls = Arc::new(tls);
    // quinn begins each connection like this, and takes it for granted that it can.
    rustls::quic::ServerConnection::new(Arc::clone(&tls), Version::V1, Vec::new())
        .map_err(unfit)?;
    let tls = QuicServerConfig::try_from(tls).map_err(unfit)?;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(GuardedServer(Arc::new(tls))));
    config
        .transport_config(Arc::new(options.transport_config()))
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(INCOMING_BUFFER)
        .incoming_buffer_size_total(INCOMING_BUFFERS);
    Ok(config)
}

/// A quinn client configuration that speaks HTTP/3 with the trust of `tls`: its ALPN becomes `h3`,
/// early data is off, and the server may open no requests.
///
/// # Errors
///
/// [`Error::InvalidTlsConfig`] when `tls` does not allow TLS 1.3 with AES-128-GCM, which QUIC needs.
pub fn client_config(
    mut tls: rustls::ClientConfig,
    options: &QuicOptions,
) -> Result<quinn::ClientConfig, Error> {
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls.enable_early_data = false;
    let tls = Arc::new(tls);
    // As for a server; no session is kept for this name, which nobody has.
    let nobody = ServerName::from(Ipv4Addr::UNSPECIFIED);
    rustls::quic::ClientConnection::new(Arc::clone(&tls), Version::V1, nobody, Vec::new())
        .map_err(unfit)?;
    let tls = QuicClientConfig::try_from(tls).map_err(unfit)?;
    let mut transport = options.transport_config();
    transport.max_concurrent_bidi_streams(VarInt::from_u32(0));
    let mut config = quinn::ClientConfig::new(Arc::new(GuardedClient(Arc::new(tls))));
    config.transport_config(Arc::new(transport));
    Ok(config)
}

fn unfit(error: impl StdError + Send + Sync + 'static) -> Error {
    Error::InvalidTlsConfig(error.into())
}

/// The ALPN token of HTTP/3 (RFC 9114 §3.1).
pub const ALPN: &[u8] = b"h3";

/// Control, QPACK encoder, QPACK decoder, and room for extensions a peer greases with.
const UNI_STREAMS: u32 = 8;
/// Streams for which quinn makes room at once, in some megabytes then.
const MOST_REQUESTS: u32 = 65_536;
/// Connections that wait to be accepted.
const INCOMING_MAX: usize = 1024;
/// Bytes kept for each of them, which without early data is part of a handshake.
const INCOMING_BUFFER: u64 = 16 * 1024;
/// Bytes kept for all of them.
const INCOMING_BUFFERS: u64 = 4 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    // quinn finds out by a panic, at the first packet of a connection.
    #[test]
    fn a_tls_configuration_without_tls_1_3_is_refused_before_anybody_connects() {
        use rustls::version::{TLS12, TLS13};
        let options = QuicOptions::default();
        for (versions, is_fit) in
            [(&[&TLS12][..], false), (&[&TLS13][..], true), (&[&TLS12, &TLS13][..], true)]
        {
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
                .with_protocol_versions(versions)
                .expect("ring has them all")
                .with_no_client_auth()
                .with_cert_resolver(Arc::new(rustls::server::ResolvesServerCertUsingSni::new()));
            let client = rustls::ClientConfig::builder_with_provider(provider)
                .with_protocol_versions(versions)
                .expect("ring has them all")
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth();
            let server = server_config(server, &options).map(drop);
            let client = client_config(client, &options).map(drop);
            for made in [server, client] {
                let reason = made.map_err(|error| error.reason());
                assert_eq!(reason.is_ok(), is_fit, "{versions:?}");
                assert!(is_fit || reason == Err("invalid_tls_config"), "{reason:?}");
            }
        }
    }

    #[test]
    fn a_ping_that_is_not_due_in_this_life_is_none() {
        for (keep_alive, expected) in [
            (Duration::MAX, "keep_alive_interval: None"),
            (Duration::from_secs(3600), "keep_alive_interval: Some(3600s)"),
        ] {
            let options = QuicOptions { keep_alive, ..QuicOptions::default() };
            let text = format!("{:?}", options.transport_config());
            assert!(text.contains(expected), "{text}");
        }
    }

    // quinn makes room for each when a connection begins.
    #[test]
    fn as_many_requests_as_there_are_numbers_are_no_end_of_the_server() {
        for (max_requests, expected) in [(65_536, 65_536), (65_537, 65_536), (u32::MAX, 65_536)] {
            let options = QuicOptions { max_requests, ..QuicOptions::default() };
            let text = format!("{:?}", options.transport_config());
            let expected = format!("max_concurrent_bidi_streams: {expected},");
            assert!(text.contains(&expected), "{max_requests}: {text}");
        }
    }

    // THREAT: no-limits
    #[test]
    fn zeros_do_not_turn_the_idle_timeout_off() {
        let off = QuicOptions {
            idle_timeout: Duration::ZERO,
            keep_alive: Duration::ZERO,
            ..QuicOptions::default()
        };
        let text = format!("{:?}", off.transport_config());
        assert!(text.contains("max_idle_timeout: Some(30000)"), "{text}");
        assert!(text.contains("keep_alive_interval: None"), "{text}");
        let text = format!("{:?}", QuicOptions::default().transport_config());
        for part in [
            "max_concurrent_bidi_streams: 256",
            "stream_receive_window: 262144",
            "receive_window: 4194304",
            "keep_alive_interval: Some(10s)",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
