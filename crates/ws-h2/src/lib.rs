//! WebSocket over HTTP/2 (RFC 8441) on the `h2` crate, for any runtime: the carrier between one
//! socket and many WebSocket sessions.
//!
//! ```text
//!                     ┌───────────── one TLS or TCP stream ─────────────┐
//!   Client::connect ─►│ HEADERS  :method CONNECT                        │─► Server::next
//!                     │          :protocol websocket                    │     WebSocketRequest::accept
//!   H2Stream       ◄─►│ DATA … DATA … END_STREAM     (one stream each)  │◄─► H2Stream
//!                     └─── driver task ───────────────── driver task ───┘
//!
//!   inbound   socket ─► h2 ─► driver ─► the stream's inbox ─► H2Stream::poll_read ─► session
//!                                          └─ credit for the peer ◄──┘ only for what was read
//!   outbound  session ─► H2Stream::poll_write, as far as the windows go ─► h2 ─► driver ─► socket
//! ```
//!
//! An [`H2Stream`] is a [`ws_io::Transport`]: RFC 6455 is spoken on it as on a TCP connection, by
//! `ws-io`. The handshake itself, which headers to send and which to accept, is the business of
//! [`ws_h2_upgrade`]; this crate carries the messages. Sockets and TLS are the business of the
//! runtime adapters, or yours: anything that is `AsyncRead + AsyncWrite` in tokio's sense will do,
//! without a tokio runtime.
//!
//! Take `ws-stack` for a WebSocket by its URL. Take this crate to bring your own sockets, or to
//! serve pages beside WebSockets ([`Request::Http`]).
//!
//! # What it holds to
//!
//! - **Nobody waits for somebody else.** The task that drives a connection takes every frame off it
//!   at once, into a buffer of the stream that is bounded by the stream's window. A stream that is
//!   never read stops its own peer; the connection's window is so large that it stops no other.
//! - **What a peer can make us hold is bounded**: unread bytes by the windows, and on a server by a
//!   [`budget`](ServerConfig::budget) that all connections share, tiny frames by being copied
//!   together, unsent bytes by [`send_buffer`](ServerConfig::send_buffer), header lists, waiting
//!   requests, and resets in both directions (CVE-2023-44487, CVE-2025-8671). The socket is read in
//!   turns, so a flood keeps no other task of its thread from running.
//! - **Ends**: `END_STREAM` is an orderly end, `RST_STREAM` with `CANCEL` is TCP's reset, and so is a
//!   stream that is dropped. After a goodbye the server ends the stream first and drains it, the
//!   client gives it a moment to do so: every peer we know ends in order that way.
//! - **Nothing is sent before the server's SETTINGS allow it**, nor after its GOAWAY; an
//!   [`Error`] says whether another try is safe.
//! - **A setting taken back** (RFC 8441 §3 forbids it) is obeyed, not punished: nothing more is asked
//!   for, and what is open goes on. There is no switch for another reading.
//!
//! # What it cannot do
//!
//! `h2` counts the body of a 2xx answer to CONNECT against a `content-length` in it, which RFC 9110
//! §9.3.6 says to ignore. Our server never sends one; from a server that does, a WebSocket fails with
//! `malformed_message` at the first byte over it, and no other stream is harmed.
//!
//! # Example
//!
//! ```
//! use std::future::poll_fn;
//!
//! use bytes::BytesMut;
//! use ws_h2::{Client, ClientConfig, Request, Server, ServerConfig};
//! use ws_io::Transport;
//! # use std::{future::Future, pin::Pin, task::{Context, Poll}, time::Instant};
//! # #[derive(Debug, Clone)]
//! # struct Tokio;
//! # struct Timer(Pin<Box<tokio::time::Sleep>>);
//! # impl ws_io::Timer for Timer {
//! #     fn reset(&mut self, at: Instant) { self.0.as_mut().reset(at.into()) }
//! #     fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> { self.0.as_mut().poll(cx) }
//! # }
//! # impl ws_io::Runtime for Tokio {
//! #     type Timer = Timer;
//! #     fn now(&self) -> Instant { tokio::time::Instant::now().into_std() }
//! #     fn timer(&self, at: Instant) -> Timer { Timer(Box::pin(tokio::time::sleep_until(at.into()))) }
//! #     fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) { tokio::spawn(task); }
//! # }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A server that accepts every WebSocket and sends back what comes.
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let address = listener.local_addr()?;
//! tokio::spawn(async move {
//!     let (socket, peer) = listener.accept().await.unwrap();
//!     let config = ServerConfig::default();
//!     let mut server = Server::accept(socket, Some(peer), Tokio, &config).await.unwrap();
//!     while let Some(request) = server.next().await {
//!         let Request::WebSocket(request) = request else { continue };
//!         let mut stream = request.accept(http::Response::new(())).unwrap();
//!         tokio::spawn(async move {
//!             let mut buf = BytesMut::new();
//!             while poll_fn(|cx| stream.poll_read(cx, &mut buf, 4096)).await.unwrap() > 0 {
//!                 while !buf.is_empty() {
//!                     poll_fn(|cx| stream.poll_write(cx, &mut buf)).await.unwrap();
//!                 }
//!             }
//!             poll_fn(|cx| stream.poll_shutdown(cx)).await.unwrap();
//!         });
//!     }
//! });
//!
//! // A client: one socket, any number of WebSockets.
//! let socket = tokio::net::TcpStream::connect(address).await?;
//! let client = Client::new(socket, Some(address), Tokio, &ClientConfig::default()).await?;
//! let request = http::Request::builder()
//!     .uri("http://localhost/chat")
//!     .header("sec-websocket-version", "13")
//!     .body(())?;
//! let (response, mut stream) = client.connect(request).await?;
//! assert_eq!(response.status(), 200);
//!
//! // The bytes of a session would go here.
//! poll_fn(|cx| stream.poll_write(cx, &mut &b"hello"[..])).await?;
//! let mut buf = BytesMut::new();
//! while buf.len() < 5 {
//!     poll_fn(|cx| stream.poll_read(cx, &mut buf, 4096)).await?;
//! }
//! assert_eq!(buf, "hello");
//! poll_fn(|cx| stream.poll_shutdown(cx)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! | feature | adds |
//! |---|---|
//! | `deflate` | passes `deflate` on to `ws-io`: permessage-deflate (RFC 7692) |

#![cfg_attr(docsrs, feature(doc_cfg))]

mod adoption;
mod alarm;
mod client;
mod config;
mod deadlines;
mod entry;
mod error;
mod failure;
mod gathered;
mod hub;
mod inbox;
mod intake;
mod leaving;
mod meter;
mod paced;
mod parting;
mod reset_budget;
mod server;
mod transport;
mod waiting;

pub use client::Client;
pub use config::{ClientConfig, ServerConfig};
pub use error::Error;
pub use server::{HttpRequest, Request, Server, ServerHandle, WebSocketRequest};
pub use transport::H2Stream;
