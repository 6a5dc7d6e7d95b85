//! yawc: the server of its documentation, on hyper.

use futures::{SinkExt, StreamExt};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use yawc::{HttpWebSocket, OpCode, Options, UpgradeFut, WebSocket};

pub async fn echo(stream: TcpStream) -> hyper::Result<()> {
    let answer = |request| answer(request, plain);
    let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
    serving.with_upgrades().await
}

/// By hand: answer what is there, flush once.
pub async fn echo_batched(stream: TcpStream) -> hyper::Result<()> {
    let answer = |request| answer(request, batched);
    let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
    serving.with_upgrades().await
}

async fn answer<F>(
    mut request: Request<Incoming>,
    handle: fn(HttpWebSocket) -> F,
) -> yawc::Result<Response<Empty<Bytes>>>
where
    F: Future<Output = yawc::Result<()>> + Send + 'static,
{
    let options =
        Options::default().with_utf8().with_limits(super::MAX_MESSAGE, super::MAX_MESSAGE);
    let (response, upgrade): (_, UpgradeFut) =
        WebSocket::upgrade_with_options(&mut request, options)?;
    tokio::spawn(async move {
        if let Ok(websocket) = upgrade.await {
            let _ended = handle(websocket).await;
        }
    });
    Ok(response)
}

async fn plain(mut websocket: HttpWebSocket) -> yawc::Result<()> {
    while let Some(frame) = websocket.next().await {
        match frame.opcode() {
            OpCode::Text | OpCode::Binary => websocket.send(frame).await?,
            _ => {}
        }
    }
    Ok(())
}

async fn batched(mut websocket: HttpWebSocket) -> yawc::Result<()> {
    while let Some(frame) = websocket.next().await {
        let mut next = Some(frame);
        while let Some(frame) = next {
            if matches!(frame.opcode(), OpCode::Text | OpCode::Binary) {
                websocket.feed(frame).await?;
            }
            // Frames that are kept share the read buffer, which is then refilled in tiny pieces;
            // so each is answered before the next one is taken.
            next = super::there(&mut websocket).await.flatten();
        }
        websocket.flush().await?;
    }
    Ok(())
}
