//! What `h3` gets to see of a request stream: one HEADERS frame at a time, bounded before it is
//! buffered, with `:protocol` in a shape that `h3` accepts.

use std::mem;
use std::sync::OnceLock;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use h3::error::Code;
use http::HeaderName;

use super::fields::{FieldError, PseudoHeaders, check_response, lift_protocol, rewrite_protocol};
use super::frames::{self, FrameEvent, FrameReader, frame_header};
use super::halves::Inbound;
use crate::error::Error;
use crate::link::{Limits, Link};

/// Collects HEADERS frames.
#[derive(Debug, Default)]
pub(crate) struct HeadReader {
    block: BytesMut,
    /// Bytes of frames of unknown types that came before.
    skipped: u64,
}

/// Why there is no HEADERS frame.
#[derive(Debug)]
pub(crate) enum HeadError {
    /// The connection ends for it.
    Violation(Code, &'static str),
    /// This stream ends with an error code.
    Stream(Code, Error),
    /// This stream ends with the answer 431.
    TooLarge(Error),
    /// The peer or the connection ended it.
    Lost(Error),
    /// The stream ended in order, before a HEADERS frame.
    Ended,
}

impl HeadReader {
    /// The payload of the next HEADERS frame.
    pub(crate) fn poll_block(
        &mut self,
        cx: &mut Context<'_>,
        inbound: &mut Inbound,
        limits: Limits,
    ) -> Poll<Result<Bytes, HeadError>> {
        loop {
            let event = ready!(inbound.poll_event(cx, usize::MAX));
            match event.map_err(|error| HeadError::Lost(error.into()))? {
                None if !inbound.is_at_boundary() => {
                    let what = "the stream ended inside a frame";
                    return Poll::Ready(Err(HeadError::Violation(Code::H3_FRAME_ERROR, what)));
                }
                None => return Poll::Ready(Err(HeadError::Ended)),
                Some(FrameEvent::Start { kind: frames::HEADERS, len }) => {
                    if len > limits.section {
                        let error = Error::HandshakeTooBig { max: limits.section };
                        return Poll::Ready(Err(HeadError::TooLarge(error)));
                    }
                    if len == 0 {
                        return Poll::Ready(Ok(Bytes::new()));
                    }
                }
                Some(FrameEvent::Start { kind, .. }) if frames::is_known(kind) => {
                    let what = "a frame other than HEADERS came first";
                    return Poll::Ready(Err(HeadError::Violation(Code::H3_FRAME_UNEXPECTED, what)));
                }
                Some(FrameEvent::Start { len, .. }) => {
                    self.skipped = self.skipped.saturating_add(len).saturating_add(FRAME_COST);
                    if self.skipped > limits.section {
                        let error = Error::HandshakeTooBig { max: limits.section };
                        return Poll::Ready(Err(HeadError::Stream(Code::H3_EXCESSIVE_LOAD, error)));
                    }
                }
                Some(FrameEvent::Payload { kind: frames::HEADERS, bytes, last }) => {
                    if last && self.block.is_empty() {
                        // As nearly always.
                        return Poll::Ready(Ok(bytes));
                    }
                    self.block.extend_from_slice(&bytes);
                    if last {
                        return Poll::Ready(Ok(mem::take(&mut self.block).freeze()));
                    }
                }
                Some(FrameEvent::Payload { .. }) => {}
            }
        }
    }
}

/// The HEADERS frame for `h3` from a request's field section: the `:protocol` line becomes the field
/// [`private_name`].
pub(crate) fn lifted_frame(
    block: &[u8],
    limits: Limits,
) -> Result<(Bytes, PseudoHeaders), HeadError> {
    let mut seen = PseudoHeaders::default();
    let frame = headers_frame(block.len() + PROTOCOL_MAX, |out| {
        seen = lift_protocol(block, private_name().as_str(), limits.fields, out)?;
        Ok(())
    });
    Ok((frame.map_err(HeadError::from)?, seen))
}

/// The HEADERS frame for `h3` from a response's field section.
pub(crate) fn response_frame(block: &[u8], limits: Limits) -> Result<Bytes, HeadError> {
    check_response(block, limits.fields).map_err(HeadError::from)?;
    Ok(plain_frame(block))
}

/// A HEADERS frame with `block` as it is.
fn plain_frame(block: &[u8]) -> Bytes {
    let frame = headers_frame(block.len(), |out| {
        out.put_slice(block);
        Ok(())
    });
    frame.unwrap_or_default()
}

/// The bytes `h3` wrote first on a request stream, a HEADERS frame, with `websocket` in the place of
/// the token that `h3` was made to write.
pub(crate) fn named_frame(mut written: Bytes) -> Bytes {
    let original = written.clone();
    let mut reader = FrameReader::new();
    match reader.next(&mut written, 0) {
        Some(FrameEvent::Start { kind: frames::HEADERS, .. }) => {}
        _ => return original,
    }
    let room = written.len() + PROTOCOL_MAX;
    let frame = headers_frame(room, |out| rewrite_protocol(&written, "websocket", out).map(drop));
    frame.unwrap_or(original)
}

/// The name under which a request's `:protocol` travels through `h3`: drawn once per process, so
/// that no peer can send such a field.
pub(crate) fn private_name() -> &'static HeaderName {
    static NAME: OnceLock<HeaderName> = OnceLock::new();
    NAME.get_or_init(|| {
        let name = format!("x-{:032x}", rand::random::<u128>());
        HeaderName::try_from(name).expect("letters and digits make a name")
    })
}

