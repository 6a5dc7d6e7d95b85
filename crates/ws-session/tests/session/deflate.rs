//! permessage-deflate inside a session (RFC 7692 §6).

use std::time::Duration;

use crate::support::{Driven, check_every_cut, exchange, start, transmitted};
use bytes::{Bytes, BytesMut};
use ws_session::deflate::{Params, client, server};
use ws_session::{
    Compress, Config, DataKind, Event, FrameError, MaskKeys, Message, Prepared, Session, Violation,
};

fn params() -> (Params, Params) {
    let config = ws_session::deflate::Config::default();
    let (at_server, answer) =
        server::negotiate(&config, &[client::offer(&config)]).expect("agreed");
    (client::accept(&config, &answer).expect("agreed"), at_server)
}

fn pair(config: Config) -> (Session, Session) {
    let (at_client, at_server) = params();
    let level = ws_session::deflate::Config::default();
    let client = Session::client(config.clone(), MaskKeys::new(|| [0; 4]));
    let server = Session::server(config);
    (client.with_deflate(at_client, &level), server.with_deflate(at_server, &level))
}

fn driven(config: Config) -> Driven {
    Driven::new(pair(config).0)
}

/// When idle contexts are given up.
const SECONDS_10: Duration = Duration::from_secs(10);

/// The frame that carries "Hello" in the example of RFC 7692 §7.2.3.1.
const HELLO: &[u8] = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00";

// RFC: PMD-6-01, PMD-6.1-04, PMD-6.2-01, PMD-7.2.2-02
#[test]
fn compressed_and_plain_messages_mix_and_the_window_lives_on() {
    let mut client = driven(Config::default());
    let hello = Message::text("Hello");
    let pieces: [&[u8]; 4] = [
        HELLO,
        b"\x81\x05Hello",
        b"\xc1\x05\xf2\x00\x11\x00\x00",
        b"\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00",
    ];
    for wire in pieces {
        assert_eq!(client.receive(wire), std::slice::from_ref(&hello), "{wire:02x?}");
    }
}

// RFC: PMD-6.1-02, PMD-6.1-03
// THREAT: control-frames
#[test]
fn rsv1_anywhere_but_on_the_first_frame_of_a_message_is_a_violation() {
    for wire in
        [&b"\xc9\x00"[..], b"\xca\x00", b"\xc8\x00", b"\x01\x00\xc0\x00", b"\x41\x00\xc0\x00"]
    {
        let mut client = driven(Config::default());
        client.receive(wire);
        client.end();
        let cause = &client.session.outcome().expect("over").cause;
        let expected = FrameError::ProtocolError(Violation::ReservedBits(4));
        assert!(matches!(cause, ws_session::Cause::Violation(e) if *e == expected), "{wire:02x?}");
    }
}

// RFC: WS-5.2-01, WS-5.8-01, WS-4.1-29
#[test]
fn rsv1_without_negotiation_is_a_violation() {
    let mut client = Driven::client(Config::default());
    assert!(client.receive(HELLO).is_empty());
    assert_eq!(client.take_written()[6..8], 1002_u16.to_be_bytes());
}

// RFC: PMD-6.1-04
#[test]
fn utf8_is_checked_on_what_was_inflated() {
    let (mut a, mut b) = pair(Config::default());
    a.send_with(Message::binary(vec![0xff; 100]), Compress::Always).unwrap();
    let mut wire = transmitted(&mut a);
    wire[0] = 0xc1; // says text
    b.read_buffer().extend_from_slice(&wire);
    assert!(b.poll_event().is_none());
    assert_eq!(transmitted(&mut b)[2..4], 1007_u16.to_be_bytes());
}

#[test]
fn corrupt_data_closes_with_1007() {
    let mut client = driven(Config::default());
    client.receive(b"\xc1\x03\xff\xff\xff");
    assert_eq!(client.take_written()[6..8], 1007_u16.to_be_bytes());
    client.end();
    let cause = &client.session.outcome().expect("over").cause;
    assert!(matches!(cause, ws_session::Cause::Violation(FrameError::BadDeflate)));
}

