//! The end of a session (RFC 6455 §7), from either side, in order and out of it.

use std::io;
use std::time::Duration;

use bytes::Buf as _;

use crate::support::{Driven, check_every_cut, exchange};
use ws_session::{
    Cause, CloseCode, CloseFrame, Config, DataKind, Failure, FrameError, MaskKeys, Message, Role,
    SendError, Session, TransportError, Violation,
};

fn client() -> Driven {
    Driven::client(Config::default())
}

fn close(code: u16, reason: &str) -> Message {
    Message::Close(Some(CloseFrame::new(CloseCode::new(code), reason)))
}

// RFC: WS-5.5.1-06, WS-7.1.2-01, WS-7.1.3-01, WS-7.1.4-01, WS-7.1.5-01, WS-7.1.6-01
// THREAT: close-reason-memory
#[test]
fn both_sides_agree_on_a_clean_close() {
    for client_begins in [true, false] {
        let mut client = Session::client(Config::default(), MaskKeys::new(|| [1, 2, 3, 4]));
        let mut server = Session::server(Config::default());
        let first = if client_begins { &mut client } else { &mut server };
        first.send(Message::text("last words")).unwrap();
        first.close(Some(CloseFrame::new(CloseCode::new(4001), "bye"))).unwrap();
        assert!(!first.is_open());
        assert!(!client.has_said_goodbye() && !server.has_said_goodbye());
        let (at_client, at_server) = exchange(&mut client, &mut server);
        assert!(client.has_said_goodbye() && server.has_said_goodbye());
        let ((first, told), (second, asked)) = if client_begins {
            ((client, at_client), (server, at_server))
        } else {
            ((server, at_server), (client, at_client))
        };
        assert_eq!(asked, [Message::text("last words"), close(4001, "bye")]);
        assert_eq!(told, [close(4001, "")]);

        let outcome = second.outcome().expect("over");
        assert_eq!((outcome.code.get(), outcome.reason.as_str()), (4001, "bye"));
        assert!(outcome.clean && matches!(outcome.cause, Cause::Remote));
        let outcome = first.outcome().expect("over");
        assert_eq!((outcome.code.get(), outcome.reason.as_str()), (4001, ""));
        assert!(outcome.clean && matches!(outcome.cause, Cause::Normal));
    }
}

// RFC: WS-7.1.5-01, WS-7.4.1-01, WS-5.5.1-04
#[test]
fn an_empty_close_is_answered_empty_and_reads_1005() {
    for mut peer in Driven::both() {
        assert_eq!(peer.hear(b"\x88\x00"), [Message::Close(None)]);
        assert_eq!(peer.said(), b"\x88\x00");
        peer.end();
        let outcome = peer.session.outcome().expect("over");
        assert_eq!((outcome.code, outcome.clean), (CloseCode::NO_STATUS, true));
    }
}

// RFC: WS-5.5.1-06, WS-5.5.1-07
#[test]
fn a_close_frame_inside_a_message_of_either_side_is_answered_at_once() {
    for mut peer in Driven::both() {
        peer.session.send_fragment(DataKind::Text, b"ours"[..].into(), false).unwrap();
        assert_eq!(peer.hear(b"\x01\x01t\x88\x02\x03\xe9"), [close(1001, "")]);
        assert_eq!(peer.said(), b"\x01\x04ours\x88\x02\x03\xe9");
    }
}

// RFC: WS-7.1.1-01
#[test]
fn the_goodbye_has_left_before_our_direction_ends() {
    for mut peer in Driven::both() {
        let is_client = peer.session.role() == Role::Client;
        let frame = if is_client { &b"\x88\x00"[..] } else { b"\x88\x80\0\0\0\0" };
        peer.session.read_buffer().extend_from_slice(frame);
        assert!(peer.session.poll_event().is_some());
        peer.session.receive_eof();
        assert!(!peer.session.wants_shutdown(), "the answer is still queued");
        let len = peer.session.transmit().len();
        peer.session.transmit().advance(len - 1);
        assert!(!peer.session.wants_shutdown(), "a byte of it is");
        peer.session.transmit().advance(1);
        assert!(peer.session.wants_shutdown());
    }
}

