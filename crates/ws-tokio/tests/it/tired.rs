//! Everything in tasks that have used up what tokio lets them do in one turn, at one poll or another.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::time::timeout;
use ws_endpoint::{Client, Net, Server};
use ws_io::Runtime;
use ws_tokio::{CloseCode, ConnectOptions, HttpPolicy, Io, Message, Tokio};

use crate::support::{certificates, serve, use_up_the_turn};

/// Polls `task` now and then when it may do nothing any more.
async fn tired<F: Future>(seed: u64, task: F) -> F::Output {
    let (mut task, mut random) = (pin!(task), seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    poll_fn(|cx| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        if random & 4096 != 0 {
            use_up_the_turn(cx);
        }
        task.as_mut().poll(cx)
    })
    .await
}

/// tokio, whose tasks are all tired.
#[derive(Clone, Copy, Debug)]
struct Tired;

static SEED: AtomicU64 = AtomicU64::new(1);

fn seed() -> u64 {
    SEED.fetch_add(1, Ordering::Relaxed)
}

impl Runtime for Tired {
    type Timer = <Tokio as Runtime>::Timer;

    fn now(&self) -> Instant {
        Tokio.now()
    }

    fn timer(&self, at: Instant) -> Self::Timer {
        Tokio.timer(at)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(tired(seed(), task));
    }
}

impl Net for Tired {
    type Tcp = Io<TcpStream>;
    type TcpListener = <Tokio as Net>::TcpListener;
    #[cfg(unix)]
    type Unix = Io<UnixStream>;
    #[cfg(unix)]
    type UnixListener = <Tokio as Net>::UnixListener;

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Net::resolve(&Tokio, host, port).await
    }

    async fn connect_tcp(&self, address: SocketAddr) -> io::Result<Self::Tcp> {
        Tokio.connect_tcp(address).await
    }

    fn listen_tcp(&self, socket: std::net::TcpListener) -> io::Result<Self::TcpListener> {
        Tokio.listen_tcp(socket)
    }

    #[cfg(feature = "h3")]
    fn quic_runtime(&self) -> io::Result<std::sync::Arc<dyn quinn::Runtime>> {
        Ok(std::sync::Arc::new(TiredQuic))
    }

    #[cfg(unix)]
    async fn connect_unix(&self, path: &Path) -> io::Result<Self::Unix> {
        Tokio.connect_unix(path).await
    }

    #[cfg(unix)]
    fn listen_unix(
        &self,
        socket: std::os::unix::net::UnixListener,
    ) -> io::Result<Self::UnixListener> {
        Tokio.listen_unix(socket)
    }
}

#[cfg(feature = "h3")]
#[derive(Debug)]
struct TiredQuic;

#[cfg(feature = "h3")]
impl quinn::Runtime for TiredQuic {
    fn new_timer(&self, at: Instant) -> std::pin::Pin<Box<dyn quinn::AsyncTimer>> {
        quinn::TokioRuntime.new_timer(at)
    }

    fn spawn(&self, future: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>) {
        tokio::spawn(tired(seed(), future));
    }

    fn wrap_udp_socket(
        &self,
        socket: std::net::UdpSocket,
    ) -> io::Result<std::sync::Arc<dyn quinn::AsyncUdpSocket>> {
        quinn::TokioRuntime.wrap_udp_socket(socket)
    }
}

/// How messages go: the version, and whether in TLS.
const WAYS: &[(HttpPolicy, bool)] = &[
    (HttpPolicy::H1, false),
    (HttpPolicy::H1, true),
    #[cfg(feature = "h2")]
    (HttpPolicy::H2, false),
    #[cfg(feature = "h2")]
    (HttpPolicy::H2, true),
    #[cfg(feature = "h3")]
    (HttpPolicy::H3, true),
];

