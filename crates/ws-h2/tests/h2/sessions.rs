//! WebSocket sessions on HTTP/2 streams: how each of them ends.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use ws_h2::{Client, H2Stream, Server};
use ws_io::{AcceptOptions, Cause, CloseCode, ConnectOptions, Message, UpgradeInfo, WebSocket};

use crate::support::*;

type Socket = WebSocket<H2Stream, Tokio>;

/// The two ends of one WebSocket; the server's comes first.
async fn open_sockets(server: &mut Server, client: &Client) -> (Socket, Socket) {
    let (near, far) = open(server, client).await;
    let accept = AcceptOptions::default().session(&Default::default(), BytesMut::new());
    let connect = ConnectOptions::default().session(&Default::default(), BytesMut::new());
    let info = || UpgradeInfo::new("/");
    (
        WebSocket::from_parts(near, Tokio, accept, info()),
        WebSocket::from_parts(far, Tokio, connect, info()),
    )
}

async fn echo_all(mut socket: Socket) -> Socket {
    while let Some(Ok(message)) = socket.next().await {
        if message.data_kind().is_some() {
            socket.feed(message).await.unwrap();
        }
    }
    socket
}

// RFC: H2WS-5-08, H2WS-5-09, H2WS-5-10
#[tokio::test(start_paused = true)]
async fn a_goodbye_from_either_side_is_clean_and_quick() {
    let (mut server, client) = pair(&Default::default(), &Default::default()).await;
    for client_begins in [true, false] {
        let (near, far) = open_sockets(&mut server, &client).await;
        let (mut closes, echoes) = if client_begins { (far, near) } else { (near, far) };
        let echoes = tokio::spawn(echo_all(echoes));
        let sent = Message::binary(pattern(100_000));
        closes.send(sent.clone()).await.unwrap();
        assert_eq!(closes.next().await.unwrap().unwrap(), sent);
        let start = tokio::time::Instant::now();
        let outcome = closes.close(CloseCode::new(4001), "bye").await.unwrap();
        assert!(outcome.clean && outcome.code == CloseCode::new(4001), "{outcome:?}");
        let echoes = echoes.await.unwrap();
        let outcome = echoes.outcome().unwrap();
        assert!(outcome.clean && outcome.reason == "bye", "{outcome:?}");
        assert!(start.elapsed() < Duration::from_millis(100), "{:?}", start.elapsed());
    }
    settle().await;
    assert_eq!(client.open_streams(), 0);
}

// THREAT: stream-limit
#[tokio::test(start_paused = true)]
async fn what_has_ended_and_is_kept_is_in_nobodys_way() {
    let mut config = ws_h2::ServerConfig::default();
    config.max_streams = 1;
    config.idle_timeout = Duration::from_secs(20);
    let (mut server, client) = pair(&config, &Default::default()).await;
    let mut kept = Vec::new();
    for round in 0..3 {
        let opening = tokio::time::timeout(SOON, open_sockets(&mut server, &client));
        let (near, mut far) = opening.await.unwrap_or_else(|_| panic!("no room in round {round}"));
        let near = tokio::spawn(echo_all(near));
        assert!(far.close(CloseCode::NORMAL, "").await.unwrap().clean);
        kept.push((near.await.unwrap(), far));
    }
    settle().await;
    assert_eq!(client.open_streams(), 0);
    let idle = tokio::time::timeout(2 * SOON, server.next()).await;
    assert!(matches!(idle, Ok(None)), "the connection has nothing to carry: {idle:?}");
    let (near, far) = &kept[2];
    assert_eq!(near.transport().id(), far.transport().id());
}

#[tokio::test]
async fn a_peer_that_leaves_without_a_goodbye_is_closed_abnormally() {
    let (mut server, client) = pair(&Default::default(), &Default::default()).await;
    for client_leaves in [true, false] {
        let (near, far) = open_sockets(&mut server, &client).await;
        let (leaves, mut stays) = if client_leaves { (far, near) } else { (near, far) };
        drop(leaves);
        assert!(stays.next().await.unwrap().is_err());
        let outcome = stays.outcome().unwrap();
        assert_eq!((outcome.code, outcome.clean), (CloseCode::ABNORMAL, false), "{outcome:?}");
    }
}

// RFC: H2-WIN-01
// THREAT: stream-limit
#[tokio::test(start_paused = true)]
async fn of_two_hundred_websockets_the_one_that_never_reads_is_cut_and_the_rest_go_on() {
    let (mut server, client) = pair(&Default::default(), &Default::default()).await;
    let (mut stuck, _never_read) = open_sockets(&mut server, &client).await;
    let mut others = Vec::new();
    for _ in 0..199 {
        let (near, far) = open_sockets(&mut server, &client).await;
        tokio::spawn(echo_all(near));
        others.push(far);
    }
    let start = tokio::time::Instant::now();
    let stuck = tokio::spawn(async move {
        while stuck.send(Message::binary(pattern(64 * 1024))).await.is_ok() {}
        while stuck.next().await.is_some() {}
        stuck
    });
    for round in 0..5_u32 {
        for other in &mut others {
            other.send(Message::text(round.to_string())).await.unwrap();
        }
        for other in &mut others {
            let message = other.next().await.unwrap().unwrap();
            assert_eq!(message, Message::text(round.to_string()));
        }
    }
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    // Keep the others from falling silent while the clock runs.
    let keep = tokio::spawn(async move {
        loop {
            for other in &mut others {
                other.send(Message::text("still here")).await.unwrap();
                assert!(other.next().await.unwrap().is_ok());
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let stuck = stuck.await.unwrap();
    let outcome = stuck.outcome().unwrap();
    assert!(matches!(outcome.cause, Cause::WriteStalled), "{outcome:?}");
    assert!(start.elapsed() >= Duration::from_secs(29), "{:?}", start.elapsed());
    assert!(!keep.is_finished());
    keep.abort();
}

#[tokio::test(start_paused = true)]
async fn a_message_over_a_slow_line_is_not_cut() {
    // A socket with little room, and a kilobyte a second from the server to the client.
    let (near, relay_near) = tokio::io::duplex(1000);
    let (relay_far, far) = tokio::io::duplex(1000);
    let (mut from_client, mut to_client) = tokio::io::split(relay_near);
    let (mut from_server, mut to_server) = tokio::io::split(relay_far);
    tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    tokio::spawn(async move {
        let mut piece = [0; 1000];
        while let Ok(len @ 1..) = from_server.read(&mut piece).await {
            to_client.write_all(&piece[..len]).await.unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let (accepting, connecting) = Default::default();
    let (server, client) = tokio::join!(
        Server::accept(far, None, Tokio, &accepting),
        Client::new(near, None, Tokio, &connecting)
    );
    let (mut server, client) = (server.unwrap(), client.unwrap());
    let (mut sends, mut receives) = open_sockets(&mut server, &client).await;
    tokio::spawn(async move { while server.next().await.is_some() {} });
    let sending = tokio::spawn(async move {
        sends.send(Message::binary(pattern(400_000))).await.map_err(|error| error.reason())
    });
    while let Some(Ok(message)) = receives.next().await {
        if message.data_kind().is_some() {
            break;
        }
    }
    assert_eq!(sending.await.unwrap(), Ok(()));
}
