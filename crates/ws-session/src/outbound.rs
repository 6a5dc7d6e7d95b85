//! What we send: messages, fragments, owed pongs, and the one close frame.

use bytes::Bytes;
use ws_frame::{
    CloseFrame, DataKind, FrameEncoder, FrameHeader, Limits, Message, OpCode, Utf8Validator,
    WriteQueue,
};

use crate::SendError;
use crate::compression::Compression;

/// Whether a message is to be compressed, where permessage-deflate was negotiated.
///
/// Text that mixes a secret with what an attacker can choose gives the secret away through its
/// compressed length (RFC 7692 §8): send such messages with [`Compress::Never`]; they do not enter
/// the window either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compress {
    /// When the message reaches the configured threshold.
    #[default]
    Auto,
    /// Whatever its size.
    Always,
    /// Not at all.
    Never,
}

#[derive(Debug)]
pub(crate) struct Outbound {
    encoder: FrameEncoder,
    pub(crate) queue: WriteQueue,
    /// The newest ping that came while the queue was above high water; rare, therefore in a box.
    owed_pong: Option<Box<Bytes>>,
    sending: Option<Sending>,
}

/// The message that is being sent in fragments.
#[derive(Debug)]
struct Sending {
    kind: DataKind,
    compressed: bool,
    utf8: Utf8Validator,
}

impl Outbound {
    pub(crate) fn new(encoder: FrameEncoder) -> Self {
        Self { encoder, queue: WriteQueue::new(), owed_pong: None, sending: None }
    }

    /// How many bytes wait to be written.
    pub(crate) fn held(&self) -> usize {
        self.queue.len() + self.owed_pong.as_ref().map_or(0, |payload| payload.len())
    }

    pub(crate) const fn is_sending_fragments(&self) -> bool {
        self.sending.is_some()
    }

    /// Whether this is a data message that would be copied into the queue anyhow.
    #[inline]
    pub(crate) fn takes_copy_of(&self, message: &Message) -> bool {
        message.data_kind().is_some()
            && message.payload().len() <= FrameEncoder::COPY_LIMIT
            && self.sending.is_none()
    }

    #[inline]
    pub(crate) fn send_copy(&mut self, message: &Message) {
        let (opcode, payload) = (message.opcode(), message.payload());
        self.encoder.encode_slice(opcode, true, 0, payload, &mut self.queue);
    }

    pub(crate) fn send_data(
        &mut self,
        opcode: OpCode,
        payload: Bytes,
        compress: Compress,
        compression: Option<&mut Compression>,
    ) -> Result<(), SendError> {
        if self.sending.is_some() {
            return Err(SendError::MessageInProgress);
        }
        match compression.filter(|c| c.is_wanted(compress, payload.len())) {
            None => self.encode_whole(opcode, 0, payload),
            Some(compression) => {
                let deflated = compression.deflate(&payload, true);
                self.encode_whole(opcode, FrameHeader::RSV1, deflated);
            }
        }
        Ok(())
    }

    /// In one frame, or in several where one would be larger than is taken by default.
    fn encode_whole(&mut self, mut opcode: OpCode, mut reserved: u8, mut payload: Bytes) {
        while payload.len() > Limits::DEFAULT_MAX_FRAME {
            let piece = payload.split_to(Limits::DEFAULT_MAX_FRAME);
            self.encoder.encode(opcode, false, reserved, piece, &mut self.queue);
            (opcode, reserved) = (OpCode::Continuation, 0);
        }
        self.encoder.encode(opcode, true, reserved, payload, &mut self.queue);
    }

    pub(crate) fn send_fragment(
        &mut self,
        kind: DataKind,
        payload: Bytes,
        fin: bool,
        compress: Compress,
        mut compression: Option<&mut Compression>,
    ) -> Result<(), SendError> {
        let compresses = || compression.as_ref().is_some_and(|c| c.is_wanted(compress, usize::MAX));
        let (opcode, reserved, is_compressed) = self.admit(kind, &payload, fin, compresses)?;
        let payload = match &mut compression {
            Some(compression) if is_compressed => compression.deflate(&payload, fin),
            _ => payload,
        };
        self.encoder.encode(opcode, fin, reserved, payload, &mut self.queue);
        Ok(())
    }

    /// As [`send_fragment`](Self::send_fragment) without compression, for a payload that would be copied
    /// anyhow.
    #[inline]
    pub(crate) fn send_fragment_copy(
        &mut self,
        kind: DataKind,
        payload: &[u8],
        fin: bool,
    ) -> Result<(), SendError> {
        let (opcode, reserved, _) = self.admit(kind, payload, fin, || false)?;
        self.encoder.encode_slice(opcode, fin, reserved, payload, &mut self.queue);
        Ok(())
    }

