//! WebSocket on async-std: dial, listen, serve.
//!
//! A thin crate: it gives async-std's clock, tasks and sockets to `ws-endpoint`, which does the rest.
//! On tokio take `ws-tokio`, on smol `ws-smol`, with the same names; for all of them and every
//! feature behind one door, `ws-stack`.
//!
//! async-std itself is no longer developed (RUSTSEC-2025-0052). Its maintainers point to smol, on
//! whose parts it stands: new programs take `ws-smol`, this crate is for those that exist.
//!
//! An echo server, and a client that talks to it:
//!
//! ```
//! use std::time::Duration;
//!
//! use ws_async_std::{Message, Server, WebSocket, connect};
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
//! async_std::task::block_on(async {
//!     let server = ws_async_std::server().listen("127.0.0.1:0".parse()?)?;
//!     let url = server.urls().next().expect("it listens somewhere");
//!     let shutdown = server.shutdown_handle();
//!     let serving = async_std::task::spawn(server.serve(echo));
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

pub use runtime::AsyncStd;

#[cfg(unix)]
pub use ws_endpoint::reactor::UnixListener;
pub use ws_endpoint::reactor::{TcpListener, Timer};
/// Any stream of the futures ecosystem as a transport.
pub use ws_io::FuturesIo as Io;

ws_endpoint::adapter! {
    /// An [`Io`] of your own needs [`with_shutdown`](Io::with_shutdown) for sockets of async-std.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # async_std::task::block_on(async {
    /// let listener = async_std::net::TcpListener::bind("127.0.0.1:0").await?;
    /// let url = format!("ws://{}/", listener.local_addr()?);
    /// let serving = async_std::task::spawn(async move {
    ///     let (stream, peer) = listener.accept().await?;
    ///     stream.set_nodelay(true)?;
    ///     let mut websocket = ws_async_std::accept(stream).await?;
    ///     assert_eq!(websocket.peer_addr(), Some(peer));
    ///     websocket.send(ws_async_std::Message::text("welcome")).await?;
    ///     websocket.close(ws_async_std::CloseCode::NORMAL, "").await?;
    ///     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// });
    /// let mut websocket = ws_async_std::connect(&url).await?;
    /// assert_eq!(websocket.next().await.expect("open")?, ws_async_std::Message::text("welcome"));
    /// while websocket.next().await.is_some() {}
    /// serving.await.expect("served");
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    runtime: AsyncStd, called "async-std" in "ws_async_std";
    streams: futures_io::AsyncRead, futures_io::AsyncWrite;
    transport: io::io;
}
