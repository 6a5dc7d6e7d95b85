//! The decoders of other crates, through the lowest public interface that yields whole messages.

use std::io::{self, Cursor, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use futures::{FutureExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::codec::Decoder as _;
use tokio_util::compat::TokioAsyncReadCompatExt;

use super::decode::{Case, Decode, candidate};
use super::{Candidate, READ};

pub(super) fn all(case: &'static Case) -> Vec<Result<Candidate, String>> {
    vec![
        candidate("tungstenite", case, Tungstenite::new),
        candidate("fastwebsockets", case, Fastwebsockets::new),
        candidate("tokio-websockets", case, TokioWebsockets::new),
        candidate("sockudo", case, Sockudo::new),
        candidate("yawc", case, Yawc::new),
        candidate("soketto", case, Soketto::new),
    ]
}

/// A stream whose reads copy from memory and would block at its end, and whose writes vanish.
#[derive(Default)]
struct Memory(Cursor<Vec<u8>>);

impl Memory {
    fn refill(&mut self, wire: &[u8]) {
        let bytes = self.0.get_mut();
        if bytes.len() != wire.len() {
            bytes.clear();
            bytes.extend_from_slice(wire);
        }
        self.0.set_position(0);
    }
}

impl Read for Memory {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = buffer.len().min(READ);
        match self.0.read(&mut buffer[..len])? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }
}

impl Write for Memory {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Memory {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let at = self.0.position() as usize;
        let left = &self.0.get_ref()[at..];
        if left.is_empty() {
            return Poll::Pending;
        }
        let count = left.len().min(READ).min(buffer.remaining());
        buffer.put_slice(&left[..count]);
        self.0.set_position((at + count) as u64);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Memory {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buffer.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

struct Tungstenite(tungstenite::WebSocket<Memory>);

impl Tungstenite {
    fn new() -> Self {
        let role = tungstenite::protocol::Role::Server;
        Self(tungstenite::WebSocket::from_raw_socket(Memory::default(), role, None))
    }
}

impl Decode for Tungstenite {
    fn pass(&mut self, wire: &[u8], sink: &mut impl FnMut(&[u8])) -> Result<(), String> {
        self.0.get_mut().refill(wire);
        loop {
            match self.0.read() {
                Ok(tungstenite::Message::Binary(payload)) => sink(&payload),
                Ok(tungstenite::Message::Text(text)) => sink(text.as_bytes()),
                Ok(other) => return Err(format!("unexpected {other}")),
                Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(());
                }
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}

/// Lends its stream to a crate that keeps it.
#[derive(Clone, Default)]
struct Shared(std::rc::Rc<std::cell::RefCell<Memory>>);

impl AsyncRead for Shared {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Shared {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buffer.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

struct Fastwebsockets {
    source: Shared,
    websocket: fastwebsockets::FragmentCollector<Shared>,
    /// How many messages a pass has: its reading cannot be stopped half way.
    expected: Option<usize>,
}

impl Fastwebsockets {
    fn new() -> Self {
        let source = Shared::default();
        let role = fastwebsockets::Role::Server;
        let websocket = fastwebsockets::WebSocket::after_handshake(source.clone(), role);
        let websocket = fastwebsockets::FragmentCollector::new(websocket);
        Self { source, websocket, expected: None }
    }
}

impl Decode for Fastwebsockets {
    fn pass(&mut self, wire: &[u8], sink: &mut impl FnMut(&[u8])) -> Result<(), String> {
        self.source.0.borrow_mut().refill(wire);
        let count = *self.expected.get_or_insert_with(|| count_frames(wire));
        for _ in 0..count {
            let read = self.websocket.read_frame().now_or_never().ok_or("starved")?;
            sink(&read.map_err(|error| error.to_string())?.payload);
        }
        Ok(())
    }
}

fn count_frames(mut wire: &[u8]) -> usize {
    let mut count = 0;
    while let Some(frame) = crate::server::parse(wire) {
        wire = &wire[frame.header + frame.payload..];
        count += 1;
    }
    count
}

struct TokioWebsockets(tokio_websockets::WebSocketStream<Memory>);

impl TokioWebsockets {
    fn new() -> Self {
        Self(tokio_websockets::ServerBuilder::new().serve(Memory::default()))
    }
}

impl Decode for TokioWebsockets {
    fn pass(&mut self, wire: &[u8], sink: &mut impl FnMut(&[u8])) -> Result<(), String> {
        self.0.get_mut().refill(wire);
        let mut cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(message)) = self.0.poll_next_unpin(&mut cx) {
            sink(message.map_err(|error| error.to_string())?.as_payload());
        }
        Ok(())
    }
}

struct Sockudo {
    protocol: sockudo_ws::protocol::Protocol,
    input: BytesMut,
    messages: Vec<sockudo_ws::Message>,
}

impl Sockudo {
    fn new() -> Self {
        let limit = 64 * 1024 * 1024;
        let role = sockudo_ws::Role::Server;
        let protocol = sockudo_ws::protocol::Protocol::new(role, limit, limit);
        Self { protocol, input: BytesMut::new(), messages: Vec::new() }
    }
}

impl Decode for Sockudo {
    fn pass(&mut self, wire: &[u8], sink: &mut impl FnMut(&[u8])) -> Result<(), String> {
        for read in wire.chunks(READ) {
            self.input.extend_from_slice(read);
            let processed = self.protocol.process_into(&mut self.input, &mut self.messages);
            processed.map_err(|error| error.to_string())?;
            for message in self.messages.drain(..) {
                sink(message.as_bytes());
            }
        }
        Ok(())
    }
}

/// Frames only: its assembly of messages is private.
struct Yawc {
    decoder: yawc::codec::Decoder,
    input: BytesMut,
}

impl Yawc {
    fn new() -> Self {
        let decoder = yawc::codec::Decoder::new(yawc::Role::Server, 64 * 1024 * 1024);
        Self { decoder, input: BytesMut::new() }
    }
}

impl Decode for Yawc {
    fn pass(&mut self, wire: &[u8], sink: &mut impl FnMut(&[u8])) -> Result<(), String> {
        for read in wire.chunks(READ) {
            self.input.extend_from_slice(read);
            while let Some(frame) =
                self.decoder.decode(&mut self.input).map_err(|error| error.to_string())?
            {
                if frame.opcode() == yawc::OpCode::Text && !frame.is_utf8() {
                    return Err("not UTF-8".to_owned());
                }
                sink(frame.payload());
            }
        }
        Ok(())
    }
}

type Compat = tokio_util::compat::Compat<Shared>;

struct Soketto {
    source: Shared,
    receiver: soketto::Receiver<Compat>,
    message: Vec<u8>,
    expected: Option<usize>,
}

impl Soketto {
    fn new() -> Self {
        let source = Shared::default();
        let mode = soketto::Mode::Server;
        let builder = soketto::connection::Builder::new(source.clone().compat(), mode);
        let (_sender, receiver) = builder.finish();
        Self { source, receiver, message: Vec::new(), expected: None }
    }
}

impl Decode for Soketto {
    fn pass(&mut self, wire: &[u8], sink: &mut impl FnMut(&[u8])) -> Result<(), String> {
        self.source.0.borrow_mut().refill(wire);
        let count = *self.expected.get_or_insert_with(|| count_frames(wire));
        for _ in 0..count {
            self.message.clear();
            let received = self.receiver.receive_data(&mut self.message).now_or_never();
            let data = received.ok_or("starved")?.map_err(|error| error.to_string())?;
            if data.is_text() && std::str::from_utf8(&self.message).is_err() {
                return Err("not UTF-8".to_owned());
            }
            sink(&self.message);
        }
        Ok(())
    }
}
