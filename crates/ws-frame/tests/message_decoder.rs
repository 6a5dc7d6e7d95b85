//! Bytes in, messages out: order of fragments, limits, UTF-8, at every cut.

use bytes::{Buf, Bytes, BytesMut};
use proptest::prelude::*;
use ws_frame::{
    CloseCode, CloseFrame, DataKind, Decoded, FrameEncoder, FrameError, Limits, MaskKeys, Message,
    MessageDecoder, OpCode, Role, Violation, WriteQueue,
};

type Found = (Vec<Message>, Option<FrameError>);

/// Decodes with the input cut into these pieces.
fn decode(pieces: &[&[u8]], limits: &Limits) -> Found {
    let mut decoder = MessageDecoder::new(Role::Client, limits);
    let mut src = BytesMut::new();
    let mut messages = Vec::new();
    for piece in pieces {
        src.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut src) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decoder.decode(&mut src), Err(error), "the error repeats");
                    return (messages, Some(error));
                }
            }
        }
    }
    (messages, None)
}

/// Decodes whole, byte by byte and at every single cut, and expects the same each time.
fn check(wire: &[u8], messages: &[Message], error: Option<FrameError>) {
    let limits =
        Limits::default().with_max_frame(1000).with_max_message(1500).with_max_fragments(4);
    let expected = (messages.to_vec(), error);
    assert_eq!(decode(&[wire], &limits), expected, "{wire:02x?} whole");
    let bytes: Vec<&[u8]> = wire.chunks(1).collect();
    assert_eq!(decode(&bytes, &limits), expected, "{wire:02x?} byte by byte");
    for cut in 0..wire.len() {
        let (head, tail) = wire.split_at(cut);
        assert_eq!(decode(&[head, tail], &limits), expected, "{wire:02x?} cut at {cut}");
    }
}

fn text(text: &str) -> Message {
    Message::text(text)
}

// RFC: WS-5.4-01, WS-5.4-02, WS-5.4-04, WS-5.4-07, WS-5.4-08, WS-5.4-09, WS-6.2-01
#[test]
fn fragments_become_one_message_with_control_frames_between() {
    check(b"\x81\x02hi\x82\x01\xff", &[text("hi"), Message::binary(vec![0xff])], None);
    check(b"\x01\x02he\x80\x03llo\x81\x00", &[text("hello"), text("")], None);
    check(b"\x01\x00\x00\x00\x80\x00", &[text("")], None);
    let ping = Message::Ping(Bytes::from_static(b"p"));
    check(b"\x01\x02he\x89\x01p\x80\x01y", &[ping, text("hey")], None);
    check(b"\x02\x01a\x00\x00\x80\x01b", &[Message::binary(&b"ab"[..])], None);
    // Nothing of a message is left for the next one.
    let second = b"\x01\x01a\x80\x01b\x02\x01c\x80\x01d\x81\x01e";
    check(second, &[text("ab"), Message::binary(&b"cd"[..]), text("e")], None);
}

// RFC: WS-5.4-05, WS-5.4-06
#[test]
fn fragments_out_of_order_are_refused_after_what_came_before() {
    let unexpected = Some(Violation::UnexpectedContinuation.into());
    let interleaved = Some(Violation::InterleavedMessage.into());
    check(b"\x80\x00", &[], unexpected);
    check(b"\x81\x01a\x00\x01b\x80\x00", &[text("a")], unexpected);
    check(b"\x01\x01a\x81\x01b", &[], interleaved);
    check(b"\x01\x01a\x02\x01b", &[], interleaved);
}

// THREAT: length-arithmetic
#[test]
fn a_length_with_its_top_bit_set_reads_the_same_however_much_of_it_is_here() {
    let violation = Some(Violation::LengthTopBit(0x80).into());
    check(b"\x82\x7f\x80\x00\x00\xb1\xb1\xb1\xb1\x00", &[], violation);
}

