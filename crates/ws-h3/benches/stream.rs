//! An echo through an `H3Stream` against the same echo through a bare QUIC stream, which knows no
//! HTTP/3 frames, taken in turn; then what it costs to open a WebSocket's stream.
//!
//! Both ends run on one thread of one process, over loopback.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench measures time, prints it, and may panic"
)]

#[path = "../../ws-h2/benches/paired/mod.rs"]
mod paired;
#[expect(dead_code, reason = "shared with the tests")]
#[path = "../tests/h3/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use bytes::Bytes;
use paired::{ROUNDS, compare, median};
use support::{Host, Setup, open, shutdown};
use ws_h3::Client;

const CASES: [(usize, u32); 4] = [(32, 3000), (1024, 3000), (64 * 1024, 300), (1 << 20, 15)];
const OPENS: u32 = 1000;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let host = Host::new(Setup::default());
    let (bare, other) = tokio::join!(host.dial(), host.accept_quic());
    tokio::spawn(async move {
        while let Ok((send, recv)) = other.accept_bi().await {
            tokio::spawn(bare_echo(send, recv));
        }
    });
    let (client, _server) = host.pair().await;
    for (len, count) in CASES {
        let message = Bytes::from(vec![1; len]);
        let (mut send, mut recv) = bare.open_bi().await.unwrap();
        let mut stream = open(&client, "/echo").await.unwrap();
        let bare = async |message: &Bytes| bare_exchange(&mut send, &mut recv, message).await;
        compare("quic", &message, count, bare, &mut stream).await;
    }
    println!("open and end    {:>10.1?}", opening(&client).await);
}

async fn bare_echo(mut send: quinn::SendStream, mut recv: quinn::RecvStream) {
    while let Ok(Some(chunk)) = recv.read_chunk(64 * 1024, true).await {
        if send.write_chunk(chunk.bytes).await.is_err() {
            return;
        }
    }
}

async fn bare_exchange(
    send: &mut quinn::SendStream,
    recv: &mut quinn::RecvStream,
    message: &Bytes,
) {
    let read = async {
        let mut left = message.len();
        while left > 0 {
            left -= recv.read_chunk(left, true).await.unwrap().unwrap().bytes.len();
        }
    };
    let (written, ()) = tokio::join!(send.write_chunk(message.clone()), read);
    written.unwrap();
}

async fn opening(client: &Client) -> Duration {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..OPENS {
            shutdown(&mut open(client, "/echo").await.unwrap()).await.unwrap();
        }
        times.push(start.elapsed() / OPENS);
    }
    median(times)
}
