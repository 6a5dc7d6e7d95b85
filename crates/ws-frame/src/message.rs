//! What applications exchange (RFC 6455 §5.6 and §5.5).

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use ws_close::CloseFrame;

use crate::{DataKind, OpCode, Utf8Bytes};

/// A whole message, or a control frame.
///
/// A received message shares the buffer it was read into, some 16 to 264 KiB or a few times its own size,
/// and keeps that alive. That costs nothing for one that is soon answered or dropped; to keep many
/// small ones for long, take [`compact`](Self::compact) copies.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "all other opcodes are reserved and refused")]
pub enum Message {
    /// Text.
    Text(Utf8Bytes),
    /// Bytes.
    Binary(Bytes),
    /// A ping, at most 125 bytes. A session answers it by itself.
    Ping(Bytes),
    /// A pong, at most 125 bytes: the answer to a ping, or unasked.
    Pong(Bytes),
    /// A close frame; `None` when its body is empty. A session answers it by itself.
    Close(Option<CloseFrame>),
}

impl Message {
    /// A text message.
    pub fn text(text: impl Into<Utf8Bytes>) -> Self {
        Self::Text(text.into())
    }

    /// A binary message.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::Binary(bytes.into())
    }

    /// The same message in memory of its own: one copy of the payload.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use ws_frame::Message;
    ///
    /// let buffer = Bytes::from(vec![b'x'; 64 * 1024]);
    /// let kept = Message::Binary(buffer.slice(..5)).compact();
    /// assert!(buffer.is_unique());
    /// assert_eq!(kept.payload(), b"xxxxx");
    /// ```
    #[must_use]
    pub fn compact(self) -> Self {
        match self {
            Self::Text(text) => Self::Text(text.compact()),
            Self::Binary(bytes) => Self::Binary(Bytes::copy_from_slice(&bytes)),
            Self::Ping(bytes) => Self::Ping(Bytes::copy_from_slice(&bytes)),
            Self::Pong(bytes) => Self::Pong(Bytes::copy_from_slice(&bytes)),
            Self::Close(frame) => Self::Close(frame),
        }
    }

    /// The opcode of the frame that carries the message.
    #[must_use]
    pub const fn opcode(&self) -> OpCode {
        match self {
            Self::Text(_) => OpCode::Text,
            Self::Binary(_) => OpCode::Binary,
            Self::Ping(_) => OpCode::Ping,
            Self::Pong(_) => OpCode::Pong,
            Self::Close(_) => OpCode::Close,
        }
    }

    /// The kind of a text or binary message; `None` for control frames.
    #[must_use]
    pub const fn data_kind(&self) -> Option<DataKind> {
        match self {
            Self::Text(_) => Some(DataKind::Text),
            Self::Binary(_) => Some(DataKind::Binary),
            _ => None,
        }
    }

    /// The text, if this is a text message.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// The payload of a text, binary, ping or pong message; empty for a close frame.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) | Self::Ping(bytes) | Self::Pong(bytes) => bytes,
            Self::Close(_) => &[],
        }
    }
}

impl From<Utf8Bytes> for Message {
    fn from(text: Utf8Bytes) -> Self {
        Self::Text(text)
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::binary(bytes)
    }
}
