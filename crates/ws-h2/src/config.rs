//! Limits and deadlines of a connection.

use std::time::Duration;

use ws_io::SharedBudget;

/// How a server's connections behave. Every limit is on by default; a zero switches none off, and
/// `Duration::MAX` says that a deadline is not wanted.
///
/// ```
/// let mut config = ws_h2::ServerConfig::default();
/// config.max_streams = 1000;
/// config.stream_window = 64 * 1024;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Whether WebSockets are offered: `SETTINGS_ENABLE_CONNECT_PROTOCOL` is in the first SETTINGS
    /// (RFC 8441 §3). On by default. Switch it off where no handler is mounted: a browser takes the
    /// setting as "WebSockets work here" and does not fall back to HTTP/1.1.
    pub websockets: bool,
    /// How many streams the client may have open at a time, 256 by default. More than browsers open
    /// on one connection, few enough that one connection cannot hold the memory of a whole server.
    ///
    /// Together with those that it has reset and that are still in use here they are at most this and
    /// [`reset_burst`](Self::reset_burst): what is asked for beyond that is rejected with
    /// `REFUSED_STREAM`, and counts as a reset.
    pub max_streams: u32,
    /// How many bytes the peer may send on one stream before they are read, 256 KiB by default; at
    /// least 16 KiB. This over the round-trip time is the highest speed of one WebSocket.
    ///
    /// The window of the connection is this times [`max_streams`](Self::max_streams), so streams
    /// that nobody reads never hold up the others, and both together are the most a connection
    /// buffers on its way in.
    pub stream_window: u32,
    /// How many bytes that the peer did not take yet may wait on one stream, 128 KiB by default.
    pub send_buffer: usize,
    /// The largest header list of a request, 64 KiB by default, counted as in RFC 9113 §6.5.2; a
    /// larger one is answered with 431.
    pub max_header_size: u32,
    /// The most header fields of a request, 100 by default; more are answered with 431. A cookie is one,
    /// in however many pieces it comes.
    pub max_headers: usize,
    /// How long the peer may take to begin the connection, 15 s by default.
    pub handshake_timeout: Duration,
    /// After this long without a stream the connection is closed (GOAWAY), 60 s by default; at least
    /// 1 s, so that there is time for the first.
    pub idle_timeout: Duration,
    /// How long a stream that we ended waits for its peer's end, 2 s by default, and how long a
    /// connection that has ended, or a stream that was dropped, may take to write its last bytes.
    pub linger: Duration,
    /// How many young streams (under 5 s) may be reset at once, by whomever, before the connection is
    /// closed with `ENHANCE_YOUR_CALM`, 1,000 by default; at least 1. One that was answered and that
    /// the client has reset counts only until its user has let go of it.
    pub reset_burst: u32,
    /// How many more resets each second allows, 33 by default.
    pub resets_per_second: u32,
    /// What unread bytes are charged on, with whatever else is; none by default. When it has no room
    /// for what has come, the stream of this connection that holds most is reset
    /// (`ENHANCE_YOUR_CALM`) and its reader finds [`Error::BudgetExceeded`]: the windows stay as wide
    /// as they are, so that no stream has to wait for another.
    ///
    /// [`Error::BudgetExceeded`]: crate::Error::BudgetExceeded
    pub budget: Option<SharedBudget>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            websockets: true,
            max_streams: 256,
            stream_window: 256 * 1024,
            send_buffer: 128 * 1024,
            max_header_size: 64 * 1024,
            max_headers: 100,
            handshake_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(60),
            linger: Duration::from_secs(2),
            reset_burst: 1_000,
            resets_per_second: 33,
            budget: None,
        }
    }
}

impl ServerConfig {
    /// The same, with the least that works where there is less.
    pub(crate) fn effective(&self) -> Self {
        Self {
            idle_timeout: self.idle_timeout.max(SHORTEST_IDLE),
            reset_burst: self.reset_burst.max(1),
            ..self.clone()
        }
    }

    /// How many streams may be in use on our side. A reset gives the client the place back at once, also
    /// one that nobody hears of: `h2` tells it to who receives only before the client's end.
    pub(crate) fn kept_streams(&self) -> usize {
        self.max_streams.max(1).saturating_add(self.reset_burst) as usize
    }
}

