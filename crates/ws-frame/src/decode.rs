//! From bytes to frames, unmasking in place what has arrived and nothing more.

use bytes::{Buf, Bytes, BytesMut};

use crate::mask::mask;
use crate::{FrameError, FrameHeader, Limits, OpCode, Role};

/// A whole frame, its payload unmasked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a frame is a header and a payload")]
pub struct Frame {
    /// The header as it was received, the mask included.
    pub header: FrameHeader,
    /// The payload, unmasked.
    pub payload: Bytes,
}

/// Splits a byte stream into frames.
///
/// It knows single frames only: the order of frames and the limits of messages are the business of
/// [`MessageDecoder`](crate::MessageDecoder). [`decode`](Self::decode) waits for whole frames and
/// returns them without a copy. The other methods follow a payload while it arrives.
///
/// After an error the decoder does not move on: the same call gives the same error.
#[derive(Debug)]
pub struct FrameDecoder {
    current: Option<Current>,
    max_frame: usize,
    role: Role,
    allowed_reserved: u8,
}

/// The frame whose header was taken off the buffer.
#[derive(Debug)]
struct Current {
    header: FrameHeader,
    /// Payload bytes that were not taken yet, arrived or not.
    left: usize,
    /// Payload bytes at the front of the buffer that are unmasked.
    ready: usize,
}

impl FrameDecoder {
    /// A decoder for the frames that an endpoint with this role receives.
    #[must_use]
    pub const fn new(role: Role, limits: &Limits) -> Self {
        Self { current: None, max_frame: limits.max_frame(), role, allowed_reserved: 0 }
    }

    /// Lets RSV1 pass on the first frame of a message, as permessage-deflate needs it.
    #[must_use]
    pub const fn with_rsv1(mut self) -> Self {
        self.allowed_reserved |= FrameHeader::RSV1;
        self
    }

