//! This project's crates, as their documentation shows.

use std::io;

use tokio::net::TcpStream;
use ws_io::{AcceptOptions, Chunk, Runtime, Transport, WebSocket};
use ws_tokio::{Error, Server};

/// The plain documented loop.
pub async fn echo(mut websocket: WebSocket<impl Transport, impl Runtime>) {
    while let Some(Ok(message)) = websocket.next().await {
        if message.data_kind().is_some() && websocket.feed(message).await.is_err() {
            break;
        }
    }
}

/// The server of the documentation around it.
pub async fn serve(server: Server) -> io::Result<()> {
    let server = server.with_max_connections(usize::MAX).listen(([127, 0, 0, 1], 0).into())?;
    let address = server.local_addrs().next().expect("it listens on one address");
    super::announce(address.port())?;
    server.serve(echo).await;
    Ok(())
}

/// A server that compresses.
pub fn with_deflate(config: ws_deflate::Config) -> Server {
    let options = AcceptOptions { deflate: Some(config), ..AcceptOptions::default() };
    ws_tokio::server().with_options(options)
}

/// The streaming calls, for messages that are larger than a buffer.
pub async fn echo_streaming(stream: TcpStream) -> Result<(), Error> {
    let mut websocket = ws_tokio::accept(stream).await?;
    while let Some(chunk) = websocket.next_chunk().await {
        if let Chunk::Data { kind, data, last } = chunk? {
            websocket.feed_fragment(kind, data, last).await?;
        }
    }
    Ok(())
}
