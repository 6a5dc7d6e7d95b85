//! The compressor of one direction (RFC 7692 §7.2.1).

use bytes::{BufMut, BytesMut};
use flate2::{Compress, FlushCompress};

use crate::params::{MAX_WINDOW_BITS, MIN_WINDOW_BITS};
use crate::pool::{self, Kind};
use crate::shared::SharedMessage;

/// Compresses the messages of one direction.
///
/// Holds nothing until its first message. With context takeover it then keeps its context (see
/// the [crate] docs for sizes) until [`Deflater::release`]; without, it borrows one from a pool for
/// each message.
///
/// **What [`Deflater::compress`] returned must be sent, in order and in full.** The peer's window
/// is built from it. Messages sent uncompressed do not matter (RFC 7692 §7.2.2).
#[derive(Debug)]
pub struct Deflater {
    kind: Kind,
    context_takeover: bool,
    context: Option<Compress>,
    mid_message: bool,
}

impl Deflater {
    /// A compressor with a window of 2^`window_bits` bytes, brought into 9 to 15, and of `level` 0
    /// to 9.
    #[must_use]
    pub fn new(window_bits: u8, context_takeover: bool, level: u8) -> Self {
        let window_bits = window_bits.clamp(MIN_WINDOW_BITS, MAX_WINDOW_BITS);
        let kind = Kind { window_bits, level: level.min(9) };
        Self { kind, context_takeover, context: None, mid_message: false }
    }

    /// Compresses a message, or the next fragment of one, and appends the payload to `out`.
    ///
    /// All fragments of a message are one stream: RSV1 goes on the first frame only. Every
    /// fragment is flushed, so the peer can inflate all of it on arrival; the last one is cut as
    /// RFC 7692 §7.2.1 says, and an empty message is the single byte `00`. `out` grows by at most
    /// an eighth of the input and 64 bytes.
    pub fn compress(&mut self, input: &[u8], last_fragment: bool, out: &mut BytesMut) {
        if !input.is_empty() {
            self.flush(input, out);
            if last_fragment {
                out.truncate(out.len() - TAIL.len());
            }
        } else if last_fragment {
            // A second flush in a row would yield nothing; the stream is at a byte boundary.
            out.put_u8(STORED_BLOCK);
        }
        self.mid_message = !last_fragment;
        if last_fragment && !self.context_takeover {
            self.release();
        }
    }

    /// The payload of a message that was compressed once for many, if this direction permits it.
    ///
    /// `None` in the middle of a message, and when the window agreed on here is smaller than the
    /// one it was compressed with. Otherwise the payload **must be sent**, with RSV1 set: this
    /// counts as [`Deflater::note_foreign_message`].
    pub fn adopt(&mut self, message: &SharedMessage) -> Option<bytes::Bytes> {
        if self.mid_message || message.window_bits() > self.kind.window_bits {
            return None;
        }
        self.note_foreign_message();
        Some(message.payload().clone())
    }

    /// Takes note that a compressed message goes out which this compressor has not seen.
    ///
    /// A receiver with context takeover can inflate any message that refers to nothing before
    /// itself, but the message then lies in its window, and every distance from later messages to
    /// earlier ones is off by its length. So this compressor starts again with an empty window:
    /// what follows refers neither to the foreign message nor behind it. Costs the history, and is
    /// free without context takeover.
    pub fn note_foreign_message(&mut self) {
        self.release();
    }

    /// Gives up the context, and with it the memory, until the next message.
    ///
    /// Legal at any time between messages: the next one just starts with an empty window, and
    /// compresses a little worse. In the middle of a message this does nothing.
    pub fn release(&mut self) {
        if !self.mid_message {
            self.give_back();
        }
    }

    /// Whether a context is held, which is what costs memory.
    #[must_use]
    pub fn holds_context(&self) -> bool {
        self.context.is_some()
    }

    /// How many bytes of memory the context takes, by the window; 0 when none is held.
    #[must_use]
    pub fn held(&self) -> usize {
        let window = 4_usize << self.kind.window_bits;
        if self.holds_context() { COMPRESSOR + window } else { 0 }
    }

