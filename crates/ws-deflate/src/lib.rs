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
//!
//! # What it costs
//!
//! Contexts are made on first use. With context takeover a direction keeps its context between
//! messages; after [`Deflater::release`] and [`Inflater::release`], for instance when a connection
//! falls idle, only the decompressor's window of history is left, and takeover still works. Without
//! takeover contexts come from a small pool of the thread's, and an idle connection holds nothing
//! on the heap and 440 bytes inline. Counted by the allocator, after 64 KiB of messages:
//!
//! | window bits | compressor | decompressor | both released |
//! |---|---|---|---|
//! | 9 | 245 KiB | 47 KiB | 0.5 KiB |
//! | 10 | 247 KiB | 47 KiB | 1 KiB |
//! | 11 | 251 KiB | 48 KiB | 2 KiB |
//! | 12 | 259 KiB | 50 KiB | 4 KiB |
//! | 13 | 275 KiB | 54 KiB | 8 KiB |
//! | 14 | 307 KiB | 62 KiB | 16 KiB |
//! | 15 | 371 KiB | 78 KiB | 32 KiB |
//!
//! # What a peer cannot do
//!
//! Make it hold more than [`InflateLimits`] and 64 KiB; make it spend more than linear time on what
//! it sent; pass a truncated message for a whole one; or get a different result by cutting the
//! same bytes differently. Compressing secrets next to text an attacker chooses leaks them by size
//! (RFC 7692 §8): send such messages uncompressed.
//!
//! # The backend
//!
//! flate2 is used with zlib-rs, which honours windows of 9 to 15 bits and takes a dictionary at any
//! time. Cargo unifies features: when another crate of a build turns on a C backend of flate2, that
//! one is used here too. The tests of this crate notice one that would not do.

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