// RFC: PMD-EXT-01
// THREAT: inflate-bomb
#[test]
fn a_bomb_costs_no_more_than_the_limit() {
    let mut config = Config::default();
    config.limits = config.limits.with_max_message(1024 * 1024);
    let (mut attacker, _) = pair(Config::default());
    attacker.send_with(Message::binary(vec![0; 64 * 1024 * 1024]), Compress::Always).unwrap();
    let bomb = transmitted(&mut attacker);
    assert!(bomb.len() < 70_000);
    let (_, mut victim) = pair(config);
    let mut peak = 0;
    for piece in bomb.chunks(1000) {
        victim.read_buffer().extend_from_slice(piece);
        assert!(victim.poll_event().is_none());
        peak = peak.max(victim.account().received);
    }
    assert_eq!(transmitted(&mut victim)[2..4], 1009_u16.to_be_bytes());
    assert!(peak <= 1024 * 1024 + 64 * 1024 + 4096, "{peak}");
}

#[test]
fn a_dense_message_below_the_size_limit_closes_with_1009() {
    let mut config = Config::default();
    config.inflate_ratio_floor = 100_000;
    let (mut attacker, mut victim) = pair(config);
    attacker.send_with(Message::binary(vec![0; 1_000_000]), Compress::Always).unwrap();
    victim.read_buffer().unsplit(transmitted(&mut attacker));
    assert!(victim.poll_event().is_none());
    assert_eq!(transmitted(&mut victim)[2..4], 1009_u16.to_be_bytes());
}

// RFC: PMD-8-01, H2-10.6-01
// THREAT: compression-oracle
#[test]
fn a_message_can_be_kept_out_of_the_window() {
    let (mut a, mut b) = pair(Config::default());
    let secret = Message::text("a secret that must not be compressed with what an attacker says");
    a.send_with(secret.clone(), Compress::Never).unwrap();
    let wire = transmitted(&mut a);
    assert_eq!(wire[0], 0x81);
    a.send_with(secret.clone(), Compress::Always).unwrap();
    let first = transmitted(&mut a);
    a.send_with(secret.clone(), Compress::Always).unwrap();
    let second = transmitted(&mut a);
    assert!(first.len() > 2 * second.len(), "the first one found nothing in the window");
    for wire in [wire, first, second] {
        b.read_buffer().unsplit(wire);
        assert!(matches!(b.poll_event(), Some(Event::Message(m)) if m == secret));
    }
}

// RFC: PMD-6.1-01, PMD-6.1-02
#[test]
fn a_large_message_is_marked_as_compressed_in_its_first_frame_only() {
    const FRAME: usize = 16 << 20;
    let (at_client, at_server) = params();
    // Stored, which takes no time and makes it no smaller.
    let level = ws_session::deflate::Config::default().level(0);
    let client = Session::client(Config::default(), MaskKeys::new(|| [0; 4]));
    let (mut client, mut server) = (
        client.with_deflate(at_client, &level),
        Session::server(Config::default()).with_deflate(at_server, &level),
    );
    let message = Message::binary(vec![7; FRAME]);
    server.send(message.clone()).unwrap();
    let wire = transmitted(&mut server);
    assert_eq!((wire[0], wire[FRAME + 10]), (0x42, 0x80));
    client.read_buffer().unsplit(wire);
    assert!(matches!(client.poll_event(), Some(Event::Message(all)) if all == message));
}

// RFC: PMD-6-01, PMD-6.1-02, PMD-7.2.1-04
#[test]
fn fragments_are_compressed_as_one_message() {
    let (mut a, mut b) = pair(Config::default());
    for round in 0..3 {
        let parts: Vec<Bytes> =
            (0..5).map(|i| Bytes::from(format!("part {i} of {round} ").repeat(40))).collect();
        for (i, part) in parts.iter().enumerate() {
            a.send_fragment(DataKind::Text, part.clone(), i == 4).unwrap();
        }
        let (_, received) = exchange(&mut a, &mut b);
        let whole = parts.concat();
        assert_eq!(received, [Message::text(std::str::from_utf8(&whole).unwrap())]);
    }
}

