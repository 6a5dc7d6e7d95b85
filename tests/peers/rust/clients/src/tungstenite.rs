//! tokio-tungstenite: the loop of `autobahn-client.rs` in its examples; its default limits are
//! 64 MiB a message and 16 MiB a frame.

use futures::{SinkExt, StreamExt};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Error;

pub async fn echo(url: &str) -> Result<(), Error> {
    let (mut websocket, _response) = connect_async(url).await?;
    while let Some(message) = websocket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            websocket.send(message).await?;
        }
    }
    Ok(())
}