    /// Size of the window as a power of two, 9 to 15.
    #[must_use]
    pub fn window_bits(&self) -> u8 {
        self.kind.window_bits
    }

    /// Appends all of `input`, up to and including the [`TAIL`].
    fn flush(&mut self, input: &[u8], out: &mut BytesMut) {
        // After a flush what follows may refer to nothing before it, between two fragments too.
        if self.context.as_ref().is_some_and(|context| context.total_out() >= WORN) {
            self.give_back();
        }
        let start = out.len();
        let kind = self.kind;
        let context = self.context.get_or_insert_with(|| pool::take_compressor(kind));
        if sync_flush(context, input, out).is_none() {
            // No input leads here; a backend that does not flush as zlib does would. Stored blocks
            // are always right, and an empty window after them, too.
            self.context = None;
            out.truncate(start);
            store(input, out);
        }
    }

    fn give_back(&mut self) {
        if let Some(context) = self.context.take() {
            pool::give_compressor(self.kind, context);
        }
    }
}

impl Drop for Deflater {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// Compresses all of `input` and ends with the [`TAIL`], or gives up.
fn sync_flush(context: &mut Compress, input: &[u8], out: &mut BytesMut) -> Option<()> {
    let mut rest = input;
    let mut filled = out.len();
    loop {
        // Zeroed, because writing to uninitialised room takes unsafe code. It does not show.
        let step = (rest.len() + rest.len() / 8 + SLACK).min(STEP);
        out.resize(filled + step, 0);
        let (_, room) = out.split_at_mut(filled);
        let (read, wrote) = (context.total_in(), context.total_out());
        context.compress(rest, room, FlushCompress::Sync).ok()?;
        (_, rest) = rest.split_at(as_len(context.total_in() - read));
        let wrote = as_len(context.total_out() - wrote);
        filled += wrote;
        if wrote < step {
            out.truncate(filled);
            return (rest.is_empty() && out.ends_with(&TAIL)).then_some(());
        }
    }
}

/// Appends `input` in stored blocks, and the [`TAIL`].
fn store(input: &[u8], out: &mut BytesMut) {
    for block in input.chunks(usize::from(u16::MAX)).chain([&[][..]]) {
        let len = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.put_u8(STORED_BLOCK);
        out.put_u16_le(len);
        out.put_u16_le(!len);
        out.extend_from_slice(block);
    }
}

/// What one call moved: never more than the slices it was given.
#[expect(clippy::cast_possible_truncation, reason = "the difference is at most a slice's length")]
pub(crate) fn as_len(moved: u64) -> usize {
    moved as usize
}

/// Compressed bytes after which a context is exchanged for a fresh one, between messages at least.
/// zlib-rs counts them in an `unsigned long` of C, which has 32 bits on Windows and wherever a pointer
/// has them, and panics at its end where overflow is checked.
pub(crate) const WORN: u64 = 64 * 1024 * 1024;
/// How a flush ends, and what RFC 7692 §7.2.1 cuts off the last fragment.
pub(crate) const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
/// The header of a stored block: one that is empty is this and the [`TAIL`].
const STORED_BLOCK: u8 = 0x00;
/// Room beyond the input's own size: block headers and the flush.
const SLACK: usize = 48;
/// What a compressor takes besides four windows.
const COMPRESSOR: usize = 243 * 1024;
/// Most room made at once.
const STEP: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{InflateLimits, Inflater};

    #[test]
    fn what_is_stored_for_want_of_a_compressor_inflates() {
        for len in [1, 65_534, 65_535, 65_536, 200_000] {
            let message: Vec<u8> = (0..len).map(|n: u32| n.to_le_bytes()[1]).collect();
            let mut out = BytesMut::new();
            store(&message, &mut out);
            assert!(out.ends_with(&TAIL));
            out.truncate(out.len() - TAIL.len());

            let mut inflater = Inflater::new(15, true);
            let mut inflated = BytesMut::new();
            let limits = InflateLimits::default();
            inflater.inflate(&out, &mut inflated, &limits).unwrap();
            inflater.finish(&limits).unwrap();
            assert_eq!(inflated, message);
        }
    }
}
