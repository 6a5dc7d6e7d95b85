//! permessage-deflate (RFC 7692): the negotiation and the codec, without I/O.
//!
//! This is plumbing: payloads in, payloads out. `ws-session` drives it for a connection, and
//! `ws-stack` is the whole of it. Frames, RSV1 and UTF-8 are not this crate's business.
//!
//! ```text
//! client::offer ──► Sec-WebSocket-Extensions ──► server::negotiate ─► Params
//! client::accept ◄──────── the answer ◄───────────────┘
//!        └► Params ─► Deflater ─► payload of frames with RSV1 ─► Inflater
//! ```
//!
//! ```
//! use bytes::BytesMut;
//! use ws_deflate::{Config, InflateLimits, client, server};
//!
//! let config = Config::default();
//! let (at_server, answer) = server::negotiate(&config, &[client::offer(&config)]).expect("ours");
//! let at_client = client::accept(&config, &answer)?;
//!
//! let mut deflater = at_client.deflater(&config).expect("no window of 8 bits was agreed on");
//! let mut inflater = at_server.inflater();
//! let limits = InflateLimits::new(1024 * 1024);
//! for message in ["Hello", "Hello"] {
//!     let mut payload = BytesMut::new();
//!     deflater.compress(message.as_bytes(), true, &mut payload);
//!
//!     let mut inflated = BytesMut::new();
//!     for piece in payload.chunks(3) {
//!         inflater.inflate(piece, &mut inflated, &limits)?;
//!     }
//!     inflater.finish(&limits)?;
//!     assert_eq!(inflated, message);
//! }
//! # Ok::<(), ws_deflate::Error>(())
//! ```

mod config;
mod deflater;
mod error;
mod history;
mod inflater;
mod limits;
mod offer;
mod params;
mod pool;
mod room;
mod shared;
mod tally;

pub mod client;
pub mod server;

pub use config::Config;
pub use deflater::Deflater;
pub use error::{Corruption, Error, ResponseFault};
pub use inflater::Inflater;
pub use limits::InflateLimits;
pub use params::{Direction, Params};
pub use shared::SharedMessage;
