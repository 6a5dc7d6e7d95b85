//! A server that goes away in the midst of the day.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::sync::mpsc;
use ws_stack::endpoint::{AcceptOptions, ConnectOptions, Message};
use ws_stack::h3::{QuicOptions, Request, Server, ServerConfig, ServerHandle, server_config};
use ws_stack::io::{UpgradeInfo, WebSocket};
use ws_stack::tokio::Tokio;
use ws_tests::certificates;

use crate::support::{h3_client, open, soon};

/// Echoes on a port of its own, and hands out each connection as it comes.
pub(crate) fn serve(
    quic: quinn::EndpointConfig,
) -> (SocketAddr, mpsc::UnboundedReceiver<ServerHandle>) {
    let tls = rustls::ServerConfig::clone(&certificates().server);
    let config = server_config(tls, &QuicOptions::default()).expect("a server");
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let socket = std::net::UdpSocket::bind(loopback).expect("a port");
    let runtime = Arc::new(quinn::TokioRuntime);
    let endpoint = quinn::Endpoint::new(quic, Some(config), socket, runtime).expect("a socket");
    let address = endpoint.local_addr().expect("bound");
    let (handles, connections) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(incoming) = endpoint.accept().await {
            let quic = incoming.await.expect("a connection");
            let server = Server::accept(quic, Tokio, &ServerConfig::default()).await;
            let server = server.expect("http/3");
            handles.send(server.handle()).expect("somebody listens");
            tokio::spawn(echo(server));
        }
    });
    (address, connections)
}

async fn echo(mut server: Server) {
    while let Some(request) = server.next().await {
        let Request::WebSocket(request) = request else { continue };
        tokio::spawn(async move {
            let stream = request.accept(http::Response::new(())).await.expect("a client");
            let session = AcceptOptions::default().session(&Default::default(), Default::default());
            let info = UpgradeInfo::new("/");
            let mut websocket = WebSocket::from_parts(stream, Tokio, session, info);
            while let Some(Ok(message)) = websocket.next().await {
                if message.data_kind().is_some() {
                    websocket.feed(message).await.expect("queued");
                }
            }
        });
    }
}

// RFC: H3-5.2-01
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_goaway_new_websockets_take_a_new_connection_and_old_ones_live_on() {
    let (address, mut connections) = serve(quinn::EndpointConfig::default());
    let client = h3_client();
    let mut old = open(&client, address, false).await;
    greet(&mut old).await;
    connections.recv().await.expect("a connection").drain();
    // What comes back was sent behind the GOAWAY, which may travel on its own all the same.
    greet(&mut old).await;
    let mut new = open(&client, address, false).await;
    for websocket in [&mut new, &mut old] {
        greet(websocket).await;
    }
    assert!(connections.try_recv().is_ok(), "a second connection");
    assert!(connections.try_recv().is_err(), "and no third");
}

pub(crate) async fn greet(websocket: &mut ws_stack::tokio::WebSocket) {
    websocket.send(Message::text("hello")).await.expect("sent");
    let back = soon(websocket.next()).await.expect("open").expect("a message");
    assert_eq!(back, Message::text("hello"));
}

// RFC: H3-A.4-01
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_closes_the_connection_for_an_older_version_is_no_failed_one() {
    const H3_VERSION_FALLBACK: u32 = 0x110;
    let tls = rustls::ServerConfig::clone(&certificates().server);
    let config = server_config(tls, &QuicOptions::default()).expect("a server");
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let endpoint = quinn::Endpoint::server(config, loopback).expect("a port");
    let address = endpoint.local_addr().expect("bound");
    tokio::spawn(async move {
        for is_asked_first in [false, true] {
            let quic = endpoint.accept().await.expect("a client").await.expect("a connection");
            if is_asked_first {
                // SETTINGS that enable extended CONNECT.
                let mut control = quic.open_uni().await.expect("a stream");
                control.write_all(&[0, 4, 2, 8, 1]).await.expect("sent");
                drop(quic.accept_bi().await.expect("a request"));
            }
            quic.close(H3_VERSION_FALLBACK.into(), b"");
        }
        endpoint.wait_idle().await;
    });
    let url = format!("wss://localhost:{}/", address.port());
    for _ in 0..2 {
        let opened = soon(h3_client().connect(&url, &ConnectOptions::default())).await;
        assert_eq!(opened.expect_err("refused").reason(), "unsupported_http_version");
    }
}