#[test]
fn nothing_is_decoded_behind_an_error() {
    let wrong: [(&[u8], FrameError); 3] = [
        (b"\x88\x02\x88\x03", FrameError::BadCloseCode(CloseCode::new(0x8803))),
        (b"\x88\x03\x03\xe8\xff", FrameError::InvalidUtf8),
        (b"\x83", Violation::UnknownOpcode(3).into()),
    ];
    for (wire, error) in wrong {
        let mut decoder = MessageDecoder::new(Role::Client, &Limits::default());
        let mut src = BytesMut::from(wire);
        assert_eq!(decoder.decode(&mut src), Err(error));
        src.clear();
        src.extend_from_slice(b"\x82\x02ab");
        assert_eq!(decoder.decode(&mut src), Err(error), "{wire:02x?}");
        assert_eq!(decoder.decode_chunk(&mut src, None), Err(error), "{wire:02x?}");
    }
}

// THREAT: length-arithmetic
#[test]
fn a_frame_that_cannot_come_next_is_refused_at_its_first_byte() {
    let mut decoder = MessageDecoder::new(Role::Client, &Limits::default());
    let unexpected = Err(Violation::UnexpectedContinuation.into());
    assert_eq!(decoder.decode(&mut BytesMut::from(&b"\x80"[..])), unexpected);
    let mut decoder = MessageDecoder::new(Role::Client, &Limits::default());
    let interleaved = Err(Violation::InterleavedMessage.into());
    assert_eq!(decoder.decode(&mut BytesMut::from(&b"\x01\x00\x82"[..])), interleaved);
}

// RFC: WS-8.1-01, WS-5.6-01
// THREAT: late-utf8
#[test]
fn text_that_is_not_utf8_fails_at_the_first_impossible_byte() {
    let invalid = Some(FrameError::InvalidUtf8);
    check(b"\x81\x01\xff", &[], invalid);
    check(b"\x81\x01\xce", &[], invalid);
    check(b"\x01\x01\xce\x80\x01\xba", &[text("\u{3ba}")], None);
    check(b"\x81\x04a\xce\xbaz", &[text("a\u{3ba}z")], None);
    check(b"\x01\x01\xce\x80\x00", &[], invalid);
    check(b"\x82\x01\xff", &[Message::binary(vec![0xff])], None);

    // RFC 6455 §8.1 does not ask for it, but a gigabyte of nonsense should not be waited for.
    let mut decoder = MessageDecoder::new(Role::Client, &Limits::default());
    let mut src = BytesMut::from(&b"\x81\x7e\x10\x00abc\xf4\x90"[..]);
    assert_eq!(decoder.decode(&mut src), Err(FrameError::InvalidUtf8));
}

// RFC: WS-10.4-01, WS-10.4-02
// THREAT: incomplete-frame
#[test]
fn a_message_over_a_limit_is_refused_when_its_size_is_known() {
    let declared = b"\x82\x7e\x03\xe9";
    check(declared, &[], Some(FrameError::MessageTooBig { size: 1001, max: 1000 }));
    let mut wire = b"\x02\x7e\x03\xe8".to_vec();
    wire.extend_from_slice(&[0; 1000]);
    wire.extend_from_slice(b"\x80\x7e\x01\xf5");
    let limits = Limits::default().with_max_frame(1000).with_max_message(1500);
    let expected = (vec![], Some(FrameError::MessageTooBig { size: 1501, max: 1500 }));
    assert_eq!(decode(&[&wire], &limits), expected);
}

