//! A message that is encoded once and sent to many.

use std::fmt;
use std::sync::Arc;
#[cfg(feature = "deflate")]
use std::sync::OnceLock;

use bytes::{Bytes, BytesMut};
use ws_frame::{FrameHeader, Limits, Message, OpCode};

use crate::compression::Compression;
use crate::outbound::data_parts;

/// A text or binary message with its frames, for a server that sends it to many sessions
/// ([`Session::send_prepared`](crate::Session::send_prepared)). Clones share everything.
///
/// The header is written once. Where permessage-deflate was negotiated, the payload is compressed
/// once for each window size in use, with an empty window; the history of each session that takes
/// the result is forgotten, because its peer now remembers this message instead. Broadcasts of
/// large or very different messages gain by that, a stream of small similar ones may not.
#[derive(Clone)]
pub struct Prepared(Arc<Inner>);

struct Inner {
    message: Message,
    plain: Bytes,
    #[cfg(feature = "deflate")]
    deflated: Deflated,
}

#[cfg(feature = "deflate")]
#[derive(Default)]
struct Deflated {
    level: u8,
    threshold: usize,
    /// By window bits, 9 to 15: the compressed message, and its frames.
    by_window: [OnceLock<(ws_deflate::SharedMessage, Bytes)>; 7],
}

impl Prepared {
    /// Encodes a message; gives it back if it is a control frame, which is not worth it.
    ///
    /// # Errors
    ///
    /// The message is a ping, a pong or a close frame.
    pub fn new(message: Message) -> Result<Self, Message> {
        let (opcode, payload) = data_parts(message.clone())?;
        Ok(Self(Arc::new(Inner {
            plain: encode(opcode, 0, &payload),
            message,
            #[cfg(feature = "deflate")]
            deflated: Deflated::new(&ws_deflate::Config::default()),
        })))
    }

    /// As [`new`](Self::new), with the level and the threshold of this configuration where the
    /// message is compressed.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    #[cfg(feature = "deflate")]
    pub fn with_deflate(message: Message, config: &ws_deflate::Config) -> Result<Self, Message> {
        let (opcode, payload) = data_parts(message.clone())?;
        let plain = encode(opcode, 0, &payload);
        Ok(Self(Arc::new(Inner { plain, message, deflated: Deflated::new(config) })))
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &Message {
        &self.0.message
    }

    /// The frames for a session with this compression.
    pub(crate) fn frame(&self, compression: Option<&mut Compression>) -> Bytes {
        compression.and_then(|c| self.deflated_frame(c)).unwrap_or_else(|| self.0.plain.clone())
    }

    #[cfg(not(feature = "deflate"))]
    fn deflated_frame(&self, compression: &mut Compression) -> Option<Bytes> {
        match *compression {}
    }

    #[cfg(feature = "deflate")]
    fn deflated_frame(&self, compression: &mut Compression) -> Option<Bytes> {
        let Deflated { level, threshold, by_window } = &self.0.deflated;
        let payload = self.0.message.payload();
        if payload.len() < *threshold {
            return None;
        }
        let bits = compression.window_bits()?;
        let slot = by_window.get(usize::from(bits.checked_sub(9)?))?;
        let (shared, frame) = slot.get_or_init(|| {
            let shared = ws_deflate::SharedMessage::compress(payload, bits, *level);
            let frame = encode(self.0.message.opcode(), FrameHeader::RSV1, shared.payload());
            (shared, frame)
        });
        // In the middle of a compressed message it cannot be taken; the caller then refuses it.
        compression.adopt(shared).map(|_| frame.clone())
    }
}

#[cfg(feature = "deflate")]
impl Deflated {
    fn new(config: &ws_deflate::Config) -> Self {
        Self { level: config.level, threshold: config.threshold, ..Self::default() }
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let payload_len = self.0.message.payload().len();
        f.debug_struct("Prepared").field("payload_len", &payload_len).finish_non_exhaustive()
    }
}

/// In one frame, or in several, as a message that is [sent](crate::Session::send).
fn encode(mut opcode: OpCode, mut reserved: u8, payload: &[u8]) -> Bytes {
    let count = payload.len().div_ceil(Limits::DEFAULT_MAX_FRAME).max(1);
    let mut frames = BytesMut::with_capacity(count * FrameHeader::MAX_LEN + payload.len());
    let mut rest = payload;
    loop {
        let (piece, behind) = rest.split_at(rest.len().min(Limits::DEFAULT_MAX_FRAME));
        let fin = behind.is_empty();
        let header = FrameHeader::new(opcode, piece.len() as u64);
        FrameHeader { fin, reserved, ..header }.encode(&mut frames);
        frames.extend_from_slice(piece);
        if fin {
            return frames.freeze();
        }
        (opcode, reserved, rest) = (OpCode::Continuation, 0, behind);
    }
}
