//! WebSocket clients and servers over HTTP/1.1, HTTP/2 and HTTP/3, for any runtime.
//!
//! The floor between the carriers and the runtime adapters: whatever does not depend on how a
//! runtime opens a socket stands here, once. Whom it serves directly is who brings a runtime of
//! their own: implement [`Net`], and [`Client`] and [`Server`] work on it, TLS included. On tokio,
//! async-std and smol take `ws-tokio`, `ws-async-std` or `ws-smol`, which do just that.
//!
//! ```text
//!  Client::connect ─ URL ─ resolve ─ happy eyeballs ─ TLS ─ ALPN ─┐
//!                                                                 ├─ Stream<N> ─ WebSocket<N>
//!  Server::serve ── accept ─ TLS ─ ALPN ─ request ─ route ────────┘
//! ```
//!
//! A server and a client on any runtime:
//!
//! ```
//! use std::net::{Ipv4Addr, SocketAddr};
//! use std::time::Duration;
//!
//! use ws_endpoint::{Client, ConnectOptions, Error, Message, Net, Server};
//!
//! async fn there_and_back<N: Net>(net: N) -> Result<(), Error> {
//!     let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
//!     let server = Server::new(net.clone()).listen(anywhere).expect("a free port");
//!     let url = server.urls().next().expect("it listens");
//!     let shutdown = server.shutdown_handle();
//!     net.spawn(async move {
//!         server
//!             .serve(|mut websocket| async move {
//!                 while let Some(Ok(message)) = websocket.next().await {
//!                     if message.data_kind().is_some() {
//!                         // Refused once a goodbye is under way, which `next` sees to its end.
//!                         let _ = websocket.feed(message).await;
//!                     }
//!                 }
//!             })
//!             .await;
//!     });
//!
//!     let mut websocket = Client::new(net).connect(&url, &ConnectOptions::default()).await?;
//!     websocket.send(Message::text("hello")).await?;
//!     assert_eq!(websocket.next().await.expect("open")?, Message::text("hello"));
//!     shutdown.drain(Duration::from_secs(1));
//!     Ok(())
//! }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() { there_and_back(ws_tokio::Tokio).await.expect("an echo"); }
//! ```
//!
//! | feature | adds |
//! |---|---|
//! | `rustls` | `wss`: `tls`, `Client::with_tls`, `Server::listen_tls` |
//! | `h2` | WebSockets on HTTP/2 (RFC 8441), beside HTTP/1.1 on the same ports |
//! | `h3` | WebSockets on HTTP/3 (RFC 9220) over QUIC; implies `rustls` |
//! | `async-io` | `reactor`: the sockets of async-std and smol |
//! | `deflate` | permessage-deflate (RFC 7692), off until asked for |

#![cfg_attr(docsrs, feature(doc_cfg))]

mod accept;
mod adapter;
#[cfg(feature = "h2")]
mod carrier_io;
mod client;
mod connect_queue;
mod deadline;
mod dial;
#[cfg(test)]
mod fake;
#[cfg(feature = "h2")]
mod h2_options;
mod http_version;
mod net;
mod other;
#[cfg(feature = "async-io")]
pub mod reactor;
#[cfg(any(feature = "rustls", feature = "h2"))]
mod read_buffer;
mod remote;
mod server;
#[cfg(any(feature = "rustls", feature = "h2"))]
mod slices;
mod socket;
mod stream;
#[cfg(feature = "rustls")]
pub mod tls;

pub use client::{Client, HttpPolicy};
pub use connect_queue::ConnectQueue;
#[cfg(feature = "h2")]
pub use h2_options::H2Options;
pub use http_version::HttpVersion;
pub use net::{Listener, Net};
pub use other::Other;
pub use remote::Remote;
pub use server::{Deciding, Drained, Server, Shutdown};
pub use stream::Stream;

/// The version of rustls that the configurations here are of.
#[cfg(feature = "rustls")]
pub use rustls;

// The words of the floors below without which nothing here can be said.
pub use ws_close::{CloseCode, CloseFrame};
pub use ws_frame::{Limits, Message, Utf8Bytes};
#[cfg(feature = "h3")]
pub use ws_h3::QuicOptions;
pub use ws_io::{
    AcceptOptions, ConnectOptions, Error, Handler, OriginPolicy, Page, Refusal, Request, Runtime,
    Sender, SubprotocolPolicy, Timer, Transport, UpgradeInfo,
};
pub use ws_session::{
    Account, BudgetExceeded, Cause, Config, Outcome, SharedBudget, TransportError,
};

/// A WebSocket made or accepted by an endpoint on the runtime `N`.
pub type WebSocket<N> = ws_io::WebSocket<Stream<N>, N>;
