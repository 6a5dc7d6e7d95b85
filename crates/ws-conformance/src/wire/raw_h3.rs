//! HTTP/3 as octets on a QUIC connection (RFC 9114): settings, frames, and requests.
//!
//! QUIC and its TLS are quinn's; everything above is the suite's. Field lines go out as literals
//! and no table is ever offered to the peer.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, Endpoint, RecvStream, SendStream, TransportConfig, VarInt};
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::connect::{Answer, Connect};
use super::h3_stream::H3Stream;
use super::qpack::section;
use super::stream::Wire;
use super::tls;

/// Frame and setting numbers (RFC 9114 §7.2, RFC 9220 §5), and error codes (§8.1).
pub(crate) mod number {
    pub(crate) const DATA: u64 = 0x0;
    pub(crate) const HEADERS: u64 = 0x1;
    pub(crate) const SETTINGS: u64 = 0x4;
    pub(crate) const PUSH_PROMISE: u64 = 0x5;
    pub(crate) const GOAWAY: u64 = 0x7;
    pub(crate) const ENABLE_CONNECT_PROTOCOL: u64 = 0x8;
    pub(crate) const STREAM_CREATION_ERROR: u32 = 0x103;
    pub(crate) const CLOSED_CRITICAL_STREAM: u32 = 0x104;
    pub(crate) const FRAME_UNEXPECTED: u32 = 0x105;
    pub(crate) const SETTINGS_ERROR: u32 = 0x109;
    pub(crate) const MISSING_SETTINGS: u32 = 0x10a;
    pub(crate) const REQUEST_CANCELLED: u32 = 0x10c;
    pub(crate) const MESSAGE_ERROR: u32 = 0x10e;
}

/// How long the server may take for its SETTINGS, and again for its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection on which the suite writes every frame.
#[derive(Debug)]
pub(crate) struct RawH3 {
    pub(crate) connection: Connection,
    /// The peer's SETTINGS.
    pub(crate) settings: Vec<(u64, u64)>,
    /// Our control stream and the peer's, which must not end.
    pub(crate) control: (SendStream, RecvStream),
    endpoint: Endpoint,
}

impl RawH3 {
    /// Connects by QUIC, opens the control stream and reads the server's SETTINGS.
    ///
    /// # Errors
    ///
    /// There is no QUIC, or the server sends no SETTINGS.
    pub(crate) async fn begin(host: &str, port: u16) -> io::Result<Self> {
        let (connection, endpoint) = Self::dial(host, port).await?;
        Self::introduce(connection, endpoint).await
    }

    /// As a client: connects by QUIC.
    pub(crate) async fn dial(host: &str, port: u16) -> io::Result<(Connection, Endpoint)> {
        let bare = host.trim_matches(['[', ']']);
        let mut found = lookup_host((bare, port)).await?;
        let address = found.next().ok_or_else(|| io::Error::other("the host has no address"))?;
        let local: SocketAddr =
            if address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
        let endpoint = Endpoint::client(local)?;
        let mut transport = TransportConfig::default();
        transport.stream_receive_window(VarInt::from_u32(1 << 20));
        let tls =
            QuicClientConfig::try_from(tls::client_config(&["h3"])?).map_err(io::Error::other)?;
        let mut config = quinn::ClientConfig::new(Arc::new(tls));
        config.transport_config(Arc::new(transport));
        let connecting = endpoint.connect_with(config, address, bare).map_err(io::Error::other)?;
        let connection = timeout(Duration::from_secs(10), connecting)
            .await
            .map_err(|_| io::Error::other("no QUIC connection within 10 s"))??;
        Ok((connection, endpoint))
    }

    /// As a client: opens the control stream and reads the server's SETTINGS.
    pub(crate) async fn introduce(connection: Connection, endpoint: Endpoint) -> io::Result<Self> {
        let mut control = connection.open_uni().await?;
        // A control stream with empty SETTINGS.
        control.write_all(&[0x00, 0x04, 0x00]).await?;
        let (settings, theirs) = timeout(PATIENCE, read_settings(&connection))
            .await
            .map_err(|_| io::Error::other("the server sent no SETTINGS of HTTP/3"))??;
        Ok(Self { connection, settings, control: (control, theirs), endpoint })
    }

