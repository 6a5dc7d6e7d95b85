//! Zeros, the largest numbers and empty lists: every one of them means something, none panics.

use std::sync::Arc;
use std::time::Duration;

use bytes::Buf as _;
use ws_io::{
    AcceptOptions, Config, ConnectOptions, Error, Limits, Message, OriginPolicy, SharedBudget,
    SubprotocolPolicy, WsUri, accept, connect, duplex, mailbox,
};
use ws_session::{Compress, DataKind, MaskKeys, Session};
use ws_stack::endpoint::{HttpPolicy, QuicOptions};
use ws_stack::tokio::Tokio;
use ws_tests::{Certificates, certificates};

type Change = fn(&mut Config, Number);

#[derive(Clone, Copy, Debug)]
struct Number {
    size: usize,
    time: Duration,
}

const EXTREMES: [Number; 3] = [
    Number { size: 0, time: Duration::ZERO },
    Number { size: 1, time: Duration::from_nanos(1) },
    Number { size: usize::MAX, time: Duration::MAX },
];

/// Every setting of a session.
const SETTINGS: [(&str, Change); 13] = [
    ("max_frame", |c, n| c.limits = c.limits.with_max_frame(n.size)),
    ("max_message", |c, n| c.limits = c.limits.with_max_message(n.size)),
    ("max_fragments", |c, n| c.limits = c.limits.with_max_fragments(n.size)),
    ("high_water", |c, n| c.high_water = n.size),
    ("memory_budget", |c, n| c.memory_budget = n.size),
    ("shared_budget", |c, n| c.shared_budget = Some(SharedBudget::new(n.size))),
    ("keep_alive", |c, n| c.keep_alive = n.time),
    ("idle_timeout", |c, n| c.idle_timeout = n.time),
    ("message_timeout", |c, n| c.message_timeout = n.time),
    ("write_timeout", |c, n| c.write_timeout = n.time),
    ("close_timeout", |c, n| c.close_timeout = n.time),
    ("max_inflate_ratio", |c, n| c.max_inflate_ratio = u32::try_from(n.size).unwrap_or(u32::MAX)),
    ("inflate_ratio_floor", |c, n| c.inflate_ratio_floor = n.size),
];

fn configs() -> Vec<(String, Config)> {
    let mut configs = Vec::new();
    for number in EXTREMES {
        let mut all = Config::default();
        for (name, change) in SETTINGS {
            let mut config = Config::default();
            change(&mut config, number);
            change(&mut all, number);
            configs.push((format!("{name} {number:?}"), config));
        }
        configs.push((format!("all {number:?}"), all));
    }
    configs
}

#[expect(
    clippy::disallowed_methods,
    reason = "an instant can only be had from the clock; it stays"
)]
fn start() -> std::time::Instant {
    std::time::Instant::now()
}

// THREAT: no-limits
#[test]
fn a_session_works_or_ends_with_any_setting() {
    for (name, config) in configs() {
        let config = Arc::new(config);
        let deflate = ws_deflate::Config::default();
        let (at_server, answer) =
            ws_deflate::server::negotiate(&deflate, &[ws_deflate::client::offer(&deflate)])
                .expect("ours");
        let at_client = ws_deflate::client::accept(&deflate, &answer).expect("ours");
        let mut client = Session::client(Arc::clone(&config), MaskKeys::new(|| [7; 4]))
            .with_deflate(at_client, &deflate);
        let mut server = Session::server(config).with_deflate(at_server, &deflate);
        client.set_beside(usize::MAX);
        let mut now = start();
        for round in 0..20 {
            for session in [&mut client, &mut server] {
                // Whatever is refused is refused; nothing is owed to the caller but an answer.
                let _ = session.send(Message::text(""));
                let _ = session.send_with(Message::binary(vec![0; 5000]), Compress::Always);
                let _ = session.send_fragment(DataKind::Text, bytes::Bytes::new(), round % 2 == 0);
                let _ = session.send(Message::Ping(bytes::Bytes::new()));
                while session.poll_event().is_some() {}
            }
            for turn in 0..2 {
                let (from, to) =
                    if turn == 0 { (&mut client, &mut server) } else { (&mut server, &mut client) };
                let queue = from.transmit();
                let sent = queue.copy_to_bytes(queue.len());
                to.read_buffer().extend_from_slice(&sent);
                while to.poll_chunk().is_some() {}
                assert!(to.read_size() > 0);
                if from.wants_shutdown() {
                    from.handle_shutdown();
                    to.receive_eof();
                }
            }
            for session in [&mut client, &mut server] {
                if let Some(at) = session.poll_timeout(now) {
                    now = now.max(at.min(now + Duration::from_secs(100)));
                }
                session.handle_timeout(now);
            }
        }
        for session in [&mut client, &mut server] {
            let _ = session.close(None);
            session.receive_eof();
            while session.poll_event().is_some() {}
            let queued = session.transmit().len();
            session.transmit().advance(queued);
            session.handle_shutdown();
            while session.poll_event().is_some() {}
            assert!(session.is_finished(), "{name}");
        }
    }
}

/// Connects, echoes and closes; the error that came in the way, if one did.
async fn talk(accepting: AcceptOptions, connecting: ConnectOptions) -> Result<(), Error> {
    let (left, right) = duplex(64 * 1024);
    let serving = tokio::spawn(async move {
        let mut server = accept(right, Tokio, accepting).await?;
        let sender = server.sender(usize::MAX);
        let _ = sender.try_send(Message::text("from elsewhere"));
        while let Some(message) = server.next().await {
            let message = message?;
            if message.data_kind().is_some() {
                server.feed(message).await?;
            }
        }
        Ok::<(), Error>(())
    });
    let uri = WsUri::parse("ws://a.example/").expect("a uri");
    let mut client = connect(left, Tokio, &uri, &connecting).await?;
    let _ = client.sender(0);
    client.send(Message::text("hello")).await?;
    while let Some(message) = client.next().await {
        if message? == Message::text("hello") {
            break;
        }
    }
    client.close(ws_io::CloseCode::NORMAL, "").await?;
    serving.await.expect("the server did not panic")
}

