//! A transport of one's own: WebSocket over anything that carries bytes both ways in order.
//!
//! Here each direction is a bounded in-memory queue of buffers, as a data channel or a message bus
//! would offer it. Nothing is copied on the way: what one end writes, the other reads.

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes, BytesMut};
use ws_stack::io::{self as ws, Transport};
use ws_stack::tokio::{AcceptOptions, CloseCode, ConnectOptions, Error, Message, Tokio};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    ws_examples::logging();
    let (near, far) = link();

    let server = tokio::spawn(async move {
        let mut websocket = ws::accept(far, Tokio, AcceptOptions::default()).await?;
        while let Some(message) = websocket.next().await {
            let message = message?;
            if message.data_kind().is_some() {
                websocket.feed(message).await?;
            }
        }
        Ok::<(), Error>(())
    });

    // The name goes into the handshake only; nothing is resolved.
    let uri = "ws://in-memory.example/".parse()?;
    let mut websocket = ws::connect(near, Tokio, &uri, &ConnectOptions::default()).await?;
    for size in [0, 1, 1_000, 1_000_000] {
        let message = Message::binary(vec![7; size]);
        websocket.send(message.clone()).await?;
        let echo = websocket.next().await.ok_or("the server left")??;
        writeln!(io::stdout(), "{size} bytes there and back: {}", echo == message)?;
    }
    let outcome = websocket.close(CloseCode::NORMAL, "done").await?;
    writeln!(io::stdout(), "closed with {}, clean: {}", outcome.code.get(), outcome.clean)?;
    server.await??;
    Ok(())
}

/// Two ends of a link.
fn link() -> (Link, Link) {
    let (a, b) = (Arc::new(Mutex::default()), Arc::new(Mutex::default()));
    (Link { inbound: Arc::clone(&a), outbound: Arc::clone(&b) }, Link { inbound: b, outbound: a })
}

/// One end.
struct Link {
    inbound: Arc<Mutex<Direction>>,
    outbound: Arc<Mutex<Direction>>,
}

#[derive(Default)]
struct Direction {
    queue: VecDeque<Bytes>,
    ended: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Direction {
    fn end(&mut self) {
        self.ended = true;
        wake(&mut self.reader);
        wake(&mut self.writer);
    }
}

impl Transport for Link {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut BytesMut,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        let mut inbound = lock(&self.inbound);
        let Some(first) = inbound.queue.front_mut() else {
            if inbound.ended {
                return Poll::Ready(Ok(0));
            }
            inbound.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        let piece = first.split_to(first.len().min(max));
        if first.is_empty() {
            inbound.queue.pop_front();
            wake(&mut inbound.writer);
        }
        buf.extend_from_slice(&piece);
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &mut dyn Buf) -> Poll<io::Result<usize>> {
        let mut outbound = lock(&self.outbound);
        if outbound.ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if outbound.queue.len() == CAPACITY {
            // Back-pressure: the session above stops reading from its peer when it cannot write.
            outbound.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        // Taken out of the write queue as it is, where the queue holds it in one piece.
        let length = buf.chunk().len();
        outbound.queue.push_back(buf.copy_to_bytes(length));
        wake(&mut outbound.reader);
        Poll::Ready(Ok(length))
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        lock(&self.outbound).end();
        Poll::Ready(Ok(()))
    }

    fn name(&self) -> &'static str {
        "link"
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        lock(&self.inbound).end();
        lock(&self.outbound).end();
    }
}

fn wake(waiting: &mut Option<Waker>) {
    if let Some(waker) = waiting.take() {
        waker.wake();
    }
}

fn lock(direction: &Mutex<Direction>) -> MutexGuard<'_, Direction> {
    direction.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Buffers on their way in one direction.
const CAPACITY: usize = 16;
