//! A peer that writes HTTP/3 by hand, right or wrong.

use bytes::{BufMut, Bytes};

/// A QUIC connection with the control stream open.
pub(crate) struct RawPeer {
    pub(crate) quic: quinn::Connection,
    pub(crate) control: quinn::SendStream,
}

impl RawPeer {
    /// Opens the control stream with `settings`, the payload of the SETTINGS frame.
    pub(crate) async fn new(quic: quinn::Connection, settings: &[u8]) -> Self {
        let mut control = quic.open_uni().await.unwrap();
        control.write_all(&[0]).await.unwrap();
        control.write_all(&frame(4, settings)).await.unwrap();
        Self { quic, control }
    }

    pub(crate) async fn open(&self, bytes: &[u8]) -> (quinn::SendStream, quinn::RecvStream) {
        let (mut send, recv) = self.quic.open_bi().await.unwrap();
        send.write_all(bytes).await.unwrap();
        (send, recv)
    }

    /// The other side's control stream, behind its type.
    pub(crate) async fn accept_control(&self) -> quinn::RecvStream {
        loop {
            let mut stream = self.quic.accept_uni().await.unwrap();
            let mut kind = [0xff];
            stream.read_exact(&mut kind).await.unwrap();
            if kind == [0] {
                return stream;
            }
        }
    }

    /// The HTTP/3 code with which the peer closed the connection.
    pub(crate) async fn closed_with(&self) -> u64 {
        match self.quic.closed().await {
            quinn::ConnectionError::ApplicationClosed(close) => close.error_code.into_inner(),
            other => panic!("the connection ended with {other:?}"),
        }
    }
}

/// What the peer did with its sending direction.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The `:status` of a response.
    Status(String),
    /// The code of a reset.
    Reset(u64),
    Closed,
}

/// The peer's answer on a stream.
pub(crate) async fn answer(recv: &mut quinn::RecvStream) -> Answer {
    let mut seen = Vec::new();
    loop {
        match recv.read_chunk(4096, true).await {
            Ok(Some(chunk)) => seen.extend_from_slice(&chunk.bytes),
            Ok(None) => return Answer::Closed,
            Err(quinn::ReadError::Reset(code)) => return Answer::Reset(code.into_inner()),
            Err(_) => return Answer::Closed,
        }
        if let [1, len, block @ ..] = &seen[..]
            && block.len() >= usize::from(*len)
        {
            return Answer::Status(status(&block[..usize::from(*len)]));
        }
    }
}

/// The `:status` line comes first in what h3 writes.
fn status(block: &[u8]) -> String {
    match block[2] {
        index @ (0xd8..=0xdc) => {
            ["103", "200", "304", "404", "503"][usize::from(index - 0xd8)].to_owned()
        }
        0xff => {
            let known = ["100", "204", "206", "302", "400", "403", "421", "425", "500"];
            known[usize::from(block[3])].to_owned()
        }
        // Literal with the static name 24 and a plain or a Huffman value: digits are 5 or 6 bits.
        0x5f if block[4] & 0x80 == 0 => String::from_utf8(block[5..8].to_vec()).unwrap(),
        0x5f => huffman_digits(&block[5..5 + usize::from(block[4] & 0x7f)]),
        other => panic!("an unexpected first line {other:#x}"),
    }
}

fn huffman_digits(bytes: &[u8]) -> String {
    let bits: Vec<u8> =
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let (mut out, mut at) = (String::new(), 0);
    while out.len() < 3 {
        let take = |n: usize| bits[at..at + n].iter().fold(0, |all, bit| all << 1 | bit);
        let five = take(5);
        let (digit, len) = if five < 3 { (five, 5) } else { (take(6) - 0x19 + 3, 6) };
        out.push(char::from(b'0' + digit));
        at += len;
    }
    out
}

pub(crate) fn varint(value: u64) -> Vec<u8> {
    match value {
        0..=0x3f => vec![u8::try_from(value).unwrap()],
        0x40..=0x3fff => (u16::try_from(value).unwrap() | 0x4000).to_be_bytes().to_vec(),
        0x4000..=0x3fff_ffff => {
            (u32::try_from(value).unwrap() | 0x8000_0000).to_be_bytes().to_vec()
        }
        _ => (value | 0xc000_0000_0000_0000).to_be_bytes().to_vec(),
    }
}

pub(crate) fn frame(kind: u64, payload: &[u8]) -> Vec<u8> {
    let mut out = varint(kind);
    out.extend_from_slice(&varint(payload.len() as u64));
    out.extend_from_slice(payload);
    out
}

/// A field section with plain literal lines only.
#[derive(Clone)]
pub(crate) struct Section(pub(crate) Vec<u8>);

impl Section {
    pub(crate) fn new() -> Self {
        Self(vec![0, 0])
    }

    /// What a proper WebSocket request begins with.
    pub(crate) fn websocket() -> Self {
        Self::request("CONNECT").line(":protocol", "websocket")
    }

    pub(crate) fn request(method: &str) -> Self {
        Self::new()
            .line(":method", method)
            .line(":scheme", "https")
            .line(":authority", "localhost")
            .line(":path", "/echo")
    }

    pub(crate) fn line(mut self, name: &str, value: &str) -> Self {
        integer(&mut self.0, 0x20, 3, name.len());
        self.0.put_slice(name.as_bytes());
        integer(&mut self.0, 0, 7, value.len());
        self.0.put_slice(value.as_bytes());
        self
    }

    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.put_slice(bytes);
        self
    }

    /// As a HEADERS frame.
    pub(crate) fn frame(&self) -> Bytes {
        frame(1, &self.0).into()
    }
}

fn integer(out: &mut Vec<u8>, flags: u8, bits: u32, value: usize) {
    let mask = (1 << bits) - 1;
    if value < mask {
        out.push(flags | u8::try_from(value).unwrap());
        return;
    }
    out.push(flags | u8::try_from(mask).unwrap());
    let mut left = value - mask;
    while left >= 0x80 {
        out.push(u8::try_from(left & 0x7f).unwrap() | 0x80);
        left >>= 7;
    }
    out.push(u8::try_from(left).unwrap());
}
