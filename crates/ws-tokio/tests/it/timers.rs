//! The timers of tokio under a connection.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::task::Context;
use std::time::Duration;

use tokio::task::consume_budget;
use tokio::time::timeout;
use ws_io::{Duplex, Error, UpgradeInfo, WebSocket, duplex};
use ws_session::{Config, Session};
use ws_tokio::Tokio;

/// Does what tokio lets a task do in one turn, as a channel does that always has something.
fn use_up_the_turn(cx: &mut Context<'_>) {
    while pin!(consume_budget()).poll(cx).is_ready() {}
}

fn server_of(transport: Duplex) -> WebSocket<Duplex, Tokio> {
    let session = Session::server(Config::default());
    WebSocket::from_parts(transport, Tokio, session, UpgradeInfo::new("/"))
}

// THREAT: silent-peer
#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_left_by_a_task_that_has_done_enough_for_its_turn() {
    // When the timer is set first, and when it is moved after a ping.
    for full_turn in [0, 1] {
        let (_raw, right) = duplex(1000);
        let mut server = server_of(right);
        let mut next = pin!(server.next());
        let mut turns = 0..;
        let end = poll_fn(|cx| {
            if turns.next() == Some(full_turn) {
                use_up_the_turn(cx);
            }
            next.as_mut().poll(cx)
        });
        let end = timeout(Duration::from_secs(600), end).await.expect("the idle timeout");
        assert!(matches!(end, Some(Err(Error::Idle))), "{full_turn}: {end:?}");
    }
}
