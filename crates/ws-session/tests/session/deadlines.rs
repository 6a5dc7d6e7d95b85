//! Every wait has an end, and the clock is virtual.

use std::time::Duration;

use crate::support::{Driven, start, transmitted};
use ws_session::{Cause, CloseCode, Config, Message};

const SECOND: Duration = Duration::from_secs(1);

fn client() -> Driven {
    Driven::client(Config::default())
}

// THREAT: silent-peer
#[test]
fn silence_is_met_with_a_ping_then_with_1001() {
    let mut client = client();
    client.pass(29 * SECOND);
    assert!(client.written.is_empty());
    client.pass(2 * SECOND);
    assert_eq!(client.take_written(), b"\x89\x80\0\0\0\0");
    client.pass(28 * SECOND);
    assert!(client.written.is_empty() && client.session.is_open());
    client.pass(2 * SECOND);
    assert_eq!(client.take_written()[6..8], 1001_u16.to_be_bytes());
    client.pass(6 * SECOND);
    assert_eq!(client.cause(), "idle");
}

#[test]
fn a_peer_is_pinged_before_an_idle_timeout_that_is_shorter_than_the_keep_alive() {
    let mut client = Driven::client(Config::default().with_idle_timeout(4 * SECOND));
    for _ in 0..10 {
        client.pass(2 * SECOND);
        assert_eq!(client.take_written(), b"\x89\x80\0\0\0\0");
        client.receive(b"\x8a\x00");
    }
    client.pass(4 * SECOND);
    assert!(!client.session.is_open());
}

#[test]
fn no_keep_alive_makes_a_storm_of_pings() {
    let mut client = Driven::client(Config::default().with_keep_alive(Duration::ZERO));
    let mut pings = 0;
    for _ in 0..1000 {
        client.pass(Duration::from_millis(1));
        if !client.take_written().is_empty() {
            pings += 1;
            client.receive(b"\x8a\x00");
        }
    }
    assert!((50..=100).contains(&pings), "{pings} pings in a second");
}

#[test]
fn any_bytes_count_as_life() {
    let mut client = client();
    client.receive(b"\x81\x05large");
    for _ in 0..20 {
        client.pass(29 * SECOND);
        client.receive(b"\x8a\x00");
    }
    assert!(client.written.is_empty() && client.session.is_open());
    client.pass(31 * SECOND);
    client.receive(b"\x8a\x00"); // the pong
    client.pass(29 * SECOND);
    assert_eq!(client.take_written(), b"\x89\x80\0\0\0\0", "one ping, no close");
}

#[test]
fn a_session_that_was_not_polled_for_long_still_gives_the_peer_time_to_answer() {
    let mut client = client();
    client.turn();
    client.now += 600 * SECOND;
    client.session.handle_timeout(client.now);
    client.turn();
    assert_eq!(client.take_written(), b"\x89\x80\0\0\0\0");
    client.pass(29 * SECOND);
    assert!(client.session.is_open());
    client.pass(2 * SECOND);
    assert!(!client.session.is_open());
}

// THREAT: slow-message
#[test]
fn trickled_bytes_do_not_keep_a_message_open_for_ever() {
    let mut client = client();
    client.receive(b"\x81\x7e\x10\x00");
    for seconds in 0..60 {
        assert!(client.session.is_open(), "after {seconds} s");
        client.pass(SECOND);
        client.receive(b"x");
    }
    client.pass(SECOND);
    assert_eq!(client.take_written()[6..8], 1008_u16.to_be_bytes());
    client.end();
    assert_eq!(client.cause(), "message_stalled");
}

// THREAT: fragment-flood
#[test]
fn empty_fragments_and_pings_do_not_keep_a_message_open_for_ever() {
    let mut client = client();
    client.receive(b"\x01\x00");
    for _ in 0..62 {
        client.pass(SECOND);
        client.receive(b"\x00\x00\x89\x00");
    }
    assert!(!client.session.is_open());
    client.end();
    assert_eq!(client.cause(), "message_stalled");
}

// THREAT: incomplete-frame
#[test]
fn half_a_header_is_a_message_that_has_begun() {
    // Silence alone would end it as early.
    let mut client = Driven::client(Config::default().with_idle_timeout(600 * SECOND));
    // What came before of other messages and of pongs does not prolong it.
    let mut before = [&b"\x82\x7e\xf0\x00"[..], &[0; 0xf000]].concat();
    before.extend([&b"\x8a\x7d"[..], &[0; 125]].concat().repeat(500));
    client.session.read_buffer().extend_from_slice(&before);
    assert_eq!(client.turn().len(), 501);
    client.receive(b"\x81");
    for _ in 0..6 {
        client.pass(10 * SECOND);
    }
    client.pass(SECOND);
    assert!(!client.session.is_open());
}