// RFC: WS-5.5.1-08, WS-7.1.1-02, WS-7.1.1-03, WS-7.1.2-02, WS-5.5.1-09, WS-7.1.7-04, H3-4.4-04
#[test]
fn the_server_ends_the_transport_at_once_and_the_client_waits_for_that() {
    let mut server = Driven::server(Config::default());
    server.receive(b"\x88\x82\0\0\0\0\x03\xe8");
    assert_eq!(server.written, b"\x88\x02\x03\xe8");
    assert!(server.shut_down && !server.session.is_finished(), "it drains");
    server.end();
    assert!(server.session.is_finished());

    let mut client = client();
    client.receive(b"\x88\x02\x03\xe8");
    assert!(!client.shut_down);
    client.end();
    assert!(client.shut_down && client.session.is_finished());
}

// THREAT: open-after-close
#[test]
fn a_client_does_not_wait_for_ever_for_a_server_that_never_ends() {
    let mut client = client();
    client.receive(b"\x88\x02\x03\xe8");
    client.pass(Duration::from_secs(3));
    let outcome = client.session.outcome().expect("over");
    assert!(outcome.clean, "the closing handshake was complete");
}

// RFC: M1-9.8-01, WS-7.1.1-03
#[test]
fn whoever_waits_no_longer_ends_its_own_direction_first() {
    const CLOSE: &[u8] = b"\x88\x02\x03\xe8";
    for (answer, millis) in [(CLOSE, 1500), (b"", 5000)] {
        let mut client = client();
        client.session.close(Some(CloseCode::NORMAL.into())).unwrap();
        client.receive(answer);
        client.pass(Duration::from_millis(millis - 1));
        assert!(!client.shut_down && !client.session.is_finished(), "{millis}");
        client.pass(Duration::from_millis(1));
        assert!(client.shut_down && client.session.is_finished(), "{millis}");
        let outcome = client.session.outcome().expect("over");
        assert_eq!((outcome.clean, client.cause()), (!answer.is_empty(), "normal"));
    }
}

// RFC: WS-7.1.4-01
#[test]
fn an_end_of_ours_that_takes_time_is_not_waited_for() {
    for stuck in [false, true] {
        let mut client = client();
        client.receive(b"\x88\x02\x03\xe8");
        client.session.set_flushing(stuck);
        let at = |millis| client.now + Duration::from_millis(millis);
        let (linger, close, last) = (at(1500), at(5000), at(2000));
        let first = if stuck { close } else { linger };
        assert_eq!(client.session.poll_timeout(client.now), Some(first), "stuck: {stuck}");
        client.session.handle_timeout(first);
        assert_eq!(client.session.is_finished(), stuck, "what is stuck cannot end in order");
        // The answer to the peer's close frame is what is stuck.
        let is_clean = client.session.outcome().map(|outcome| outcome.clean);
        assert_eq!(is_clean, stuck.then_some(false));
        if !stuck {
            assert!(client.session.poll_event().is_none() && client.session.wants_shutdown());
            assert_eq!(client.session.poll_timeout(first), Some(last));
            client.session.handle_timeout(last);
            assert!(client.session.is_finished() && client.session.outcome().unwrap().clean);
        }
    }
}

#[test]
fn messages_before_a_bad_frame_are_not_dropped() {
    let mut client = client();
    assert_eq!(
        client.receive(b"\x81\x01a\x82\x01b\x83\x00\x81\x01c"),
        [Message::text("a"), Message::binary(&b"b"[..]),]
    );
    assert_eq!(client.written[..8], *b"\x88\x98\0\0\0\0\x03\xea");
    client.end();
    let outcome = client.session.outcome().expect("over");
    let unknown = FrameError::ProtocolError(Violation::UnknownOpcode(3));
    assert!(matches!(outcome.cause, Cause::Violation(error) if error == unknown));
    assert_eq!((client.cause(), outcome.clean), ("normal", false));
    let sent = outcome.sent.clone().flatten().expect("we said why");
    assert_eq!(sent.code, CloseCode::PROTOCOL_ERROR);
}

