//! HTTP/2 as octets (RFC 9113), for what no library would send.
//!
//! Field lines go out as literals, and the peer is told to keep no table.

use std::io;

use tokio::time::{Instant, timeout_at};

use super::field_lines::{put_integer, take_integer, take_string};
use super::stream::Wire;
use crate::log::{Log, Who};

/// The frame types by name (RFC 9113 §6).
pub(crate) mod kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const RST_STREAM: u8 = 3;
    pub(crate) const SETTINGS: u8 = 4;
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
}

/// The settings by name.
pub(crate) mod setting {
    pub(crate) const HEADER_TABLE_SIZE: u16 = 1;
    pub(crate) const MAX_CONCURRENT_STREAMS: u16 = 3;
    pub(crate) const INITIAL_WINDOW_SIZE: u16 = 4;
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

/// A connection on which the suite writes every octet.
#[derive(Debug)]
pub(crate) struct RawH2 {
    wire: Wire,
    log: Log,
    /// The first SETTINGS of the server.
    pub(crate) settings: Vec<(u16, u32)>,
    /// How often the server has acknowledged our SETTINGS.
    pub(crate) acknowledged: usize,
}

impl RawH2 {
    /// Sends the preface with `window` for each stream, and reads the server's SETTINGS.
    pub(crate) async fn begin(
        mut wire: Wire,
        log: Log,
        window: u32,
        deadline: Instant,
    ) -> Result<Self, String> {
        wire.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        let mut raw = Self { wire, log, settings: Vec::new(), acknowledged: 0 };
        let wanted = [(setting::HEADER_TABLE_SIZE, 0), (setting::INITIAL_WINDOW_SIZE, window)];
        raw.send_settings(&wanted).await;
        raw.send(kind::WINDOW_UPDATE, 0, 0, &(1u32 << 24).to_be_bytes()).await;
        let Some(first) = raw.take(deadline).await else {
            return Err("the server sent no frame of HTTP/2".into());
        };
        if first.kind != kind::SETTINGS || first.flags & flag::ACK != 0 || first.stream != 0 {
            return Err(format!("the server's first frame is no SETTINGS: {first:?}"));
        }
        raw.settings = read_settings(&first.payload);
        raw.send(kind::SETTINGS, flag::ACK, 0, &[]).await;
        Ok(raw)
    }

    /// The value of a setting in the server's first SETTINGS.
    pub(crate) fn setting(&self, id: u16) -> Option<u32> {
        self.settings.iter().rev().find(|(found, _)| *found == id).map(|(_, value)| *value)
    }

    pub(crate) async fn send_settings(&mut self, settings: &[(u16, u32)]) {
        let octets =
            |(id, value): &(u16, u32)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat();
        let payload: Vec<u8> = settings.iter().flat_map(octets).collect();
        self.send(kind::SETTINGS, 0, 0, &payload).await;
    }

    /// Sends one frame, right or wrong. False when the peer cut the connection.
    pub(crate) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        let octets = frame(kind, flags, stream, payload);
        self.log.octets(Who::Suite, || describe(kind, flags, stream), &octets);
        self.wire.write(&octets).await
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

    pub(crate) async fn headers(&mut self, stream: u32, fields: &[(String, String)]) {
        self.send(kind::HEADERS, flag::END_HEADERS, stream, &block(fields)).await;
    }

    pub(crate) async fn data(&mut self, stream: u32, payload: &[u8]) {
        self.send(kind::DATA, 0, stream, payload).await;
    }

    /// The next frame that the case has to see: SETTINGS and PING are answered on the way.
    pub(crate) async fn next(&mut self, deadline: Instant) -> Option<H2Frame> {
        loop {
            let frame = self.take(deadline).await?;
            match frame.kind {
                kind::SETTINGS if frame.flags & flag::ACK != 0 => self.acknowledged += 1,
                kind::SETTINGS => {
                    self.send(kind::SETTINGS, flag::ACK, 0, &[]).await;
                }
                kind::PING if frame.flags & flag::ACK == 0 => {
                    self.send(kind::PING, flag::ACK, 0, &frame.payload).await;
                }
                _ => return Some(frame),
            }
        }
    }

    /// Whether the server has ended the connection.
    pub(crate) fn has_ended(&self) -> bool {
        self.wire.end().is_some()
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
    let length = u32::try_from(payload.len()).unwrap_or_default().to_be_bytes();
    let mut octets = length.get(1..).unwrap_or_default().to_vec();
    octets.extend([kind, flags]);
    octets.extend(stream.to_be_bytes());
    octets.extend(payload);
    octets
}

/// Field lines as literals without indexing (RFC 7541 §6.2.2).
pub(crate) fn block(fields: &[(String, String)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            put_integer(&mut block, 7, 0, text.len());
            block.extend(text.as_bytes());
        }
    }
    block
}

/// Reads a header block of a peer that keeps no table; what is not understood ends it.
pub(crate) fn read_block(mut input: &[u8]) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    while let Some(line) = read_line(&mut input) {
        fields.extend(line);
    }
    fields
}

/// One line, or none for a change of the table's size.
fn read_line(input: &mut &[u8]) -> Option<Option<(String, String)>> {
    let first = *input.first()?;
    if first & 0x80 != 0 {
        let (name, value) = STATIC.get(take_integer(input, 7)?.checked_sub(1)?)?;
        return Some(Some(((*name).to_owned(), (*value).to_owned())));
    }
    if first & 0xE0 == 0x20 {
        take_integer(input, 5)?;
        return Some(None);
    }
    let bits = if first & 0x40 != 0 { 6 } else { 4 };
    let name = match take_integer(input, bits)? {
        0 => take_string(input, 7)?,
        index => STATIC.get(index - 1)?.0.to_owned(),
    };
    Some(Some((name, take_string(input, 7)?)))
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

/// RFC 7541 Appendix A.
#[rustfmt::skip]
const STATIC: [(&str, &str); 61] = [
    (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"),
    (":path", "/index.html"), (":scheme", "http"), (":scheme", "https"), (":status", "200"),
    (":status", "204"), (":status", "206"), (":status", "304"), (":status", "400"),
    (":status", "404"), (":status", "500"), ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""),
    ("accept", ""), ("access-control-allow-origin", ""), ("age", ""), ("allow", ""),
    ("authorization", ""), ("cache-control", ""), ("content-disposition", ""),
    ("content-encoding", ""), ("content-language", ""), ("content-length", ""),
    ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""),
    ("date", ""), ("etag", ""), ("expect", ""), ("expires", ""), ("from", ""), ("host", ""),
    ("if-match", ""), ("if-modified-since", ""), ("if-none-match", ""), ("if-range", ""),
    ("if-unmodified-since", ""), ("last-modified", ""), ("link", ""), ("location", ""),
    ("max-forwards", ""), ("proxy-authenticate", ""), ("proxy-authorization", ""), ("range", ""),
    ("referer", ""), ("refresh", ""), ("retry-after", ""), ("server", ""), ("set-cookie", ""),
    ("strict-transport-security", ""), ("transfer-encoding", ""), ("user-agent", ""), ("vary", ""),
    ("via", ""), ("www-authenticate", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_response_of_the_rfc_is_read() {
        // RFC 7541 Appendix C.5.1, the first two lines; then one of our own.
        let mut octets = vec![0x48, 0x03, b'3', b'0', b'2', 0x58, 0x07];
        octets.extend(b"private");
        let own = [("x-a".to_owned(), "b".to_owned())];
        octets.extend(block(&own));
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = [field(":status", "302"), field("cache-control", "private"), own[0].clone()];
        assert_eq!(read_block(&octets), expected);
    }
}
