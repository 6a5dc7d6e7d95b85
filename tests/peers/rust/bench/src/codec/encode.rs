//! Encoding: messages into the buffer that a server or a client writes to its socket.

use std::hint::black_box;

use bytes::{Buf, Bytes, BytesMut};
use rand::Rng;
use tokio_util::codec::Encoder as _;
use ws_frame::{FrameEncoder, MaskKeys, OpCode, WriteQueue};

use super::{Candidate, Timed};
use crate::clock::CpuTime;
use crate::wire::{self, Content};

/// What is encoded.
pub struct EncodeCase {
    pub name: &'static str,
    size: usize,
    client: bool,
}

/// The cases, small to large.
pub const CASES: &[EncodeCase] = &[
    EncodeCase { name: "encode server 16 B", size: 16, client: false },
    EncodeCase { name: "encode server 16 KiB", size: 16 * 1024, client: false },
    EncodeCase { name: "encode client 16 B", size: 16, client: true },
    EncodeCase { name: "encode client 1 MiB", size: 1024 * 1024, client: true },
];

/// An encoder that keeps its buffer; `drain` plays the socket that takes everything.
trait Encode {
    fn encode(&mut self, payload: &Bytes);
    /// Calls `sink` with everything encoded so far, in pieces, and forgets it.
    fn drain(&mut self, sink: &mut dyn FnMut(&[u8]));
}

/// Every candidate of a case, each checked once by unmasking what it wrote.
pub fn encoders(case: &'static EncodeCase) -> Vec<Result<Candidate, String>> {
    let client = case.client;
    vec![
        candidate("floor", case, move || Floor { client, key: 1, out: Vec::new() }),
        candidate("ours", case, move || Ours::new(client)),
        candidate("tungstenite", case, move || Tungstenite { client, out: Vec::new() }),
        candidate("fastwebsockets", case, move || Fastwebsockets::new(client)),
        candidate("sockudo", case, move || Sockudo { client, out: BytesMut::new() }),
        candidate("yawc", case, move || Yawc::new(client)),
    ]
}

fn candidate<E: Encode + 'static>(
    name: &'static str,
    case: &'static EncodeCase,
    new: impl Fn() -> E + 'static,
) -> Result<Candidate, String> {
    let payload = wire::payload(Content::Binary, case.size, 1);
    let mut written = Vec::new();
    let mut encoder = new();
    let shared = Bytes::from(payload.clone());
    for _ in 0..2 {
        encoder.encode(&shared);
    }
    encoder.drain(&mut |piece| written.extend_from_slice(piece));
    if !is_twice(&mut written, &payload, case.client) {
        return Err(format!("{name} encodes {} wrongly", case.name));
    }
    let corked = (16 * 1024 / case.size).clamp(1, 64);
    let fresh = move |place: usize| {
        let before: Vec<u8> = Vec::with_capacity(place);
        let mut memory = vec![0; place];
        memory.extend_from_slice(&payload);
        let payload = Bytes::from(memory).slice(place..);
        let mut encoder = new();
        let timed = move |passes: usize| {
            let start = CpuTime::now();
            for _ in 0..passes {
                for _ in 0..corked {
                    encoder.encode(black_box(&payload));
                }
                encoder.drain(&mut |piece| {
                    black_box(piece);
                });
            }
            let nanoseconds = start.elapsed();
            black_box(&before);
            Ok(nanoseconds / (passes * corked) as f64)
        };
        Box::new(timed) as Timed
    };
    Ok(Candidate { name, fresh: Box::new(fresh) })
}

/// Whether `written` is the payload in two frames.
fn is_twice(written: &mut [u8], payload: &[u8], client: bool) -> bool {
    let mut at = 0;
    for _ in 0..2 {
        let (mut header, len) = wire::server_header(wire::BINARY, payload.len());
        let Some(start) = written.get(at..at + len) else { return false };
        header[1] |= u8::from(client) << 7;
        if *start != header[..len] {
            return false;
        }
        at += len;
        let mut key = [0; 4];
        if client {
            key.copy_from_slice(&written[at..at + 4]);
            at += 4;
        }
        let Some(body) = written.get_mut(at..at + payload.len()) else { return false };
        wire::unmask(key, body);
        if *body != *payload {
            return false;
        }
        at += payload.len();
    }
    at == written.len()
}

/// A header and a copy, masked in place with a key that anyone could guess.
struct Floor {
    client: bool,
    key: u32,
    out: Vec<u8>,
}

