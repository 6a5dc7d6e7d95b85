//! What a peer over HTTP/2 or HTTP/3 writes is escaped in the log, in either role.
//!
//! A field there may not hold the control characters of ASCII, but those beyond it: U+009B begins a
//! command to a terminal as well. A close reason, of a WebSocket or of QUIC, may hold all of them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use ws_stack::tokio::{self as ws, HttpPolicy, Tokio};
use ws_tests::certificates;

use crate::logs::Log;

const FIELD: &str = "\u{9b}31mINFO all is well";
const REASON: &str = "\r\n\x1b[2J\u{9b}31m\u{7}INFO all is well";
/// Fields that a handshake looks at, and one that it does not.
const FIELDS: [&str; 4] = ["origin", "sec-websocket-protocol", "sec-websocket-extensions", "x"];

fn hostile() -> HeaderValue {
    HeaderValue::from_bytes(FIELD.as_bytes()).expect("bytes beyond ASCII")
}

fn anywhere() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// Requests with something hostile in each place.
fn requests(origin: &str) -> Vec<Request<()>> {
    let begin = |path: &str| {
        Request::builder().uri(format!("{origin}{path}")).header("sec-websocket-version", "13")
    };
    let mut requests: Vec<Request<()>> = FIELDS
        .iter()
        .map(|name| begin("/").header(*name, hostile()).body(()).expect("a request"))
        .collect();
    // The path, where the types let it through.
    requests.extend(begin(&format!("/{FIELD}")).body(()));
    requests
}

/// A client that asks for all of it, and closes with a reason.
async fn ask_by_h2(address: SocketAddr) {
    for request in requests(&format!("http://{address}")) {
        let stream = TcpStream::connect(address).await.expect("it listens");
        let config = ws_h2::ClientConfig::default();
        let client = ws_h2::Client::new(stream, None, Tokio, &config);
        // Whether it is refused is not asked here.
        let _answer = client.await.expect("http/2").connect(request).await;
    }
}

async fn ask_by_h3(address: SocketAddr) {
    let tls = rustls::ClientConfig::clone(&certificates().trust);
    let config = ws_h3::client_config(tls, &ws_h3::QuicOptions::default()).expect("TLS 1.3");
    let endpoint = quinn::Endpoint::client(anywhere()).expect("a socket");
    for request in requests(&format!("https://localhost:{}", address.port())) {
        let connecting = endpoint.connect_with(config.clone(), address, "localhost");
        let quic = connecting.expect("a connection").await.expect("quic");
        let config = ws_h3::ClientConfig::default();
        let client = ws_h3::Client::new(quic.clone(), Tokio, &config);
        let _answer = client.await.expect("http/3").connect(request).await;
        quic.close(quinn::VarInt::from_u32(0x10b), REASON.as_bytes());
    }
    endpoint.wait_idle().await;
}

/// Answers of a server, hostile in each place.
fn answers() -> Vec<Response<Bytes>> {
    let mut answers = Vec::new();
    for status in [200, 403] {
        for name in FIELDS {
            let answer = Response::builder().status(status).header(name, hostile());
            answers.push(answer.body(Bytes::from_static(REASON.as_bytes())).expect("an answer"));
        }
    }
    answers
}

async fn serve_by_h2(listener: TcpListener) {
    for answer in answers() {
        let (stream, _) = listener.accept().await.expect("a client");
        let config = ws_h2::ServerConfig::default();
        let server = ws_h2::Server::accept(stream, None, Tokio, &config);
        let mut server = server.await.expect("http/2");
        let Some(ws_h2::Request::WebSocket(ask)) = server.next().await else {
            panic!("no request")
        };
        if answer.status() == 200 {
            drop(ask.accept(answer.map(drop)));
        } else {
            ask.refuse(answer).expect("the client waits");
        }
    }
}

