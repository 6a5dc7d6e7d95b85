//! A connection of HTTP/2 with the peer under test, and the WebSockets on it.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::arena::{Arena, Refused};
use crate::server_side::lobby::Caller;
use crate::wire::frame::{Frame, Header};
use crate::wire::hpack::read_block;
use crate::wire::mask;
use crate::wire::raw_h2::{H2Frame, RawH2, flag, kind, setting, without_padding};
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
    /// What the DATA frames took of our window: padding counts (RFC 9113 §6.9.1).
    pub(super) taken: usize,
    pub(super) has_ended: bool,
    pub(super) reset: Option<u32>,
    /// The sum of the peer's window updates.
    pub(super) credit: i64,
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
            let mut payload = whole.get(header.size..).unwrap_or_default().to_vec();
            if let Some(key) = header.key {
                mask::apply(key, &mut payload);
            }
            frames.push((header.opcode, payload));
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

/// A connection to the peer, and everything that was seen on it.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) raw: RawH2,
    pub(super) streams: HashMap<u32, Stream>,
    /// The code of the peer's GOAWAY.
    pub(super) goaway: Option<u32>,
    suite_is_client: bool,
    fields: Fields,
    next: u32,
    /// What was sent against each window of the peer; 0 is that of the connection.
    sent: HashMap<u32, i64>,
}

