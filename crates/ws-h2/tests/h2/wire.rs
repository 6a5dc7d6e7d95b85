//! HTTP/2 frames by hand, for what no library sends.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use ws_h2::{Client, ClientConfig, Server, ServerConfig};

use crate::support::Tokio;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap();
    let mut bytes = len.to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A field whose name and value are written out.
pub(crate) fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        bytes.push(u8::try_from(text.len()).unwrap());
        bytes.extend(text.as_bytes());
    }
    bytes
}

/// The header block of an extended CONNECT for a WebSocket.
pub(crate) fn connect_block() -> Vec<u8> {
    [
        literal(":method", "CONNECT"),
        literal(":protocol", "websocket"),
        literal(":scheme", "https"),
        literal(":path", "/"),
        literal(":authority", "a.example"),
        literal("sec-websocket-version", "13"),
    ]
    .concat()
}

pub(crate) fn connect(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &connect_block())
}

/// A client of hand-written frames.
pub(crate) struct Wire(pub(crate) DuplexStream);

pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Wire {
    /// Begins a connection to a server with these settings of ours.
    pub(crate) async fn connect(config: &ServerConfig, settings: &[u8]) -> (Server, Self) {
        let (near, far) = tokio::io::duplex(1024 * 1024);
        let mut wire = Self(near);
        wire.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        wire.send(&frame(SETTINGS, 0, 0, settings)).await;
        let server = Server::accept(far, None, Tokio, config).await.unwrap();
        // Its SETTINGS count from our acknowledgement on.
        wire.send(&frame(SETTINGS, ACK, 0, &[])).await;
        (server, wire)
    }

    /// Begins a connection to a client with these settings of ours.
    pub(crate) async fn serve(settings: &[u8]) -> (Client, Self) {
        let (near, far) = tokio::io::duplex(1024 * 1024);
        let mut wire = Self(far);
        let client = Client::new(near, None, Tokio, &ClientConfig::default()).await.unwrap();
        wire.0.read_exact(&mut [0; 24]).await.unwrap();
        wire.send(&frame(SETTINGS, 0, 0, settings)).await;
        wire.send(&frame(SETTINGS, ACK, 0, &[])).await;
        let ping = wire.next_of(PING).await.unwrap();
        wire.send(&frame(PING, ACK, 0, &ping.payload)).await;
        (client, wire)
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// The next frame; `None` at the end of the connection.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let [a, b, c, kind, flags, s0, s1, s2, s3] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.0.read_exact(&mut payload).await.ok()?;
        Some(Frame { kind, flags, stream: u32::from_be_bytes([s0, s1, s2, s3]), payload })
    }

    /// The next frame of this kind.
    pub(crate) async fn next_of(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    /// How many streams are reset for what was sent so far.
    pub(crate) async fn resets(&mut self) -> usize {
        let mut resets = 0;
        // An answer to PING overtakes what the streams have to say.
        for _ in 0..2 {
            self.send(&frame(PING, 0, 0, &[0; 8])).await;
            loop {
                match self.next().await.unwrap().kind {
                    RST_STREAM => resets += 1,
                    PING => break,
                    _ => {}
                }
            }
        }
        resets
    }

    /// The error code of the GOAWAY that ends the connection.
    pub(crate) async fn goaway_code(&mut self) -> Option<u32> {
        let frame = self.next_of(GOAWAY).await?;
        frame.payload[4..8].try_into().ok().map(u32::from_be_bytes)
    }
}

pub(crate) fn window_update(stream: u32, increment: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &increment.to_be_bytes())
}

pub(crate) fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &code.to_be_bytes())
}