async fn serve_by_h3(endpoint: quinn::Endpoint) {
    for answer in answers() {
        let quic = endpoint.accept().await.expect("a client").await.expect("quic");
        let config = ws_h3::ServerConfig::default();
        let server = ws_h3::Server::accept(quic.clone(), Tokio, &config);
        let mut server = server.await.expect("http/3");
        let Some(ws_h3::Request::WebSocket(ask)) = server.next().await else {
            panic!("no request")
        };
        if answer.status() == 200 {
            drop(ask.accept(answer.map(drop)).await);
        } else {
            ask.refuse(answer).await.expect("the client waits");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        quic.close(quinn::VarInt::from_u32(0x10b), REASON.as_bytes());
    }
}

/// Calls the hostile server as often as it answers; what came of it is told as a user would.
async fn call(url: &str, version: HttpPolicy, told: &mut Vec<String>) {
    for _ in answers() {
        let client = ws::client().with_tls(certificates().trust.clone()).with_http(version);
        match client.connect(url, &ws::ConnectOptions::default()).await {
            Ok(mut websocket) => while websocket.next().await.is_some() {},
            Err(error) => told.push(error.to_string()),
        }
        client.wait_idle().await;
    }
}

// THREAT: log-injection
#[tokio::test]
async fn a_peer_of_streams_writes_nothing_into_the_log_but_what_is_escaped() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    // The runtime of the test has one thread, this one.
    let _guard = tracing::subscriber::set_default(Log(Arc::clone(&lines)));
    let tls = certificates();

    // Clients, to our server, which says goodbye with a reason as bad as theirs.
    let server = ws::server().listen(anywhere()).expect("a port");
    let server = server.listen_h3(anywhere(), tls.server.clone()).expect("a port");
    let addresses: Vec<SocketAddr> = server.local_addrs().collect();
    let urls: Vec<String> = server.urls().collect();
    tokio::spawn(server.serve(|mut websocket| async move {
        while let Some(Ok(message)) = websocket.next().await {
            if message.data_kind().is_some() {
                // The client closes at the same time, perhaps.
                let _closed = websocket.close(ws::CloseCode::new(4001), REASON).await;
            }
        }
    }));
    for _ in 0..2 {
        ask_by_h2(addresses[0]).await;
        ask_by_h3(addresses[1]).await;
        // What another test's thread began to register before we listened is thought to have no listener.
        tracing::callsite::rebuild_interest_cache();
    }
    for (url, version) in urls.iter().zip([HttpPolicy::H2, HttpPolicy::H3]) {
        for speaks_first in [false, true] {
            let client = ws::client().with_tls(tls.trust.clone()).with_http(version);
            let opened = client.connect(url, &ws::ConnectOptions::default()).await;
            let mut websocket = opened.expect("our own server");
            if speaks_first {
                websocket.send(ws::Message::text("go")).await.expect("sent");
                while websocket.next().await.is_some() {}
            } else {
                websocket.close(ws::CloseCode::new(4000), REASON).await.expect("valid");
            }
        }
    }

    // Servers, to our client.
    let mut told = Vec::new();
    let listener = TcpListener::bind(anywhere()).await.expect("a port");
    let url = format!("ws://{}/", listener.local_addr().expect("bound"));
    let serving = tokio::spawn(serve_by_h2(listener));
    call(&url, HttpPolicy::H2, &mut told).await;
    serving.await.expect("no panic");
    let config = rustls::ServerConfig::clone(&tls.server);
    let config = ws_h3::server_config(config, &ws_h3::QuicOptions::default()).expect("TLS 1.3");
    let endpoint = quinn::Endpoint::server(config, anywhere()).expect("a port");
    let url = format!("wss://localhost:{}/", endpoint.local_addr().expect("bound").port());
    let serving = tokio::spawn(serve_by_h3(endpoint));
    call(&url, HttpPolicy::H3, &mut told).await;
    serving.await.expect("no panic");

    let lines = lines.lock().expect("no panic");
    for line in lines.iter().chain(&told) {
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
    // Both ends quote what was said, over both versions: our client closed with the one code, our server
    // with the other.
    for code in ["4000", "4001"] {
        let quoted = |line: &&String| {
            line.contains("connection ended") && line.contains(code) && line.contains("\\u{1b}[2J")
        };
        assert_eq!(lines.iter().filter(quoted).count(), 4, "{code}: {lines:#?}");
    }
    assert!(lines.iter().any(|line| line.contains("\\u{9b}31m")), "{lines:#?}");
    assert!(lines.iter().filter(|line| line.contains("handshake refused")).count() >= 2);
    assert!(told.len() >= 8, "{told:?}");
}
