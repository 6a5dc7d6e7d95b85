//! `ws-frame` alone.

use std::hint::black_box;

use bytes::{Buf, Bytes, BytesMut};
use ws_frame::{FrameEncoder, Limits, MaskKeys, MessageDecoder, OpCode, Role, WriteQueue};

use crate::{Case, script};

/// Messages in one read.
const BATCH: usize = 16;

/// Decodes batches of masked frames; the copy into the buffer is counted in.
pub fn decode(size: usize, text: bool) -> Case {
    let wire = script::frames(size, text, BATCH);
    let mut decoder = MessageDecoder::new(Role::Server, &Limits::default());
    let mut received = BytesMut::new();
    Box::new(move |count| {
        for _ in 0..count.div_ceil(BATCH) {
            received.extend_from_slice(black_box(&wire));
            let mut seen = 0;
            while let Some(message) = decoder.decode(&mut received).expect("valid frames") {
                seen += usize::from(black_box(&message).payload().len() == size);
            }
            assert_eq!(seen, BATCH, "every message of a batch is decoded");
        }
        Vec::new()
    })
}

/// Encodes batches of messages into one queue, and empties it.
pub fn encode(size: usize, client: bool) -> Case {
    let payload = Bytes::from(vec![7; size]);
    let mut key = 1_u32;
    let keys = MaskKeys::from_fill(move |keys| {
        for byte in keys {
            key = key.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = (key >> 24) as u8;
        }
    });
    let mut encoder = if client { FrameEncoder::client(keys) } else { FrameEncoder::server() };
    let mut queue = WriteQueue::new();
    Box::new(move |count| {
        for _ in 0..count.div_ceil(BATCH) {
            for _ in 0..BATCH {
                encoder.encode(OpCode::Binary, true, 0, black_box(&payload).clone(), &mut queue);
            }
            while queue.has_remaining() {
                let len = black_box(queue.chunk()).len();
                queue.advance(len);
            }
        }
        Vec::new()
    })
}
