//! How a connection of HTTP/2 begins on the ports of a server (RFC 8441).

use std::sync::Arc;

use bytes::BytesMut;
use ws_h2::ServerConfig;
use ws_io::{AcceptOptions, Error};
use ws_session::TransportError;

use crate::carrier_io::CarrierIo;
use crate::deadline::{after, until};
use crate::h2_options::H2Options;
use crate::http_version::HttpVersion;
use crate::net::Net;
use crate::remote::Remote;
use crate::server::connection::{Alternative, Opened, Rules};
use crate::server::extended::Carrier;
use crate::server::multiplexed::Multiplexed;
use crate::stream::Stream;

impl<N: Net> Rules<N> {
    /// Begins HTTP/2 on a stream of which `received` was read already.
    pub(super) async fn begin_h2(
        &self,
        stream: Stream<N>,
        received: BytesMut,
        alternative: Alternative,
    ) -> Result<Opened<N>, Error> {
        let remote = Remote::of(&stream, HttpVersion::H2);
        let options = self.options(remote.is_secure());
        let config = config(options, &self.h2);
        let io = CarrierIo::new(stream, received);
        let beginning = ws_h2::Server::accept(io, remote.address(), self.net.clone(), &config);
        // The preface is one write of the client: until all of it is here, it is silent.
        let deadline = after(&self.net, options.silence_timeout);
        let begun = until(&self.net, deadline, beginning).await;
        let server = begun
            .ok_or(Error::Transport(TransportError::Timeout))?
            .map_err(|error| Error::Transport(TransportError::Io(Arc::new(error.into()))))?;
        Ok(Opened::Many(Multiplexed::H2(server), Carrier::new(remote, alternative)))
    }
}

fn config(options: &AcceptOptions, h2: &H2Options) -> ServerConfig {
    let mut config = ServerConfig::default();
    config.max_streams = h2.max_streams;
    config.stream_window = h2.stream_window;
    config.send_buffer = h2.send_buffer;
    config.max_header_size = u32::try_from(options.max_handshake_size).unwrap_or(u32::MAX);
    config.max_headers = options.max_headers;
    config.handshake_timeout = options.handshake_timeout;
    config.budget = options.session.shared_budget.clone();
    config.idle_timeout = options.session.idle_timeout;
    config
}
