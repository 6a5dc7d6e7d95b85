//! WebSocket over HTTP/3 (RFC 9220) on quinn, for any runtime: the carrier between a QUIC
//! connection and a WebSocket session.
//!
//! ```text
//!                     ┌─────────── one QUIC connection ───────────┐
//!   Client::connect ─►│ HEADERS  :method CONNECT                  │─► Server::next
//!                     │          :protocol websocket              │     WebSocketRequest::accept
//!   H3Stream       ◄─►│ DATA … DATA … FIN     (one stream each)   │◄─► H3Stream
//!                     │ control streams: SETTINGS, GOAWAY         │
//!                     └────────────────── quinn ──────────────────┘
//! ```
//!
//! An [`H3Stream`] is a [`ws_io::Transport`]: RFC 6455 is spoken on it as on a TCP connection, by
//! `ws-io`. The handshake itself, which headers to send and which to accept, is the business of
//! [`ws_h3_upgrade`]; this crate judges the form of the messages. Sockets and the QUIC handshake are
//! the business of the runtime adapters, or yours: a [`quinn::Connection`] is all that is needed,
//! made with [`server_config`] and [`client_config`].
//!
//! Take `ws-stack` for a WebSocket by its URL. Take this crate to bring your own quinn endpoint, or
//! to serve pages beside WebSockets ([`Request::Http`]).
//!
//! # What it holds to
//!
//! - Ends: FIN is an orderly end; a reset is `H3_REQUEST_CANCELLED` in both directions, and so is a
//!   stream that is dropped (RFC 9220 §3). The last handle closes the connection with `H3_NO_ERROR`,
//!   once what was sent is acknowledged.
//! - Nothing is sent before the server's SETTINGS allow it, and never in early data.
//! - What a peer sends is bounded before it is buffered: header sections, control frames, unread
//!   data ([`QuicOptions`]), requests that are opened only to be cancelled. Who may begin a handshake
//!   is bounded too ([`Admission`]).
//! - A breach of the protocol ends the stream or the connection that RFC 9114 says, and no other.
//!
//! # How `websocket` gets through `h3`
//!
//! `h3` 0.0.8 knows a closed set of `:protocol` values, without `websocket`. Its QUIC traits are
//! therefore implemented here, over quinn, and move that one field line past it; see the source of
//! `quic::fields`. Once a CONNECT is answered, the stream no longer passes through `h3`.
//!
//! # Example
//!
//! ```
//! use std::future::poll_fn;
//! use std::sync::Arc;
//!
//! use bytes::BytesMut;
//! use ws_h3::{Client, ClientConfig, QuicOptions, Request, Server, ServerConfig};
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
//! // TLS as always; a certificate made on the spot.
//! let issued = rcgen::generate_simple_self_signed(["localhost".into()])?;
//! let certificate = issued.cert.der().clone();
//! let key = rustls::pki_types::PrivateKeyDer::try_from(issued.signing_key.serialize_der())?;
//! let ring = Arc::new(rustls::crypto::ring::default_provider());
//! let server_tls = rustls::ServerConfig::builder_with_provider(Arc::clone(&ring))
//!     .with_protocol_versions(&[&rustls::version::TLS13])?
//!     .with_no_client_auth()
//!     .with_single_cert(vec![certificate.clone()], key)?;
//! let mut roots = rustls::RootCertStore::empty();
//! roots.add(certificate)?;
//! let client_tls = rustls::ClientConfig::builder_with_provider(ring)
//!     .with_protocol_versions(&[&rustls::version::TLS13])?
//!     .with_root_certificates(roots)
//!     .with_no_client_auth();
//!
//! // A server that accepts every WebSocket and sends back what comes.
//! let options = QuicOptions::default();
//! let config = ws_h3::server_config(server_tls, &options)?;
//! let listener = quinn::Endpoint::server(config, "127.0.0.1:0".parse()?)?;
//! let address = listener.local_addr()?;
//! tokio::spawn(async move {
//!     let connection = listener.accept().await.unwrap().await.unwrap();
//!     let mut server = Server::accept(connection, Tokio, &ServerConfig::default()).await.unwrap();
//!     while let Some(request) = server.next().await {
//!         let Request::WebSocket(request) = request else { continue };
//!         let mut stream = request.accept(http::Response::new(())).await.unwrap();
//!         tokio::spawn(async move {
//!             let mut buf = BytesMut::new();
//!             while poll_fn(|cx| stream.poll_read(cx, &mut buf, 4096)).await.unwrap() > 0 {
//!                 while !buf.is_empty() {
//!                     poll_fn(|cx| stream.poll_write(cx, &mut buf)).await.unwrap();
//!                 }
//!                 poll_fn(|cx| stream.poll_flush(cx)).await.unwrap();
//!             }
//!             poll_fn(|cx| stream.poll_shutdown(cx)).await.unwrap();
//!         });
//!     }
//! });
//!
//! // A client: one QUIC connection, any number of WebSockets.
//! let mut endpoint = quinn::Endpoint::client("127.0.0.1:0".parse()?)?;
//! endpoint.set_default_client_config(ws_h3::client_config(client_tls, &options)?);
//! let connection = endpoint.connect(address, "localhost")?.await?;
//! let client = Client::new(connection, Tokio, &ClientConfig::default()).await?;
//!
//! let request = http::Request::builder()
//!     .uri("https://localhost/chat")
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
//! assert_eq!(poll_fn(|cx| stream.poll_read(cx, &mut buf, 4096)).await?, 0);
//! # Ok(())
//! # }
//! ```
//!
//! | feature | adds |
//! |---|---|
//! | `deflate` | passes `deflate` on to `ws-io`: permessage-deflate (RFC 7692) |

#![cfg_attr(docsrs, feature(doc_cfg))]

mod admission;
mod client;
mod error;
mod guarded;
mod link;
mod quic;
mod request;
mod server;
mod tls;
mod transport;
mod waste;
mod windows;

pub use admission::{Admission, Handshake};
pub use client::{Client, ClientConfig};
pub use error::Error;
pub use quic::fields::{FieldError, PseudoHeader};
pub use request::{HttpRequest, Request, WebSocketRequest};
pub use server::{Server, ServerConfig, ServerHandle};
pub use tls::{ALPN, QuicOptions, client_config, server_config};
pub use transport::H3Stream;
pub use windows::Windows;

/// The parsers that meet a peer's bytes first, for fuzzing; not part of the stable interface.
#[doc(hidden)]
pub mod wire {
    pub use crate::quic::fields::{
        FieldError, PseudoHeader, PseudoHeaders, check_response, lift_protocol, rewrite_protocol,
    };
    pub use crate::quic::frames::{FrameEvent, FrameReader};
}