/// A request that stands for one that could not be read: `h3` forgets a stream only when it has seen
/// a request on it.
pub(crate) fn stand_in() -> Bytes {
    // Static table: `:method GET`, `:scheme https`, `:path /`; `:authority` with the value `-`.
    plain_frame(&[0, 0, 0xd1, 0xd7, 0xc1, 0x50, 1, b'-'])
}

/// A response HEADERS frame with the status 431 and nothing else.
pub(crate) fn too_large_response() -> Bytes {
    // A literal with the name of static entry 24, `:status`.
    plain_frame(&[0, 0, 0x5f, 0x09, 3, b'4', b'3', b'1'])
}

/// Builds a HEADERS frame around what `fill` appends, for which there is `room`.
fn headers_frame(
    room: usize,
    fill: impl FnOnce(&mut BytesMut) -> Result<(), FieldError>,
) -> Result<Bytes, FieldError> {
    let (longest, _) = frame_header(frames::HEADERS, 0);
    let mut out = BytesMut::with_capacity(longest.len() + room);
    out.put_slice(&longest);
    fill(&mut out)?;
    let (header, len) = frame_header(frames::HEADERS, out.len() - longest.len());
    out.advance(longest.len() - len);
    for (to, from) in out.iter_mut().zip(header.iter().take(len)) {
        *to = *from;
    }
    Ok(out.freeze())
}

impl From<FieldError> for HeadError {
    fn from(error: FieldError) -> Self {
        match error {
            error if error.is_undecodable() => {
                let what = "a field section cannot be decoded";
                Self::Violation(Code::QPACK_DECOMPRESSION_FAILED, what)
            }
            FieldError::TooManyFields { max } => Self::TooLarge(Error::TooManyHeaders { max }),
            error => Self::Stream(Code::H3_MESSAGE_ERROR, Error::MalformedHeader(error)),
        }
    }
}

impl HeadError {
    /// Acts on the connection where that is called for, and says what happened.
    pub(crate) fn settle(self, link: &Link) -> (Option<Code>, Error) {
        match self {
            Self::Violation(code, what) => (None, link.violate(code, what)),
            Self::Stream(code, error) => (Some(code), error),
            Self::TooLarge(error) => (Some(Code::H3_EXCESSIVE_LOAD), error),
            Self::Lost(error) => (Some(Code::H3_REQUEST_CANCELLED), error),
            Self::Ended => {
                let error = Error::MalformedMessage("the stream ended before a header section");
                (Some(Code::H3_REQUEST_INCOMPLETE), error)
            }
        }
    }
}

/// What another name or value of `:protocol`, and the lengths of both, take at most.
const PROTOCOL_MAX: usize = 64;
/// What a frame of an unknown type costs besides its length, against floods of empty ones.
const FRAME_COST: u64 = 16;
