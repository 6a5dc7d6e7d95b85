//! A client whose address changes, and peers that say nothing for long.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use ws_stack::endpoint::{
    AcceptOptions, Cause, CloseCode, Error, Message, Outcome, QuicOptions, TransportError,
};
use ws_stack::tokio::{WebSocket, server};

use crate::relay::{Relay, Weather};
use crate::support::{Echo, h3_client, open, soon};

const CALM: Weather = Weather { percent: 0, seed: 0 };
/// Longer than a busy machine keeps either side from running.
const IDLE: Duration = Duration::from_millis(1500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_goes_on_when_the_address_of_the_client_changes() {
    let mut server = Echo::start(AcceptOptions::default());
    let relay = Relay::start(server.address, CALM).await;
    let mut websocket = open(&h3_client(), relay.address, false).await;
    for round in 0..3 {
        for number in 0..50 {
            websocket.feed(Message::text(format!("{round} {number}"))).await.expect("queued");
            if number == 25 && round > 0 {
                // With messages under way in both directions.
                websocket.flush().await.expect("written");
                relay.move_client().await;
            }
        }
        for number in 0..50 {
            let message = soon(websocket.next()).await.expect("open").expect("a message");
            assert_eq!(message, Message::text(format!("{round} {number}")));
        }
    }
    let outcome = soon(websocket.close(CloseCode::NORMAL, "")).await.expect("a valid code");
    assert!(outcome.clean, "{outcome:?}");
    let report = soon(server.reports.recv()).await.expect("it ended");
    assert_eq!(report.messages, 150);
    assert_eq!(report.peers.len(), 3, "the server has seen it move: {:?}", report.peers);
}

fn quic(keep_alive: Duration) -> QuicOptions {
    let mut options = QuicOptions::default();
    options.idle_timeout = IDLE;
    options.keep_alive = keep_alive;
    options
}

/// A server, and a WebSocket to it through a relay; nobody says anything from then on but QUIC.
async fn silent(keep_alive: Duration) -> (Echo, Relay, WebSocket) {
    let server = Echo::run(server().with_quic(quic(keep_alive)));
    let relay = Relay::start(server.address, CALM).await;
    let client = h3_client().with_quic(quic(keep_alive));
    let websocket = open(&client, relay.address, false).await;
    (server, relay, websocket)
}

fn assert_lost(error: Option<&Error>, outcome: &Outcome) {
    assert!(matches!(error, Some(Error::Transport(TransportError::Closed))), "{error:?}");
    assert_eq!((outcome.code, outcome.clean), (CloseCode::ABNORMAL, false), "{outcome:?}");
    assert!(matches!(outcome.cause, Cause::Transport(TransportError::Closed)), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond_the_idle_timeout_a_kept_connection_lives_and_ends_when_its_path_does() {
    let (mut server, relay, mut websocket) = silent(IDLE / 8).await;
    sleep(IDLE * 4).await;
    websocket.send(Message::text("still here")).await.expect("sent");
    let back = soon(websocket.next()).await.expect("open").expect("a message");
    assert_eq!(back, Message::text("still here"));

    relay.cut();
    let start = Instant::now();
    let last = soon(websocket.next()).await.expect("an end");
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    assert_lost(last.as_ref().err(), websocket.outcome().expect("it has ended"));
    let report = soon(server.reports.recv()).await.expect("it ended");
    assert_lost(report.error.as_ref(), report.outcome());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond_the_idle_timeout_an_unkept_connection_is_lost_to_both_sides() {
    let (mut server, _relay, mut websocket) = silent(Duration::ZERO).await;
    let start = Instant::now();
    let last = soon(websocket.next()).await.expect("an end");
    assert!(start.elapsed() > IDLE / 2, "{:?}", start.elapsed());
    assert_lost(last.as_ref().err(), websocket.outcome().expect("it has ended"));
    let report = soon(server.reports.recv()).await.expect("it ended");
    assert_lost(report.error.as_ref(), report.outcome());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quic_options_hold_for_listeners_that_were_there_before_them() {
    let tls = Arc::clone(&ws_tests::certificates().server);
    let before = server().listen_h3(([127, 0, 0, 1], 0).into(), tls).expect("a port");
    let before = before.with_quic(quic(Duration::ZERO));
    let address = before.local_addrs().next().expect("it listens");
    tokio::spawn(
        before.serve(
            |mut websocket| async move { while let Some(Ok(_)) = websocket.next().await {} },
        ),
    );
    let mut options = quic(Duration::ZERO);
    options.idle_timeout = Duration::from_secs(3600);
    let mut websocket = open(&h3_client().with_quic(options), address, false).await;
    let last = timeout(IDLE * 50, websocket.next()).await.expect("the server's timeout holds");
    assert!(matches!(last, Some(Err(Error::Transport(TransportError::Closed)))), "{last:?}");
}
