//! One listener of a server, and what has to happen to what comes through it.

use std::fmt;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::PathBuf;
#[cfg(feature = "rustls")]
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::accept::PatientListener;
use crate::net::Net;
use crate::stream::Stream;
#[cfg(feature = "rustls")]
use crate::tls::Tls;
use ws_session::TransportError;

pub(crate) enum Door<N: Net> {
    Tcp {
        listener: PatientListener<N::TcpListener, N>,
        address: SocketAddr,
    },
    #[cfg(feature = "rustls")]
    Tls {
        listener: PatientListener<N::TcpListener, N>,
        address: SocketAddr,
        config: Arc<rustls::ServerConfig>,
    },
    #[cfg(unix)]
    Unix {
        listener: PatientListener<N::UnixListener, N>,
        path: PathBuf,
    },
}

impl<N: Net> Door<N> {
    pub(crate) fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Arriving<N>> {
        match self {
            Self::Tcp { listener, .. } => {
                listener.poll_accept(cx).map(|tcp| Arriving::Ready(Stream::Tcp(tcp)))
            }
            #[cfg(feature = "rustls")]
            Self::Tls { listener, config, .. } => {
                listener.poll_accept(cx).map(|tcp| Arriving::Tls(tcp, Arc::clone(config)))
            }
            #[cfg(unix)]
            Self::Unix { listener, .. } => {
                listener.poll_accept(cx).map(|unix| Arriving::Ready(Stream::Unix(unix)))
            }
        }
    }

    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp { address, .. } => Some(*address),
            #[cfg(feature = "rustls")]
            Self::Tls { address, .. } => Some(*address),
            #[cfg(unix)]
            Self::Unix { .. } => None,
        }
    }
}

impl<N: Net> fmt::Display for Door<N> {
    /// As a URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { address, .. } => write!(f, "ws://{address}/"),
            #[cfg(feature = "rustls")]
            Self::Tls { address, .. } => write!(f, "wss://{address}/"),
            #[cfg(unix)]
            Self::Unix { path, .. } => write!(f, "ws+unix:{}", path.display()),
        }
    }
}

#[cfg(unix)]
impl<N: Net> Drop for Door<N> {
    /// A Unix socket leaves its file behind, which would be in the way of the next server.
    fn drop(&mut self) {
        if let Self::Unix { path, .. } = self {
            if let Err(error) = std::fs::remove_file(&*path) {
                tracing::debug!(%error, "the file of a unix socket was not removed");
            }
        }
    }
}

/// A connection that has been accepted and may still have to be encrypted.
pub(crate) enum Arriving<N: Net> {
    Ready(Stream<N>),
    #[cfg(feature = "rustls")]
    Tls(N::Tcp, Arc<rustls::ServerConfig>),
}

impl<N: Net> Arriving<N> {
    pub(crate) async fn open(self) -> Result<Stream<N>, TransportError> {
        match self {
            Self::Ready(stream) => Ok(stream),
            #[cfg(feature = "rustls")]
            Self::Tls(tcp, config) => Ok(Stream::Tls(Box::new(Tls::accept(tcp, config).await?))),
        }
    }
}