// RFC: WS-7.1.7-01, WS-7.1.7-02, WS-7.1.7-03
// THREAT: close-flood
#[test]
fn nothing_is_processed_after_a_violation_not_even_a_close() {
    for mut peer in Driven::both() {
        assert!(peer.hear(b"\x83\x00").is_empty());
        assert!(peer.shut_down, "it waits for nobody");
        assert_eq!(peer.said(), b"\x88\x18\x03\xeaopcode 0x3 is reserved");
        assert!(peer.hear(b"\x89\x00\x81\x01a\x88\x02\x0f\xa1").is_empty());
        assert!(peer.written.is_empty());
        peer.end();
        assert_eq!(peer.session.outcome().expect("over").code, CloseCode::ABNORMAL);
    }
}

// RFC: WS-5.5.2-01, WS-5.1-05
#[test]
fn a_ping_is_answered_after_our_close_and_not_after_the_peers() {
    for mut peer in Driven::both() {
        peer.session.close(Some(CloseCode::NORMAL.into())).unwrap();
        peer.turn();
        assert_eq!(peer.said(), b"\x88\x02\x03\xe8");
        // The peer may send data until its own close frame.
        let ping = Message::Ping(b"p"[..].into());
        assert_eq!(peer.hear(b"\x89\x01p\x81\x01m"), [ping, Message::text("m")]);
        assert_eq!(peer.said(), b"\x8a\x01p");
        assert_eq!(peer.hear(b"\x88\x02\x03\xe8\x89\x01q\x81\x01m"), [close(1000, "")]);
        assert!(peer.written.is_empty());
    }
}

// RFC: WS-5.5.1-10, WS-5.5.1-11, WS-7.1.5-01
// THREAT: close-flood
#[test]
fn crossing_close_frames_count_for_both_and_a_second_one_is_ignored() {
    for mut peer in Driven::both() {
        peer.session.close(Some(CloseFrame::new(CloseCode::GOING_AWAY, "mine"))).unwrap();
        peer.hear(b"\x88\x02\x03\xe8\x88\x02\x03\xe9");
        assert_eq!(peer.said(), b"\x88\x06\x03\xe9mine");
        peer.end();
        let outcome = peer.session.outcome().expect("over");
        assert_eq!((outcome.code, outcome.clean), (CloseCode::NORMAL, true));
        assert!(matches!(outcome.cause, Cause::Normal));
    }
}

// RFC: WS-7.2.1-01, WS-7.1.4-01
#[test]
fn the_end_of_the_stream_without_a_close_frame_is_1006() {
    for mut peer in Driven::both() {
        peer.session.send(Message::text("queued")).unwrap();
        assert_eq!(peer.hear(b"\x81\x01a\x01\x01b"), [Message::text("a")]);
        peer.end();
        let outcome = peer.session.outcome().expect("over").clone();
        assert_eq!((outcome.code, outcome.clean), (CloseCode::ABNORMAL, false));
        assert!(matches!(outcome.cause, Cause::Transport(TransportError::Closed)));
        // What was queued goes out, in case only one direction is gone, and no close frame behind it.
        assert_eq!(peer.said(), b"\x81\x06queued");
        assert!(peer.shut_down && outcome.sent.is_none());
    }
}

#[test]
fn what_arrived_before_the_transport_failed_is_still_delivered() {
    let mut client = client();
    client.session.read_buffer().extend_from_slice(b"\x81\x01a\x88\x02\x03\xe8");
    client.session.send(Message::text("too late")).unwrap();
    assert!(client.session.wants_read());
    client.session.receive_error(TransportError::Io(io::Error::other("cable").into()));
    assert!(!client.session.wants_read() && client.session.transmit().is_empty());
    assert_eq!(client.turn(), [Message::text("a"), close(1000, "")]);
    let outcome = client.session.outcome().expect("over");
    assert!(!outcome.clean && matches!(outcome.cause, Cause::Transport(TransportError::Io(_))));
}

#[test]
fn a_reset_after_the_closing_handshake_does_not_make_it_unclean() {
    let mut client = client();
    client.receive(b"\x88\x02\x03\xe8");
    client.session.receive_error(TransportError::Closed);
    client.turn();
    let outcome = client.session.outcome().expect("over");
    assert!(outcome.clean && matches!(outcome.cause, Cause::Remote));
}

// RFC: WS-7.1.4-01
#[test]
fn a_reset_that_is_seen_before_the_answer_to_our_close_does_not_make_it_unclean() {
    let mut client = client();
    client.session.close(None).unwrap();
    client.turn();
    client.session.read_buffer().extend_from_slice(b"\x88\x00");
    client.session.receive_error(TransportError::Closed);
    assert_eq!(client.turn(), [Message::Close(None)]);
    let outcome = client.session.outcome().expect("over");
    assert!(outcome.clean && matches!(outcome.cause, Cause::Normal), "{outcome:?}");
}

