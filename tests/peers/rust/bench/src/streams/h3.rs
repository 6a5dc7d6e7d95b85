//! HTTP/3 written by hand on QUIC streams, so that one client serves bare streams and WebSockets.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{RecvStream, SendStream, TransportConfig};

use super::{In, Kind, Out, Plan, Work};
use crate::server::certificate;

pub type Lane = (Sending, Receiving);

/// A connection, which its streams do not keep open.
pub struct Line {
    quic: quinn::Connection,
    _control: SendStream,
}

pub struct Sending(SendStream);

/// Cuts what comes into frames and hands out the payload of DATA.
pub struct Receiving {
    stream: RecvStream,
    buffer: BytesMut,
    /// What is left of the current frame, and whether it is DATA.
    frame: (usize, bool),
}

/// Opens the streams of a plan.
pub async fn open_all(plan: &Plan) -> Result<(Vec<Lane>, Vec<Line>), String> {
    let (mut lanes, mut lines) = (Vec::new(), Vec::new());
    let Work { streams, per_connection, .. } = plan.work;
    let endpoint = endpoint(plan.port)?;
    while lanes.len() < streams {
        let line = connect(&endpoint, plan.port).await?;
        for _ in 0..per_connection.min(streams - lanes.len()) {
            lanes.push(open(&line, plan.kind).await?);
        }
        lines.push(line);
    }
    Ok((lanes, lines))
}

/// A socket for connections to the server on `port`.
pub fn endpoint(port: u16) -> Result<quinn::Endpoint, String> {
    let tls = certificate::trusting(port, &[b"h3"])?;
    let tls = QuicClientConfig::try_from(tls).map_err(text)?;
    let mut config = quinn::ClientConfig::new(Arc::new(tls));
    let mut transport = TransportConfig::default();
    transport.max_concurrent_bidi_streams(0_u32.into());
    config.transport_config(Arc::new(transport));
    let mut endpoint = quinn::Endpoint::client(([127, 0, 0, 1], 0).into()).map_err(text)?;
    endpoint.set_default_client_config(config);
    Ok(endpoint)
}

/// A connection on which streams can be opened.
pub async fn connect(endpoint: &quinn::Endpoint, port: u16) -> Result<Line, String> {
    let connecting = endpoint.connect(([127, 0, 0, 1], port).into(), "localhost");
    let quic = connecting.map_err(text)?.await.map_err(text)?;
    let mut control = quic.open_uni().await.map_err(text)?;
    // Stream type 0, and SETTINGS without a setting.
    control.write_all(&[0, 4, 0]).await.map_err(text)?;
    Ok(Line { quic, _control: control })
}

/// Opens a stream, which the server must answer with 200.
pub async fn open(line: &Line, kind: Kind) -> Result<Lane, String> {
    let (mut send, stream) = line.quic.open_bi().await.map_err(text)?;
    send.write_all(&request(kind == Kind::WebSocket)).await.map_err(text)?;
    let mut receiving = Receiving { stream, buffer: BytesMut::new(), frame: (0, false) };
    receiving.head().await?;
    Ok((Sending(send), receiving))
}

/// The HEADERS frame of a request, with literal lines only (RFC 9204 §4.5.6).
fn request(websocket: bool) -> Vec<u8> {
    let mut lines = vec![
        (":method", if websocket { "CONNECT" } else { "POST" }),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", "/"),
    ];
    if websocket {
        lines.extend([(":protocol", "websocket"), ("sec-websocket-version", "13")]);
    }
    let mut section = vec![0, 0];
    for (name, value) in lines {
        if name.len() < 7 {
            section.push(0x20 | name.len() as u8);
        } else {
            section.extend([0x27, (name.len() - 7) as u8]);
        }
        section.extend_from_slice(name.as_bytes());
        section.push(value.len() as u8);
        section.extend_from_slice(value.as_bytes());
    }
    let mut frame = frame_header(1, section.len()).to_vec();
    frame.extend_from_slice(&section);
    frame
}

/// RFC 9114 §7.1; the length always in four bytes.
fn frame_header(kind: u8, len: usize) -> Bytes {
    let mut header = BytesMut::with_capacity(5);
    header.put_u8(kind);
    header.put_u32(0x8000_0000 | len as u32);
    header.freeze()
}

impl Out for Sending {
    async fn send(&mut self, bytes: Bytes) -> Result<(), String> {
        let mut chunks = [frame_header(0, bytes.len()), bytes];
        self.0.write_all_chunks(&mut chunks).await.map_err(text)
    }

    async fn end(&mut self) -> Result<(), String> {
        self.0.finish().map_err(text)
    }
}

impl Receiving {
    /// The first bytes of a frame, which must be HEADERS with the status 200.
    async fn head(&mut self) -> Result<(), String> {
        loop {
            if let [1, len, section @ ..] = &self.buffer[..]
                && section.len() >= usize::from(*len)
            {
                // The static table has `:status 200` at 25.
                if section.get(2) != Some(&(0xc0 | 25)) {
                    return Err("the server did not answer 200".to_owned());
                }
                let _head = self.buffer.split_to(2 + usize::from(*len));
                return Ok(());
            }
            if !self.fill().await? {
                return Err("the server ended instead of answering".to_owned());
            }
        }
    }

    /// Whether more has come; if not, this is the end of the stream.
    async fn fill(&mut self) -> Result<bool, String> {
        let chunk = self.stream.read_chunk(usize::MAX, true).await.map_err(text)?;
        let Some(chunk) = chunk else { return Ok(false) };
        if self.buffer.is_empty() {
            self.buffer = BytesMut::from(chunk.bytes);
        } else {
            self.buffer.extend_from_slice(&chunk.bytes);
        }
        Ok(true)
    }

    /// Takes a frame's header from the front of the buffer, if it is all there.
    fn take_header(&mut self) -> Option<(usize, bool)> {
        let (kind, at) = integer(&self.buffer)?;
        let (len, size) = integer(&self.buffer[at..])?;
        let _header = self.buffer.split_to(at + size);
        Some((len as usize, kind == 0))
    }
}

/// The integer at the front, and how many bytes it has (RFC 9000 §16).
fn integer(input: &[u8]) -> Option<(u64, usize)> {
    let size = 1 << (input.first()? >> 6);
    let bytes = input.get(..size)?;
    let value = bytes.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    Some((value & (u64::MAX >> (66 - 8 * size)), size))
}

impl In for Receiving {
    async fn receive(&mut self) -> Result<Option<Bytes>, String> {
        loop {
            if self.frame.0 == 0 {
                match self.take_header() {
                    Some(frame) => self.frame = frame,
                    None if self.fill().await? => {}
                    None if self.buffer.is_empty() => return Ok(None),
                    None => return Err(CUT.to_owned()),
                }
                continue;
            }
            if self.buffer.is_empty() && !self.fill().await? {
                return Err(CUT.to_owned());
            }
            let now = self.buffer.split_to(self.buffer.len().min(self.frame.0)).freeze();
            self.frame.0 -= now.len();
            if self.frame.1 {
                return Ok(Some(now));
            }
        }
    }
}

const CUT: &str = "the server has ended the stream inside a frame";

fn text(error: impl ToString) -> String {
    error.to_string()
}