#[test]
fn an_idle_session_gives_its_contexts_up_and_the_stream_goes_on() {
    let text = "what a window would remember, and a new one does not: 0123456789 ".repeat(3);
    let message = Message::text(text.as_str());
    let mut client = driven(Config::default());
    // A peer that knows nothing of it: it inflates and compresses with one window for all.
    let (_, mut peer) = pair(Config::default());
    let mut turn = |client: &mut Driven| {
        client.session.send(message.clone()).unwrap();
        client.turn();
        let wire = client.take_written();
        peer.read_buffer().extend_from_slice(&wire);
        assert!(matches!(peer.poll_event(), Some(Event::Message(m)) if m == message));
        peer.send(message.clone()).unwrap();
        let answer = transmitted(&mut peer);
        assert_eq!(client.receive(&answer), std::slice::from_ref(&message));
        (wire.len(), answer.len())
    };
    let (first, _) = turn(&mut client);
    let (second, answer) = turn(&mut client);
    assert!(second < first / 2, "{second} of {first}");
    client.pass(Duration::from_secs(9));
    assert_eq!(turn(&mut client), (second, answer), "not yet, and the time begins again");
    client.pass(Duration::from_secs(9));
    assert_eq!(turn(&mut client), (second, answer));
    client.pass(Duration::from_secs(10));
    assert_eq!(turn(&mut client), (first, answer), "as the first; the peer refers back as ever");
    assert_eq!(turn(&mut client), (second, answer));
    // Nothing is due until something was compressed again.
    client.pass(Duration::from_secs(10));
    assert_eq!(client.deadline, Some(client.now + Config::default().keep_alive - SECONDS_10));
}

#[test]
fn contexts_are_not_given_up_within_a_message() {
    let (mut client, mut server) = pair(Config::default());
    let (start, mut received) = (start(), Vec::new());
    let part = |number| format!("part {number} ").repeat(50);
    for (number, last) in [(0, false), (1, false), (2, true), (3, false), (4, true)] {
        client.send_fragment(DataKind::Text, Bytes::from(part(number)), last).unwrap();
        received.extend(exchange(&mut client, &mut server).1);
        for session in [&mut client, &mut server] {
            session.release();
            session.poll_timeout(start);
            session.handle_timeout(start + SECONDS_10);
        }
    }
    let whole =
        |numbers: &[i32]| Message::text(numbers.iter().map(|n| part(*n)).collect::<String>());
    assert_eq!(received, [whole(&[0, 1, 2]), whole(&[3, 4])]);
}

#[test]
fn contexts_are_given_up_too_where_messages_go_one_way_only() {
    let (mut client, mut server) = pair(Config::default());
    let unused = [client.account().compression, server.account().compression];
    client.send(Message::text("text to be compressed ".repeat(10))).unwrap();
    exchange(&mut client, &mut server);
    for (session, unused) in [&mut client, &mut server].into_iter().zip(unused) {
        assert!(session.account().compression > unused + 32 * 1024);
        session.poll_timeout(start());
        session.handle_timeout(start() + SECONDS_10);
        let held = session.account().compression;
        assert!(held < unused + 1024, "{:?}: {held} bytes", session.role());
    }
}

// RFC: PMD-6.1-01
#[test]
fn what_reaches_the_threshold_is_compressed_prepared_or_not() {
    let threshold = ws_session::deflate::Config::default().threshold;
    for (len, first) in [(threshold - 1, 0x81), (threshold, 0xc1)] {
        let (mut client, mut server) = pair(Config::default());
        let message = Message::text("x".repeat(len));
        client.send(message.clone()).unwrap();
        assert_eq!(transmitted(&mut client)[0], first, "{len} bytes");
        let prepared = Prepared::new(message.clone()).unwrap();
        server.send_prepared(&prepared).unwrap();
        assert_eq!(transmitted(&mut server)[0], first, "{len} bytes, prepared");
    }
}

