//! The three adapters have the same names: a program changes its runtime by changing one word.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// One program, written down once for each adapter.
macro_rules! program {
    ($adapter:ident, $runtime:ident, $stream:ty) => {
        mod $adapter {
            use super::*;
            use ws_stack::$adapter::{
                self as ws, AcceptOptions, ByteStream, Cause, Client, CloseCode, CloseFrame,
                Config, ConnectOptions, ConnectQueue, Drained, Error, H2Options, Handler,
                HttpPolicy, HttpVersion, Io, Limits, Message, OriginPolicy, Outcome, Page,
                QuicOptions, Refusal, Remote, Request, Sender, Server, Shutdown, Stream,
                SubprotocolPolicy, TcpListener, Timer, TransportError, UpgradeInfo, Utf8Bytes,
                WebSocket, WebSocketOver, $runtime,
            };

            async fn echo(mut websocket: WebSocket) {
                while let Some(Ok(message)) = websocket.next().await {
                    if message.data_kind().is_some() && websocket.feed(message).await.is_err() {
                        break;
                    }
                }
            }

            pub(super) async fn run() {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                let server: Server = ws::server()
                    .with_options(AcceptOptions::default())
                    .with_pages(|_| None::<Page>)
                    .with_h2(H2Options::default())
                    .with_quic(QuicOptions::default())
                    .with_route(|_: &Request, _: &Remote| Ok::<(), Refusal>(()))
                    .listen(address)
                    .expect("a port");
                let url = server.urls().next().expect("it listens");
                let server_address = server.local_addrs().next().expect("it listens");
                let shutdown: Shutdown = server.shutdown_handle();
                let mut serving = Box::pin(server.serve(echo));
                let talking = async {
                    let mut first: WebSocket = ws::connect(&url).await.expect("open");
                    let options = ConnectOptions::default();
                    let mut second = ws::connect_with(&url, &options).await.expect("open");
                    let client: Client = ws::client().with_http(HttpPolicy::default());
                    let mut third = client
                        .with_queue(ConnectQueue::default())
                        .connect(&url, &options)
                        .await
                        .expect("open");
                    for websocket in [&mut first, &mut second, &mut third] {
                        let hello = Message::Text(Utf8Bytes::from_static("hello"));
                        websocket.send(hello.clone()).await.expect("sent");
                        assert_eq!(websocket.next().await.expect("open").expect("echo"), hello);
                        let outcome: &Outcome =
                            websocket.close(CloseCode::NORMAL, "").await.expect("a valid code");
                        assert!(matches!(outcome.cause, Cause::Normal));
                    }
                    drop((first, second, third));
                    let port = server_address.port();
                    let stream = <$stream>::connect(("127.0.0.1", port)).await.expect("connected");
                    let mut fourth: WebSocketOver<$stream> =
                        ws::connect_over(stream, &url, &options).await.expect("open");
                    assert_eq!(fourth.peer_addr(), Some(server_address));
                    let outcome = fourth.close(CloseCode::NORMAL, "").await.expect("a valid code");
                    assert!(outcome.clean);
                    shutdown.drain(Duration::from_secs(5));
                };
                let mut talking = Box::pin(talking);
                let mut talked = false;
                let drained: Drained = std::future::poll_fn(|cx| {
                    talked = talked || talking.as_mut().poll(cx).is_ready();
                    serving.as_mut().poll(cx)
                })
                .await;
                assert_eq!((drained.cut, talked), (0, true));
            }

            /// Never called: it only has to compile.
            #[expect(dead_code, reason = "names and signatures are all that is tested")]
            async fn names(
                stream: <$runtime as ws_stack::endpoint::Net>::Tcp,
                handler: impl Handler,
                rest: (CloseFrame, Config, Limits, OriginPolicy, SubprotocolPolicy),
                types: (
                    Stream<$runtime>,
                    HttpVersion,
                    TcpListener,
                    Timer,
                    TransportError,
                    UpgradeInfo,
                    Sender,
                ),
            ) -> Result<(), Error> {
                let stream: Io<_> = stream;
                let _ = ws::accept(stream.into_inner()).await?;
                let websocket: WebSocket = ws::connect("ws://localhost/").await?;
                let stream: &Stream<$runtime> = websocket.transport();
                let _: HttpVersion = stream.http_version();
                let _: ByteStream = websocket.into_byte_stream();
                drop((handler, rest, types));
                Ok(())
            }

            /// What its methods take and give can be named without another crate.
            #[expect(dead_code, reason = "names and signatures are all that is tested")]
            async fn words<H: Handler>(
                websocket: WebSocket,
                handler: H,
                inbox: ws::Inbox<H::Info>,
                sending: (ws::Compress, ws::Prepared, ws::SendError, ws::TrySendError),
                failing: (ws::FrameError, ws::HandshakeError, ws::UnexpectedResponse),
                handling: (ws::Flow, ws::Mailbox<()>, ws::MailboxError<()>, ws::Fault<()>),
                _: (&ws::Peer<'_, ()>, &ws::Parts<Stream<$runtime>, $runtime>, &ws::Session),
            ) -> ws::Terminated<H, Stream<$runtime>, $runtime> {
                drop((sending, failing, handling));
                let (mut reader, mut writer): (ws::Reader, ws::Writer) = websocket.split();
                let _: Option<Result<ws::Chunk, Error>> = reader.next_chunk().await;
                let _ = writer.feed_fragment(ws::DataKind::Text, "".into(), true).await;
                let parted = |ws::ReuniteError { .. }| "of one connection";
                let websocket = reader.reunite(writer).map_err(parted).expect("both");
                let _: &str = ws::Transport::name(websocket.transport());
                let _ = ws::mailbox::<()>(1);
                ws::run(websocket, handler, inbox).await
            }

            #[expect(dead_code, reason = "names and signatures are all that is tested")]
            fn tls(client: Client, config: ws::rustls::ClientConfig) -> Client {
                client.with_tls(Arc::new(config))
            }

            #[expect(dead_code, reason = "names and signatures are all that is tested")]
            async fn options(stream: <$runtime as ws_stack::endpoint::Net>::Tcp) {
                let options = Arc::new(AcceptOptions::default());
                let _ = ws::accept_with(stream.into_inner(), options).await;
            }
        }
    };
}

program!(tokio, Tokio, ::tokio::net::TcpStream);
program!(async_std, AsyncStd, ::async_std::net::TcpStream);
program!(smol, Smol, ::smol::net::TcpStream);

#[test]
fn one_program_runs_on_every_runtime() {
    let runtime = ::tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(tokio::run());
    ::async_std::task::block_on(async_std::run());
    ::smol::block_on(smol::run());
}
