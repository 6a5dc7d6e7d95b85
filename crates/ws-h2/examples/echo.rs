//! An echo server and a checking client over HTTP/2, from this crate, `ws-h2-upgrade` and `ws-io`.
//!
//! ```text
//! cargo run -p ws-h2 --features deflate --example echo -- serve [CA-OUT]     TLS if CA-OUT is given
//! cargo run -p ws-h2 --features deflate --example echo -- connect URL [CA]
//! ```

#![expect(clippy::print_stdout, reason = "this is a program")]

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::BytesMut;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use ws_h2::{Client, ClientConfig, H2Stream, Request, Server, ServerConfig, WebSocketRequest};
use ws_h2_upgrade::{HeaderFields, SubprotocolPolicy, WsUri};
use ws_io::{
    AcceptOptions, CloseCode, ConnectOptions, Message, Runtime, Timer, UpgradeInfo, WebSocket,
};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => serve(None).await,
        ["serve", authority_out] => serve(Some(authority_out)).await,
        ["connect", url] => check(url, None).await,
        ["connect", url, authority] => check(url, Some(authority)).await,
        _ => Err("usage: echo serve [CA-OUT] | echo connect URL [CA]".into()),
    }
}

async fn serve(authority_out: Option<&str>) -> Outcome<()> {
    let tls = authority_out.map(server_tls).transpose()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let scheme = if tls.is_some() { "wss" } else { "ws" };
    println!("listening {scheme}://127.0.0.1:{}/", listener.local_addr()?.port());
    loop {
        let (socket, peer) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let tls = tls.clone();
        tokio::spawn(async move {
            let result = match tls {
                Some(tls) => match tls.accept(socket).await {
                    Ok(stream) => serve_connection(stream, peer).await,
                    Err(error) => Err(error.into()),
                },
                None => serve_connection(socket, peer).await,
            };
            if let Err(error) = result {
                println!("{peer}: {error}");
            }
        });
    }
}