// RFC: PMD-8-01
// THREAT: compression-oracle
#[test]
fn fragments_that_are_not_to_be_compressed_are_not() {
    let (mut client, mut server) = pair(Config::default());
    assert_eq!(client.send_small_fragment(DataKind::Text, b"small", false), None, "undecided");
    for (part, fin, first) in [("never ", false, 0x01), ("compressed", true, 0x80)] {
        let data = Bytes::from(part);
        client.send_fragment_with(DataKind::Text, data, fin, Compress::Never).unwrap();
        let wire = transmitted(&mut client);
        assert_eq!((wire[0], &wire[6..]), (first, part.as_bytes()));
        server.read_buffer().unsplit(wire);
    }
    let event = server.poll_event();
    assert!(matches!(event, Some(Event::Message(m)) if m == Message::text("never compressed")));
}

#[test]
fn a_broadcast_between_other_messages_keeps_both_windows_in_step() {
    let (mut client, mut server) = pair(Config::default());
    let text = "the same words again and again, ".repeat(10);
    let prepared = Prepared::new(Message::text(text.as_str())).unwrap();
    for _ in 0..3 {
        server.send(Message::text(text.as_str())).unwrap();
        server.send_prepared(&prepared).unwrap();
        server.send(Message::text(text.as_str())).unwrap();
        let (received, _) = exchange(&mut client, &mut server);
        assert_eq!(received, vec![Message::text(text.as_str()); 3]);
    }
}

#[test]
fn chunks_of_a_compressed_message_come_inflated() {
    let data: Vec<u8> = (0..200_000_u32).flat_map(|i| (i / 7).to_le_bytes()).collect();
    let mut config = Config::default();
    config.limits = config.limits.with_max_message(data.len());
    let (mut a, mut b) = pair(config);
    a.send(Message::binary(data.clone())).unwrap();
    let wire = transmitted(&mut a);
    let mut received = BytesMut::new();
    let mut ended = false;
    for piece in wire.chunks(1500) {
        b.read_buffer().extend_from_slice(piece);
        while let Some(event) = b.poll_chunk() {
            let Event::Chunk { data, last, .. } = event else { panic!("{event:?}") };
            received.extend_from_slice(&data);
            ended = last;
        }
    }
    assert!(ended && received == data);
    // The message has ended for all that follows, and for its text.
    let half = Bytes::from_static(b"\xce");
    a.send_with(Message::Binary(half), Compress::Always).unwrap();
    let mut wire = transmitted(&mut a);
    wire[0] = 0xc1; // says text
    b.read_buffer().unsplit(wire);
    assert!(b.poll_chunk().is_none());
    assert_eq!(transmitted(&mut b)[2..4], 1007_u16.to_be_bytes());
}

#[test]
fn a_compressed_message_asked_for_in_chunks_in_vain_comes_whole() {
    let data = Message::text("Hello".repeat(100));
    // Behind the header, and where too little has come to inflate anything.
    for begun in [6, 7] {
        let (mut a, mut b) = pair(Config::default());
        a.send(data.clone()).unwrap();
        let wire = transmitted(&mut a);
        assert_eq!((wire[0], usize::from(wire[1] & 0x7f)), (0xc1, wire.len() - 6), "compressed");
        b.read_buffer().extend_from_slice(&wire[..begun]);
        assert!(b.poll_chunk().is_none());
        b.read_buffer().extend_from_slice(&wire[begun..]);
        let event = b.poll_event();
        assert!(matches!(&event, Some(Event::Message(all)) if *all == data), "{begun}: {event:?}");
    }
}

#[test]
fn every_cut_gives_the_same_events() {
    let mut wire = HELLO.to_vec();
    wire.extend_from_slice(b"\x41\x03\xf2\x00\x11\x89\x01p\x80\x02\x00\x00\xc2\x01\x00");
    wire.extend_from_slice(b"\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00\x88\x02\x03\xe8");
    check_every_cut(|| pair(Config::default()).0, &wire);
    check_every_cut(|| pair(Config::default()).0, b"\xc1\x07\xf2\x48\xff\xff\xff\xff\xff");
}

// RFC: ER-7692-txt
#[test]
fn the_stored_block_of_the_rfc_is_a_frame_of_eleven_bytes() {
    let wire = b"\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00";
    let mut client = driven(Config::default());
    assert_eq!(client.receive(wire), [Message::text("Hello")]);
    assert_eq!(client.receive(HELLO), [Message::text("Hello")], "and the next frame is in step");
}
