//! A server over HTTP/3 that reports what its WebSockets saw, and clients for it.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use ws_stack::endpoint::{AcceptOptions, ConnectOptions, Error, HttpPolicy, Outcome};
use ws_stack::tokio::{Client, Server, WebSocket, client, server};
use ws_tests::certificates;

/// What became of one WebSocket on the server.
pub(crate) struct Report {
    pub(crate) messages: usize,
    /// The addresses they came from.
    pub(crate) peers: BTreeSet<SocketAddr>,
    /// The last thing that `next` said, when that was an error.
    pub(crate) error: Option<Error>,
    websocket: WebSocket,
}

impl Report {
    pub(crate) fn outcome(&self) -> &Outcome {
        self.websocket.outcome().expect("it has ended")
    }
}

/// A server that runs beside the test.
pub(crate) struct Echo {
    pub(crate) address: SocketAddr,
    pub(crate) reports: mpsc::UnboundedReceiver<Report>,
}

impl Echo {
    /// Echoes on a port of its own.
    pub(crate) fn start(options: AcceptOptions) -> Self {
        Self::run(server().with_options(options))
    }

    pub(crate) fn run(server: Server) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let tls = Arc::clone(&certificates().server);
        let server = server.listen_h3(address, tls).expect("a port");
        let address = server.local_addrs().next().expect("it listens");
        let (sender, reports) = mpsc::unbounded_channel();
        tokio::spawn(server.serve(move |websocket| {
            let sender = sender.clone();
            async move {
                // Most tests do not ask.
                let _ = sender.send(echo(websocket).await);
            }
        }));
        Self { address, reports }
    }
}

async fn echo(mut websocket: WebSocket) -> Report {
    let (mut messages, mut peers, mut error) = (0, BTreeSet::new(), None);
    while let Some(message) = websocket.next().await {
        match message {
            Ok(message) if message.data_kind().is_some() => {
                messages += 1;
                peers.extend(websocket.peer_addr());
                // Refused once a goodbye is under way, which `next` sees to its end.
                let _ = websocket.feed(message).await;
            }
            Ok(_) => {}
            Err(end) => error = Some(end),
        }
    }
    Report { messages, peers, error, websocket }
}

/// A client that speaks HTTP/3 alone and trusts the server.
pub(crate) fn h3_client() -> Client {
    client().with_http(HttpPolicy::H3).with_tls(Arc::clone(&certificates().trust))
}

/// Opens a WebSocket through whatever listens at `address`.
pub(crate) async fn open(client: &Client, address: SocketAddr, deflate: bool) -> WebSocket {
    let options = ConnectOptions {
        deflate: deflate.then(Default::default),
        handshake_timeout: Duration::from_secs(60),
        ..ConnectOptions::default()
    };
    client.connect(&format!("wss://{address}/"), &options).await.expect("open")
}

/// Fails a test that hangs.
pub(crate) async fn soon<T>(task: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), task).await.expect("this takes too long")
}
