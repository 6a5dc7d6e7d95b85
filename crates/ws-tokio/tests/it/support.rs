//! What the tests of this crate share: certificates and plain use of a transport.

use std::future::Future as _;
use std::pin::pin;
#[cfg(feature = "rustls")]
use std::sync::Arc;
use std::task::Context;
#[cfg(feature = "rustls")]
use std::time::Duration;
#[cfg(feature = "rustls")]
use std::{future::poll_fn, io};

#[cfg(feature = "rustls")]
use bytes::BytesMut;
#[cfg(feature = "rustls")]
use rustls::{ClientConfig, ServerConfig};
use tokio::task::consume_budget;
#[cfg(feature = "rustls")]
use ws_io::Transport;
use ws_tokio::{Server, Shutdown, WebSocket};

#[cfg(feature = "rustls")]
#[expect(dead_code, reason = "the tests that cross crates use more of it")]
#[expect(unreachable_pub, reason = "the tests that cross crates share it between binaries")]
#[path = "../../../../tests/src/certificates.rs"]
mod certificates;
#[cfg(feature = "rustls")]
pub(crate) use certificates::distrustful;

/// Does what tokio lets a task do in one turn, as a channel does that always has something.
pub(crate) fn use_up_the_turn(cx: &mut Context<'_>) {
    while pin!(consume_budget()).poll(cx).is_ready() {}
}

/// Echoes every data message.
pub(crate) async fn echo(mut websocket: WebSocket) {
    while let Some(Ok(message)) = websocket.next().await {
        if message.data_kind().is_some() {
            // Refused once a goodbye is under way, which `next` sees to its end.
            let _ = websocket.feed(message).await;
        }
    }
}

/// Waits for what the server does on its own.
#[cfg(feature = "rustls")]
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{what}: never");
}

/// Runs an echo server for the rest of the test.
pub(crate) fn serve(server: Server) -> (String, Shutdown) {
    let url = server.urls().next().expect("it listens");
    let shutdown = server.shutdown_handle();
    tokio::spawn(server.serve(echo));
    (url, shutdown)
}

/// A server for `localhost` and a client that trusts it.
#[cfg(feature = "rustls")]
pub(crate) fn certificates() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    certificates_for(&["localhost", "127.0.0.1", "::1"])
}

/// A server for these names and a client that trusts it.
#[cfg(feature = "rustls")]
pub(crate) fn certificates_for(names: &[&str]) -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let made = certificates::certificates_with_names(names);
    (made.server, made.trust)
}

/// A server for `localhost` and a client that trusts it, and has TLS 1.2 alone.
#[cfg(feature = "h3")]
pub(crate) fn dated_certificates() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let made = certificates::certificates_with_names(&["localhost"]);
    (made.server, made.dated)
}

/// Reads once.
#[cfg(feature = "rustls")]
pub(crate) async fn read(transport: &mut impl Transport, max: usize) -> io::Result<BytesMut> {
    let mut buf = BytesMut::new();
    poll_fn(|cx| transport.poll_read(cx, &mut buf, max)).await?;
    Ok(buf)
}

/// Writes everything and flushes.
#[cfg(feature = "rustls")]
pub(crate) async fn write(transport: &mut impl Transport, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        poll_fn(|cx| transport.poll_write(cx, &mut bytes)).await?;
    }
    poll_fn(|cx| transport.poll_flush(cx)).await
}

/// Ends our direction.
#[cfg(feature = "rustls")]
pub(crate) async fn shutdown(transport: &mut impl Transport) -> io::Result<()> {
    poll_fn(|cx| transport.poll_shutdown(cx)).await
}
