//! What peers with bad intentions send: bombs, empty blocks, restarts, stumps and garbage.

use bytes::{BufMut, BytesMut};
use proptest::prelude::*;
use ws_deflate::{Corruption, Deflater, Error, InflateLimits, Inflater};

use crate::reference::{Reference, deflate, inflate, json, noise};

/// What a message in `pieces` comes to, and the buffer it came to.
fn run(payload: &[u8], piece: usize, limits: &InflateLimits) -> (Result<(), Error>, BytesMut) {
    let mut inflater = Inflater::new(15, false);
    let mut out = BytesMut::new();
    for piece in payload.chunks(piece) {
        if let Err(error) = inflater.inflate(piece, &mut out, limits) {
            return (Err(error), out);
        }
    }
    (inflater.finish(limits), out)
}

fn bomb(len: usize) -> BytesMut {
    deflate(&mut Deflater::new(15, false, 9), &vec![0; len])
}

const NO_RATIO: u32 = u32::MAX;
const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

// RFC: PMD-EXT-01
// THREAT: inflate-bomb
#[test]
fn a_bomb_is_stopped_at_the_limit_with_little_memory() {
    let bomb = bomb(256 * MIB);
    assert!(bomb.len() < 270 * KIB);
    for max in [0, 1, 1_000, 100 * KIB, MIB, MIB + 1, 5 * MIB, 12_345_678] {
        for piece in [1_000, 4_096, usize::MAX] {
            let limits = InflateLimits::new(max).ratio(NO_RATIO, 0);
            let (result, out) = run(&bomb, piece, &limits);
            assert_eq!(result, Err(Error::InflateTooBig { max }));
            assert_eq!(out.len(), max);
            assert!(out.capacity() <= max + 64 * KIB, "{} for {max}", out.capacity());
        }
    }
    let error = Error::InflateTooBig { max: 5 };
    assert_eq!((error.reason(), error.close_code()), ("inflate_too_big", 1009));
    assert_eq!(error.to_string(), "message inflates to more than the 5 bytes allowed");
}

// RFC: PMD-EXT-01
// THREAT: inflate-bomb
#[test]
fn a_bomb_of_many_fragments_is_stopped_all_the_same() {
    let mut deflater = Deflater::new(15, true, 9);
    let mut inflater = Inflater::new(15, true);
    let limits = InflateLimits::new(MIB).ratio(NO_RATIO, 0);
    let mut taken = 0;
    loop {
        let mut fragment = BytesMut::new();
        deflater.compress(&[0; 100_000], false, &mut fragment);
        // The caller may take away what has been inflated; the limit is on the message.
        let mut out = BytesMut::new();
        let result = inflater.inflate(&fragment, &mut out, &limits);
        taken += out.len();
        if result.is_err() {
            assert_eq!(result, Err(Error::InflateTooBig { max: MIB }));
            break;
        }
    }
    assert_eq!(taken, MIB);
}

// THREAT: inflate-limit-in-pieces
#[test]
fn exactly_the_limit_is_allowed() {
    for len in [0, 1, 1_000, 16 * KIB, 16 * KIB + 1, 100_000] {
        for message in [json(len, 1), noise(len, 1), vec![7; len]] {
            let payload = deflate(&mut Deflater::new(15, false, 6), &message);
            let (result, out) = run(&payload, 100, &InflateLimits::new(len));
            assert_eq!((result, &out[..]), (Ok(()), &message[..]));
            if let Some(max) = len.checked_sub(1) {
                let (result, out) = run(&payload, 100, &InflateLimits::new(max));
                assert_eq!((result, out.len()), (Err(Error::InflateTooBig { max }), max));
            }
        }
    }
}

