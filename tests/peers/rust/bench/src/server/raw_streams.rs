//! The limits over HTTP/2 and HTTP/3: the same echo on bare streams, by the `h2` crate and by `h3`
//! with `h3-quinn`, as their documentation shows. Raw sends back what comes; the floor makes of it
//! just enough WebSocket, trusting its peer as [`floor`](super::floor) does.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use h2::{RecvStream, SendStream};
use http::Response;
use quinn::crypto::rustls::QuicServerConfig;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use ws_h3::QuicOptions;

use super::floor::parse;
use super::{announce, certificate, raw};
use crate::wire;

/// What is sent back for what comes on a stream.
#[derive(Clone, Copy)]
pub enum Echo {
    Raw,
    /// Raw that ends the stream with its first answer.
    Once,
    Floor,
}

/// One stream's way of answering.
struct Answers {
    echo: Echo,
    /// The beginning of a frame.
    input: Vec<u8>,
}

impl Answers {
    fn new(echo: Echo) -> Self {
        Self { echo, input: Vec::new() }
    }

    /// Whether nothing comes behind the first answer.
    fn ends(&self) -> bool {
        matches!(self.echo, Echo::Once)
    }

    fn to(&mut self, data: Bytes) -> Bytes {
        if let Echo::Raw | Echo::Once = self.echo {
            return data;
        }
        self.input.extend_from_slice(&data);
        let (mut at, mut output) = (0, Vec::with_capacity(self.input.len()));
        while let Some(frame) = parse(&self.input[at..]) {
            let start = at + frame.header;
            at = start + frame.payload;
            wire::unmask(frame.key, &mut self.input[start..at]);
            wire::server_frame(frame.opcode, &self.input[start..at], &mut output);
        }
        self.input.drain(..at);
        output.into()
    }
}

/// HTTP/2 in cleartext.
pub async fn serve_h2(echo: Echo) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    announce(listener.local_addr()?.port())?;
    loop {
        let (tcp, _) = listener.accept().await?;
        tcp.set_nodelay(true)?;
        tokio::spawn(async move {
            let mut builder = h2::server::Builder::new();
            builder.initial_window_size(256 * 1024).initial_connection_window_size(64 << 20);
            builder.enable_connect_protocol();
            let Ok(mut connection) = builder.handshake(tcp).await else { return };
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                let Ok(send) = respond.send_response(Response::new(()), false) else { continue };
                tokio::spawn(echo_h2(send, request.into_body(), Answers::new(echo)));
            }
        });
    }
}

async fn echo_h2(
    mut send: SendStream<Bytes>,
    mut recv: RecvStream,
    mut answers: Answers,
) -> Option<()> {
    loop {
        let data = recv.data().await?.ok()?;
        recv.flow_control().release_capacity(data.len()).ok()?;
        let mut data = answers.to(data);
        while !data.is_empty() {
            send.reserve_capacity(data.len());
            let mut capacity = send.capacity();
            if capacity == 0 {
                capacity = poll_fn(|cx| send.poll_capacity(cx)).await?.ok()?;
            }
            let now = data.split_to(capacity.min(data.len()));
            send.send_data(now, answers.ends() && data.is_empty()).ok()?;
        }
    }
}

/// TLS on a connection of TCP.
pub async fn serve_tls() -> io::Result<()> {
    let (tls, der) = certificate::make().map_err(io::Error::other)?;
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    certificate::publish(port, &der).map_err(io::Error::other)?;
    announce(port)?;
    loop {
        let (tcp, _) = listener.accept().await?;
        tcp.set_nodelay(true)?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            if let Ok(stream) = acceptor.accept(tcp).await {
                let _ended = raw::echo_on(stream).await;
            }
        });
    }
}

/// HTTP/3.
pub async fn serve_h3(echo: Echo, quic: QuicOptions) -> io::Result<()> {
    let (mut tls, der) = certificate::make().map_err(io::Error::other)?;
    tls.alpn_protocols = vec![b"h3".to_vec()];
    let crypto = QuicServerConfig::try_from(tls).map_err(io::Error::other)?;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    config.transport_config(Arc::new(quic.transport_config()));
    let endpoint = quinn::Endpoint::server(config, ([127, 0, 0, 1], 0).into())?;
    let port = endpoint.local_addr()?.port();
    certificate::publish(port, &der).map_err(io::Error::other)?;
    announce(port)?;
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(async move {
            let Ok(quic) = incoming.await else { return };
            let quic = h3_quinn::Connection::new(quic);
            // Frames that say nothing, of which it otherwise sends one at the end of each stream.
            let mut builder = h3::server::builder();
            builder.send_grease(false);
            let Ok(mut connection) = builder.build::<_, Bytes>(quic).await else { return };
            while let Ok(Some(request)) = connection.accept().await {
                tokio::spawn(async move {
                    let Ok((_, mut stream)) = request.resolve_request().await else { return };
                    if stream.send_response(Response::new(())).await.is_err() {
                        return;
                    }
                    let mut answers = Answers::new(echo);
                    while let Ok(Some(mut data)) = stream.recv_data().await {
                        let data = answers.to(data.copy_to_bytes(data.remaining()));
                        if !data.is_empty() && stream.send_data(data).await.is_err() {
                            return;
                        }
                        if answers.ends() && stream.finish().await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
    }
    Ok(())
}
