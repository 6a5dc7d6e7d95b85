//! The load generator over HTTP/2 and HTTP/3: WebSockets, or bare streams, of one connection; and over
//! TLS, where each has a connection of its own.
//!
//! Each stream sends a batch of messages, waits until all of it has come back, and sends the next.
//! The first round of every stream is compared byte by byte with what a correct server must send.

mod h2;
mod h3;
mod opening;
mod tls;

pub use opening::open_and_close;

use std::future::Future;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::{join_all, try_join};
use tokio::runtime::Runtime;

use crate::load::{self, End, Measured};
use crate::wire::{self, Content};

/// What carries the streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    H2,
    H3,
    Tls,
}

impl Over {
    /// As one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::H2 => "h2",
            Self::H3 => "h3",
            Self::Tls => "tls",
        }
    }

    /// From [`Over::name`].
    fn from_name(name: &str) -> Option<Self> {
        [Self::H2, Self::H3, Self::Tls].into_iter().find(|over| over.name() == name)
    }
}

/// What is at the other end of the streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An echo of bytes.
    Raw,
    /// As much WebSocket as an echo needs, on a stream that was opened without it.
    Floor,
    WebSocket,
}

/// What to send, and to whom.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub kind: Kind,
    pub port: u16,
    /// The server's process, whose CPU time is read.
    pub pid: u32,
    pub work: Work,
}

/// What to send.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    pub over: Over,
    pub streams: usize,
    /// How many of them go on one connection.
    pub per_connection: usize,
    pub size: usize,
    pub depth: usize,
    pub end: End,
}

/// The sending half of a stream.
trait Out {
    fn send(&mut self, bytes: Bytes) -> impl Future<Output = Result<(), String>>;

    /// Ends this direction.
    fn end(&mut self) -> impl Future<Output = Result<(), String>>;
}

/// The receiving half of a stream.
trait In {
    /// What has come; `None` at the end of the stream.
    fn receive(&mut self) -> impl Future<Output = Result<Option<Bytes>, String>>;
}

/// Streams that are open, and what to send on them.
pub struct Generator {
    runtime: Runtime,
    lanes: Lanes,
    batch: Bytes,
    expected: Bytes,
    depth: u64,
}

enum Lanes {
    H2(Vec<h2::Lane>),
    H3(Vec<h3::Lane>, Vec<h3::Line>),
    Tls(Vec<tls::Lane>),
}

/// Connects, verifies, warms up, measures.
pub fn run(plan: &Plan) -> Result<Measured, String> {
    let mut generator = Generator::new(plan)?;
    load::measure(plan.pid, plan.work.end, |end, verify| generator.phase(end, verify))
}

impl Generator {
    /// Connects and opens the streams.
    pub fn new(plan: &Plan) -> Result<Self, String> {
        let (runtime, work) = (runtime()?, &plan.work);
        let lanes = runtime.block_on(async {
            Ok::<_, String>(match work.over {
                Over::H2 => Lanes::H2(h2::open_all(plan).await?),
                Over::H3 => {
                    let (lanes, lines) = h3::open_all(plan).await?;
                    Lanes::H3(lanes, lines)
                }
                Over::Tls => Lanes::Tls(tls::open(plan).await?),
            })
        })?;
        let (mut batch, mut expected) = (Vec::new(), Vec::new());
        for number in 0..work.depth as u64 {
            let payload = wire::payload(Content::Binary, work.size, number + 1);
            let key = [0x11, 0xa2, 0x53, 0xe4 ^ number as u8];
            wire::client_frame(wire::BINARY, key, &payload, &mut batch);
            wire::server_frame(wire::BINARY, &payload, &mut expected);
        }
        if plan.kind == Kind::Raw {
            expected.clone_from(&batch);
        }
        let (batch, expected) = (batch.into(), expected.into());
        Ok(Self { runtime, lanes, batch, expected, depth: work.depth as u64 })
    }