async fn serve_connection<IO>(io: IO, peer: SocketAddr) -> Outcome<()>
where
    IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut server = Server::accept(io, Some(peer), Tokio, &ServerConfig::default()).await?;
    while let Some(request) = server.next().await {
        match request {
            Request::WebSocket(request) => match accept(request) {
                Ok(websocket) => drop(tokio::spawn(echo(websocket))),
                Err(error) => println!("{peer}: {error}"),
            },
            Request::Http(request) => {
                request.respond(http::Response::new(&b"an echo server\n"[..]))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Judges a request and answers it.
fn accept(request: WebSocketRequest) -> Outcome<WebSocket<H2Stream, Tokio>> {
    let options = AcceptOptions {
        #[cfg(feature = "deflate")]
        deflate: Some(Default::default()),
        ..AcceptOptions::default()
    };
    let judged =
        ws_h2_upgrade::validate_request(&request.connect_request(), &SubprotocolPolicy::default());
    let mut upgrade = match judged {
        Ok(upgrade) => upgrade,
        Err(error) => {
            request.refuse(http::Response::<Vec<u8>>::from(error.refusal()))?;
            return Err(error.into());
        }
    };
    let agreed = options.agree(&upgrade.request)?;
    upgrade.agreement = agreed.agreement.clone();
    let response = ws_h2_upgrade::http_response(&upgrade, &HeaderFields::new())?;
    let stream = request.accept(response)?;
    let session = options.session(&agreed, BytesMut::new());
    let info = UpgradeInfo::new(upgrade.request.path);
    Ok(WebSocket::from_parts(stream, Tokio, session, info))
}

async fn echo(mut websocket: WebSocket<H2Stream, Tokio>) {
    while let Some(Ok(message)) = websocket.next().await {
        if message.data_kind().is_some() && websocket.feed(message).await.is_err() {
            return;
        }
    }
}

async fn check(url: &str, authority: Option<&str>) -> Outcome<()> {
    let uri: WsUri = url.parse()?;
    let address =
        url.split("//").nth(1).and_then(|rest| rest.split('/').next()).ok_or("no host")?;
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let config = ClientConfig::default();
    let client = match authority {
        Some(authority) => {
            let host = ServerName::try_from("127.0.0.1")?;
            let stream = client_tls(authority)?.connect(host, socket).await?;
            Client::new(stream, None, Tokio, &config).await?
        }
        None => Client::new(socket, None, Tokio, &config).await?,
    };

    let mut websocket = connect(&client, &uri).await?;
    for size in [0, 1, 125, 126, 4_000, 65_535, 65_536, 1 << 20] {
        let sent = Message::binary(vec![7; size]);
        websocket.send(sent.clone()).await?;
        if websocket.next().await.transpose()?.as_ref() != Some(&sent) {
            return Err(format!("{size} bytes came back changed").into());
        }
    }
    let start = Tokio.now();
    let mut received = 0;
    for i in 0..10_000 {
        websocket.feed(Message::text(i.to_string())).await?;
        if i % 100 == 99 {
            websocket.flush().await?;
            while received <= i {
                let message = websocket.next().await.transpose()?;
                if message != Some(Message::text(received.to_string())) {
                    return Err(format!("message {received} came back as {message:?}").into());
                }
                received += 1;
            }
        }
    }
    println!("10000 messages in flights of 100: {:?}", start.elapsed());

    let mut others = Vec::new();
    for _ in 0..50 {
        others.push(connect(&client, &uri).await?);
    }
    for (i, other) in others.iter_mut().enumerate() {
        other.send(Message::text(format!("stream {i}"))).await?;
    }
    // One leaves without a goodbye.
    drop(others.pop());
    for (i, mut other) in others.into_iter().enumerate() {
        let message = other.next().await.transpose()?;
        if message != Some(Message::text(format!("stream {i}"))) {
            return Err(format!("stream {i} received {message:?}").into());
        }
        let outcome = other.close(CloseCode::NORMAL, "").await?;
        if !outcome.clean {
            return Err(format!("stream {i} ended as {outcome:?}").into());
        }
    }
    let start = Tokio.now();
    let outcome = websocket.close(CloseCode::new(4001), "bye, größer").await?;
    println!("close: {outcome:?} after {:?}", start.elapsed());
    client.drain();
    if outcome.clean { Ok(()) } else { Err("the close was not clean".into()) }
}

async fn connect(client: &Client, uri: &WsUri) -> Outcome<WebSocket<H2Stream, Tokio>> {
    let options = ConnectOptions {
        #[cfg(feature = "deflate")]
        deflate: Some(Default::default()),
        ..ConnectOptions::default()
    };
    let offered = options.to_request();
    let request = ws_h2_upgrade::client_request(uri, &offered, Some(1))?.to_http()?;
    let (response, stream) = client.connect(request).await?;
    let status = response.status().as_u16();
    let answer = ws_h2_upgrade::validate_response(status, response.headers(), &offered)?;
    let agreed = options.agree(answer.agreement)?;
    let session = options.session(&agreed, BytesMut::new());
    Ok(WebSocket::from_parts(stream, Tokio, session, UpgradeInfo::new("/")))
}

/// A certificate made on the spot; the one to trust goes to a file.
fn server_tls(authority_out: &str) -> Outcome<TlsAcceptor> {
    let issued = rcgen::generate_simple_self_signed(["localhost".into(), "127.0.0.1".into()])?;
    std::fs::write(authority_out, issued.cert.pem())?;
    let key = PrivateKeyDer::try_from(issued.signing_key.serialize_der())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![issued.cert.der().clone()], key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config).into())
}

fn client_tls(authority: &str) -> Outcome<TlsConnector> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority)?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config).into())
}

/// The runtime; `ws-tokio` has one ready.
#[derive(Clone, Debug)]
struct Tokio;

struct Sleep(Pin<Box<tokio::time::Sleep>>);

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

impl Timer for Sleep {
    fn reset(&mut self, at: Instant) {
        self.0.as_mut().reset(at.into());
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}
