//! The UDP socket of a server, on which QUIC connections arrive.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use quinn::{Endpoint, EndpointConfig, Incoming};
use ws_h3::{Admission, Handshake, QuicOptions};

use crate::accept::Pause;
use crate::net::Net;
use crate::socket;

pub(crate) struct QuicListener<N: Net> {
    net: N,
    /// Kept for the case that the endpoint on it dies: nobody else gets the port meanwhile.
    socket: UdpSocket,
    endpoint: Endpoint,
    config: quinn::ServerConfig,
    admission: Admission,
    /// The wait for the next connection, which must not be given up in between.
    next: Pin<Box<dyn Future<Output = Option<Incoming>> + Send + Sync>>,
    pause: Pause<N>,
}

impl<N: Net> QuicListener<N> {
    /// Binds `address` for HTTP/3 with this certificate.
    pub(crate) fn bind(
        net: &N,
        address: SocketAddr,
        tls: &Arc<rustls::ServerConfig>,
        options: &QuicOptions,
    ) -> io::Result<Self> {
        let tls = rustls::ServerConfig::clone(tls);
        let config = ws_h3::server_config(tls, options)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let socket = socket::bind_udp(address)?;
        let endpoint = endpoint_on(&socket, &config, net)?;
        Ok(Self {
            net: net.clone(),
            socket,
            next: accept(&endpoint),
            endpoint,
            config,
            admission: Admission::new(options),
            pause: Pause::new(net.clone()),
        })
    }

    /// From the next connection on these options hold, and this admission, which others may share.
    pub(crate) fn set_options(&mut self, options: &QuicOptions, admission: &Admission) {
        self.config.transport_config(Arc::new(options.transport_config()));
        self.endpoint.set_server_config(Some(self.config.clone()));
        self.admission = admission.clone();
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.endpoint.local_addr()
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The next connection that may begin its handshake.
    pub(crate) fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Handshake> {
        for _ in 0..TURNED_AWAY_PER_TURN {
            ready!(self.pause.poll_over(cx));
            let Some(incoming) = ready!(self.next.as_mut().poll(cx)) else {
                self.renew();
                continue;
            };
            self.pause.forget();
            self.next = accept(&self.endpoint);
            if let Some(handshake) = self.admission.admit(incoming) {
                return Poll::Ready(handshake);
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// A new endpoint in place of one that an error of its socket has ended, and a pause: the next
    /// may meet the same error.
    fn renew(&mut self) {
        let error = match endpoint_on(&self.socket, &self.config, &self.net) {
            Ok(endpoint) => {
                self.endpoint = endpoint;
                self.next = accept(&self.endpoint);
                io::Error::other("the socket of http/3 failed")
            }
            Err(error) => {
                self.next = Box::pin(std::future::ready(None));
                error
            }
        };
        self.pause.begin(&error);
    }
}

impl<N: Net> Drop for QuicListener<N> {
    /// As long as a connection lives QUIC goes on, and would keep who comes for somebody to accept.
    fn drop(&mut self) {
        self.endpoint.set_server_config(None);
    }
}

/// The same options with windows that leave most of a budget of `max` bytes to others. What QUIC
/// holds unread cannot be charged, because it does not tell how much that is.
pub(super) fn within_budget(options: &QuicOptions, max: usize) -> QuicOptions {
    let share = u32::try_from(max / SHARE).unwrap_or(u32::MAX);
    let mut options = options.clone();
    options.max_connection_window = options.max_connection_window.min(share);
    if options.connection_window > share {
        // A stream keeps its part of the connection, which its neighbours rely on.
        let of_stream = u64::from(options.stream_window) * u64::from(share);
        let scaled = of_stream / u64::from(options.connection_window);
        let scaled = u32::try_from(scaled).unwrap_or(u32::MAX).max(SMALLEST_WINDOW);
        options.stream_window = options.stream_window.min(scaled);
        options.connection_window = share;
    }
    options
}

/// The same options, by which addresses that are not proven take few of so many places: whoever forges
/// them would lock everybody out for as long as a handshake may take, by a datagram for each place.
pub(super) fn within_places(options: &QuicOptions, places: usize) -> QuicOptions {
    let mut options = options.clone();
    options.retry_above = options.retry_above.min(places / UNPROVEN);
    options
}

fn endpoint_on<N: Net>(
    socket: &UdpSocket,
    config: &quinn::ServerConfig,
    net: &N,
) -> io::Result<Endpoint> {
    let config = Some(config.clone());
    Endpoint::new(EndpointConfig::default(), config, socket.try_clone()?, net.quic_runtime()?)
}

fn accept(endpoint: &Endpoint) -> Pin<Box<dyn Future<Output = Option<Incoming>> + Send + Sync>> {
    let endpoint = endpoint.clone();
    Box::pin(async move { endpoint.accept().await })
}

/// The part of a budget that one connection may hold unread: the reciprocal.
const SHARE: usize = 8;
/// The part of the places that may be held for addresses that are not proven: the reciprocal.
const UNPROVEN: usize = 8;
/// Whatever the budget, a stream may hold this much.
const SMALLEST_WINDOW: u32 = 16 * 1024;
/// Connections that are not let in before other tasks get their turn.
const TURNED_AWAY_PER_TURN: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_are_not_proven_get_an_eighth_of_the_places_at_most() {
        let mut options = QuicOptions::default();
        for (retry_above, places, expected) in
            [(64, 65_536, 64), (64, 512, 64), (64, 50, 6), (64, 7, 0), (0, 65_536, 0)]
        {
            options.retry_above = retry_above;
            assert_eq!(within_places(&options, places).retry_above, expected, "{places}");
        }
    }

    #[test]
    fn a_connection_may_hold_an_eighth_of_the_budget_and_a_stream_its_part_of_that() {
        const KIB: u32 = 1024;
        const MIB: u32 = 1024 * KIB;
        let rows = [
            // Budget in MiB, windows of stream and connection: as chosen, as they become.
            (1, (256 * KIB, 4 * MIB), (16 * KIB, 128 * KIB)),
            (8, (256 * KIB, 4 * MIB), (64 * KIB, MIB)),
            (32, (256 * KIB, 4 * MIB), (256 * KIB, 4 * MIB)),
            (4095, (256 * KIB, 4 * MIB), (256 * KIB, 4 * MIB)),
            (8, (4 * MIB, 4 * MIB), (MIB, MIB)),
            (8, (8 * KIB, 4 * MIB), (8 * KIB, MIB)),
            (1, (8 * KIB, 32 * KIB), (8 * KIB, 32 * KIB)),
        ];
        for (budget, (stream, connection), expected) in rows {
            let mut options = QuicOptions::default();
            (options.stream_window, options.connection_window) = (stream, connection);
            let within = within_budget(&options, budget << 20);
            assert_eq!((within.stream_window, within.connection_window), expected, "{budget} MiB");
        }
        let huge = within_budget(&QuicOptions::default(), usize::MAX);
        assert_eq!(huge.connection_window, QuicOptions::default().connection_window);
    }
}
