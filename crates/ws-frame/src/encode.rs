//! From messages to frames: the header, and for a client the mask.

use alloc::boxed::Box;

use bytes::{Bytes, BytesMut};

use crate::header;
use crate::mask::{mask, mask_short, masked_copy};
use crate::{FrameHeader, MaskKeys, OpCode, WriteQueue};

/// The headers of so many large frames share an allocation.
const HEADERS: usize = 16;

/// Appends frames to a [`WriteQueue`].
#[derive(Debug)]
pub struct FrameEncoder {
    /// In a box, because a server has none.
    keys: Option<Box<MaskKeys>>,
}

impl FrameEncoder {
    /// Payloads up to this many bytes are copied behind their header, larger ones are chained: a
    /// copy of this size costs less than a further piece in a vectored write.
    pub const COPY_LIMIT: usize = 2048;

    /// An encoder for a server: nothing is masked (RFC 6455 §5.1).
    #[must_use]
    pub const fn server() -> Self {
        Self { keys: None }
    }

    /// An encoder for a client: every frame is masked with a key of its own.
    #[must_use]
    pub fn client(keys: MaskKeys) -> Self {
        Self { keys: Some(Box::new(keys)) }
    }

    /// Appends one frame. A payload of at most 2 KiB is copied behind its header. A larger one is
    /// queued as it is; when it must be masked, in place if nobody else holds its memory, otherwise
    /// in a copy.
    ///
    /// The caller answers for the rules between frames, for control frames of at most 125 bytes,
    /// and for `reserved` (RSV1 = 4, RSV2 = 2, RSV3 = 1).
    #[inline]
    pub fn encode(
        &mut self,
        opcode: OpCode,
        fin: bool,
        reserved: u8,
        payload: Bytes,
        queue: &mut WriteQueue,
    ) {
        if payload.len() <= Self::COPY_LIMIT {
            return self.encode_slice(opcode, fin, reserved, &payload, queue);
        }
        let (first, key) = (header::first(opcode, fin, reserved), self.next_key());
        queue.append(|tail| {
            if tail.capacity() - tail.len() < FrameHeader::MAX_LEN {
                tail.reserve(HEADERS * FrameHeader::MAX_LEN);
            }
            header::put(first, key, payload.len() as u64, tail);
        });
        match key {
            None => queue.push(payload),
            Some(key) => queue.push(masked(key, payload)),
        }
    }

    /// As [`encode`](Self::encode), and always copies the payload.
    #[inline]
    pub fn encode_slice(
        &mut self,
        opcode: OpCode,
        fin: bool,
        reserved: u8,
        payload: &[u8],
        queue: &mut WriteQueue,
    ) {
        let key = self.next_key();
        let first = header::first(opcode, fin, reserved);
        if payload.len() <= SHORT {
            return queue.append(|tail| put_short(first, key, payload, tail));
        }
        queue.append(|tail| put_frame(first, key, payload, tail));
    }

    #[inline]
    fn next_key(&mut self) -> Option<[u8; 4]> {
        self.keys.as_mut().map(|keys| keys.next_key())
    }
}

/// A payload of at most so many bytes passes through registers together with its header.
const SHORT: usize = 16;

/// The frame of a short payload, put together in three words that are appended as one: the length of the
/// tail goes through memory once, and nothing calls for a copy of so few bytes.
#[inline(always)]
fn put_short(first: u8, key: Option<[u8; 4]>, payload: &[u8], tail: &mut BytesMut) {
    let len = payload.len();
    let (mut low, mut high) = words(payload);
    let header = u64::from(first) | (len as u64) << 8;
    let (header_len, frame) = match key {
        None => (2, [header | low << 16, low >> 48 | high << 16, high >> 48]),
        Some(key) => {
            let key = u64::from(u32::from_le_bytes(key));
            let pair = key | key << 32;
            low ^= pair;
            high ^= pair;
            let header = header | 0x8000 | key << 16;
            (6, [header | low << 48, low >> 16 | high << 48, high >> 16])
        }
    };
    let end = tail.len() + header_len + len;
    tail.extend_from_slice(frame.map(u64::to_le_bytes).as_flattened());
    tail.truncate(end);
}

/// At most 16 bytes as two words, the first byte lowest. Of more than eight the last eight are read at
/// once, some of them for the second time, and of more than three the last four: no loop, no copy.
#[inline(always)]
fn words(bytes: &[u8]) -> (u64, u64) {
    let bits = 8 * bytes.len();
    if bits > 64
        && let (Some(head), Some(tail)) = (bytes.first_chunk(), bytes.last_chunk())
    {
        return (u64::from_le_bytes(*head), u64::from_le_bytes(*tail) >> (128 - bits));
    }
    if let (Some(head), Some(tail)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let [head, tail] = [*head, *tail].map(|half| u64::from(u32::from_le_bytes(half)));
        return (head | tail << (bits - 32), 0);
    }
    (bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)), 0)
}

