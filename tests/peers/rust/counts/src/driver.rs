//! `ws-io` over a transport that plays a TCP socket: the plain documented loop, and every read and
//! write that would be a system call.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::{Buf, BytesMut};
use ws_io::{Runtime, Timer, Transport, UpgradeInfo, WebSocket};
use ws_session::{Config, Session};

use crate::{Case, script};

/// Echoes `count` messages, of which `depth` are always there at once.
pub fn echo(size: usize, depth: usize) -> Case {
    let socket = Arc::new(Socket::new(vec![script::frames(size, false, depth)]));
    let mut task = Box::pin(serve(open(Arc::clone(&socket))));
    Box::new(move |count| {
        let (reads, writes) = socket.calls();
        for _ in 0..count.div_ceil(depth) {
            socket.arrive(0);
            let mut cx = Context::from_waker(Waker::noop());
            while task.as_mut().poll(&mut cx).is_pending() && socket.has_input() {}
        }
        let (reads_after, writes_after) = socket.calls();
        let per_message = |calls: u64| calls as f64 / count as f64;
        vec![
            ("reads", per_message(reads_after - reads)),
            ("writes", per_message(writes_after - writes)),
        ]
    })
}

/// A server's connection after its handshake.
pub fn open(socket: Arc<Socket>) -> WebSocket<Script, Still> {
    thread_local!(static CONFIG: Arc<Config> = Arc::new(Config::default()));
    let session = Session::server(CONFIG.with(Arc::clone));
    WebSocket::from_parts(Script(socket), Still::default(), session, UpgradeInfo::default())
}

async fn serve(mut websocket: WebSocket<Script, Still>) -> Infallible {
    while let Some(Ok(message)) = websocket.next().await {
        if message.data_kind().is_some() && websocket.feed(message).await.is_err() {
            break;
        }
    }
    panic!("the connection never ends")
}

/// Polls a future that must be ready.
pub fn ready<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// The other end of a connection: sends the same bytes again and again, and takes every answer.
pub struct Socket {
    wires: Vec<Vec<u8>>,
    /// Which of them is sent.
    chosen: AtomicU64,
    /// Where the next read starts; at the end of the script there is nothing to read.
    at: AtomicU64,
    reads: AtomicU64,
    writes: AtomicU64,
}

impl Socket {
    /// A socket that has nothing to read yet.
    pub fn new(wires: Vec<Vec<u8>>) -> Self {
        let at = AtomicU64::new(wires[0].len() as u64);
        let (chosen, reads, writes) = Default::default();
        Self { wires, chosen, at, reads, writes }
    }

    /// Lets all bytes of the script with this number arrive at once; one without bytes is the end.
    pub fn arrive(&self, number: usize) {
        self.chosen.store(number as u64, Relaxed);
        self.at.store(0, Relaxed);
    }

    fn wire(&self) -> &[u8] {
        &self.wires[self.chosen.load(Relaxed) as usize]
    }

    fn has_input(&self) -> bool {
        (self.at.load(Relaxed) as usize) < self.wire().len()
    }

    fn calls(&self) -> (u64, u64) {
        (self.reads.load(Relaxed), self.writes.load(Relaxed))
    }
}

/// Our end. As tokio does, it knows after a short read that there is no more, without asking.
pub struct Script(pub Arc<Socket>);

impl Transport for Script {
    fn poll_read(
        &mut self,
        _: &mut Context<'_>,
        buffer: &mut BytesMut,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        let at = self.0.at.load(Relaxed) as usize;
        let wire = self.0.wire();
        let left = &wire[at..];
        if left.is_empty() {
            return if wire.is_empty() { Poll::Ready(Ok(0)) } else { Poll::Pending };
        }
        let count = left.len().min(max);
        buffer.extend_from_slice(&left[..count]);
        self.0.at.store((at + count) as u64, Relaxed);
        self.0.reads.fetch_add(1, Relaxed);
        Poll::Ready(Ok(count))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, buffer: &mut dyn Buf) -> Poll<io::Result<usize>> {
        let count = buffer.remaining();
        buffer.advance(count);
        self.0.writes.fetch_add(1, Relaxed);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn name(&self) -> &'static str {
        "script"
    }
}

/// A runtime whose clock stands still: deadlines are set and never come.
#[derive(Clone, Debug)]
pub struct Still(Instant);

impl Default for Still {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Runtime for Still {
    type Timer = Never;

    fn now(&self) -> Instant {
        self.0
    }

    fn timer(&self, _: Instant) -> Never {
        Never(Cell::new(()))
    }

    fn spawn(&self, _: impl Future<Output = ()> + Send + 'static) {}
}

/// A timer that never fires.
pub struct Never(Cell<()>);

impl Timer for Never {
    fn reset(&mut self, _: Instant) {
        self.0.set(());
    }

    fn poll_expired(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }

    fn has_fired(&self) -> Option<bool> {
        Some(false)
    }
}
