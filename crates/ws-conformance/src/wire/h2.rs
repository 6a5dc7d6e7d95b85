//! A WebSocket's stream on an HTTP/2 connection of its own (RFC 8441), by the `h2` crate.
//!
//! The crate frames and compresses headers; what is asked, what is judged of the answer, and every
//! octet in DATA are the suite's.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use h2::ext::Protocol;
use h2::{Ping, Reason, RecvStream, SendStream, client};
use http::{Method, Request};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use super::connect::{Answer, Connect};
use super::http::Head;
use super::stream::{Duplex, Wire};

/// How long the server may take for its SETTINGS, and again for its answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// What a server may send before it is read: enough that no case waits for the suite.
const WINDOW: u32 = 1024 * 1024;

/// Begins HTTP/2 on `io` and sends the extended CONNECT.
///
/// # Errors
///
/// There is no HTTP/2, or the server's SETTINGS do not allow the request.
pub(crate) async fn connect<IO>(io: IO, request: &Connect) -> io::Result<Answer>
where
    IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut builder = client::Builder::new();
    builder.enable_push(false).initial_window_size(WINDOW).initial_connection_window_size(WINDOW);
    let (mut send, mut connection) = builder.handshake(io).await.map_err(io::Error::other)?;
    let ping = connection.ping_pong();
    tokio::spawn(async move {
        // How the connection ends is seen on its stream.
        let _ = connection.await;
    });
    // SETTINGS come before the answer to a PING.
    if let Some(mut ping) = ping {
        timeout(PATIENCE, ping.ping(Ping::opaque()))
            .await
            .map_err(|_| io::Error::other("the server did not answer a PING of HTTP/2"))?
            .map_err(io::Error::other)?;
    }
    if !send.is_extended_connect_protocol_enabled() {
        let why = "the server's SETTINGS do not enable extended CONNECT (RFC 8441 §3)";
        return Err(io::Error::other(why));
    }
    let (answer, stream) = send.send_request(to_http(request)?, false).map_err(io::Error::other)?;
    let response = match timeout(PATIENCE, answer).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => return Ok(Answer::Cut(error.to_string())),
        Err(_) => return Ok(Answer::Silence),
    };
    let (parts, receive) = response.into_parts();
    let mut head = Head { start: format!("HTTP/2 {}", parts.status), ..Head::default() };
    for (name, value) in &parts.headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        head.fields.push((name.to_string(), value));
    }
    Ok(Answer::Head(head, Wire::new(H2Stream::new(stream, receive))))
}

fn to_http(connect: &Connect) -> io::Result<Request<()>> {
    let Connect { scheme, authority, path, fields } = connect;
    let mut request = Request::builder()
        .method(Method::CONNECT)
        .uri(format!("{scheme}://{authority}{path}"))
        .extension(Protocol::from_static("websocket"));
    for (name, value) in fields {
        request = request.header(name.to_ascii_lowercase(), value.as_bytes());
    }
    request.body(()).map_err(io::Error::other)
}

/// Both directions of a stream.
pub(crate) struct H2Stream {
    send: SendStream<Bytes>,
    receive: RecvStream,
    unread: Bytes,
    /// Whether the peer gets no credit for what was read, as it must.
    pub(crate) is_stingy: bool,
    /// Nothing more is sent: END_STREAM or RST_STREAM is on its way.
    has_ended: bool,
}

impl H2Stream {
    pub(crate) fn new(send: SendStream<Bytes>, receive: RecvStream) -> Self {
        Self { send, receive, unread: Bytes::new(), is_stingy: false, has_ended: false }
    }
}

impl AsyncRead for H2Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.unread.is_empty() {
            match ready!(this.receive.poll_data(cx)) {
                Some(Ok(data)) => this.unread = data,
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        let count = this.unread.len().min(space.remaining());
        space.put_slice(&this.unread.split_to(count));
        // It fails on a stream that was reset, which needs no credit.
        if !this.is_stingy {
            let _ = this.receive.flow_control().release_capacity(count);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for H2Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.send.reserve_capacity(octets.len().min(64 * 1024));
        let mut room = this.send.capacity();
        if room == 0 {
            room = match ready!(this.send.poll_capacity(cx)) {
                Some(Ok(room)) => room,
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            };
        }
        let mut piece = octets.get(..room).unwrap_or(octets);
        let count = piece.len();
        let sent = this.send.send_data(piece.copy_to_bytes(count), false);
        Poll::Ready(sent.map(|()| count).map_err(io::Error::other))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !std::mem::replace(&mut this.has_ended, true) {
            this.send.send_data(Bytes::new(), true).map_err(io::Error::other)?;
        }
        Poll::Ready(Ok(()))
    }
}

impl Duplex for H2Stream {
    fn reset(&mut self) {
        self.has_ended = true;
        self.send.send_reset(Reason::CANCEL);
    }
}

impl Drop for H2Stream {
    /// As a TCP connection that is dropped: an end in order.
    fn drop(&mut self) {
        if !self.has_ended {
            // The peer may have reset the stream; then there is nothing to end.
            let _ = self.send.send_data(Bytes::new(), true);
        }
    }
}

impl fmt::Debug for H2Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("H2Stream").field("id", &self.send.stream_id()).finish_non_exhaustive()
    }
}
