//! Decoding: the masked frames of a client, as a server receives them.

use std::hint::black_box;

use bytes::BytesMut;
use ws_frame::{Limits, MessageDecoder, Role};

use super::{Candidate, READ, Timed, decode_peers};
use crate::clock::CpuTime;
use crate::wire::{self, Content};

/// What is decoded.
pub struct Case {
    pub name: &'static str,
    content: Content,
    size: usize,
}

/// The cases, small to large.
pub const CASES: &[Case] = &[
    Case { name: "decode binary 16 B", content: Content::Binary, size: 16 },
    Case { name: "decode binary 125 B", content: Content::Binary, size: 125 },
    Case { name: "decode binary 1 KiB", content: Content::Binary, size: 1024 },
    Case { name: "decode binary 16 KiB", content: Content::Binary, size: 16 * 1024 },
    Case { name: "decode binary 1 MiB", content: Content::Binary, size: 1024 * 1024 },
    Case { name: "decode text 16 B", content: Content::Ascii, size: 16 },
    Case { name: "decode text 1 KiB mixed", content: Content::Mixed, size: 1024 },
    Case { name: "decode text 1 MiB mixed", content: Content::Mixed, size: 1024 * 1024 },
];

/// A decoder that keeps its buffers from one pass to the next.
pub trait Decode {
    /// Decodes all of `wire`, handing each payload to `sink`.
    fn pass(&mut self, wire: &[u8], sink: &mut impl FnMut(&[u8])) -> Result<(), String>;
}

/// Every candidate of a case, each checked once against the payloads that were encoded.
pub fn decoders(case: &'static Case) -> Vec<Result<Candidate, String>> {
    let mut all = vec![
        candidate("floor", case, || Floor {
            text: case.content != Content::Binary,
            input: Vec::new(),
        }),
        candidate("ours", case, Ours::new),
    ];
    all.extend(decode_peers::all(case));
    all
}

pub(super) fn candidate<D: Decode + 'static>(
    name: &'static str,
    case: &'static Case,
    new: impl Fn() -> D + 'static,
) -> Result<Candidate, String> {
    let opcode = if case.content == Content::Binary { wire::BINARY } else { wire::TEXT };
    let count = (READ / case.size).clamp(1, 1000);
    let mut wire = Vec::new();
    let mut payloads = Vec::new();
    for number in 0..count as u64 {
        let payload = wire::payload(case.content, case.size, number + 1);
        wire::client_frame(opcode, [0x9a, 0x3c, 0x5e, number as u8], &payload, &mut wire);
        payloads.push(payload);
    }
    let mut decoder = new();
    for _ in 0..2 {
        let mut expected = payloads.iter();
        let mut wrong = false;
        decoder
            .pass(&wire, &mut |payload| {
                wrong |= expected.next().is_none_or(|expected| expected != payload);
            })
            .map_err(|error| format!("{name}: {error}"))?;
        if wrong || expected.next().is_some() {
            return Err(format!("{name} decodes {} wrongly", case.name));
        }
    }
    let count = payloads.len();
    let fresh = move |place: usize| {
        let before: Vec<u8> = Vec::with_capacity(place);
        let mut input = vec![0; place];
        input.extend_from_slice(&wire);
        let mut decoder = new();
        let timed = move |passes: usize| {
            let start = CpuTime::now();
            let mut seen = 0;
            for _ in 0..passes {
                decoder.pass(black_box(&input[place..]), &mut |payload| {
                    seen += black_box(payload).len();
                })?;
            }
            let nanoseconds = start.elapsed();
            black_box(&before);
            if seen != passes * count * case.size {
                return Err(format!("{name} lost messages"));
            }
            Ok(nanoseconds / (passes * count) as f64)
        };
        Box::new(timed) as Timed
    };
    Ok(Candidate { name, fresh: Box::new(fresh) })
}

/// Header, mask and UTF-8, and nothing else.
struct Floor {
    text: bool,
    input: Vec<u8>,
}

impl Decode for Floor {
    fn pass(&mut self, wire: &[u8], sink: &mut impl FnMut(&[u8])) -> Result<(), String> {
        for read in wire.chunks(READ) {
            self.input.extend_from_slice(read);
            let mut at = 0;
            while let Some(frame) = crate::server::parse(&self.input[at..]) {
                let start = at + frame.header;
                at = start + frame.payload;
                let payload = &mut self.input[start..at];
                wire::unmask(frame.key, payload);
                if self.text {
                    let text = simdutf8::basic::from_utf8(payload);
                    text.map_err(|error| error.to_string())?;
                }
                sink(payload);
            }
            self.input.drain(..at);
        }
        Ok(())
    }
}

/// The sizes that the documentation of `MessageDecoder::missing` recommends: the least room to read into,
/// the most for a frame whose header alone is here, and the most that is copied at once.
const LEAST: usize = 8 * 1024;
const TRUSTED: usize = 1024 * 1024;
const AT_ONCE: usize = 16 * 1024 + 14;

/// `ws_frame::MessageDecoder`, as its documentation shows.
struct Ours {
    decoder: MessageDecoder,
    received: BytesMut,
}

impl Ours {
    fn new() -> Self {
        let decoder = MessageDecoder::new(Role::Server, &Limits::default());
        Self { decoder, received: BytesMut::new() }
    }
}

impl Decode for Ours {
    fn pass(&mut self, mut wire: &[u8], sink: &mut impl FnMut(&[u8])) -> Result<(), String> {
        while !wire.is_empty() {
            let missing = self.decoder.missing().min(TRUSTED);
            let mut room = self.received.capacity() - self.received.len();
            if room < missing.max(1) {
                self.received.reserve(missing.max(LEAST));
                room = self.received.capacity() - self.received.len();
            }
            let (read, rest) = wire.split_at(room.min(AT_ONCE).min(wire.len()));
            self.received.extend_from_slice(read);
            wire = rest;
            while let Some(message) =
                self.decoder.decode(&mut self.received).map_err(|error| error.to_string())?
            {
                sink(message.payload());
            }
        }
        Ok(())
    }
}
