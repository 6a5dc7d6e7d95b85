//! A server and a client for one carrier.

use std::net::SocketAddr;

use tokio::task::JoinHandle;
use ws_tokio::{
    AcceptOptions, Client, ConnectOptions, Drained, Error, HttpPolicy, HttpVersion, Server,
    Shutdown, WebSocket,
};

use crate::support::{certificates, echo};

/// A way for messages to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    H1,
    H1Tls,
    #[cfg(feature = "h2")]
    H2,
    #[cfg(feature = "h2")]
    H2Tls,
    #[cfg(feature = "h3")]
    H3,
}

/// A server that runs for the rest of the test, and a client for it.
pub(crate) struct House {
    pub(crate) url: String,
    pub(crate) client: Client,
    pub(crate) shutdown: Shutdown,
    pub(crate) serving: JoinHandle<Drained>,
}

impl Over {
    pub(crate) fn version(self) -> HttpVersion {
        match self {
            Self::H1 | Self::H1Tls => HttpVersion::H1,
            #[cfg(feature = "h2")]
            Self::H2 | Self::H2Tls => HttpVersion::H2,
            #[cfg(feature = "h3")]
            Self::H3 => HttpVersion::H3,
        }
    }

    pub(crate) fn policy(self) -> HttpPolicy {
        match self {
            Self::H1 | Self::H1Tls => HttpPolicy::H1,
            #[cfg(feature = "h2")]
            Self::H2 | Self::H2Tls => HttpPolicy::H2,
            #[cfg(feature = "h3")]
            Self::H3 => HttpPolicy::H3,
        }
    }

    /// An echo server with these options.
    pub(crate) fn house(self, options: AcceptOptions) -> House {
        self.serve(ws_tokio::server().with_options(options), echo)
    }

    /// A server put together by the test, with a task of its own for each WebSocket.
    pub(crate) fn serve<F, Fut>(self, server: Server, task: F) -> House
    where
        F: Fn(WebSocket) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let (certificate, trust) = certificates();
        let server = match self {
            Self::H1Tls => server.listen_tls(anywhere, certificate),
            #[cfg(feature = "h2")]
            Self::H2Tls => server.listen_tls(anywhere, certificate),
            #[cfg(feature = "h3")]
            Self::H3 => server.listen_tls_and_h3(anywhere, certificate),
            _ => server.listen(anywhere),
        };
        let server = server.expect("a port");
        let url = server.urls().next().expect("it listens").replace("127.0.0.1", "localhost");
        let client = ws_tokio::client().with_tls(trust).with_http(self.policy());
        let shutdown = server.shutdown_handle();
        House { url, client, shutdown, serving: tokio::spawn(server.serve(task)) }
    }
}

impl House {
    pub(crate) async fn connect(&self) -> WebSocket {
        self.try_connect("", &ConnectOptions::default()).await.expect("open")
    }

    pub(crate) async fn try_connect(
        &self,
        path: &str,
        options: &ConnectOptions,
    ) -> Result<WebSocket, Error> {
        self.client.connect(&format!("{}{path}", self.url), options).await
    }
}

/// Runs each body once for each carrier.
macro_rules! over_every_carrier {
    ($($body:ident),* $(,)?) => {
        over_every_carrier!(@over h1, H1, [$($body),*]);
        over_every_carrier!(@over h1_tls, H1Tls, [$($body),*]);
        #[cfg(feature = "h2")]
        over_every_carrier!(@over h2, H2, [$($body),*]);
        #[cfg(feature = "h2")]
        over_every_carrier!(@over h2_tls, H2Tls, [$($body),*]);
        #[cfg(feature = "h3")]
        over_every_carrier!(@over h3, H3, [$($body),*]);
    };
    (@over $name:ident, $over:ident, [$($body:ident),*]) => {
        mod $name {
            $(
                #[tokio::test]
                async fn $body() {
                    super::$body($crate::carriers::over::Over::$over).await;
                }
            )*
        }
    };
}
pub(crate) use over_every_carrier;