    /// Runs batches until the end, then lets every stream finish its batch. Returns how many
    /// messages came back.
    pub fn phase(&mut self, end: End, verify: bool) -> Result<u64, String> {
        let (batch, expected) = (&self.batch, &self.expected);
        let start = Instant::now();
        let everything = async {
            match &mut self.lanes {
                Lanes::H2(lanes) => all(lanes, batch, expected, end, start, verify).await,
                Lanes::H3(lanes, _lines) => all(lanes, batch, expected, end, start, verify).await,
                Lanes::Tls(lanes) => all(lanes, batch, expected, end, start, verify).await,
            }
        };
        Ok(self.runtime.block_on(patiently(end, everything))? * self.depth)
    }
}

/// The rounds of all streams.
async fn all(
    lanes: &mut [(impl Out, impl In)],
    batch: &Bytes,
    expected: &Bytes,
    end: End,
    start: Instant,
    verify: bool,
) -> Result<u64, String> {
    let lanes = lanes.iter_mut();
    let lanes = lanes.map(|(out, inn)| lane(out, inn, batch, expected, end, start, verify));
    join_all(lanes).await.into_iter().sum()
}

/// The rounds of one stream.
async fn lane(
    out: &mut impl Out,
    inn: &mut impl In,
    batch: &Bytes,
    expected: &Bytes,
    end: End,
    start: Instant,
    verify: bool,
) -> Result<u64, String> {
    let mut rounds = 0;
    loop {
        let receiving = async {
            let mut received = 0;
            while received < expected.len() {
                let bytes = inn.receive().await?.ok_or("the server has ended the stream")?;
                let from = received;
                received += bytes.len();
                let Some(expected) = expected.get(from..received) else {
                    return Err("the server sent more than it was sent".to_owned());
                };
                if verify && expected != bytes {
                    return Err(format!("a wrong reply near byte {from} of the batch"));
                }
            }
            Ok(())
        };
        try_join(out.send(batch.clone()), receiving).await?;
        rounds += 1;
        if end.is_reached(start, rounds) {
            return Ok(rounds);
        }
    }
}

/// One thread: the generator has one core.
fn runtime() -> Result<Runtime, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())
}

/// Gives work up that ends so when the server no longer answers.
async fn patiently<T>(
    end: End,
    work: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    let patience = match end {
        End::After(time) => time + PATIENCE,
        End::Rounds(_) => 10 * PATIENCE,
    };
    let stopped = |_| Err("the server has stopped answering".to_owned());
    tokio::time::timeout(patience, work).await.unwrap_or_else(stopped)
}

impl Plan {
    /// As arguments for a process of its own.
    pub fn to_arguments(self) -> [String; 9] {
        let work = self.work;
        let [port, pid] = [self.port.into(), self.pid].map(|number| number.to_string());
        let numbers = [work.streams, work.per_connection, work.size, work.depth];
        let [a, b, c, d] = numbers.map(|number| number.to_string());
        let kind = match self.kind {
            Kind::Raw => "raw",
            Kind::Floor => "floor",
            Kind::WebSocket => "websocket",
        };
        [work.over.name().to_owned(), kind.to_owned(), port, pid, a, b, c, d, work.end.to_text()]
    }

    /// From [`Plan::to_arguments`].
    pub fn from_arguments(arguments: &[String]) -> Option<Self> {
        let [over, kind, port, pid, streams, per_connection, size, depth, end] = arguments else {
            return None;
        };
        let end = End::from_text(end)?;
        let kind = match kind.as_str() {
            "raw" => Kind::Raw,
            "floor" => Kind::Floor,
            "websocket" => Kind::WebSocket,
            _ => return None,
        };
        let work = Work {
            over: Over::from_name(over)?,
            streams: streams.parse().ok()?,
            per_connection: per_connection.parse().ok()?,
            size: size.parse().ok()?,
            depth: depth.parse().ok()?,
            end,
        };
        Some(Self { kind, port: port.parse().ok()?, pid: pid.parse().ok()?, work })
    }
}

/// How long a server may say nothing.
const PATIENCE: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_survives_its_way_through_arguments() {
        let work = Work {
            over: Over::H3,
            streams: 3,
            per_connection: 4,
            size: 5,
            depth: 6,
            end: End::Rounds(7),
        };
        let plan = Plan { kind: Kind::Floor, port: 1, pid: 2, work };
        let arguments = plan.to_arguments();
        let back = Plan::from_arguments(&arguments).expect("complete");
        assert_eq!(back.to_arguments(), arguments);
    }
}
