//! Who is asking, as far as the transport knows, whatever the HTTP version.

use std::net::SocketAddr;
#[cfg(feature = "rustls")]
use std::sync::Arc;

#[cfg(feature = "h3")]
use quinn::crypto::rustls::HandshakeData;
#[cfg(feature = "rustls")]
use rustls::pki_types::CertificateDer;

use crate::http_version::HttpVersion;
use crate::net::Net;
use crate::stream::Stream;

/// The other side of a request that a server is deciding on; see
/// [`Server::with_route`](crate::Server::with_route).
#[derive(Clone, Debug)]
pub struct Remote {
    address: Option<SocketAddr>,
    version: HttpVersion,
    is_secure: bool,
    #[cfg(feature = "rustls")]
    tls: Option<Arc<Facts>>,
}

/// What TLS established.
#[cfg(feature = "rustls")]
#[derive(Debug)]
struct Facts {
    server_name: Option<String>,
    certificates: Vec<CertificateDer<'static>>,
}

impl Remote {
    /// The address of the peer, where there is one: a Unix socket has none.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// The HTTP version of the request.
    #[must_use]
    pub fn http_version(&self) -> HttpVersion {
        self.version
    }

    /// Whether the bytes are encrypted on the wire.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// The name the client called us by in TLS (SNI); none over cleartext and for bare addresses.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.tls.as_ref()?.server_name.as_deref()
    }

    /// The certificates the client proved itself with, its own first; empty unless the server's TLS
    /// configuration asks for them.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        self.tls.as_ref().map_or(&[], |tls| &tls.certificates)
    }

    /// The client of a QUIC connection.
    #[cfg(feature = "h3")]
    pub(crate) fn of_quic(connection: &quinn::Connection) -> Self {
        let data = connection.handshake_data();
        let data = data.and_then(|data| data.downcast::<HandshakeData>().ok());
        let identity = connection.peer_identity();
        let certificates = identity.and_then(|identity| identity.downcast().ok());
        Self {
            address: Some(connection.remote_address()),
            version: HttpVersion::H3,
            is_secure: true,
            tls: Some(Arc::new(Facts {
                server_name: data.and_then(|data| data.server_name),
                certificates: certificates.map(|certificates| *certificates).unwrap_or_default(),
            })),
        }
    }

    /// The other end of a stream that is about to carry `version`.
    pub(crate) fn of<N: Net>(stream: &Stream<N>, version: HttpVersion) -> Self {
        use ws_io::Transport as _;
        Self {
            address: stream.peer_addr(),
            version,
            is_secure: stream.is_secure(),
            #[cfg(feature = "rustls")]
            tls: match stream {
                Stream::Tls(tls) => {
                    let server_name = match tls.connection() {
                        rustls::Connection::Server(server) => server.server_name(),
                        rustls::Connection::Client(_) => None,
                    };
                    let certificates = tls.connection().peer_certificates().unwrap_or_default();
                    Some(Arc::new(Facts {
                        server_name: server_name.map(str::to_owned),
                        certificates: certificates.to_vec(),
                    }))
                }
                _ => None,
            },
        }
    }
}
