//! From frames to messages: the order of fragments, limits, UTF-8 (RFC 6455 §5.4, §5.6).
//!
//! The assembler holds what the frame decoder must not keep: the bytes of a message whose frames
//! come one by one. It does not see frame payloads that are a whole message by themselves.

use bytes::{Bytes, BytesMut};

use crate::utf8::{Utf8Bytes, Utf8Validator};
use crate::{DataKind, FrameError, FrameHeader, Limits, Message, OpCode, Violation};

/// The message that is being received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    pub(crate) kind: DataKind,
    pub(crate) compressed: bool,
    /// Whether parts of the message were handed out already.
    pub(crate) in_chunks: bool,
    /// Whether the current frame is the last one.
    pub(crate) fin: bool,
    /// Frames so far.
    fragments: u32,
    /// Payload bytes that the frames so far declared.
    declared: u64,
    /// Bytes of a compressed message that were handed out already.
    delivered: usize,
}

#[derive(Debug)]
pub(crate) struct Assembler {
    open: Option<Open>,
    pub(crate) buffer: BytesMut,
    utf8: Utf8Validator,
    pub(crate) max_message: usize,
    max_fragments: u32,
}

impl Assembler {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            open: None,
            buffer: BytesMut::new(),
            utf8: Utf8Validator::new(),
            max_message: limits.max_message(),
            max_fragments: u32::try_from(limits.max_fragments()).unwrap_or(u32::MAX),
        }
    }

    pub(crate) const fn open(&self) -> Option<Open> {
        self.open
    }

    /// Checks that a frame with this opcode may come next (RFC 6455 §5.4).
    pub(crate) fn check_order(&self, opcode: OpCode) -> Result<(), FrameError> {
        match (opcode, self.open.is_some()) {
            (OpCode::Continuation, false) => Err(Violation::UnexpectedContinuation.into()),
            (OpCode::Text | OpCode::Binary, true) => Err(Violation::InterleavedMessage.into()),
            _ => Ok(()),
        }
    }

    /// Checks that there is room for a data frame with this header.
    pub(crate) fn check_declared(&self, header: &FrameHeader) -> Result<(), FrameError> {
        let (fragments, before) = self.open.map_or((0, 0), |open| (open.fragments, open.declared));
        if fragments == self.max_fragments {
            return Err(FrameError::TooManyFragments { max: self.max_fragments as usize });
        }
        // What is compressed is counted when it is inflated.
        let first = header.reserved & FrameHeader::RSV1 != 0;
        let compressed = self.open.map_or(first, |open| open.compressed);
        let size = before.saturating_add(header.payload_len);
        if !compressed && size > self.max_message as u64 {
            return Err(FrameError::MessageTooBig { size, max: self.max_message });
        }
        Ok(())
    }

    /// Takes note of the header of a data frame whose [order](Self::check_order) was checked.
    pub(crate) fn begin_frame(&mut self, header: &FrameHeader) -> Result<(), FrameError> {
        self.check_declared(header)?;
        let open = self.open.get_or_insert(Open {
            kind: match header.opcode {
                OpCode::Text => DataKind::Text,
                _ => DataKind::Binary,
            },
            compressed: header.reserved & FrameHeader::RSV1 != 0,
            in_chunks: false,
            fin: false,
            fragments: 0,
            declared: 0,
            delivered: 0,
        });
        open.fin = header.fin;
        open.fragments += 1;
        open.declared = open.declared.saturating_add(header.payload_len);
        Ok(())
    }

    /// Whether no frame came before the current one.
    pub(crate) fn is_first_frame(&self) -> bool {
        self.open.is_some_and(|open| open.fragments == 1)
    }

    /// Checks bytes of the message as they arrive.
    pub(crate) fn check_text(&mut self, fresh: &[u8]) -> Result<(), FrameError> {
        self.utf8.push(fresh).map_err(|_| FrameError::InvalidUtf8)
    }

    /// As [`check_text`](Self::check_text), for what stands in the buffer from this position on.
    pub(crate) fn check_buffered_text(&mut self, from: usize) -> Result<(), FrameError> {
        let fresh = self.buffer.get(from..).unwrap_or_default();
        self.utf8.push(fresh).map_err(|_| FrameError::InvalidUtf8)
    }

    /// Appends bytes to the buffer. Doubling must not carry it beyond what a message may have.
    pub(crate) fn gather(&mut self, piece: &[u8]) {
        let (len, capacity) = (self.buffer.len() + piece.len(), self.buffer.capacity());
        if len > capacity && capacity.saturating_mul(2) > self.max_message {
            let mut exact = BytesMut::with_capacity(self.max_message.max(len));
            exact.extend_from_slice(&self.buffer);
            self.buffer = exact;
        }
        self.buffer.extend_from_slice(piece);
    }

    /// How long the buffer may grow.
    pub(crate) fn buffer_limit(&self) -> usize {
        self.max_message - self.open.map_or(0, |open| open.delivered).min(self.max_message)
    }

    /// Takes what the buffer holds as a chunk.
    pub(crate) fn take_chunk(&mut self) -> Bytes {
        let bytes = core::mem::take(&mut self.buffer).freeze();
        self.hand_out(bytes.len());
        bytes
    }

    /// Takes note of so many bytes of the message that are handed out, or skipped. None of them is
    /// nothing: whoever gave up waiting for the first must still find the message whole.
    pub(crate) fn hand_out(&mut self, len: usize) {
        if let Some(open) = &mut self.open {
            open.in_chunks |= len > 0;
            open.delivered = open.delivered.saturating_add(len);
        }
    }

    /// Ends the message whose bytes were all checked.
    pub(crate) fn end(&mut self) -> Result<(), FrameError> {
        let text = self.open.take().is_some_and(|open| open.kind == DataKind::Text);
        if text && !self.utf8.is_complete() {
            return Err(FrameError::InvalidUtf8);
        }
        Ok(())
    }

    /// Ends the message with these bytes, which were all checked.
    pub(crate) fn end_with(&mut self, bytes: Bytes) -> Result<Message, FrameError> {
        let text = self.open.is_some_and(|open| open.kind == DataKind::Text);
        self.end()?;
        Ok(if text {
            Message::Text(Utf8Bytes::from_validated(bytes))
        } else {
            Message::Binary(bytes)
        })
    }
}
