//! What the reference peer makes of the octets it receives: every rule of RFC 6455 §5, at the
//! earliest octet that breaks it.

use super::fault::Fault;
use crate::link::Kind;
use crate::wire::deflate::Inflater;
use crate::wire::frame::{Header, opcode};
use crate::wire::mask;
use crate::wire::stream::Wire;

const MAX_MESSAGE: usize = 64 * 1024 * 1024;
const MAX_FRAGMENTS: usize = 80_000;

/// Something whole.
#[derive(Debug)]
pub(super) enum Item {
    Message(Kind, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// A valid close frame: its code and its body.
    Close(Option<u16>, Vec<u8>),
    /// The connection is to be failed with this code.
    Bad(u16),
}

/// The message that is being received.
#[derive(Debug)]
struct Message {
    kind: Kind,
    compressed: bool,
    data: Vec<u8>,
    /// Octets known to be UTF-8.
    checked: usize,
    frames: usize,
}

/// The frame that is being received.
#[derive(Debug)]
struct Current {
    header: Header,
    /// Octets of the payload already taken.
    taken: usize,
    /// The payload of a control frame.
    control: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Inbound {
    is_server: bool,
    fault: Option<Fault>,
    inflater: Option<Inflater>,
    message: Option<Message>,
    current: Option<Current>,
    reserved: u8,
    ended: bool,
}

impl Inbound {
    pub(super) fn new(is_server: bool, fault: Option<Fault>, inflater: Option<Inflater>) -> Self {
        let (message, current) = (None, None);
        Self { is_server, fault, inflater, message, current, reserved: 0, ended: false }
    }

    /// The reserved bits of the last frame.
    pub(super) fn reserved(&self) -> u8 {
        self.reserved
    }

