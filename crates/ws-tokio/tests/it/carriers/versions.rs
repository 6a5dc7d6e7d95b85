//! Which version is spoken, which connection is used, and what one connection carries.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use ws_io::{AcceptOptions, Session, UpgradeInfo};
use ws_tokio::{
    Config, ConnectOptions, H2Options, HttpPolicy, HttpVersion, Message, Tokio, WebSocket, client,
    server,
};

use super::over::Over;
use crate::support::{certificates, echo, read};

#[tokio::test]
async fn websockets_share_one_connection_also_when_they_are_opened_at_once() {
    for &over in MANY {
        let connections = Arc::new(Mutex::new(HashSet::new()));
        let seen = Arc::clone(&connections);
        let server = server().with_route(move |_, remote| {
            seen.lock().expect("no panic").insert(remote.address());
            Ok(())
        });
        let house = over.serve(server, echo);
        let opening = (0..100).map(|_| {
            let (client, url) = (house.client.clone(), house.url.clone());
            tokio::spawn(async move { client.connect(&url, &ConnectOptions::default()).await })
        });
        let mut websockets = Vec::new();
        for task in opening.collect::<Vec<_>>() {
            websockets.push(task.await.expect("no panic").expect("open"));
        }
        for websocket in &mut websockets {
            websocket.send(Message::text("hello")).await.expect("sent");
        }
        for websocket in &mut websockets {
            let back = websocket.next().await.expect("open").expect("a message");
            assert_eq!(back, Message::text("hello"));
        }
        assert_eq!(connections.lock().expect("no panic").len(), 1, "{over:?}");
    }
}

/// HTTP/2 says how many streams it allows, QUIC makes one wait.
#[tokio::test]
async fn at_the_servers_limit_another_connection_is_opened_without_delay() {
    for &over in MANY {
        let connections = Arc::new(Mutex::new(HashSet::new()));
        let seen = Arc::clone(&connections);
        let mut h2 = H2Options::default();
        h2.max_streams = 2;
        let server = server().with_h2(h2).with_route(move |_, remote| {
            seen.lock().expect("no panic").insert(remote.address());
            Ok(())
        });
        #[cfg(feature = "h3")]
        let server = {
            let mut quic = ws_tokio::QuicOptions::default();
            quic.max_requests = 2;
            server.with_quic(quic)
        };
        let house = over.serve(server, echo);
        let start = tokio::time::Instant::now();
        let mut websockets = Vec::new();
        for _ in 0..6 {
            websockets.push(house.connect().await);
        }
        // A wait is a small part of the deadline, and happens once.
        assert!(start.elapsed() < Duration::from_secs(3), "{over:?}: {:?}", start.elapsed());
        // All QUIC connections of a client share its socket.
        let ports = if over.version() == HttpVersion::H2 { 3 } else { 1 };
        assert_eq!(connections.lock().expect("no panic").len(), ports, "{over:?}");
        let opening = (0..6).map(|_| {
            let (client, url) = (house.client.clone(), house.url.clone());
            tokio::spawn(async move { client.connect(&url, &ConnectOptions::default()).await })
        });
        for task in opening.collect::<Vec<_>>() {
            websockets.push(task.await.expect("no panic").expect("open"));
        }
        for websocket in &mut websockets {
            greet(websocket).await;
        }
    }
}

// THREAT: window-stall
#[tokio::test]
async fn one_that_never_reads_is_cut_and_its_neighbours_go_on() {
    for &over in MANY {
        stuck_beside_others(over).await;
    }
}

