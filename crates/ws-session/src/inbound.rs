//! What we receive: the read buffer, and how much the next read should ask for.

use bytes::BytesMut;
use ws_frame::{Decoded, FrameError, Inflate, Limits, MessageDecoder, Role};

use crate::compression::Compression;

/// The least and the most a read asks for between messages. The most is a little above 64 KiB, so
/// that a frame of that size and its header come in one read.
const MIN_READ: u32 = 4 * 1024;
const MAX_READ: u32 = 66 * 1024;

#[derive(Debug)]
pub(crate) struct Inbound {
    pub(crate) buffer: BytesMut,
    decoder: MessageDecoder,
    /// The length of the buffer when it was last looked at.
    seen: usize,
    /// In 32 bits, because a session is small.
    read_size: u32,
    /// Bytes that arrived since the message in progress began; 0 between messages.
    pub(crate) message_bytes: u64,
    pub(crate) eof: bool,
}

impl Inbound {
    pub(crate) fn new(decoder: MessageDecoder) -> Self {
        Self {
            buffer: BytesMut::new(),
            decoder,
            seen: 0,
            read_size: MIN_READ,
            message_bytes: 0,
            eof: false,
        }
    }

    #[cfg(feature = "deflate")]
    pub(crate) fn map_decoder(&mut self, map: impl FnOnce(MessageDecoder) -> MessageDecoder) {
        self.decoder = map(std::mem::replace(&mut self.decoder, nothing()));
    }

    /// Takes note of what the driver appended and says whether that was anything.
    pub(crate) fn note_arrival(&mut self) -> bool {
        let arrived = self.buffer.len().saturating_sub(self.seen);
        if arrived == 0 {
            return false;
        }
        self.message_bytes += arrived as u64;
        // Reads that are filled grow, reads that stay nearly empty shrink.
        if arrived >= self.read_size as usize {
            self.read_size = (self.read_size * 2).min(MAX_READ);
        } else if arrived < self.read_size as usize / 8 {
            self.read_size = (self.read_size / 2).max(MIN_READ);
        }
        true
    }

    pub(crate) fn decode(
        &mut self,
        compression: Option<&mut Compression>,
        in_chunks: bool,
    ) -> Result<Option<Decoded>, FrameError> {
        let inflate = compression.map(|c| c as &mut dyn Inflate);
        let decoded = if in_chunks {
            self.decoder.decode_chunk(&mut self.buffer, inflate)
        } else {
            let message = self.decoder.decode_with(&mut self.buffer, inflate);
            message.map(|found| found.map(Decoded::Message))
        };
        self.seen = self.buffer.len();
        decoded
    }

    /// Whether a message has begun that is not complete, the first byte of its header included.
    pub(crate) fn is_mid_message(&self) -> bool {
        self.decoder.is_mid_message() || !self.buffer.is_empty()
    }

    /// Whether a data message has begun whose last frame has not.
    pub(crate) const fn is_mid_data(&self) -> bool {
        self.decoder.is_mid_message()
    }

    /// How many bytes the next read should ask for. A large frame is read in steps that double what
    /// has arrived of it: capacity follows arrival, never what a header declares.
    pub(crate) fn read_size(&self) -> usize {
        match self.decoder.missing() {
            0 => self.read_size as usize,
            missing => missing.min(self.buffer.len().max(MAX_READ as usize)).max(MIN_READ as usize),
        }
    }

    /// Whether received bytes are held.
    pub(crate) fn holds(&self) -> bool {
        !self.buffer.is_empty() || self.decoder.buffered() > 0
    }

    /// How much memory is held for what was not delivered. An empty buffer waits for nobody: the
    /// driver takes it back.
    pub(crate) fn held(&self) -> usize {
        let buffer = if self.buffer.is_empty() { 0 } else { self.buffer.capacity() };
        buffer + self.gathered()
    }

    /// How much of that is of the message in progress, outside of the buffer.
    pub(crate) fn gathered(&self) -> usize {
        self.decoder.buffered()
    }

    /// Throws away what was gathered of a message that will not be delivered any more. Nothing may be
    /// decoded after it.
    pub(crate) fn forget_message(&mut self) {
        self.decoder = nothing();
    }

    /// Throws away what came and says how much that was.
    pub(crate) fn discard(&mut self) -> usize {
        let len = self.buffer.len();
        self.buffer.clear();
        self.seen = 0;
        len
    }
}

/// A decoder in the place of one.
fn nothing() -> MessageDecoder {
    MessageDecoder::new(Role::Client, &Limits::default())
}
