//! Where clients under test call: a TCP port, in TLS or not, a UDP port for QUIC, or all of them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "h3")]
use quinn::crypto::rustls::QuicServerConfig;
#[cfg(feature = "h3")]
use quinn::{Connection, Endpoint, TransportConfig, VarInt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

use super::visitor::{Door, Visitor};
use crate::carrier::Carrier;
use crate::log::Log;
#[cfg(feature = "h3")]
use crate::wire::connect::request_head;
use crate::wire::http;
use crate::wire::identity::Identity;
use crate::wire::raw_h2::RawH2;
#[cfg(feature = "h3")]
use crate::wire::raw_h3::{RawH3, number};
use crate::wire::stream::Wire;
use crate::wire::tunnel::Tunnel;

/// How long a client may take for what comes before its request, and again for that.
const PATIENCE: Duration = Duration::from_secs(10);

/// A place to be called at.
#[derive(Debug)]
pub(crate) struct Lobby {
    carrier: Carrier,
    identity: Option<Arc<Identity>>,
    address: SocketAddr,
    listener: Option<TcpListener>,
    #[cfg(feature = "h3")]
    quic: Option<Endpoint>,
    /// What is agreed on in TLS, best first.
    pub(crate) alpn: &'static [&'static str],
    /// Whether calls by QUIC are left unanswered.
    pub(crate) ignores_quic: bool,
}

impl Lobby {
    /// Listens at `address` for callers by `carrier`; with an identity they are to use TLS.
    pub(crate) async fn bind(
        address: SocketAddr,
        carrier: Carrier,
        identity: Option<Arc<Identity>>,
    ) -> io::Result<Self> {
        // A port that is free for TCP need not be free for UDP.
        let mut tries = if address.port() == 0 && carrier == Carrier::Best { 16 } else { 1 };
        loop {
            tries -= 1;
            match Self::try_bind(address, carrier, identity.clone()).await {
                Err(error) if tries > 0 && error.kind() == io::ErrorKind::AddrInUse => {}
                bound => return bound,
            }
        }
    }

    async fn try_bind(
        address: SocketAddr,
        carrier: Carrier,
        identity: Option<Arc<Identity>>,
    ) -> io::Result<Self> {
        let listener = match carrier {
            Carrier::H3 => None,
            _ => Some(TcpListener::bind(address).await?),
        };
        let address = match &listener {
            Some(listener) => listener.local_addr()?,
            None => address,
        };
        #[cfg(feature = "h3")]
        let quic = match (&identity, carrier) {
            (Some(identity), Carrier::H3 | Carrier::Best) => Some(quic(identity, address)?),
            _ => None,
        };
        #[cfg(feature = "h3")]
        let address = match &quic {
            Some(quic) => quic.local_addr()?,
            None => address,
        };
        Ok(Self {
            carrier,
            identity,
            address,
            listener,
            #[cfg(feature = "h3")]
            quic,
            alpn: match carrier {
                Carrier::H2 => &["h2"],
                Carrier::Best => &["h2", "http/1.1"],
                _ => &["http/1.1"],
            },
            ignores_quic: false,
        })
    }

    /// The URL of a resource here, which begins with a slash.
    pub(crate) fn url(&self, resource: &str) -> String {
        let scheme = if self.identity.is_some() { "wss" } else { "ws" };
        format!("{scheme}://{}{resource}", self.address)
    }

    /// Waits for a call. Until somebody calls this is cancel safe.
    pub(crate) async fn accept(&mut self) -> io::Result<Caller> {
        #[cfg(feature = "h3")]
        loop {
            tokio::select! {
                (incoming, endpoint) = by_quic(self.quic.as_ref()) => {
                    if self.ignores_quic {
                        incoming.ignore();
                        continue;
                    }
                    return Ok(Caller::H3(incoming.await?, endpoint));
                }
                accepted = by_tcp(self.listener.as_ref()) => return self.tcp(accepted?).await,
            }
        }
        #[cfg(not(feature = "h3"))]
        self.tcp(by_tcp(self.listener.as_ref()).await?).await
    }

