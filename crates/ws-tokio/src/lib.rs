//! WebSocket on tokio: dial, listen, serve.
//!
//! A thin crate: it gives tokio's clock, tasks and sockets to `ws-endpoint`, which does the rest.
//! For other runtimes take `ws-async-std` or `ws-smol`, with the same names; for all of them and
//! every feature behind one door, `ws-stack`.
//!
//! An echo server, and a client that talks to it:
//!
//! ```
//! use std::time::Duration;
//!
//! use ws_tokio::{Message, Server, WebSocket, connect};
//!
//! async fn echo(mut websocket: WebSocket) {
//!     // `feed` queues, `next` writes what is queued before it waits: a burst of messages is
//!     // answered with one system call.
//!     while let Some(Ok(message)) = websocket.next().await {
//!         if message.data_kind().is_some() {
//!             // Refused once a goodbye is under way, which `next` sees to its end.
//!             let _ = websocket.feed(message).await;
//!         }
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = ws_tokio::server().listen("127.0.0.1:0".parse()?)?;
//! let url = server.urls().next().expect("it listens somewhere");
//! let shutdown = server.shutdown_handle();
//! let serving = tokio::spawn(server.serve(echo));
//!
//! let mut websocket = connect(&url).await?;
//! websocket.send(Message::text("hello")).await?;
//! assert_eq!(websocket.next().await.expect("an answer")?, Message::text("hello"));
//!
//! shutdown.drain(Duration::from_secs(5));
//! while let Some(message) = websocket.next().await {
//!     println!("the server's goodbye: {:?}", message?);
//! }
//! serving.await?;
//! # Ok(())
//! # }
//! ```
//!
//! | feature | adds |
//! |---|---|
//! | `rustls` | `wss`: certificates by rustls, those of the operating system by default |
//! | `deflate` | permessage-deflate (RFC 7692), off until asked for |
//! | `h2` | HTTP/2 (RFC 8441): servers speak it beside HTTP/1.1, clients by [`HttpPolicy`] |
//! | `h3` | HTTP/3 (RFC 9220): `Server::listen_tls_and_h3`, `HttpPolicy::H3`; implies `rustls` |

#![cfg_attr(docsrs, feature(doc_cfg))]

mod io;
mod net;
mod runtime;

pub use io::Io;
pub use net::TcpListener;
#[cfg(unix)]
pub use net::UnixListener;
pub use runtime::{Timer, Tokio};

ws_endpoint::adapter! {
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// let url = format!("ws://{}/", listener.local_addr()?);
    /// let serving = tokio::spawn(async move {
    ///     let (stream, peer) = listener.accept().await?;
    ///     stream.set_nodelay(true)?;
    ///     let mut websocket = ws_tokio::accept(stream).await?;
    ///     assert_eq!(websocket.peer_addr(), Some(peer));
    ///     websocket.send(ws_tokio::Message::text("welcome")).await?;
    ///     websocket.close(ws_tokio::CloseCode::NORMAL, "").await?;
    ///     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// });
    /// let mut websocket = ws_tokio::connect(&url).await?;
    /// assert_eq!(websocket.next().await.expect("open")?, ws_tokio::Message::text("welcome"));
    /// while websocket.next().await.is_some() {}
    /// serving.await?.expect("served");
    /// # Ok(())
    /// # }
    /// ```
    runtime: Tokio, called "tokio" in "ws_tokio";
    streams: tokio::io::AsyncRead, tokio::io::AsyncWrite;
    transport: Io::new;
}
