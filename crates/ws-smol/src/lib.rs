//! WebSocket on smol: dial, listen, serve.
//!
//! A thin crate: it gives smol's clock, tasks and sockets to `ws-endpoint`, which does the rest.
//! On tokio take `ws-tokio`, on async-std `ws-async-std`, with the same names; for all of them and
//! every feature behind one door, `ws-stack`.
//!
//! An echo server, and a client that talks to it:
//!
//! ```
//! use std::time::Duration;
//!
//! use ws_smol::{Message, Server, WebSocket, connect};
//!
//! async fn echo(mut websocket: WebSocket) {
//!     // `feed` queues, `next` writes what is queued before it waits: a burst of messages is
//!     // answered with one system call.
//!     while let Some(Ok(message)) = websocket.next().await {
//!         if message.data_kind().is_some() {
//!             // Refused once a goodbye has begun, which `next` sees to its end.
//!             let _ = websocket.feed(message).await;
//!         }
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! smol::block_on(async {
//!     let server = ws_smol::server().listen("127.0.0.1:0".parse()?)?;
//!     let url = server.urls().next().expect("it listens somewhere");
//!     let shutdown = server.shutdown_handle();
//!     let serving = smol::spawn(server.serve(echo));
//!
//!     let mut websocket = connect(&url).await?;
//!     websocket.send(Message::text("hello")).await?;
//!     assert_eq!(websocket.next().await.expect("an answer")?, Message::text("hello"));
//!
//!     shutdown.drain(Duration::from_secs(5));
//!     while let Some(message) = websocket.next().await {
//!         println!("the server's goodbye: {:?}", message?);
//!     }
//!     serving.await;
//!     Ok(())
//! })
//! # }
//! ```
//!
//! No tokio runtime is started or needed.
//!
//! | feature | adds |
//! |---|---|
//! | `rustls` | `wss`: certificates by rustls, those of the operating system by default |
//! | `deflate` | permessage-deflate (RFC 7692), off until asked for |
//! | `h2` | HTTP/2 (RFC 8441): servers speak it beside HTTP/1.1, clients by [`HttpPolicy`] |
//! | `h3` | HTTP/3 (RFC 9220): `Server::listen_tls_and_h3`, `HttpPolicy::H3`; implies `rustls` |

#![cfg_attr(docsrs, feature(doc_cfg))]

mod io;
mod runtime;

pub use runtime::Smol;

#[cfg(unix)]
pub use ws_endpoint::reactor::UnixListener;
pub use ws_endpoint::reactor::{TcpListener, Timer};
/// Any stream of the futures ecosystem as a transport.
pub use ws_io::FuturesIo as Io;

ws_endpoint::adapter! {
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # smol::block_on(async {
    /// let listener = smol::net::TcpListener::bind("127.0.0.1:0").await?;
    /// let url = format!("ws://{}/", listener.local_addr()?);
    /// let serving = smol::spawn(async move {
    ///     let (stream, peer) = listener.accept().await?;
    ///     stream.set_nodelay(true)?;
    ///     let mut websocket = ws_smol::accept(stream).await?;
    ///     assert_eq!(websocket.peer_addr(), Some(peer));
    ///     websocket.send(ws_smol::Message::text("welcome")).await?;
    ///     websocket.close(ws_smol::CloseCode::NORMAL, "").await?;
    ///     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// });
    /// let mut websocket = ws_smol::connect(&url).await?;
    /// assert_eq!(websocket.next().await.expect("open")?, ws_smol::Message::text("welcome"));
    /// while websocket.next().await.is_some() {}
    /// serving.await.expect("served");
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    runtime: Smol, called "smol" in "ws_smol";
    streams: futures_io::AsyncRead, futures_io::AsyncWrite;
    transport: io::io;
}
