//! Which HTTP version a client speaks.

/// Which HTTP version carries the WebSocket.
///
/// An exact choice fails where the server cannot do it; [`Best`](Self::Best) goes on with the next
/// version, and [`Stream::http_version`](crate::Stream::http_version) tells what it came to:
///
/// ```
/// # use ws_endpoint::{Client, ConnectOptions, Error, HttpPolicy, Net};
/// # async fn f<N: Net>(net: N) -> Result<(), Error> {
/// let client = Client::new(net).with_http(HttpPolicy::Best);
/// let websocket = client.connect("wss://chat.example/", &ConnectOptions::default()).await?;
/// println!("over {}", websocket.transport().http_version());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpPolicy {
    /// HTTP/1.1, which every server speaks: one TCP connection for each WebSocket.
    #[default]
    H1,
    /// HTTP/2, many WebSockets on one connection: negotiated in TLS for `wss`, with prior knowledge
    /// for `ws`.
    #[cfg(feature = "h2")]
    H2,
    /// HTTP/3, many WebSockets on one QUIC connection, for `wss` only.
    #[cfg(feature = "h3")]
    H3,
    /// For `wss` the newest version that this build and the server have: HTTP/3 if it answers
    /// within half a second, else what TLS negotiates, and HTTP/1.1 where HTTP/2 carries no
    /// WebSockets. Each step ends in time for the next; what a server could not do is not tried
    /// again for five minutes. For `ws`, HTTP/1.1.
    Best,
}
