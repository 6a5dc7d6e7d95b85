//! One number for everything that is held for a peer, and one that many sessions share.

use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use ws_session::{
    Account, BudgetExceeded, Cause, Config, DataKind, Event, MaskKeys, Message, Prepared,
    SendError, Session, SharedBudget,
};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

fn config(budget: usize) -> Config {
    Config::default().with_memory_budget(budget)
}

fn both(config: &Config) -> [(Session, u8); 2] {
    let client = Session::client(config.clone(), MaskKeys::new(|| [0; 4]));
    [(client, 0), (Session::server(config.clone()), 0x80)]
}

/// A frame of the other role's, its mask (if it needs one) being zero.
fn frame(first: u8, mask: u8, len: usize) -> BytesMut {
    let mut frame = BytesMut::from(&[first][..]);
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(short @ ..126), _) => frame.extend_from_slice(&[mask | short]),
        (_, Ok(medium)) => {
            frame.extend_from_slice(&[mask | 126]);
            frame.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            frame.extend_from_slice(&[mask | 127]);
            frame.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    if mask != 0 {
        frame.extend_from_slice(&[0; 4]);
    }
    frame.resize(frame.len() + len, 0);
    frame
}

/// What the session has to write.
fn transmitted(session: &mut Session) -> BytesMut {
    let queue = session.transmit();
    BytesMut::from(&queue.copy_to_bytes(queue.len())[..])
}

#[expect(
    clippy::disallowed_methods,
    reason = "an instant can only be had from the clock; it stays"
)]
fn start() -> Instant {
    Instant::now()
}

/// Polls until nothing comes, and returns what crossed a budget, if anything did by now.
fn receive(session: &mut Session, wire: &[u8]) -> usize {
    session.read_buffer().extend_from_slice(wire);
    let mut events = 0;
    while session.poll_event().is_some() {
        events += 1;
    }
    events
}

/// What the session was closed for, and the code it says so with.
fn exceeded(session: &mut Session) -> (BudgetExceeded, u16) {
    session.receive_eof();
    while session.poll_event().is_some() {}
    transmitted(session);
    session.handle_shutdown();
    while session.poll_event().is_some() {}
    let outcome = session.outcome().expect("over");
    let Cause::BudgetExceeded(exceeded) = outcome.cause else { panic!("{outcome:?}") };
    assert_eq!(outcome.cause.reason(), "budget_exceeded");
    let sent = outcome.sent.clone().flatten().expect("a close frame with a code");
    assert_eq!(sent.reason, exceeded.to_string());
    (exceeded, sent.code.get())
}

// THREAT: memory-amplification
#[test]
fn a_message_in_fragments_that_crosses_the_budget_is_closed_with_1009() {
    for (mut session, mask) in both(&config(MIB)) {
        assert_eq!(receive(&mut session, &frame(0x02, mask, 1000)), 0);
        let mut peak = 0;
        while session.is_open() {
            receive(&mut session, &frame(0x00, mask, 1000));
            peak = peak.max(session.held());
        }
        assert!(peak <= MIB, "{peak}");
        assert!(session.held() < 4 * KIB, "it was given back at once: {}", session.held());
        let (exceeded, code) = exceeded(&mut session);
        assert_eq!((exceeded.max, exceeded.is_shared, code), (MIB, false, 1009));
        let Account { received, .. } = exceeded.account;
        assert!(exceeded.account.total() > MIB && received > MIB / 2, "{exceeded:?}");
    }
}

#[test]
fn a_single_frame_that_crosses_the_budget_is_closed_with_1009() {
    for (mut session, mask) in both(&config(MIB)) {
        let wire = frame(0x82, mask, 2 * MIB);
        let mut sent = 0;
        for piece in wire.chunks(4 * KIB) {
            receive(&mut session, piece);
            sent += piece.len();
            if !session.is_open() {
                break;
            }
        }
        assert!(sent <= MIB + 4 * KIB, "{sent}");
        assert_eq!(exceeded(&mut session).1, 1009);
    }
}

#[test]
fn the_largest_message_of_the_default_limits_fits_into_the_default_budget() {
    let mut client = Session::client(Config::default(), MaskKeys::new(|| [0; 4]));
    let max = client.config().limits.max_message();
    let piece = frame(0x00, 0, 64 * KIB);
    let mut peak = 0;
    receive(&mut client, b"\x02\x00");
    for _ in 1..max / (64 * KIB) {
        assert_eq!(receive(&mut client, &piece), 0);
        peak = peak.max(client.held());
    }
    assert!(client.is_open() && peak <= client.config().memory_budget, "{peak}");
    assert_eq!(receive(&mut client, &frame(0x80, 0, 64 * KIB)), 1, "the message");
    assert!(client.held() < 2 * KIB, "it is the application's: {}", client.held());
}

