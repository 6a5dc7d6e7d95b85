//! A connection of HTTP/2 by which somebody is attacked, in either role.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::{Ending, KIB, PATIENCE};
use crate::arena::{Arena, Refused};
use crate::link::{Kind, fragmented};
use crate::log::Log;
use crate::wire::frame::Frame;
use crate::wire::hpack::{block, read_block};
use crate::wire::raw_h2::{H2Frame, RawH2, flag, frame, kind, setting};
use crate::wire::stream::Wire;
use crate::wire::tls;

/// A connection of HTTP/2 to the peer under attack.
pub(super) struct Site {
    raw: RawH2,
    /// Those of a request.
    pub(super) fields: Vec<(String, String)>,
    suite_is_client: bool,
    sent: usize,
    /// The code of the server's GOAWAY.
    goaway: Option<u32>,
    /// Octets of DATA that came.
    came: usize,
    last: Option<H2Frame>,
}

impl Site {
    pub(super) async fn begin(arena: &Arena, window: u32) -> Result<Self, Refused> {
        let (target, stream) = (arena.target()?, arena.dial_tcp().await?);
        let wire = if target.secure {
            Wire::new(tls::connect(&target.host, stream, "h2").await?)
        } else {
            Wire::new(stream)
        };
        let deadline = Instant::now() + arena.settings.wait;
        let begun = RawH2::begin(wire, arena.log.clone(), window, deadline).await;
        let fields = arena.connect(target.secure)?.field_lines();
        let raw = begun.map_err(Refused::NoConnection)?;
        Ok(Self::new(raw, fields, true))
    }

    fn new(raw: RawH2, fields: Vec<(String, String)>, suite_is_client: bool) -> Self {
        Self { raw, fields, suite_is_client, sent: 0, goaway: None, came: 0, last: None }
    }

    /// The client that has called, with its preface and its SETTINGS.
    pub(super) async fn receive(wire: Wire) -> Result<Self, Refused> {
        let deadline = Instant::now() + PATIENCE;
        let raw = RawH2::accept(wire, Log::new(), deadline).await;
        Ok(Self::new(raw.map_err(Refused::NoConnection)?, Vec::new(), false))
    }

    /// As a server: sends SETTINGS, and waits for the request.
    pub(super) async fn asked(&mut self) -> Result<u32, Refused> {
        let settings = [(setting::HEADER_TABLE_SIZE, 0), (setting::ENABLE_CONNECT_PROTOCOL, 1)];
        self.raw.send_settings(&settings).await;
        let request = |frame: &H2Frame| frame.kind == kind::HEADERS;
        if !self.read_until(Instant::now() + PATIENCE, request).await {
            return Err(Refused::NoConnection("the client sent no request".into()));
        }
        Ok(self.last.as_ref().map_or(1, |frame| frame.stream))
    }

    /// As a server: opens the WebSocket that the client asks for.
    pub(super) async fn welcome(&mut self) -> Result<u32, Refused> {
        let id = self.asked().await?;
        self.raw.headers(id, &[(":status".into(), "200".into())]).await;
        Ok(id)
    }

    pub(super) async fn send(&mut self, octets: &[u8]) -> bool {
        let taken = self.raw.send_octets(octets).await;
        self.sent += if taken { octets.len() } else { 0 };
        taken
    }

    /// Opens a WebSocket on stream 1.
    pub(super) async fn open(&mut self) -> Result<u32, Refused> {
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

    pub(super) async fn wait(&mut self, patience: Duration) -> Ending {
        let reset = |frame: &H2Frame| frame.kind == kind::RST_STREAM;
        self.read_until(Instant::now() + patience, reset).await;
        Ending::new(self.sent, self.end())
    }

    /// Sends the frame again and again, reading what comes.
    pub(super) async fn flood(&mut self, one: &[u8], count: usize) -> Ending {
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
    pub(super) async fn unread(&mut self, one: &[u8], count: usize) -> Ending {
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
    pub(super) async fn resets(&mut self, count: usize) -> Ending {
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
    pub(super) async fn continuations(&mut self, count: usize) -> Ending {
        let first = frame(kind::HEADERS, 0, 1, &block(&self.fields));
        self.send(&first).await;
        let fields = [("x".to_owned(), "*".repeat(KIB))];
        self.flood(&frame(kind::CONTINUATION, 0, 1, &block(&fields)), count).await
    }

    /// A whole field section, in as many frames as it takes.
    pub(super) async fn section(&mut self, fields: &[(String, String)]) -> Ending {
        let section = block(fields);
        let pieces = section.chunks(16 * KIB);
        let last = pieces.len() - 1;
        let answer = |frame: &H2Frame| matches!(frame.kind, kind::RST_STREAM | kind::HEADERS);
        let mut is_answered = false;
        for (number, piece) in pieces.enumerate() {
            let kind = if number == 0 { kind::HEADERS } else { kind::CONTINUATION };
            let flags = if number == last { flag::END_HEADERS } else { 0 };
            if is_answered || self.is_over() || !self.send(&frame(kind, flags, 1, piece)).await {
                break;
            }
            is_answered = self.read_until(Instant::now(), answer).await;
        }
        if !is_answered {
            self.read_until(Instant::now() + PATIENCE, answer).await;
        }
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
    pub(super) async fn half_requests(&mut self, count: usize) -> Ending {
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
    pub(super) async fn dribble(&mut self, id: u32, times: usize) -> Ending {
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
        Ending::new(self.sent, end)
    }

    /// Has a message echoed into a window that never opens.
    pub(super) async fn stall(&mut self, id: u32) -> Ending {
        self.echo_into_nothing(id).await;
        self.wait(PATIENCE).await
    }

    /// A message of which each DATA frame carries an octet.
    pub(super) async fn message_by_octets(&mut self, id: u32, size: usize) -> Ending {
        let head = Frame::binary(vec![7; size]).encode(self.suite_is_client);
        let head = head.get(..head.len() - size).unwrap_or_default();
        self.send(&frame(kind::DATA, 0, id, head)).await;
        self.flood(&frame(kind::DATA, 0, id, &[7]), size).await
    }

    async fn echo_into_nothing(&mut self, id: u32) {
        for piece in fragmented(Kind::Binary, &vec![7; 60 * KIB], 8 * KIB) {
            let data = frame(kind::DATA, 0, id, &piece.encode(self.suite_is_client));
            self.send(&data).await;
        }
    }
}
