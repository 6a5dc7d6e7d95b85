//! The timers of tokio under a connection.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use ws_io::{Duplex, Error, UpgradeInfo, WebSocket, duplex};
use ws_session::{Config, Session};
use ws_tokio::Tokio;

use crate::support::use_up_the_turn;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
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

async fn begin_to_wait<F: Future>(future: &mut Pin<Box<F>>) {
    let is_pending = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await;
    assert!(is_pending, "nobody says anything");
}

// THREAT: silent-peer
#[test]
fn a_connection_whose_runtime_has_ended_goes_on_in_another_one() {
    for was_there_before in [false, true] {
        let (_raw, right) = duplex(1000);
        let mut server = server_of(right);
        let mut next = Box::pin(server.next());
        let first = runtime();
        first.block_on(begin_to_wait(&mut next));
        let end = runtime().block_on(async {
            if was_there_before {
                begin_to_wait(&mut next).await;
            }
            first.shutdown_background();
            let mut turns = 0;
            let end = poll_fn(|cx| {
                turns += 1;
                assert!(turns < 100, "it runs in circles");
                next.as_mut().poll(cx)
            });
            timeout(Duration::from_secs(600), end).await
        });
        let end = end.expect("the idle timeout");
        assert!(matches!(end, Some(Err(Error::Idle))), "{was_there_before}: {end:?}");
    }
}

#[test]
fn a_connection_may_be_polled_though_no_runtime_is_left() {
    let (_raw, right) = duplex(1000);
    let mut server = server_of(right);
    let mut next = Box::pin(server.next());
    runtime().block_on(begin_to_wait(&mut next));
    let ended = runtime().handle().clone();
    for handle in [None, Some(ended)] {
        let _inside = handle.as_ref().map(|handle| handle.enter());
        for _ in 0..3 {
            assert!(next.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
    }
}
