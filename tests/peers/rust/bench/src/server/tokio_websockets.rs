//! tokio-websockets: `echo_server.rs` of its examples; its default limit is 64 MiB.

use futures::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_websockets::{Error, ServerBuilder};

pub async fn echo(stream: TcpStream) -> Result<(), Error> {
    let (_request, mut websocket) = ServerBuilder::new().accept(stream).await?;
    while let Some(message) = websocket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            websocket.send(message).await?;
        }
    }
    Ok(())
}

/// By hand: collect what is there, answer it, flush once.
pub async fn echo_batched(stream: TcpStream) -> Result<(), Error> {
    let (_request, mut websocket) = ServerBuilder::new().accept(stream).await?;
    let mut batch = Vec::new();
    while let Some(message) = websocket.next().await {
        batch.push(message?);
        while let Some(Some(message)) = super::there(&mut websocket).await {
            batch.push(message?);
        }
        for message in batch.drain(..) {
            if message.is_text() || message.is_binary() {
                websocket.feed(message).await?;
            }
        }
        websocket.flush().await?;
    }
    Ok(())
}