async fn stuck_beside_others(over: Over) {
    let mut session = Config::default();
    session.write_timeout = Duration::from_millis(300);
    let session = Arc::new(session);
    let house = over.house(AcceptOptions { session, ..Default::default() });
    let mut stuck = house.connect().await;
    let flood = tokio::spawn(async move {
        // More than all windows and buffers on the way hold, never reading an echo.
        loop {
            if stuck.send(Message::binary(vec![0; 64 * 1024])).await.is_err() {
                return stuck;
            }
        }
    });
    let mut neighbours = Vec::new();
    for _ in 0..199 {
        neighbours.push(house.connect().await);
    }
    for round in 0..5 {
        for neighbour in &mut neighbours {
            let message = Message::text(format!("round {round}"));
            neighbour.send(message.clone()).await.expect("sent");
            assert_eq!(neighbour.next().await.expect("open").expect("a message"), message);
        }
    }
    let cut = tokio::time::timeout(Duration::from_secs(10), flood).await;
    drop(cut.expect("the deadline cuts it").expect("no panic"));
    let alive = neighbours.first_mut().expect("one of many");
    alive.send(Message::text("still here")).await.expect("sent");
    assert!(alive.next().await.expect("open").is_ok());
}

#[tokio::test]
async fn one_that_reads_slowly_is_not_cut() {
    for &over in MANY {
        let mut session = Config::default();
        session.write_timeout = Duration::from_secs(1);
        let options = AcceptOptions { session: Arc::new(session), ..Default::default() };
        let (told, mut sent) = tokio::sync::mpsc::unbounded_channel();
        let house = over.serve(server().with_options(options), move |mut websocket| {
            let told = told.clone();
            async move {
                let sent = websocket.send(Message::binary(vec![7; 60_000])).await;
                told.send(sent.is_ok()).expect("the test waits");
                while websocket.next().await.is_some() {}
            }
        });
        // Small windows: what the server sends is what was read.
        let mut h2 = H2Options::default();
        h2.stream_window = 16 * 1024;
        let client = house.client.clone().with_h2(h2);
        #[cfg(feature = "h3")]
        let client = {
            let mut quic = ws_tokio::QuicOptions::default();
            quic.stream_window = 4 * 1024;
            client.with_quic(quic)
        };
        let websocket = client.connect(&house.url, &ConnectOptions::default()).await.expect("open");
        let mut transport = websocket.into_parts().transport;
        let mut taken = 0;
        // 25 kB/s.
        while taken < 60_004 {
            taken += read(&mut transport, 1000).await.expect("not cut").len();
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        assert_eq!(sent.recv().await, Some(true), "{over:?}");
    }
}

#[tokio::test]
async fn a_server_without_extended_connect_is_named_or_fallen_back_from() {
    let (address, trust) = foreign(|config| config.websockets = false).await;
    let url = format!("wss://localhost:{}/", address.port());
    let client = client().with_tls(trust);
    let exact = client.clone().with_http(HttpPolicy::H2);
    let error = exact.connect(&url, &ConnectOptions::default()).await.expect_err("refused");
    assert_eq!(error.reason(), "peer_does_not_allow_connect_protocol");
    let best = client.with_http(HttpPolicy::Best);
    for _ in 0..2 {
        let websocket = best.connect(&url, &ConnectOptions::default()).await.expect("open");
        assert_eq!(websocket.transport().http_version(), HttpVersion::H1);
    }
}

#[tokio::test]
async fn a_server_that_speaks_an_older_version_alone_is_named_or_fallen_back_from() {
    let (certificate, trust) = certificates();
    let mut config = Arc::unwrap_or_clone(certificate);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("wss://localhost:{}/", listener.local_addr().expect("bound").port());
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.expect("a connection");
            // A client that offers nothing we have is refused here.
            let Ok(tls) = acceptor.accept(tcp).await else { continue };
            tokio::spawn(async move { ws_tokio::accept(tls).await.map(drop) });
        }
    });
    let client = client().with_tls(trust);
    let exact = client.clone().with_http(HttpPolicy::H2);
    let error = exact.connect(&url, &ConnectOptions::default()).await.expect_err("refused");
    assert_eq!(error.reason(), "unsupported_http_version");
    let best = client.with_http(HttpPolicy::Best);
    let websocket = best.connect(&url, &ConnectOptions::default()).await.expect("open");
    assert_eq!(websocket.transport().http_version(), HttpVersion::H1);
}