/// How long a peer may keep a frame waiting for credit.
const CREDIT: Duration = Duration::from_secs(2);

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
        let fields = arena.connect(target.secure)?.field_lines();
        let (streams, sent) = (HashMap::new(), HashMap::new());
        Ok(Self { raw, streams, goaway: None, suite_is_client: true, fields, next: 1, sent })
    }

    /// The client under test with its preface; nothing was sent to it yet.
    pub(super) async fn receive(arena: &mut Arena) -> Result<Self, Refused> {
        let Caller::H2(wire) = arena.caller()? else {
            return Err(Refused::NoConnection("the client did not come by HTTP/2".into()));
        };
        let deadline = Instant::now() + arena.settings.wait * 4;
        let raw = RawH2::accept(wire, arena.log.clone(), deadline).await;
        let (raw, streams) = (raw.map_err(Refused::NoConnection)?, HashMap::new());
        Ok(Self {
            raw,
            streams,
            goaway: None,
            suite_is_client: false,
            fields: Fields::new(),
            next: 2,
            sent: HashMap::new(),
        })
    }

    /// Sends the SETTINGS of a server, with `window` for each stream.
    pub(super) async fn allow(&mut self, window: u32) {
        let settings = [
            (setting::HEADER_TABLE_SIZE, 0),
            (setting::INITIAL_WINDOW_SIZE, window),
            (setting::ENABLE_CONNECT_PROTOCOL, 1),
        ];
        self.raw.send_settings(&settings).await;
    }

    /// Waits for a request of the client.
    pub(super) async fn asked(&mut self, deadline: Instant) -> Option<u32> {
        let first = |site: &Self| {
            let asked = |(id, stream): (&u32, &Stream)| (!stream.fields.is_empty()).then_some(*id);
            site.streams.iter().find_map(asked)
        };
        self.read_until(deadline, |site| first(site).is_some() || site.raw.has_ended()).await;
        first(self)
    }

    /// The same where there has to be one.
    pub(super) async fn request_of_client(&mut self, deadline: Instant) -> Result<u32, Refused> {
        let missing = || Refused::NoConnection("the client sent no request on a stream".into());
        self.asked(deadline).await.ok_or_else(missing)
    }

    /// Opens the WebSocket that the client asks for.
    pub(super) async fn welcome(&mut self, window: u32, deadline: Instant) -> Result<u32, Refused> {
        self.allow(window).await;
        let id = self.request_of_client(deadline).await?;
        self.raw.headers(id, &[(":status".into(), "200".into())]).await;
        Ok(id)
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

    /// A frame as the suite's role sends it: masked by a client.
    pub(super) fn encode(&self, frame: &Frame) -> Vec<u8> {
        frame.encode(self.suite_is_client)
    }

    /// Sends a frame of the WebSocket, in one DATA frame where the peer's windows have room for it.
    pub(super) async fn say(&mut self, id: u32, frame: &Frame) -> bool {
        self.pour(id, &self.encode(frame), CREDIT).await
    }

    /// What the peer's windows leave for our DATA on the stream.
    fn room(&self, id: u32) -> usize {
        let left = |id, first: i64| {
            let credit = self.streams.get(&id).map_or(0, |stream| stream.credit);
            first + credit - self.sent(id)
        };
        let room = left(id, self.raw.initial_window).min(left(0, 65_535));
        usize::try_from(room).unwrap_or(0).min(self.raw.longest)
    }

    /// Waits until there is room for so many octets; false when the peer gives none in time.
    async fn wait_for_room(&mut self, id: u32, octets: usize, patience: Duration) -> bool {
        let open = |site: &Self| site.room(id) >= octets || site.is_over(id);
        self.read_until(Instant::now() + patience, open).await && !self.is_over(id)
    }

    /// How much of the windows our DATA took, padding and all (RFC 9113 §6.9.1): that of the
    /// stream, or with 0 that of the connection.
    pub(super) fn sent(&self, id: u32) -> i64 {
        self.sent.get(&id).copied().unwrap_or_default()
    }

    async fn data(&mut self, flags: u8, id: u32, payload: &[u8]) {
        for window in [0, id] {
            *self.sent.entry(window).or_default() += i64::try_from(payload.len()).unwrap_or(0);
        }
        self.raw.send(kind::DATA, flags, id, payload).await;
    }

    /// Sends octets as the peer's credit allows; false when it gives none in time.
    pub(super) async fn pour(&mut self, id: u32, octets: &[u8], patience: Duration) -> bool {
        let mut rest = octets;
        while !rest.is_empty() {
            if !self.wait_for_room(id, 1, patience).await {
                return false;
            }
            let (piece, later) = rest.split_at(self.room(id).min(rest.len()));
            self.data(0, id, piece).await;
            rest = later;
        }
        true
    }

    /// Sends octets in one DATA frame, with 200 octets of padding or as many as there is room for.
    pub(super) async fn pour_padded(&mut self, id: u32, octets: &[u8]) -> bool {
        let least = octets.len() + 1;
        if !self.wait_for_room(id, least, CREDIT).await {
            return false;
        }
        let padding = u8::try_from(self.room(id) - least).unwrap_or(u8::MAX).min(200);
        let payload = [&[padding], octets, &vec![0; padding.into()]].concat();
        self.data(flag::PADDED, id, &payload).await;
        true
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

    /// How many octets of DATA came on a stream.
    pub(super) fn received(&self, id: u32) -> usize {
        self.streams.get(&id).map_or(0, |stream| stream.data.len())
    }

    /// What they took of our window.
    pub(super) fn taken(&self, id: u32) -> usize {
        self.streams.get(&id).map_or(0, |stream| stream.taken)
    }

    /// What was seen of a stream.
    pub(super) fn stream(&self, id: u32) -> Stream {
        self.streams.get(&id).cloned().unwrap_or_default()
    }

    /// Whether nothing more can come on the stream.
    pub(super) fn is_over(&self, id: u32) -> bool {
        let ended = |stream: &Stream| stream.has_ended || stream.reset.is_some();
        // A client may say early that it opens no further streams.
        let leaves = self.goaway.is_some_and(|code| code != 0 || self.suite_is_client);
        self.raw.has_ended() || leaves || self.streams.get(&id).is_some_and(ended)
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
                let fields = read_block(&frame.payload);
                let status = fields.iter().find(|(name, _)| name == ":status");
                let status: Option<u16> = status.and_then(|(_, value)| value.parse().ok());
                // RFC 9113 §8.1: any number of interim answers may come before the final one.
                // There is no 101 among them (§8.6).
                if matches!(status, Some(100 | 102..=199)) && !frame.ends_stream() {
                    return;
                }
                stream.status = stream.status.or(status);
                stream.fields.extend(fields);
            }
            kind::DATA => {
                stream.data.extend(without_padding(&frame));
                stream.taken += frame.payload.len();
            }
            kind::RST_STREAM => stream.reset = Some(frame.number(0)),
            kind::WINDOW_UPDATE => stream.credit += i64::from(frame.number(0)),
            _ => {}
        }
        stream.has_ended |= frame.ends_stream();
    }

    /// How many streams the server allows at a time.
    pub(super) fn most_streams(&self) -> u32 {
        self.raw.setting(setting::MAX_CONCURRENT_STREAMS).unwrap_or(u32::MAX)
    }
}
