//! The whole of "bytes in, messages out" (RFC 6455 §5 and §6.2).

use alloc::boxed::Box;

use bytes::{Buf, Bytes, BytesMut};
use ws_close::{CloseCode, CloseFrame};

use crate::assemble::{Assembler, Open};
use crate::mask::{mask, mask_short};
use crate::utf8::is_utf8;
use crate::{
    DataKind, FrameDecoder, FrameError, FrameHeader, Limits, Message, OpCode, Role, Utf8Bytes,
    Violation,
};

/// What undoes the compression of messages whose first frame has RSV1 set (RFC 7692 §6.2).
///
/// `ws-session` implements it with `ws-deflate`; without it such messages are refused. Who reads messages
/// without a session, in a proxy for instance, finds those twenty lines on the page `compression` of the
/// guide in `ws-stack`.
pub trait Inflate {
    /// Inflates the next piece of a message and appends the result to `out`; `last` says that the
    /// message ends with this piece.
    ///
    /// # Errors
    ///
    /// [`FrameError::BadDeflate`] for corrupt data, [`FrameError::InflateTooBig`] when `out` would
    /// become longer than `max` bytes. The memory of `out` may exceed `max` by a small constant.
    fn inflate(
        &mut self,
        piece: &[u8],
        last: bool,
        out: &mut BytesMut,
        max: usize,
    ) -> Result<(), FrameError>;
}

/// What [`MessageDecoder::decode_chunk`] finds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a data message comes in chunks, the rest whole")]
pub enum Decoded {
    /// A control frame, or with [`MessageDecoder::decode_with`] a whole message.
    Message(Message),
    /// A piece of a data message.
    Chunk {
        /// The kind of the message.
        kind: DataKind,
        /// The bytes. Those of a text message were checked; a code point may be cut in two.
        data: Bytes,
        /// Whether the message ends here.
        last: bool,
    },
}

/// A message of one frame that is ready to be taken.
struct Whole {
    header_len: u8,
    len: u16,
    is_text: bool,
}

/// Leaves a payload as it came to whoever finds the byte that is wrong.
#[cold]
fn restore(key: Option<[u8; 4]>, payload: &mut [u8]) {
    if let Some(key) = key {
        mask(key, 0, payload);
    }
}

/// Turns received bytes into messages: frames, masks, fragments, limits, UTF-8.
///
/// ```
/// use bytes::BytesMut;
/// use ws_frame::{Limits, Message, MessageDecoder, Role};
///
/// let mut decoder = MessageDecoder::new(Role::Client, &Limits::default());
/// let mut received = BytesMut::from(&b"\x01\x03Hel\x80\x02lo"[..]);
/// assert_eq!(decoder.decode(&mut received), Ok(Some(Message::text("Hello"))));
/// ```
///
/// A frame that is a message by itself is returned without a copy: the message shares the memory of
/// `src`. Text is checked as it arrives, so that the first byte that cannot be UTF-8 fails, inside
/// a frame too. After an error every call returns that error.
#[derive(Debug)]
pub struct MessageDecoder {
    frames: FrameDecoder,
    assembler: Assembler,
    /// In a box, because hardly any decoder has one.
    failed: Option<Box<FrameError>>,
    iana_codes: bool,
}

impl MessageDecoder {
    /// A decoder for what an endpoint with this role receives.
    #[must_use]
    pub fn new(role: Role, limits: &Limits) -> Self {
        Self {
            frames: FrameDecoder::new(role, limits),
            assembler: Assembler::new(limits),
            failed: None,
            iana_codes: false,
        }
    }

    /// Lets compressed messages pass; use [`decode_with`](Self::decode_with) then.
    #[must_use]
    pub fn with_rsv1(mut self) -> Self {
        self.frames = self.frames.with_rsv1();
        self
    }

    /// Takes close codes 1012 to 1014 too ([`CloseCode::is_valid_with_iana`]).
    #[must_use]
    pub fn with_iana_codes(mut self, accepted: bool) -> Self {
        self.iana_codes = accepted;
        self
    }

    /// The next message off the front of `src`; `None` when bytes are missing.
    ///
    /// # Errors
    ///
    /// The peer broke RFC 6455 or a limit.
    #[inline]
    pub fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Message>, FrameError> {
        self.decode_with(src, None)
    }

