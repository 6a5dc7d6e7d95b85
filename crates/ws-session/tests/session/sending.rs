//! What may leave, in which order, and how much of it is held.

use crate::support::{Driven, check_every_cut, exchange, transmitted};
use bytes::{Bytes, BytesMut};
use ws_session::{
    CloseCode, Compress, Config, DataKind, Event, Failure, MaskKeys, Message, Prepared, SendError,
    Session,
};

fn client() -> Driven {
    Driven::client(Config::default())
}

// RFC: WS-5.5.2-01, WS-5.5.3-01, WS-5.5.3-03
#[test]
fn every_ping_is_answered_in_order_with_its_payload() {
    for mut peer in Driven::both() {
        let wire: Vec<u8> = (0..10).flat_map(|i| [0x89, 1, i]).chain(*b"\x8a\x01x").collect();
        assert_eq!(peer.hear(&wire).len(), 11);
        let expected: Vec<u8> = (0..10).flat_map(|i| [0x8a, 1, i]).collect();
        assert_eq!(peer.said(), expected);
        assert!(peer.session.is_open());
    }
}

// RFC: WS-5.5.2-02, WS-5.4-02
#[test]
fn ping_during_fragment_is_answered_before_the_message() {
    for mut peer in Driven::both() {
        let ping = Message::Ping(Bytes::from_static(b"p"));
        assert_eq!(peer.hear(b"\x01\x01a\x89\x01p"), [ping]);
        assert_eq!(peer.said(), b"\x8a\x01p");
        assert_eq!(peer.hear(b"\x80\x01b"), [Message::text("ab")]);
    }
}

// RFC: WS-5.5.1-05, WS-6.1-01
// THREAT: close-flood
#[test]
fn nothing_of_ours_leaves_behind_a_close_frame_whoever_sent_it() {
    let text = || Message::text("x");
    let closed = Err(SendError::Closed);
    for we_close in [true, false] {
        for mut peer in Driven::both() {
            if we_close {
                peer.session.close(Some(CloseCode::NORMAL.into())).unwrap();
                peer.turn();
            } else {
                peer.hear(b"\x88\x02\x03\xe8");
            }
            assert_eq!(peer.said(), b"\x88\x02\x03\xe8");
            let session = &mut peer.session;
            assert!(!session.is_open());
            for message in
                [text(), Message::binary(vec![0; 5000]), Message::ping("p"), Message::pong("p")]
            {
                assert_eq!(session.send(message), closed);
            }
            assert_eq!(session.send_with(text(), Compress::Always), closed);
            assert_eq!(session.send_fragment(DataKind::Text, Bytes::new(), false), closed);
            assert_eq!(session.send_prepared(&Prepared::new(text()).unwrap()), closed);
            assert_eq!(session.send_small(&text()), None);
            assert_eq!(session.send_small_fragment(DataKind::Text, b"x", true), None);
            assert_eq!(session.send(Message::Close(None)), closed);
            assert_eq!(session.close(None), closed);
            session.fail(Failure::HandlerFailed);
            peer.turn();
            assert!(peer.written.is_empty());
        }
    }
}

// RFC: WS-5.5.3-02
// THREAT: unread-pongs
#[test]
fn pongs_owed_to_a_peer_that_does_not_read_stay_bounded() {
    let mut client = client();
    let mut wire = vec![0x89, 125];
    wire.extend_from_slice(&[7; 125]);
    let high_water = client.session.config().high_water;
    for i in 0..10_000_u32 {
        wire[2..6].copy_from_slice(&i.to_be_bytes());
        client.session.read_buffer().extend_from_slice(&wire);
        assert!(client.session.poll_event().is_some());
        assert!(client.session.transmit().len() < high_water + 200);
    }
    transmitted(&mut client.session);
    let newest = transmitted(&mut client.session);
    assert_eq!(newest[6..10], 9_999_u32.to_be_bytes(), "the newest ping is remembered");
    assert!(transmitted(&mut client.session).is_empty());
}

