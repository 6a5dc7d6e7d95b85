//! Two ends over loopback, on tokio, with a certificate made for the occasion.
pub(crate) mod raw;

use std::future::{Future, poll_fn};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use ws_h3::{
    Client, ClientConfig, Error, H3Stream, QuicOptions, Request, Server, ServerConfig,
    ServerHandle, client_config, server_config,
};
use ws_io::{Runtime, Timer, Transport};

/// The smallest runtime there is.
#[derive(Debug, Clone)]
pub(crate) struct Tokio;

pub(crate) struct TokioTimer(Pin<Box<tokio::time::Sleep>>);

impl Runtime for Tokio {
    type Timer = TokioTimer;

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn timer(&self, at: Instant) -> TokioTimer {
        TokioTimer(Box::pin(tokio::time::sleep_until(at.into())))
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(task);
    }
}

impl Timer for TokioTimer {
    fn reset(&mut self, at: Instant) {
        self.0.as_mut().reset(at.into());
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

/// What a test may set.
#[derive(Default, Clone)]
pub(crate) struct Setup {
    pub(crate) server: ServerConfig,
    pub(crate) client: ClientConfig,
    pub(crate) server_quic: QuicOptions,
    pub(crate) client_quic: QuicOptions,
}

/// A listening endpoint and the means to reach it.
pub(crate) struct Host {
    pub(crate) setup: Setup,
    pub(crate) endpoint: quinn::Endpoint,
    pub(crate) address: SocketAddr,
    client: quinn::ClientConfig,
}

impl Host {
    pub(crate) fn new(setup: Setup) -> Self {
        let issued = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(issued.signing_key.serialize_der());
        let certificate = issued.cert.der().clone();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key.unwrap())
            .unwrap();
        let server = server_config(tls, &setup.server_quic).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate).unwrap();
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = client_config(tls, &setup.client_quic).unwrap();
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let endpoint = quinn::Endpoint::server(server, loopback).unwrap();
        let address = endpoint.local_addr().unwrap();
        Self { setup, endpoint, address, client }
    }

    pub(crate) fn client_config(&self) -> quinn::ClientConfig {
        self.client.clone()
    }

    /// A new QUIC connection to this host. The endpoint it is on lives as long as it does.
    pub(crate) async fn dial(&self) -> quinn::Connection {
        let mut endpoint =
            quinn::Endpoint::client(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        endpoint.set_default_client_config(self.client.clone());
        endpoint.connect(self.address, "localhost").unwrap().await.unwrap()
    }

    pub(crate) async fn accept_quic(&self) -> quinn::Connection {
        self.endpoint.accept().await.unwrap().accept().unwrap().await.unwrap()
    }

    pub(crate) async fn accept(&self) -> Server {
        Server::accept(self.accept_quic().await, Tokio, &self.setup.server).await.unwrap()
    }

    pub(crate) async fn client(&self) -> Client {
        Client::new(self.dial().await, Tokio, &self.setup.client).await.unwrap()
    }

    /// A client, and a server that answers as [`serve`] does.
    pub(crate) async fn pair(&self) -> (Client, ServerHandle) {
        let (client, server) = tokio::join!(self.client(), self.accept());
        let handle = server.handle();
        tokio::spawn(serve(server));
        (client, handle)
    }
}

/// Answers every request: `/echo` sends back what comes, `/stuck` never reads, `/refuse` is refused
/// with 403 and a body, `/drop` is dropped, anything else that is no WebSocket gets a page.
pub(crate) async fn serve(mut server: Server) {
    while let Some(request) = server.next().await {
        tokio::spawn(async move {
            match request {
                Request::WebSocket(request) => match request.head().uri().path() {
                    "/refuse" => {
                        let response =
                            http::Response::builder().status(403).header("x-why", "test");
                        let body = Bytes::from_static(b"not today");
                        request.refuse(response.body(body).unwrap()).await.unwrap();
                    }
                    "/drop" => drop(request),
                    "/stuck" => {
                        let stream = request.accept(http::Response::new(())).await.unwrap();
                        stream.connection().closed().await;
                    }
                    _ => {
                        let Ok(stream) = request.accept(http::Response::new(())).await else {
                            return;
                        };
                        drop(echo(stream).await);
                    }
                },
                Request::Http(request) => {
                    let response = http::Response::builder().header("content-type", "text/plain");
                    let page =
                        format!("{} {}", request.head().method(), request.head().uri().path());
                    drop(request.respond(response.body(Bytes::from(page)).unwrap()).await);
                }
                _ => unreachable!("there are two kinds of requests"),
            }
        });
    }
}

/// Sends back what comes, then ends in order.
pub(crate) async fn echo(mut stream: H3Stream) -> std::io::Result<()> {
    let mut buf = BytesMut::new();
    loop {
        if read(&mut stream, &mut buf).await? == 0 {
            return shutdown(&mut stream).await;
        }
        write_all(&mut stream, &mut buf).await?;
    }
}

pub(crate) async fn read(
    stream: &mut impl Transport,
    buf: &mut BytesMut,
) -> std::io::Result<usize> {
    poll_fn(|cx| stream.poll_read(cx, buf, 64 * 1024)).await
}

pub(crate) async fn write_all(
    stream: &mut impl Transport,
    buf: &mut impl Buf,
) -> std::io::Result<()> {
    while buf.has_remaining() {
        poll_fn(|cx| stream.poll_write(cx, buf)).await?;
    }
    poll_fn(|cx| stream.poll_flush(cx)).await
}

pub(crate) async fn shutdown(stream: &mut impl Transport) -> std::io::Result<()> {
    poll_fn(|cx| stream.poll_shutdown(cx)).await
}

/// Reads until `len` bytes came.
pub(crate) async fn read_exact(
    stream: &mut impl Transport,
    len: usize,
) -> std::io::Result<BytesMut> {
    let mut buf = BytesMut::new();
    while buf.len() < len {
        if read(stream, &mut buf).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(buf)
}

pub(crate) fn request(path: &str) -> http::Request<()> {
    let uri = format!("https://localhost{path}");
    http::Request::builder().uri(uri).header("sec-websocket-version", "13").body(()).unwrap()
}

pub(crate) async fn open(client: &Client, path: &str) -> Result<H3Stream, Error> {
    client.connect(request(path)).await.map(|(_, stream)| stream)
}

/// Fails a test that hangs.
pub(crate) async fn soon<T>(task: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), task).await.expect("this takes too long")
}

/// Whether the echo service on `client` works.
pub(crate) async fn is_healthy(client: &Client) -> bool {
    let Ok(mut stream) = open(client, "/echo").await else { return false };
    let sent = write_all(&mut stream, &mut &b"are you well?"[..]).await;
    sent.is_ok() && read_exact(&mut stream, 13).await.is_ok_and(|buf| buf == "are you well?")
}
