//! Between a session and `ws-deflate`. Without the `deflate` feature compression is a type without
//! values, so that the session needs no conditions.

#[cfg(not(feature = "deflate"))]
mod absent {
    use bytes::{Bytes, BytesMut};
    use ws_frame::{FrameError, Inflate};

    use crate::Compress;

    #[derive(Debug)]
    pub(crate) enum Compression {}

    impl Compression {
        pub(crate) const fn is_wanted(&self, _: Compress, _: usize) -> bool {
            match *self {}
        }

        pub(crate) const fn deflate(&mut self, _: &[u8], _: bool) -> Bytes {
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

#[cfg(not(feature = "deflate"))]
pub(crate) use absent::Compression;