async fn talk(client: &Client<Tired>, url: &str, size: usize) {
    let options = ConnectOptions::default();
    let mut websocket = client.connect(url, &options).await.expect("open");
    let large = Message::Binary(vec![7; size].into());
    for message in [Message::text("a"), large.clone(), Message::text("b")] {
        websocket.send(message.clone()).await.expect("sent");
        let echoed = websocket.next().await.expect("an echo").expect("no failure");
        assert!(echoed == message);
    }
    let (mut reader, mut writer) = websocket.split();
    let (echoed, ()) = tokio::join!(
        tired(seed(), async { reader.next().await.expect("an echo").expect("no failure") }),
        tired(seed(), async { writer.send(large.clone()).await.expect("sent") }),
    );
    assert!(echoed == large);
    let mut websocket = reader.reunite(writer).expect("of one connection");
    let outcome = websocket.close(CloseCode::NORMAL, "").await.expect("a valid code");
    assert!(outcome.clean);
}

#[tokio::test]
async fn nothing_is_lost_in_tasks_that_have_used_up_their_turn() {
    for round in 0..2 {
        for &(policy, is_secure) in WAYS {
            let (certificate, trust) = certificates();
            let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
            let server = Server::new(Tired);
            let server = match policy {
                #[cfg(feature = "h3")]
                HttpPolicy::H3 => server.listen_tls_and_h3(anywhere, certificate),
                _ if is_secure => server.listen_tls(anywhere, certificate),
                _ => server.listen(anywhere),
            };
            let server = server.expect("a port");
            let url = server.urls().next().expect("it listens").replace("127.0.0.1", "localhost");
            let client = Client::new(Tired).with_tls(trust).with_http(policy);
            let shutdown = server.shutdown_handle();
            let serving = tokio::spawn(tired(
                seed(),
                server.serve(|mut websocket| async move {
                    while let Some(Ok(message)) = websocket.next().await {
                        if message.data_kind().is_some() {
                            let _ = websocket.feed(message).await;
                        }
                    }
                }),
            ));
            let all = tired(seed(), async {
                tokio::join!(
                    tired(seed(), talk(&client, &url, 300_000)),
                    tired(seed(), talk(&client, &url, 3_000)),
                    tired(seed(), talk(&client, &url, 70_000)),
                );
                let mut left =
                    client.connect(&url, &ConnectOptions::default()).await.expect("open");
                shutdown.drain(Duration::from_secs(20));
                while left.next().await.is_some() {}
                left.outcome().expect("it has ended").code
            });
            let code = timeout(Duration::from_secs(30), all).await;
            let code = code.unwrap_or_else(|_| panic!("{policy:?} {is_secure} {round}: hangs"));
            assert_eq!(code, CloseCode::GOING_AWAY);
            drop(client);
            let drained = timeout(Duration::from_secs(30), serving).await;
            let drained =
                drained.unwrap_or_else(|_| panic!("{policy:?} {is_secure} {round}: drain"));
            assert_eq!(drained.expect("no panic").cut, 0, "{policy:?} {is_secure}");
        }
    }
}

#[tokio::test]
async fn a_task_that_never_has_anything_left_of_its_turn_opens_and_talks() {
    for is_secure in [false, true] {
        let (certificate, trust) = certificates();
        let (server, anywhere) = (ws_tokio::server(), SocketAddr::from(([127, 0, 0, 1], 0)));
        let server = if is_secure {
            server.listen_tls(anywhere, certificate)
        } else {
            server.listen(anywhere)
        };
        let (url, _shutdown) = serve(server.expect("a port"));
        let url = url.replace("127.0.0.1", "localhost");
        let client = ws_tokio::client().with_tls(trust);
        let mut talking = pin!(async {
            let options = ConnectOptions::default();
            let mut websocket = client.connect(&url, &options).await.expect("open");
            websocket.send(Message::text("a")).await.expect("sent");
            let echoed = websocket.next().await.expect("an echo").expect("no failure");
            assert!(echoed == Message::text("a"));
            let outcome = websocket.close(CloseCode::NORMAL, "").await.expect("a valid code");
            assert!(outcome.clean);
        });
        let talking = poll_fn(|cx| {
            use_up_the_turn(cx);
            talking.as_mut().poll(cx)
        });
        talking.await;
    }
}