#[test]
fn a_message_of_the_size_that_was_asked_for_is_received_in_one_frame() {
    let len = 70 * MIB;
    let config = Config::default().with_max_message(len);
    let mut client = Session::client(config, MaskKeys::new(|| [0; 4]));
    receive(&mut client, &frame(0x82, 0, len)[..10]);
    let mut missing = len;
    while missing > 0 {
        // As a driver reads: a buffer that doubles, where there is no room for what it asks for.
        let wanted = client.read_size();
        client.read_buffer().reserve(wanted);
        let arrived = wanted.min(missing).min(MIB);
        missing -= arrived;
        let zeros = BytesMut::zeroed(arrived);
        assert_eq!(receive(&mut client, &zeros), usize::from(missing == 0), "{missing} missing");
    }
    assert!(client.is_open());
    let small = Config::default().with_max_message(1000);
    assert_eq!((small.limits.max_message(), small.limits.max_frame()), (1000, 16 * MIB));
    assert_eq!(small.memory_budget, Config::default().memory_budget);
}

#[test]
fn a_message_taken_in_chunks_holds_nothing() {
    for (mut session, mask) in both(&config(0)) {
        session.read_buffer().extend_from_slice(&frame(0x02, mask, 0));
        while session.poll_chunk().is_some() {}
        for _ in 0..1000 {
            session.read_buffer().extend_from_slice(&frame(0x00, mask, 4 * KIB));
            while let Some(event) = session.poll_chunk() {
                assert!(matches!(event, Event::Chunk { kind: DataKind::Binary, .. }));
            }
        }
        assert!(session.is_open() && session.held() < 2 * KIB, "{}", session.held());
    }
}

#[test]
fn empty_fragments_cost_nothing_and_are_counted() {
    for (mut session, mask) in both(&config(0)) {
        receive(&mut session, &frame(0x02, mask, 0));
        let held = session.held();
        for _ in 1..session.config().limits.max_fragments() {
            receive(&mut session, &frame(0x00, mask, 0));
        }
        assert!(session.is_open());
        assert_eq!(session.held(), held);
        receive(&mut session, &frame(0x00, mask, 0));
        assert!(!session.is_open());
    }
}

#[test]
fn what_waits_to_be_written_counts_and_is_no_message_of_the_peer() {
    for (mut session, mask) in both(&config(MIB)) {
        session.send(Message::binary(vec![0; MIB - 300 * KIB])).expect("it fits");
        receive(&mut session, &frame(0x02, mask, 200 * KIB));
        assert!(session.is_open());
        receive(&mut session, &frame(0x00, mask, 200 * KIB));
        let (exceeded, code) = exceeded(&mut session);
        assert_eq!(code, 1008);
        assert!(exceeded.account.queued > exceeded.account.received, "{exceeded:?}");
    }
}

#[test]
fn a_message_of_ours_that_does_not_fit_is_refused_and_the_session_goes_on() {
    for (mut session, _) in both(&config(MIB)) {
        let refused = session.send(Message::binary(vec![0; MIB])).expect_err("too large");
        assert!(matches!(refused, SendError::BudgetExceeded { max: MIB, size } if size > MIB));
        let fragment = session.send_fragment(DataKind::Binary, vec![0; MIB].into(), true);
        assert_eq!(fragment.expect_err("too large").reason(), "budget_exceeded");
        let prepared = Prepared::new(Message::binary(vec![0; MIB])).expect("data");
        assert_eq!(session.send_prepared(&prepared), Err(refused));
        assert!(session.transmit().is_empty(), "nothing was queued");
        let mut sent = 0;
        while session.send(Message::binary(vec![0; 10 * KIB])).is_ok() {
            sent += 1;
        }
        assert_eq!(sent, 102);
        let ping = Message::Ping(vec![0; 125].into());
        assert!((0..100).any(|_| session.send(ping.clone()).is_err()), "a ping counts too");
        assert!(session.held() <= MIB && session.is_open());
        transmitted(&mut session);
        session.send(Message::binary(vec![0; MIB / 2])).expect("there is room again");
    }
}