// THREAT: incomplete-frame
#[test]
fn a_size_over_a_limit_is_not_waited_for_until_the_masking_key_comes() {
    let limits =
        Limits::default().with_max_frame(1000).with_max_message(1500).with_max_fragments(2);
    let small = Limits::default().with_max_frame(100);
    let big = |size, max| FrameError::MessageTooBig { size, max };
    // A first frame with a key of zeros, which leaves its payload as it is.
    let thousand = [b"\x02\xfe\x03\xe8\0\0\0\0", &[0; 1000][..]].concat();
    let empty = b"\x02\x80\0\0\0\0\x00\x80\0\0\0\0";
    let rows: [(&[u8], &[u8], &Limits, FrameError); 6] = [
        (b"", b"\x82\xe5", &small, big(101, 100)),
        (b"", b"\x82\xfe\x03\xe9", &limits, big(1001, 1000)),
        (b"", b"\x82\xff\0\0\0\0\0\x01\0\0", &limits, big(0x1_0000, 1000)),
        (b"\x89\x80\0\0\0\0", b"\x81\xfe\x03\xe9", &limits, big(1001, 1000)),
        (&thousand, b"\x80\xfe\x01\xf5", &limits, big(1501, 1500)),
        (empty, b"\x80\x80", &limits, FrameError::TooManyFragments { max: 2 }),
    ];
    for (before, header, limits, error) in rows {
        let mut decoder = MessageDecoder::new(Role::Server, limits);
        let mut src = BytesMut::from(before);
        while decoder.decode(&mut src).expect("nothing is wrong so far").is_some() {}
        src.extend_from_slice(&header[..header.len() - 1]);
        assert_eq!(decoder.decode(&mut src), Ok(None), "{header:02x?} without its last");
        src.extend_from_slice(&header[header.len() - 1..]);
        assert_eq!(decoder.decode(&mut src), Err(error), "{header:02x?}");
        // The same when it comes together with its key.
        let mut decoder = MessageDecoder::new(Role::Server, limits);
        let mut src = BytesMut::from(&[before, header, b"key!"].concat()[..]);
        let found = std::iter::repeat_with(|| decoder.decode(&mut src)).find_map(Result::err);
        assert_eq!(found, Some(error), "{header:02x?} whole");
    }
    // What is within all limits is waited for, a control frame too.
    for header in [&b"\x82\xfe\x03\xe8"[..], b"\x89\xfd"] {
        let mut decoder = MessageDecoder::new(Role::Server, &small.with_max_frame(1000));
        assert_eq!(decoder.decode(&mut BytesMut::from(header)), Ok(None));
        let mut decoder = MessageDecoder::new(Role::Server, &limits.with_max_message(1000));
        assert_eq!(decoder.decode(&mut BytesMut::from(header)), Ok(None));
    }
    // Between fragments, of which there can be no more.
    let mut decoder = MessageDecoder::new(Role::Server, &limits);
    assert_eq!(
        decoder.decode(&mut BytesMut::from(&[&empty[..], b"\x89\xfd"].concat()[..])),
        Ok(None)
    );
}

// THREAT: length-arithmetic
#[test]
fn a_length_beyond_32_bits_is_refused_whatever_the_width_of_a_usize() {
    // The largest limits that there are where a usize has 32 bits.
    let max = u32::MAX as usize;
    let limits = Limits::default().with_max_frame(max).with_max_message(max);
    for (start, before) in [(&b""[..], 0), (&b"\x02\x05first"[..], 5)] {
        for size in [(1 << 32) - before, (1 << 32) + 5, 1 << 40, (1 << 63) - 1] {
            let opcode = if before == 0 { b'\x82' } else { b'\x80' };
            let wire = [start, &[opcode, 127], &u64::to_be_bytes(size), b"more!"].concat();
            // A frame by itself, and what it adds to the message before it.
            let size = if size > u32::MAX.into() { size } else { before + size };
            let error = FrameError::MessageTooBig { size, max };
            assert_eq!(decode(&[&wire], &limits), (vec![], Some(error)));
            assert_eq!(decode(&wire.chunks(1).collect::<Vec<_>>(), &limits).1, Some(error));
            let (mut decoder, mut src) =
                (MessageDecoder::new(Role::Client, &limits), BytesMut::new());
            src.extend_from_slice(&wire);
            let refused = std::iter::repeat_with(|| decoder.decode_chunk(&mut src, None));
            assert_eq!(refused.take(3).find_map(Result::err), Some(error));
        }
    }
}

#[test]
fn a_message_of_exactly_the_limit_is_taken_in_any_fragments() {
    let limits = Limits::default().with_max_message(100);
    let payload: Vec<u8> = (0..100).collect();
    for first in [1, 60, 99] {
        let (head, tail) = payload.split_at(first);
        let lens = [u8::try_from(first).unwrap(), u8::try_from(100 - first).unwrap()];
        let wire = [&[0x02, lens[0]], head, &[0x80, lens[1]], tail].concat();
        let whole = Message::binary(payload.clone());
        assert_eq!(decode(&[&wire], &limits), (vec![whole], None), "{first} first");
    }
}