    async fn tcp(&self, stream: TcpStream) -> io::Result<Caller> {
        stream.set_nodelay(true)?;
        let Some(identity) = &self.identity else {
            return Ok(match self.carrier {
                Carrier::H2 => Caller::H2(Wire::new(stream)),
                _ => Caller::H1(Wire::new(stream)),
            });
        };
        let stream = timeout(PATIENCE, identity.acceptor(self.alpn)?.accept(stream))
            .await
            .map_err(|_| io::Error::other("the client did not come to an end with TLS"))??;
        let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(if is_h2 { Caller::H2(Wire::new(stream)) } else { Caller::H1(Wire::new(stream)) })
    }
}

/// The next call by TCP; none ever comes where nobody listens for it.
async fn by_tcp(listener: Option<&TcpListener>) -> io::Result<TcpStream> {
    match listener {
        Some(listener) => Ok(listener.accept().await?.0),
        None => std::future::pending().await,
    }
}

/// The next call by QUIC, likewise.
#[cfg(feature = "h3")]
async fn by_quic(endpoint: Option<&Endpoint>) -> (quinn::Incoming, Endpoint) {
    match endpoint {
        Some(endpoint) => match endpoint.accept().await {
            Some(incoming) => (incoming, endpoint.clone()),
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

#[cfg(feature = "h3")]
fn quic(identity: &Identity, address: SocketAddr) -> io::Result<Endpoint> {
    let tls = QuicServerConfig::try_from(identity.config(&["h3"])?).map_err(io::Error::other)?;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(tls));
    let mut transport = TransportConfig::default();
    transport.stream_receive_window(VarInt::from_u32(1 << 20));
    config.transport_config(Arc::new(transport));
    Endpoint::server(config, address)
}

/// A client that has called, before anything of HTTP was read.
#[derive(Debug)]
pub(crate) enum Caller {
    H1(Wire),
    H2(Wire),
    #[cfg(feature = "h3")]
    H3(Connection, Endpoint),
}

impl Caller {
    /// The version of HTTP that it came for.
    pub(crate) fn describe(&self) -> Carrier {
        match self {
            Self::H1(_) => Carrier::H1,
            Self::H2(_) => Carrier::H2,
            #[cfg(feature = "h3")]
            Self::H3(..) => Carrier::H3,
        }
    }

    /// Reads its request, as an ordinary server does.
    pub(crate) async fn into_visitor(self, log: &Log) -> io::Result<Visitor> {
        let deadline = Instant::now() + PATIENCE;
        match self {
            Self::H1(mut wire) => match timeout(PATIENCE, http::read_head(&mut wire)).await {
                Ok(Some((request, _))) => Ok(Visitor { request, door: Door::H1(wire) }),
                _ => Err(io::Error::other("the client called but sent no whole request")),
            },
            Self::H2(wire) => {
                let raw = RawH2::accept(wire, log.clone(), deadline).await;
                let received = Tunnel::receive(raw.map_err(io::Error::other)?, deadline).await;
                let (tunnel, request) = received.map_err(io::Error::other)?;
                Ok(Visitor { request, door: Door::H2(Box::new(tunnel)) })
            }
            #[cfg(feature = "h3")]
            Self::H3(connection, endpoint) => {
                let mut raw = RawH3::accept(connection, endpoint).await?;
                raw.send_settings(&[(number::ENABLE_CONNECT_PROTOCOL, 1)]).await?;
                let (mut stream, lines) = timeout(PATIENCE, raw.next_request())
                    .await
                    .map_err(|_| io::Error::other("the client sent no request on a stream"))??;
                stream.control = Some(raw.control);
                let request = request_head(&lines, "HTTP/3");
                Ok(Visitor { request, door: Door::H3(Box::new(stream)) })
            }
        }
    }
}
