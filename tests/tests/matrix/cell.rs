//! One square of the matrix: a runtime, a carrier, with or without compression, and how a case gets
//! a server and clients there.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_channel::oneshot;
use ws_stack::endpoint::{
    AcceptOptions, Client, Config, ConnectOptions, Drained, Error, Server, Shutdown, WebSocket,
};
use ws_tests::{Carrier, Certificates, distrustful};

use crate::platform::{Platform, within};

#[derive(Clone)]
pub(crate) struct Cell<N: Platform> {
    pub(crate) net: N,
    pub(crate) carrier: Carrier,
    pub(crate) deflate: bool,
    certificates: &'static Certificates,
}

/// A server that runs, and how it ends.
pub(crate) struct Running {
    pub(crate) url: String,
    pub(crate) shutdown: Shutdown,
    pub(crate) drained: oneshot::Receiver<Drained>,
}

impl<N: Platform> Cell<N> {
    pub(crate) fn new(
        carrier: Carrier,
        deflate: bool,
        certificates: &'static Certificates,
    ) -> Self {
        Self { net: N::default(), carrier, deflate, certificates }
    }

    pub(crate) fn accept_options(&self) -> AcceptOptions {
        let deflate = self.deflate.then(Default::default);
        AcceptOptions { deflate, ..AcceptOptions::default() }
    }

    /// The options of a server whose sessions are changed by `change`.
    pub(crate) fn accept_with(&self, change: impl FnOnce(&mut Config)) -> AcceptOptions {
        let mut session = Config::default();
        change(&mut session);
        AcceptOptions { session: Arc::new(session), ..self.accept_options() }
    }

    pub(crate) fn connect_options(&self) -> ConnectOptions {
        let deflate = self.deflate.then(Default::default);
        ConnectOptions { deflate, ..ConnectOptions::default() }
    }

    /// A server that listens over this carrier.
    pub(crate) fn listen(&self, options: AcceptOptions) -> Server<N> {
        let server = Server::new(self.net.clone()).with_options(options);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let certificate = Arc::clone(&self.certificates.server);
        let listening = match self.carrier {
            Carrier::H1 | Carrier::H2 => server.listen(address),
            Carrier::H1Tls | Carrier::H2Tls => server.listen_tls(address, certificate),
            Carrier::H3 => server.listen_tls_and_h3(address, certificate),
        };
        listening.expect("a port")
    }

    /// Runs a server beside the case.
    pub(crate) fn serve<F, Fut>(&self, server: Server<N>, task: F) -> Running
    where
        F: Fn(WebSocket<N>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let url = server.urls().next().expect("it listens");
        let shutdown = server.shutdown_handle();
        let (end, drained) = oneshot::channel();
        self.net.spawn(async move {
            // Most cases do not ask how their server ended.
            let _ = end.send(server.serve(task).await);
        });
        Running { url, shutdown, drained }
    }

    /// An echo server with ordinary options.
    pub(crate) fn echo(&self) -> Running {
        self.serve(self.listen(self.accept_options()), echo)
    }

    /// A server whose one connection is given to `task`, and what the task made of it.
    pub(crate) fn once<F, Fut, T>(
        &self,
        options: AcceptOptions,
        task: F,
    ) -> (String, oneshot::Receiver<T>)
    where
        F: Fn(WebSocket<N>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let (report, reported) = oneshot::channel();
        let report = Arc::new(std::sync::Mutex::new(Some(report)));
        let running = self.serve(self.listen(options), move |websocket| {
            let report = report.lock().expect("no panic").take().expect("one connection");
            let task = task(websocket);
            async move {
                // The case may be over.
                let _ = report.send(task.await);
            }
        });
        (running.url, reported)
    }

    pub(crate) fn client(&self) -> Client<N> {
        let client = Client::new(self.net.clone()).with_http(self.carrier.policy());
        client.with_tls(Arc::clone(&self.certificates.trust))
    }

    /// A client that trusts nobody.
    pub(crate) fn distrustful_client(&self) -> Client<N> {
        let client = Client::new(self.net.clone()).with_http(self.carrier.policy());
        client.with_tls(distrustful())
    }

    pub(crate) async fn try_connect(&self, url: &str) -> Result<WebSocket<N>, Error> {
        self.client().connect(url, &self.connect_options()).await
    }

    pub(crate) async fn connect(&self, url: &str) -> WebSocket<N> {
        let websocket = self.try_connect(url).await.expect("open");
        assert_eq!(websocket.transport().http_version(), self.carrier.version());
        websocket
    }

    pub(crate) async fn within<F: Future>(&self, limit: Duration, future: F) -> Option<F::Output> {
        within(&self.net, limit, future).await
    }

    /// The time since `start`, which must be `expected` or a little more.
    pub(crate) fn elapsed(&self, start: Instant, expected: Duration) -> Duration {
        let elapsed = self.net.now().saturating_duration_since(start);
        assert!(elapsed >= expected, "{elapsed:?} is before {expected:?}");
        assert!(elapsed < expected + SLACK, "{elapsed:?} is long after {expected:?}");
        elapsed
    }
}

/// Echoes data until the connection ends.
pub(crate) async fn echo<N: Platform>(mut websocket: WebSocket<N>) {
    while let Some(Ok(message)) = websocket.next().await {
        if message.data_kind().is_some() {
            // Refused once a goodbye is under way, which `next` sees to its end.
            let _ = websocket.feed(message).await;
        }
    }
}

/// Bytes without a pattern: what cannot be compressed.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> =
        std::iter::repeat_with(&mut next).take(length / 4 + 1).flatten().collect();
    bytes.truncate(length);
    bytes
}

/// How late a deadline may be noticed on a machine that is busy with other tests. The deadlines that are
/// there unless one is set are later still.
const SLACK: Duration = Duration::from_secs(3);