/// How a client's connections behave. Every limit is on by default; a zero switches none off, and
/// `Duration::MAX` says that a deadline is not wanted.
///
/// ```
/// use std::time::Duration;
///
/// let mut config = ws_h2::ClientConfig::default();
/// config.handshake_timeout = Duration::from_secs(5);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientConfig {
    /// How many streams we open at a time, 256 by default, if the server allows as many.
    pub max_streams: u32,
    /// How many bytes the server may send on one stream before they are read, 256 KiB by default;
    /// at least 16 KiB. The window of the connection is this times
    /// [`max_streams`](Self::max_streams), as on the server.
    pub stream_window: u32,
    /// How many bytes that the server did not take yet may wait on one stream, 128 KiB by default.
    pub send_buffer: usize,
    /// The largest header list of a response, 64 KiB by default, counted as in RFC 9113 §6.5.2.
    pub max_header_size: u32,
    /// The most header fields of a response, 100 by default.
    pub max_headers: usize,
    /// How long opening a stream may take from the call to the response, 15 s by default. Waiting
    /// for the server's SETTINGS and for a free stream counts.
    pub handshake_timeout: Duration,
    /// How long a stream that is done waits for the server to end it first, 1 s by default; then it
    /// is cancelled. Also how long a connection that has ended, or a stream that was dropped, may take
    /// to write its last bytes.
    pub linger: Duration,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            max_streams: 256,
            stream_window: 256 * 1024,
            send_buffer: 128 * 1024,
            max_header_size: 64 * 1024,
            max_headers: 100,
            handshake_timeout: Duration::from_secs(15),
            linger: Duration::from_secs(1),
        }
    }
}

/// What both roles set in the same way, within the bounds that HTTP/2 has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Windows {
    pub(crate) streams: u32,
    pub(crate) stream: u32,
    pub(crate) connection: u32,
}

impl Windows {
    pub(crate) fn new(streams: u32, stream: u32) -> Self {
        let streams = streams.max(1);
        let stream = stream.clamp(SMALLEST_WINDOW, LARGEST_WINDOW);
        let connection = streams.saturating_mul(stream).clamp(DEFAULT_WINDOW, LARGEST_WINDOW);
        Self { streams, stream, connection }
    }
}

/// A first request that is on its way arrives within this.
const SHORTEST_IDLE: Duration = Duration::from_secs(1);
/// One frame of the default size.
const SMALLEST_WINDOW: u32 = 16 * 1024;
/// RFC 9113 §6.9.2.
const DEFAULT_WINDOW: u32 = 65_535;
/// RFC 9113 §6.9.1.
const LARGEST_WINDOW: u32 = (1 << 31) - 1;

/// Small frames, by 256 minus their size, after which `h2` ends a connection: those that lie in it, and
/// for the life of the connection those that it passes over on a stream that was reset. On a server
/// they have no end, because what lies in `h2` is taken off after each turn of reading.
pub(crate) const SERVER_FRAMES: usize = usize::MAX;
/// On a client what comes behind a 200 lies in `h2` until whoever connects goes on.
pub(crate) const CLIENT_FRAMES: usize = 64 * 1024 * 1024;

/// The size of a send buffer that `h2` takes for one of `bytes`.
pub(crate) fn send_buffer(bytes: usize) -> usize {
    bytes.clamp(1, u32::MAX as usize)
}

/// How long a stream that we have reset is remembered: what the peer has sent on it before it learned of
/// that is passed over. Later it is an error of that stream, and those are counted.
pub(crate) const REMEMBERED: Duration = Duration::from_secs(30);

/// How many are, on a connection for `streams` at a time: no fewer than a server may be made to reset in
/// that time at its usual rate. Each is a few hundred bytes in `h2`.
pub(crate) fn remembered(streams: u32) -> usize {
    (streams as usize).max(1024)
}

/// Protocol errors of single streams, each answered with `RST_STREAM`, in the life of a connection
/// (CVE-2025-8671).
pub(crate) const LOCAL_RESETS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connection_window_holds_the_windows_of_all_streams() {
        let windows = |streams, stream| {
            let Windows { streams, stream, connection } = Windows::new(streams, stream);
            (streams, stream, connection)
        };
        assert_eq!(windows(256, 256 * 1024), (256, 256 * 1024, 64 * 1024 * 1024));
        assert_eq!(windows(0, 0), (1, 16 * 1024, 65_535));
        assert_eq!(windows(u32::MAX, u32::MAX), (u32::MAX, LARGEST_WINDOW, LARGEST_WINDOW));
    }
}
