//! A server that goes away in the midst of the day.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::sync::mpsc;
use ws_stack::endpoint::{AcceptOptions, Message};
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
