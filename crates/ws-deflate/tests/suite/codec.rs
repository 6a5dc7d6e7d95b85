//! What is compressed is inflated: under every parameter set, cut anywhere, and by a reference.

use crate::reference::{Reference, deflate, inflate, json, noise};
use bytes::BytesMut;
use proptest::prelude::*;
use ws_deflate::{Config, Deflater, InflateLimits, Inflater, SharedMessage, client, server};

// RFC: PMD-7.2.1-05, PMD-7.2.1-08, PMD-7.2.1-09, PMD-7.2.2-03
#[test]
fn no_distance_leaves_the_window_agreed_on() {
    for window_bits in 9..=15 {
        for level in [1, 2, 3, 6, 9] {
            let mut deflater = Deflater::new(window_bits, true, level);
            let mut inflater = Inflater::new(window_bits, true);
            let mut peer = Reference::default();
            // Noise that repeats at just less and just more than the window, and text.
            let window = 1 << window_bits;
            let near = noise(window - 300, 1);
            let far = noise(window + 300, 2);
            let text = json(20_000, 3);
            for message in [&near, &near, &far, &far, &text, &text] {
                let payload = deflate(&mut deflater, message);
                assert_eq!(peer.inflate(&payload).as_ref(), Some(message));
                assert_eq!(&inflate(&mut inflater, &payload, 1_000).unwrap(), message);
            }
            assert!(peer.max_distance <= window, "{window_bits} bits, level {level}");
            if level == 6 {
                // A backend that ignores the window, or halves it, would not come this close.
                assert!(peer.max_distance >= window - 300, "{window_bits}: {}", peer.max_distance);
            }
        }
    }
}

// RFC: PMD-5-11, PMD-7.2.1-06, PMD-7.2.1-07, PMD-7.2.1-08, PMD-7.2.1-09, PMD-5-04
#[test]
fn what_was_agreed_is_what_both_sides_do() {
    for (takeover, bits) in [(true, 15), (false, 15), (true, 9), (false, 9)] {
        let config = Config::default()
            .server_no_context_takeover(!takeover)
            .client_no_context_takeover(!takeover)
            .server_max_window_bits(bits)
            .client_max_window_bits(Some(bits));
        let (at_server, answer) =
            server::negotiate(&config, &[client::offer(&config)]).expect("acceptable");
        let at_client = client::accept(&config, &answer).expect("a fitting answer");
        for (sender, receiver) in [(at_client, at_server), (at_server, at_client)] {
            let mut deflater = sender.deflater(&config).expect("a window of 9 bits or more");
            let mut inflater = receiver.inflater();
            let mut peer = Reference::default();
            // Repeats from beyond the smaller window, and from within it.
            let (far, near) = (noise(1_000, 1).repeat(2), noise(200, 2));
            let sizes = [&far, &near, &near].map(|message| {
                let payload = deflate(&mut deflater, message);
                assert_eq!(peer.inflate(&payload).as_ref(), Some(message));
                assert_eq!(&inflate(&mut inflater, &payload, 100).unwrap(), message);
                payload.len()
            });
            assert!(peer.max_distance <= 1 << bits, "{}", peer.max_distance);
            assert_eq!((sizes[0] < 1_500, sizes[2] < 100), (bits == 15, takeover), "{sizes:?}");
            assert_eq!((deflater.holds_context(), inflater.holds_context()), (takeover, takeover));
            inflater.release();
            assert_eq!(
                inflater.held(),
                if takeover { (far.len() + 400).min(1 << bits) } else { 0 }
            );
        }
    }
}

#[test]
fn larger_windows_compress_what_repeats_from_afar() {
    let message = noise(3_700, 1).repeat(2);
    let sizes = [9, 11, 12, 15].map(|bits| deflate(&mut Deflater::new(bits, false, 6), &message));
    let [small, half, enough, full] = sizes.map(|payload| payload.len());
    assert!(small > 7_000 && half > 7_000 && enough < 4_000 && full < 4_000);
}

// RFC: PMD-7.2.2-02
#[test]
fn takeover_makes_the_second_message_small() {
    let message = json(1_000, 1);
    let mut takeover = Deflater::new(15, true, 6);
    let first = deflate(&mut takeover, &message).len();
    assert!(deflate(&mut takeover, &message).len() * 10 < first);
    let mut fresh = Deflater::new(15, false, 6);
    assert_eq!(deflate(&mut fresh, &message).len(), first);
    assert_eq!(deflate(&mut fresh, &message).len(), first);
}

