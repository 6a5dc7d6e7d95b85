//! Clients that never show that they receive at the address they send from, and how little they get.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};
use ws_stack::endpoint::{AcceptOptions, ConnectOptions, Message, QuicOptions};
use ws_stack::tokio::server;
use ws_tests::{certificates, certificates_with_names};

use crate::support::{Echo, h3_client, open, soon};

/// The first datagrams of `count` QUIC connections to a server that never answers.
async fn first_datagrams(count: usize) -> Vec<Vec<u8>> {
    let silent = bind().await;
    let address = silent.local_addr().expect("bound");
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut endpoint = quinn::Endpoint::client(loopback).expect("a port");
    let tls = rustls::ClientConfig::clone(&certificates().trust);
    let config = ws_stack::h3::client_config(tls, &QuicOptions::default()).expect("a client");
    endpoint.set_default_client_config(config);
    let mut datagrams = Vec::new();
    let mut seen = HashSet::new();
    let mut buf = vec![0; 65_536];
    for _ in 0..count {
        let connecting = endpoint.connect(address, "localhost").expect("a connection");
        // One that was sent again, because it was not answered, is not a new one.
        loop {
            let len = soon(silent.recv(&mut buf)).await.expect("a datagram");
            // A long header: flags, version, and the length and bytes of the destination's id.
            let id = buf[6..6 + usize::from(buf[5])].to_vec();
            if seen.insert(id) {
                datagrams.push(buf[..len].to_vec());
                break;
            }
        }
        drop(connecting);
    }
    datagrams
}

async fn bind() -> UdpSocket {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port")
}

/// Sends one datagram from a socket of its own and returns what comes back within `time`, without
/// ever answering.
async fn sent_back(server: SocketAddr, datagram: &[u8], time: Duration) -> Vec<Vec<u8>> {
    let socket = bind().await;
    // Nothing from whoever talked to the one that had this port before.
    socket.connect(server).await.expect("connected");
    socket.send(datagram).await.expect("sent");
    let (mut back, mut buf) = (Vec::new(), vec![0; 65_536]);
    let until = Instant::now() + time;
    while let Ok(received) = timeout_at(until, socket.recv(&mut buf)).await {
        back.push(buf[..received.expect("a datagram")].to_vec());
    }
    back
}

/// RFC 9000 §17.2.5: a long header of type 3.
fn is_retry(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| first & 0xf0 == 0xf0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_is_not_proven_is_sent_three_times_what_came_from_it_at_most() {
    // A certificate of some kilobytes, so that there is more to send than may be sent.
    let names: Vec<String> = (0..400).map(|number| format!("host-{number}.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let tls = certificates_with_names(&names).server;
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = server().listen_h3(loopback, tls).expect("a port");
    let address = server.local_addrs().next().expect("it listens");
    tokio::spawn(server.serve(|_| async {}));
    let first = first_datagrams(1).await.remove(0);
    // Time enough for it to send again what was not acknowledged.
    let back = sent_back(address, &first, Duration::from_secs(3)).await;
    let total: usize = back.iter().map(Vec::len).sum();
    assert!(total > first.len(), "it has begun a handshake: {total}");
    assert!(total <= 3 * first.len(), "{total} bytes for {}", first.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_unproven_addresses_are_asked_to_prove_themselves_and_others_get_in() {
    const FREE: usize = 10;
    const MANY: usize = 100;
    let mut options = QuicOptions::default();
    options.retry_above = FREE;
    let server = Echo::run(server().with_quic(options));
    let mut waiting = tokio::task::JoinSet::new();
    for datagram in first_datagrams(MANY).await {
        let address = server.address;
        waiting.spawn(async move { sent_back(address, &datagram, Duration::from_secs(2)).await });
    }
    let mut websocket = soon(open(&h3_client(), server.address, false)).await;
    websocket.send(Message::text("let in")).await.expect("sent");
    let back = soon(websocket.next()).await.expect("open").expect("a message");
    assert_eq!(back, Message::text("let in"));

    let (mut begun, mut asked) = (0, 0);
    for back in soon(waiting.join_all()).await {
        match &back[..] {
            [only] if is_retry(only) => asked += 1,
            [first, ..] if !is_retry(first) => begun += 1,
            other => panic!("neither a retry nor a handshake: {} datagrams", other.len()),
        }
    }
    assert!(begun <= FREE, "{begun} handshakes were begun");
    assert_eq!(begun + asked, MANY);
}

// THREAT: isolation
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unproven_addresses_do_not_take_the_places_of_a_small_server() {
    let server = Echo::run(server().with_max_connections(16));
    let stranger = bind().await;
    for datagram in first_datagrams(64).await {
        stranger.send_to(&datagram, server.address).await.expect("sent");
    }
    // Much less than a handshake that never ends holds its place.
    let handshake_timeout = Duration::from_secs(5);
    let options = ConnectOptions { handshake_timeout, ..ConnectOptions::default() };
    let url = format!("wss://{}/", server.address);
    soon(h3_client().connect(&url, &options)).await.expect("there is room");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_always_asked_to_prove_its_address_still_gets_in() {
    let mut options = QuicOptions::default();
    options.retry_above = 0;
    let server = Echo::run(server().with_quic(options));
    let first = first_datagrams(1).await.remove(0);
    let back = sent_back(server.address, &first, Duration::from_millis(300)).await;
    assert!(matches!(&back[..], [only] if is_retry(only) && only.len() < first.len()), "{back:?}");
    let mut websocket = soon(open(&h3_client(), server.address, false)).await;
    websocket.send(Message::text("proven")).await.expect("sent");
    let back = soon(websocket.next()).await.expect("open").expect("a message");
    assert_eq!(back, Message::text("proven"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_that_never_end_are_forgotten() {
    let mut options = QuicOptions::default();
    (options.retry_above, options.max_handshakes) = (5, 5);
    let accept = AcceptOptions { handshake_timeout: Duration::from_secs(2), ..Default::default() };
    let server = Echo::run(server().with_quic(options).with_options(accept));
    for datagram in first_datagrams(5).await {
        let back = sent_back(server.address, &datagram, Duration::from_millis(20)).await;
        assert!(!back.iter().any(|datagram| is_retry(datagram)));
    }
    // The house is full: not even a proven address is let in, until those are given up.
    let options = ConnectOptions::default();
    let url = format!("wss://{}/", server.address);
    let refused = soon(h3_client().connect(&url, &options)).await;
    assert!(refused.is_err(), "{refused:?}");
    tokio::time::sleep(Duration::from_secs(3)).await;
    soon(h3_client().connect(&url, &options)).await.expect("open");
    drop(Arc::new(server));
}
