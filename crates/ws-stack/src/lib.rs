//! WebSocket over HTTP/1.1 (RFC 6455), HTTP/2 (RFC 8441) and HTTP/3 (RFC 9220), with
//! permessage-deflate (RFC 7692), as client and as server, on tokio, async-std and smol, from one
//! core without I/O.
//!
//! This crate is the front door: it re-exports the crates of the stack as modules, and explains
//! them. Choose a runtime and what you need by [features](guide::features):
//!
//! ```toml
//! ws-stack = { version = "0.1", features = ["tokio", "rustls", "deflate"] }
//! ```
//!
//! An echo server and a client:
#![cfg_attr(feature = "tokio", doc = "```")]
#![cfg_attr(not(feature = "tokio"), doc = "```ignore")]
//! use std::time::Duration;
//! use ws_stack::tokio::{Message, WebSocket, connect, server};
//!
//! async fn echo(mut websocket: WebSocket) {
//!     while let Some(Ok(message)) = websocket.next().await {
//!         if message.data_kind().is_some() {
//!             // Refused once a goodbye has begun, which `next` sees to its end.
//!             let _ = websocket.feed(message).await;
//!         }
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = server().listen("127.0.0.1:0".parse()?)?;
//! let url = server.urls().next().expect("it listens");
//! let shutdown = server.shutdown_handle();
//! let serving = tokio::spawn(server.serve(echo));
//!
//! let mut websocket = connect(&url).await?;
//! websocket.send(Message::text("hello")).await?;
//! assert_eq!(websocket.next().await.expect("open")?, Message::text("hello"));
//!
//! shutdown.drain(Duration::from_secs(5));
//! while websocket.next().await.is_some() {}
//! serving.await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Where to go
//!
//! | you want | take |
//! |---|---|
//! | connect and serve | the module of your runtime: `tokio`, `async_std`, `smol` |
//! | a runtime of your own | [`endpoint`]: implement its `Net` |
//! | a transport of your own | [`io`]: implement its `Transport` |
//! | no async at all | [`session`], and the loop in its documentation |
//! | WebSocket in your HTTP server | [`h1_upgrade`], [`h2_upgrade`], [`h3_upgrade`]; see [embedding](guide::embedding) |
//! | frames only | [`frame`] |
//!
//! Each module is a crate of its own that can be used without the others.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod guide;

pub use ws_close as close;
#[cfg(feature = "deflate")]
pub use ws_deflate as deflate;
pub use ws_endpoint as endpoint;
pub use ws_frame as frame;
pub use ws_h1_upgrade as h1_upgrade;
#[cfg(feature = "h2")]
pub use ws_h2 as h2;
pub use ws_h2_upgrade as h2_upgrade;
#[cfg(feature = "h3")]
pub use ws_h3 as h3;
pub use ws_h3_upgrade as h3_upgrade;
pub use ws_handshake as handshake;
pub use ws_io as io;
pub use ws_session as session;

/// The version of rustls that `Client::with_tls` and `Server::listen_tls` take configurations of.
#[cfg(feature = "rustls")]
pub use ws_endpoint::rustls;

// Inline, so that their names stand here and not one crate further.
#[cfg(feature = "async-std")]
#[doc(inline)]
pub use ws_async_std as async_std;
#[cfg(feature = "smol")]
#[doc(inline)]
pub use ws_smol as smol;
#[cfg(feature = "tokio")]
#[doc(inline)]
pub use ws_tokio as tokio;
