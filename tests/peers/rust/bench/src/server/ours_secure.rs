//! This project's server over HTTP/3 and over TLS, as its documentation shows.

use std::io;
use std::sync::Arc;

use ws_h3::QuicOptions;

use super::{announce, certificate, ours};

/// Over HTTP/3, with the default room for streams on a connection or another.
pub async fn serve_h3(quic: QuicOptions) -> io::Result<()> {
    let (tls, der) = certificate::make().map_err(io::Error::other)?;
    let server = ws_tokio::server().with_quic(quic);
    serve(server.listen_h3(LOOPBACK.into(), Arc::new(tls))?, &der).await
}

pub async fn serve_tls() -> io::Result<()> {
    let (tls, der) = certificate::make().map_err(io::Error::other)?;
    let server = ws_tokio::server().with_max_connections(usize::MAX);
    serve(server.listen_tls(LOOPBACK.into(), Arc::new(tls))?, &der).await
}

async fn serve(server: ws_tokio::Server, certificate: &[u8]) -> io::Result<()> {
    let address = server.local_addrs().next().expect("it listens on one address");
    certificate::publish(address.port(), certificate).map_err(io::Error::other)?;
    announce(address.port())?;
    server.serve(ours::echo).await;
    Ok(())
}

const LOOPBACK: ([u8; 4], u16) = ([127, 0, 0, 1], 0);