#[test]
fn what_the_owner_keeps_beside_the_session_counts() {
    for (mut session, mask) in both(&config(MIB)) {
        let before = session.held();
        session.set_beside(5000);
        assert_eq!(session.held(), before + 5000);
        session.set_beside(usize::MAX);
        receive(&mut session, &frame(0x02, mask, 1000)[..500]);
        let (exceeded, code) = exceeded(&mut session);
        assert_eq!(code, 1008);
        assert!(exceeded.account.fixed > MIB, "{exceeded:?}");
    }
}

// THREAT: no-limits
#[test]
fn zero_does_not_switch_the_budget_off() {
    for (mut session, mask) in both(&config(0)) {
        receive(&mut session, &frame(0x02, mask, 200 * KIB));
        assert!(session.is_open(), "zero counts as 256 KiB");
        receive(&mut session, &frame(0x00, mask, 100 * KIB));
        assert_eq!(exceeded(&mut session).0.max, 256 * KIB);
    }
}

#[test]
fn a_read_asks_for_no_more_than_a_quarter_of_the_budget() {
    for (mut session, mask) in both(&config(0)) {
        for _ in 0..3 {
            let wire = frame(0x8a, mask, 0);
            let count = session.read_size() / wire.len();
            receive(&mut session, &wire.repeat(count + 1));
        }
        assert_eq!(session.read_size(), 64 * KIB);
    }
}

// THREAT: unread-pongs
#[test]
fn pings_that_nobody_reads_the_pongs_of_stay_within_the_budget_whatever_high_water_says() {
    let mut config = config(MIB);
    config.high_water = usize::MAX;
    for (mut session, mask) in both(&config) {
        let pings: BytesMut = (0..100).flat_map(|_| frame(0x89, mask, 125)).collect();
        let mut peak = 0;
        for _ in 0..200 {
            assert_eq!(receive(&mut session, &pings), 100);
            peak = peak.max(session.held());
        }
        assert!(session.is_open() && peak <= MIB / 2 + 2 * KIB, "{peak}");
    }
}

#[test]
fn a_session_with_no_high_water_still_sends() {
    let mut config = Config::default();
    config.high_water = 0;
    for (mut session, _) in both(&config) {
        assert!(session.is_writable());
        session.send(Message::text("a")).expect("open");
        assert!(!session.is_writable());
    }
}

#[cfg(feature = "deflate")]
mod deflate {
    use super::*;
    use ws_session::Compress;
    use ws_session::deflate::{client, server};

    fn pair(ours: Config) -> (Session, Session) {
        let config = ws_session::deflate::Config::default();
        let (at_server, answer) =
            server::negotiate(&config, &[client::offer(&config)]).expect("agreed");
        let at_client = client::accept(&config, &answer).expect("agreed");
        let sender = Session::client(Config::default(), MaskKeys::new(|| [0; 4]));
        let receiver = Session::server(ours);
        (sender.with_deflate(at_client, &config), receiver.with_deflate(at_server, &config))
    }

    #[test]
    fn a_bomb_below_the_message_limit_stops_at_the_budget() {
        let (mut attacker, mut victim) = pair(config(2 * MIB));
        attacker.send_with(Message::binary(vec![0; 16 * MIB]), Compress::Always).expect("open");
        let bomb = transmitted(&mut attacker);
        let mut peak = 0;
        for piece in bomb.chunks(500) {
            receive(&mut victim, piece);
            peak = peak.max(victim.held());
        }
        assert!(peak <= 2 * MIB + 64 * KIB, "{peak}");
        let (exceeded, code) = exceeded(&mut victim);
        assert_eq!((exceeded.max, code), (2 * MIB, 1009));
    }

    // THREAT: inflate-bomb
    #[test]
    fn a_bomb_that_comes_at_once_stops_at_the_budget() {
        let (mut attacker, mut victim) = pair(config(2 * MIB));
        attacker.send_with(Message::binary(vec![0; 16 * MIB]), Compress::Always).expect("open");
        let bomb = transmitted(&mut attacker);
        receive(&mut victim, &bomb);
        assert_eq!(victim.account().compression, 0, "it was given back at once");
        let (exceeded, code) = exceeded(&mut victim);
        assert_eq!(code, 1009);
        assert!(exceeded.account.total() <= 2 * MIB + 64 * KIB, "{exceeded:?}");
    }

