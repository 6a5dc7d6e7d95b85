//! The short way in: functions and names with async-std filled in.

use std::sync::Arc;

use futures_io::{AsyncRead, AsyncWrite};
use ws_endpoint::{AcceptOptions, ConnectOptions, Error};

use crate::io::io;
use crate::{AsyncStd, Io};

/// A WebSocket on async-std, whatever it goes over.
pub type WebSocket = ws_endpoint::WebSocket<AsyncStd>;

/// A client on async-std; see [`client`].
pub type Client = ws_endpoint::Client<AsyncStd>;

/// A server on async-std; see [`server`].
pub type Server = ws_endpoint::Server<AsyncStd>;

/// A client to be configured: TLS, HTTP versions, connecting one at a time.
#[must_use]
pub fn client() -> Client {
    Client::new(AsyncStd)
}

/// A server to be configured: addresses, certificates, routes, limits.
#[must_use]
pub fn server() -> Server {
    Server::new(AsyncStd)
}

/// Opens a WebSocket to a `ws:` or `wss:` URL.
///
/// ```no_run
/// # async fn f() -> Result<(), ws_async_std::Error> {
/// let mut websocket = ws_async_std::connect("wss://echo.example/").await?;
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
///
/// # Errors
///
/// As [`Client::connect`].
pub async fn connect_with(url: &str, options: &ConnectOptions) -> Result<WebSocket, Error> {
    client().connect(url, options).await
}

/// Takes in a connection from an accept loop of your own: reads the request and answers it.
///
/// Any stream will do; the defaults of [`AcceptOptions`] apply. To look at the request before
/// answering, call `ws_io::receive` with an [`Io`] and, for sockets of async-std, its
/// [`with_shutdown`](Io::with_shutdown).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # async_std::task::block_on(async {
/// let listener = async_std::net::TcpListener::bind("127.0.0.1:0").await?;
/// let url = format!("ws://{}/", listener.local_addr()?);
/// let serving = async_std::task::spawn(async move {
///     let (stream, _peer) = listener.accept().await?;
///     stream.set_nodelay(true)?;
///     let mut websocket = ws_async_std::accept(stream).await?;
///     websocket.send(ws_async_std::Message::text("welcome")).await?;
///     websocket.close(ws_async_std::CloseCode::NORMAL, "").await?;
///     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// });
/// let mut websocket = ws_async_std::connect(&url).await?;
/// assert_eq!(websocket.next().await.expect("open")?, ws_async_std::Message::text("welcome"));
/// while websocket.next().await.is_some() {}
/// serving.await.expect("served");
/// # Ok(())
/// # })
/// # }
/// ```
///
/// # Errors
///
/// Why there is no WebSocket; the client has been told.
pub async fn accept<S>(stream: S) -> Result<ws_io::WebSocket<Io<S>, AsyncStd>, Error>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    accept_with(stream, AcceptOptions::default()).await
}

/// Takes in a connection with subprotocols, an origin policy, limits and deadlines of your choice.
///
/// Share the options among connections in an `Arc`. [`AcceptOptions::secure`] has to say whether
/// the stream is encrypted.
///
/// # Errors
///
/// Why there is no WebSocket; the client has been told.
pub async fn accept_with<S>(
    stream: S,
    options: impl Into<Arc<AcceptOptions>>,
) -> Result<ws_io::WebSocket<Io<S>, AsyncStd>, Error>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    ws_io::accept(io(stream), AsyncStd, options).await
}