    /// Takes note of a fragment that may leave: what its frame says, and whether its message is
    /// compressed, which the first fragment decides.
    #[inline]
    fn admit(
        &mut self,
        kind: DataKind,
        payload: &[u8],
        fin: bool,
        compresses: impl FnOnce() -> bool,
    ) -> Result<(OpCode, u8, bool), SendError> {
        let is_first = self.sending.is_none();
        let sending = self.sending.get_or_insert_with(|| Sending {
            kind,
            compressed: compresses(),
            utf8: Utf8Validator::new(),
        });
        let checked = sending.check(kind, payload, fin);
        let compressed = sending.compressed;
        if if checked.is_ok() { fin } else { is_first } {
            self.sending = None;
        }
        checked?;
        Ok(match (is_first, compressed) {
            (true, true) => (kind.into(), FrameHeader::RSV1, true),
            (true, false) => (kind.into(), 0, false),
            (false, _) => (OpCode::Continuation, 0, compressed),
        })
    }

    /// Queues a message whose frame was encoded elsewhere.
    pub(crate) fn send_encoded(&mut self, frame: &Bytes) -> Result<(), SendError> {
        if self.sending.is_some() {
            return Err(SendError::MessageInProgress);
        }
        self.queue.push_encoded(frame);
        Ok(())
    }

    pub(crate) fn send_control(&mut self, opcode: OpCode, payload: &[u8]) -> Result<(), SendError> {
        if payload.len() as u64 > FrameHeader::MAX_CONTROL {
            return Err(SendError::ControlTooLong(payload.len()));
        }
        self.encoder.encode_slice(opcode, true, 0, payload, &mut self.queue);
        Ok(())
    }

    /// RFC 6455 §5.5.3: every ping is answered while the peer takes what we send; when it does not,
    /// only the newest is.
    pub(crate) fn answer_ping(&mut self, payload: Bytes, high_water: usize) {
        if self.queue.len() < high_water {
            self.encoder.encode_slice(OpCode::Pong, true, 0, &payload, &mut self.queue);
        } else {
            self.owed_pong = Some(Box::new(payload));
        }
    }

    /// Whether a pong waits for room.
    pub(crate) const fn owes_pong(&self) -> bool {
        self.owed_pong.is_some()
    }

    /// Queues the owed pong once there is room for it.
    pub(crate) fn pay_pong(&mut self, high_water: usize) {
        if self.queue.len() >= high_water {
            return;
        }
        if let Some(payload) = self.owed_pong.take() {
            self.encoder.encode_slice(OpCode::Pong, true, 0, &payload, &mut self.queue);
        }
    }

    /// Queues the close frame; its body is cut at 125 bytes.
    pub(crate) fn send_close(&mut self, frame: Option<&CloseFrame>) {
        let mut body = [0; 2 + CloseFrame::MAX_REASON];
        let mut len = 0;
        if let Some(frame) = frame {
            let bytes = frame.code.get().to_be_bytes();
            for (to, from) in body.iter_mut().zip(bytes.iter().chain(frame.reason.as_bytes())) {
                *to = *from;
                len += 1;
            }
        }
        let body = body.get(..len).unwrap_or_default();
        self.encoder.encode_slice(OpCode::Close, true, 0, body, &mut self.queue);
        self.sending = None;
    }

    pub(crate) fn drop_owed_pong(&mut self) {
        self.owed_pong = None;
    }
}

impl Sending {
    fn check(&mut self, kind: DataKind, payload: &[u8], fin: bool) -> Result<(), SendError> {
        if kind != self.kind {
            return Err(SendError::KindMismatch);
        }
        if kind == DataKind::Text {
            let mut utf8 = self.utf8.clone();
            utf8.push(payload).map_err(|_| SendError::InvalidUtf8)?;
            if fin && !utf8.is_complete() {
                return Err(SendError::InvalidUtf8);
            }
            self.utf8 = utf8;
        }
        Ok(())
    }
}

/// What a message is without its payload's copy: the opcode, and the bytes.
pub(crate) fn data_parts(message: Message) -> Result<(OpCode, Bytes), Message> {
    match message {
        Message::Text(text) => Ok((OpCode::Text, text.into_bytes())),
        Message::Binary(bytes) => Ok((OpCode::Binary, bytes)),
        control => Err(control),
    }
}
