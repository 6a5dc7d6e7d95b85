//! Octets of HTTP/1.1 and WebSocket that no honest client sends, over TCP without TLS even where
//! TLS is expected.

use std::time::Duration;

use rand::Rng as _;
use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::Failure;

/// Does one rude thing; the server must end the connection, and in time.
pub(crate) async fn octets(url: &str) -> Result<(), Failure> {
    let authority = url.split("://").nth(1).and_then(|rest| rest.split('/').next());
    let authority = authority.ok_or("no authority in the URL")?;
    let mut stream = TcpStream::connect(authority).await?;
    let kind = rand::rng().random_range(0..8);
    if url.starts_with("wss") {
        // No TLS, or a record of it that is never finished.
        let octets: &[u8] = if kind < 4 { b"GET / HTTP/1.1\r\n\r\n" } else { &[22, 3, 1, 2, 0, 1] };
        return end_of(stream, octets, kind).await;
    }
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    let after: &[u8] = match kind {
        // Half a request, and no HTTP at all.
        0 => return end_of(stream, b"GET / HTTP/1.1\r\nHost: local", kind).await,
        1 => return end_of(stream, &[0x16, 0, 0, 1, 2, 3, b'\n', b'\n', b'\n', b'\n'], kind).await,
        // A frame without a mask, a reserved opcode, a length beyond everything, no UTF-8, a close
        // code that may not be sent, and half a frame before the end.
        2 => b"\x81\x05hello",
        3 => b"\x83\x80\0\0\0\0",
        4 => b"\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0",
        5 => b"\x81\x81\0\0\0\0\xff",
        6 => b"\x88\x82\0\0\0\0\x03\xee",
        _ => {
            stream.write_all(request.as_bytes()).await?;
            stream.write_all(b"\x82\xfe\x40\0\0\0\0\0half").await?;
            SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
            return Ok(());
        }
    };
    end_of(stream, &[request.as_bytes(), after].concat(), kind).await
}

/// Sends the octets and reads to the end, which must come.
async fn end_of(mut stream: TcpStream, octets: &[u8], kind: u32) -> Result<(), Failure> {
    stream.write_all(octets).await?;
    let mut sink = Vec::new();
    match timeout(PATIENCE, stream.read_to_end(&mut sink)).await {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("rude thing {kind}: still open after {PATIENCE:?}").into()),
    }
}

/// The handshake's deadline is 15 s, a goodbye's 5 s; the machine may be slow.
const PATIENCE: Duration = Duration::from_secs(45);
