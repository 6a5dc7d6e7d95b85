//! Clients and servers of this crate against each other, over every kind of socket.

use std::future::{Future as _, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
#[cfg(feature = "rustls")]
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::support::{echo, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use ws_tokio::{
    AcceptOptions, Cause, CloseCode, ConnectOptions, Error, Message, Page, Refusal, TransportError,
    connect, connect_with, server,
};

fn anywhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

async fn talk(websocket: &mut ws_tokio::WebSocket) {
    for message in [Message::text("text"), Message::binary(vec![7; 70_000]), Message::text("")] {
        websocket.send(message.clone()).await.expect("sent");
        assert_eq!(websocket.next().await.expect("open").expect("a message"), message);
    }
    let outcome = websocket.close(CloseCode::NORMAL, "done").await.expect("a valid code");
    assert!(outcome.clean, "{outcome:?}");
    assert_eq!(outcome.code, CloseCode::NORMAL);
}

// RFC: WS-4.1-07
#[tokio::test]
async fn messages_come_back_over_tcp() {
    let (url, _shutdown) = serve(server().listen(anywhere()).expect("a port"));
    talk(&mut connect(&url).await.expect("open")).await;
}

#[tokio::test]
async fn an_attempt_to_connect_waits_for_no_timer() {
    let socket = std::net::TcpListener::bind(anywhere()).expect("a port");
    let url = format!("ws://{}/", socket.local_addr().expect("bound"));
    socket.set_nonblocking(true).expect("a socket");
    let mut connecting = pin!(connect(&url));
    let is_pending = poll_fn(|cx| Poll::Ready(connecting.as_mut().poll(cx).is_pending())).await;
    assert!(is_pending, "nobody has answered");
    for _ in 0..200 {
        if socket.accept().is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it was polled once, and has not begun");
}

#[tokio::test]
async fn a_socket_that_listens_already_is_taken_over_and_may_block() {
    let socket = std::net::TcpListener::bind(anywhere()).expect("a port");
    let address = socket.local_addr().expect("bound");
    let server = server().listen_on(socket).expect("a listener");
    assert_eq!(server.local_addrs().collect::<Vec<_>>(), [address]);
    let (url, _shutdown) = serve(server);
    talk(&mut connect(&url).await.expect("open")).await;
}

#[tokio::test]
async fn messages_come_back_over_ipv6() {
    let Ok(server) = server().listen("[::1]:0".parse().expect("an address")) else {
        eprintln!("not run: this machine has no ipv6");
        return;
    };
    let (url, _shutdown) = serve(server);
    assert!(url.starts_with("ws://[::1]:"), "{url}");
    talk(&mut connect(&url).await.expect("open")).await;
}

#[tokio::test]
async fn a_name_with_several_addresses_reaches_whichever_listens() {
    // `localhost` is ::1 and 127.0.0.1 on most machines, and only the latter listens.
    let server = server().listen(anywhere()).expect("a port");
    let port = server.local_addrs().next().expect("one").port();
    let (_url, _shutdown) = serve(server);
    talk(&mut connect(&format!("ws://localhost:{port}/")).await.expect("open")).await;
}

#[cfg(feature = "rustls")]
#[tokio::test]
async fn messages_come_back_over_tls() {
    let (certificate, trust) = crate::support::certificates();
    let socket = std::net::TcpListener::bind(anywhere()).expect("a port");
    let client = ws_tokio::client().with_tls(trust);
    for server in [
        server().listen_tls(anywhere(), Arc::clone(&certificate)),
        server().listen_tls_on(socket, certificate),
    ] {
        let (url, _shutdown) = serve(server.expect("a listener"));
        let url = url.replace("127.0.0.1", "localhost");
        assert!(url.starts_with("wss://"), "{url}");
        talk(&mut client.connect(&url, &ConnectOptions::default()).await.expect("open")).await;
    }
}

// RFC: WS-4.1-10
#[cfg(feature = "rustls")]
#[tokio::test]
async fn a_server_nobody_vouches_for_is_refused() {
    let (certificate, _) = crate::support::certificates();
    let (url, _shutdown) = serve(server().listen_tls(anywhere(), certificate).expect("a port"));
    let client = ws_tokio::client().with_tls(crate::support::distrustful());
    let refused = client.connect(&url, &ConnectOptions::default()).await;
    assert!(matches!(refused, Err(Error::Transport(TransportError::Io(_)))), "{refused:?}");
}

// RFC: WS-4.1-11
#[cfg(feature = "rustls")]
#[tokio::test]
async fn the_server_is_told_the_name_it_was_called_by() {
    let (certificate, trust) = crate::support::certificates();
    let server = server()
        .with_route(|_, remote| match remote.server_name() {
            Some("localhost") => Ok(()),
            _ => Err(Refusal::fixed(421, &[])),
        })
        .listen_tls(anywhere(), certificate)
        .expect("a port");
    let (url, _shutdown) = serve(server);
    let client = ws_tokio::client().with_tls(trust);
    let options = ConnectOptions::default();
    talk(
        &mut client.connect(&url.replace("127.0.0.1", "localhost"), &options).await.expect("open"),
    )
    .await;
    let by_address = client.connect(&url, &options).await.expect_err("no name, no service");
    assert_eq!(by_address.reason(), "unexpected_status");
}

#[cfg(unix)]
#[tokio::test]
async fn messages_come_back_over_a_unix_socket_and_its_file_goes_with_the_server() {
    let path = std::env::temp_dir().join(format!("ws-tokio-{}.sock", std::process::id()));
    let server = server().listen_unix(&path).expect("a path");
    let shutdown = server.shutdown_handle();
    let serving = tokio::spawn(server.serve(echo));
    let client = ws_tokio::client();
    let options = ConnectOptions::default();
    let mut websocket =
        client.connect_unix(&path, "ws://localhost/chat", &options).await.expect("open");
    assert_eq!(websocket.upgrade_info().expect("kept").path(), "/chat");
    talk(&mut websocket).await;
    let refused = client.connect_unix(&path, "wss://localhost/", &options).await;
    assert_eq!(refused.expect_err("nothing encrypts here").reason(), "invalid_scheme");
    shutdown.drain(Duration::from_secs(5));
    serving.await.expect("no panic");
    assert!(!path.exists());
}

#[cfg(unix)]
#[tokio::test]
async fn a_server_that_ends_leaves_the_unix_socket_of_its_successor() {
    let path = std::env::temp_dir().join(format!("ws-tokio-heir-{}.sock", std::process::id()));
    let old = server().listen_unix(&path).expect("a path");
    let shutdown = old.shutdown_handle();
    let serving = tokio::spawn(old.serve(echo));
    std::fs::remove_file(&path).expect("the file of the old server");
    let new = server().listen_unix(&path).expect("the path is free");
    let new_shutdown = new.shutdown_handle();
    let new_serving = tokio::spawn(new.serve(echo));
    shutdown.drain(Duration::ZERO);
    serving.await.expect("no panic");
    let options = ConnectOptions::default();
    let client = ws_tokio::client();
    talk(&mut client.connect_unix(&path, "ws://localhost/", &options).await.expect("open")).await;
    new_shutdown.drain(Duration::from_secs(5));
    new_serving.await.expect("no panic");
    assert!(!path.exists());
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_of_others_is_served_and_left_to_them() {
    let path = std::env::temp_dir().join(format!("ws-tokio-lent-{}.sock", std::process::id()));
    let socket = std::os::unix::net::UnixListener::bind(&path).expect("a path");
    let server = server().listen_unix_on(socket).expect("a listener");
    assert_eq!(server.urls().next(), Some(format!("ws+unix:{}", path.display())));
    let shutdown = server.shutdown_handle();
    let serving = tokio::spawn(server.serve(echo));
    let (client, options) = (ws_tokio::client(), ConnectOptions::default());
    talk(&mut client.connect_unix(&path, "ws://localhost/", &options).await.expect("open")).await;
    shutdown.drain(Duration::from_secs(5));
    serving.await.expect("no panic");
    std::fs::remove_file(&path).expect("it is still there");
}

// RFC: WS-4.1-02
#[tokio::test]
async fn a_bad_url_fails_before_anything_is_sent() {
    for (url, reason) in [
        ("http://localhost/", "invalid_scheme"),
        ("ws://", "invalid_url"),
        ("ws://host/#fragment", "invalid_url"),
        ("ws://user@host/", "invalid_url"),
        ("ws://host:65536/", "invalid_port"),
        ("nonsense", "invalid_url"),
    ] {
        let error = connect(url).await.expect_err(url);
        assert_eq!(error.reason(), reason, "{url}: {error}");
    }
}

// THREAT: header-injection
#[tokio::test]
async fn a_header_that_smuggles_fails_and_nothing_arrives() {
    let listener = TcpListener::bind(anywhere()).await.expect("a port");
    let url = format!("ws://{}/", listener.local_addr().expect("bound"));
    let arrived = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.map(|_| bytes)
    });
    let options = ConnectOptions {
        headers: vec![("X-Note".into(), "a\r\nEvil: b".into())],
        ..ConnectOptions::default()
    };
    let error = connect_with(&url, &options).await.expect_err("refused");
    assert_eq!(error.reason(), "invalid_header");
    // Either nobody came at all or nothing was said.
    let quiet = tokio::time::timeout(Duration::from_millis(300), arrived).await;
    if let Ok(bytes) = quiet {
        assert!(bytes.expect("no panic").expect("read").is_empty());
    }
}

#[tokio::test]
async fn nobody_there_is_a_readable_error() {
    let listener = TcpListener::bind(anywhere()).await.expect("a port");
    let url = format!("ws://{}/", listener.local_addr().expect("bound"));
    drop(listener);
    let error = connect(&url).await.expect_err("nobody listens");
    let Error::Transport(TransportError::Io(io)) = &error else { panic!("{error:?}") };
    assert_eq!(io.kind(), std::io::ErrorKind::ConnectionRefused);
    assert!(io.to_string().contains("could not be reached"), "{io}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_given_up_on() {
    let listener = TcpListener::bind(anywhere()).await.expect("a port");
    let url = format!("ws://{}/", listener.local_addr().expect("bound"));
    let before = tokio::time::Instant::now();
    let error = connect(&url).await.expect_err("no answer");
    assert!(matches!(error, Error::Transport(TransportError::Timeout)), "{error:?}");
    assert_eq!(before.elapsed().as_secs(), 15);
}

#[tokio::test]
async fn deadlines_may_be_as_long_as_one_likes() {
    let options = AcceptOptions { handshake_timeout: Duration::MAX, ..AcceptOptions::default() };
    let server = server().with_options(options).listen(anywhere()).expect("a port");
    let url = server.urls().next().expect("one");
    let shutdown = server.shutdown_handle();
    let serving = tokio::spawn(server.serve(echo));
    let options = ConnectOptions { handshake_timeout: Duration::MAX, ..ConnectOptions::default() };
    talk(&mut connect_with(&url, &options).await.expect("open")).await;
    shutdown.drain(Duration::MAX);
    assert_eq!(serving.await.expect("no panic").cut, 0);
}

#[tokio::test]
async fn a_client_that_says_nothing_is_told_and_dropped() {
    let options =
        AcceptOptions { silence_timeout: Duration::from_millis(50), ..AcceptOptions::default() };
    let (url, _shutdown) =
        serve(server().with_options(options).listen(anywhere()).expect("a port"));
    let mut stream = TcpStream::connect(host(&url)).await.expect("connected");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("read");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer:?}");
}

// THREAT: slow-handshake
#[cfg(feature = "rustls")]
#[tokio::test]
async fn a_client_that_never_begins_to_encrypt_is_dropped() {
    let (certificate, _) = crate::support::certificates();
    let options =
        AcceptOptions { handshake_timeout: Duration::from_millis(50), ..AcceptOptions::default() };
    let server = server().with_options(options).listen_tls(anywhere(), certificate);
    let (url, _shutdown) = serve(server.expect("a port"));
    let mut stream = TcpStream::connect(host(&url)).await.expect("connected");
    assert_eq!(stream.read(&mut [0; 8]).await.expect("an orderly end"), 0);
}

// RFC: WS-4.2.2-07
#[tokio::test]
async fn a_path_that_is_not_routed_is_refused_with_the_status_of_the_route() {
    let server = server()
        .with_route(|request, _| match request.path_only() {
            "/chat" => Ok(()),
            "/private" => Err(Refusal::fixed(401, &[("WWW-Authenticate", "Basic")])),
            _ => Err(Refusal::fixed(404, &[])),
        })
        .listen(anywhere())
        .expect("a port");
    let (url, _shutdown) = serve(server);
    talk(&mut connect(&format!("{url}chat?room=1")).await.expect("open")).await;
    for (path, status) in [("private", 401), ("", 404)] {
        let error = connect(&format!("{url}{path}")).await.expect_err("refused");
        let text = error.to_string() + &source_of(&error);
        assert!(text.contains(&status.to_string()), "{path}: {text}");
    }
}

#[tokio::test]
async fn a_browser_gets_its_page_on_the_same_port() {
    let server = server()
        .with_pages(|path| (path == "/").then(|| Page::html("<h1>hello</h1>")))
        .listen(anywhere())
        .expect("a port");
    let (url, _shutdown) = serve(server);
    let page = get(&url, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    assert!(page.ends_with("\r\n\r\n<h1>hello</h1>"), "{page}");
    let missing = get(&url, "GET /other HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(missing.starts_with("HTTP/1.1 404 "), "{missing}");
    let posted = get(&url, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc").await;
    assert!(posted.starts_with("HTTP/1.1 405 "), "{posted}");
    talk(&mut connect(&url).await.expect("open")).await;
}

#[tokio::test]
async fn a_load_balancer_that_speaks_http_1_0_gets_its_page() {
    let server = server().listen(anywhere()).expect("a port");
    let (url, _shutdown) = serve(server.with_pages(|_| Some(Page::text("ok"))));
    for fields in ["", "Host: a\r\nConnection: close\r\n"] {
        let page = get(&url, &format!("GET /health HTTP/1.0\r\n{fields}\r\n")).await;
        assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.ends_with("\r\n\r\nok"), "{page}");
    }
}

#[tokio::test]
async fn who_asks_for_the_header_of_a_page_gets_no_body() {
    let server = server().listen(anywhere()).expect("a port");
    let server = server.with_pages(|path| (path == "/").then(|| Page::html("hello")));
    let (url, _shutdown) = serve(server);
    for (path, status, len) in [("/", 200, 5), ("/none", 404, 9)] {
        let ask = |method| format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n\r\n", host(&url));
        let page = get(&url, &ask("GET")).await;
        let head = get(&url, &ask("HEAD")).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        assert!(head.contains(&format!("Content-Length: {len}\r\n")), "{head}");
        assert!(head.ends_with("\r\n\r\n") && page.starts_with(&head), "{page}");
    }
}

#[tokio::test]
async fn without_pages_a_browser_is_told_to_upgrade() {
    let (url, _shutdown) = serve(server().listen(anywhere()).expect("a port"));
    let answer = get(&url, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
}

// RFC: WS-7.2.2-01, WS-10.7-02
#[tokio::test]
async fn an_answer_survives_input_that_was_never_read() {
    let (url, _shutdown) = serve(server().listen(anywhere()).expect("a port"));
    let mut request = String::from("GET / HTTP/1.0\r\nUpgrade: websocket\r\n\r\n");
    request.push_str(&"x".repeat(100_000));
    let answer = get(&url, &request).await;
    assert!(answer.starts_with("HTTP/1.1 505 "), "{answer}");
}

#[tokio::test]
async fn a_close_frame_survives_input_that_was_never_read() {
    let listener = TcpListener::bind(anywhere()).await.expect("a port");
    let url = format!("ws://{}/", listener.local_addr().expect("bound"));
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        let mut websocket = ws_tokio::accept(stream).await.expect("open");
        tokio::time::sleep(Duration::from_millis(100)).await;
        let outcome = websocket.close(CloseCode::new(4001), "enough").await;
        outcome.expect("a valid code").clean
    });
    let mut websocket = connect(&url).await.expect("open");
    for _ in 0..20 {
        websocket.feed(Message::binary(vec![1; 10_000])).await.expect("queued");
    }
    websocket.flush().await.expect("written");
    while let Some(message) = websocket.next().await {
        message.expect("an orderly end");
    }
    let outcome = websocket.outcome().expect("it has ended");
    assert_eq!((outcome.code.get(), &*outcome.reason), (4001, "enough"));
    assert!(serving.await.expect("no panic"));
}

#[tokio::test]
async fn everyone_is_told_that_the_server_goes_away() {
    let server = server().listen(anywhere()).expect("a port");
    let url = server.urls().next().expect("one");
    let shutdown = server.shutdown_handle();
    let serving = tokio::spawn(server.serve(echo));
    let mut clients = Vec::new();
    for _ in 0..10 {
        let mut websocket = connect(&url).await.expect("open");
        websocket.send(Message::text("in")).await.expect("sent");
        websocket.next().await.expect("open").expect("a message");
        clients.push(websocket);
    }
    shutdown.drain(Duration::from_secs(5));
    for websocket in &mut clients {
        while let Some(message) = websocket.next().await {
            message.expect("an orderly end");
        }
        let outcome = websocket.outcome().expect("it has ended");
        assert_eq!(outcome.code, CloseCode::GOING_AWAY);
        assert!(matches!(outcome.cause, Cause::Remote), "{outcome:?}");
    }
    assert_eq!(serving.await.expect("no panic").cut, 0);
    assert!(connect(&url).await.is_err(), "the port is closed");
}

#[tokio::test]
async fn who_does_not_leave_in_time_is_cut() {
    let server = server().listen(anywhere()).expect("a port");
    let url = server.urls().next().expect("one");
    let shutdown = server.shutdown_handle();
    // A task that never reads, so that it never hears of the end.
    let serving = tokio::spawn(server.serve(|websocket| async move {
        std::future::pending::<()>().await;
        drop(websocket);
    }));
    let mut websocket = connect(&url).await.expect("open");
    shutdown.drain(Duration::from_millis(50));
    assert_eq!(serving.await.expect("no panic").cut, 1);
    let end = websocket.next().await.expect("an error");
    assert!(matches!(end, Err(Error::Transport(TransportError::Closed))), "{end:?}");
}

#[tokio::test]
async fn a_task_that_returns_or_panics_breaks_its_connection_off_and_no_other() {
    let server = server().listen(anywhere()).expect("a port");
    let url = server.urls().next().expect("it listens");
    tokio::spawn(server.serve(|mut websocket| async move {
        websocket.feed(Message::text("lost")).await.expect("queued");
        let path = websocket.upgrade_info().map(|info| info.path().to_owned());
        match path.as_deref() {
            Some("/panics") => panic!("as the test wants it"),
            Some("/returns") => {}
            _ => while websocket.next().await.is_some() {},
        }
    }));
    for path in ["returns", "panics"] {
        let mut websocket = connect(&format!("{url}{path}")).await.expect("open");
        let end = websocket.next().await.expect("an end");
        assert!(matches!(end, Err(Error::Transport(TransportError::Closed))), "{path}: {end:?}");
        let outcome = websocket.outcome().expect("over");
        assert_eq!(outcome.code, CloseCode::ABNORMAL, "{path}");
    }
    let mut other = connect(&url).await.expect("open");
    assert_eq!(other.next().await.expect("open").expect("a message"), Message::text("lost"));
}

#[tokio::test]
async fn beyond_the_cap_connections_wait_for_room() {
    let server = server().with_max_connections(1).listen(anywhere()).expect("a port");
    let (url, _shutdown) = serve(server);
    let mut first = connect(&url).await.expect("open");
    let patience = Duration::from_millis(100);
    let mut second = Box::pin(connect(&url));
    assert!(tokio::time::timeout(patience, &mut second).await.is_err(), "the house is full");
    first.close(CloseCode::NORMAL, "").await.expect("a valid code");
    drop(first);
    talk(&mut second.await.expect("open")).await;
}

fn host(url: &str) -> &str {
    url.trim_end_matches('/').rsplit('/').next().expect("a host")
}

async fn get(url: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(host(url)).await.expect("connected");
    stream.write_all(request.as_bytes()).await.expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an orderly end");
    answer
}

fn source_of(error: &dyn std::error::Error) -> String {
    let mut text = String::new();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(&format!(": {source}"));
        next = source.source();
    }
    text
}
