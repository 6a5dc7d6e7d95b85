//! How a connection of HTTP/3 begins on the UDP ports of a server (RFC 9220).

use std::sync::Arc;

use ws_h3::{Handshake, ServerConfig};
use ws_io::{AcceptOptions, Error};
use ws_session::TransportError;

use crate::net::Net;
use crate::remote::Remote;
use crate::server::connection::{Opened, Rules};
use crate::server::extended::Carrier;
use crate::server::multiplexed::Multiplexed;

impl<N: Net> Rules<N> {
    /// Sees a QUIC connection through its handshake.
    pub(super) async fn begin_h3(&self, handshake: Handshake) -> Result<Opened<N>, Error> {
        let failed = |error: ws_h3::Error| match error.tls_alert() {
            Some(alert) => Error::Transport(TransportError::TlsAlert(alert)),
            None => Error::Transport(TransportError::Io(Arc::new(error.into()))),
        };
        let connection = handshake.complete().await.map_err(failed)?;
        let remote = Remote::of_quic(&connection);
        let mut config = config(&self.secure);
        config.windows = Some(self.quic.windows());
        let server = ws_h3::Server::accept(connection, self.net.clone(), &config).await;
        Ok(Opened::Many(Multiplexed::H3(server.map_err(failed)?), Carrier::new(remote, None)))
    }
}

fn config(options: &AcceptOptions) -> ServerConfig {
    let mut config = ServerConfig::default();
    config.max_header_size = u32::try_from(options.max_handshake_size).unwrap_or(u32::MAX);
    config.max_headers = options.max_headers;
    config.handshake_timeout = options.handshake_timeout;
    config.idle_timeout = options.session.idle_timeout;
    config
}
