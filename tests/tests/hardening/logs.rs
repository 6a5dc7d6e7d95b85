//! What a peer writes is escaped in the log: no control character of its gets there.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tracing::field::{Field, Visit};
use tracing::span;
use ws_stack::tokio as ws;

/// Collects the fields of every event and span of ours, formatted as usual.
pub(crate) struct Log(pub(crate) Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, "{field}={value:?} ").expect("a string takes all");
    }
}

impl Log {
    fn push(&self, line: Line) {
        self.0.lock().expect("no panic").push(line.0);
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("ws_")
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let mut line = Line(String::new());
        attributes.record(&mut line);
        self.push(line);
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        let mut line = Line(String::new());
        values.record(&mut line);
        self.push(line);
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.push(line);
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn the_end_of_a_connection_says_which_rule_was_broken_and_what_was_answered() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let _guard = tracing::subscriber::set_default(Log(Arc::clone(&lines)));
    let (mut raw, far) = tokio::io::duplex(4096);
    raw.write_all(REQUEST).await.expect("written");
    // A text message without a mask.
    raw.write_all(b"\x81\x01a").await.expect("written");
    raw.shutdown().await.expect("ended");
    let mut websocket = ws::accept(far).await.expect("a valid request");
    assert!(websocket.next().await.expect("a violation").is_err());
    let lines = lines.lock().expect("no panic");
    let ended = lines.iter().find(|line| line.contains("connection ended")).expect("it is logged");
    assert!(ended.contains("cause=Violation(") && ended.contains("1002"), "{ended}");
}

#[tokio::test]
async fn the_end_of_a_connection_that_we_close_is_in_the_log_as_well() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let _guard = tracing::subscriber::set_default(Log(Arc::clone(&lines)));
    let (mut raw, far) = tokio::io::duplex(4096);
    raw.write_all(REQUEST).await.expect("written");
    let mut websocket = ws::accept(far).await.expect("a valid request");
    raw.shutdown().await.expect("ended");
    websocket.close(ws::CloseCode::NORMAL, "enough").await.expect("it may be sent");
    let lines = lines.lock().expect("no panic");
    let ended = lines.iter().filter(|line| line.contains("connection ended"));
    assert_eq!(ended.count(), 1, "{lines:?}");
}

/// Browsers can put a credential nowhere else but into a cookie.
#[tokio::test]
async fn what_stands_in_the_query_is_not_in_the_log() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let _guard = tracing::subscriber::set_default(Log(Arc::clone(&lines)));
    let server = ws::server().listen(([127, 0, 0, 1], 0).into()).expect("a port");
    let url = server.urls().next().expect("it listens") + "chat?token=hush";
    tokio::spawn(
        server.serve(|mut websocket| async move { while websocket.next().await.is_some() {} }),
    );
    let mut websocket = ws::connect(&url).await.expect("open");
    websocket.close(ws::CloseCode::NORMAL, "").await.expect("it may be sent");
    let lines = lines.lock().expect("no panic");
    assert_eq!(
        lines.iter().filter(|line| line.contains("path=\"/chat\" ")).count(),
        2,
        "{lines:?}"
    );
    assert!(!lines.iter().any(|line| line.contains("hush")), "{lines:?}");
}

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Ends the line, clears the screen, and goes on as if it were ours.
const FORGED: &str = "\x1b[2J\u{9b}31m\u{7}INFO all is well";

// THREAT: log-injection
#[tokio::test]
async fn a_peer_writes_nothing_into_the_log_but_what_is_escaped() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    // The runtime of the test has one thread, this one.
    let _guard = tracing::subscriber::set_default(Log(Arc::clone(&lines)));
    let server = ws::server().listen(([127, 0, 0, 1], 0).into()).expect("a port");
    let url = server.urls().next().expect("it listens");
    tokio::spawn(
        server.serve(|mut websocket| async move { while websocket.next().await.is_some() {} }),
    );
    let address = url.trim_start_matches("ws://").trim_end_matches('/').to_owned();

    let good = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let heads = [
        format!("GET /{FORGED} HTTP/1.1\r\nHost: a\r\n{good}\r\n"),
        format!("GET / HTTP/1.1\r\nHost: a\r\nOrigin: http://{FORGED}\r\n{good}\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {FORGED}\r\n{good}\r\n"),
        format!("{FORGED} / HTTP/1.1\r\nHost: a\r\n{good}\r\n"),
        format!("GET / {FORGED}\r\nHost: a\r\n{good}\r\n"),
        format!("GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Protocol: {FORGED}\r\n{good}\r\n"),
        format!("GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Extensions: {FORGED}\r\n{good}\r\n"),
        format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", good.replace("websocket", FORGED)),
        format!("GET / HTTP/1.1\r\nHost: a\r\nX{FORGED}: a\r\n{good}\r\n"),
    ];
    for head in heads {
        let mut peer = TcpStream::connect(&address).await.expect("it listens");
        peer.write_all(head.as_bytes()).await.expect("written");
        peer.shutdown().await.expect("ended");
        let mut answer = Vec::new();
        // A reset after the answer is as good an end.
        let _ended = peer.read_to_end(&mut answer).await;
    }
    // And after the handshake: a close reason, a subprotocol and a path of the peer's.
    let mut client = ws::connect(&format!("{url}room?{}", "%1b")).await.expect("open");
    client.close(ws::CloseCode::new(4000), format!("bye\r\n{FORGED}")).await.expect("valid");

    let ended = |line: &String| line.contains("connection ended") && line.contains("4000");
    for _ in 0..500 {
        if lines.lock().expect("no panic").iter().any(ended) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let lines = lines.lock().expect("no panic");
    for line in lines.iter() {
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
    let refused = lines.iter().filter(|line| line.contains("handshake refused")).count();
    assert!(refused >= 5, "most of them are refused: {lines:#?}");
    let mut failed = lines.iter().filter(|line| line.contains("no websocket")).peekable();
    assert!(failed.peek().is_some() && failed.all(|line| line.contains("127.0.0.1:")));
    assert!(lines.iter().any(|line| line.contains("\\u{1b}[2J")), "and quoted: {lines:#?}");
}
