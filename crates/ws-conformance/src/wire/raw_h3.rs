//! HTTP/3 as octets on a QUIC connection (RFC 9114): frames, field sections and one stream.
//!
//! QUIC and its TLS are quinn's; everything above is the suite's. Field lines go out as literals
//! and no table is ever offered to the peer.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, Endpoint, RecvStream, SendStream, TransportConfig, VarInt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::connect::{Answer, Connect};
use super::field_lines::{put_integer, take_integer, take_string};
use super::http::Head;
use super::stream::{Duplex, Wire};
use super::tls;

/// Frame and setting numbers (RFC 9114 §7.2, RFC 9220 §5), and error codes (§8.1).
pub(crate) mod number {
    pub(crate) const DATA: u64 = 0x0;
    pub(crate) const HEADERS: u64 = 0x1;
    pub(crate) const SETTINGS: u64 = 0x4;
    pub(crate) const ENABLE_CONNECT_PROTOCOL: u64 = 0x8;
    pub(crate) const REQUEST_CANCELLED: u32 = 0x10c;
}

/// How long the server may take for its SETTINGS, and again for its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection on which the suite writes every frame.
#[derive(Debug)]
pub(crate) struct RawH3 {
    pub(crate) connection: Connection,
    /// The server's SETTINGS.
    pub(crate) settings: Vec<(u64, u64)>,
    /// Our control stream and the server's, which must not end.
    control: (SendStream, RecvStream),
    endpoint: Endpoint,
}

impl RawH3 {
    /// Connects by QUIC, opens the control stream and reads the server's SETTINGS.
    ///
    /// # Errors
    ///
    /// There is no QUIC, or the server sends no SETTINGS.
    pub(crate) async fn begin(host: &str, port: u16) -> io::Result<Self> {
        let bare = host.trim_matches(['[', ']']);
        let mut found = lookup_host((bare, port)).await?;
        let address = found.next().ok_or_else(|| io::Error::other("the host has no address"))?;
        let local: SocketAddr =
            if address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
        let endpoint = Endpoint::client(local)?;
        let mut transport = TransportConfig::default();
        transport.stream_receive_window(VarInt::from_u32(1 << 20));
        let tls =
            QuicClientConfig::try_from(tls::client_config("h3")?).map_err(io::Error::other)?;
        let mut config = quinn::ClientConfig::new(Arc::new(tls));
        config.transport_config(Arc::new(transport));
        let connecting = endpoint.connect_with(config, address, bare).map_err(io::Error::other)?;
        let connection = timeout(Duration::from_secs(10), connecting)
            .await
            .map_err(|_| io::Error::other("no QUIC connection within 10 s"))??;
        let mut control = connection.open_uni().await?;
        // A control stream with empty SETTINGS.
        control.write_all(&[0x00, 0x04, 0x00]).await?;
        let (settings, theirs) = timeout(PATIENCE, read_settings(&connection))
            .await
            .map_err(|_| io::Error::other("the server sent no SETTINGS of HTTP/3"))??;
        Ok(Self { connection, settings, control: (control, theirs), endpoint })
    }

    /// The value of a setting of the server.
    pub(crate) fn setting(&self, id: u64) -> Option<u64> {
        self.settings.iter().find(|(found, _)| *found == id).map(|(_, value)| *value)
    }

    /// Sends a request on a new stream.
    pub(crate) async fn request(&self, fields: &[(String, String)]) -> io::Result<H3Stream> {
        let (send, receive) = self.connection.open_bi().await?;
        let mut stream = H3Stream::new(send, receive, self.endpoint.clone());
        match stream.send.write_all(&frame(number::HEADERS, &section(fields))).await {
            // A server may answer before it has seen all.
            Ok(()) | Err(quinn::WriteError::Stopped(_)) => Ok(stream),
            Err(error) => Err(error.into()),
        }
    }
}

/// What an error of a stream means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The stream was reset with this code.
    Stream(u64),
    /// The connection is gone.
    Connection,
    /// Something else, such as an end without an answer.
    Other,
}

