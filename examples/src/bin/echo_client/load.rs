//! Random messages, each echo verified, rate and latency printed.

use std::collections::VecDeque;
use std::io::Write as _;
use std::time::{Duration, Instant};

use ws_stack::endpoint::{Message, Net, WebSocket};

use crate::Failure;
use crate::check::{binary, text};

/// How much to send.
pub(crate) struct Load {
    pub(crate) count: usize,
    pub(crate) sizes: Vec<usize>,
    pub(crate) depth: usize,
}

impl Default for Load {
    fn default() -> Self {
        Self { count: 0, sizes: vec![16], depth: 1 }
    }
}

/// Sends and receives until every message has come back.
pub(crate) async fn run<N: Net>(
    net: &N,
    websocket: &mut WebSocket<N>,
    load: &Load,
) -> Result<(), Failure> {
    // Made beforehand: making random text takes longer than sending it.
    let samples: Vec<Message> = load.sizes.iter().flat_map(|&size| samples(size)).collect();
    let mut messages = samples.iter().cycle().take(load.count);
    let mut awaited: VecDeque<(&Message, Instant)> = VecDeque::new();
    let mut trips = Vec::with_capacity(load.count.min(MOST_TRIPS));
    let start = net.now();
    let (mut received, mut bytes, mut in_flight) = (0, 0, 0);
    while received < load.count {
        while awaited.len() < load.depth.max(1) && (awaited.is_empty() || in_flight < IN_FLIGHT) {
            let Some(message) = messages.next() else { break };
            websocket.feed(message.clone()).await?;
            in_flight += message.payload().len();
            awaited.push_back((message, net.now()));
        }
        let message = match websocket.next().await {
            Some(message) => message?,
            None => return Err("the server ended the connection".into()),
        };
        if message.data_kind().is_none() {
            continue;
        }
        let Some((expected, sent)) = awaited.pop_front() else {
            return Err("a message came that nobody sent".into());
        };
        if message != *expected {
            return Err(format!("echo {received} differs from what was sent").into());
        }
        received += 1;
        bytes += message.payload().len();
        in_flight -= message.payload().len();
        if trips.len() < MOST_TRIPS {
            trips.push(net.now() - sent);
        }
    }
    report(net.now() - start, received, bytes, trips)
}

/// Messages of one size, text and binary in turn.
fn samples(size: usize) -> Vec<Message> {
    let count = (SAMPLE_BYTES / size.max(1)).clamp(2, 64);
    (0..count)
        .map(|number| match number % 2 {
            0 => Message::text(text(size)),
            _ => Message::binary(binary(size)),
        })
        .collect()
}

fn report(
    elapsed: Duration,
    count: usize,
    bytes: usize,
    mut trips: Vec<Duration>,
) -> Result<(), Failure> {
    trips.sort_unstable();
    let at = |share: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index below the length"
        )]
        let index = (share * trips.len().saturating_sub(1) as f64) as usize;
        trips.get(index).copied().unwrap_or_default()
    };
    #[expect(clippy::cast_precision_loss, reason = "for people to read")]
    let (count, mebibytes) = (count as f64, bytes as f64 / f64::from(1 << 20));
    let seconds = elapsed.as_secs_f64();
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{count} messages echoed and verified in {seconds:.3} s")?;
    writeln!(
        stdout,
        "{:.0} messages/s, {:.1} MiB/s each way",
        count / seconds,
        mebibytes / seconds
    )?;
    writeln!(stdout, "latency p50 {:?}, p99 {:?}, most {:?}", at(0.5), at(0.99), at(1.0))?;
    Ok(())
}

/// Bytes on their way at most, beyond the first message: below this `feed` never waits for the
/// server to read, which may be waiting for us to do so.
const IN_FLIGHT: usize = 64 * 1024;

/// Latencies remembered at most.
const MOST_TRIPS: usize = 1_000_000;

/// Random bytes made per size, roughly.
const SAMPLE_BYTES: usize = 4 * 1024 * 1024;