// RFC: WS-6.2-02, WS-5.3-04
#[test]
fn a_message_that_is_all_here_is_unmasked_whatever_its_length() {
    for len in (0..=130).chain([65_535, 65_536]) {
        let payload: Vec<u8> = (0..=255).cycle().take(len).collect();
        let mut encoder = FrameEncoder::client(MaskKeys::new(|| [0x11, 0x32, 0x54, 0x76]));
        let mut queue = WriteQueue::new();
        encoder.encode_slice(OpCode::Binary, true, 0, &payload, &mut queue);
        let total = queue.len();
        let mut src = BytesMut::from(&queue.copy_to_bytes(total)[..]);
        let mut decoder = MessageDecoder::new(Role::Server, &Limits::default());
        assert_eq!(decoder.decode(&mut src), Ok(Some(Message::binary(payload))), "{len} bytes");
        assert!(src.is_empty());
    }
}

// RFC: WS-5.1-02, WS-5.1-04, WS-5.2-05, WS-8.1-01, WS-10.4-02
// THREAT: unmasked-frames
#[test]
fn what_the_decoder_refuses_is_no_whole_message_and_is_left_as_it_came() {
    let limits = Limits::default().with_max_message(1000).with_max_frame(2000);
    let narrow = Limits::default().with_max_message(2000).with_max_frame(1000);
    let frame = |header: &[u8], len: usize| [header, &vec![0; len]].concat();
    let text = |payload: &[u8]| [b"\x81\x82\xff\xff\xff\xff", payload].concat();
    let big = FrameError::MessageTooBig { size: 1001, max: 1000 };
    for (role, limits, wire, error) in [
        // Unmasked it is not text, as it lies here it is.
        (Role::Server, limits, text(b"\x00a"), FrameError::InvalidUtf8),
        (Role::Client, limits, b"\x81\x01\xff".to_vec(), FrameError::InvalidUtf8),
        (
            Role::Client,
            limits,
            frame(b"\x82\x7e\x00\x7d", 125),
            Violation::NonMinimalLength(125).into(),
        ),
        (Role::Client, limits, frame(b"\x82\x7e\x03\xe9", 1001), big),
        (Role::Client, narrow, frame(b"\x82\x7e\x03\xe9", 1001), big),
        // The mask is the client's, in the short form and in the long one.
        (Role::Server, limits, frame(b"\x82\x05", 9), Violation::UnmaskedFrame.into()),
        (Role::Server, limits, frame(b"\x82\x7e\x00\xc8", 204), Violation::UnmaskedFrame.into()),
        (Role::Client, limits, frame(b"\x82\x85", 9), Violation::MaskedFrame.into()),
        (Role::Client, limits, frame(b"\x82\xfe\x00\xc8", 204), Violation::MaskedFrame.into()),
    ] {
        let mut decoder = MessageDecoder::new(role, &limits);
        let mut src = BytesMut::from(&wire[..]);
        assert_eq!((decoder.decode_whole(&mut src), &src[..]), (None, &wire[..]));
        assert_eq!(decoder.decode(&mut src), Err(error));
    }
}

// RFC: WS-10.4-01
// THREAT: fragment-flood
#[test]
fn endless_empty_fragments_are_refused_by_their_number() {
    check(b"\x01\x00\x00\x00\x00\x00\x80\x00", &[text("")], None);
    let many = Some(FrameError::TooManyFragments { max: 4 });
    check(b"\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00", &[], many);
    // A limit of one is for messages of one frame, in however many reads.
    let one = Limits::default().with_max_fragments(1);
    let pieces: Vec<&[u8]> = b"\x81\x01a\x81\x01b".chunks(1).collect();
    assert_eq!(decode(&pieces, &one), (vec![text("a"), text("b")], None));
    let two = decode(&[b"\x01\x01a\x80\x01b"], &one);
    assert_eq!(two, (vec![], Some(FrameError::TooManyFragments { max: 1 })));
}