#[test]
fn an_owed_pong_leaves_before_our_close_frame_and_not_behind_the_peers() {
    for (wire, written) in [
        (&b""[..], &b"\x8a\x81\0\0\0\0p\x88\x80\0\0\0\0"[..]),
        (b"\x88\x00", b"\x88\x80\0\0\0\0"),
        (b"\x83\x00", b"\x88\x98\0\0\0\0\x03\xeaopcode 0x3 is reserved"),
    ] {
        let mut session = Driven::client(Config::default().with_high_water(1)).session;
        session.send(Message::text("x")).unwrap();
        session.read_buffer().extend_from_slice(b"\x89\x01p");
        assert!(session.poll_event().is_some(), "the ping");
        assert_eq!(transmitted(&mut session)[..], *b"\x81\x81\0\0\0\0x");
        session.read_buffer().extend_from_slice(wire);
        while session.poll_event().is_some() {}
        if wire.is_empty() {
            session.close(None).unwrap();
        }
        assert_eq!(transmitted(&mut session), *written);
        assert!(transmitted(&mut session).is_empty());
    }
}

#[test]
fn a_small_message_is_sent_from_where_it_lies_and_everything_else_is_left() {
    let mut server = Session::server(Config::default());
    let small = Message::text("hi");
    assert_eq!(server.send_small(&small), Some(Ok(())));
    assert_eq!(transmitted(&mut server)[..], *b"\x81\x02hi");
    for left in [
        Message::binary(vec![0; 2049]),
        Message::Ping(Bytes::from_static(b"p")),
        Message::Pong(Bytes::new()),
        Message::Close(None),
    ] {
        assert_eq!(server.send_small(&left), None, "{:?}", left.opcode());
    }
    assert_eq!(server.send_fragment(DataKind::Text, Bytes::from_static(b"a"), false), Ok(()));
    assert_eq!(server.send_small(&small), None, "another message is in progress");
    assert_eq!(server.send(small.clone()), Err(SendError::MessageInProgress));
    assert_eq!(transmitted(&mut server)[..], *b"\x01\x01a");
    assert_eq!(server.close(None), Ok(()));
    assert_eq!(server.send_small(&small), None, "the goodbye is under way");
    assert_eq!(server.send(small), Err(SendError::Closed));
    assert_eq!(transmitted(&mut server)[..], *b"\x88\x00");
}

#[test]
fn a_small_fragment_is_sent_from_where_it_lies_and_everything_else_is_left() {
    let mut server = Session::server(Config::default());
    assert_eq!(server.send_small_fragment(DataKind::Text, b"a", false), Some(Ok(())));
    assert!(server.is_sending_fragments());
    assert_eq!(server.send_small_fragment(DataKind::Text, &[b'b'; 2049], true), None);
    assert_eq!(server.send_small_fragment(DataKind::Text, &[b'b'; 2048], true), Some(Ok(())));
    assert!(!server.is_sending_fragments());
    let second = [&b"\x80\x7e\x08\x00"[..], &[b'b'; 2048]].concat();
    assert_eq!(transmitted(&mut server), [&b"\x01\x01a"[..], &second].concat());
    assert_eq!(server.send_small_fragment(DataKind::Text, b"a", false), Some(Ok(())));
    server.close(None).unwrap();
    assert!(!server.is_sending_fragments(), "the goodbye has ended it");
    assert_eq!(server.send_small_fragment(DataKind::Text, b"b", true), None);
}

#[test]
fn what_arrived_with_the_handshake_is_received_first() {
    let server = Session::server(Config::default());
    let mut server = server.with_leftover(BytesMut::from(&b"\x81\x81\0\0\0\0a"[..]));
    assert!(matches!(server.poll_event(), Some(Event::Message(m)) if m == Message::text("a")));
}

