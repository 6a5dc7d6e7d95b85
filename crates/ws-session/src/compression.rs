//! Between a session and `ws-deflate`. Without the `deflate` feature compression is a type without
//! values, so that the session needs no conditions.

#[cfg(not(feature = "deflate"))]
mod absent {
    use std::time::Instant;

    use bytes::{Bytes, BytesMut};
    use ws_frame::{FrameError, Inflate};

    use crate::Compress;

    #[derive(Debug)]
    pub(crate) enum Compression {}

    impl Compression {
        pub(crate) const fn is_wanted(&self, _: Compress, _: usize) -> bool {
            match *self {}
        }

        pub(crate) const fn held(&self) -> usize {
            match *self {}
        }

        pub(crate) const fn set_room(&mut self, _: usize) {
            match *self {}
        }

        pub(crate) const fn lacked_room(&self) -> bool {
            match *self {}
        }

        pub(crate) const fn take_inflated(&mut self) -> usize {
            match *self {}
        }

        pub(crate) const fn deflate(&mut self, _: &[u8], _: bool) -> Bytes {
            match *self {}
        }

        pub(crate) const fn next_release(&mut self, _: Instant) -> Option<Instant> {
            match *self {}
        }

        pub(crate) const fn release(&mut self) {
            match *self {}
        }
    }

    impl Inflate for Compression {
        fn inflate(
            &mut self,
            _: &[u8],
            _: bool,
            _: &mut BytesMut,
            _: usize,
        ) -> Result<(), FrameError> {
            match *self {}
        }
    }
}

#[cfg(feature = "deflate")]
mod present {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use bytes::{Bytes, BytesMut};
    use ws_deflate::{Deflater, InflateLimits, Inflater, Params, SharedMessage};
    use ws_frame::{FrameError, Inflate};

    use crate::{Compress, Config};

    #[derive(Debug)]
    pub(crate) struct Compression {
        /// `None` when the agreed window is too small for the compressor.
        deflater: Option<Deflater>,
        inflater: Inflater,
        /// The least bytes of a message that is compressed without being asked to.
        threshold: usize,
        /// How long contexts are kept without a message.
        release_after: Duration,
        /// Whether a compressed message ended since the last wait point.
        used: bool,
        /// Since when contexts lie idle, if there may be any.
        idle_since: Option<Instant>,
        limits: Arc<Config>,
        room: usize,
        lacked_room: bool,
        /// Bytes since somebody asked.
        inflated: usize,
    }

    impl Compression {
        pub(crate) fn new(
            params: &Params,
            config: &ws_deflate::Config,
            limits: Arc<Config>,
        ) -> Self {
            Self {
                deflater: params.deflater(config),
                inflater: params.inflater(),
                threshold: config.threshold,
                release_after: config.release_after,
                used: false,
                idle_since: None,
                limits,
                room: usize::MAX,
                lacked_room: false,
                inflated: 0,
            }
        }

        pub(crate) fn is_wanted(&self, compress: Compress, len: usize) -> bool {
            self.deflater.is_some()
                && match compress {
                    Compress::Auto => len >= self.threshold,
                    Compress::Always => true,
                    Compress::Never => false,
                }
        }

        /// The compressed payload of a message for which [`is_wanted`](Self::is_wanted) said yes.
        pub(crate) fn deflate(&mut self, payload: &[u8], last: bool) -> Bytes {
            let mut out = BytesMut::new();
            if let Some(deflater) = &mut self.deflater {
                deflater.compress(payload, last, &mut out);
            }
            self.used |= last;
            out.freeze()
        }

        /// The window that a message shared with other sessions is to be compressed with.
        pub(crate) fn window_bits(&self) -> Option<u8> {
            self.deflater.as_ref().map(Deflater::window_bits)
        }

        pub(crate) fn adopt(&mut self, message: &SharedMessage) -> Option<Bytes> {
            self.deflater.as_mut()?.adopt(message)
        }

        /// How many bytes of memory the contexts and windows of both directions take.
        pub(crate) fn held(&self) -> usize {
            let deflater = self.deflater.as_ref().map_or(0, Deflater::held);
            size_of::<Self>() + deflater + self.inflater.held()
        }

        /// Says how many bytes of an inflated message may be held.
        pub(crate) const fn set_room(&mut self, room: usize) {
            self.room = room;
        }

        /// Whether it was that room, and not the size of a message, which did not suffice.
        pub(crate) const fn lacked_room(&self) -> bool {
            self.lacked_room
        }

        /// How many bytes were inflated since the last call.
        pub(crate) const fn take_inflated(&mut self) -> usize {
            std::mem::replace(&mut self.inflated, 0)
        }

        /// When the contexts have been idle for long enough.
        pub(crate) fn next_release(&mut self, now: Instant) -> Option<Instant> {
            if std::mem::take(&mut self.used) {
                self.idle_since = Some(now);
            }
            self.idle_since?.checked_add(self.release_after)
        }

        /// Gives up the contexts of both directions. A direction in the middle of a message keeps
        /// its own, and the end of that message counts as use.
        pub(crate) fn release(&mut self) {
            self.used = false;
            self.idle_since = None;
            self.inflater.release();
            if let Some(deflater) = &mut self.deflater {
                deflater.release();
            }
        }
    }

    impl Inflate for Compression {
        fn inflate(
            &mut self,
            piece: &[u8],
            last: bool,
            out: &mut BytesMut,
            _: usize,
        ) -> Result<(), FrameError> {
            // The inflater counts the message, chunks that were delivered included; what is left for
            // the buffer follows from that.
            let max_message = self.limits.limits.max_message();
            let produced = usize::try_from(self.inflater.produced()).unwrap_or(usize::MAX);
            let room = self.room.saturating_sub(out.len());
            let max_output = max_message.min(produced.saturating_add(room));
            let limits = InflateLimits::new(max_output)
                .ratio(self.limits.max_inflate_ratio, self.limits.inflate_ratio_floor);
            self.used |= last;
            let before = out.len();
            let inflated = self
                .inflater
                .inflate(piece, out, &limits)
                .and_then(|()| if last { self.inflater.finish(&limits) } else { Ok(()) });
            self.inflated = self.inflated.saturating_add(out.len().saturating_sub(before));
            inflated.map_err(|error| match error {
                ws_deflate::Error::InflateTooBig { max } => {
                    self.lacked_room = max < max_message;
                    FrameError::InflateTooBig { max }
                }
                ws_deflate::Error::InflateRatioTooHigh { max, .. } => {
                    FrameError::InflateRatioTooHigh { max }
                }
                _ => FrameError::BadDeflate,
            })
        }
    }
}

#[cfg(not(feature = "deflate"))]
pub(crate) use absent::Compression;
#[cfg(feature = "deflate")]
pub(crate) use present::Compression;