    /// As [`decode`](Self::decode), and inflates compressed messages. The rest of a message that
    /// was begun by [`decode_chunk`](Self::decode_chunk) is skipped.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode), and what `inflate` refuses.
    #[inline]
    pub fn decode_with(
        &mut self,
        src: &mut BytesMut,
        inflate: Option<&mut dyn Inflate>,
    ) -> Result<Option<Message>, FrameError> {
        if let Some(message) = self.decode_whole(src) {
            return Ok(Some(message));
        }
        Ok(match self.decode_any(src, inflate, false)? {
            Some(Decoded::Message(message)) => Some(message),
            Some(Decoded::Chunk { .. }) | None => None,
        })
    }

    /// As [`decode_with`](Self::decode_with), but data messages come as chunks while they arrive,
    /// and nothing of them is kept.
    ///
    /// # Errors
    ///
    /// As [`decode_with`](Self::decode_with).
    pub fn decode_chunk(
        &mut self,
        src: &mut BytesMut,
        inflate: Option<&mut dyn Inflate>,
    ) -> Result<Option<Decoded>, FrameError> {
        self.decode_any(src, inflate, true)
    }

    /// Whether a message or frame was begun and is not complete.
    #[must_use]
    pub const fn is_mid_message(&self) -> bool {
        self.assembler.open().is_some() || self.frames.has_frame()
    }

    /// How many bytes of the current frame's payload have not arrived; 0 between frames.
    ///
    /// A buffer with room for them, as far as the peer is trusted with memory, need not be moved, and
    /// becomes as large as the frames that come. This loop is the fastest where reading costs little, as
    /// from memory, from TLS or from another stream: no more is copied at once than stays in the
    /// processor's first cache until it is unmasked. From a socket more at once costs fewer calls.
    ///
    /// ```
    /// # use bytes::{Buf, BufMut, BytesMut};
    /// # use ws_frame::{FrameError, Limits, MessageDecoder, Role};
    /// # fn read_all(mut source: impl Buf) -> Result<usize, FrameError> {
    /// # let mut messages = 0;
    /// # let mut decoder = MessageDecoder::new(Role::Client, &Limits::default());
    /// let mut received = BytesMut::new();
    /// while source.has_remaining() {
    ///     let missing = decoder.missing().min(1024 * 1024);
    ///     if received.capacity() - received.len() < missing.max(1) {
    ///         received.reserve(missing.max(8 * 1024));
    ///     }
    ///     // A frame of 16 KiB with its header comes in one piece.
    ///     let room = (received.capacity() - received.len()).min(16 * 1024 + 14);
    ///     received.put((&mut source).take(room));
    ///     while let Some(message) = decoder.decode(&mut received)? {
    ///         # messages += message.payload().len();
    ///         // …
    ///     }
    /// }
    /// # Ok(messages)
    /// # }
    /// # let mut wire = vec![0x82, 126, 0x4e, 0x20];
    /// # wire.resize(20_004, 7);
    /// # assert_eq!(read_all(&wire.repeat(3)[..]), Ok(60_000));
    /// ```
    #[must_use]
    pub fn missing(&self) -> usize {
        self.frames.missing()
    }

