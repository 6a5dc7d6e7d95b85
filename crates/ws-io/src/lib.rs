//! One driver for WebSocket sessions over any transport and any runtime.
//!
//! ```text
//!   your tasks ──► Sender ─────┐        ┌──────────── WebSocket<T, R> ───────────┐
//!                              ├─ feed ─►  Session      │        Transport T     │
//!   your loop, or Handler ─────┘        │  (ws-session)  ◄─ read ─  TCP, TLS,    │ ◄──► the peer
//!              ▲                        │              ─ write ─►  HTTP/2, …     │
//!              └────────────── next ────┤  deadlines  ◄─ one timer of Runtime R  │
//!                                       └────────────────────────────────────────┘
//! ```
//!
//! A [`Transport`] is an ordered byte stream, a [`Runtime`] is a clock, timers and tasks; both are
//! small traits. With the two this crate shakes hands ([`connect`], [`accept`]) and gives a
//! [`WebSocket`] to receive from and send on, in one task or [split](WebSocket::split) into two, by
//! whole messages or [in pieces](WebSocket::next_chunk), as a loop, as a [`Handler`] or as a
//! [stream of bytes](ByteStream).
//!
//! Use this crate to bring your own transport or runtime. For sockets and TLS on tokio, async-std or
//! smol take `ws-stack`; to drive the protocol without any async at all, `ws-session`.
//!
//! # Example
//!
//! A runtime, here over `async-io`, and an echo in memory:
//!
//! ```
//! use std::task::{Context, Poll};
//! use std::time::Instant;
//!
//! use ws_io::{AcceptOptions, CloseCode, ConnectOptions, Message, Runtime, Timer};
//!
//! #[derive(Clone, Debug)]
//! struct AsyncIo;
//!
//! struct AsyncIoTimer {
//!     timer: async_io::Timer,
//!     is_expired: bool,
//! }
//!
//! impl Runtime for AsyncIo {
//!     type Timer = AsyncIoTimer;
//!
//!     fn now(&self) -> Instant {
//!         Instant::now()
//!     }
//!
//!     fn timer(&self, at: Instant) -> AsyncIoTimer {
//!         AsyncIoTimer { timer: async_io::Timer::at(at), is_expired: false }
//!     }
//!
//!     fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
//!         std::thread::spawn(|| async_io::block_on(task)); // a real runtime does better
//!     }
//! }
//!
//! impl Timer for AsyncIoTimer {
//!     fn reset(&mut self, at: Instant) {
//!         self.timer.set_at(at);
//!         self.is_expired = false;
//!     }
//!
//!     fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
//!         // Once only is its timer ready, ours until it is reset.
//!         if !self.is_expired {
//!             std::task::ready!(std::pin::Pin::new(&mut self.timer).poll(cx));
//!             self.is_expired = true;
//!         }
//!         Poll::Ready(())
//!     }
//! }
//!
//! # fn main() -> Result<(), ws_io::Error> {
//! let (near, far) = ws_io::duplex(64 * 1024); // in place of a socket
//!
//! AsyncIo.spawn(async {
//!     let Ok(mut server) = ws_io::accept(far, AsyncIo, AcceptOptions::default()).await else {
//!         return;
//!     };
//!     // The fast loop: `feed` queues, and `next` writes all of it just before it waits.
//!     while let Some(Ok(message)) = server.next().await {
//!         if message.data_kind().is_some() {
//!             // Refused once a goodbye has begun, which `next` sees to its end.
//!             let _ = server.feed(message).await;
//!         }
//!     }
//! });
//!
//! async_io::block_on(async {
//!     let uri = "ws://example.com/echo".parse()?;
//!     let mut client = ws_io::connect(near, AsyncIo, &uri, &ConnectOptions::default()).await?;
//!     client.send(Message::text("hello")).await?;
//!     assert_eq!(client.next().await.transpose()?, Some(Message::text("hello")));
//!     let outcome = client.close(CloseCode::NORMAL, "done").await?;
//!     assert!(outcome.clean);
//!     Ok(())
//! })
//! # }
//! ```
//!
//! # What a connection promises
//!
//! - **Messages come before failures.** What arrived whole before the peer broke a rule or went away
//!   is received first; the goodbye is said before its cause is returned; that once, then `None`.
//! - **Every future may be dropped at any await.** No message is lost, doubled or torn by it.
//! - **A peer that does not read is felt and then cut.** Sending waits above
//!   [`Config::high_water`], for [`Config::write_timeout`] at most. In a turn that has read something
//!   twice as much may be queued, so that a read is answered with one write.
//! - **A burst is answered with one write.** The driver reads first and writes when about to wait,
//!   when told to flush, or when much is queued.
//! - **Idle connections hold no buffers.** They come from a bounded pool of the thread and go back
//!   before each wait. In steady state a small message costs no allocation.
//! - **No connection keeps its thread.** After 32 reads in a row it lets others run; what was inflated
//!   counts as if it had been read. A [`Handler`] does after 32 messages of its [`Mailbox`].
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `deflate` | permessage-deflate (RFC 7692): `AcceptOptions::deflate`, `ConnectOptions::deflate` |
//! | `http` | `AcceptOptions::answer`: the handshake for an HTTP server that has read the request |

#![cfg_attr(docsrs, feature(doc_cfg))]

mod accept_options;
mod agreed;
mod alarm;
mod aside;
mod byte_stream;
mod calls;
mod chunk;
mod client;
mod connect_options;
mod connection;
mod due;
mod duplex;
#[cfg(feature = "http")]
mod embedded;
mod error;
mod futures_io;
mod handler;
mod handshake;
mod mailbox;
mod notice;
mod outgoing;
mod page;
mod parts;
mod preface;
mod queue;
mod read_budget;
mod runtime;
mod sender;
mod server;
mod side;
mod split;
mod stream_sink;
mod tasks;
mod transport;
mod upgrade_info;
mod wakers;
mod websocket;

pub use accept_options::AcceptOptions;
pub use agreed::Agreed;
pub use byte_stream::ByteStream;
pub use chunk::Chunk;
pub use client::connect;
pub use connect_options::ConnectOptions;
pub use duplex::{Duplex, duplex};
#[cfg(feature = "http")]
pub use embedded::{Accepted, Declined};
pub use error::Error;
pub use futures_io::FuturesIo;
pub use handler::{Fault, Flow, Handler, Peer, Terminated, run};
pub use mailbox::{Inbox, Mailbox, MailboxError, mailbox};
pub use notice::{Notice, NoticeBoard};
pub use page::{Page, PageRequest};
pub use parts::Parts;
pub use preface::Preface;
pub use runtime::{Runtime, Timer};
pub use sender::{Sender, TrySendError};
pub use server::{Arrival, Incoming, accept, receive, receive_any};
pub use split::{Reader, ReuniteError, Writer};
pub use transport::Transport;
pub use upgrade_info::UpgradeInfo;
pub use websocket::WebSocket;
pub use ws_frame::FrameError;
pub use ws_h1_upgrade::{OriginPolicy, Refusal, Request, SubprotocolPolicy, WsUri};
pub use ws_handshake::{HandshakeError, UnexpectedResponse};
pub use ws_session::{
    Account, BudgetExceeded, Cause, Charge, CloseCode, CloseFrame, Compress, Config, DataKind,
    Limits, Message, Outcome, Prepared, SendError, Session, SharedBudget, TransportError,
    Utf8Bytes,
};
