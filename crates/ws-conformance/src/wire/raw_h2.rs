//! HTTP/2 as octets (RFC 9113), for what no library would send.
//!
//! Field lines go out as literals, and the peer is told to keep no table.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, timeout_at};

use super::hpack::block;
use super::stream::Wire;
use crate::log::{Log, Who};

/// The frame types by name (RFC 9113 §6).
pub(crate) mod kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const RST_STREAM: u8 = 3;
    pub(crate) const SETTINGS: u8 = 4;
    pub(crate) const PUSH_PROMISE: u8 = 5;
    pub(crate) const PING: u8 = 6;
    pub(crate) const GOAWAY: u8 = 7;
    pub(crate) const WINDOW_UPDATE: u8 = 8;
    pub(crate) const CONTINUATION: u8 = 9;
}

/// The flags by name.
pub(crate) mod flag {
    pub(crate) const ACK: u8 = 0x1;
    pub(crate) const END_STREAM: u8 = 0x1;
    pub(crate) const END_HEADERS: u8 = 0x4;
    pub(crate) const PADDED: u8 = 0x8;
    pub(crate) const PRIORITY: u8 = 0x20;
}

/// The settings by name.
pub(crate) mod setting {
    pub(crate) const HEADER_TABLE_SIZE: u16 = 1;
    pub(crate) const ENABLE_PUSH: u16 = 2;
    pub(crate) const MAX_CONCURRENT_STREAMS: u16 = 3;
    pub(crate) const INITIAL_WINDOW_SIZE: u16 = 4;
    pub(crate) const MAX_FRAME_SIZE: u16 = 5;
    pub(crate) const ENABLE_CONNECT_PROTOCOL: u16 = 8;
}

/// A frame of HTTP/2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct H2Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl H2Frame {
    /// The payload's four octets at `at` as a number.
    pub(crate) fn number(&self, at: usize) -> u32 {
        let octets = self.payload.get(at..at + 4).and_then(|four| four.try_into().ok());
        octets.map_or(0, u32::from_be_bytes)
    }

    pub(crate) fn ends_stream(&self) -> bool {
        matches!(self.kind, kind::DATA | kind::HEADERS) && self.flags & flag::END_STREAM != 0
    }
}

/// What a client says first (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection on which the suite writes every octet.
#[derive(Debug)]
pub(crate) struct RawH2 {
    wire: Wire,
    log: Log,
    /// The first SETTINGS of the peer.
    pub(crate) settings: Vec<(u16, u32)>,
    /// How often the peer has acknowledged our SETTINGS.
    pub(crate) acknowledged: usize,
    /// What the peer lets a stream be sent at first, by its latest SETTINGS.
    pub(crate) initial_window: i64,
    /// The longest payload of a frame that the peer takes.
    pub(crate) longest: usize,
    /// What a mutant does not acknowledge.
    pub(crate) deaf_to: Option<u8>,
    /// Octets that are written by and by.
    out: Vec<u8>,
    /// Acknowledgements for a client: what a server sends first are its own SETTINGS (§3.4).
    held: Option<Vec<u8>>,
    /// The first part of a header block whose end has not arrived.
    block: Option<H2Frame>,
}

impl RawH2 {
    fn new(wire: Wire, log: Log) -> Self {
        Self {
            wire,
            log,
            settings: Vec::new(),
            acknowledged: 0,
            initial_window: 65_535,
            longest: 16_384,
            deaf_to: None,
            out: Vec::new(),
            held: None,
            block: None,
        }
    }

    /// As a client: sends the preface with `window` for each stream, and reads the server's
    /// SETTINGS.
    pub(crate) async fn begin(
        wire: Wire,
        log: Log,
        window: u32,
        deadline: Instant,
    ) -> Result<Self, String> {
        let mut raw = Self::introduce(wire, log, window).await;
        raw.first_settings(deadline).await?;
        Ok(raw)
    }

    /// As a client: sends the preface, and reads nothing yet.
    pub(crate) async fn introduce(mut wire: Wire, log: Log, window: u32) -> Self {
        wire.write(PREFACE).await;
        let mut raw = Self::new(wire, log);
        let wanted = [
            (setting::HEADER_TABLE_SIZE, 0),
            (setting::ENABLE_PUSH, 0),
            (setting::INITIAL_WINDOW_SIZE, window),
        ];
        raw.send_settings(&wanted).await;
        raw.send(kind::WINDOW_UPDATE, 0, 0, &(1u32 << 24).to_be_bytes()).await;
        raw
    }