    /// As a server: reads the client's SETTINGS, and sends none.
    ///
    /// # Errors
    ///
    /// The client sends no SETTINGS.
    pub(crate) async fn accept(connection: Connection, endpoint: Endpoint) -> io::Result<Self> {
        let control = connection.open_uni().await?;
        let (settings, theirs) = timeout(PATIENCE, read_settings(&connection))
            .await
            .map_err(|_| io::Error::other("the client sent no SETTINGS of HTTP/3"))??;
        Ok(Self { connection, settings, control: (control, theirs), endpoint })
    }

    /// As a server: begins the control stream with these SETTINGS.
    pub(crate) async fn send_settings(&mut self, settings: &[(u64, u64)]) -> io::Result<()> {
        let mut payload = Vec::new();
        for (id, value) in settings {
            for number in [id, value] {
                put_varint(&mut payload, usize::try_from(*number).unwrap_or_default());
            }
        }
        let octets = [&[0], frame(number::SETTINGS, &payload).as_slice()].concat();
        self.control.0.write_all(&octets).await.map_err(io::Error::other)
    }

    /// As a server: waits for the next stream of a request.
    pub(crate) async fn next_stream(&self) -> io::Result<H3Stream> {
        let (send, receive) = self.connection.accept_bi().await?;
        Ok(H3Stream::new(send, receive, self.endpoint.clone()))
    }

    /// As a server: waits for the next request, and for its field lines.
    pub(crate) async fn next_request(&self) -> io::Result<(H3Stream, Vec<(String, String)>)> {
        let mut stream = self.next_stream().await?;
        let lines = stream.lines().await?;
        Ok((stream, lines))
    }

    /// The value of a setting of the peer.
    pub(crate) fn setting(&self, id: u64) -> Option<u64> {
        self.settings.iter().find(|(found, _)| *found == id).map(|(_, value)| *value)
    }

    /// Sends a request on a new stream.
    pub(crate) async fn request(&self, fields: &[(String, String)]) -> io::Result<H3Stream> {
        request(&self.connection, &self.endpoint, fields).await
    }
}

/// Sends a request on a new stream, whatever is known of the peer.
pub(crate) async fn request(
    connection: &Connection,
    endpoint: &Endpoint,
    fields: &[(String, String)],
) -> io::Result<H3Stream> {
    let (send, receive) = connection.open_bi().await?;
    let mut stream = H3Stream::new(send, receive, endpoint.clone());
    match stream.send.write_all(&frame(number::HEADERS, &section(fields))).await {
        // A server may answer before it has seen all.
        Ok(()) | Err(quinn::WriteError::Stopped(_)) => Ok(stream),
        Err(error) => Err(error.into()),
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
            connection.close(VarInt::from_u32(number::MISSING_SETTINGS), b"");
            return Err(io::Error::other(format!("the first control frame is of type {kind:#x}")));
        }
        let size = usize::try_from(read_varint(&mut stream).await?).unwrap_or(usize::MAX);
        let mut payload = vec![0; size.min(65_536)];
        stream.read_exact(&mut payload).await.map_err(io::Error::other)?;
        let (mut rest, mut settings) = (payload.as_slice(), Vec::new());
        while let (Some(id), Some(value)) = (take_varint(&mut rest), take_varint(&mut rest)) {
            if settings.iter().any(|(other, _)| *other == id) {
                connection.close(VarInt::from_u32(number::SETTINGS_ERROR), b"");
                return Err(io::Error::other(format!("the setting {id:#x} is there twice")));
            }
            settings.push((id, value));
        }
        return Ok((settings, stream));
    }
}

pub(crate) async fn read_varint(stream: &mut RecvStream) -> io::Result<u64> {
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
pub(super) fn take_varint(input: &mut &[u8]) -> Option<u64> {
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
}
