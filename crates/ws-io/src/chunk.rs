//! Messages in pieces.

use bytes::Bytes;
use ws_frame::{DataKind, Message};

/// What [`WebSocket::next_chunk`](crate::WebSocket::next_chunk) receives.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "RFC 6455 knows data and control frames")]
pub enum Chunk {
    /// A piece of a text or binary message, `last` when the message ends with it. It may be empty.
    Data {
        /// Text or binary: the same for all pieces of a message.
        kind: DataKind,
        /// The bytes, unmasked and inflated.
        data: Bytes,
        /// Whether the message ends here.
        last: bool,
    },
    /// A ping, a pong or the peer's close frame, which may come between pieces.
    Control(Message),
}

impl From<Message> for Chunk {
    /// A whole message is its last piece.
    fn from(message: Message) -> Self {
        match message {
            Message::Text(text) => {
                Self::Data { kind: DataKind::Text, data: text.into_bytes(), last: true }
            }
            Message::Binary(data) => Self::Data { kind: DataKind::Binary, data, last: true },
            control => Self::Control(control),
        }
    }
}
