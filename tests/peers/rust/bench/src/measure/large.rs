//! A message larger than any buffer that arrives in small reads, next to a bare copy of it.

use std::future::Future;
use std::hint::black_box;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::{Buf, BytesMut};
use ws_io::{Message, Runtime, Timer, Transport, UpgradeInfo, WebSocket};
use ws_session::{Config, Limits, Session};

use super::interleave;
use crate::clock::CpuTime;
use crate::options::Options;
use crate::result::{Bench, Cell};
use crate::wire::{self, Content};

const CELL: &str = "16 MiB in reads of 4 KiB";
const SIZE: usize = 16 * 1024 * 1024;
const READ: usize = 4 * 1024;

pub fn cells() -> Vec<String> {
    vec![CELL.to_owned()]
}

pub fn run(options: &Options) -> Result<Bench, String> {
    let payload = wire::payload(Content::Binary, SIZE, 1);
    let mut frame = Vec::new();
    wire::client_frame(wire::BINARY, [0x9a, 0x3c, 0x5e, 1], &payload, &mut frame);
    let frame: Arc<[u8]> = frame.into();
    let mut config = Config::default();
    config.limits = Limits::default().with_max_frame(2 * SIZE).with_max_message(2 * SIZE);
    let session = Session::server(Arc::new(config));
    let drip = Drip { wire: Arc::clone(&frame), at: 0 };
    let mut websocket =
        WebSocket::from_parts(drip, Still(Instant::now()), session, UpgradeInfo::default());
    if receive(&mut websocket)? != payload {
        return Err("ours receives another message".to_owned());
    }
    let repeat = if options.quick { 3 } else { 10 };
    let mut copied = Vec::with_capacity(frame.len());
    let names = ["memcpy", "ours"].map(str::to_owned);
    let rows = interleave(CELL, &names, options.rounds() * 3, |name| {
        let start = CpuTime::now();
        for _ in 0..repeat {
            match name {
                "ours" => drop(black_box(receive(&mut websocket)?)),
                _ => copy(black_box(&frame), black_box(&mut copied)),
            }
        }
        Ok((start.elapsed() / 1000.0 / f64::from(repeat)).into())
    });
    Ok(Bench {
        name: "large".to_owned(),
        about: "A message larger than any buffer, received through the driver from memory. \
                `memcpy` copies the same bytes in the same pieces, into memory that is there already."
            .to_owned(),
        unit: "µs per message".to_owned(),
        cells: vec![Cell { name: CELL.to_owned(), x: None, rows }],
    })
}

/// Into memory that is there already.
fn copy(frame: &[u8], all: &mut Vec<u8>) {
    all.clear();
    frame.chunks(READ).for_each(|read| all.extend_from_slice(read));
}

fn receive(websocket: &mut WebSocket<Drip, Still>) -> Result<bytes::Bytes, String> {
    let mut next = pin!(websocket.next());
    // It lets others have their turn now and then.
    loop {
        match next.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(Ok(Message::Binary(payload)))) => return Ok(payload),
            Poll::Ready(other) => return Err(format!("{other:?} instead of the message")),
            Poll::Pending => {}
        }
    }
}

/// Sends the same bytes again and again, a little each time.
struct Drip {
    wire: Arc<[u8]>,
    at: usize,
}

impl Transport for Drip {
    fn poll_read(
        &mut self,
        _: &mut Context<'_>,
        buffer: &mut BytesMut,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        let left = &self.wire[self.at..];
        let count = left.len().min(max).min(READ);
        buffer.extend_from_slice(&left[..count]);
        self.at = (self.at + count) % self.wire.len();
        Poll::Ready(Ok(count))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, buffer: &mut dyn Buf) -> Poll<io::Result<usize>> {
        let count = buffer.remaining();
        buffer.advance(count);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn name(&self) -> &'static str {
        "drip"
    }
}

/// A runtime whose clock stands still.
#[derive(Clone, Debug)]
struct Still(Instant);

struct Never;

impl Runtime for Still {
    type Timer = Never;

    fn now(&self) -> Instant {
        self.0
    }

    fn timer(&self, _: Instant) -> Never {
        Never
    }

    fn spawn(&self, _: impl Future<Output = ()> + Send + 'static) {}
}

impl Timer for Never {
    fn reset(&mut self, _: Instant) {}

    fn poll_expired(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}