/// Whatever else it allows: RFC 9113 §7 has both frames say it.
// RFC: H2-7-01
#[tokio::test]
async fn a_server_that_wants_the_websocket_over_http_1_1_gets_it_there() {
    const SETTINGS: &[u8] = &[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 1];
    const RST_STREAM: &[u8] = &[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 0xd];
    const GOAWAY: &[u8] = &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xd];
    const GOAWAY_ABOVE: &[u8] = &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0xd];
    for words in [RST_STREAM, GOAWAY, GOAWAY_ABOVE] {
        let (certificate, trust) = certificates();
        let mut config = Arc::unwrap_or_clone(certificate);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("wss://localhost:{}/", listener.local_addr().expect("bound").port());
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.expect("a connection");
                let Ok(mut tls) = acceptor.accept(tcp).await else { continue };
                if tls.get_ref().1.alpn_protocol() != Some(b"h2") {
                    tokio::spawn(async move { ws_tokio::accept(tls).await.map(drop) });
                    continue;
                }
                tls.read_exact(&mut [0; 24]).await.expect("the preface");
                tls.write_all(SETTINGS).await.expect("sent");
                // Its request comes when it has seen that.
                let mut head = [0; 9];
                while head[3] != 1 {
                    tls.read_exact(&mut head).await.expect("a frame");
                    let size = usize::from(u16::from_be_bytes([head[1], head[2]]));
                    tls.read_exact(&mut vec![0; size]).await.expect("all of it");
                }
                tls.write_all(words).await.expect("sent");
                tls.shutdown().await.expect("sent");
            }
        });
        let client = client().with_tls(trust);
        let exact = client.clone().with_http(HttpPolicy::H2);
        let error = exact.connect(&url, &ConnectOptions::default()).await.expect_err("refused");
        assert_eq!(error.reason(), "unsupported_http_version", "{words:?}");
        let best = client.with_http(HttpPolicy::Best);
        let websocket = best.connect(&url, &ConnectOptions::default()).await.expect("open");
        assert_eq!(websocket.transport().http_version(), HttpVersion::H1);
    }
}

#[tokio::test]
async fn prior_knowledge_that_was_wrong_is_a_readable_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("ws://{}/", listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.expect("a connection");
        ws_tokio::accept(tcp).await.map(drop)
    });
    let exact = client().with_http(HttpPolicy::H2);
    let error = exact.connect(&url, &ConnectOptions::default()).await.expect_err("refused");
    assert_eq!(error.reason(), "unsupported_http_version");
}

#[tokio::test]
async fn the_best_version_is_found() {
    let house = Over::H2Tls.house(AcceptOptions::default());
    let best = house.client.clone().with_http(HttpPolicy::Best);
    let websocket = best.connect(&house.url, &ConnectOptions::default()).await.expect("open");
    assert_eq!(websocket.transport().http_version(), HttpVersion::H2);
    let house = Over::H1.house(AcceptOptions::default());
    let best = house.client.clone().with_http(HttpPolicy::Best);
    let websocket = best.connect(&house.url, &ConnectOptions::default()).await.expect("open");
    assert_eq!(websocket.transport().http_version(), HttpVersion::H1);
}

#[tokio::test]
async fn beyond_the_streams_a_server_allows_there_is_a_new_connection() {
    let (address, trust) = foreign(|config| config.max_streams = 1).await;
    let url = format!("wss://localhost:{}/", address.port());
    let client = client().with_tls(trust).with_http(HttpPolicy::H2);
    let mut websockets = Vec::new();
    for _ in 0..3 {
        let opened = client.connect(&url, &ConnectOptions::default()).await;
        websockets.push(opened.expect("open"));
    }
    for websocket in &mut websockets {
        greet(websocket).await;
    }
}

