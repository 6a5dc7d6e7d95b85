//! A runtime, a pair of connected ends, and streams as futures.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use http::{Method, Request, Response};
use tokio::io::DuplexStream;
use ws_h2::{Client, ClientConfig, H2Stream, Server, ServerConfig};
use ws_io::{Runtime, Timer, Transport};

/// Tokio, with its clock, which a test may pause.
#[derive(Clone, Debug)]
pub(crate) struct Tokio;

impl Runtime for Tokio {
    type Timer = Sleep;

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn timer(&self, at: Instant) -> Sleep {
        Sleep(Box::pin(tokio::time::sleep_until(at.into())))
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(tokio::spawn(task));
    }
}

pub(crate) struct Sleep(Pin<Box<tokio::time::Sleep>>);

impl Timer for Sleep {
    fn reset(&mut self, at: Instant) {
        self.0.as_mut().reset(at.into());
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

/// A client and a server that are connected.
pub(crate) async fn pair(server: &ServerConfig, client: &ClientConfig) -> (Server, Client) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (server, client) = tokio::join!(
        Server::accept(far, None, Tokio, server),
        Client::new(near, None, Tokio, client)
    );
    (server.unwrap(), client.unwrap())
}

/// A client whose server is the plain `h2` crate.
pub(crate) async fn with_h2_server(
    builder: &h2::server::Builder,
    client: &ClientConfig,
) -> (h2::server::Connection<DuplexStream, Bytes>, Client) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (server, client) =
        tokio::join!(builder.handshake(far), Client::new(near, None, Tokio, client));
    (server.unwrap(), client.unwrap())
}

/// A server whose client is the plain `h2` crate; its connection is driven.
pub(crate) async fn with_h2_client(
    server: &ServerConfig,
) -> (Server, h2::client::SendRequest<Bytes>) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (server, client) =
        tokio::join!(Server::accept(far, None, Tokio, server), h2::client::handshake(near));
    let (mut send, mut connection) = client.unwrap();
    let mut ping = connection.ping_pong().unwrap();
    tokio::spawn(connection);
    ping.ping(h2::Ping::opaque()).await.unwrap();
    send = send.ready().await.unwrap();
    (server.unwrap(), send)
}

/// Accepts every WebSocket and sends back what comes, until the client ends.
pub(crate) fn serve_echo(mut server: Server) {
    tokio::spawn(async move {
        while let Some(request) = server.next().await {
            let ws_h2::Request::WebSocket(request) = request else { continue };
            // A client may have thought better of it.
            let Ok(stream) = request.accept(Response::new(())) else { continue };
            tokio::spawn(echo(stream));
        }
    });
}

pub(crate) async fn echo(mut stream: H2Stream) -> io::Result<()> {
    let mut buf = BytesMut::new();
    while stream.read(&mut buf).await? > 0 {
        stream.write(&mut buf).await?;
    }
    stream.shutdown().await
}

/// The request that opens a WebSocket.
pub(crate) fn request() -> Request<()> {
    let request = Request::builder().method(Method::CONNECT).uri("https://a.example/chat");
    request.header("sec-websocket-version", "13").body(()).unwrap()
}

/// The same for the plain `h2` crate.
pub(crate) fn h2_request(protocol: &'static str) -> Request<()> {
    let mut request = request();
    *request.version_mut() = http::Version::HTTP_2;
    request.extensions_mut().insert(h2::ext::Protocol::from_static(protocol));
    request
}

/// A stream both ends of which we hold.
pub(crate) async fn open(server: &mut Server, client: &Client) -> (H2Stream, H2Stream) {
    let accepted = async {
        let Some(ws_h2::Request::WebSocket(request)) = server.next().await else {
            panic!("no websocket request")
        };
        request.accept(Response::new(())).unwrap()
    };
    let (accepted, opened) = tokio::join!(accepted, client.connect(request()));
    (accepted, opened.unwrap().1)
}

/// Transports as futures.
pub(crate) trait TransportExt: Transport {
    async fn read(&mut self, buf: &mut BytesMut) -> io::Result<usize> {
        poll_fn(|cx| self.poll_read(cx, buf, 16 * 1024)).await
    }

    /// Writes all of `buf`.
    async fn write(&mut self, buf: &mut impl Buf) -> io::Result<()> {
        while buf.has_remaining() {
            if poll_fn(|cx| self.poll_write(cx, buf)).await? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_shutdown(cx)).await
    }

    /// Reads until `len` bytes or the end have come.
    async fn read_len(&mut self, len: usize) -> io::Result<BytesMut> {
        let mut buf = BytesMut::new();
        while buf.len() < len && self.read(&mut buf).await? > 0 {}
        Ok(buf)
    }
}

impl<T: Transport> TransportExt for T {}

/// Lets everything happen that can happen without time passing.
pub(crate) async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// Bytes that differ from place to place.
pub(crate) fn pattern(len: usize) -> Bytes {
    (0..len).map(|i| u8::try_from(i % 251).unwrap()).collect()
}

pub(crate) const SOON: Duration = Duration::from_secs(20);