// RFC: PMD-EXT-01
// THREAT: inflate-bomb
#[test]
fn what_is_too_dense_is_stopped_above_the_floor() {
    let payload = bomb(8 * MIB);
    for piece in [1, 10, 100, 1_000, usize::MAX] {
        let (result, out) = run(&payload, piece, &InflateLimits::default());
        let Err(error @ Error::InflateRatioTooHigh { max: 200, .. }) = result else {
            panic!("{result:?}");
        };
        assert_eq!((error.reason(), error.close_code()), ("inflate_too_big", 1009));
        assert_eq!(out.len(), MIB + 64 * KIB);

        let strict = InflateLimits::default().ratio(200, 64 * KIB);
        assert_eq!(run(&payload, piece, &strict).1.len(), 128 * KIB);
    }
    // Below the floor anything goes: a megabyte of zeros is a message people send.
    let (result, out) = run(&bomb(MIB), 100, &InflateLimits::default());
    assert_eq!((result, out.len()), (Ok(()), MIB));
    let (result, _) = run(&bomb(64 * KIB), 100, &InflateLimits::default().ratio(0, 64 * KIB - 1));
    assert!(matches!(result, Err(Error::InflateRatioTooHigh { max: 0, .. })));
    // And above it, anything that people send.
    let text = deflate(&mut Deflater::new(15, false, 9), &json(4 * MIB, 1));
    assert_eq!(run(&text, 1_000, &InflateLimits::default()).0, Ok(()));
}

// THREAT: empty-blocks
#[test]
fn endless_empty_blocks_are_cut() {
    for block in [&[0x00, 0x00, 0x00, 0xff, 0xff][..], &[0x02, 0x00, 0x00, 0x00, 0xff, 0xff]] {
        let flood = block.repeat(100_000);
        for piece in [1, 1_000, usize::MAX] {
            let (result, out) = run(&flood, piece, &InflateLimits::default());
            assert_eq!(result, Err(Error::BadDeflate(Corruption::Fruitless)));
            assert!(out.is_empty());
        }
        // Some are nothing to be upset about.
        let mut some = block.repeat(1_000);
        some.push(0x00);
        assert_eq!(run(&some, 100, &InflateLimits::default()).0, Ok(()));
    }
}

// THREAT: endless-loop
#[test]
fn endless_restarts_are_cut() {
    for takeover in [true, false] {
        let mut inflater = Inflater::new(15, takeover);
        let first = deflate(&mut Deflater::new(15, true, 6), &noise(64 * KIB, 1));
        assert!(inflate(&mut inflater, &first, usize::MAX).is_ok());
        // A final block with one literal, over and over: each copies a window.
        let flood = [0x4b, 0x04, 0x00].repeat(10_000);
        let flood = inflate(&mut inflater, &flood, 1_000);
        assert_eq!(flood, Err(Error::BadDeflate(Corruption::TooManyRestarts)));
    }
    let mut some = [0x4b, 0x04, 0x00].repeat(250);
    some.push(0x00);
    assert_eq!(inflate(&mut Inflater::new(15, true), &some, 10), Ok(vec![b'a'; 250]));
    // What they yield earns further ones: final blocks, stored, of 300 bytes.
    let block = [&[0x01, 0x2c, 0x01, 0xd3, 0xfe][..], &[b'a'; 300]].concat();
    let mut many = block.repeat(1_000);
    many.push(0x00);
    assert!(inflate(&mut Inflater::new(15, true), &many, 1_000) == Ok(vec![b'a'; 300_000]));
}

#[test]
fn a_message_that_was_flushed_at_every_byte_is_no_attack() {
    let message = noise(20_000, 1);
    let (mut deflater, mut payload) = (Deflater::new(15, true, 6), BytesMut::new());
    for (at, byte) in message.iter().enumerate() {
        deflater.compress(&[*byte], at + 1 == message.len(), &mut payload);
    }
    assert!(payload.len() > 120_000, "{}", payload.len());
    assert!(inflate(&mut Inflater::new(15, true), &payload, 1_000) == Ok(message));
}

/// A message of several blocks, with stumps of every kind.
fn many_blocks() -> (Vec<Vec<u8>>, Vec<u8>) {
    let mut deflater = Deflater::new(15, true, 6);
    let warm = json(3_000, 4);
    let payload = deflate(&mut deflater, &warm).to_vec();
    let mut many = BytesMut::new();
    let parts = [json(800, 1), noise(100, 2), json(90, 3), b"Hello".to_vec(), json(2_000, 5)];
    for (index, part) in parts.iter().enumerate() {
        deflater.compress(part, index + 1 == parts.len(), &mut many);
    }
    (vec![warm, payload], many.to_vec())
}

