//! What every adapter says with its runtime filled in.

/// Writes the short way in for one runtime: `client`, `server`, `connect`, `accept` and the names
/// that go with them.
///
/// For the root of a crate that brings a [`Net`](crate::Net), depends on `ws-io` and has the features
/// of this one, as `ws-tokio`, `ws-async-std` and `ws-smol` do. There has to be a transport `Io<S>`
/// around the streams of the runtime. The doc comment is the example of `accept`.
///
/// ```text
/// ws_endpoint::adapter! {
///     /// ```
///     /// let (stream, _) = listener.accept().await?;
///     /// let mut websocket = ws_tokio::accept(stream).await?;
///     /// ```
///     runtime: Tokio, called "tokio" in "ws_tokio";
///     streams: tokio::io::AsyncRead, tokio::io::AsyncWrite;
///     transport: Io::new;
/// }
/// ```
#[macro_export]
macro_rules! adapter {
    (
        $(#[$example:meta])*
        runtime: $runtime:ident, called $name:literal in $library:literal;
        streams: $read:path, $write:path;
        transport: $transport:expr;
    ) => {
        #[cfg(feature = "h2")]
        pub use $crate::H2Options;
        #[cfg(feature = "h3")]
        pub use $crate::QuicOptions;
        pub use $crate::{
            AcceptOptions, Account, BudgetExceeded, Cause, CloseCode, CloseFrame, Config,
            ConnectOptions, ConnectQueue, Deciding, Drained, Error, Handler, HttpPolicy, HttpVersion, Limits,
            Message, OriginPolicy, Outcome, Page, Refusal, Remote, Request, Sender, SharedBudget,
            Shutdown, Stream, SubprotocolPolicy, TransportError, UpgradeInfo, Utf8Bytes,
        };
        // The version of rustls that the configurations are of.
        #[cfg(feature = "rustls")]
        pub use $crate::rustls;
        // What the methods of a WebSocket, a sender and a handler take and give.
        pub use ::ws_io::{
            Chunk, Compress, DataKind, Fault, Flow, FrameError, HandshakeError, Inbox, Mailbox,
            MailboxError, Parts, Peer, Prepared, ReuniteError, SendError, Session, Terminated,
            Transport, TrySendError, UnexpectedResponse, mailbox, run,
        };

        #[doc = concat!("A WebSocket on ", $name, ", whatever it goes over.")]
        ///
        /// Methods: [`ws_io::WebSocket`](::ws_io::WebSocket#implementations).
        pub type WebSocket = $crate::WebSocket<$runtime>;

        #[doc = concat!("The receiving half of a [`WebSocket`] on ", $name, ", of its `split`.")]
        ///
        /// Methods: [`ws_io::Reader`](::ws_io::Reader#implementations).
        pub type Reader = ::ws_io::Reader<Stream<$runtime>, $runtime>;

        #[doc = concat!("The sending half of a [`WebSocket`] on ", $name, ", of its `split`.")]
        ///
        /// Methods: [`ws_io::Writer`](::ws_io::Writer#implementations).
        pub type Writer = ::ws_io::Writer<Stream<$runtime>, $runtime>;

        #[doc = concat!("A [`WebSocket`] on ", $name, " as a stream of bytes, of its `into_byte_stream`.")]
        ///
        /// Methods: [`ws_io::ByteStream`](::ws_io::ByteStream#implementations).
        pub type ByteStream = ::ws_io::ByteStream<Stream<$runtime>, $runtime>;

        #[doc = concat!("A client on ", $name, "; see [`client`].")]
        ///
        /// Methods: [`ws_endpoint::Client`](::ws_endpoint::Client#implementations).
        pub type Client = $crate::Client<$runtime>;

        #[doc = concat!("A server on ", $name, "; see [`server`].")]
        ///
        /// Methods: [`ws_endpoint::Server`](::ws_endpoint::Server#implementations).
        pub type Server = $crate::Server<$runtime>;

        /// A client to be configured: TLS, HTTP versions, connecting one at a time.
        #[must_use]
        pub fn client() -> Client {
            Client::new($runtime)
        }

        /// A server to be configured: addresses, certificates, routes, limits.
        #[must_use]
        pub fn server() -> Server {
            Server::new($runtime)
        }

        /// Opens a WebSocket to a `ws:` or `wss:` URL. Dropping the future gives up.
        ///
        /// ```no_run
        #[doc = concat!("# async fn f() -> Result<(), ", $library, "::Error> {")]
        #[doc = concat!(
            "let mut websocket = ", $library, "::connect(\"wss://echo.example/\").await?;"
        )]
        /// # Ok(())
        /// # }
        /// ```
        ///
        /// # Errors
        ///
        /// As [`Client::connect`].
        pub async fn connect(url: &str) -> Result<WebSocket, Error> {
            connect_with(url, &ConnectOptions::default()).await
        }

        /// Opens a WebSocket with subprotocols, header fields, limits and deadlines of your choice.
        /// Dropping the future gives up.
        ///
        /// # Errors
        ///
        /// As [`Client::connect`].
        pub async fn connect_with(
            url: &str,
            options: &ConnectOptions,
        ) -> Result<WebSocket, Error> {
            client().connect(url, options).await
        }

        #[doc = concat!("A WebSocket on ", $name, " over a stream of your own.")]
        ///
        /// Methods: [`ws_io::WebSocket`](::ws_io::WebSocket#implementations).
        pub type WebSocketOver<S> = ::ws_io::WebSocket<Io<S>, $runtime>;

        /// Opens a WebSocket over a stream that is connected already: through a proxy, over a pipe,
        /// inside TLS of your own.
        ///
        /// The URL gives the `Host` and the resource to ask for. Nothing is resolved and nothing is
        /// encrypted here: for `wss` the stream has to be. The handshake is that of HTTP/1.1. Dropping
        /// the future drops the stream.
        ///
        /// # Errors
        ///
        /// [`Error::Handshake`] for a URL that is none, options that cannot be sent, or an answer
        /// that is no WebSocket; [`Error::Transport`] when the stream failed, or the answer did not
        /// come in time.
        pub fn connect_over<S>(
            stream: S,
            url: &str,
            options: &ConnectOptions,
        ) -> impl Future<Output = Result<WebSocketOver<S>, Error>>
        where
            S: $read + $write + Send + Unpin + 'static,
        {
            let transport = $transport;
            // In a box, as in `accept_with`.
            Box::pin(async move {
                let uri = ::ws_io::WsUri::parse(url)?;
                ::ws_io::connect(transport(stream), $runtime, &uri, options).await
            })
        }

        /// Takes in a connection from an accept loop of your own: reads the request and answers it.
        ///
        /// Any stream will do; the defaults of [`AcceptOptions`] apply. To look at the request
        /// before answering, call `ws_io::receive` with an [`Io`]. Dropping the future drops the stream
        /// without an answer.
        ///
        /// The type says over what the WebSocket goes. Where it shall be a [`WebSocket`] as of a server,
        /// call `ws_io::accept` with [`Stream::other`] around the [`Io`].
        ///
        $(#[$example])*
        ///
        /// # Errors
        ///
        /// Why there is no WebSocket; the client has been told.
        pub fn accept<S>(
            stream: S,
        ) -> impl Future<Output = Result<WebSocketOver<S>, Error>>
        where
            S: $read + $write + Send + Unpin + 'static,
        {
            accept_with(stream, AcceptOptions::default())
        }

        /// Takes in a connection with subprotocols, an origin policy, limits and deadlines of your
        /// choice.
        ///
        /// Share the options among connections in an `Arc`. [`AcceptOptions::secure`] has to say
        /// whether the stream is encrypted. Dropping the future drops the stream without an answer.
        ///
        /// # Errors
        ///
        /// Why there is no WebSocket; the client has been told.
        pub fn accept_with<S>(
            stream: S,
            options: impl Into<::std::sync::Arc<AcceptOptions>>,
        ) -> impl Future<Output = Result<WebSocketOver<S>, Error>>
        where
            S: $read + $write + Send + Unpin + 'static,
        {
            let transport = $transport;
            let options: ::std::sync::Arc<AcceptOptions> = options.into();
            // In a box, so that the task of an open connection has no room for its handshake.
            Box::pin(::ws_io::accept(transport(stream), $runtime, options))
        }
    };
}