// RFC: PMD-7.2.1-02, PMD-7.2.1-03
#[test]
fn a_final_block_in_any_place_does_not_disturb_the_window() {
    let (one, two, three) = (json(30_000, 1), json(5_000, 2), json(5_000, 1));
    let mut deflater = Deflater::new(15, true, 6);
    let payloads = [&one, &two, &three].map(|message| deflate(&mut deflater, message));
    // Two empty final blocks, and the rest of the padding, after a whole block.
    let ending = [&[0x00, 0x00, 0xff, 0xff, 0x03, 0x00, 0x03, 0x00][..], &[0x00]].concat();
    for (before, piece) in [(0, 1), (1, 7), (2, 1_000_000)] {
        let mut inflater = Inflater::new(15, true);
        for (index, (payload, message)) in payloads.iter().zip([&one, &two, &three]).enumerate() {
            let mut payload = payload.to_vec();
            if index == before {
                payload.extend_from_slice(&ending);
            }
            assert_eq!(&inflate(&mut inflater, &payload, piece).unwrap(), message);
        }
    }
}

#[test]
fn releasing_costs_the_compressor_its_history_and_the_inflater_nothing() {
    let mut deflater = Deflater::new(12, true, 6);
    let mut inflater = Inflater::new(12, true);
    let mut peer = Reference::default();
    for round in 0..40 {
        let message = json(700 + round, 5);
        let payload = deflate(&mut deflater, &message);
        assert_eq!(peer.inflate(&payload).as_ref(), Some(&message));
        assert_eq!(inflate(&mut inflater, &payload, 100).unwrap(), message);
        if round % 3 == 0 {
            inflater.release();
            assert!(!inflater.holds_context());
        }
        if round % 5 == 0 {
            deflater.release();
            assert!(!deflater.holds_context());
        }
    }
}

// THREAT: length-arithmetic
#[test]
fn a_context_is_renewed_long_before_its_counters_end() {
    let text = json(3_000, 2);
    let long = [noise(8 * 1024 * 1024, 1), text.clone()].concat();
    let mut deflater = Deflater::new(15, true, 1);
    let mut inflater = Inflater::new(15, true);
    let (mut forgotten, mut given_back) = (0, 0);
    for _ in 0..9 {
        for message in [&long, &text] {
            let payload = deflate(&mut deflater, message);
            // With its history the text is one match after another.
            forgotten += usize::from(message.len() == text.len() && payload.len() > 200);
            assert!(inflate(&mut inflater, &payload, usize::MAX).as_ref() == Ok(message));
            given_back += usize::from(!inflater.holds_context());
        }
    }
    assert_eq!((forgotten, given_back), (1, 1));
}

#[test]
fn nothing_is_released_in_the_middle_of_a_message() {
    let mut deflater = Deflater::new(15, true, 6);
    let mut out = BytesMut::new();
    deflater.compress(&json(500, 1), false, &mut out);
    deflater.release();
    assert!(deflater.holds_context());
    let shared = SharedMessage::compress(b"news", 15, 6);
    assert_eq!(deflater.adopt(&shared), None);
    let mut inflater = Inflater::new(15, false);
    inflater.inflate(&out, &mut BytesMut::new(), &InflateLimits::default()).unwrap();
    inflater.release();
    assert!(inflater.holds_context());
}

// RFC: PMD-7.2.1-06, PMD-7.2.1-07
// THREAT: compression-oracle
#[test]
fn without_takeover_no_context_is_held_between_messages() {
    let mut deflater = Deflater::new(15, false, 6);
    let mut inflater = Inflater::new(15, false);
    let payload = deflate(&mut deflater, &json(5_000, 1));
    assert!(!deflater.holds_context());
    assert_eq!(inflate(&mut inflater, &payload, 9).unwrap(), json(5_000, 1));
    assert!(!inflater.holds_context());
}

