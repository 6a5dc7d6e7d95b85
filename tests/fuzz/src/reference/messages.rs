//! RFC 6455 §5.4 to §5.6, §7.4 and §8.1: from frames to messages, with limits, out of bytes that are
//! all there. Compressed messages are undone by a toy in the place of DEFLATE.

use ws_frame::{CloseCode, CloseFrame, DataKind, FrameError, Message, Role, Violation};

use super::frames::{Found, Frame, frame};

/// What a receiver was told to hold to.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Whose eyes these are.
    pub role: Role,
    /// Whether compressed messages may come.
    pub allow_rsv1: bool,
    /// Whether close codes 1012 to 1014 are taken.
    pub iana_codes: bool,
    /// The most payload bytes of a frame.
    pub max_frame: usize,
    /// The most bytes of a message.
    pub max_message: usize,
    /// The most frames of a message.
    pub max_fragments: usize,
}

/// All that a receiver makes of some bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Messages and control frames, in order.
    pub messages: Vec<Message>,
    /// The message that has begun and is not complete, as far as it is there.
    pub open: Option<(DataKind, Vec<u8>)>,
    /// What ended it.
    pub error: Option<FrameError>,
}

/// The message in progress.
struct Open {
    kind: DataKind,
    compressed: bool,
    frames: usize,
    declared: u64,
    bytes: Vec<u8>,
}

/// Reads all of `wire`.
#[must_use]
pub fn read(wire: &[u8], rules: &Rules) -> Read {
    let mut read = Read::default();
    let mut open: Option<Open> = None;
    let mut at = 0;
    let result = loop {
        match frame(&wire[at..], rules.role, rules.allow_rsv1, rules.max_frame as u64) {
            Found::First(violation) => break Err(FrameError::ProtocolError(violation)),
            found => {
                // The order of frames shows in the first byte, before all that may be wrong behind.
                if let Some(&first) = wire.get(at) {
                    if let Some(violation) = out_of_order(first % 16, open.is_some()) {
                        break Err(FrameError::ProtocolError(violation));
                    }
                }
                match found {
                    Found::Frame(frame) => {
                        at += frame.header.len() + frame.payload.len();
                        match take(&frame, rules, &mut open, &mut read.messages) {
                            Ok(()) if frame.is_whole() => {}
                            other => break other,
                        }
                    }
                    Found::Keyless(frame) => break judge(&frame, rules, open.as_ref()),
                    Found::Wrong(error) => break Err(error),
                    _ => break Ok(()),
                }
            }
        }
    };
    read.error = result.err();
    read.open = open.map(|open| (open.kind, open.bytes));
    read
}

fn out_of_order(opcode: u8, is_open: bool) -> Option<Violation> {
    match opcode {
        0 if !is_open => Some(Violation::UnexpectedContinuation),
        1 | 2 if is_open => Some(Violation::InterleavedMessage),
        _ => None,
    }
}

/// Whether there is room for what a frame declares.
fn judge(frame: &Frame, rules: &Rules, open: Option<&Open>) -> Result<(), FrameError> {
    if frame.is_control() {
        return Ok(());
    }
    let (frames, before) = open.map_or((0, 0), |open| (open.frames, open.declared));
    if frames == rules.max_fragments {
        return Err(FrameError::TooManyFragments { max: rules.max_fragments });
    }
    let compressed = open.map_or(frame.reserved == 4, |open| open.compressed);
    let (size, max) = (before + frame.declared, rules.max_message);
    if !compressed && size > max as u64 {
        return Err(FrameError::MessageTooBig { size, max });
    }
    Ok(())
}

fn take(
    frame: &Frame,
    rules: &Rules,
    open: &mut Option<Open>,
    messages: &mut Vec<Message>,
) -> Result<(), FrameError> {
    if frame.is_control() {
        if frame.is_whole() {
            messages.push(control(frame, rules)?);
        }
        return Ok(());
    }
    judge(frame, rules, open.as_ref())?;
    let message = open.get_or_insert_with(|| Open {
        kind: if frame.opcode == 1 { DataKind::Text } else { DataKind::Binary },
        compressed: frame.reserved == 4,
        frames: 0,
        declared: 0,
        bytes: Vec::new(),
    });
    message.frames += 1;
    message.declared += frame.declared;
    for &byte in &frame.payload {
        if message.compressed {
            if byte == TOY_CORRUPT {
                return Err(FrameError::BadDeflate);
            }
            for byte in doubled(byte) {
                if message.bytes.len() == rules.max_message {
                    return Err(FrameError::InflateTooBig { max: rules.max_message });
                }
                message.add(byte)?;
            }
        } else {
            message.add(byte)?;
        }
    }
    if frame.fin && frame.is_whole() {
        let message = open.take().expect("it was just there");
        messages.push(match message.kind {
            DataKind::Binary => Message::binary(message.bytes),
            DataKind::Text => {
                let text = String::from_utf8(message.bytes);
                Message::text(text.map_err(|_| FrameError::InvalidUtf8)?)
            }
        });
    }
    Ok(())
}

impl Open {
    fn add(&mut self, byte: u8) -> Result<(), FrameError> {
        self.bytes.push(byte);
        if self.kind == DataKind::Text {
            // Only the last code point can be wrong: what came before was looked at before.
            let from = self.bytes.len().saturating_sub(8);
            let from = (from..self.bytes.len())
                .find(|at| *at == 0 || self.bytes[*at] & 0xc0 != 0x80)
                .unwrap_or(from);
            match std::str::from_utf8(&self.bytes[from..]) {
                Err(error) if error.error_len().is_some() => return Err(FrameError::InvalidUtf8),
                _ => {}
            }
        }
        Ok(())
    }
}

fn control(frame: &Frame, rules: &Rules) -> Result<Message, FrameError> {
    let body = &frame.payload;
    Ok(match frame.opcode {
        9 => Message::Ping(body.clone().into()),
        10 => Message::Pong(body.clone().into()),
        _ if body.is_empty() => Message::Close(None),
        _ => {
            let code = u16::from(body[0]) * 256 + u16::from(body[1]);
            let known = match code {
                1000..=1003 | 1007..=1011 | 3000..=4999 => true,
                1012..=1014 => rules.iana_codes,
                _ => false,
            };
            if !known {
                return Err(FrameError::BadCloseCode(CloseCode::new(code)));
            }
            let reason = std::str::from_utf8(&body[2..]).map_err(|_| FrameError::InvalidUtf8)?;
            Message::Close(Some(CloseFrame::new(CloseCode::new(code), reason)))
        }
    })
}

/// What the toy in the place of DEFLATE makes of a byte: ASCII twice, anything else once.
pub fn doubled(byte: u8) -> impl Iterator<Item = u8> {
    std::iter::repeat_n(byte, if byte < 0x80 { 2 } else { 1 })
}

/// The byte that the toy takes for corruption.
pub const TOY_CORRUPT: u8 = 0xff;
