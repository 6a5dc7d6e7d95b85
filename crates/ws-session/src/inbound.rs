//! What we receive: the read buffer, and how much the next read should ask for.

use bytes::BytesMut;
use ws_frame::{Decoded, FrameError, Inflate, Limits, Message, MessageDecoder, Role};

use crate::compression::Compression;

/// What a read asks for between messages, least to most. The steps lie a little above powers of two,
/// so that frames of such a size and their headers come in one read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Small = 17 * 1024,
    Middle = 66 * 1024,
    Large = 264 * 1024,
}

/// Even where nearly everything is there.
const LEAST_ROOM: usize = 4 * 1024;
/// A large frame is read in steps of so many times what has arrived of it.
const GROWTH: usize = 4;
/// So many small bursts in a row make reads smaller again.
const QUIET: u8 = 8;

#[derive(Debug)]
pub(crate) struct Inbound {
    pub(crate) buffer: BytesMut,
    decoder: MessageDecoder,
    /// The length of the buffer when it was last looked at.
    seen: usize,
    step: Step,
    /// Bytes that came since a read was last not filled.
    burst: u32,
    /// Bursts in a row that would have fit into a much smaller read.
    quiet: u8,
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
            step: Step::Small,
            burst: 0,
            quiet: 0,
            message_bytes: 0,
            eof: false,
        }
    }

    #[cfg(feature = "deflate")]
    pub(crate) fn map_decoder(&mut self, map: impl FnOnce(MessageDecoder) -> MessageDecoder) {
        self.decoder = map(std::mem::replace(&mut self.decoder, nothing()));
    }

    /// Whether the driver appended something that was not [taken note of](Self::note_arrival).
    #[inline]
    pub(crate) fn has_arrived(&self) -> bool {
        self.buffer.len() > self.seen
    }

    /// Takes note of what the driver appended.
    pub(crate) fn note_arrival(&mut self) {
        let held = std::mem::replace(&mut self.seen, self.buffer.len());
        let arrived = self.buffer.len().saturating_sub(held);
        self.message_bytes += arrived as u64;
        self.burst = self.burst.saturating_add(u32::try_from(arrived).unwrap_or(u32::MAX));
        if arrived >= self.read_size_after(held) {
            // Filled: there may be more.
            if self.burst >= self.step as u32 {
                self.step = self.step.up();
            }
            return;
        }
        let burst = std::mem::take(&mut self.burst);
        self.quiet = if burst < self.step as u32 / 8 { self.quiet + 1 } else { 0 };
        if self.quiet == QUIET {
            self.quiet = 0;
            self.step = self.step.down();
        }
    }

    /// The next message, if it is one short frame that is all here.
    #[inline(always)]
    pub(crate) fn next_whole(&mut self) -> Option<Message> {
        let message = self.decoder.decode_whole(&mut self.buffer)?;
        self.seen = self.buffer.len();
        Some(message)
    }

    pub(crate) fn decode(
        &mut self,
        compression: Option<&mut Compression>,
        in_chunks: bool,
    ) -> Result<Option<Decoded>, FrameError> {
        if self.buffer.is_empty() && !in_chunks {
            return Ok(None);
        }
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

    /// How many bytes the next read should ask for. A large frame is read in steps of a few times
    /// what has arrived of it: capacity follows arrival, never what a header declares.
    pub(crate) fn read_size(&self) -> usize {
        self.read_size_after(self.buffer.len())
    }

    fn read_size_after(&self, held: usize) -> usize {
        let frame = held.saturating_add(self.decoder.missing());
        let grown = held.saturating_mul(GROWTH).max(Step::Middle as usize);
        (self.step as usize).max(frame.min(grown)).saturating_sub(held).max(LEAST_ROOM)
    }

    /// Whether received bytes are held.
    #[inline]
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

impl Step {
    const fn up(self) -> Self {
        match self {
            Self::Small => Self::Middle,
            Self::Middle | Self::Large => Self::Large,
        }
    }

    const fn down(self) -> Self {
        match self {
            Self::Large => Self::Middle,
            Self::Middle | Self::Small => Self::Small,
        }
    }
}
