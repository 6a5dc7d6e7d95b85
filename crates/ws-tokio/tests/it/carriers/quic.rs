//! Clients over HTTP/3 whose addresses are not proven, spoken datagram by datagram.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;
use ws_tokio::{ConnectOptions, HttpPolicy, Message, client, server};

use crate::support::{certificates, echo};

/// The type of a long header, and two of its values (RFC 9000 §17.2).
const TYPE: u8 = 0x30;
const INITIAL: u8 = 0x00;
const RETRY: u8 = 0x30;

/// A socket from which a client has begun a handshake with `to`.
async fn begin(to: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("wss://{}/", socket.local_addr().expect("an address"));
    let client = client().with_tls(certificates().1).with_http(HttpPolicy::H3);
    let attempt =
        tokio::spawn(async move { client.connect(&url, &ConnectOptions::default()).await });
    let mut datagram = [0; 2048];
    let first = timeout(Duration::from_secs(10), socket.recv_from(&mut datagram)).await;
    let (length, _) = first.expect("in time").expect("a datagram");
    attempt.abort();
    let first = datagram.get(..length).expect("all of it");
    socket.send_to(first, to).await.expect("sent");
    socket
}

/// The first octet of what comes to a socket from there.
async fn answer(socket: &UdpSocket, from: SocketAddr) -> u8 {
    let mut datagram = [0; 2048];
    loop {
        let answer = timeout(Duration::from_secs(10), socket.recv_from(&mut datagram)).await;
        let (_, sender) = answer.expect("in time").expect("a datagram");
        if sender == from {
            return datagram[0];
        }
    }
}

#[tokio::test]
async fn addresses_that_are_not_proven_share_their_places_over_all_listeners() {
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let (certificate, _) = certificates();
    let server = server()
        .with_max_connections(8)
        .listen_h3(anywhere, certificate.clone())
        .and_then(|server| server.listen_h3(anywhere, certificate))
        .expect("two ports");
    let doors: Vec<_> = server.local_addrs().collect();
    tokio::spawn(server.serve(echo));
    let first = begin(doors[0]).await;
    assert_eq!(answer(&first, doors[0]).await & TYPE, INITIAL, "an eighth of the places is one");
    let second = begin(doors[1]).await;
    assert_eq!(answer(&second, doors[1]).await & TYPE, RETRY, "and it is taken");
}

/// What is not turned away waits for somebody to accept it, as long as that connection lives.
#[tokio::test]
async fn a_server_that_is_dropped_turns_away_who_comes_while_a_connection_lives_on() {
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let (certificate, trust) = certificates();
    let server = server().listen_h3(anywhere, certificate).expect("a port");
    let door = server.local_addrs().next().expect("it listens");
    let serving = tokio::spawn(server.serve(echo));
    let client = client().with_tls(trust).with_http(HttpPolicy::H3);
    let options = ConnectOptions::default();
    let mut websocket = client.connect(&format!("wss://{door}/"), &options).await.expect("open");
    serving.abort();
    assert!(serving.await.is_err(), "it was dropped");
    let late = begin(door).await;
    // RFC 9000 §10.3: a stateless reset, which has a short header.
    assert_eq!(answer(&late, door).await & 0x80, 0);
    websocket.send(Message::text("still there")).await.expect("sent");
    assert_eq!(
        websocket.next().await.expect("open").expect("an echo"),
        Message::text("still there")
    );
}
