//! One WebSocket's stream on an HTTP/2 connection that the suite frames itself (RFC 8441 §5).
//!
//! It keeps to flow control, gives credit for what was read, and carries nothing beside the one
//! stream. Servers and clients are both judged on it.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, timeout};

use super::connect::{Answer, Connect, answer_lines, request_head, response_head};
use super::hpack::read_block;
use super::http::Head;
use super::raw_h2::{H2Frame, RawH2, flag, kind, setting, without_padding};
use super::stream::{Duplex, End, Wire};
use crate::log::Log;

/// The longest frame that is taken, as nothing else was said (RFC 9113 §4.2).
const LONGEST: usize = 16_384;

/// What the peer may send before it is read: enough that no case waits for the suite.
const WINDOW: u32 = 1 << 20;

/// How long a server may take for its SETTINGS, and again for its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The first stream of a client.
const FIRST: u32 = 1;

/// Error codes (RFC 9113 §7).
pub(crate) mod code {
    pub(crate) const PROTOCOL_ERROR: u32 = 1;
    pub(crate) const FLOW_CONTROL_ERROR: u32 = 3;
    pub(crate) const STREAM_CLOSED: u32 = 5;
    pub(crate) const FRAME_SIZE_ERROR: u32 = 6;
    pub(crate) const REFUSED_STREAM: u32 = 7;
    pub(crate) const CANCEL: u32 = 8;
}

/// A rule that a mutant does not keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lapse {
    /// Sends beyond the window.
    Window,
    /// Gives no credit.
    Credit,
    /// Goes on after a reset.
    Reset,
    /// Takes a window update of 0, or beyond the limit.
    Update,
    /// Takes a second header block.
    Headers,
    /// Takes frames that belong to no stream of its own, or are too long.
    Frames,
    /// Takes padding for data.
    Padding,
    /// Pads what it sends, which is none.
    Pads,
    /// Ends with the first GOAWAY.
    Goaway,
    /// Takes any lines for an answer, and any interim answer for the final one.
    Answer,
}

/// Both directions of the stream, and the connection around it.
#[derive(Debug)]
pub(crate) struct Tunnel {
    raw: RawH2,
    id: u32,
    unread: Vec<u8>,
    read: usize,
    end: Option<End>,
    /// The answer of a server, once it came.
    answer: Option<Vec<(String, String)>>,
    /// What may be sent on the stream beyond the initial window, and what was sent.
    granted: i64,
    sent: i64,
    /// What may be sent on the connection.
    connection: i64,
    /// Octets that were read and not given credit for.
    owed: u32,
    /// What the peer may still send.
    allowance: i64,
    has_ended: bool,
    pub(crate) lapse: Option<Lapse>,
    /// A mutant has passed over RST_STREAM.
    was_reset: bool,
}

/// The SETTINGS of the suite as a server.
pub(crate) fn server_settings() -> [(u16, u32); 4] {
    [
        (setting::HEADER_TABLE_SIZE, 0),
        (setting::MAX_CONCURRENT_STREAMS, 1),
        (setting::INITIAL_WINDOW_SIZE, WINDOW),
        (setting::ENABLE_CONNECT_PROTOCOL, 1),
    ]
}

impl Tunnel {
    /// As a server: waits for the client's request.
    ///
    /// # Errors
    ///
    /// What came instead, in words.
    pub(crate) async fn receive(mut raw: RawH2, deadline: Instant) -> Result<(Self, Head), String> {
        raw.send_settings(&server_settings()).await;
        raw.send(kind::WINDOW_UPDATE, 0, 0, &(1u32 << 24).to_be_bytes()).await;
        let mut connection = 65_535;
        loop {
            let Some(frame) = raw.next(deadline).await else {
                return Err("the client sent no request on a stream".into());
            };
            match (frame.kind, frame.stream) {
                (kind::WINDOW_UPDATE, 0) => connection += i64::from(frame.number(0)),
                (kind::HEADERS, id) => {
                    let mut head = request_head(&read_block(&frame.payload), "HTTP/2");
                    if frame.ends_stream() {
                        head.flaws.push("the request ends the stream".into());
                    }
                    let mut tunnel = Self::new(raw, id, connection);
                    // Whatever HEADERS follow are no answer.
                    tunnel.answer = Some(Vec::new());
                    return Ok((tunnel, head));
                }
                (kind::GOAWAY, _) => return Err("the client sent GOAWAY, and no request".into()),
                _ => {}
            }
        }
    }

