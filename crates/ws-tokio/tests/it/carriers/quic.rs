//! Clients over HTTP/3 whose addresses are not proven, spoken datagram by datagram.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;
use ws_tokio::{ConnectOptions, HttpPolicy, client, server};

use crate::support::{certificates, echo};

/// The type of a long header, and two of its values (RFC 9000 §17.2).
const TYPE: u8 = 0x30;
const INITIAL: u8 = 0x00;
const RETRY: u8 = 0x30;

/// A socket from which a client has begun a handshake with `to`, and the type of the first answer.
async fn begin(to: SocketAddr) -> (UdpSocket, u8) {
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
    loop {
        let answer = timeout(Duration::from_secs(10), socket.recv_from(&mut datagram)).await;
        let (_, from) = answer.expect("in time").expect("a datagram");
        if from == to {
            return (socket, datagram[0] & TYPE);
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
    let (_first, answer) = begin(doors[0]).await;
    assert_eq!(answer, INITIAL, "an eighth of the places is one");
    let (_second, answer) = begin(doors[1]).await;
    assert_eq!(answer, RETRY, "and it is taken");
}
