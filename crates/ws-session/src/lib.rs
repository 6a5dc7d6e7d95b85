//! The WebSocket protocol after its handshake (RFC 6455 §5 to §7) as a state machine without I/O:
//! closing, pings, timers, limits.
//!
//! ```text
//!             ┌──────────────────────────── Session ───────────────────────────┐
//!  received ─►│ read_buffer ─► frames ─► messages ─► poll_event                │─► application
//!             │                  │ ping, close                                 │
//!             │                  ▼                                             │
//!  to write ◄─│ transmit ◄──── frames ◄──────────── send, send_fragment, close │◄─ application
//!             │ poll_timeout / handle_timeout: keep-alive, idle, stalls, close │◄─ the time
//!             └────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Use this crate to drive WebSocket over your own I/O. If your I/O is an async stream, `ws-io`
//! drives it for you; if you want frames without rules, see `ws-frame`. Handshakes are the business
//! of `ws-h1-upgrade` and its siblings.
//!
//! # The loop
//!
//! **Poll for events until there are none; when about to wait, write what
//! [`transmit`](Session::transmit) holds and ask for the next deadline.** Nothing has to be done in
//! a given order beyond that, and nothing is lost by calling a method once too often.
//!
//! 1. [`poll_event`](Session::poll_event) until it returns `None`, and act on each event.
//! 2. Write [`transmit`](Session::transmit), advancing it by what was written.
//! 3. If [`wants_shutdown`](Session::wants_shutdown), end your direction of the transport and call
//!    [`handle_shutdown`](Session::handle_shutdown), then go to 1.
//! 4. Wait until bytes arrive (append them to [`read_buffer`](Session::read_buffer)), the peer's
//!    direction ends ([`receive_eof`](Session::receive_eof)), the transport fails
//!    ([`receive_error`](Session::receive_error)), bytes can be written, or the deadline of
//!    [`poll_timeout`](Session::poll_timeout) is reached
//!    ([`handle_timeout`](Session::handle_timeout)). Go to 1.
//!
//! The session is over with [`Event::Finished`].
//!
//! **A write that blocks is a wait, too.** Give it the time that
//! [`poll_write_timeout`](Session::poll_write_timeout) leaves, and call
//! [`handle_write_timeout`](Session::handle_write_timeout) when that is over: otherwise a peer that never
//! reads holds the thread for ever. The example `blocking_echo` of the repository is such a loop, with a
//! thread for each connection.
//!
//! ```
//! use bytes::Buf;
//! use ws_session::{CloseCode, Config, Event, MaskKeys, Message, Session};
//!
//! # fn random() -> [u8; 4] { [1, 2, 3, 4] }
//! let mut client = Session::client(Config::default(), MaskKeys::new(random));
//! let mut server = Session::server(Config::default());
//! client.send(Message::text("hello")).unwrap();
//!
//! // The "network": what one transmits, the other one reads.
//! fn carry(from: &mut Session, to: &mut Session) {
//!     let queue = from.transmit();
//!     let bytes = queue.copy_to_bytes(queue.len());
//!     to.read_buffer().extend_from_slice(&bytes);
//!     if from.wants_shutdown() {
//!         from.handle_shutdown();
//!         to.receive_eof();
//!     }
//! }
//!
//! while !(client.is_finished() && server.is_finished()) {
//!     carry(&mut client, &mut server);
//!     while let Some(event) = server.poll_event() {
//!         if let Event::Message(message @ Message::Text(_)) = event {
//!             server.send(message).unwrap(); // an echo
//!         }
//!     }
//!     carry(&mut server, &mut client);
//!     while let Some(event) = client.poll_event() {
//!         if let Event::Message(Message::Text(text)) = event {
//!             assert_eq!(text, "hello");
//!             client.close(Some(CloseCode::NORMAL.into())).unwrap();
//!         }
//!     }
//! }
//! assert!(client.outcome().unwrap().clean);
//! assert_eq!(server.outcome().unwrap().code, CloseCode::NORMAL);
//! ```
//!
//! # What a session promises
//!
//! - Any input, cut anywhere, gives the same events; none panics; the cost is linear.
//! - Memory held for a peer is bounded by one number, [`Config::memory_budget`], and one read:
//!   everything counts. Within it, by one message and a read on the way in, by
//!   [`Config::high_water`] and one message on the way out.
//! - Messages that arrived whole before a violation are delivered before it takes effect.
//! - Every ping is answered while fewer than [`Config::high_water`] bytes wait; above it only the
//!   newest is (RFC 6455 §5.5.3).
//! - Exactly one close frame leaves, and no data after it.
//! - Every session ends: all waiting has a deadline, and [`poll_timeout`](Session::poll_timeout) or
//!   [`poll_write_timeout`](Session::poll_write_timeout) tells it.
//!
//! # Features
//!
//! - `deflate`: permessage-deflate (RFC 7692), `Session::with_deflate`, and `ws_deflate` as
//!   `deflate`.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod account;
mod budget;
mod closing;
mod compression;
mod config;
mod error;
mod event;
mod inbound;
mod outbound;
mod prepared;
mod session;
mod timers;

pub use account::{Account, BudgetExceeded};
pub use budget::{Charge, SharedBudget};
pub use config::Config;
pub use error::{SendError, TransportError};
pub use event::{Cause, Event, Outcome};
pub use outbound::Compress;
pub use prepared::Prepared;
pub use session::{Failure, Session};
#[cfg(feature = "deflate")]
pub use ws_deflate as deflate;
pub use ws_frame::{
    CloseCode, CloseFrame, DataKind, FrameError, Limits, MaskKeys, Message, Role, Utf8Bytes,
    Violation, WriteQueue,
};
