//! An echo through an `H2Stream` against the same echo through a bare stream of the `h2` crate,
//! taken in turn; then many small messages at once, and what it costs to open a WebSocket's stream.
//!
//! Both ends run on one thread of one process, over loopback.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench measures time, prints it, and may panic"
)]

mod paired;
#[expect(dead_code, reason = "shared with the tests")]
#[path = "../tests/h2/support.rs"]
mod support;

use std::future::poll_fn;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::{RecvStream, SendStream};
use http::Response;
use paired::compare;
use support::{Tokio, TransportExt, h2_request, request, serve_echo};
use tokio::net::{TcpListener, TcpStream};
use ws_h2::{Client, ClientConfig, Server, ServerConfig};

const CASES: [(usize, u32); 4] = [(32, 3000), (1024, 3000), (64 * 1024, 300), (1 << 20, 20)];
const OPENS: u32 = 2000;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (mut send, mut recv) = bare().await;
    let client = ours().await;
    let (_, mut stream) = client.connect(request()).await.unwrap();
    for (len, count) in CASES {
        let message = Bytes::from(vec![1; len]);
        let bare = async |message: &Bytes| bare_exchange(&mut send, &mut recv, message).await;
        compare("bare", &message, count, bare, &mut stream).await;
    }
    println!("open and end    {:>10.1?}", opening(&client).await);
}

async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (near, (far, _)) = (near.unwrap(), far.unwrap());
    near.set_nodelay(true).unwrap();
    far.set_nodelay(true).unwrap();
    (near, far)
}

async fn ours() -> Client {
    let (near, far) = sockets().await;
    let (mut server_config, client_config) = (ServerConfig::default(), ClientConfig::default());
    // Our streams end by being dropped, which is a reset.
    server_config.reset_burst = u32::MAX;
    let (server, client) = tokio::join!(
        Server::accept(far, None, Tokio, &server_config),
        Client::new(near, None, Tokio, &client_config)
    );
    serve_echo(server.unwrap());
    client.unwrap()
}

/// A stream of the plain `h2` crate with the same windows, to an echo.
async fn bare() -> (SendStream<Bytes>, RecvStream) {
    let (near, far) = sockets().await;
    let mut server = h2::server::Builder::new();
    server.initial_window_size(256 * 1024).initial_connection_window_size(64 << 20);
    server.enable_connect_protocol();
    let mut client = h2::client::Builder::new();
    client.initial_window_size(256 * 1024).initial_connection_window_size(64 << 20);
    tokio::spawn(async move {
        let mut server = server.handshake(far).await.unwrap();
        while let Some(Ok((request, mut respond))) = server.accept().await {
            let send = respond.send_response(Response::new(()), false).unwrap();
            tokio::spawn(bare_echo(send, request.into_body()));
        }
    });
    let (mut requests, mut connection) = client.handshake(near).await.unwrap();
    let mut ping = connection.ping_pong().unwrap();
    tokio::spawn(connection);
    ping.ping(h2::Ping::opaque()).await.unwrap();
    let (response, send) = requests.send_request(h2_request("websocket"), false).unwrap();
    let recv = response.await.unwrap().into_body();
    // Held by the stream from here on.
    std::mem::forget(requests);
    (send, recv)
}

async fn bare_echo(mut send: SendStream<Bytes>, mut recv: RecvStream) {
    while let Some(Ok(data)) = recv.data().await {
        recv.flow_control().release_capacity(data.len()).unwrap();
        bare_write(&mut send, data).await;
    }
}

async fn bare_write(send: &mut SendStream<Bytes>, mut data: Bytes) {
    while !data.is_empty() {
        send.reserve_capacity(data.len());
        let mut capacity = send.capacity();
        if capacity == 0 {
            capacity = poll_fn(|cx| send.poll_capacity(cx)).await.unwrap().unwrap();
        }
        let now = data.split_to(capacity.min(data.len()));
        send.send_data(now, false).unwrap();
    }
}

async fn bare_exchange(send: &mut SendStream<Bytes>, recv: &mut RecvStream, message: &Bytes) {
    let read = async {
        let mut left = message.len();
        while left > 0 {
            let data = recv.data().await.unwrap().unwrap();
            recv.flow_control().release_capacity(data.len()).unwrap();
            left -= data.len();
        }
    };
    tokio::join!(bare_write(send, message.clone()), read);
}

async fn opening(client: &Client) -> Duration {
    let start = Instant::now();
    for _ in 0..OPENS {
        let (_, mut stream) = client.connect(request()).await.unwrap();
        stream.write(&mut &b"x"[..]).await.unwrap();
        assert_eq!(stream.read_len(1).await.unwrap(), "x");
    }
    start.elapsed() / OPENS
}
