//! What applications exchange (RFC 6455 §5.6 and §5.5).

use alloc::string::String;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};
use ws_close::{CloseCode, CloseFrame};

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

    /// A ping with at most 125 bytes. A session sends its own when the peer is silent.
    pub fn ping(bytes: impl Into<Bytes>) -> Self {
        Self::Ping(bytes.into())
    }

    /// A pong that nobody asked for, with at most 125 bytes: a sign of life (RFC 6455 §5.5.3). A
    /// session answers pings by itself.
    pub fn pong(bytes: impl Into<Bytes>) -> Self {
        Self::Pong(bytes.into())
    }

    /// A close frame, after which no data can be sent. One with an empty body is `Close(None)`.
    pub fn close(code: CloseCode, reason: impl Into<String>) -> Self {
        Self::Close(Some(CloseFrame::new(code, reason)))
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

    /// Whether this is a text message.
    #[must_use]
    pub const fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    /// Whether this is a binary message.
    #[must_use]
    pub const fn is_binary(&self) -> bool {
        matches!(self, Self::Binary(_))
    }

    /// Whether this is a close frame.
    #[must_use]
    pub const fn is_close(&self) -> bool {
        matches!(self, Self::Close(_))
    }

    /// How many bytes the [`payload`](Self::payload) has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.payload().len()
    }

    /// Whether there is no [`payload`](Self::payload), as in a close frame.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.payload().is_empty()
    }

    /// The [`payload`](Self::payload), which shares the memory of the message.
    #[must_use]
    pub fn into_payload(self) -> Bytes {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Binary(bytes) | Self::Ping(bytes) | Self::Pong(bytes) => bytes,
            Self::Close(_) => Bytes::new(),
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

impl From<BytesMut> for Message {
    fn from(bytes: BytesMut) -> Self {
        Self::Binary(bytes.freeze())
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::binary(bytes)
    }
}

impl From<&[u8]> for Message {
    /// One copy of the bytes.
    fn from(bytes: &[u8]) -> Self {
        Self::Binary(Bytes::copy_from_slice(bytes))
    }
}

impl From<CloseFrame> for Message {
    fn from(frame: CloseFrame) -> Self {
        Self::Close(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_says_what_it_is_and_gives_its_payload() {
        let frame = CloseFrame::new(CloseCode::NORMAL, "bye");
        for (message, kind, payload) in [
            (Message::from("text"), (true, false, false), &b"text"[..]),
            (Message::from(&b"bytes"[..]), (false, true, false), b"bytes"),
            (Message::from(BytesMut::from("mut")), (false, true, false), b"mut"),
            (Message::ping("ping"), (false, false, false), b"ping"),
            (Message::pong("pong"), (false, false, false), b"pong"),
            (Message::from(frame), (false, false, true), b""),
            (Message::close(CloseCode::NORMAL, "bye"), (false, false, true), b""),
        ] {
            let found = (message.is_text(), message.is_binary(), message.is_close());
            assert_eq!(found, kind, "{message:?}");
            let empty = payload.is_empty();
            assert_eq!((message.len(), message.is_empty()), (payload.len(), empty), "{message:?}");
            assert_eq!(message.payload(), payload);
            assert_eq!(message.as_text(), message.is_text().then_some("text"));
            let data = [DataKind::Text, DataKind::Binary];
            let data = data.into_iter().zip([kind.0, kind.1]).find(|(_, is)| *is);
            assert_eq!(message.data_kind(), data.map(|(kind, _)| kind));
            assert_eq!(message.into_payload(), payload);
        }
    }
}
