//! sockudo-ws: `simple_echo.rs` of its examples, and its sans-I/O core driven by hand.

use bytes::{Buf, BytesMut};
use futures::{SinkExt, StreamExt};
use sockudo_ws::handshake::{build_response, generate_accept_key, parse_request};
use sockudo_ws::protocol::{Message, Protocol, Role};
use sockudo_ws::{Config, Error, Result, WebSocketStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The example's loop; the default limits are 64 MiB a message and 16 MiB a frame.
pub async fn echo(mut stream: TcpStream) -> Result<()> {
    handshake(&mut stream).await?;
    let mut websocket = WebSocketStream::server(stream, Config::default());
    while let Some(message) = websocket.next().await {
        match message? {
            message @ (Message::Text(_) | Message::Binary(_)) => websocket.send(message).await?,
            Message::Close(_) => break,
            _ => {}
        }
    }
    Ok(())
}

/// The core by hand: everything a read brought is answered with one write.
pub async fn echo_batched(mut stream: TcpStream) -> Result<()> {
    let mut input = handshake(&mut stream).await?;
    let config = Config::default();
    let mut protocol = Protocol::new(Role::Server, config.max_frame_size, config.max_message_size);
    let mut output = BytesMut::new();
    let mut messages = Vec::new();
    loop {
        input.reserve(sockudo_ws::RECV_BUFFER_SIZE);
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
        protocol.process_into(&mut input, &mut messages)?;
        for message in messages.drain(..) {
            match message {
                Message::Ping(data) => protocol.encode_pong(&data, &mut output),
                Message::Pong(_) => {}
                Message::Close(_) => return Ok(()),
                data => protocol.encode_message(&data, &mut output)?,
            }
        }
        stream.write_all(&output).await?;
        output.clear();
    }
}

/// Returns what came behind the request.
async fn handshake(stream: &mut TcpStream) -> Result<BytesMut> {
    let mut buffer = BytesMut::with_capacity(4096);
    loop {
        if stream.read_buf(&mut buffer).await? == 0 {
            return Err(Error::ConnectionClosed);
        }
        let Some((request, consumed)) = parse_request(&buffer)? else { continue };
        let response = build_response(&generate_accept_key(request.key), None, None);
        stream.write_all(&response).await?;
        buffer.advance(consumed);
        return Ok(buffer);
    }
}
