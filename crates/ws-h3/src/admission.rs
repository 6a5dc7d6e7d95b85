//! Whom a server lets begin a QUIC handshake: a handshake costs a signature and some memory, and the
//! address that asks for it may be forged (RFC 9000 §21.3).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use quinn::Incoming;

use crate::error::Error;
use crate::tls::QuicOptions;

/// Decides about each connection that arrives, by how many handshakes are under way.
///
/// - Below [`retry_above`](QuicOptions::retry_above) a handshake begins at once.
/// - From there on a client has to show that it receives at its address: it is answered with Retry
///   (RFC 9000 §8.1.2), for which nothing is remembered. Who has shown it before, by the token of an
///   earlier connection, is not asked again.
/// - From [`max_handshakes`](QuicOptions::max_handshakes) on, who has shown it is refused.
///
/// Clones count together.
#[derive(Clone, Debug)]
pub struct Admission {
    under_way: Arc<AtomicUsize>,
    retry_above: usize,
    max: usize,
}

impl Admission {
    /// An admission by these options.
    #[must_use]
    pub fn new(options: &QuicOptions) -> Self {
        Self {
            under_way: Arc::default(),
            retry_above: options.retry_above,
            max: options.max_handshakes,
        }
    }

    /// The handshake that may begin; `None` when `incoming` was answered otherwise.
    pub fn admit(&self, incoming: Incoming) -> Option<Handshake> {
        let under_way = self.under_way();
        if under_way >= self.retry_above && !incoming.remote_address_validated() {
            tracing::debug!(peer = %incoming.remote_address(), "asking a client for its address");
            // Who has not shown its address may be asked for it.
            drop(incoming.retry());
            return None;
        }
        if under_way >= self.max {
            tracing::debug!(peer = %incoming.remote_address(), "too many handshakes");
            incoming.refuse();
            return None;
        }
        Some(Handshake { incoming, _place: Place::take(&self.under_way) })
    }

    /// How many handshakes are under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }
}

/// A handshake that may begin; it counts until it is complete or dropped.
#[derive(Debug)]
pub struct Handshake {
    incoming: Incoming,
    _place: Place,
}

impl Handshake {
    /// The address that the client wrote from. It is proven when the handshake is complete.
    #[must_use]
    pub fn peer_addr(&self) -> SocketAddr {
        self.incoming.remote_address()
    }

    /// Sees the handshake to its end. It has no deadline but the idle timeout.
    ///
    /// # Errors
    ///
    /// [`Error::Connection`] says why there is no connection.
    pub async fn complete(self) -> Result<quinn::Connection, Error> {
        Ok(self.incoming.accept()?.await?)
    }
}

#[derive(Debug)]
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(under_way: &Arc<AtomicUsize>) -> Self {
        under_way.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(under_way))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