    /// Takes the next whole frame off the front of `src`; `None` when bytes are missing.
    ///
    /// # Errors
    ///
    /// The header breaks RFC 6455, or the payload of a message would be larger than
    /// [`Limits::max_frame`].
    pub fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        let Some(header) = self.decode_header(src)? else { return Ok(None) };
        self.unmask(src);
        if !self.is_whole() {
            return Ok(None);
        }
        Ok(Some(Frame { header, payload: self.take(src).freeze() }))
    }

    /// The header of the current frame; takes the next one off `src` if there is no current frame.
    /// `None` when bytes are missing.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode).
    #[inline]
    pub fn decode_header(&mut self, src: &mut BytesMut) -> Result<Option<FrameHeader>, FrameError> {
        if let Some(current) = &self.current {
            return Ok(Some(current.header));
        }
        let decoded = FrameHeader::decode(src, self.role, self.allowed_reserved)?;
        let Some((header, header_len)) = decoded else {
            self.declared(src)?;
            return Ok(None);
        };
        let left = self.check_size(&header)?;
        src.advance(header_len);
        self.current = Some(Current { header, left, ready: 0 });
        Ok(Some(header))
    }

    /// What the frame at the front of `src` declares, if all of its header but the masking key has come:
    /// a peer that withholds the key of a frame that is too large is not to be waited for.
    #[inline]
    pub(crate) fn declared(&self, src: &[u8]) -> Result<Option<FrameHeader>, FrameError> {
        if src.len() < 2 {
            return Ok(None);
        }
        self.keyless(src)
    }

    #[cold]
    fn keyless(&self, src: &[u8]) -> Result<Option<FrameHeader>, FrameError> {
        let decoded = FrameHeader::decode_keyless(src, self.role, self.allowed_reserved)?;
        let Some((header, _)) = decoded else { return Ok(None) };
        self.check_size(&header)?;
        Ok(Some(header))
    }

    /// How many bytes of payload are to come.
    #[inline]
    fn check_size(&self, header: &FrameHeader) -> Result<usize, FrameError> {
        match usize::try_from(header.payload_len) {
            // A control frame has a limit of its own, which its header was held to.
            Ok(len) if len <= self.max_frame || header.opcode.is_control() => Ok(len),
            _ => {
                let size = header.payload_len;
                Err(FrameError::MessageTooBig { size, max: self.max_frame })
            }
        }
    }

    /// The opcode of the frame that begins at the front of `src`, if there is no current frame.
    pub(crate) fn next_opcode(&self, src: &BytesMut) -> Result<Option<OpCode>, FrameError> {
        match src.first() {
            Some(&first) if self.current.is_none() => {
                let (_, _, opcode) = FrameHeader::decode_first(first, self.allowed_reserved)?;
                Ok(Some(opcode))
            }
            _ => Ok(None),
        }
    }

    /// Unmasks the payload bytes that arrived since the last call, in place, and returns them. They
    /// stay in `src` until [`take`](Self::take).
    #[inline]
    pub fn unmask<'a>(&mut self, src: &'a mut BytesMut) -> &'a [u8] {
        let Some(current) = &mut self.current else { return &[] };
        let arrived = src.len().min(current.left);
        let Some(fresh) = src.get_mut(current.ready..arrived) else { return &[] };
        if let Some(key) = current.header.mask {
            // The payload fits in usize, so its length and every position in it do too.
            let payload_len = usize::try_from(current.header.payload_len).unwrap_or(usize::MAX);
            mask(key, payload_len - current.left + current.ready, fresh);
        }
        current.ready = arrived;
        fresh
    }

    /// Takes the unmasked payload bytes off the front of `src`. The frame ends with its last byte.
    #[inline]
    pub fn take(&mut self, src: &mut BytesMut) -> BytesMut {
        let Some(current) = &mut self.current else { return BytesMut::new() };
        let bytes = src.split_to(current.ready);
        current.left -= current.ready;
        current.ready = 0;
        if current.left == 0 {
            self.current = None;
        }
        bytes
    }

    /// Which end of the connection this is.
    pub(crate) const fn role(&self) -> Role {
        self.role
    }

    /// The most payload bytes of one frame.
    pub(crate) const fn max_frame(&self) -> usize {
        self.max_frame
    }

    /// Whether there is a frame whose header was decoded and whose payload was not all taken.
    #[must_use]
    pub const fn has_frame(&self) -> bool {
        self.current.is_some()
    }

    /// Whether the rest of the current frame is all unmasked, so that [`take`](Self::take) ends it.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.current.as_ref().is_some_and(|current| current.left == current.ready)
    }

    /// How many bytes of the current frame's payload have not arrived; 0 without a current frame.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.current.as_ref().map_or(0, |current| current.left - current.ready)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;

    fn masked(opcode: OpCode, key: [u8; 4], payload: &[u8]) -> Vec<u8> {
        let mut wire = Vec::new();
        let len = payload.len() as u64;
        FrameHeader { mask: Some(key), ..FrameHeader::new(opcode, len) }.encode(&mut wire);
        let from = wire.len();
        wire.extend_from_slice(payload);
        mask(key, 0, &mut wire[from..]);
        wire
    }

    // RFC: WS-6.2-02, WS-5.4-07
    #[test]
    fn every_cut_gives_the_same_frame() {
        let payload: Vec<u8> = (0..=255).cycle().take(300).collect();
        let wire = masked(OpCode::Binary, [1, 0x80, 0xff, 7], &payload);
        for cut in 0..wire.len() {
            let mut decoder = FrameDecoder::new(Role::Server, &Limits::default());
            let mut src = BytesMut::from(&wire[..cut]);
            assert_eq!(decoder.decode(&mut src), Ok(None), "cut at {cut}");
            src.extend_from_slice(&wire[cut..]);
            let frame = decoder.decode(&mut src).unwrap().expect("the frame is whole");
            assert_eq!(frame.payload, payload, "cut at {cut}");
            assert!(src.is_empty() && !decoder.has_frame());
        }
    }

    #[test]
    fn a_payload_can_be_taken_while_it_arrives() {
        let wire = masked(OpCode::Text, [9, 8, 7, 6], b"abcdefghij");
        let mut decoder = FrameDecoder::new(Role::Server, &Limits::default());
        let mut src = BytesMut::new();
        let mut taken = Vec::new();
        for byte in wire {
            src.extend_from_slice(&[byte]);
            if decoder.decode_header(&mut src).unwrap().is_some() {
                decoder.unmask(&mut src);
                taken.extend_from_slice(&decoder.take(&mut src));
            }
        }
        assert_eq!(taken, b"abcdefghij");
        assert!(!decoder.has_frame());
    }

    // RFC: WS-10.4-01, WS-10.4-02
    // THREAT: incomplete-frame
    #[test]
    fn a_declared_length_above_the_limit_is_refused_before_the_payload() {
        let limits = Limits::default().with_max_frame(1000);
        for size in [1001, 1 << 32, (1 << 32) + 1, 1 << 40, (1 << 63) - 1] {
            let mut src = BytesMut::new();
            FrameHeader::new(OpCode::Binary, size).encode(&mut src);
            let mut decoder = FrameDecoder::new(Role::Client, &limits);
            let error = FrameError::MessageTooBig { size, max: 1000 };
            assert_eq!(decoder.decode(&mut src), Err(error));
            assert_eq!(decoder.decode(&mut src), Err(error), "the error repeats");
            // Nor is the masking key waited for.
            let mut src = BytesMut::new();
            let header = FrameHeader::new(OpCode::Binary, size);
            FrameHeader { mask: Some([0; 4]), ..header }.encode(&mut src);
            src.truncate(src.len() - 4);
            let mut decoder = FrameDecoder::new(Role::Server, &limits);
            assert_eq!(decoder.decode(&mut src), Err(error));
            // The limit of messages may be far above, and a compressed frame above its message.
            assert!(error.to_string().starts_with("a frame or message of at least"), "{error}");
        }
    }

    // RFC: WS-5.5-01
    #[test]
    fn a_control_frame_is_taken_however_small_the_frames_of_messages_have_to_be() {
        let limits = Limits::default().with_max_frame(1);
        let mut src = BytesMut::from(&[0x88, 125][..]);
        src.extend_from_slice(&[7; 125]);
        let frame = FrameDecoder::new(Role::Client, &limits).decode(&mut src).unwrap().unwrap();
        assert_eq!(frame.payload, vec![7; 125]);
    }

    // THREAT: length-arithmetic
    #[test]
    fn nothing_is_reserved_for_what_a_header_declares() {
        let mut src = BytesMut::with_capacity(64);
        FrameHeader::new(OpCode::Binary, 16 * 1024 * 1024).encode(&mut src);
        let mut decoder = FrameDecoder::new(Role::Client, &Limits::default());
        assert_eq!(decoder.decode(&mut src), Ok(None));
        assert!(src.capacity() <= 64);
        assert_eq!(decoder.missing(), 16 * 1024 * 1024);
        src.extend_from_slice(&[0; 1000]);
        assert_eq!(decoder.decode(&mut src), Ok(None));
        assert_eq!(decoder.missing(), 16 * 1024 * 1024 - 1000);
    }

    #[test]
    fn frames_in_one_buffer_share_it() {
        let mut wire = vec![0x82, 2, 1, 2];
        wire.extend_from_slice(&[0x82, 0]);
        wire.extend_from_slice(&[0x82, 1, 3]);
        let mut src = BytesMut::from(&wire[..]);
        let mut decoder = FrameDecoder::new(Role::Client, &Limits::default());
        let mut payloads = Vec::new();
        while let Some(frame) = decoder.decode(&mut src).unwrap() {
            payloads.push(frame.payload);
        }
        assert_eq!(payloads, [&[1, 2][..], &[], &[3]]);
    }
}
