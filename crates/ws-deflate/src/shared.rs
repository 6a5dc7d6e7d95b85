//! One compression for many receivers.

use bytes::{Bytes, BytesMut};

use crate::deflater::Deflater;

/// A message compressed once, with an empty window, for any number of connections.
///
/// Group the connections of a broadcast by [`Deflater::window_bits`] and make one for each group,
/// or one with the smallest for all. [`Deflater::adopt`] says whether a connection may send it and
/// keeps its compressor in step.
///
/// ```
/// use ws_deflate::{Deflater, SharedMessage};
///
/// let news = SharedMessage::compress(b"the same for everyone", 12, 6);
/// let mut wide = Deflater::new(15, true, 6);
/// let mut narrow = Deflater::new(10, true, 6);
/// assert_eq!(wide.adopt(&news).as_ref(), Some(news.payload()));
/// assert_eq!(narrow.adopt(&news), None); // it promised distances of at most 1 KiB
/// ```
#[derive(Clone, Debug)]
pub struct SharedMessage {
    payload: Bytes,
    window_bits: u8,
}

impl SharedMessage {
    /// Compresses `message` with a window of 2^`window_bits` bytes (brought into 9 to 15) and
    /// `level` 0 to 9.
    #[must_use]
    pub fn compress(message: &[u8], window_bits: u8, level: u8) -> Self {
        let mut deflater = Deflater::new(window_bits, false, level);
        let mut out = BytesMut::new();
        deflater.compress(message, true, &mut out);
        Self { payload: out.freeze(), window_bits: deflater.window_bits() }
    }

    /// The payload of the single frame, or of the frames it is cut into, with RSV1 on the first.
    #[must_use]
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// The window it was compressed with, as a power of two.
    #[must_use]
    pub fn window_bits(&self) -> u8 {
        self.window_bits
    }
}