    #[test]
    fn contexts_and_windows_count() {
        let (mut sender, mut receiver) = pair(config(0));
        let idle = receiver.account().compression;
        let text = Message::text("a text to be compressed ".repeat(10));
        sender.send(text.clone()).expect("open");
        let wire = transmitted(&mut sender);
        assert_eq!(receive(&mut receiver, &wire), 1);
        let inflating = receiver.account().compression;
        assert!(inflating > idle + 32 * KIB && receiver.is_open(), "{inflating}");
        receiver.send(text).expect("open");
        let deflating = receiver.account().compression;
        assert!(deflating > inflating + 350 * KIB, "{deflating}");
        receive(&mut receiver, &frame(0x02, 0x80, 4 * KIB));
        let (exceeded, code) = exceeded(&mut receiver);
        assert_eq!((code, exceeded.account.compression), (1008, deflating));
    }
}

fn sharing(budget: &SharedBudget, iana: bool) -> Config {
    let mut config = Config::default();
    config.shared_budget = Some(budget.clone());
    config.iana_close_codes = iana;
    config
}

// THREAT: memory-amplification
#[test]
fn many_sessions_together_hold_no_more_than_the_shared_budget() {
    let budget = SharedBudget::new(MIB);
    let mut sessions: Vec<Session> =
        (0..300).map(|_| Session::server(sharing(&budget, false))).collect();
    // Every one of them sends the beginning of a large message, a little at a time.
    let (mut peak, mut charged) = (0, 0);
    for round in 0..10 {
        for session in &mut sessions {
            let first = if round == 0 { 0x02 } else { 0x00 };
            receive(session, &frame(first, 0x80, 4000));
            charged = charged.max(budget.used());
        }
        peak = peak.max(sessions.iter().map(Session::held).sum());
    }
    assert!(charged <= budget.max(), "{charged}");
    // What is read is charged afterwards; a closed session keeps its goodbye until that is sent.
    assert!(peak <= budget.max() + 300 * 5 * KIB, "{peak}");
    let open = sessions.iter().filter(|session| session.is_open()).count();
    assert!(open < 300, "{open}");
    drop(sessions);
    assert_eq!(budget.used(), 0);
}

// THREAT: memory-amplification
#[test]
fn the_largest_grower_is_closed_and_small_peers_are_not() {
    for (iana, code) in [(true, 1013), (false, 1008)] {
        let budget = SharedBudget::new(8 * MIB);
        let mut small: Vec<Session> =
            (0..10).map(|_| Session::server(sharing(&budget, iana))).collect();
        for session in &mut small {
            receive(session, &frame(0x02, 0x80, 1000));
        }
        let mut hoarder = Session::server(sharing(&budget, iana));
        receive(&mut hoarder, &frame(0x02, 0x80, 1000));
        while hoarder.is_open() {
            receive(&mut hoarder, &frame(0x00, 0x80, 60 * KIB));
            for session in &mut small {
                assert_eq!(receive(session, &frame(0x89, 0x80, 100)), 1, "a ping");
                transmitted(session);
            }
        }
        assert!(small.iter().all(Session::is_open));
        assert!(budget.used() < MIB, "what it held is free again: {}", budget.used());
        let (exceeded, sent) = exceeded(&mut hoarder);
        assert_eq!((exceeded.max, exceeded.is_shared, sent), (8 * MIB, true, code));
    }
}

#[test]
fn what_is_queued_is_charged_and_given_back_when_it_is_written() {
    let budget = SharedBudget::new(8 * MIB);
    let mut server = Session::server(sharing(&budget, false));
    server.send(Message::binary(vec![0; 6 * MIB])).expect("it fits");
    assert!(budget.used() >= 6 * MIB && budget.has_room());
    let mut other = Session::server(sharing(&budget, false));
    let refused = other.send(Message::binary(vec![0; 2 * MIB])).expect_err("the line");
    assert_eq!(refused.reason(), "budget_exceeded");
    transmitted(&mut server);
    let now = start();
    server.poll_timeout(now);
    assert!(budget.used() < 4 * KIB, "{}", budget.used());
    other.send(Message::binary(vec![0; 2 * MIB])).expect("there is room again");
    receive(&mut other, &frame(0x02, 0x80, 100 * KIB));
    receive(&mut other, &frame(0x00, 0x80, 100 * KIB)[..50 * KIB]);
    // A peer that reads nothing is cut, and with it goes what was held for it.
    let stalled = now + Duration::from_secs(30);
    other.poll_write_timeout(now);
    other.handle_write_timeout(stalled);
    assert!(other.is_finished() && other.held() < 2 * KIB, "{}", other.held());
    drop(server);
    assert_eq!(budget.used(), 0);
}
