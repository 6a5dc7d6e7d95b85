//! WebSockets inside a server of hyper, as the guide shows it, over HTTP/1.1 and HTTP/2.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use ws_stack::tokio::{
    AcceptOptions, CloseCode, ConnectOptions, HttpPolicy, Io, Message, Tokio, client,
};

fn upgrade(mut request: Request<Incoming>, options: &AcceptOptions) -> Response<Full<Bytes>> {
    let protocol = request.extensions().get::<hyper::ext::Protocol>();
    let protocol = protocol.map(|protocol| protocol.as_str().to_owned());
    let (response, accepted) = match options.answer(&request, protocol.as_deref()) {
        Ok(answered) => answered,
        Err(declined) => return declined.response.map(Full::from),
    };
    let handover = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let upgraded = handover.await.expect("the answer is out");
        let mut websocket = accepted.over(Io::new(TokioIo::new(upgraded)), Tokio);
        while let Some(Ok(message)) = websocket.next().await {
            if message.data_kind().is_some() {
                // Refused once a goodbye has begun.
                let _ = websocket.feed(message).await;
            }
        }
    });
    response.map(|()| Full::default())
}

/// Serves one connection over this version and returns where.
async fn serve(policy: HttpPolicy) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("ws://{}/room", listener.local_addr().expect("bound"));
    let deflate = Some(Default::default());
    let options = Arc::new(AcceptOptions { deflate, ..AcceptOptions::default() });
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a call");
        let service = service_fn(move |request| {
            let response = upgrade(request, &options);
            async { Ok::<_, Infallible>(response) }
        });
        let io = TokioIo::new(stream);
        // The client hangs up when it is done, which may be an error to hyper.
        let _ended = if policy == HttpPolicy::H1 {
            http1::Builder::new().serve_connection(io, service).with_upgrades().await
        } else {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder.enable_connect_protocol().serve_connection(io, service).await
        };
    });
    url
}

#[tokio::test]
async fn a_websocket_lives_inside_hyper_over_both_versions() {
    for policy in [HttpPolicy::H1, HttpPolicy::H2] {
        let url = serve(policy).await;
        let deflate = Some(Default::default());
        let options = ConnectOptions { deflate, ..ConnectOptions::default() };
        let client = client().with_http(policy);
        let mut websocket = client.connect(&url, &options).await.expect("hyper answers");
        for len in [0, 10, 100_000] {
            let message = Message::text("inside ".repeat(len));
            websocket.send(message.clone()).await.expect("open");
            let echo = websocket.next().await.expect("open").expect("a message");
            assert!(echo == message, "{policy:?}, {len}");
        }
        let outcome = websocket.close(CloseCode::NORMAL, "").await.expect("a valid code");
        assert!(outcome.clean, "{policy:?}: {outcome:?}");
    }
}