// THREAT: slow-message
#[test]
fn a_large_message_over_a_slow_line_is_not_cut() {
    let mut client = client();
    client.receive(b"\x82\x7f\x00\x00\x00\x00\x00\x10\x00\x00");
    for _ in 0..256 {
        client.pass(SECOND);
        assert!(client.session.is_open());
        client.receive(&[0; 4096]);
    }
    assert!(client.session.is_open());
}

#[test]
fn many_messages_in_a_row_are_not_one_long_message() {
    let mut client = client();
    // The end of each read is the beginning of the next message.
    client.receive(b"\x81");
    for _ in 0..100 {
        client.pass(SECOND);
        assert_eq!(client.receive(b"\x01a\x81"), [Message::text("a")]);
    }
    assert!(client.session.is_open());
}

#[test]
fn many_messages_in_fragments_in_a_row_are_not_one_long_message() {
    for in_chunks in [false, true] {
        let mut session = client().session;
        let mut now = start();
        session.read_buffer().extend_from_slice(b"\x01\x01a");
        for second in 0..100 {
            assert!(session.is_open(), "in chunks: {in_chunks}, after {second} s");
            while if in_chunks { session.poll_chunk() } else { session.poll_event() }.is_some() {}
            session.poll_timeout(now);
            session.handle_timeout(now);
            now += SECOND;
            session.read_buffer().extend_from_slice(b"\x80\x01b\x01\x01a");
        }
    }
}

// THREAT: write-stall
#[test]
fn a_peer_that_never_reads_is_cut_by_the_write_deadline() {
    let mut client = client();
    client.session.send(Message::binary(vec![0; 1000])).unwrap();
    let start = client.now;
    let deadline = client.session.poll_timeout(start).expect("a deadline");
    assert_eq!(deadline - start, 30 * SECOND);
    // Some progress gives the full time again.
    bytes::Buf::advance(client.session.transmit(), 1);
    let deadline = client.session.poll_timeout(start + 20 * SECOND).expect("a deadline");
    assert_eq!(deadline - start, 30 * SECOND, "the keep-alive ping");
    client.session.handle_timeout(start + 30 * SECOND);
    let deadline = client.session.poll_timeout(start + 49 * SECOND).expect("a deadline");
    assert_eq!(deadline - start, 50 * SECOND);
    client.session.handle_timeout(deadline);
    while client.session.poll_event().is_some() {}
    let outcome = client.session.outcome().expect("over");
    assert!(matches!(outcome.cause, Cause::WriteStalled));
    assert_eq!(outcome.code, CloseCode::ABNORMAL);
}

#[test]
fn bytes_that_the_transport_holds_back_count_as_unwritten() {
    let mut client = client();
    client.session.send(Message::binary(vec![0; 1000])).unwrap();
    bytes::Buf::advance(client.session.transmit(), 1008);
    client.session.set_flushing(true);
    let start = client.now;
    assert_eq!(client.session.poll_timeout(start), Some(start + 30 * SECOND), "it is stalled");
    client.session.set_flushing(false);
    client.session.poll_timeout(start + 20 * SECOND);
    client.session.set_flushing(true);
    client.session.poll_timeout(start + 25 * SECOND);
    client.session.handle_timeout(start + 54 * SECOND); // the keep-alive ping
    assert!(!client.session.is_finished());
    client.session.handle_timeout(start + 55 * SECOND);
    while client.session.poll_event().is_some() {}
    let outcome = client.session.outcome().expect("over");
    assert!(matches!(outcome.cause, Cause::WriteStalled), "{outcome:?}");
}

// THREAT: write-stall
#[test]
fn where_the_transport_tells_of_progress_nothing_else_is() {
    let mut server = Driven::server(Config::default());
    server.turn();
    let start = server.now;
    server.session.send(Message::binary(vec![0; 1000])).unwrap();
    transmitted(&mut server.session);
    server.session.set_flushing(true);
    for second in 0..100 {
        server.now = start + second * SECOND;
        server.session.note_progress(Some(true));
        server.session.poll_timeout(server.now);
        server.session.handle_timeout(server.now);
        // Whatever else it takes, pings included.
        server.session.send(Message::binary(vec![0; 1000])).unwrap();
        transmitted(&mut server.session);
    }
    for second in 100..130 {
        assert!(!server.session.is_finished(), "{second}");
        server.now = start + second * SECOND;
        server.session.send(Message::binary(vec![0; 1000])).unwrap();
        transmitted(&mut server.session);
        server.session.note_progress(Some(false));
        server.session.poll_timeout(server.now);
        server.session.handle_timeout(server.now);
    }
    assert_eq!(server.cause(), "write_stalled");
}

