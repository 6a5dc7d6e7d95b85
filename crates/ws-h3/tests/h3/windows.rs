//! Readers that have stopped, and what they leave of the connection to the others.

use std::time::Duration;

use bytes::Bytes;
use ws_io::Transport;

use crate::support::{Host, Setup, is_healthy, open, soon, write_all};

const STREAM: u32 = 16 * 1024;

// THREAT: window-stall
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_many_readers_have_stopped_the_others_go_on() {
    let mut setup = Setup::default();
    setup.server_quic.stream_window = STREAM;
    setup.server_quic.connection_window = 8 * STREAM;
    setup.server_quic.max_connection_window = 64 * STREAM;
    setup.server.windows = Some(setup.server_quic.windows());
    let host = Host::new(setup);
    let (client, _server) = soon(host.pair()).await;
    let mut stopped = Vec::new();
    for number in 0..40 {
        let mut stream = tokio::time::timeout(Duration::from_secs(5), open(&client, "/stuck"))
            .await
            .unwrap_or_else(|_| panic!("{number} readers have stopped the connection"))
            .unwrap();
        let mut flood = Bytes::from(vec![0; 8 * STREAM as usize]);
        let all = flood.len();
        // Until nothing more is taken of it.
        for tries in 0.. {
            assert!(tries < 250, "{number} readers leave nothing to the next");
            let left = flood.len();
            let writing = write_all(&mut stream, &mut flood);
            let blocked = tokio::time::timeout(Duration::from_millis(20), writing).await;
            assert!(blocked.is_err(), "the window of the stream stops the writer");
            if left < all && flood.len() == left {
                break;
            }
        }
        stopped.push(stream);
    }
    assert!(soon(is_healthy(&client)).await);
    // What they held comes back with them, and the window with that.
    drop(stopped);
    assert!(soon(is_healthy(&client)).await);
}

#[tokio::test]
async fn a_websocket_that_has_ended_takes_no_room_whoever_keeps_it() {
    let mut setup = Setup::default();
    setup.client.windows = Some(setup.client_quic.windows());
    let host = Host::new(setup);
    let (client, _server) = soon(host.pair()).await;
    let mut released = soon(open(&client, "/echo")).await.unwrap();
    let dropped = soon(open(&client, "/echo")).await.unwrap();
    let assert_open = |open| {
        let known = format!("{client:?}");
        assert!(known.contains(&format!("open: {open}, provided: 2")), "{known}");
    };
    assert_open(2);
    assert!(released.release());
    assert_open(1);
    drop(dropped);
    assert_open(0);
}
