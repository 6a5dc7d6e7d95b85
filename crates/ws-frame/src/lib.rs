//! The WebSocket wire format (RFC 6455 §5 and §6) without I/O: frames, masks, UTF-8, messages.
//!
//! ```text
//!  received ─► BytesMut ─► FrameDecoder ─► assembler ─► Message          MessageDecoder is all three
//!                          header, unmask  fragments,
//!                          in place        limits, UTF-8
//!
//!  to send  ◄─ WriteQueue ◄──────────────── FrameEncoder ◄─ payload
//!              a Buf, vectored              header, mask
//! ```
//!
//! Use this crate to read or write frames by yourself: a proxy, a test tool, a codec for another
//! runtime. It decides nothing about the connection: answering pings, closing and timing are the
//! business of `ws-session`.
//!
//! ```
//! use bytes::{Buf, Bytes, BytesMut};
//! use ws_frame::{
//!     FrameEncoder, Limits, MaskKeys, Message, MessageDecoder, OpCode, Role, WriteQueue,
//! };
//!
//! // A client encodes. The keys must come from a secure random number generator; these do not.
//! let mut encoder = FrameEncoder::client(MaskKeys::new(|| [0x37, 0xfa, 0x21, 0x3d]));
//! let mut queue = WriteQueue::new();
//! encoder.encode(OpCode::Text, true, 0, Bytes::from_static(b"Hello"), &mut queue);
//! let wire = queue.copy_to_bytes(queue.len());
//! assert_eq!(wire[..], *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"); // RFC 6455 §5.7
//!
//! // A server decodes.
//! let mut decoder = MessageDecoder::new(Role::Server, &Limits::default());
//! let mut received = BytesMut::from(&wire[..]);
//! assert_eq!(decoder.decode(&mut received)?, Some(Message::text("Hello")));
//! # Ok::<(), ws_frame::FrameError>(())
//! ```
//!
//! What holds here, whatever a peer sends: nothing panics; cost is linear in the input, however it
//! is cut; no memory is reserved for a length that a header only declares; any cut of the input
//! gives the same messages.
//!
//! # Features
//!
//! - `std` (default): CPU detection at run time for UTF-8 validation, and vectored writes. Without
//!   it the crate is `no_std` and needs `alloc`.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod assemble;
mod decode;
mod encode;
mod error;
mod header;
mod key;
mod limits;
mod mask;
mod message;
mod message_decoder;
mod opcode;
mod queue;
mod utf8;

pub use decode::{Frame, FrameDecoder};
pub use encode::FrameEncoder;
pub use error::{FrameError, Violation};
pub use header::FrameHeader;
pub use key::MaskKeys;
pub use limits::Limits;
pub use mask::mask;
pub use message::Message;
pub use message_decoder::{Decoded, Inflate, MessageDecoder};
pub use opcode::{DataKind, OpCode, Role};
pub use queue::WriteQueue;
pub use utf8::{InvalidUtf8, Utf8Bytes, Utf8Validator};
pub use ws_close::{CloseCode, CloseFrame};