#[test]
fn a_whole_message_is_found_first_and_everything_else_is_left() {
    let mut client = client().session;
    client.read_buffer().extend_from_slice(b"\x81\x02hi\x89\x01p\x82\x02ab\x82\x03ab");
    assert_eq!(client.poll_whole(), Some(Message::text("hi")));
    assert_eq!(client.poll_whole(), None, "a ping has to be answered");
    assert!(matches!(client.poll_event(), Some(Event::Message(Message::Ping(_)))));
    assert_eq!(client.poll_whole(), Some(Message::binary(&b"ab"[..])));
    assert_eq!(client.poll_whole(), None, "a byte is missing");
    client.read_buffer().extend_from_slice(b"c\x81\x01\xff");
    assert_eq!(client.poll_whole(), Some(Message::binary(&b"abc"[..])));
    assert_eq!(client.poll_whole(), None, "it is not text");
    assert!(client.poll_event().is_none());
    assert!(!client.is_open());
}

#[test]
fn a_session_above_high_water_says_so() {
    let mut client = client();
    assert!(client.session.is_writable());
    client.session.send(Message::binary(vec![0; 128 * 1024])).unwrap();
    assert!(!client.session.is_writable());
    client.turn();
    assert!(client.session.is_writable());
    // The frame has as many bytes as high water.
    let mut client = Driven::client(Config::default().with_high_water(12));
    client.session.send(Message::text("queued")).unwrap();
    assert!(!client.session.is_writable());
}

// THREAT: control-frames
#[test]
fn control_frames_above_125_bytes_are_refused_to_the_caller() {
    let mut client = client();
    let long = || Bytes::from(vec![0; 126]);
    assert_eq!(client.session.send(Message::Ping(long())), Err(SendError::ControlTooLong(126)));
    assert_eq!(client.session.send(Message::Pong(long())), Err(SendError::ControlTooLong(126)));
    assert_eq!(client.session.send(Message::Ping(long().slice(..125))), Ok(()));
}

// RFC: WS-5.4-01, WS-5.4-02, WS-5.4-05, WS-5.6-01, WS-6.1-02
#[test]
fn fragments_leave_as_one_message_with_control_frames_between() {
    let mut client = client();
    let session = &mut client.session;
    session.send_fragment(DataKind::Text, Bytes::from_static(b"a\xce"), false).unwrap();
    session.send(Message::Ping(Bytes::new())).unwrap();
    assert_eq!(session.send(Message::text("x")), Err(SendError::MessageInProgress));
    let mismatch = session.send_fragment(DataKind::Binary, Bytes::new(), true);
    assert_eq!(mismatch, Err(SendError::KindMismatch));
    for fin in [false, true] {
        let bad = session.send_fragment(DataKind::Text, Bytes::from_static(b"\xff"), fin);
        assert_eq!(bad, Err(SendError::InvalidUtf8));
    }
    session.send_fragment(DataKind::Text, Bytes::from_static(b"\xba"), true).unwrap();
    session.send(Message::text("x")).unwrap();
    client.turn();
    let expected = b"\x01\x82\0\0\0\0a\xce\x89\x80\0\0\0\0\x80\x81\0\0\0\0\xba\x81\x81\0\0\0\0x";
    assert_eq!(client.written, expected);
}

#[test]
fn a_text_fragment_that_ends_inside_a_code_point_is_refused() {
    let mut client = client();
    let half = Bytes::from_static(b"\xce");
    let refused = client.session.send_fragment(DataKind::Text, half, true);
    assert_eq!(refused, Err(SendError::InvalidUtf8));
    assert_eq!(client.session.send(Message::text("fine")), Ok(()));
}