// RFC: WS-5.5.1-01, WS-5.5.1-02, WS-7.4.1-01, WS-7.4.2-01, WS-7.1.6-01
#[test]
fn the_body_of_a_close_frame_is_checked() {
    let close = |code: u16, reason: &str| {
        Message::Close(Some(CloseFrame::new(CloseCode::new(code), reason)))
    };
    check(b"\x88\x00", &[Message::Close(None)], None);
    check(b"\x88\x02\x03\xe8", &[close(1000, "")], None);
    check(b"\x88\x05\x0f\xa1bye", &[close(4001, "bye")], None);
    check(b"\x88\x01\x03", &[], Some(Violation::ShortCloseBody.into()));
    check(b"\x88\x03\x03\xe8\xff", &[], Some(FrameError::InvalidUtf8));
    for code in [0, 999, 1004, 1005, 1006, 1012, 1015, 1016, 2999, 5000, u16::MAX] {
        let [high, low] = code.to_be_bytes();
        let bad = FrameError::BadCloseCode(CloseCode::new(code));
        check(&[0x88, 2, high, low], &[], Some(bad));
    }
    let mut lenient = MessageDecoder::new(Role::Client, &Limits::default()).with_iana_codes(true);
    let mut src = BytesMut::from(&b"\x88\x02\x03\xf5"[..]);
    assert_eq!(lenient.decode(&mut src), Ok(Some(close(1013, ""))));
}

// THREAT: tiny-reads
#[test]
fn a_message_larger_than_the_buffer_costs_memory_as_it_arrives() {
    let mut decoder = MessageDecoder::new(Role::Client, &Limits::default());
    let mut src = BytesMut::from(&b"\x02\x7f\x00\x00\x00\x00\x01\x00\x00\x00"[..]);
    for arrived in 0..100 {
        src.extend_from_slice(&[0; 1000]);
        assert_eq!(decoder.decode(&mut src), Ok(None));
        assert!(decoder.buffered() <= 2 * 1000 * (arrived + 1) + 1024);
    }
}

#[test]
fn chunks_come_as_they_arrive_and_the_rest_of_a_message_can_be_skipped() {
    let mut decoder = MessageDecoder::new(Role::Client, &Limits::default());
    let chunk = |data: &'static [u8], last| {
        let data = Bytes::from_static(data);
        Ok(Some(Decoded::Chunk { kind: DataKind::Text, data, last }))
    };
    let mut src = BytesMut::from(&b"\x01\x05he"[..]);
    assert_eq!(decoder.decode_chunk(&mut src, None), chunk(b"he", false));
    assert_eq!(decoder.decode_chunk(&mut src, None), Ok(None));
    src.extend_from_slice(b"llo\x89\x00\x80\x01");
    assert_eq!(decoder.decode_chunk(&mut src, None), chunk(b"llo", false));
    let ping = Ok(Some(Decoded::Message(Message::Ping(Bytes::new()))));
    assert_eq!(decoder.decode_chunk(&mut src, None), ping);
    src.extend_from_slice(b"!\x81\x02ab");
    assert_eq!(decoder.decode_chunk(&mut src, None), chunk(b"!", true));
    assert_eq!(decoder.decode_chunk(&mut src, None), chunk(b"ab", true));

    // Begun as a whole message, then wanted in chunks.
    let mut src = BytesMut::from(&b"\x01\x02ab\x00\x02c"[..]);
    assert_eq!(decoder.decode(&mut src), Ok(None));
    assert_eq!(decoder.decode_chunk(&mut src, None), chunk(b"abc", false));
    // And the other way round: what is left of the message is skipped, but still checked.
    src.extend_from_slice(b"d\x80\x01e\x81\x01x");
    assert_eq!(decoder.decode(&mut src), Ok(Some(text("x"))));
    assert!(!decoder.is_mid_message());
    src.extend_from_slice(b"\x01\x02ab");
    assert_eq!(decoder.decode_chunk(&mut src, None), chunk(b"ab", false));
    src.extend_from_slice(b"\x80\x01c\x81\x01x");
    assert_eq!(decoder.decode(&mut src), Ok(Some(text("x"))));
}