#[test]
fn errors_by_which_a_system_says_that_the_peer_is_gone_read_closed() {
    use io::ErrorKind::*;
    for kind in
        [UnexpectedEof, ConnectionReset, ConnectionAborted, BrokenPipe, WriteZero, NotConnected]
    {
        let error = TransportError::from(io::Error::from(kind));
        assert!(matches!(error, TransportError::Closed), "{kind}");
    }
    let error = TransportError::from(io::Error::from(PermissionDenied));
    assert!(matches!(error, TransportError::Io(_)));
}

#[test]
fn a_failed_handler_closes_with_1011() {
    let mut server = Driven::server(Config::default());
    server.session.fail(Failure::HandlerFailed);
    server.session.fail(Failure::HandlerFailed);
    server.turn();
    assert_eq!(server.written, b"\x88\x02\x03\xf3");
    server.receive(b"\x88\x82\0\0\0\0\x03\xf3");
    server.end();
    assert_eq!(server.cause(), "handler_failed");
}

// THREAT: open-after-close
#[test]
fn a_peer_that_keeps_sending_after_the_goodbye_is_cut() {
    let mut config = Config::default();
    config.limits = config.limits.with_max_message(2 << 20).with_max_frame(2 << 20);
    for (config, most) in [(small(), 1 << 20), (config, 2 << 20)] {
        let mut client = Driven::client(config);
        client.receive(b"\x83\x00");
        for _ in 0..most >> 16 {
            assert!(!client.session.is_finished());
            client.receive(&[0; 1 << 16]);
        }
        client.receive(&[0]);
        assert!(client.session.is_finished());
    }
}

fn small() -> Config {
    let mut config = Config::default();
    config.limits = config.limits.with_max_message(100).with_max_frame(100);
    config
}

#[test]
fn the_goodbye_leaves_before_anyone_is_cut() {
    for (violation, code) in [(&b"\x82\x7f\0\0\0\0\x01\0\0\0"[..], 1009), (b"\x83\0", 1002)] {
        for rest in [0, 101, 2 << 20] {
            let mut client = Session::client(small(), MaskKeys::new(|| [0; 4]));
            client.read_buffer().extend_from_slice(violation);
            client.read_buffer().resize(violation.len() + rest, 0);
            assert!(client.poll_event().is_none() && !client.is_finished(), "{rest} bytes behind");
            let wire = client.transmit().chunk().to_vec();
            assert_eq!((wire[0], &wire[6..8]), (0x88, &u16::to_be_bytes(code)[..]));
            client.transmit().advance(wire.len());
            let is_over = client.poll_event().is_some() && client.is_finished();
            assert_eq!(is_over, rest > 1 << 20, "{rest} bytes behind");
        }
    }
}

#[test]
fn the_end_is_reported_once_and_the_session_repeats_itself_politely() {
    let mut client = client();
    client.receive(b"\x88\x00");
    client.end();
    assert!(client.session.is_finished() && !client.session.wants_read());
    assert!(client.session.poll_event().is_none());
    assert!(client.receive(b"\x81\x01a").is_empty());
    client.session.receive_error(TransportError::Closed);
    client.session.handle_timeout(client.now);
    assert!(client.session.poll_event().is_none() && client.session.transmit().is_empty());
    assert_eq!(client.session.send(Message::text("x")), Err(SendError::Closed));
}

// THREAT: close-reason-memory
#[test]
fn nothing_is_held_of_a_message_that_the_end_has_overtaken() {
    let mut begun = b"\x02\x7e\x03\xe8".to_vec();
    begun.extend_from_slice(&[0; 1000]);
    for end in [&b"\x88\x02\x03\xe8"[..], b"\x83\x00"] {
        let mut client = client();
        client.receive(&begun);
        assert!(client.session.account().received >= 1000);
        client.receive(end);
        assert!(!client.session.is_finished());
        assert_eq!(client.session.account().received, 0, "{end:02x?}");
    }
    let mut client = client();
    client.receive(&begun);
    client.session.close(None).unwrap();
    client.pass(Duration::from_secs(6));
    assert!(client.session.is_finished());
    assert_eq!(client.session.account().received, 0);
}