#[test]
fn a_prepared_message_reads_like_a_sent_one() {
    // The last is larger than a frame that is taken by default.
    for len in [5, 100_000, 17 * 1024 * 1024] {
        let message = Message::binary(vec![7; len]);
        let prepared = Prepared::new(message.clone()).unwrap();
        let mut client = Session::client(Config::default(), MaskKeys::new(|| [9, 8, 7, 6]));
        let mut server = Session::server(Config::default());
        server.send_prepared(&prepared).unwrap();
        client.send_prepared(&prepared).unwrap();
        let (at_client, at_server) = exchange(&mut client, &mut server);
        assert!(at_client == [message.clone()] && at_server == [message], "{len}");
    }
    assert!(Prepared::new(Message::Ping(Bytes::new())).is_err());
    let mut server = Session::server(Config::default());
    server.send_fragment(DataKind::Text, Bytes::new(), false).unwrap();
    let prepared = Prepared::new(Message::text("x")).unwrap();
    assert_eq!(server.send_prepared(&prepared), Err(SendError::MessageInProgress));
}

#[test]
fn a_message_in_chunks_is_not_held_whole() {
    let mut client = client();
    let session = &mut client.session;
    session.read_buffer().extend_from_slice(b"\x82\x7f\x00\x00\x00\x00\x00\x10\x00\x00");
    let mut received = 0;
    for _ in 0..256 {
        session.read_buffer().extend_from_slice(&[5; 4096]);
        while let Some(event) = session.poll_chunk() {
            let Event::Chunk { kind: DataKind::Binary, data, last } = event else {
                panic!("not a chunk: {event:?}");
            };
            received += data.len();
            assert_eq!(last, received == 1024 * 1024);
        }
        assert!(session.read_buffer().is_empty());
    }
    assert_eq!(received, 1024 * 1024);
}

/// Receives pongs, `len` bytes of them in one read.
fn read(session: &mut Session, len: usize) {
    session.read_buffer().extend_from_slice(&[0x8a, 0].repeat(len / 2));
    while session.poll_event().is_some() {}
}

#[test]
fn reads_grow_for_a_fast_peer_and_shrink_when_it_is_quiet() {
    let mut client = client();
    let session = &mut client.session;
    let first = session.read_size();
    assert_eq!(first, 17 * 1024);
    for expected in [66, 264, 264] {
        read(session, session.read_size());
        assert_eq!(session.read_size(), expected * 1024);
    }
    // A burst a little above a smaller size does not make the size swing.
    for _ in 0..100 {
        read(session, 40 * 1024);
        assert_eq!(session.read_size(), 264 * 1024);
    }
    for _ in 0..16 {
        read(session, 100);
    }
    assert_eq!(session.read_size(), first);
}

#[test]
fn reads_grow_with_what_has_arrived_of_a_large_message() {
    let mut client = Driven::client(Config::default());
    client.receive(b"\x82\x7f\x00\x00\x00\x00\x00\xff\xff\xff");
    assert!(client.session.read_size() <= 66 * 1024, "a declared length asks for no more");
    client.receive(&vec![0; 200_000]);
    assert!(client.session.read_size() >= 200_000, "what has arrived does");
    assert!(client.session.read_size() <= 3 * 200_000, "in proportion");
}

#[test]
fn every_cut_gives_the_same_messages() {
    let wire = b"\x81\x02hi\x01\x00\x89\x03abc\x00\x02\xce\xba\x80\x01!\x82\x7e\x00\x80";
    let mut wire = wire.to_vec();
    wire.extend_from_slice(&[9; 128]);
    wire.extend_from_slice(b"\x88\x04\x03\xe8ok");
    check_every_cut(|| Session::client(Config::default(), MaskKeys::new(|| [0; 4])), &wire);
}

// RFC: WS-5.4-01
#[test]
fn a_message_above_what_a_frame_may_have_by_default_goes_out_in_fragments() {
    for is_client in [false, true] {
        let mut client = Session::client(Config::default(), MaskKeys::new(|| [1, 2, 3, 4]));
        let mut server = Session::server(Config::default());
        let payload: Vec<u8> = (0..=255).cycle().take(33 << 20).collect();
        let message = Message::binary(payload);
        let sender = if is_client { &mut client } else { &mut server };
        sender.send(message.clone()).unwrap();
        let (at_client, at_server) = exchange(&mut client, &mut server);
        let received = if is_client { at_server } else { at_client };
        assert!(received == [message], "it is another message");
    }
}
