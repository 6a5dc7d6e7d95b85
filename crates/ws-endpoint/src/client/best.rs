//! The newest HTTP version that both sides have, found step by step and remembered.

use std::time::Duration;

use ws_io::{ConnectOptions, Error, WsUri};
use ws_session::TransportError;

use crate::WebSocket;
use crate::client::Client;
#[cfg(feature = "h2")]
use crate::client::Offer;
#[cfg(feature = "h2")]
use crate::client::h2::{self, NotDialled, Tried};
#[cfg(feature = "h3")]
use crate::client::h3::{self, Failed};
use crate::client::pool::Lines;
use crate::client::shelf::Waiting;
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
        #[cfg(feature = "h3")]
        if let Some(done) = self.h3_step(uri, options, &lines).await {
            return done;
        }
        #[cfg(feature = "h2")]
        if let Some(done) = self.h2_step(uri, options, &lines).await {
            return done;
        }
        drop(lines);
        self.open_h1(uri, options).await
    }

    /// `None` when the next version is to be tried.
    #[cfg(feature = "h3")]
    async fn h3_step(
        &self,
        uri: &WsUri,
        options: &ConnectOptions,
        lines: &Lines,
    ) -> Option<Result<WebSocket<N>, Error>> {
        let no_h3 = &lines.memory.no_h3;
        if no_h3.is_fresh(self.net.now()) {
            return None;
        }
        let dial = || async {
            // Another may have found out while this one waited for its turn.
            if no_h3.is_fresh(self.net.now()) {
                return Err(Failed::Declined(h3::unsupported()));
            }
            let patience = after(&self.net, QUIC_PATIENCE.min(share(options.handshake_timeout)));
            let dialled = until(&self.net, patience, Box::pin(self.dial_h3(uri, options))).await;
            let dialled = dialled.unwrap_or_else(|| Err(Failed::Declined(timeout())));
            if let Err(Failed::Declined(_)) = dialled {
                no_h3.note(self.net.now());
            }
            dialled
        };
        let (step, waiting) =
            (after(&self.net, share(options.handshake_timeout)), Waiting::default());
        let tried = self.try_h3(uri, options, lines, &waiting, dial);
        let why = match until(&self.net, step, tried).await {
            Some(Ok(websocket)) => return Some(Ok(websocket)),
            Some(Err(Failed::Final(error))) => return Some(Err(error)),
            Some(Err(Failed::Declined(error))) => error,
            None => timeout(),
        };
        let enough = fair(options.handshake_timeout);
        if !is_timeout(&why) || waiting.was_for_server(enough, self.net.now()) {
            no_h3.note(self.net.now());
        }
        tracing::debug!(reason = %why, from = "h3", "falling back");
        None
    }

    /// `None` when the next version is to be tried.
    #[cfg(feature = "h2")]
    async fn h2_step(
        &self,
        uri: &WsUri,
        options: &ConnectOptions,
        lines: &Lines,
    ) -> Option<Result<WebSocket<N>, Error>> {
        let no_h2 = &lines.memory.no_h2;
        if no_h2.is_fresh(self.net.now()) {
            return None;
        }
        let dial = || async {
            // Another may have found out while this one waited for its turn.
            if no_h2.is_fresh(self.net.now()) {
                return Err(NotDialled::Failed(h2::unsupported()));
            }
            let dialled = self.dial_h2(uri, options, Offer::H2OrH1).await;
            if let Err(
                NotDialled::Http1(_) | NotDialled::Failed(Error::UnsupportedHttpVersion { .. }),
            ) = dialled
            {
                no_h2.note(self.net.now());
            }
            dialled
        };
        let (step, waiting) =
            (after(&self.net, share(options.handshake_timeout)), Waiting::default());
        let tried = self.try_h2(uri, options, lines, &waiting, dial);
        let why = match until(&self.net, step, tried).await {
            Some(Ok(Tried::Open(websocket))) => return Some(Ok(websocket)),
            Some(Ok(Tried::Http1(stream))) => {
                tracing::debug!(version = "http/1.1", "the server chose an older version");
                return Some(self.upgrade(stream, uri, options).await);
            }
            Some(
                Ok(Tried::Declined(error)) | Err(error @ Error::UnsupportedHttpVersion { .. }),
            ) => error,
            Some(Err(error)) if !is_timeout(&error) => return Some(Err(error)),
            _ => timeout(),
        };
        let enough = fair(options.handshake_timeout);
        if !is_timeout(&why) || waiting.was_for_server(enough, self.net.now()) {
            no_h2.note(self.net.now());
        }
        tracing::debug!(reason = %why, from = "h2", "falling back");
        None
    }
}

fn timeout() -> Error {
    Error::Transport(TransportError::Timeout)
}

fn is_timeout(error: &Error) -> bool {
    matches!(error, Error::Transport(TransportError::Timeout))
}

/// The part of the whole time that one step may take, so that the next ones have theirs.
fn share(whole: Duration) -> Duration {
    whole / 3
}

/// The part of it that a server must have had, before a step that took too long says that it cannot do it.
fn fair(whole: Duration) -> Duration {
    share(whole) / 2
}

/// How long QUIC may take to answer: where UDP is blocked, nobody says so.
#[cfg(feature = "h3")]
const QUIC_PATIENCE: Duration = Duration::from_millis(500);