#[tokio::test]
async fn a_server_and_a_client_allow_as_many_streams_as_they_are_told_to() {
    for (on_server, on_client, expected) in [(2, 256, 3), (256, 3, 2), (256, 256, 1)] {
        let connections = Arc::new(Mutex::new(HashSet::new()));
        let seen = Arc::clone(&connections);
        let server = server().with_h2(up_to(on_server)).with_route(move |_, remote| {
            seen.lock().expect("no panic").insert(remote.address());
            Ok(())
        });
        let house = Over::H2.serve(server, echo);
        let client = house.client.clone().with_h2(up_to(on_client));
        let mut websockets = Vec::new();
        for _ in 0..6 {
            let opened = client.connect(&house.url, &ConnectOptions::default()).await;
            websockets.push(opened.expect("open"));
        }
        for websocket in &mut websockets {
            greet(websocket).await;
        }
        assert_eq!(connections.lock().expect("no panic").len(), expected);
    }
}

fn up_to(max_streams: u32) -> H2Options {
    let mut options = H2Options::default();
    options.max_streams = max_streams;
    options
}

#[tokio::test]
async fn after_goaway_new_websockets_take_a_new_connection_and_old_ones_live_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("ws://{}/", listener.local_addr().expect("bound"));
    let (handles, mut first) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (tcp, peer) = listener.accept().await.expect("a connection");
            let config = ws_h2::ServerConfig::default();
            let server = ws_h2::Server::accept(tcp, Some(peer), Tokio, &config).await;
            let server = server.expect("http/2");
            handles.send(server.handle()).expect("somebody listens");
            tokio::spawn(serve_h2(server));
        }
    });
    let client = client().with_http(HttpPolicy::H2);
    let options = ConnectOptions::default();
    let mut old = client.connect(&url, &options).await.expect("open");
    greet(&mut old).await;
    first.recv().await.expect("a connection").drain();
    // What comes back was sent behind the GOAWAY.
    greet(&mut old).await;
    let mut new = client.connect(&url, &options).await.expect("open");
    greet(&mut new).await;
    greet(&mut old).await;
    assert!(first.try_recv().is_ok(), "a second connection");
    assert!(first.try_recv().is_err(), "and no third");
}

async fn greet(websocket: &mut WebSocket) {
    websocket.send(Message::text("hello")).await.expect("sent");
    let back = websocket.next().await.expect("open").expect("a message");
    assert_eq!(back, Message::text("hello"));
}

#[cfg(feature = "h3")]
#[tokio::test]
async fn http_3_is_found_beside_the_others_and_announced() {
    let house = Over::H3.house(AcceptOptions::default());
    let best = house.client.clone().with_http(HttpPolicy::Best);
    let websocket = best.connect(&house.url, &ConnectOptions::default()).await.expect("open");
    assert_eq!(websocket.transport().http_version(), HttpVersion::H3);
    let port = house.url.trim_end_matches('/').rsplit(':').next().expect("a port").to_owned();
    for policy in [HttpPolicy::H1, HttpPolicy::H2] {
        let client = house.client.clone().with_http(policy);
        let websocket = client.connect(&house.url, &ConnectOptions::default()).await.expect("open");
        let info = websocket.upgrade_info().expect("kept");
        let expected = format!("h3=\":{port}\"; ma=86400");
        assert_eq!(info.headers().get("alt-svc"), Some(&*expected), "{policy:?}");
    }
}

#[cfg(feature = "h3")]
#[tokio::test]
async fn where_nobody_answers_in_quic_the_next_version_is_taken_and_remembered() {
    let house = Over::H2Tls.house(AcceptOptions::default());
    let best = house.client.clone().with_http(HttpPolicy::Best);
    // Who does not remember waits half a second for an answer, again.
    for most in [5_000, 500] {
        let start = tokio::time::Instant::now();
        let websocket = best.connect(&house.url, &ConnectOptions::default()).await.expect("open");
        assert_eq!(websocket.transport().http_version(), HttpVersion::H2);
        assert!(start.elapsed() < Duration::from_millis(most), "{:?}", start.elapsed());
    }
    let short =
        ConnectOptions { handshake_timeout: Duration::from_millis(300), ..Default::default() };
    let exact = house.client.clone().with_http(HttpPolicy::H3);
    let error = exact.connect(&house.url, &short).await.expect_err("nobody is there");
    assert_eq!(error.reason(), "transport_error");
    let plain = exact.connect("ws://localhost:1/", &short).await.expect_err("not encrypted");
    assert_eq!(plain.reason(), "invalid_scheme");
}