#[test]
fn every_stump_of_a_message_is_noticed() {
    let (warm, payload) = many_blocks();
    let mut noticed = 0;
    for end in 1..=payload.len() {
        let stump = &payload[..end];
        let mut by_the_book = Reference::default();
        by_the_book.inflate(&warm[1]).unwrap();
        let expected = by_the_book.inflate(stump);
        for takeover in [true, false] {
            for piece in [1, 3, 5, usize::MAX] {
                let mut inflater = Inflater::new(15, takeover);
                let stump = if takeover {
                    assert_eq!(inflate(&mut inflater, &warm[1], 99).unwrap(), warm[0]);
                    stump.to_vec()
                } else {
                    [&warm[1][..], &[0x00, 0x00, 0xff, 0xff], stump].concat()
                };
                match inflate(&mut inflater, &stump, piece) {
                    Ok(out) => assert!(out.ends_with(expected.as_ref().expect("a stump"))),
                    Err(error) => {
                        assert_eq!(error, Error::BadDeflate(Corruption::Truncated));
                        assert_eq!(expected, None, "{end} of {}", payload.len());
                        noticed += 1;
                    }
                }
            }
        }
    }
    assert!(noticed > payload.len() * 7);
}

#[test]
fn a_message_of_no_bytes_at_all_is_taken_for_empty() {
    for takeover in [true, false] {
        let mut inflater = Inflater::new(15, takeover);
        let payload = deflate(&mut Deflater::new(15, true, 6), b"Hello");
        for (payload, message) in [(&[][..], &b""[..]), (&payload[..], b"Hello"), (&[], b"")] {
            assert_eq!(inflate(&mut inflater, payload, 10).unwrap(), message);
        }
    }
}

/// Blocks, whole and in part.
const BLOCKS: &[&[u8]] = &[
    &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
    &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
    &[0x00, 0x00, 0xff, 0xff],
    &[0x00],
    &[0x03, 0x00],
    &[0xf2, 0x00, 0x11, 0x00, 0x00],
    &[0x00, 0x01, 0x00, 0xfe, 0xff, 0x21],
    &[0x05],
];

/// Payloads of which some are nearly right.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let flipped =
        (0..3_000_usize, 0..8_u64, any::<usize>(), any::<u8>()).prop_map(|(len, seed, at, xor)| {
            let mut payload = deflate(&mut Deflater::new(15, false, 6), &json(len, seed)).to_vec();
            let at = at % payload.len();
            payload.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= xor);
            payload
        });
    let blocks = proptest::collection::vec(proptest::sample::select(BLOCKS), 0..8)
        .prop_map(|blocks| blocks.concat());
    prop_oneof![flipped, blocks, proptest::collection::vec(any::<u8>(), 0..64)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    // RFC: PMD-7.2.1-02, PMD-7.2.2-01
    #[test]
    fn the_reference_agrees_on_garbage_however_it_is_cut(
        payload in garbage(),
        piece in 1..40_usize,
        takeover: bool,
    ) {
        let ours = inflate(&mut Inflater::new(15, takeover), &payload, usize::MAX);
        let cut = inflate(&mut Inflater::new(15, takeover), &payload, piece);
        prop_assert_eq!(&ours, &cut);
        if !payload.is_empty() {
            prop_assert_eq!(ours.ok(), Reference::default().inflate(&payload));
        }
    }

    #[test]
    fn the_next_message_is_understood_after_any_that_was_accepted(payload in garbage()) {
        let mut inflater = Inflater::new(15, true);
        let mut peer = Reference::default();
        if let Ok(message) = inflate(&mut inflater, &payload, 50) {
            peer.inflate(&payload);
            // A distance of one reaches into the message before, if there is any.
            let mut next = BytesMut::new();
            next.put_slice(&[0x02, 0x01, 0x00, 0x00]);
            let next = inflate(&mut inflater, &next, 50).ok();
            if !payload.is_empty() {
                prop_assert_eq!(&next, &peer.inflate(&[0x02, 0x01, 0x00, 0x00]));
            }
            prop_assert!(next.is_none_or(|next| next.iter().all(|byte| message.ends_with(&[*byte]))));
        }
    }
}
