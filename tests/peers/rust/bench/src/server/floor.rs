//! Just enough WebSocket to echo: what a perfect library could reach on this runtime.
//!
//! It trusts its peer: no limits, no fragments, no UTF-8, no deadlines, no closing handshake. Every
//! frame is unmasked where it lies; small ones are copied behind one another, large ones are sent
//! from where they lie, and all that has arrived is answered with one write.

use std::io::{self, IoSlice};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::scratch;
use crate::wire;

/// Up to this size a payload is copied behind its header.
const SMALL: usize = 2048;

/// Answers the handshake with what the load generator's key asks for, then echoes.
pub async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut input = Vec::with_capacity(4096);
    loop {
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
        let mut headers = [httparse::EMPTY_HEADER; 100];
        let parsed = httparse::Request::new(&mut headers).parse(&input);
        if parsed.map_err(io::Error::other)?.is_complete() {
            break;
        }
    }
    stream.write_all(wire::RESPONSE).await?;
    drop(input);
    while let Some(left) = scratch::turn(&mut stream, answer_small).await? {
        stream.write_all(&left.unsent).await?;
        let mut rest = left.rest;
        while !rest.is_empty() {
            rest.reserve(missing(&rest).max(4096));
            if stream.read_buf(&mut rest).await? == 0 {
                return Ok(());
            }
            answer_all(&mut stream, &mut rest).await?;
        }
    }
    Ok(())
}

/// Answers the whole frames at the front; returns how many bytes they had.
fn answer_small(input: &mut [u8], output: &mut Vec<u8>) -> usize {
    let mut at = 0;
    while let Some(frame) = parse(&input[at..]) {
        let start = at + frame.header;
        at = start + frame.payload;
        wire::unmask(frame.key, &mut input[start..at]);
        wire::server_frame(frame.opcode, &input[start..at], output);
    }
    at
}

/// As [`answer_small`], but sends large payloads from where they lie, and removes what is answered.
async fn answer_all(stream: &mut TcpStream, input: &mut Vec<u8>) -> io::Result<()> {
    let mut at = 0;
    let mut output = Vec::new();
    while let Some(frame) = parse(&input[at..]) {
        let start = at + frame.header;
        at = start + frame.payload;
        wire::unmask(frame.key, &mut input[start..at]);
        if frame.payload <= SMALL {
            wire::server_frame(frame.opcode, &input[start..at], &mut output);
        } else {
            let (header, len) = wire::server_header(frame.opcode, frame.payload);
            output.extend_from_slice(&header[..len]);
            write_both(stream, &output, &input[start..at]).await?;
            output.clear();
        }
    }
    stream.write_all(&output).await?;
    input.drain(..at);
    Ok(())
}

/// Where a frame and its parts lie.
pub struct Frame {
    pub opcode: u8,
    pub header: usize,
    pub payload: usize,
    pub key: [u8; 4],
}

fn header(input: &[u8]) -> Option<Frame> {
    let (first, second) = (*input.first()?, *input.get(1)?);
    let (payload, at) = match second & 0x7f {
        126 => (usize::from(u16::from_be_bytes(input.get(2..4)?.try_into().ok()?)), 4),
        127 => (u64::from_be_bytes(input.get(2..10)?.try_into().ok()?) as usize, 10),
        short => (usize::from(short), 2),
    };
    let key = input.get(at..at + 4)?.try_into().ok()?;
    Some(Frame { opcode: first & 0x0f, header: at + 4, payload, key })
}

/// The frame at the front, if all of it is there.
pub fn parse(input: &[u8]) -> Option<Frame> {
    header(input).filter(|frame| frame.header + frame.payload <= input.len())
}

/// How many bytes of the frame at the front have not come yet.
fn missing(input: &[u8]) -> usize {
    header(input).map_or(0, |frame| frame.header + frame.payload - input.len())
}

async fn write_both(stream: &mut TcpStream, head: &[u8], body: &[u8]) -> io::Result<()> {
    let written = stream.write_vectored(&[IoSlice::new(head), IoSlice::new(body)]).await?;
    if written < head.len() {
        stream.write_all(&head[written..]).await?;
        return stream.write_all(body).await;
    }
    stream.write_all(&body[written - head.len()..]).await
}
