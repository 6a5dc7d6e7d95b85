//! The UDP socket of a server, on which QUIC connections arrive.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use quinn::{Endpoint, EndpointConfig, Incoming};
use ws_h3::QuicOptions;

use crate::net::Net;
use crate::socket;

pub(crate) struct QuicListener {
    endpoint: Endpoint,
    /// The wait for the next connection, which must not be given up in between.
    next: Pin<Box<dyn Future<Output = Option<Incoming>> + Send>>,
}

impl QuicListener {
    /// Binds `address` for HTTP/3 with this certificate.
    pub(crate) fn bind<N: Net>(
        net: &N,
        address: SocketAddr,
        tls: &Arc<rustls::ServerConfig>,
    ) -> io::Result<Self> {
        let tls = rustls::ServerConfig::clone(tls);
        let config = ws_h3::server_config(tls, &QuicOptions::default())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let socket = socket::bind_udp(address)?;
        let endpoint =
            Endpoint::new(EndpointConfig::default(), Some(config), socket, net.quic_runtime()?)?;
        Ok(Self { next: accept(&endpoint), endpoint })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.endpoint.local_addr()
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The next connection, before its handshake.
    pub(crate) fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Incoming> {
        match ready!(self.next.as_mut().poll(cx)) {
            Some(incoming) => {
                self.next = accept(&self.endpoint);
                Poll::Ready(incoming)
            }
            // The endpoint was closed, which nobody does while we listen.
            None => {
                self.next = Box::pin(std::future::pending());
                Poll::Pending
            }
        }
    }
}

fn accept(endpoint: &Endpoint) -> Pin<Box<dyn Future<Output = Option<Incoming>> + Send>> {
    let endpoint = endpoint.clone();
    Box::pin(async move { endpoint.accept().await })
}
