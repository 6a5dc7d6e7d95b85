//! What an idle compressed connection costs, counted by the allocator. The figures stand in the
//! guide; `-- --nocapture` prints them.

#![cfg(feature = "deflate")]

use std::time::{Duration, Instant};

use allocation_counter::measure;
use bytes::{Buf, BytesMut};
use ws_session::deflate::{self, client, server};
use ws_session::{Compress, Config, Event, MaskKeys, Message, Session};

/// The two ends of a connection that agreed on `wanted`.
fn pair(wanted: &deflate::Config) -> (Session, Session) {
    let (at_server, answer) = server::negotiate(wanted, &[client::offer(wanted)]).expect("agreed");
    let at_client = client::accept(wanted, &answer).expect("agreed");
    (
        Session::client(Config::default(), MaskKeys::new(|| [0; 4]))
            .with_deflate(at_client, wanted),
        Session::server(Config::default()).with_deflate(at_server, wanted),
    )
}

/// What passes from one session to the other.
fn deliver(from: &mut Session, to: &mut Session) {
    let queued = from.transmit().len();
    *to.read_buffer() = BytesMut::from(&from.transmit().copy_to_bytes(queued)[..]);
    assert!(matches!(to.poll_event(), Some(Event::Message(_))));
    *to.read_buffer() = BytesMut::new();
}

/// Fills this thread's pool, so that what is given back is freed.
fn fill_pool(wanted: &deflate::Config) {
    let mut all = [(); 4].map(|()| pair(wanted));
    for (client, server) in &mut all {
        converse(client, server);
    }
}

/// More than a window of messages, both ways.
fn converse(client: &mut Session, server: &mut Session) {
    for number in 0..64 {
        let text = format!("message {number}, ").repeat(60);
        client.send_with(Message::text(text.as_str()), Compress::Always).expect("open");
        deliver(client, server);
        server.send_with(Message::text(text.as_str()), Compress::Always).expect("open");
        deliver(server, client);
    }
}

/// Bytes that a server holds for a connection: while it is used, and after it was idle for long.
/// Both ends live here, so half of what both hold.
fn held(wanted: &deflate::Config) -> (i64, i64) {
    if wanted.server_no_context_takeover {
        // What the pool keeps is the thread's; with takeover it would be taken from there.
        fill_pool(wanted);
    }
    let mut sessions = None;
    let used = measure(|| {
        let (mut client, mut server) = pair(wanted);
        converse(&mut client, &mut server);
        sessions = Some((client, server));
    });
    let (mut client, mut server) = sessions.expect("made");
    fill_pool(wanted);
    let idle = measure(|| {
        #[expect(clippy::disallowed_methods, reason = "an instant can only be had from the clock")]
        let now = Instant::now();
        for session in [&mut client, &mut server] {
            session.poll_timeout(now);
            session.handle_timeout(now + Duration::from_secs(10));
        }
    });
    (used.bytes_current / 2, (used.bytes_current + idle.bytes_current) / 2)
}

#[test]
fn an_idle_connection_weighs_what_the_guide_says() {
    let default = deflate::Config::default;
    let narrow = |bits| default().server_max_window_bits(bits).client_max_window_bits(Some(bits));
    let rows = [
        ("takeover, 15 bits (the default)", default(), 450, 33),
        ("takeover, 12 bits", narrow(12), 310, 5),
        ("takeover, 9 bits", narrow(9), 293, 1),
        ("no takeover (`low_memory`)", deflate::Config::low_memory(), 1, 1),
    ];
    println!("| setting | used in the last 10 s | idle |");
    for (name, wanted, used, idle) in rows {
        // A thread of its own begins with an empty pool.
        let (found_used, found_idle) =
            std::thread::scope(|scope| scope.spawn(|| held(&wanted)).join().expect("no panic"));
        println!("| {name} | {found_used} B | {found_idle} B |");
        assert!((found_used - used * 1024).abs() <= 2048, "{name}");
        assert!((found_idle - idle * 1024).abs() <= 1024, "{name}");
    }
}
