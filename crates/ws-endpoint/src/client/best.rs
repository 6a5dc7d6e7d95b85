//! The newest HTTP version that both sides have, found step by step and remembered.

use std::time::Duration;

use ws_io::{ConnectOptions, Error, WsUri};
use ws_session::TransportError;

use crate::WebSocket;
use crate::client::h2::Tried;
use crate::client::{Client, Offer};
use crate::deadline::{after, until};
use crate::net::Net;

impl<N: Net> Client<N> {
    pub(super) async fn open_best(
        &self,
        uri: &WsUri,
        options: &ConnectOptions,
    ) -> Result<WebSocket<N>, Error> {
        // In cleartext there is nothing to find out by, short of trying.
        if !uri.is_secure() {
            return self.open_h1(uri, options).await;
        }
        let lines = self.pool.lines(uri);
        if lines.memory.is_only_h1(self.net.now()) {
            return self.open_h1(uri, options).await;
        }
        let step = after(&self.net, share(options.handshake_timeout));
        let tried = until(&self.net, step, self.try_h2(uri, options, &lines, Offer::H2OrH1)).await;
        let why = match tried {
            Some(Ok(Tried::Open(websocket))) => return Ok(websocket),
            Some(Ok(Tried::Http1(stream))) => {
                tracing::debug!(version = "http/1.1", "the server chose an older version");
                lines.memory.note_only_h1(self.net.now());
                return self.upgrade(stream, uri, options).await;
            }
            Some(Ok(Tried::Declined(error))) => {
                lines.memory.note_only_h1(self.net.now());
                error
            }
            Some(Err(error @ Error::UnsupportedHttpVersion { .. })) => error,
            Some(Err(error)) => return Err(error),
            None => Error::Transport(TransportError::Timeout),
        };
        tracing::debug!(reason = why.reason(), version = "http/1.1", "falling back");
        self.open_h1(uri, options).await
    }
}

/// The part of the whole time that one step may take, so that the next ones have theirs.
fn share(whole: Duration) -> Duration {
    whole / 3
}