/// Reads the cause of an error that [`H3Stream::answer`] gave.
pub(crate) fn failure_of(error: &io::Error) -> Failure {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<quinn::ReadError>());
    match cause {
        Some(quinn::ReadError::Reset(code)) => Failure::Stream(code.into_inner()),
        Some(quinn::ReadError::ConnectionLost(_)) => Failure::Connection,
        _ => Failure::Other,
    }
}

/// Connects and sends the extended CONNECT.
///
/// # Errors
///
/// There is no HTTP/3, or the server's SETTINGS do not allow the request.
pub(crate) async fn connect(host: &str, port: u16, request: &Connect) -> io::Result<Answer> {
    let raw = RawH3::begin(host, port).await?;
    if raw.setting(number::ENABLE_CONNECT_PROTOCOL) != Some(1) {
        let why = "the server's SETTINGS do not enable extended CONNECT (RFC 9220 §3)";
        return Err(io::Error::other(why));
    }
    let mut stream = raw.request(&request.field_lines()).await?;
    stream.control = Some(raw.control);
    match timeout(PATIENCE, stream.answer()).await {
        Ok(Ok(head)) => Ok(Answer::Head(head, Wire::new(stream))),
        Ok(Err(error)) => Ok(Answer::Cut(error.to_string())),
        Err(_) => Ok(Answer::Silence),
    }
}

/// Reads unidirectional streams until the control stream's SETTINGS came.
async fn read_settings(connection: &Connection) -> io::Result<(Vec<(u64, u64)>, RecvStream)> {
    loop {
        let mut stream = connection.accept_uni().await?;
        if read_varint(&mut stream).await? != 0 {
            // The two streams of QPACK stay empty; quinn would stop them when dropped.
            tokio::spawn(async move {
                let _ = stream.read_to_end(1 << 20).await;
            });
            continue;
        }
        let kind = read_varint(&mut stream).await?;
        if kind != number::SETTINGS {
            return Err(io::Error::other(format!("the first control frame is of type {kind:#x}")));
        }
        let size = usize::try_from(read_varint(&mut stream).await?).unwrap_or(usize::MAX);
        let mut payload = vec![0; size.min(65_536)];
        stream.read_exact(&mut payload).await.map_err(io::Error::other)?;
        let (mut rest, mut settings) = (payload.as_slice(), Vec::new());
        while let (Some(id), Some(value)) = (take_varint(&mut rest), take_varint(&mut rest)) {
            settings.push((id, value));
        }
        return Ok((settings, stream));
    }
}

async fn read_varint(stream: &mut RecvStream) -> io::Result<u64> {
    let mut octets = [0; 8];
    let (first, others) = octets.split_at_mut(1);
    stream.read_exact(first).await.map_err(io::Error::other)?;
    let more = (1usize << (first.first().copied().unwrap_or_default() >> 6)) - 1;
    let others = others.get_mut(..more).unwrap_or_default();
    stream.read_exact(others).await.map_err(io::Error::other)?;
    take_varint(&mut octets.get(..=more).unwrap_or_default())
        .ok_or_else(|| io::Error::other("no variable-length integer"))
}

/// Takes a variable-length integer of QUIC off `input` (RFC 9000 §16), if it is there whole.
fn take_varint(input: &mut &[u8]) -> Option<u64> {
    let size = 1usize << (input.first()? >> 6);
    let (octets, rest) = input.split_at_checked(size)?;
    *input = rest;
    let value = octets.iter().fold(0u64, |value, octet| value << 8 | u64::from(*octet));
    Some(value & ((1 << (size * 8 - 2)) - 1))
}

fn put_varint(out: &mut Vec<u8>, value: usize) {
    let octets = (value as u64).to_be_bytes();
    let (size, prefix) = match value {
        0..=0x3F => (1, 0x00),
        0x40..=0x3FFF => (2, 0x40),
        0x4000..=0x3FFF_FFFF => (4, 0x80),
        _ => (8, 0xC0),
    };
    let at = out.len();
    out.extend(octets.get(8 - size..).unwrap_or_default());
    if let Some(first) = out.get_mut(at) {
        *first |= prefix;
    }
}

/// A frame of HTTP/3.
pub(crate) fn frame(kind: u64, payload: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(payload.len() + 16);
    put_varint(&mut octets, usize::try_from(kind).unwrap_or_default());
    put_varint(&mut octets, payload.len());
    octets.extend(payload);
    octets
}

