//! Requests that a server of HTTP/2 does not process or does not get, and where they are sent again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use ws_tokio::{ConnectOptions, HttpPolicy, client};

/// What a server has seen.
#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: AtomicUsize,
    /// How many of the connections it has forgotten: it says nothing on them.
    forgotten: AtomicUsize,
}

/// A server that takes so many requests of each connection and refuses the others (RFC 9113 §8.7).
async fn serve(taken: usize) -> (String, Arc<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("ws://{}/", listener.local_addr().expect("bound"));
    let seen = Arc::new(Seen::default());
    let seen_by_server = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let number = seen_by_server.connections.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(answer(tcp, number, taken, Arc::clone(&seen_by_server)));
        }
    });
    (url, seen)
}

async fn answer(mut tcp: TcpStream, number: usize, mut left: usize, seen: Arc<Seen>) {
    const SETTINGS: &[u8] = &[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 1];
    tcp.read_exact(&mut [0; 24]).await.expect("the preface");
    tcp.write_all(SETTINGS).await.expect("sent");
    let mut head = [0; 9];
    while tcp.read_exact(&mut head).await.is_ok() {
        let [a, b, c, kind, flags, id @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        tcp.read_exact(&mut payload).await.expect("all of it");
        if number < seen.forgotten.load(Ordering::Relaxed) {
            continue;
        }
        let words = match (kind, flags) {
            (1, _) if left > 0 => {
                left -= 1;
                seen.requests.fetch_add(1, Ordering::Relaxed);
                // HEADERS with `:status: 200`.
                [&[0, 0, 1, 1, 4], &id[..], &[0x88]].concat()
            }
            (1, _) => {
                seen.requests.fetch_add(1, Ordering::Relaxed);
                // RST_STREAM with REFUSED_STREAM.
                [&[0, 0, 4, 3, 0], &id[..], &[0, 0, 0, 7]].concat()
            }
            // PING.
            (6, 0) => [&[0, 0, 8, 6, 1, 0, 0, 0, 0][..], &payload].concat(),
            _ => continue,
        };
        tcp.write_all(&words).await.expect("sent");
    }
}

#[tokio::test]
async fn what_one_connection_refuses_is_asked_on_another_and_no_more() {
    let (url, seen) = serve(1).await;
    let seen = || {
        let Seen { connections, requests, .. } = &*seen;
        (connections.load(Ordering::Relaxed), requests.load(Ordering::Relaxed))
    };
    let client = client().with_http(HttpPolicy::H2);
    let options = ConnectOptions::default();
    let _first = client.connect(&url, &options).await.expect("taken");
    assert_eq!(seen(), (1, 1));
    let _second = client.connect(&url, &options).await.expect("taken by a new connection");
    assert_eq!(seen(), (2, 3));
    // There is a connection besides the one that refuses it, which does so too.
    client.connect(&url, &options).await.expect_err("refused");
    assert_eq!(seen(), (2, 5));
}

#[tokio::test]
async fn what_a_new_connection_refuses_is_asked_once() {
    let (url, seen) = serve(0).await;
    let client = client().with_http(HttpPolicy::H2);
    client.connect(&url, &ConnectOptions::default()).await.expect_err("refused");
    assert_eq!(seen.requests.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_was_lost_on_one_connection_is_asked_on_none_that_is_as_old() {
    let (url, seen) = serve(1).await;
    let client = client().with_http(HttpPolicy::H2);
    let options = ConnectOptions::default();
    let mut kept = Vec::new();
    for _ in 0..2 {
        kept.push(client.connect(&url, &options).await.expect("taken"));
    }
    seen.forgotten.store(2, Ordering::Relaxed);
    kept.push(client.connect(&url, &options).await.expect("taken by a new connection"));
    assert_eq!(seen.connections.load(Ordering::Relaxed), 3);
}
