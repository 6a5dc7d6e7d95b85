//! Sessions that wait for nothing but the peer's next message, and what their waits leave behind.

use std::time::Duration;

use crate::support::{Driven, transmitted};
use ws_session::{Config, Message, SharedBudget};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_session_is_at_rest_when_a_wait_has_begun_and_gives_nothing_back() {
    let mut server = Driven::server(Config::default());
    assert!(!server.session.is_at_rest(), "it was not given the time");
    server.turn();
    assert!(server.session.is_at_rest());
    // What it holds of a budget that others share is settled by each wait.
    let config = Config::default().with_shared_budget(SharedBudget::new(1024 * 1024));
    let mut sharing = Driven::server(config);
    sharing.turn();
    assert!(!sharing.session.is_at_rest());
}

#[test]
fn a_ping_that_is_held_is_not_taken_for_gone_because_of_what_left_before() {
    let mut server = Driven::server(Config::default().with_write_timeout(300 * SECOND));
    server.session.send(Message::binary(vec![0; 5000])).unwrap();
    server.turn();
    let start = server.now;
    server.session.handle_timeout(start + 30 * SECOND);
    assert_eq!(server.session.poll_timeout(start + 30 * SECOND), Some(start + 60 * SECOND));
    transmitted(&mut server.session);
    let late = start + 59 * SECOND;
    assert_eq!(server.session.poll_timeout(late), Some(late + 30 * SECOND));
}

// THREAT: silent-peer
#[test]
fn who_waits_to_write_where_nothing_is_to_be_written_blames_nobody() {
    let mut server = Driven::server(Config::default());
    server.turn();
    let late = server.now + 3600 * SECOND;
    assert_eq!(server.session.poll_write_timeout(late), None);
    server.session.handle_write_timeout(late);
    assert!(server.session.is_open() && server.session.transmit().is_empty());
}

// THREAT: write-stall
#[test]
fn a_peer_that_broke_the_rules_gets_no_more_time_for_what_was_queued() {
    let mut server = Driven::server(Config::default());
    server.turn();
    let session = &mut server.session;
    session.send(Message::binary(vec![0; 64 * 1024])).unwrap();
    // A frame that is not masked.
    session.read_buffer().extend_from_slice(b"\x81\x01a");
    let second = server.drain_slowly(1024);
    assert!(second <= 7, "{second} s");
}
