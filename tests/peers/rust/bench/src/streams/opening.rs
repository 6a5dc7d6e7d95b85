//! WebSockets, or bare streams, that live for one message: opened, answered, said goodbye on, ended.

use std::time::Instant;

use bytes::Bytes;
use futures::future::try_join_all;

use super::{In, Kind, Out, Over, Plan, h2, h3, patiently, runtime};
use crate::load::{self, Measured};
use crate::wire;

/// A connection that is open all the while.
enum Line {
    H2(h2::Line),
    H3(h3::Line, quinn::Endpoint),
}

/// What is said on each stream, and what must come before the end of it.
struct Goodbye {
    sent: Bytes,
    expected: Vec<u8>,
}

/// Connects, verifies, warms up, measures: as many streams side by side as the plan has, then as many
/// new ones. Each stream counts as a message; each answer is compared, for it is short.
pub fn open_and_close(plan: &Plan) -> Result<Measured, String> {
    let runtime = runtime()?;
    let line = runtime.block_on(Line::connect(plan))?;
    let goodbye = Goodbye::new(plan.kind);
    let streams = plan.work.streams;
    load::measure(plan.pid, plan.work.end, |end, _verify| {
        let (start, mut rounds) = (Instant::now(), 0);
        let everything = async {
            while !end.is_reached(start, rounds) {
                try_join_all((0..streams).map(|_| line.visit(plan.kind, &goodbye))).await?;
                rounds += 1;
            }
            Ok(rounds * streams as u64)
        };
        runtime.block_on(patiently(end, everything))
    })
}

impl Line {
    async fn connect(plan: &Plan) -> Result<Self, String> {
        match plan.work.over {
            Over::H2 => Ok(Self::H2(h2::connect(plan.port).await?)),
            Over::H3 => {
                let endpoint = h3::endpoint(plan.port)?;
                Ok(Self::H3(h3::connect(&endpoint, plan.port).await?, endpoint))
            }
            Over::Tls => Err("a connection over TLS has one stream".to_owned()),
        }
    }

    /// One stream from its beginning to its end.
    async fn visit(&self, kind: Kind, goodbye: &Goodbye) -> Result<(), String> {
        match self {
            Self::H2(line) => goodbye.say(h2::open(line).await?).await,
            Self::H3(line, _endpoint) => goodbye.say(h3::open(line, kind).await?).await,
        }
    }
}

impl Goodbye {
    fn new(kind: Kind) -> Self {
        let (mut sent, mut expected) = (Vec::new(), Vec::new());
        wire::client_frame(wire::CLOSE, [0x11, 0xa2, 0x53, 0xe4], &wire::NORMAL, &mut sent);
        match kind {
            Kind::Raw => expected.clone_from(&sent),
            Kind::Floor | Kind::WebSocket => {
                wire::server_frame(wire::CLOSE, &wire::NORMAL, &mut expected);
            }
        }
        Self { sent: sent.into(), expected }
    }

    /// The server ends the stream first (RFC 6455 §7.1.1), then the client.
    async fn say(&self, (mut out, mut inn): (impl Out, impl In)) -> Result<(), String> {
        out.send(self.sent.clone()).await?;
        let mut received = Vec::new();
        while let Some(bytes) = inn.receive().await? {
            received.extend_from_slice(&bytes);
        }
        if received != self.expected {
            return Err(format!("a goodbye was answered with {received:x?}"));
        }
        out.end().await
    }
}
