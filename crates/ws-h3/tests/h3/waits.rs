//! Requests that wait, for a stream or for SETTINGS, and for how long.

use std::time::Duration;

use ws_h3::Error;

use crate::support::{Host, Setup, open, soon};

/// A host that lets one WebSocket be open, for which others wait so long.
fn narrow(stream_timeout: Duration, handshake_timeout: Duration) -> Host {
    let mut setup = Setup::default();
    setup.server_quic.max_requests = 1;
    setup.client.stream_timeout = stream_timeout;
    setup.client.handshake_timeout = handshake_timeout;
    Host::new(setup)
}

#[tokio::test]
async fn the_wait_for_a_stream_leaves_half_of_the_time_to_the_handshake() {
    let host = narrow(Duration::from_secs(60), Duration::from_secs(1));
    let (client, _server) = soon(host.pair()).await;
    let _open = soon(open(&client, "/echo")).await.unwrap();
    let error = soon(open(&client, "/echo")).await.unwrap_err();
    assert!(matches!(error, Error::TooManyStreams), "{error}");
}

#[tokio::test]
async fn who_still_waits_for_a_stream_does_not_count_as_open() {
    let host = narrow(Duration::from_secs(5), Duration::from_secs(15));
    let (client, _server) = soon(host.pair()).await;
    let _open = soon(open(&client, "/echo")).await.unwrap();
    let waits = |client: ws_h3::Client| tokio::spawn(async move { open(&client, "/echo").await });
    let first = waits(client.clone());
    tokio::time::sleep(Duration::from_secs(2)).await;
    let second = waits(client.clone());
    soon(first).await.unwrap().unwrap_err();
    assert_eq!((client.open_streams(), client.max_streams()), (2, Some(1)));
    soon(second).await.unwrap().unwrap_err();
    assert_eq!((client.open_streams(), client.max_streams()), (1, Some(1)));
}

#[tokio::test]
async fn who_waits_for_settings_hears_of_the_end_of_the_connection() {
    let host = Host::new(Setup::default());
    let (client, mute) = soon(async { tokio::join!(host.client(), host.accept_quic()) }).await;
    let waits = {
        let client = client.clone();
        tokio::spawn(async move { open(&client, "/echo").await })
    };
    soon(async {
        while client.open_streams() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    mute.close(0x100_u32.into(), b"");
    let error = soon(waits).await.unwrap().unwrap_err();
    assert_eq!(error.reason(), "closed", "{error}");
}