    /// As a server: reads the client's preface, and sends nothing.
    pub(crate) async fn accept(wire: Wire, log: Log, deadline: Instant) -> Result<Self, String> {
        let mut raw = Self::new(wire, log);
        while raw.wire.buffered().len() < PREFACE.len() {
            if !matches!(timeout_at(deadline, raw.wire.fill()).await, Ok(true)) {
                return Err("the client sent no preface of HTTP/2".into());
            }
        }
        if !raw.wire.buffered().starts_with(PREFACE) {
            let octets = raw.wire.buffered().to_vec();
            raw.log.octets(Who::Peer, || "no preface of HTTP/2".into(), &octets);
            return Err("the client began with something else than HTTP/2".into());
        }
        raw.log.octets(Who::Peer, || "the preface of HTTP/2".into(), PREFACE);
        raw.wire.consume(PREFACE.len());
        raw.held = Some(Vec::new());
        raw.first_settings(deadline).await?;
        Ok(raw)
    }

    pub(crate) async fn first_settings(&mut self, deadline: Instant) -> Result<(), String> {
        let Some(first) = self.take(deadline).await else {
            return Err("the peer sent no frame of HTTP/2".into());
        };
        if first.kind != kind::SETTINGS || first.flags & flag::ACK != 0 || first.stream != 0 {
            return Err(format!("the peer's first frame is no SETTINGS: {first:?}"));
        }
        self.settings = read_settings(&first.payload);
        self.digest(first);
        self.flush().await;
        Ok(())
    }

    /// The value of a setting in the peer's first SETTINGS.
    pub(crate) fn setting(&self, id: u16) -> Option<u32> {
        self.settings.iter().rev().find(|(found, _)| *found == id).map(|(_, value)| *value)
    }

    pub(crate) async fn send_settings(&mut self, settings: &[(u16, u32)]) {
        let octets =
            |(id, value): &(u16, u32)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat();
        let payload: Vec<u8> = settings.iter().flat_map(octets).collect();
        self.queue(kind::SETTINGS, 0, 0, &payload);
        if let Some(held) = self.held.take() {
            self.log.octets(Who::Suite, || "acknowledgements".into(), &held);
            self.out.extend(held);
        }
        self.flush().await;
    }