#[test]
fn an_owed_pong_does_not_outlive_the_session() {
    let mut config = Config::default();
    config.high_water = 1;
    let mut client = Session::client(config, MaskKeys::new(|| [0; 4]));
    client.send(Message::binary(vec![0; 100])).unwrap();
    client.read_buffer().extend_from_slice(b"\x89\x04ping");
    assert_eq!(client.poll_event().map(|event| format!("{event:?}").contains("Ping")), Some(true));
    let queued = client.account().queued;
    client.receive_error(TransportError::Closed);
    while client.poll_event().is_some() {}
    assert!(client.is_finished() && queued > 100);
    assert_eq!(client.account().queued, 0);
}

#[test]
fn every_cut_of_every_ending_gives_the_same_events() {
    let endings: &[&[u8]] = &[
        b"\x81\x01a\x88\x02\x03\xe8",
        b"\x81\x01a\x88\x00\x81\x01b",
        b"\x01\x01a\x89\x01p\x80\x01b\x88\x05\x0f\xa1bye",
        b"\x81\x01a\x83\x00\x81\x01b",
        b"\x81\x02a\xff",
        b"\x88\x01\x03",
        b"\x88\x02\x03\xed",
        b"\x82\x7e\x00\x01a",
        b"\x82\x7f\x80\x00\x00\xb1\xb1\xb1\xb1\x00",
        b"\x89\x01p\x8a\x00\x89\x01q",
        b"\x81\x05ab",
    ];
    for wire in endings {
        let new = || Session::client(Config::default(), MaskKeys::new(|| [0; 4]));
        check_every_cut(new, wire);
    }
}

// RFC: WS-10.7-03
#[test]
fn lengths_count_and_zero_bytes_end_nothing() {
    let mut client = client();
    assert_eq!(client.receive(b"\x81\x05a\0b\0c"), [Message::text("a\0b\0c")]);
    assert_eq!(client.receive(b"\x82\x03\0\0\0"), [Message::binary(vec![0; 3])]);
    client.receive(b"\x88\x06\x03\xe8so\0o");
    client.end();
    assert_eq!(client.session.outcome().expect("over").reason, "so\0o");
}

#[test]
fn what_answers_a_ping_behind_the_goodbye_does_not_count_for_it() {
    let (ping, close) = (b"\x89\x80\0\0\0\0", b"\x88\x82\0\0\0\0\x03\xe8");
    // The answer to a ping is queued behind the goodbye, and the peer's own goodbye comes or not.
    for (input, clean) in [(&ping[..], false), (&[&ping[..], close].concat(), true)] {
        let mut server = Driven::server(Config::default());
        let server = &mut server.session;
        server.close(Some(CloseFrame::from(CloseCode::NORMAL))).unwrap();
        server.transmit().advance(4);
        server.read_buffer().extend_from_slice(input);
        while server.poll_event().is_some() {}
        assert_eq!(server.transmit().len(), 2);
        server.receive_error(TransportError::Closed);
        while server.poll_event().is_some() {}
        let outcome = server.outcome().expect("over");
        let sent = outcome.sent.as_ref().expect("it has left");
        assert_eq!(sent.as_ref().map(|frame| frame.code), Some(CloseCode::NORMAL));
        assert_eq!((outcome.clean, server.is_cut_short()), (clean, false));
    }
}

// RFC: WS-7.1.4-01
#[test]
fn an_end_before_all_has_left_is_not_clean() {
    let mut server = Driven::server(Config::default());
    let mut now = server.now;
    let server = &mut server.session;
    server.send(Message::binary(vec![0; 1_000_000])).unwrap();
    server.read_buffer().extend_from_slice(b"\x88\x82\0\0\0\0\x03\xe8");
    while server.poll_event().is_some() {}
    server.transmit().advance(10);
    while let Some(at) = server.poll_timeout(now) {
        now = at;
        server.handle_timeout(now);
        while server.poll_event().is_some() {}
    }
    let outcome = server.outcome().expect("over");
    assert!(!outcome.clean && outcome.sent.is_none() && server.is_cut_short(), "{outcome:?}");
    assert_eq!(outcome.code.get(), 1000);
}