impl Encode for Floor {
    fn encode(&mut self, payload: &Bytes) {
        if self.client {
            self.key = self.key.wrapping_mul(0x9e37_79b9).rotate_left(5);
            wire::client_frame(wire::BINARY, self.key.to_ne_bytes(), payload, &mut self.out);
        } else {
            wire::server_frame(wire::BINARY, payload, &mut self.out);
        }
    }

    fn drain(&mut self, sink: &mut dyn FnMut(&[u8])) {
        sink(&self.out);
        self.out.clear();
    }
}

/// `ws_frame::FrameEncoder`, with the key source of `ws-io`: small payloads as slices, as everywhere
/// where that is possible, large ones by reference.
struct Ours {
    encoder: FrameEncoder,
    queue: WriteQueue,
}

impl Ours {
    fn new(client: bool) -> Self {
        let keys = MaskKeys::from_fill(|keys| rand::rng().fill(keys));
        let encoder = if client { FrameEncoder::client(keys) } else { FrameEncoder::server() };
        Self { encoder, queue: WriteQueue::new() }
    }

    /// A function of its own, as in `ws-io`, where the small ones do not pass by here.
    #[inline(never)]
    fn encode_large(&mut self, payload: &Bytes) {
        self.encoder.encode(OpCode::Binary, true, 0, payload.clone(), &mut self.queue);
    }
}

impl Encode for Ours {
    fn encode(&mut self, payload: &Bytes) {
        let queue = &mut self.queue;
        if payload.len() <= FrameEncoder::COPY_LIMIT {
            self.encoder.encode_slice(OpCode::Binary, true, 0, payload, queue);
        } else {
            self.encode_large(payload);
        }
    }

    fn drain(&mut self, sink: &mut dyn FnMut(&[u8])) {
        while self.queue.has_remaining() {
            let piece = self.queue.chunk();
            let len = piece.len();
            sink(piece);
            self.queue.advance(len);
        }
    }
}

struct Tungstenite {
    client: bool,
    out: Vec<u8>,
}

impl Encode for Tungstenite {
    fn encode(&mut self, payload: &Bytes) {
        use tungstenite::protocol::frame::Frame;
        use tungstenite::protocol::frame::coding::{Data, OpCode};
        let mut frame = Frame::message(payload.clone(), OpCode::Data(Data::Binary), true);
        if self.client {
            frame.header_mut().mask = Some(rand::random());
        }
        frame.format(&mut self.out).expect("a vector takes everything");
    }

    fn drain(&mut self, sink: &mut dyn FnMut(&[u8])) {
        sink(&self.out);
        self.out.clear();
    }
}

/// `Frame::write` starts at the front of its buffer, so what it wrote is copied on.
struct Fastwebsockets {
    client: bool,
    frame: Vec<u8>,
    out: Vec<u8>,
}

impl Fastwebsockets {
    fn new(client: bool) -> Self {
        Self { client, frame: Vec::new(), out: Vec::new() }
    }
}

impl Encode for Fastwebsockets {
    fn encode(&mut self, payload: &Bytes) {
        let payload = fastwebsockets::Payload::Borrowed(payload);
        let mut frame = fastwebsockets::Frame::binary(payload);
        if self.client {
            frame.mask();
        }
        self.out.extend_from_slice(frame.write(&mut self.frame));
    }

    fn drain(&mut self, sink: &mut dyn FnMut(&[u8])) {
        sink(&self.out);
        self.out.clear();
    }
}

struct Sockudo {
    client: bool,
    out: BytesMut,
}

impl Encode for Sockudo {
    fn encode(&mut self, payload: &Bytes) {
        use sockudo_ws::frame::{OpCode, encode_frame};
        let key = self.client.then(sockudo_ws::mask::generate_mask);
        encode_frame(&mut self.out, OpCode::Binary, payload, true, key);
    }

    fn drain(&mut self, sink: &mut dyn FnMut(&[u8])) {
        sink(&self.out);
        self.out.clear();
    }
}

struct Yawc {
    encoder: yawc::codec::Encoder,
    out: BytesMut,
}

impl Yawc {
    fn new(client: bool) -> Self {
        let role = if client { yawc::Role::Client } else { yawc::Role::Server };
        Self { encoder: yawc::codec::Encoder::new(role), out: BytesMut::new() }
    }
}

impl Encode for Yawc {
    fn encode(&mut self, payload: &Bytes) {
        let frame = yawc::Frame::binary(payload.clone());
        self.encoder.encode(frame, &mut self.out).expect("memory takes everything");
    }

    fn drain(&mut self, sink: &mut dyn FnMut(&[u8])) {
        sink(&self.out);
        self.out.clear();
    }
}