    /// The stream `id` of `raw`, on whose connection `connection` octets may be sent.
    fn new(raw: RawH2, id: u32, connection: i64) -> Self {
        Self {
            raw,
            id,
            unread: Vec::new(),
            read: 0,
            end: None,
            answer: None,
            granted: 0,
            sent: 0,
            connection,
            owed: 0,
            allowance: WINDOW.into(),
            has_ended: false,
            lapse: None,
            was_reset: false,
        }
    }

    /// As a client: begins HTTP/2 on `wire`, sends the request, and waits for what comes of it.
    ///
    /// # Errors
    ///
    /// There is no HTTP/2, or the server's SETTINGS do not allow the request.
    pub(crate) async fn connect(wire: Wire, request: &Connect, log: Log) -> io::Result<Answer> {
        let begun = RawH2::begin(wire, log, WINDOW, Instant::now() + PATIENCE).await;
        let mut raw = begun.map_err(io::Error::other)?;
        if raw.setting(setting::ENABLE_CONNECT_PROTOCOL) != Some(1) {
            let why = "the server's SETTINGS do not enable extended CONNECT (RFC 8441 §3)";
            return Err(io::Error::other(why));
        }
        raw.headers(FIRST, &request.field_lines()).await;
        let mut tunnel = Self::for_client(raw);
        let Ok(answer) = timeout(PATIENCE, poll_fn(|cx| tunnel.poll_answer(cx))).await else {
            return Ok(Answer::Silence);
        };
        Ok(match (answer, &tunnel.end) {
            (Some(head), _) => Answer::Head(head, Wire::new(tunnel)),
            (None, Some(end)) => Answer::Cut(end.to_string()),
            (None, None) => Answer::Cut("the connection ended".into()),
        })
    }

    /// As a client: the first stream, on which a request was just sent.
    pub(crate) fn for_client(raw: RawH2) -> Self {
        Self::new(raw, FIRST, 65_535)
    }

    fn has(&self, lapse: Lapse) -> bool {
        self.lapse == Some(lapse)
    }

    /// As a server: answers the request with a head that is written for HTTP/1.1.
    pub(crate) async fn respond(&mut self, head: &Head) {
        let lines = answer_lines(head);
        self.raw.headers(self.id, &lines).await;
    }