    /// Sends one frame, right or wrong. False when the peer cut the connection.
    pub(crate) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        self.queue(kind, flags, stream, payload);
        self.flush().await
    }

    /// Lines one frame up, to be written with the next ones.
    pub(crate) fn queue(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let begin = self.out.len();
        put_frame(&mut self.out, kind, flags, stream, payload);
        let octets = self.out.get(begin..).unwrap_or_default();
        self.log.octets(Who::Suite, || describe(kind, flags, stream), octets);
    }

    async fn flush(&mut self) -> bool {
        poll_fn(|cx| self.poll_flush(cx)).await.is_ok()
    }

    /// Writes what is lined up; what arrives meanwhile is kept.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut written = 0;
        let done = loop {
            let rest = self.out.get(written..).unwrap_or_default();
            if rest.is_empty() {
                break self.wire.poll_flush(cx);
            }
            match self.wire.poll_write(cx, rest) {
                Poll::Ready(Ok(count)) => written += count,
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        self.out.drain(..written);
        done
    }

    /// Octets that arrived on the connection.
    pub(crate) fn arrived(&self) -> u64 {
        self.wire.received()
    }

    /// Octets that wait to be written.
    pub(crate) fn backlog(&self) -> usize {
        self.out.len()
    }

    /// Sends octets that may be several frames. False when the peer cut the connection.
    pub(crate) async fn send_octets(&mut self, octets: &[u8]) -> bool {
        self.log.octets(Who::Suite, || "octets".into(), octets);
        self.wire.write(octets).await
    }

    /// Writes without reading meanwhile, as a peer does that never reads.
    pub(crate) async fn write_blindly(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.wire.write_blindly(octets).await
    }

    /// Sends the field lines, in as many frames as the peer's limit makes of them.
    pub(crate) async fn headers(&mut self, stream: u32, fields: &[(String, String)]) {
        let (block, mut kind) = (block(fields), kind::HEADERS);
        let mut rest = block.as_slice();
        loop {
            let (piece, further) = rest.split_at(rest.len().min(self.longest));
            let flags = if further.is_empty() { flag::END_HEADERS } else { 0 };
            self.queue(kind, flags, stream, piece);
            if further.is_empty() {
                break;
            }
            (rest, kind) = (further, kind::CONTINUATION);
        }
        self.flush().await;
    }

    pub(crate) async fn data(&mut self, stream: u32, payload: &[u8]) {
        self.send(kind::DATA, 0, stream, payload).await;
    }

    /// The next frame that the case has to see: SETTINGS and PING are answered on the way.
    pub(crate) async fn next(&mut self, deadline: Instant) -> Option<H2Frame> {
        loop {
            let frame = self.take(deadline).await?;
            let left = self.digest(frame);
            if self.backlog() > 0 {
                self.flush().await;
            }
            if left.is_some() {
                return left;
            }
        }
    }

    /// The same for a stream that is polled; `None` when the connection has ended.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<H2Frame>> {
        loop {
            if let Some(frame) = self.parse() {
                if let Some(left) = self.digest(frame) {
                    return Poll::Ready(Some(left));
                }
                continue;
            }
            if !ready!(self.wire.poll_fill(cx)) {
                return Poll::Ready(None);
            }
        }
    }

    /// Tears the connection beneath down.
    pub(crate) fn tear_down(self) {
        self.wire.reset();
    }

    /// Whether the peer has ended the connection.
    pub(crate) fn has_ended(&self) -> bool {
        self.wire.end().is_some()
    }

    /// Answers what every endpoint has to answer, and puts header blocks together.
    fn digest(&mut self, mut frame: H2Frame) -> Option<H2Frame> {
        match frame.kind {
            kind::SETTINGS if frame.stream != 0 => return Some(frame),
            kind::SETTINGS if frame.flags & flag::ACK != 0 => self.acknowledged += 1,
            kind::SETTINGS => {
                for (id, value) in read_settings(&frame.payload) {
                    match id {
                        setting::INITIAL_WINDOW_SIZE => self.initial_window = value.into(),
                        setting::MAX_FRAME_SIZE => {
                            // RFC 9113 §6.5.2: no peer may ask for less.
                            self.longest = usize::try_from(value).unwrap_or(16_384).max(16_384);
                        }
                        _ => {}
                    }
                }
                self.acknowledge(kind::SETTINGS, &[]);
            }
            kind::PING if frame.flags & flag::ACK == 0 => {
                self.acknowledge(kind::PING, &frame.payload);
            }
            kind::HEADERS => {
                frame.payload = without_padding(&frame).to_vec();
                if frame.flags & flag::PRIORITY != 0 {
                    frame.payload.drain(..frame.payload.len().min(5));
                }
                frame.flags &= !(flag::PADDED | flag::PRIORITY);
                if frame.flags & flag::END_HEADERS == 0 {
                    self.block = Some(frame);
                    return None;
                }
                return Some(frame);
            }
            kind::CONTINUATION => {
                let mut whole = self.block.take()?;
                whole.payload.extend(frame.payload);
                if frame.flags & flag::END_HEADERS == 0 {
                    self.block = Some(whole);
                    return None;
                }
                return Some(whole);
            }
            _ => return Some(frame),
        }
        None
    }

    fn acknowledge(&mut self, kind: u8, payload: &[u8]) {
        if self.deaf_to == Some(kind) {
            return;
        }
        match &mut self.held {
            Some(held) => put_frame(held, kind, flag::ACK, 0, payload),
            None => self.queue(kind, flag::ACK, 0, payload),
        }
    }

    async fn take(&mut self, deadline: Instant) -> Option<H2Frame> {
        loop {
            if let Some(frame) = self.parse() {
                return Some(frame);
            }
            if !matches!(timeout_at(deadline, self.wire.fill()).await, Ok(true)) {
                return None;
            }
        }
    }

    fn parse(&mut self) -> Option<H2Frame> {
        let octets = self.wire.buffered();
        let &[a, b, c, kind, flags, d, e, f, g, ..] = octets else { return None };
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        let whole = octets.get(..9 + length)?;
        let stream = u32::from_be_bytes([d & 0x7F, e, f, g]);
        let payload = whole.get(9..).unwrap_or_default().to_vec();
        self.log.octets(Who::Peer, || describe(kind, flags, stream), whole);
        self.wire.consume(9 + length);
        Some(H2Frame { kind, flags, stream, payload })
    }
}

/// The octets of one frame, right or wrong.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(payload.len() + 9);
    put_frame(&mut octets, kind, flags, stream, payload);
    octets
}

fn put_frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or_default().to_be_bytes();
    out.extend(length.get(1..).unwrap_or_default());
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend(payload);
}

/// The payload of DATA or HEADERS without padding.
pub(crate) fn without_padding(frame: &H2Frame) -> &[u8] {
    match frame.payload.split_first() {
        Some((padding, rest)) if frame.flags & flag::PADDED != 0 => {
            rest.get(..rest.len().saturating_sub(usize::from(*padding))).unwrap_or_default()
        }
        _ => &frame.payload,
    }
}

fn read_settings(payload: &[u8]) -> Vec<(u16, u32)> {
    let one = |six: &[u8]| match six {
        [a, b, c, d, e, f] => {
            Some((u16::from_be_bytes([*a, *b]), u32::from_be_bytes([*c, *d, *e, *f])))
        }
        _ => None,
    };
    payload.chunks(6).filter_map(one).collect()
}

fn describe(kind: u8, flags: u8, stream: u32) -> String {
    let names = [
        "DATA",
        "HEADERS",
        "PRIORITY",
        "RST_STREAM",
        "SETTINGS",
        "PUSH_PROMISE",
        "PING",
        "GOAWAY",
        "WINDOW_UPDATE",
        "CONTINUATION",
    ];
    let name = names.get(usize::from(kind)).copied().unwrap_or("a frame of an unknown type");
    format!("{name}, flags {flags:02x}, stream {stream}")
}