/// What it takes fits into registers: nothing that was just written has to be read.
#[inline(never)]
fn put_frame(first: u8, key: Option<[u8; 4]>, payload: &[u8], tail: &mut BytesMut) {
    tail.reserve(FrameHeader::MAX_LEN + payload.len());
    header::put(first, key, payload.len() as u64, tail);
    let from = tail.len();
    tail.extend_from_slice(payload);
    if let Some(key) = key
        && let Some(copy) = tail.get_mut(from..)
    {
        match copy.len() {
            // The shortest do not gain from wide blocks.
            ..126 => mask_short(key, copy),
            _ => mask(key, 0, copy),
        }
    }
}

/// The payload masked: in place when it is ours alone. The application cannot reach the bytes any
/// more after that, so it cannot choose what goes out under a key it has seen (RFC 6455 §10.3).
fn masked(key: [u8; 4], payload: Bytes) -> Bytes {
    match payload.try_into_mut() {
        Ok(mut own) => {
            mask(key, 0, &mut own);
            own.freeze()
        }
        Err(shared) => masked_copy(key, &shared).into(),
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::vec;
    use alloc::vec::Vec;

    use bytes::Buf;

    use super::*;
    use crate::{FrameDecoder, Limits, Role};

    fn counting_keys() -> MaskKeys {
        let mut n = 0_u32;
        MaskKeys::new(move || {
            n += 0x0101_0307;
            n.to_be_bytes()
        })
    }

    // RFC: WS-5.1-01, WS-5.1-03, WS-5.2-04
    #[test]
    fn what_is_encoded_is_decoded_by_the_other_side() {
        let short = 0..=SHORT + 1;
        for len in short.chain([125, 126, 2048, 2049, 65_535, 65_536, 100_000]) {
            for shared in [false, true] {
                let data: Vec<u8> = (0..=255).cycle().take(len).collect();
                let sides = [
                    (FrameEncoder::server(), Role::Client, false),
                    (FrameEncoder::client(counting_keys()), Role::Server, true),
                ];
                for (mut encoder, reader, is_masked) in sides {
                    let payload = Bytes::from(data.clone());
                    let _other = shared.then(|| payload.clone());
                    let mut queue = WriteQueue::new();
                    encoder.encode(OpCode::Binary, true, 0, payload, &mut queue);
                    let total = queue.len();
                    let mut wire = BytesMut::from(&queue.copy_to_bytes(total)[..]);
                    let mut decoder = FrameDecoder::new(reader, &Limits::default());
                    let frame = decoder.decode(&mut wire).unwrap().expect("a whole frame");
                    assert_eq!(frame.payload, data);
                    assert_eq!(frame.header.mask.is_some(), is_masked);
                }
            }
        }
    }

    #[test]
    fn a_server_sends_a_large_payload_without_a_copy() {
        let payload = Bytes::from(vec![1; 4096]);
        let mut queue = WriteQueue::new();
        FrameEncoder::server().encode(OpCode::Binary, true, 0, payload.clone(), &mut queue);
        queue.advance(4);
        assert_eq!(queue.chunk().as_ptr(), payload.as_ptr());
    }

    // RFC: WS-10.3-02
    // THREAT: mask-poisoning
    #[test]
    fn a_client_masks_its_own_memory_in_place_and_leaves_shared_memory_alone() {
        let own = Bytes::from(vec![1; 4096]);
        let at = own.as_ptr();
        let mut encoder = FrameEncoder::client(counting_keys());
        let mut queue = WriteQueue::new();
        encoder.encode(OpCode::Binary, true, 0, own, &mut queue);
        queue.advance(8);
        assert_eq!(queue.chunk().as_ptr(), at);

        let shared = Bytes::from(vec![1; 4096]);
        let mut queue = WriteQueue::new();
        encoder.encode(OpCode::Binary, true, 0, shared.clone(), &mut queue);
        assert!(shared.iter().all(|byte| *byte == 1));
    }

    // RFC: WS-5.3-01
    // THREAT: predictable-masks
    #[test]
    fn every_frame_has_a_key_of_its_own() {
        let mut encoder = FrameEncoder::client(counting_keys());
        let mut queue = WriteQueue::new();
        // More than the keys that are fetched at a time.
        for _ in 0..100 {
            encoder.encode(OpCode::Text, true, 0, Bytes::from_static(b"x"), &mut queue);
        }
        let wire = queue.copy_to_bytes(700);
        let keys: BTreeSet<&[u8]> = wire.chunks(7).map(|frame| &frame[2..6]).collect();
        assert_eq!(keys.len(), 100);
    }
}