    /// Takes in what has arrived; pending once there is no more.
    fn poll_progress(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let next = self.raw.poll_next(cx);
            // Acknowledgements go out even if nobody writes; a write may bring something in.
            let before = self.raw.arrived();
            let flushed = self.raw.poll_flush(cx);
            match (next, flushed) {
                (Poll::Pending, Poll::Ready(Ok(())) | Poll::Pending)
                    if self.raw.arrived() > before => {}
                (Poll::Ready(Some(frame)), _) => self.take(&frame),
                (Poll::Ready(None), _) | (_, Poll::Ready(Err(_))) => {
                    let gone = || End::Broken("the connection ended".into());
                    self.end.get_or_insert_with(gone);
                    return Poll::Ready(());
                }
                (Poll::Pending, _) => return Poll::Pending,
            }
        }
    }

    fn take(&mut self, frame: &H2Frame) {
        if self.was_reset {
            self.raw.queue(kind::DATA, 0, self.id, b"x");
        }
        match (frame.kind, frame.stream) {
            (kind::WINDOW_UPDATE, 0) => {
                self.connection += i64::from(frame.number(0));
                if frame.number(0) == 0 {
                    self.fail_connection(code::PROTOCOL_ERROR);
                }
            }
            (kind::GOAWAY, _) if frame.number(0) < self.id || self.has(Lapse::Goaway) => {
                self.break_off(format!("GOAWAY with code {:#x}", frame.number(4)));
            }
            (kind::SETTINGS | kind::PUSH_PROMISE, _) if !self.has(Lapse::Frames) => {
                self.fail_connection(code::PROTOCOL_ERROR);
            }
            (kind::HEADERS, other) if other > self.id => {
                // The one stream of this connection is taken.
                self.raw.queue(kind::RST_STREAM, 0, other, &code::REFUSED_STREAM.to_be_bytes());
            }
            (kind::DATA, other) if other > self.id && !self.has(Lapse::Frames) => {
                self.fail_connection(code::PROTOCOL_ERROR);
            }
            (_, id) if id == self.id => self.take_own(frame),
            _ => {}
        }
    }

    fn take_own(&mut self, frame: &H2Frame) {
        if self.end.is_some() && matches!(frame.kind, kind::DATA | kind::HEADERS) {
            return self.fail_stream(code::STREAM_CLOSED);
        }
        match frame.kind {
            kind::DATA if frame.payload.len() > LONGEST && !self.has(Lapse::Frames) => {
                return self.fail_connection(code::FRAME_SIZE_ERROR);
            }
            kind::DATA => {
                let padded = self.has(Lapse::Padding);
                let data = if padded { &frame.payload } else { without_padding(frame) };
                self.unread.extend(data);
                let padding = frame.payload.len() - data.len();
                self.owed += u32::try_from(padding).unwrap_or_default();
                self.allowance -= i64::try_from(frame.payload.len()).unwrap_or_default();
                if self.allowance < 0 {
                    self.fail_connection(code::FLOW_CONTROL_ERROR);
                }
            }
            kind::HEADERS if self.answer.is_none() => {
                let lines = read_block(&frame.payload);
                let interim =
                    |(name, value): &(String, String)| name == ":status" && value.starts_with('1');
                // There is no 101 in HTTP/2 (RFC 9113 §8.6).
                let is_101 = lines.iter().any(|(_, value)| value == "101");
                if !lines.iter().any(interim) || is_101 || self.has(Lapse::Answer) {
                    self.answer = Some(lines);
                }
            }
            kind::HEADERS if !frame.ends_stream() && !self.has(Lapse::Headers) => {
                self.fail_stream(code::PROTOCOL_ERROR);
            }
            kind::RST_STREAM => {
                if self.has(Lapse::Reset) {
                    self.was_reset = true;
                    return;
                }
                self.break_off(format!("RST_STREAM with code {:#x}", frame.number(0)));
            }
            kind::WINDOW_UPDATE => {
                self.granted += i64::from(frame.number(0));
                let window = self.raw.initial_window + self.granted - self.sent;
                if self.has(Lapse::Update) {
                    return;
                }
                if frame.number(0) == 0 {
                    self.fail_stream(code::PROTOCOL_ERROR);
                } else if window > i64::from(i32::MAX) {
                    self.fail_stream(code::FLOW_CONTROL_ERROR);
                }
            }
            _ => {}
        }
        if frame.ends_stream() {
            self.end.get_or_insert(End::Fin);
        }
    }

    /// As a client: the answer of the server, or `None` when none came.
    pub(crate) fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Option<Head>> {
        let progress = self.poll_progress(cx);
        match &self.answer {
            Some(lines) => Poll::Ready(Some(response_head(lines, "HTTP/2"))),
            None if self.end.is_some() || progress.is_ready() => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    fn fail_stream(&mut self, code: u32) {
        self.has_ended = true;
        self.raw.queue(kind::RST_STREAM, 0, self.id, &code.to_be_bytes());
        self.break_off(format!("our RST_STREAM with code {code:#x}"));
    }

    fn fail_connection(&mut self, code: u32) {
        self.has_ended = true;
        let payload = [self.id.to_be_bytes(), code.to_be_bytes()].concat();
        self.raw.queue(kind::GOAWAY, 0, 0, &payload);
        self.break_off(format!("our GOAWAY with code {code:#x}"));
    }

    /// Nothing more goes out on the stream.
    fn break_off(&mut self, why: String) {
        self.has_ended = true;
        self.end.get_or_insert(End::Broken(why));
    }

    /// Gives credit for octets that were read.
    fn credit(&mut self, count: usize) {
        self.owed += u32::try_from(count).unwrap_or_default();
        if self.owed >= WINDOW / 8 && !self.has(Lapse::Credit) {
            self.allowance += i64::from(self.owed);
            let increment = std::mem::take(&mut self.owed).to_be_bytes();
            self.raw.queue(kind::WINDOW_UPDATE, 0, 0, &increment);
            if self.end.is_none() {
                self.raw.queue(kind::WINDOW_UPDATE, 0, self.id, &increment);
            }
        }
    }

    fn room(&self) -> usize {
        let stream = self.raw.initial_window + self.granted - self.sent;
        let room = if self.has(Lapse::Window) { 16_384 } else { stream.min(self.connection) };
        usize::try_from(room).unwrap_or(0).min(self.raw.longest)
    }

    /// Ends the stream in order, and writes as much of that as goes without waiting.
    fn leave(&mut self) {
        if !std::mem::replace(&mut self.has_ended, true) {
            self.raw.queue(kind::DATA, flag::END_STREAM, self.id, &[]);
        }
        // What does not go out now is lost with the connection.
        let _ = self.raw.poll_flush(&mut Context::from_waker(Waker::noop()));
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let progress = this.poll_progress(cx);
        let rest = this.unread.get(this.read..).unwrap_or_default();
        if rest.is_empty() {
            return match &this.end {
                Some(End::Fin) => Poll::Ready(Ok(())),
                Some(End::Broken(why)) => Poll::Ready(Err(io::Error::other(why.clone()))),
                None => progress.map(Ok),
            };
        }
        let count = rest.len().min(space.remaining());
        space.put_slice(rest.get(..count).unwrap_or_default());
        this.read += count;
        if this.read == this.unread.len() {
            this.unread.clear();
            this.read = 0;
        }
        this.credit(count);
        // The connection's own errors are seen by the next read.
        let _ = this.raw.poll_flush(cx);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let _pending = this.poll_progress(cx);
        if this.has_ended || matches!(this.end, Some(End::Broken(_))) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if this.raw.backlog() > 64 * 1024 {
            ready!(this.raw.poll_flush(cx))?;
        }
        let room = this.room();
        if room == 0 {
            return Poll::Pending;
        }
        let padding = if this.has(Lapse::Pads) && room > 8 { 8 } else { 0 };
        let piece = octets.get(..room - padding).unwrap_or(octets);
        if padding > 0 {
            let padded = [&[7], piece, &[0; 7]].concat();
            this.raw.queue(kind::DATA, flag::PADDED, this.id, &padded);
        } else {
            this.raw.queue(kind::DATA, 0, this.id, piece);
        }
        let count = i64::try_from(padding + piece.len()).unwrap_or_default();
        this.sent += count;
        this.connection -= count;
        match this.raw.poll_flush(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(piece.len())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().raw.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !std::mem::replace(&mut this.has_ended, true) {
            this.raw.queue(kind::DATA, flag::END_STREAM, this.id, &[]);
        }
        this.raw.poll_flush(cx)
    }
}

impl Duplex for Tunnel {
    fn reset(&mut self) {
        self.has_ended = true;
        self.raw.queue(kind::RST_STREAM, 0, self.id, &code::CANCEL.to_be_bytes());
        self.leave();
    }
}

impl Drop for Tunnel {
    /// As a TCP connection that is dropped: an end in order.
    fn drop(&mut self) {
        self.leave();
    }
}
