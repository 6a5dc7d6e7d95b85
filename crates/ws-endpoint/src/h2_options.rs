//! What an application may say about HTTP/2.

/// Bounds of a connection of HTTP/2, the same for servers and clients. The size of a request and its
/// deadlines are those of [`AcceptOptions`](crate::AcceptOptions) and
/// [`ConnectOptions`](crate::ConnectOptions), over whichever HTTP version.
///
/// ```
/// let mut options = ws_endpoint::H2Options::default();
/// options.max_streams = 1000;
/// options.stream_window = 64 * 1024;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct H2Options {
    /// WebSockets that may be open on one connection, 256 by default; 0 counts as 1.
    pub max_streams: u32,
    /// Unread bytes of one stream, 256 KiB by default; at least 16 KiB. This over the round-trip time
    /// is the highest speed of one WebSocket, and this times [`max_streams`](Self::max_streams) the
    /// most that a connection buffers on its way in.
    pub stream_window: u32,
    /// Bytes that the peer did not take yet and that may wait on one stream, 128 KiB by default.
    pub send_buffer: usize,
}

impl Default for H2Options {
    fn default() -> Self {
        let ws_h2::ServerConfig { max_streams, stream_window, send_buffer, .. } =
            ws_h2::ServerConfig::default();
        Self { max_streams, stream_window, send_buffer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_begin_with_the_same() {
        let (options, client) = (H2Options::default(), ws_h2::ClientConfig::default());
        assert_eq!(
            (options.max_streams, options.stream_window, options.send_buffer),
            (client.max_streams, client.stream_window, client.send_buffer)
        );
    }
}