#[tokio::test]
async fn a_connection_works_or_ends_with_any_setting() {
    for (name, config) in configs() {
        let session = Arc::new(config);
        let accepting = AcceptOptions { session: Arc::clone(&session), ..Default::default() };
        let connecting = ConnectOptions { session, ..Default::default() };
        let talked = tokio::time::timeout(Duration::from_secs(60), talk(accepting, connecting));
        // It may fail, with a limit of a byte; it may not hang.
        let _outcome = talked.await.unwrap_or_else(|_| panic!("{name} hangs"));
    }
}

#[tokio::test]
async fn a_handshake_ends_with_any_limit() {
    for number in EXTREMES {
        let accepting = || AcceptOptions::default();
        let connecting = || ConnectOptions::default();
        let servers = [
            AcceptOptions { handshake_timeout: number.time, ..accepting() },
            AcceptOptions { silence_timeout: number.time, ..accepting() },
            AcceptOptions { max_handshake_size: number.size, ..accepting() },
            AcceptOptions { max_headers: number.size, ..accepting() },
            AcceptOptions { subprotocols: SubprotocolPolicy::required([""; 0]), ..accepting() },
            AcceptOptions { origin: OriginPolicy::List(Vec::new()), ..accepting() },
        ];
        for options in servers {
            let name = format!("{options:?}");
            let talked = tokio::time::timeout(Duration::from_secs(60), talk(options, connecting()));
            let _outcome = talked.await.unwrap_or_else(|_| panic!("{name} hangs"));
        }
        let clients = [
            ConnectOptions { handshake_timeout: number.time, ..connecting() },
            ConnectOptions { silence_timeout: number.time, ..connecting() },
            ConnectOptions { max_handshake_size: number.size, ..connecting() },
            ConnectOptions { max_headers: number.size, ..connecting() },
            ConnectOptions { require_subprotocol: true, ..connecting() },
        ];
        for options in clients {
            let name = format!("{options:?}");
            let talked = tokio::time::timeout(Duration::from_secs(60), talk(accepting(), options));
            let _outcome = talked.await.unwrap_or_else(|_| panic!("{name} hangs"));
        }
    }
}

#[tokio::test]
async fn a_server_and_its_end_take_any_number() {
    for number in EXTREMES {
        let server = ws_stack::tokio::server()
            .with_max_connections(number.size)
            .with_memory_budget(number.size)
            .listen(([127, 0, 0, 1], 0).into())
            .expect("a port");
        let url = server.urls().next().expect("it listens");
        let shutdown = server.shutdown_handle();
        let serving = tokio::spawn(
            server.serve(|mut websocket| async move { while websocket.next().await.is_some() {} }),
        );
        let mut client = ws_stack::tokio::connect(&url).await.expect("a zero counts as one");
        shutdown.drain(number.time);
        while client.next().await.is_some() {}
        drop(client);
        let drained = tokio::time::timeout(Duration::from_secs(60), serving).await;
        drained.expect("it ends").expect("no panic");
    }
}

/// What is not done by then is not done at all: windows of an octet may take for ever.
const NOT_LONG: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quic_takes_any_number_on_both_sides() {
    for number in EXTREMES {
        let size = u32::try_from(number.size).unwrap_or(u32::MAX);
        let mut extreme = QuicOptions::default();
        extreme.stream_window = size;
        extreme.connection_window = size;
        extreme.max_connection_window = size;
        extreme.send_window = u64::try_from(number.size).unwrap_or(u64::MAX);
        extreme.max_requests = size;
        extreme.keep_alive = number.time;
        extreme.idle_timeout = number.time;
        extreme.retry_above = number.size;
        extreme.max_handshakes = number.size;
        for (ours, theirs) in
            [(extreme.clone(), QuicOptions::default()), (QuicOptions::default(), extreme)]
        {
            let Certificates { server: tls, trust, .. } = certificates();
            let server = ws_stack::tokio::server().with_quic(theirs);
            let server = server.listen_h3(([127, 0, 0, 1], 0).into(), Arc::clone(tls));
            let server = server.expect("a port");
            let url = server.urls().next().expect("it listens").replace("127.0.0.1", "localhost");
            let serving =
                tokio::spawn(server.serve(|mut websocket| async move {
                    while websocket.next().await.is_some() {}
                }));
            let client = ws_stack::tokio::client().with_tls(Arc::clone(trust)).with_quic(ours);
            let client = client.with_http(HttpPolicy::H3);
            let options = ConnectOptions { handshake_timeout: NOT_LONG, ..Default::default() };
            let opened = client.connect(&url, &options).await;
            // The smallest numbers leave no room for a request; the largest bound nothing.
            assert!(number.size < usize::MAX || opened.is_ok(), "{number:?}: {opened:?}");
            serving.abort();
            assert!(serving.await.expect_err("it serves on").is_cancelled(), "{number:?}");
        }
    }
}

#[test]
fn a_mailbox_takes_any_capacity() {
    for capacity in [0, 1, usize::MAX] {
        let (mailbox, _inbox) = mailbox::<u8>(capacity);
        mailbox.try_send(1).expect("room for one at least");
    }
    assert_eq!(Limits::default().with_max_frame(0).max_frame(), 1);
}
