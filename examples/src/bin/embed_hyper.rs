//! WebSockets inside a hyper server: hyper speaks HTTP, our validator judges the upgrade, our
//! session takes the connection over.
//!
//! The four steps of every embedding: let the HTTP library parse, validate, answer, hand over.

use std::convert::Infallible;
use std::error::Error;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, UPGRADE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use lexopt::Arg::{Long, Short};
use tokio::net::TcpListener;
use ws_examples::arguments;
use ws_stack::io::WebSocket;
use ws_stack::tokio::{AcceptOptions, Io, Tokio};

const USAGE: &str = "\
A hyper server that echoes WebSocket messages on /ws and serves plain text elsewhere.

usage: embed_hyper [--listen ADDR]    (127.0.0.1:9004)";

type Answer = Response<Full<Bytes>>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    ws_examples::logging();
    let address = read_options().unwrap_or_else(|error| arguments::refuse(error));
    let listener = TcpListener::bind(address).await?;
    writeln!(std::io::stdout(), "listening ws://{}/ws", listener.local_addr()?)?;
    // Behind TLS of hyper's, or of a proxy in front, `secure: true` belongs here: nothing else tells
    // the rule of the same origin.
    let options = Arc::new(AcceptOptions::default());
    loop {
        let (stream, _peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let options = Arc::clone(&options);
        let service = service_fn(move |request| {
            let options = Arc::clone(&options);
            async move { Ok::<_, Infallible>(answer(request, &options)) }
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "connection failed");
            }
        });
    }
}

/// An ordinary HTTP service with one special path.
fn answer(request: Request<Incoming>, options: &Arc<AcceptOptions>) -> Answer {
    if request.uri().path() == "/ws" && request.headers().contains_key(UPGRADE) {
        return upgrade(request, options);
    }
    let mut response = Response::new(Full::from("WebSockets live on /ws\n"));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("text/plain"));
    response
}

/// Judges the request, answers it, and has the connection taken over once the answer is out.
fn upgrade(mut request: Request<Incoming>, options: &AcceptOptions) -> Answer {
    let (response, accepted) = match options.answer(&request, None) {
        Ok(answered) => answered,
        Err(declined) => {
            tracing::debug!(error = %declined.error, "refused");
            return declined.response.map(Full::from);
        }
    };
    let handover = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        match handover.await {
            Ok(upgraded) => echo(accepted.over(Io::new(TokioIo::new(upgraded)), Tokio)).await,
            Err(error) => tracing::debug!(%error, "the client left before the upgrade"),
        }
    });
    response.map(|()| Full::default())
}

async fn echo<T: ws_stack::io::Transport>(mut websocket: WebSocket<T, Tokio>) {
    while let Some(Ok(message)) = websocket.next().await {
        if message.data_kind().is_some() {
            // Refused once a goodbye is under way, which `next` sees to its end.
            let _ = websocket.feed(message).await;
        }
    }
}

fn read_options() -> Result<SocketAddr, lexopt::Error> {
    let mut address = SocketAddr::from(([127, 0, 0, 1], 9004));
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("listen") => address = arguments::value(&mut parser)?,
            Long("help") | Short('h') => arguments::help(USAGE),
            other => return Err(other.unexpected()),
        }
    }
    Ok(address)
}