#[test]
fn a_shared_message_fits_between_any_two_of_ours() {
    for (takeover, bits) in [(true, 15), (true, 11), (false, 15)] {
        let mut deflater = Deflater::new(bits, takeover, 6);
        let mut inflater = Inflater::new(bits, takeover);
        let mut peer = Reference::default();
        let news = json(3_000, 9);
        let shared = SharedMessage::compress(&news, 11, 6);
        for round in 0..6 {
            // Our own messages repeat the news and each other, to tempt the compressor.
            let own = [&news[..1_000], &json(2_000, round)].concat();
            let payload = deflate(&mut deflater, &own);
            assert_eq!(inflate(&mut inflater, &payload, 64).unwrap(), own);
            assert_eq!(peer.inflate(&payload), Some(own));
            let payload = deflater.adopt(&shared).expect("the window is large enough");
            assert_eq!(inflate(&mut inflater, &payload, 64).unwrap(), news);
            assert_eq!(peer.inflate(&payload).as_ref(), Some(&news));
        }
        assert!(peer.max_distance <= 1 << bits);
    }
    let wide = SharedMessage::compress(b"wide", 12, 6);
    assert_eq!(Deflater::new(11, true, 6).adopt(&wide), None);
}

#[test]
fn what_does_not_compress_grows_by_a_bounded_amount() {
    for level in [0, 1, 6, 9] {
        for len in [1, 2, 100, 16_383, 16_384, 65_535, 65_536, 1_000_000] {
            let payload = deflate(&mut Deflater::new(15, true, level), &noise(len, 7));
            assert!(payload.len() <= len + len / 8 + 64, "level {level}, {len} bytes");
        }
    }
}

// RFC: PMD-7.2.2-01
// THREAT: inflate-limit-in-pieces
#[test]
fn every_cut_gives_the_same_result() {
    let messages = [json(900, 1), noise(300, 2), vec![b'x'; 20_000], json(2_000, 1)];
    let mut deflater = Deflater::new(13, true, 6);
    let payloads: Vec<_> = messages.iter().map(|message| deflate(&mut deflater, message)).collect();
    let longest = payloads.iter().map(|payload| payload.len()).max().unwrap();
    for cut in 0..=longest {
        let mut inflater = Inflater::new(13, true);
        for (payload, message) in payloads.iter().zip(&messages) {
            let limits = InflateLimits::default();
            let mut out = BytesMut::new();
            let (head, tail) = payload.split_at(cut.min(payload.len()));
            inflater.inflate(head, &mut out, &limits).unwrap();
            inflater.inflate(tail, &mut out, &limits).unwrap();
            inflater.finish(&limits).unwrap();
            assert_eq!(&out, message, "cut at {cut}");
        }
    }
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (0..6_000_usize, 0..4_u64).prop_map(|(len, seed)| json(len, seed)),
        (0..6_000_usize, 0..4_u64).prop_map(|(len, seed)| noise(len, seed)),
        (0..100_000_usize, any::<u8>()).prop_map(|(len, byte)| vec![byte; len]),
        proptest::collection::vec(any::<u8>(), 0..40),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    // RFC: PMD-6.2-01, PMD-7.2.1-01, PMD-7.2.1-04, PMD-7.2.2-01
    #[test]
    fn inflating_what_was_compressed_is_identity(
        messages in proptest::collection::vec((message(), 1..5_usize, any::<bool>()), 1..6),
        window_bits in 9..=15_u8,
        takeover: bool,
        level in 0..=9_u8,
        piece in prop_oneof![Just(1_usize), 2..50_usize, Just(usize::MAX)],
    ) {
        let mut deflater = Deflater::new(window_bits, takeover, level);
        let mut inflater = Inflater::new(window_bits, takeover);
        let mut peer = Reference::default();
        for (message, fragments, release) in messages {
            let mut payload = BytesMut::new();
            let mut left = fragments;
            for fragment in message.chunks(message.len() / fragments + 1) {
                left -= 1;
                deflater.compress(fragment, left == 0, &mut payload);
            }
            for last in (0..left).rev() {
                deflater.compress(b"", last == 0, &mut payload);
            }
            prop_assert_eq!(&inflate(&mut inflater, &payload, piece).unwrap(), &message);
            prop_assert_eq!(peer.inflate(&payload), Some(message));
            prop_assert!(peer.max_distance <= 1 << window_bits);
            if release {
                deflater.release();
                inflater.release();
            }
        }
    }
}