/// QUIC has no older TLS (RFC 9001 §4.2).
#[cfg(feature = "h3")]
#[tokio::test]
async fn a_client_without_tls_1_3_takes_the_next_version() {
    let (certificate, dated) = crate::support::dated_certificates();
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = server().listen_tls_and_h3(anywhere, certificate).expect("a port");
    let url = server.urls().next().expect("it listens").replace("127.0.0.1", "localhost");
    tokio::spawn(server.serve(echo));
    let client = client().with_tls(dated);
    let best = client.clone().with_http(HttpPolicy::Best);
    let websocket = best.connect(&url, &ConnectOptions::default()).await.expect("open");
    assert_eq!(websocket.transport().http_version(), HttpVersion::H2);
    let exact = client.with_http(HttpPolicy::H3);
    let error = exact.connect(&url, &ConnectOptions::default()).await.expect_err("no quic");
    assert_eq!(error.reason(), "transport_error");
}

#[cfg(feature = "h3")]
#[tokio::test]
async fn over_quic_a_server_nobody_vouches_for_is_refused() {
    let house = Over::H3.house(AcceptOptions::default());
    let client = client().with_tls(crate::support::distrustful()).with_http(HttpPolicy::H3);
    let error = client.connect(&house.url, &ConnectOptions::default()).await.expect_err("refused");
    assert_eq!(error.reason(), "transport_error");
    let best = client.with_http(HttpPolicy::Best);
    assert!(best.connect(&house.url, &ConnectOptions::default()).await.is_err());
}

/// The carriers that take many WebSockets on one connection.
const MANY: &[Over] = &[
    Over::H2,
    Over::H2Tls,
    #[cfg(feature = "h3")]
    Over::H3,
];

/// A server that is not built like ours: HTTP/2 with this configuration, HTTP/1.1 beside it.
async fn foreign(
    set: impl FnOnce(&mut ws_h2::ServerConfig),
) -> (SocketAddr, Arc<rustls::ClientConfig>) {
    let (certificate, trust) = certificates();
    let mut config = Arc::unwrap_or_clone(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let mut config = ws_h2::ServerConfig::default();
    set(&mut config);
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.expect("a connection");
            tokio::spawn(attend(tcp, acceptor.clone(), config.clone()));
        }
    });
    (address, trust)
}

async fn attend(tcp: TcpStream, acceptor: TlsAcceptor, config: ws_h2::ServerConfig) {
    let Ok(tls) = acceptor.accept(tcp).await else { return };
    if tls.get_ref().1.alpn_protocol() != Some(b"h2") {
        drop(ws_tokio::accept(tls).await);
        return;
    }
    if let Ok(server) = ws_h2::Server::accept(tls, None, Tokio, &config).await {
        serve_h2(server).await;
    }
}

async fn serve_h2(mut server: ws_h2::Server) {
    while let Some(request) = server.next().await {
        let ws_h2::Request::WebSocket(request) = request else { continue };
        let stream = request.accept(http::Response::new(())).expect("answered");
        let session = Session::server(Config::default());
        let info = UpgradeInfo::new("/");
        let mut websocket = ws_io::WebSocket::from_parts(stream, Tokio, session, info);
        tokio::spawn(async move {
            while let Some(Ok(message)) = websocket.next().await {
                if message.data_kind().is_some() && websocket.feed(message).await.is_err() {
                    break;
                }
            }
        });
    }
}