    pub(super) fn is_inside_message(&self) -> bool {
        self.message.is_some()
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// Takes the next thing off the wire, or `None` when more octets are needed.
    pub(super) fn take(&mut self, wire: &mut Wire) -> Option<Item> {
        loop {
            if self.current.is_none() {
                if let Some(code) = self.early(wire.buffered()) {
                    self.give_up(wire);
                    return Some(Item::Bad(code));
                }
                let header = Header::read(wire.buffered())?;
                if let Some(code) = self.late(&header) {
                    self.give_up(wire);
                    return Some(Item::Bad(code));
                }
                wire.consume(header.size);
                self.begin(header);
            }
            if let Some(item) = self.payload(wire)? {
                return Some(item);
            }
        }
    }

    /// After a failure nothing more is read, except by the mutant that goes on.
    fn give_up(&self, wire: &mut Wire) {
        let bad = Header::read(wire.buffered()).filter(|_| self.has(Fault::GoesOnAfterFailure));
        let size = bad.and_then(|header| {
            usize::try_from(header.length).ok().map(|length| header.size.saturating_add(length))
        });
        wire.consume(size.unwrap_or(usize::MAX));
    }

    /// What the first two octets already forbid.
    fn early(&self, bytes: &[u8]) -> Option<u16> {
        let &[first, second, ..] = bytes else { return None };
        let (fin, rsv, number) = (first & 0x80 != 0, first >> 4 & 7, first & 0xF);
        let (masked, length) = (second & 0x80 != 0, second & 0x7F);
        if self.has(Fault::WaitsForPayload) && length > 120 {
            // Judged only once all of the frame has come.
            let header = Header::read(bytes)?;
            let whole = usize::try_from(header.length).unwrap_or(usize::MAX);
            bytes.get(header.size..)?.get(..whole)?;
        }
        let is_data = matches!(number, opcode::TEXT | opcode::BINARY);
        let ping_bit = self.has(Fault::IgnoresRsv1OnPing) && number >= 8;
        let continuation_bit = self.has(Fault::IgnoresRsv1OnContinuation) && number == 0;
        let deflates = self.inflater.is_some();
        let allowed = if deflates && (is_data || ping_bit || continuation_bit) { 4 } else { 0 };
        let lenient = self.has(Fault::IgnoresReservedBits) || self.has(Fault::EchoesReservedBits);
        if rsv & !allowed != 0 && !lenient {
            return Some(1002);
        }
        let unknown = match number {
            3..=7 => !self.has(Fault::IgnoresDataOpcodes),
            11..=15 => !self.has(Fault::IgnoresControlOpcodes),
            _ => false,
        };
        let too_long = number >= 8 && length > 125 && !self.has(Fault::AcceptsLongControl);
        let split = number >= 8 && !fin && !self.has(Fault::AcceptsSplitControl);
        let mask_wrong = match (self.is_server, masked) {
            (true, false) => !self.has(Fault::AcceptsUnmasked),
            (false, true) => !self.has(Fault::AcceptsMasked),
            _ => false,
        };
        let inside = self.message.is_some();
        let stray = number == 0 && !inside && !self.has(Fault::AcceptsStrayContinuation);
        let interleaved = is_data && inside && !self.has(Fault::AcceptsInterleaved);
        let short_close =
            number == opcode::CLOSE && length == 1 && !self.has(Fault::AcceptsShortClose);
        let bad = unknown || too_long || split || mask_wrong || stray || interleaved || short_close;
        bad.then_some(1002)
    }

    /// What the length forbids.
    fn late(&self, header: &Header) -> Option<u16> {
        if header.length >> 63 == 1 && !self.has(Fault::AcceptsTopBit) {
            return Some(1002);
        }
        if !header.minimal && !self.has(Fault::AcceptsNotMinimal) {
            return Some(1002);
        }
        let held = self.message.as_ref().map_or(0, |message| message.data.len());
        let whole = usize::try_from(header.length).unwrap_or(usize::MAX);
        let is_small = self.has(Fault::LimitsMessages) || self.has(Fault::LimitAndStays);
        let most = if is_small { 32 * 1024 } else { MAX_MESSAGE };
        let too_big = held.saturating_add(whole) > most;
        let patient = matches!(
            self.fault,
            Some(Fault::WaitsForHugeFrames | Fault::AcceptsTopBit | Fault::NoMessageLimit)
        );
        if too_big && !patient {
            return Some(1009);
        }
        let frames = self.message.as_ref().map_or(0, |message| message.frames);
        (frames > MAX_FRAGMENTS && !self.has(Fault::NoFragmentLimit)).then_some(1008)
    }

    fn begin(&mut self, header: Header) {
        self.reserved = header.rsv;
        let fresh = |kind| Message {
            kind,
            compressed: header.rsv & 4 != 0,
            data: Vec::new(),
            checked: 0,
            frames: 0,
        };
        match header.opcode {
            opcode::TEXT => self.message = Some(fresh(Kind::Text)),
            opcode::BINARY => self.message = Some(fresh(Kind::Binary)),
            opcode::CONTINUATION if self.message.is_none() => {
                self.message = Some(fresh(Kind::Text));
            }
            _ => {}
        }
        if let Some(message) = self.message.as_mut().filter(|_| !header.is_control()) {
            message.frames += 1;
        }
        self.current = Some(Current { header, taken: 0, control: Vec::new() });
    }

    /// Takes payload. `None`: more octets are needed; `Some(None)`: go on with the next frame.
    fn payload(&mut self, wire: &mut Wire) -> Option<Option<Item>> {
        let offset_lost = self.has(Fault::ForgetsMaskOffset);
        let current = self.current.as_mut()?;
        let whole = usize::try_from(current.header.length).unwrap_or(usize::MAX);
        let available = wire.buffered().len().min(whole - current.taken);
        let mut piece = wire.buffered().get(..available).unwrap_or_default().to_vec();
        if let Some(mut key) = current.header.key {
            key.rotate_left(if offset_lost { 0 } else { current.taken % 4 });
            mask::apply(key, &mut piece);
        }
        wire.consume(available);
        current.taken += available;
        let complete = current.taken == whole;
        if current.header.opcode >= 3 {
            current.control.extend(piece);
            if !complete {
                return None;
            }
            let current = self.current.take()?;
            return Some(self.control(current.header.opcode, current.control));
        }
        let fin = current.header.fin;
        let message = self.message.as_mut()?;
        let first_lost =
            self.fault == Some(Fault::DropsFirstFragment) && message.frames == 1 && !fin;
        if !first_lost {
            message.data.extend(piece);
        }
        if complete {
            self.current = None;
        }
        if let Some(code) = self.check_text(complete, complete && fin) {
            return Some(Some(Item::Bad(code)));
        }
        if !complete {
            return None;
        }
        if !fin {
            return Some(None);
        }
        Some(self.finish())
    }

    /// Fails as soon as the text cannot become valid any more.
    fn check_text(&mut self, frame_done: bool, message_done: bool) -> Option<u16> {
        let due = match self.fault {
            Some(Fault::NoUtf8Check) => false,
            Some(Fault::LateUtf8) => message_done,
            Some(Fault::LateUtf8InFrame) => frame_done,
            _ => true,
        };
        let (surrogates, overlong) =
            (self.has(Fault::AcceptsSurrogates), self.has(Fault::AcceptsOverlong));
        let (cut_end, split_overlong) =
            (self.has(Fault::AcceptsCutEnd), self.has(Fault::AcceptsSplitOverlong));
        let per_frame = self.has(Fault::Utf8PerFrame) && frame_done;
        let message = self.message.as_mut()?;
        if message.kind != Kind::Text || message.compressed || !due {
            return None;
        }
        let unchecked = message.data.get(message.checked..).unwrap_or_default();
        match std::str::from_utf8(unchecked) {
            Ok(_) => {
                message.checked = message.data.len();
                None
            }
            Err(error) => {
                message.checked += error.valid_up_to();
                let first = message.data.get(message.checked).copied().unwrap_or_default();
                let split = message.frames > 1 && matches!(first, 0xE0 | 0xF0);
                let forgiven = surrogates && first == 0xED
                    || overlong && first == 0xC0
                    || split && split_overlong;
                let may_go_on = !message_done || cut_end && message.frames > 1;
                let incomplete = error.error_len().is_none() && may_go_on && !per_frame;
                (!incomplete && !forgiven).then_some(1007)
            }
        }
    }

    fn finish(&mut self) -> Option<Item> {
        let Message { kind, compressed, data, .. } = self.message.take()?;
        let (ignores_damage, unchecked) =
            (self.has(Fault::IgnoresDamage), self.has(Fault::NoUtf8AfterInflating));
        let limit =
            if self.has(Fault::InflatesWithoutLimit) { usize::MAX / 2 } else { MAX_MESSAGE };
        let Some(inflater) = self.inflater.as_mut().filter(|_| compressed) else {
            return Some(Item::Message(kind, data));
        };
        if self.ended {
            return Some(Item::Message(kind, Vec::new()));
        }
        self.ended = self.fault == Some(Fault::FinalBlockEnds) && data.first() == Some(&0xF3);
        match inflater.message(&data, limit) {
            Ok(plain) => {
                let bad = kind == Kind::Text && std::str::from_utf8(&plain).is_err();
                Some(if bad && !unchecked { Item::Bad(1007) } else { Item::Message(kind, plain) })
            }
            Err(flaw) if flaw.contains("more than") => Some(Item::Bad(1009)),
            Err(_) if ignores_damage => None,
            Err(_) => Some(Item::Bad(1007)),
        }
    }

    fn control(&self, number: u8, data: Vec<u8>) -> Option<Item> {
        match number {
            opcode::PING => Some(Item::Ping(data)),
            opcode::PONG => Some(Item::Pong(data)),
            opcode::CLOSE => Some(self.close(data)),
            _ => None,
        }
    }

    fn close(&self, body: Vec<u8>) -> Item {
        let Some((code, reason)) = body.split_first_chunk::<2>() else {
            return Item::Close(None, body);
        };
        let code = u16::from_be_bytes(*code);
        let valid = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        let undefined = code >= 5000 && self.has(Fault::EchoesUndefinedCodes);
        if !valid && !undefined && !self.has(Fault::AcceptsBadCodes) {
            return Item::Bad(1002);
        }
        if code >= 3000 && self.has(Fault::RefusesGoodCodes) {
            return Item::Bad(1002);
        }
        if std::str::from_utf8(reason).is_err() && !self.has(Fault::AcceptsBadReason) {
            return Item::Bad(1007);
        }
        Item::Close(Some(code), body)
    }
}