// THREAT: write-stall
#[test]
fn progress_that_nobody_was_woken_for_is_not_taken_for_late_progress() {
    let timeout = 8 * SECOND;
    let mut server = Driven::server(Config::default().with_write_timeout(timeout));
    server.turn();
    server.session.send(Message::binary(vec![0; 1000])).unwrap();
    transmitted(&mut server.session);
    server.session.set_flushing(true);
    let start = server.now;
    let mut looks = 0;
    // The transport takes some at the beginning, and passes it on a moment later.
    server.session.note_progress(Some(true));
    while !server.session.is_finished() {
        let deadline = server.session.poll_timeout(server.now).expect("it waits for the peer");
        assert!(deadline > server.now, "it waits for what has passed");
        server.now = deadline;
        server.session.note_progress(Some(looks == 0));
        server.session.poll_timeout(server.now);
        server.session.handle_timeout(server.now);
        looks += 1;
    }
    let since = server.now - start;
    assert!((timeout..=timeout + timeout / 8).contains(&since), "{since:?}");
    assert!(looks <= 9, "it looks {looks} times");
    assert_eq!(server.cause(), "write_stalled");
}

// THREAT: open-after-close
// THREAT: write-stall
#[test]
fn a_keep_alive_ping_that_a_stuck_transport_takes_is_no_progress() {
    for mut driven in [client(), Driven::server(Config::default())] {
        driven.turn();
        driven.session.send(Message::binary(vec![0; 1000])).unwrap();
        transmitted(&mut driven.session);
        driven.session.set_flushing(true);
        let start = driven.now;
        let mut deadline = driven.session.poll_timeout(start);
        while let Some(at) = deadline.filter(|_| !driven.session.is_finished()) {
            driven.now = at;
            driven.session.handle_timeout(at);
            // It takes the ping into its buffer, and passes nothing on.
            transmitted(&mut driven.session);
            deadline = driven.session.poll_timeout(at);
        }
        while driven.session.poll_event().is_some() {}
        assert_eq!((driven.now - start, driven.cause()), (30 * SECOND, "write_stalled"));
    }
}

#[test]
fn a_slow_reader_that_takes_more_than_our_ping_is_not_cut() {
    // Or less than that, of what is before it.
    for taken in [3, 1] {
        let mut server = Driven::server(Config::default());
        server.turn();
        let start = server.now;
        server.session.send(Message::binary(vec![0; 10_000])).unwrap();
        for second in 0..100 {
            server.now = start + second * SECOND;
            server.session.handle_timeout(server.now);
            bytes::Buf::advance(server.session.transmit(), taken);
            server.session.poll_timeout(server.now);
        }
        assert!(!server.session.is_finished(), "{taken} at a time");
    }
}

#[test]
fn a_stall_that_has_passed_does_not_count_for_the_next() {
    let config = Config::default().with_keep_alive(500 * SECOND).with_idle_timeout(1000 * SECOND);
    let mut server = Driven::server(config);
    server.turn();
    let start = server.now;
    server.session.send(Message::binary(vec![0; 1000])).unwrap();
    assert_eq!(server.session.poll_timeout(start), Some(start + 30 * SECOND));
    transmitted(&mut server.session);
    server.session.poll_timeout(start + 20 * SECOND);
    server.session.send(Message::binary(vec![0; 1000])).unwrap();
    let then = start + 25 * SECOND;
    assert_eq!(server.session.poll_timeout(then), Some(then + 30 * SECOND));
}

#[test]
fn a_ping_whose_answer_nobody_received_is_sent_again() {
    let mut server = Driven::server(Config::default());
    server.pass(30 * SECOND);
    assert_eq!(server.take_written(), b"\x89\0", "the keep-alive ping");
    server.session.poll_write_timeout(server.now + SECOND);
    // Somebody receives again, long after the time for the answer.
    server.now += 100 * SECOND;
    server.session.handle_timeout(server.now);
    server.turn();
    assert_eq!(server.take_written(), b"\x89\0");
    assert!(server.session.is_open());
}

