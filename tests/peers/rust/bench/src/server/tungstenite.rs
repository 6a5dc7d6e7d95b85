//! tokio-tungstenite: `echo-server.rs` of its examples.

use futures::{SinkExt, StreamExt, TryStreamExt, future};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error;

/// The example's loop; its default limits are 64 MiB a message and 16 MiB a frame.
pub async fn echo(stream: TcpStream) -> Result<(), Error> {
    let (write, read) = tokio_tungstenite::accept_async(stream).await?.split();
    read.try_filter(|message| future::ready(message.is_text() || message.is_binary()))
        .forward(write)
        .await
}

/// By hand: collect what is there, answer it, flush once.
pub async fn echo_batched(stream: TcpStream) -> Result<(), Error> {
    let mut websocket = tokio_tungstenite::accept_async(stream).await?;
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
