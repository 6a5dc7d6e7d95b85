//! The echo servers that are measured: one name, one process, one thread.
//!
//! A peer's name alone is the loop its documentation shows; `-batch` is the same peer used cleverly
//! by hand: answer everything that has arrived, then flush once. All have `TCP_NODELAY` and a
//! message limit of 64 MiB.

#[cfg(feature = "streams")]
pub mod certificate;
mod fastwebsockets;
mod floor;
mod foreign;
mod ours;
#[cfg(feature = "streams")]
mod ours_secure;
#[cfg(feature = "streams")]
mod ours_wide;
mod raw;
#[cfg(feature = "streams")]
mod raw_streams;
mod scratch;
mod sockudo;
mod soketto;
mod tokio_websockets;
mod tungstenite;
mod yawc;

pub use floor::parse;
pub use foreign::is_here;

use std::future::{Future, poll_fn};
use std::io::{self, Write};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use futures::{Stream, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use ws_deflate::Config;
#[cfg(feature = "streams")]
use ws_h3::QuicOptions;

#[cfg(feature = "streams")]
use raw_streams::Echo;

/// Serves until the process is killed.
type Serve = fn() -> Pin<Box<dyn Future<Output = io::Result<()>>>>;

/// A server by its name.
pub struct Server {
    pub name: &'static str,
    serve: Serve,
    pub reply: Reply,
}

/// How a server sends a message back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// No WebSocket at all: whatever comes is sent back.
    Raw,
    /// In one frame of least length.
    Whole,
    /// In as many frames as it likes.
    Fragments,
    /// Whole, and compressed as the message was.
    Compressed,
}

impl Reply {
    const ALL: [Self; 4] = [Self::Raw, Self::Whole, Self::Fragments, Self::Compressed];

    /// As one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Whole => "whole",
            Self::Fragments => "fragments",
            Self::Compressed => "compressed",
        }
    }

    /// From [`Reply::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reply| reply.name() == name)
    }
}

/// `name`, `function` with the signature `async fn(TcpStream)`.
macro_rules! per_connection {
    ($name:literal, $connection:path, $reply:ident) => {
        Server { name: $name, serve: || Box::pin(accept($connection)), reply: Reply::$reply }
    };
    ($name:literal, $connection:path) => {
        per_connection!($name, $connection, Whole)
    };
}

/// Every server, the limits first.
pub const SERVERS: &[Server] = &[
    per_connection!("raw", raw::echo, Raw),
    per_connection!("floor", floor::echo),
    Server {
        name: "ours",
        serve: || Box::pin(ours::serve(ws_tokio::server())),
        reply: Reply::Whole,
    },
    per_connection!("ours-stream", ours::echo_streaming, Fragments),
    per_connection!("tungstenite", tungstenite::echo),
    per_connection!("tungstenite-batch", tungstenite::echo_batched),
    per_connection!("fastwebsockets", fastwebsockets::echo),
    per_connection!("tokio-websockets", tokio_websockets::echo),
    per_connection!("tokio-websockets-batch", tokio_websockets::echo_batched),
    per_connection!("sockudo", sockudo::echo),
    per_connection!("sockudo-batch", sockudo::echo_batched),
    per_connection!("yawc", yawc::echo),
    per_connection!("yawc-batch", yawc::echo_batched),
    per_connection!("soketto", soketto::echo),
    Server { name: "uwebsockets", serve: || Box::pin(foreign::uwebsockets()), reply: Reply::Whole },
    Server { name: "node-ws", serve: || Box::pin(foreign::node_ws()), reply: Reply::Whole },
    Server {
        name: "python-websockets",
        serve: || Box::pin(foreign::python_websockets()),
        reply: Reply::Whole,
    },
];

/// `name`, how it compresses.
macro_rules! compressing {
    ($name:literal, $deflate:expr) => {
        Server {
            name: $name,
            serve: || Box::pin(ours::serve(ours::with_deflate($deflate))),
            reply: Reply::Compressed,
        }
    };
}

