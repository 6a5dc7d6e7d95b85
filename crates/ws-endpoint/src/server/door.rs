//! One listener of a server, and what has to happen to what comes through it.

use std::fmt;
use std::net::SocketAddr;
#[cfg(feature = "rustls")]
use std::sync::Arc;
use std::task::{Context, Poll};

use ws_io::Transport as _;

use crate::accept::PatientListener;
use crate::net::Net;
#[cfg(feature = "h3")]
use crate::server::quic::QuicListener;
#[cfg(unix)]
use crate::server::socket_file::SocketFile;
use crate::stream::Stream;

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
        /// What is said of HTTP/3 on the UDP port of the same number.
        #[cfg(feature = "h3")]
        alt_svc: Option<Arc<str>>,
    },
    #[cfg(feature = "h3")]
    Quic {
        listener: Box<QuicListener<N>>,
        address: SocketAddr,
        /// There is a door for TLS with the same address, which speaks for both.
        is_silent: bool,
    },
    #[cfg(unix)]
    Unix {
        /// Dropped first.
        file: SocketFile,
        listener: PatientListener<N::UnixListener, N>,
    },
}

impl<N: Net> Door<N> {
    pub(crate) fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Arriving<N>> {
        match self {
            Self::Tcp { listener, .. } => {
                listener.poll_accept(cx).map(|tcp| Arriving::Ready(Stream::Tcp(tcp)))
            }
            #[cfg(feature = "rustls")]
            Self::Tls {
                listener,
                config,
                #[cfg(feature = "h3")]
                alt_svc,
                ..
            } => listener.poll_accept(cx).map(|tcp| Arriving::Tls {
                tcp,
                config: Arc::clone(config),
                #[cfg(feature = "h3")]
                alt_svc: alt_svc.clone(),
            }),
            #[cfg(feature = "h3")]
            Self::Quic { listener, .. } => {
                listener.poll_accept(cx).map(|handshake| Arriving::Quic(Box::new(handshake)))
            }
            #[cfg(unix)]
            Self::Unix { listener, .. } => {
                listener.poll_accept(cx).map(|unix| Arriving::Ready(Stream::Unix(unix)))
            }
        }
    }

    /// Has these options hold for QUIC connections that are yet to come.
    #[cfg(feature = "h3")]
    pub(crate) fn set_quic(&mut self, options: &ws_h3::QuicOptions, admission: &ws_h3::Admission) {
        if let Self::Quic { listener, .. } = self {
            listener.set_options(options, admission);
        }
    }

    /// What is left to see off when the door is closed.
    #[cfg(feature = "h3")]
    pub(crate) fn endpoint(&self) -> Option<&quinn::Endpoint> {
        match self {
            Self::Quic { listener, .. } => Some(listener.endpoint()),
            _ => None,
        }
    }

    /// Whether the address is to be told.
    pub(crate) fn is_silent(&self) -> bool {
        match self {
            #[cfg(feature = "h3")]
            Self::Quic { is_silent, .. } => *is_silent,
            _ => false,
        }
    }

    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp { address, .. } => Some(*address),
            #[cfg(feature = "rustls")]
            Self::Tls { address, .. } => Some(*address),
            #[cfg(feature = "h3")]
            Self::Quic { address, .. } => Some(*address),
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
            #[cfg(feature = "h3")]
            Self::Quic { address, .. } => write!(f, "wss://{address}/"),
            #[cfg(unix)]
            Self::Unix { file, .. } => write!(f, "ws+unix:{}", file.path().display()),
        }
    }
}

/// A connection that has been accepted and may still have to be encrypted.
pub(crate) enum Arriving<N: Net> {
    Ready(Stream<N>),
    #[cfg(feature = "rustls")]
    Tls {
        tcp: N::Tcp,
        config: Arc<rustls::ServerConfig>,
        #[cfg(feature = "h3")]
        alt_svc: Option<Arc<str>>,
    },
    #[cfg(feature = "h3")]
    Quic(Box<ws_h3::Handshake>),
}

impl<N: Net> Arriving<N> {
    pub(super) fn peer_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Ready(stream) => stream.peer_addr(),
            #[cfg(feature = "rustls")]
            Self::Tls { tcp, .. } => tcp.peer_addr(),
            #[cfg(feature = "h3")]
            Self::Quic(handshake) => Some(handshake.peer_addr()),
        }
    }
}