#[test]
fn a_ping_that_leaves_late_gives_the_peer_all_of_its_time_from_then_on() {
    for is_in_transport in [false, true] {
        let mut server = Driven::server(Config::default().with_write_timeout(300 * SECOND));
        server.turn();
        let start = server.now;
        server.session.send(Message::binary(vec![0; 1000])).unwrap();
        server.session.handle_timeout(start + 30 * SECOND);
        if is_in_transport {
            transmitted(&mut server.session);
            server.session.set_flushing(true);
        }
        assert_eq!(server.session.poll_timeout(start + 30 * SECOND), Some(start + 60 * SECOND));
        // Nothing happens until it leaves, with all that was before it.
        transmitted(&mut server.session);
        server.session.set_flushing(false);
        let late = start + 59 * SECOND;
        assert_eq!(
            server.session.poll_timeout(late),
            Some(late + 30 * SECOND),
            "{is_in_transport}"
        );
        // It is not given again.
        assert_eq!(server.session.poll_timeout(late + SECOND), Some(late + 30 * SECOND));
    }
}

#[test]
fn a_close_that_is_never_answered_ends_in_time() {
    let mut client = client();
    client.session.close(Some(CloseCode::NORMAL.into())).unwrap();
    client.pass(4 * SECOND);
    assert!(!client.session.is_finished());
    client.receive(b"\x81\x01a"); // data does not prolong it
    client.pass(2 * SECOND);
    let outcome = client.session.outcome().expect("over");
    assert!(!outcome.clean && outcome.code == CloseCode::ABNORMAL);
    assert_eq!(client.cause(), "normal");
}

#[test]
fn answers_to_pings_do_not_prolong_the_wait_for_a_goodbye() {
    let mut client = client();
    client.session.close(Some(CloseCode::NORMAL.into())).unwrap();
    let ping = [&b"\x89\x7d"[..], &[0; 125]].concat();
    for _ in 0..6 {
        client.pass(SECOND);
        client.receive(&ping.repeat(100));
    }
    assert!(client.session.is_finished());
}

#[test]
fn a_goodbye_has_its_time_from_when_it_has_left() {
    // How many bytes a peer takes a second, and after how many seconds it is cut: behind what is
    // queued, when it answers nothing, or long before when it takes less than a KiB a second.
    for (rate, end) in [(0, 5), (204, 7), (512, 10), (1024, 64 + 5), (10_000, 7 + 5)] {
        let mut server = Driven::server(Config::default());
        server.turn();
        let session = &mut server.session;
        session.send(Message::binary(vec![0; 64 * 1024])).unwrap();
        session.close(Some(CloseCode::NORMAL.into())).unwrap();
        let after = server.drain_slowly(rate) - 1;
        assert!(after.abs_diff(end) <= 1, "{after} s at {rate} bytes a second");
    }
}

// THREAT: open-after-close
#[test]
fn a_violation_is_reported_in_time_though_the_peer_never_ends() {
    let mut client = client();
    client.receive(b"\x83\x00");
    for _ in 0..6 {
        client.pass(SECOND);
        client.receive(b"flood");
    }
    assert!(client.session.is_finished());
}

// THREAT: no-limits
#[test]
fn zero_does_not_switch_a_deadline_off_and_the_largest_duration_does() {
    let mut config = Config::default();
    config.idle_timeout = Duration::ZERO;
    let mut client = Driven::client(config);
    client.pass(SECOND);
    assert!(!client.session.is_open());

    let mut config = Config::default();
    config.idle_timeout = Duration::MAX;
    config.keep_alive = Duration::MAX;
    let mut client = Driven::client(config);
    client.pass(1_000_000 * SECOND);
    assert!(client.session.is_open() && client.deadline.is_none());
}

#[test]
fn a_driver_that_waits_to_write_does_not_blame_the_peer_for_silence() {
    let mut server = Driven::server(Config::default());
    server.turn();
    // The beginning of a message has arrived, then the application sends for a long time.
    server.receive(&[0x81]);
    for _ in 0..20 {
        server.session.send(Message::binary(vec![0; 1000])).unwrap();
        server.now += Duration::from_secs(20);
        server.session.handle_write_timeout(server.now);
        let deadline = server.session.poll_write_timeout(server.now);
        assert_eq!(deadline, Some(server.now + Duration::from_secs(30)), "the write timeout");
        transmitted(&mut server.session);
    }
    // Back at reading, the message gets its whole time, and the peer a ping before it is left.
    server.turn();
    server.pass(Duration::from_secs(29));
    assert!(server.session.is_open());
    server.pass(Duration::from_secs(2));
    assert!(!server.session.is_open(), "it did not answer the ping");
}

// THREAT: write-stall
#[test]
fn a_peer_that_takes_nothing_is_cut_while_the_driver_waits_to_write() {
    let mut server = Driven::server(Config::default());
    server.turn();
    server.session.send(Message::binary(vec![0; 1000])).unwrap();
    let deadline = server.session.poll_write_timeout(server.now).unwrap();
    assert_eq!(deadline, server.now + Duration::from_secs(30));
    server.session.handle_write_timeout(deadline);
    assert_eq!(server.cause(), "write_stalled");
}
