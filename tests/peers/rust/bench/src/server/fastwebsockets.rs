//! fastwebsockets: `echo_server.rs` of its examples, hyper included. It writes each frame at once
//! and offers nothing to batch with.

use fastwebsockets::{FragmentCollector, OpCode, WebSocketError, upgrade};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

pub async fn echo(stream: TcpStream) -> Result<(), hyper::Error> {
    let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
    serving.with_upgrades().await
}

async fn answer(mut request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, WebSocketError> {
    let (response, upgrade) = upgrade::upgrade(&mut request)?;
    tokio::spawn(async move {
        let _ended = tokio::task::unconstrained(handle(upgrade)).await;
    });
    Ok(response)
}

async fn handle(upgrade: upgrade::UpgradeFut) -> Result<(), WebSocketError> {
    let mut websocket = upgrade.await?;
    websocket.set_max_message_size(super::MAX_MESSAGE);
    let mut websocket = FragmentCollector::new(websocket);
    loop {
        let frame = websocket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => break,
            OpCode::Text | OpCode::Binary => websocket.write_frame(frame).await?,
            _ => {}
        }
    }
    Ok(())
}