/// A field section of literal lines (RFC 9204 §4.5.6).
pub(crate) fn section(fields: &[(String, String)]) -> Vec<u8> {
    let mut section = vec![0, 0];
    for (name, value) in fields {
        put_integer(&mut section, 3, 0x20, name.len());
        section.extend(name.as_bytes());
        put_integer(&mut section, 7, 0, value.len());
        section.extend(value.as_bytes());
    }
    section
}

/// Reads a field section that refers to no dynamic table; what is not understood ends it.
fn read_section(section: &[u8]) -> Vec<(String, String)> {
    let mut input = section.get(2..).unwrap_or_default();
    let mut fields = Vec::new();
    while let Some(field) = read_line(&mut input) {
        fields.push(field);
    }
    fields
}

fn read_line(input: &mut &[u8]) -> Option<(String, String)> {
    let first = *input.first()?;
    if first & 0x80 != 0 {
        let index = take_integer(input, 6)?;
        return Some(static_line(index));
    }
    if first & 0x40 != 0 {
        let (name, _) = static_line(take_integer(input, 4)?);
        return Some((name, take_string(input, 7)?));
    }
    let name = take_string(input, 3)?;
    Some((name, take_string(input, 7)?))
}

/// The static lines that an answer to a CONNECT may be made of; others get their number for a name
/// (RFC 9204 Appendix A).
fn static_line(index: usize) -> (String, String) {
    let statuses = ["103", "200", "304", "404", "503"];
    let more = ["100", "204", "206", "302", "400", "403", "421", "425", "500"];
    let status = index.checked_sub(24).and_then(|at| statuses.get(at));
    let status = status.or_else(|| index.checked_sub(63).and_then(|at| more.get(at)));
    if let Some(status) = status {
        return (":status".into(), (*status).to_owned());
    }
    match index {
        4 => ("content-length".into(), "0".into()),
        6 => ("date".into(), String::new()),
        44..=54 => ("content-type".into(), String::new()),
        92 => ("server".into(), String::new()),
        other => (format!("x-static-{other}"), String::new()),
    }
}

/// Both directions of a request stream.
pub(crate) struct H3Stream {
    pub(crate) send: SendStream,
    receive: RecvStream,
    /// Octets of frames that were not understood yet.
    raw: Vec<u8>,
    /// Octets of the current DATA frame that are still to come.
    left: usize,
    /// Octets of a frame that are written, and how many of them QUIC has taken.
    outgoing: (Vec<u8>, usize),
    has_ended: bool,
    pub(crate) control: Option<(SendStream, RecvStream)>,
    _endpoint: Endpoint,
}

impl H3Stream {
    fn new(send: SendStream, receive: RecvStream, endpoint: Endpoint) -> Self {
        let (raw, outgoing) = (Vec::new(), (Vec::new(), 0));
        Self {
            send,
            receive,
            raw,
            left: 0,
            outgoing,
            has_ended: false,
            control: None,
            _endpoint: endpoint,
        }
    }

    /// Waits for the head of the final answer.
    pub(crate) async fn answer(&mut self) -> io::Result<Head> {
        loop {
            let mut rest = self.raw.as_slice();
            if let (Some(kind), Some(size)) = (take_varint(&mut rest), take_varint(&mut rest)) {
                let size = usize::try_from(size).unwrap_or(usize::MAX);
                if let Some(payload) = rest.get(..size) {
                    let head = (kind == number::HEADERS).then(|| to_head(payload));
                    let taken = self.raw.len() - rest.len() + size;
                    self.raw.drain(..taken);
                    match head {
                        Some(head) if !matches!(head.status(), Some(100..=199)) => return Ok(head),
                        _ => continue,
                    }
                }
            }
            match self.receive.read_chunk(65_536, true).await.map_err(io::Error::other)? {
                Some(chunk) => self.raw.extend(&chunk.bytes),
                None => return Err(io::Error::other("the stream ended without an answer")),
            }
        }
    }