#[test]
fn asking_for_a_chunk_in_vain_takes_nothing_from_the_message() {
    let wire = b"\x01\x00\x89\x00\x00\x02ab\x80\x01c";
    // Before the first byte of the payload, which is the seventh of all.
    for cut in 0..=6 {
        let mut decoder = MessageDecoder::new(Role::Client, &Limits::default());
        let mut src = BytesMut::from(&wire[..cut]);
        while let Some(found) = decoder.decode_chunk(&mut src, None).unwrap() {
            assert_eq!(found, Decoded::Message(Message::Ping(Bytes::new())));
        }
        src.extend_from_slice(&wire[cut..]);
        let mut found = decoder.decode(&mut src).unwrap();
        if found == Some(Message::Ping(Bytes::new())) {
            found = decoder.decode(&mut src).unwrap();
        }
        assert_eq!(found, Some(text("abc")), "cut at {cut}");
    }
}

// THREAT: late-utf8
#[test]
fn a_chunked_text_that_is_not_utf8_fails_at_the_first_impossible_byte() {
    let mut decoder = MessageDecoder::new(Role::Client, &Limits::default());
    let mut src = BytesMut::from(&b"\x81\x04a\xce"[..]);
    assert!(matches!(decoder.decode_chunk(&mut src, None), Ok(Some(Decoded::Chunk { .. }))));
    src.extend_from_slice(b"a");
    assert_eq!(decoder.decode_chunk(&mut src, None), Err(FrameError::InvalidUtf8));
}

proptest! {
    // RFC: WS-5.2-04, WS-5.3-04
    #[test]
    fn what_is_encoded_in_any_fragments_is_decoded_from_any_pieces(
        message in proptest::collection::vec(any::<u8>(), 0..6000),
        cuts in proptest::collection::vec(0_usize..6000, 0..6),
        reads in proptest::collection::vec(1_usize..3000, 1..10),
        key: [u8; 4],
    ) {
        let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(message.len())).collect();
        cuts.sort_unstable();
        let mut encoder = FrameEncoder::client(MaskKeys::new(move || key));
        let mut queue = WriteQueue::new();
        let (mut from, mut opcode) = (0, OpCode::Binary);
        for cut in cuts {
            let part = Bytes::copy_from_slice(&message[from..cut]);
            encoder.encode(opcode, false, 0, part, &mut queue);
            (from, opcode) = (cut, OpCode::Continuation);
        }
        encoder.encode(opcode, true, 0, Bytes::copy_from_slice(&message[from..]), &mut queue);

        let mut decoder = MessageDecoder::new(Role::Server, &Limits::default());
        let mut src = BytesMut::new();
        let mut found = Vec::new();
        for read in reads.into_iter().cycle() {
            if queue.is_empty() {
                break;
            }
            let count = read.min(queue.len());
            let piece = queue.copy_to_bytes(count);
            src.extend_from_slice(&piece);
            while let Some(message) = decoder.decode(&mut src).unwrap() {
                found.push(message);
            }
        }
        prop_assert_eq!(found, vec![Message::binary(message)]);
    }

    // THREAT: endless-loop
    #[test]
    fn no_input_panics_and_no_cut_matters(
        wire in proptest::collection::vec(any::<u8>(), 0..200),
        cut in 0_usize..200,
        masked: bool,
    ) {
        let run = |pieces: &[&[u8]]| {
            let role = if masked { Role::Server } else { Role::Client };
            let mut decoder = MessageDecoder::new(role, &Limits::default());
            let mut src = BytesMut::new();
            let mut found = Vec::new();
            for piece in pieces {
                src.extend_from_slice(piece);
                loop {
                    match decoder.decode(&mut src) {
                        Ok(Some(message)) => found.push(Ok(message)),
                        Ok(None) => break,
                        Err(error) => {
                            found.push(Err(error));
                            return found;
                        }
                    }
                }
            }
            found
        };
        let (head, tail) = wire.split_at(cut.min(wire.len()));
        prop_assert_eq!(run(&[&wire]), run(&[head, tail]));
    }
}
