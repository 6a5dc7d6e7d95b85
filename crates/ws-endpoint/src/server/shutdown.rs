//! The end of a server, asked for from anywhere.

use std::fmt;
use std::time::Duration;

use ws_io::{CloseCode, CloseFrame};

use crate::server::registry::Registry;

/// Ends a server gracefully; made by [`Server::shutdown_handle`](crate::Server::shutdown_handle),
/// cloned freely.
#[derive(Clone)]
pub struct Shutdown {
    pub(crate) registry: Registry,
}

impl Shutdown {
    /// Closes the listeners, sends every WebSocket a close frame with 1001 (going away) and lets
    /// them finish; those that have not after `within` are cut, and the tasks that
    /// [`Server::serve`](crate::Server::serve) gave them are dropped where they wait. A WebSocket says
    /// its goodbye in `next`: one whose task only sends is cut.
    ///
    /// Returns at once; [`Server::serve`](crate::Server::serve) returns when it is done. Only the
    /// first call counts.
    pub fn drain(&self, within: Duration) {
        self.drain_with(CloseCode::GOING_AWAY, within);
    }

    /// As [`drain`](Self::drain), with another close frame: a code of your own, a reason, or 1012 (service
    /// restart), which tells clients to come again. Where a session must not send it,
    /// as 1012 without [`iana_close_codes`](crate::Config::iana_close_codes), its peer is told 1001.
    pub fn drain_with(&self, goodbye: impl Into<CloseFrame>, within: Duration) {
        self.registry.drain(within, goodbye.into());
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown").field("connections", &self.registry.live()).finish()
    }
}

/// How the end of a server went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Connections that had not finished in time and were cut.
    pub cut: usize,
}
