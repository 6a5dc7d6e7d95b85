//! A connection of HTTP/2 to the server under test, and the WebSockets on it.

use std::collections::HashMap;

use tokio::time::Instant;

use crate::arena::{Arena, Refused};
use crate::wire::frame::{Frame, Header};
use crate::wire::raw_h2::{H2Frame, RawH2, flag, kind, read_block, setting};
use crate::wire::stream::Wire;
use crate::wire::tls;

/// Field lines in their order, pseudo-fields among them.
pub(super) type Fields = Vec<(String, String)>;

/// What became of a stream, as far as it was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    /// The status of the answer, once it came.
    pub(super) status: Option<u16>,
    pub(super) fields: Fields,
    pub(super) data: Vec<u8>,
    /// The sizes of the DATA frames.
    pub(super) sizes: Vec<usize>,
    pub(super) has_ended: bool,
    pub(super) reset: Option<u32>,
}

impl Stream {
    /// Whether it is open as a WebSocket.
    pub(super) fn is_open(&self) -> bool {
        self.opened() && !self.has_ended && self.reset.is_none()
    }

    /// Whether it was answered as a WebSocket.
    pub(super) fn opened(&self) -> bool {
        matches!(self.status, Some(200..=299))
    }

    /// The frames of the WebSocket that have arrived whole: opcode and payload.
    pub(super) fn frames(&self) -> Vec<(u8, Vec<u8>)> {
        let (mut rest, mut frames) = (self.data.as_slice(), Vec::new());
        while let Some(header) = Header::read(rest) {
            let size = header.size + usize::try_from(header.length).unwrap_or(usize::MAX / 2);
            let Some((whole, later)) = rest.split_at_checked(size) else { break };
            frames.push((header.opcode, whole.get(header.size..).unwrap_or_default().to_vec()));
            rest = later;
        }
        frames
    }

    /// What it shows, in words.
    pub(super) fn describe(&self) -> String {
        let status = self.status.map(|status| format!("status {status}"));
        let reset = self.reset.map(|code| format!("RST_STREAM {code:#x}"));
        let ended = self.has_ended.then(|| "END_STREAM".to_owned());
        let words: Vec<String> = [status, ended, reset].into_iter().flatten().collect();
        if words.is_empty() { "nothing".into() } else { words.join(", ") }
    }
}

/// A connection to the server, and everything that was seen on it.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) raw: RawH2,
    pub(super) streams: HashMap<u32, Stream>,
    /// The code of the server's GOAWAY.
    pub(super) goaway: Option<u32>,
    fields: Fields,
    next: u32,
}

impl Site {
    /// Begins HTTP/2 with the window that most cases need.
    pub(super) async fn begin(arena: &Arena) -> Result<Self, Refused> {
        Self::begin_with_window(arena, 1 << 20).await
    }

    pub(super) async fn begin_with_window(arena: &Arena, window: u32) -> Result<Self, Refused> {
        let (target, stream) = (arena.target()?, arena.dial_tcp().await?);
        let wire = if target.secure {
            Wire::new(tls::connect(&target.host, stream, "h2").await?)
        } else {
            Wire::new(stream)
        };
        let deadline = Instant::now() + arena.settings.wait * 2;
        let begun = RawH2::begin(wire, arena.log.clone(), window, deadline).await;
        let raw = begun.map_err(Refused::NoConnection)?;
        let fields = [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", if target.secure { "https" } else { "http" }),
            (":authority", &target.authority()),
            (":path", &target.path),
            ("sec-websocket-version", "13"),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Ok(Self { raw, streams: HashMap::new(), goaway: None, fields, next: 1 })
    }

    /// The fields of an ordinary request.
    pub(super) fn ordinary(&self) -> Fields {
        self.fields.clone()
    }

    /// The number of a new stream.
    pub(super) fn fresh(&mut self) -> u32 {
        self.next += 2;
        self.next - 2
    }

    /// Sends a request on a new stream.
    pub(super) async fn request(&mut self, fields: &Fields) -> u32 {
        let id = self.fresh();
        self.raw.headers(id, fields).await;
        id
    }

    /// Opens a WebSocket.
    pub(super) async fn open(&mut self, deadline: Instant) -> Result<u32, Refused> {
        let fields = self.ordinary();
        let id = self.request(&fields).await;
        self.read_until(deadline, |site| site.stream(id).status.is_some() || site.is_over(id))
            .await;
        if self.stream(id).is_open() {
            return Ok(id);
        }
        let why = format!("a stream was not opened: {}", self.stream(id).describe());
        Err(Refused::NoConnection(why))
    }

    /// Sends a frame of the WebSocket in one DATA frame.
    pub(super) async fn say(&mut self, id: u32, frame: &Frame) {
        self.raw.data(id, &frame.encode(true)).await;
    }

    /// Whether a text sent on the stream comes back.
    pub(super) async fn echoes(&mut self, id: u32, deadline: Instant) -> bool {
        let text = format!("stream {id}");
        self.say(id, &Frame::text(text.clone())).await;
        let wanted = (1, text.into_bytes());
        self.read_until(deadline, |site| {
            site.stream(id).frames().contains(&wanted) || site.is_over(id)
        })
        .await
            && self.stream(id).frames().contains(&wanted)
    }

    /// What was seen of a stream.
    pub(super) fn stream(&self, id: u32) -> Stream {
        self.streams.get(&id).cloned().unwrap_or_default()
    }

    /// Whether nothing more can come on the stream.
    pub(super) fn is_over(&self, id: u32) -> bool {
        let ended = |stream: &Stream| stream.has_ended || stream.reset.is_some();
        self.raw.has_ended() || self.goaway.is_some() || self.streams.get(&id).is_some_and(ended)
    }

    /// Reads until `done`; false when it did not come to that in time.
    pub(super) async fn read_until(
        &mut self,
        deadline: Instant,
        done: impl Fn(&Self) -> bool,
    ) -> bool {
        while !done(self) {
            let Some(frame) = self.raw.next(deadline).await else { return done(self) };
            self.note(frame).await;
        }
        true
    }

    async fn note(&mut self, frame: H2Frame) {
        if frame.kind == kind::GOAWAY {
            self.goaway = Some(frame.number(4));
            return;
        }
        let stream = self.streams.entry(frame.stream).or_default();
        match frame.kind {
            kind::HEADERS => {
                let fields = read_block(unpadded(&frame));
                let status = fields.iter().find(|(name, _)| name == ":status");
                let status = status.and_then(|(_, value)| value.parse().ok());
                stream.status = stream.status.or(status);
                stream.fields.extend(fields);
            }
            kind::DATA => {
                stream.data.extend(unpadded(&frame));
                stream.sizes.push(frame.payload.len());
            }
            kind::RST_STREAM => stream.reset = Some(frame.number(0)),
            _ => {}
        }
        stream.has_ended |= frame.ends_stream();
    }

    /// How many streams the server allows at a time.
    pub(super) fn most_streams(&self) -> u32 {
        self.raw.setting(setting::MAX_CONCURRENT_STREAMS).unwrap_or(u32::MAX)
    }
}

/// The payload without padding (the suite's peers send no priority).
fn unpadded(frame: &H2Frame) -> &[u8] {
    match frame.payload.split_first() {
        Some((padding, rest)) if frame.flags & flag::PADDED != 0 => {
            rest.get(..rest.len().saturating_sub(usize::from(*padding))).unwrap_or_default()
        }
        _ => &frame.payload,
    }
}