    /// Puts octets of DATA into `space`; true if there were any.
    fn take_data(&mut self, space: &mut ReadBuf<'_>) -> io::Result<bool> {
        loop {
            if self.left > 0 {
                let count = self.left.min(self.raw.len()).min(space.remaining());
                space.put_slice(self.raw.get(..count).unwrap_or_default());
                self.raw.drain(..count);
                self.left -= count;
                return Ok(count > 0);
            }
            let mut rest = self.raw.as_slice();
            let (Some(kind), Some(size)) = (take_varint(&mut rest), take_varint(&mut rest)) else {
                return Ok(false);
            };
            let head = self.raw.len() - rest.len();
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            if kind == number::DATA {
                self.raw.drain(..head);
                self.left = size;
            } else if kind < 0x21 {
                let why = format!("a frame of type {kind:#x} after the CONNECT (RFC 9114 §4.4)");
                return Err(io::Error::other(why));
            } else if rest.len() >= size {
                self.raw.drain(..head + size);
            } else {
                return Ok(false);
            }
        }
    }

    fn poll_outgoing(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (octets, taken) = &mut self.outgoing;
        while let Some(rest) = octets.get(*taken..).filter(|rest| !rest.is_empty()) {
            *taken +=
                ready!(Pin::new(&mut self.send).poll_write(cx, rest)).map_err(io::Error::other)?;
        }
        octets.clear();
        *taken = 0;
        Poll::Ready(Ok(()))
    }
}

fn to_head(section: &[u8]) -> Head {
    let mut fields = read_section(section);
    let at = fields.iter().position(|(name, _)| name == ":status");
    let status = at.map(|at| fields.remove(at).1).unwrap_or_default();
    Head { start: format!("HTTP/3 {status}"), fields, ..Head::default() }
}

impl AsyncRead for H3Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.take_data(space)? {
                return Poll::Ready(Ok(()));
            }
            let mut octets = [0; 16 * 1024];
            let mut arrived = ReadBuf::new(&mut octets);
            ready!(Pin::new(&mut this.receive).poll_read(cx, &mut arrived))?;
            if arrived.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.raw.extend(arrived.filled());
        }
    }
}

impl AsyncWrite for H3Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_outgoing(cx))?;
        let piece = octets.get(..64 * 1024).unwrap_or(octets);
        this.outgoing = (frame(number::DATA, piece), 0);
        // What QUIC does not take now is taken by the next write or flush.
        match this.poll_outgoing(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(piece.len())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_outgoing(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_outgoing(cx))?;
        this.has_ended = true;
        Poll::Ready(this.send.finish().map_err(io::Error::other))
    }
}

impl Duplex for H3Stream {
    fn reset(&mut self) {
        self.has_ended = true;
        let code = VarInt::from_u32(number::REQUEST_CANCELLED);
        // A stream that the peer has ended already has nothing left to cancel.
        let _ = self.send.reset(code);
        let _ = self.receive.stop(code);
    }
}

impl Drop for H3Stream {
    /// As a TCP connection that is dropped: an end in order.
    fn drop(&mut self) {
        if !self.has_ended {
            // The peer may have stopped the stream; then there is nothing to end.
            let _ = self.send.finish();
        }
    }
}

impl fmt::Debug for H3Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("H3Stream").field("id", &self.send.id()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_quic_are_read_as_they_were_written() {
        for value in [0, 1, 63, 64, 16_383, 16_384, 1 << 29, 1 << 30] {
            let mut octets = Vec::new();
            put_varint(&mut octets, value);
            assert_eq!(take_varint(&mut octets.as_slice()), Some(value as u64));
        }
        // RFC 9000 Appendix A.1.
        assert_eq!(take_varint(&mut &[0x9d, 0x7f, 0x3e, 0x7d][..]), Some(494_878_333));
    }

    #[test]
    fn sections_are_read() {
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let fields = [field("sec-websocket-version", "13"), field("x", "")];
        assert_eq!(read_section(&section(&fields)), fields);
        assert_eq!(read_section(&[0, 0, 0xD9]), [field(":status", "200")]);
        assert_eq!(
            read_section(&[0, 0, 0x5F, 0x09, 3, b'5', b'0', b'1']),
            [field(":status", "501")]
        );
    }
}