/// Servers that compress: they differ in what they keep, which is measured in memory.
const DEFLATE_SERVERS: &[Server] = &[
    compressing!("ours-deflate", Config::default()),
    // Sooner than whoever weighs it looks.
    compressing!("ours-deflate-released", Config::default().release_after(RELEASE_AFTER)),
    compressing!("ours-deflate-pooled", Config::low_memory()),
];

const RELEASE_AFTER: Duration = Duration::from_millis(50);

/// `name`, what serves, the reply.
#[cfg(feature = "streams")]
macro_rules! over_streams {
    ($name:literal, $serve:expr, $reply:ident) => {
        Server { name: $name, serve: || Box::pin($serve), reply: Reply::$reply }
    };
}

/// Servers over streams of HTTP/2 and HTTP/3, and over TLS.
#[cfg(feature = "streams")]
const STREAM_SERVERS: &[Server] = &[
    over_streams!("raw-h2", raw_streams::serve_h2(Echo::Raw), Raw),
    over_streams!("once-h2", raw_streams::serve_h2(Echo::Once), Raw),
    over_streams!("floor-h2", raw_streams::serve_h2(Echo::Floor), Whole),
    over_streams!("ours-h2", ours::serve(ws_tokio::server()), Whole),
    over_streams!("ours-wide-h2", ours_wide::serve_h2(), Whole),
    over_streams!("raw-h3", raw_streams::serve_h3(Echo::Raw, QuicOptions::default()), Raw),
    over_streams!("raw-wide-h3", raw_streams::serve_h3(Echo::Raw, ours_wide::quic()), Raw),
    over_streams!("once-h3", raw_streams::serve_h3(Echo::Once, QuicOptions::default()), Raw),
    over_streams!("floor-h3", raw_streams::serve_h3(Echo::Floor, QuicOptions::default()), Whole),
    over_streams!("floor-wide-h3", raw_streams::serve_h3(Echo::Floor, ours_wide::quic()), Whole),
    over_streams!("ours-h3", ours_secure::serve_h3(QuicOptions::default()), Whole),
    over_streams!("ours-wide-h3", ours_secure::serve_h3(ours_wide::quic()), Whole),
    over_streams!("raw-tls", raw_streams::serve_tls(), Raw),
    over_streams!("ours-tls", ours_secure::serve_tls(), Whole),
];

#[cfg(not(feature = "streams"))]
const STREAM_SERVERS: &[Server] = &[];

/// The server called `name`.
pub fn find(name: &str) -> Option<&'static Server> {
    SERVERS.iter().chain(DEFLATE_SERVERS).chain(STREAM_SERVERS).find(|server| server.name == name)
}

/// How the server called `name` sends a message back.
pub fn reply(name: &str) -> Reply {
    find(name).map_or(Reply::Whole, |server| server.reply)
}

/// Runs a server on a free port of the loopback interface and prints the port.
pub fn run(name: &str) -> Result<(), String> {
    let server = find(name).ok_or_else(|| format!("no server {name:?}"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on((server.serve)()).map_err(|error| error.to_string())
}

/// Tells whoever started this process where it listens.
fn announce(port: u16) -> io::Result<()> {
    println!("{port}");
    io::stdout().flush()
}

/// A task for each connection; what ends it is of no interest here.
async fn accept<F, E>(connection: fn(TcpStream) -> F) -> io::Result<()>
where
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    announce(listener.local_addr()?.port())?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let serving = connection(stream);
        tokio::spawn(async move {
            let _ended = serving.await;
        });
    }
}

/// What every peer is told to accept at most.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;

/// What a stream has ready, without waiting; for batching by hand.
async fn there<S: Stream + Unpin>(stream: &mut S) -> Option<Option<S::Item>> {
    poll_fn(|cx| match stream.poll_next_unpin(cx) {
        Poll::Ready(item) => Poll::Ready(Some(item)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