    /// How many bytes of the message in progress are held outside of `src`.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.assembler.buffer.capacity()
    }

    fn decode_any(
        &mut self,
        src: &mut BytesMut,
        inflate: Option<&mut dyn Inflate>,
        in_chunks: bool,
    ) -> Result<Option<Decoded>, FrameError> {
        if let Some(error) = &self.failed {
            return Err(**error);
        }
        let result = self.step(src, inflate, in_chunks);
        if let Err(error) = result {
            self.failed = Some(Box::new(error));
        }
        result
    }

    /// The commonest case of all, a data message of less than 64 KiB in one frame that is all here
    /// and all right, in a third of the instructions. `None` says nothing: whatever is not like that
    /// is left to [`decode`](Self::decode), which looks here first.
    ///
    /// Made to become part of its caller, where the message is put together in its place: each move
    /// on its way there would wait for the one before.
    #[inline(always)]
    pub fn decode_whole(&mut self, src: &mut BytesMut) -> Option<Message> {
        if src.len() < 2 {
            return None;
        }
        let Whole { header_len, len, is_text } = self.open_whole(src)?;
        let mut payload = src.split_to(usize::from(header_len) + usize::from(len)).freeze();
        payload.advance(header_len.into());
        Some(if is_text {
            Message::Text(Utf8Bytes::from_validated(payload))
        } else {
            Message::Binary(payload)
        })
    }

    /// Finds, unmasks and checks such a message where it lies.
    fn open_whole(&self, src: &mut [u8]) -> Option<Whole> {
        let (&first, &second) = (src.first()?, src.get(1)?);
        let is_text = match first {
            0x81 => true,
            0x82 => false,
            _ => return None,
        };
        match second & 0x7f {
            127 => None,
            126 => {
                let len = u16::from_be_bytes(*src.get(2..)?.first_chunk()?);
                // A length that had a shorter form is left to the decoder, which refuses it.
                let is_shortest = len > 125;
                is_shortest.then(|| self.open_frame::<4>(src, is_text, second, len))?
            }
            len => self.open_frame::<2>(src, is_text, second, len.into()),
        }
    }

    /// A frame whose length ends before its byte `LEN_END`.
    #[inline(always)]
    fn open_frame<const LEN_END: u8>(
        &self,
        src: &mut [u8],
        is_text: bool,
        second: u8,
        len: u16,
    ) -> Option<Whole> {
        let most = self.frames.max_frame().min(self.assembler.max_message);
        if self.failed.is_some() || self.is_mid_message() || usize::from(len) > most {
            return None;
        }
        let header_len = match (self.frames.role(), second & 0x80) {
            (Role::Server, 0x80) => LEN_END + 4,
            (Role::Client, 0) => LEN_END,
            _ => return None,
        };
        let frame = src.get_mut(..usize::from(header_len) + usize::from(len))?;
        let (header, payload) = frame.split_at_mut_checked(header_len.into())?;
        let key = header.get(LEN_END.into()..).and_then(|key| key.first_chunk()).copied();
        match key {
            // The shortest do not gain from wide blocks.
            Some(key) if LEN_END == 2 => mask_short(key, payload),
            Some(key) => mask(key, 0, payload),
            None => {}
        }
        if is_text && !is_utf8(payload) {
            restore(key, payload);
            return None;
        }
        Some(Whole { header_len, len, is_text })
    }

    fn step(
        &mut self,
        src: &mut BytesMut,
        mut inflate: Option<&mut dyn Inflate>,
        in_chunks: bool,
    ) -> Result<Option<Decoded>, FrameError> {
        loop {
            let is_new = !self.frames.has_frame();
            if let Some(opcode) = self.frames.next_opcode(src)? {
                // Before the rest of the header is here: what cannot go on need not be waited for.
                self.assembler.check_order(opcode)?;
            }
            let Some(header) = self.frames.decode_header(src)? else {
                if let Some(header) = self.frames.declared(src)?
                    && !header.opcode.is_control()
                {
                    self.assembler.check_declared(&header)?;
                }
                return Ok(None);
            };
            if header.opcode.is_control() {
                self.frames.unmask(src);
                if !self.frames.is_whole() {
                    return Ok(None);
                }
                let payload = self.frames.take(src).freeze();
                return self.control(header.opcode, payload).map(|m| Some(Decoded::Message(m)));
            }
            if is_new {
                self.assembler.begin_frame(&header)?;
            }
            let Some(open) = self.assembler.open() else { return Ok(None) };
            let found = if open.compressed {
                // The frame decoder lets RSV1 pass only when compression was negotiated.
                let Some(inflate) = &mut inflate else {
                    return Err(Violation::ReservedBits(FrameHeader::RSV1).into());
                };
                self.compressed_data(open, src, *inflate, in_chunks)?
            } else {
                self.plain_data(open, is_new, src, in_chunks)?
            };
            // A frame that is not all here ends the search, an ended one without a result goes on.
            if found.is_some() || self.frames.has_frame() {
                return Ok(found);
            }
        }
    }

    fn plain_data(
        &mut self,
        open: Open,
        is_new: bool,
        src: &mut BytesMut,
        in_chunks: bool,
    ) -> Result<Option<Decoded>, FrameError> {
        let fresh = self.frames.unmask(src);
        let whole = self.frames.is_whole();
        let alone = is_new && whole && open.fin && self.assembler.is_first_frame();
        if open.kind == DataKind::Text {
            if alone && !in_chunks {
                // The commonest case of all: one call, and no state to keep.
                if !is_utf8(fresh) {
                    return Err(FrameError::InvalidUtf8);
                }
            } else {
                self.assembler.check_text(fresh)?;
            }
        }
        let last = whole && open.fin;
        if in_chunks || open.in_chunks {
            return self.plain_chunk(open, last, src, in_chunks);
        }
        if self.assembler.buffer.is_empty() && open.fin {
            // All of the message is in this frame, which is left in `src` until it is whole.
            if !whole {
                return Ok(None);
            }
            let payload = self.frames.take(src).freeze();
            return self.assembler.end_with(payload).map(|m| Some(Decoded::Message(m)));
        }
        let piece = self.frames.take(src);
        self.assembler.gather(&piece);
        if last { self.end_buffered() } else { Ok(None) }
    }

    fn plain_chunk(
        &mut self,
        open: Open,
        last: bool,
        src: &mut BytesMut,
        wanted: bool,
    ) -> Result<Option<Decoded>, FrameError> {
        if wanted && !self.assembler.buffer.is_empty() {
            // The beginning was gathered for a whole message that nobody waits for any more.
            let data = self.assembler.take_chunk();
            return Ok(Some(Decoded::Chunk { kind: open.kind, data, last: false }));
        }
        let data = self.frames.take(src).freeze();
        self.assembler.hand_out(data.len());
        if last {
            self.assembler.end()?;
        }
        let found = wanted && (last || !data.is_empty());
        Ok(found.then_some(Decoded::Chunk { kind: open.kind, data, last }))
    }

    fn compressed_data(
        &mut self,
        open: Open,
        src: &mut BytesMut,
        inflate: &mut dyn Inflate,
        in_chunks: bool,
    ) -> Result<Option<Decoded>, FrameError> {
        self.frames.unmask(src);
        let last = self.frames.is_whole() && open.fin;
        let piece = self.frames.take(src);
        let from = self.assembler.buffer.len();
        let max = self.assembler.buffer_limit();
        let inflated = inflate.inflate(&piece, last, &mut self.assembler.buffer, max);
        if open.kind == DataKind::Text {
            // Also what came out before a failure: whichever fault came first is reported, however
            // the input was cut.
            self.assembler.check_buffered_text(from)?;
        }
        inflated?;
        if in_chunks || open.in_chunks {
            let data = self.assembler.take_chunk();
            if last {
                self.assembler.end()?;
            }
            let found = in_chunks && (last || !data.is_empty());
            return Ok(found.then_some(Decoded::Chunk { kind: open.kind, data, last }));
        }
        if last { self.end_buffered() } else { Ok(None) }
    }

    fn end_buffered(&mut self) -> Result<Option<Decoded>, FrameError> {
        let bytes = core::mem::take(&mut self.assembler.buffer).freeze();
        self.assembler.end_with(bytes).map(|message| Some(Decoded::Message(message)))
    }

    fn control(&self, opcode: OpCode, payload: Bytes) -> Result<Message, FrameError> {
        Ok(match opcode {
            OpCode::Ping => Message::Ping(payload),
            OpCode::Pong => Message::Pong(payload),
            _ => Message::Close(self.close_body(&payload)?),
        })
    }

    fn close_body(&self, body: &[u8]) -> Result<Option<CloseFrame>, FrameError> {
        // A body of one byte was refused with its header.
        let Some((code, reason)) = body.split_first_chunk() else { return Ok(None) };
        let code = CloseCode::new(u16::from_be_bytes(*code));
        if !(code.is_valid_on_wire() || self.iana_codes && code.is_valid_with_iana()) {
            return Err(FrameError::BadCloseCode(code));
        }
        let reason = core::str::from_utf8(reason).map_err(|_| FrameError::InvalidUtf8)?;
        Ok(Some(CloseFrame::new(code, reason)))
    }
}
