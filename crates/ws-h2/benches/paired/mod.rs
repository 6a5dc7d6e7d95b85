//! Two ways of doing the same, timed in turn. The bench of `ws-h3` takes this file too.

use std::future::poll_fn;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use ws_io::Transport;

/// Times echoes of `message` on a bare stream and on ours, prints both and their ratio.
pub(crate) async fn compare(
    name: &str,
    message: &Bytes,
    count: u32,
    mut bare: impl AsyncFnMut(&Bytes),
    ours: &mut impl Transport,
) {
    let mut times = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..count {
            bare(message).await;
        }
        times.0.push(start.elapsed() / count);
        let start = Instant::now();
        for _ in 0..count {
            exchange(ours, message).await;
        }
        times.1.push(start.elapsed() / count);
    }
    let (bare, ours) = (median(times.0), median(times.1));
    let ratio = ours.as_secs_f64() / bare.as_secs_f64();
    let len = message.len();
    println!("echo {len:>8} B   {name} {bare:>10.1?}   ours {ours:>10.1?}   {ratio:.2}");
}

/// Writes and reads by turns, so that no message is too large for the windows.
async fn exchange(stream: &mut impl Transport, message: &Bytes) {
    let (mut left, mut back) = (message.clone(), BytesMut::with_capacity(64 * 1024));
    let mut missing = message.len();
    poll_fn(|cx| {
        loop {
            let mut moved = false;
            if left.has_remaining() {
                moved |= stream.poll_write(cx, &mut left)?.is_ready();
            } else {
                let _ = stream.poll_flush(cx)?;
            }
            moved |= stream.poll_read(cx, &mut back, 64 * 1024)?.is_ready();
            missing -= back.len();
            back.clear();
            if missing == 0 {
                return std::task::Poll::Ready(std::io::Result::Ok(()));
            }
            if !moved {
                return std::task::Poll::Pending;
            }
        }
    })
    .await
    .unwrap();
}

pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// How often each takes its turn.
pub(crate) const ROUNDS: usize = 7;
