//! Attacks before there is a WebSocket, by octets of HTTP/1.1, and the handshake for attacks on a
//! client.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::{Ending, KIB, MIB, PATIENCE};
use crate::arena::{Arena, Refused};
use crate::link::Link;
use crate::server_side::visitor::Visitor;
use crate::wire::deflate::Agreement;
use crate::wire::http::{self, fresh_key};
use crate::wire::stream::Wire;

/// Their names, on a server.
pub(super) const ON_SERVER: &[&str] = &[
    "nothing sent",
    "half a handshake",
    "dripped handshake",
    "many header fields",
    "thousands of header fields",
    "endless header field",
    "long header field",
    "unclosed quoted string",
];

/// Their names, on a client.
pub(super) const ON_CLIENT: &[&str] =
    &["no answer", "dripped answer", "endless response header", "endless interim answers"];

/// Runs the attack of this name on a server, if there is one.
pub(super) async fn attack(
    name: &str,
    arena: &Arena,
    scale: usize,
) -> Option<Result<Ending, Refused>> {
    if !ON_SERVER.contains(&name) {
        return None;
    }
    Some(on_server(name, arena, scale).await)
}

async fn on_server(name: &str, arena: &Arena, scale: usize) -> Result<Ending, Refused> {
    let request = arena.request(&fresh_key(), None)?;
    let open = request.strip_suffix("\r\n").unwrap_or(&request);
    if name == "nothing sent" && arena.target()?.secure {
        // Not even TLS begins.
        return Ok(waited(&mut Wire::new(arena.dial_tcp().await?), 0).await);
    }
    let mut wire = arena.dial().await?;
    Ok(match name {
        "nothing sent" => waited(&mut wire, 0).await,
        "half a handshake" => {
            let half = request.get(..request.len() / 2).unwrap_or_default();
            wire.write(half.as_bytes()).await;
            waited(&mut wire, half.len()).await
        }
        "dripped handshake" => drip(&mut wire, open).await,
        "many header fields" | "thousands of header fields" => {
            let fields: String = (0..10_000 / scale).map(|n| format!("X-{n}: y\r\n")).collect();
            write(&mut wire, format!("{open}{fields}\r\n").as_bytes()).await
        }
        "unclosed quoted string" => {
            let value = format!("a;b=\"{}", r"\c".repeat(30 * KIB / scale));
            let field = format!("Sec-WebSocket-Extensions: {value}\r\n");
            write(&mut wire, format!("{open}{field}\r\n").as_bytes()).await
        }
        _ => {
            let value = "*".repeat(4 * MIB / scale);
            write(&mut wire, format!("{open}X-Long: {value}\r\n\r\n").as_bytes()).await
        }
    })
}

/// Runs the attack of this name on a client that has called, if there is one.
pub(super) async fn attack_client(
    name: &str,
    visitor: &mut Visitor,
    scale: usize,
) -> Option<Ending> {
    let key = visitor.request.values("Sec-WebSocket-Key").next().unwrap_or_default();
    let accept = http::accept_for(key);
    let open = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n"
    );
    let wire = visitor.wire()?;
    Some(match name {
        "no answer" => waited(wire, 0).await,
        "dripped answer" => drip(wire, &open).await,
        "endless response header" => {
            wire.write(open.as_bytes()).await;
            let (mut sent, total) = (open.len(), 256 * MIB / scale);
            let fields = "X-More: and so on, and so on, and so on\r\n".repeat(1000);
            while sent < total && wire.write(fields.as_bytes()).await {
                sent += fields.len();
            }
            waited(wire, sent).await
        }
        "endless interim answers" => {
            let (mut sent, total) = (0, 256 * MIB / scale);
            let answers = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(1000);
            while sent < total && wire.write(answers.as_bytes()).await {
                sent += answers.len();
            }
            waited(wire, sent).await
        }
        _ => return None,
    })
}

/// The server's half of the handshake, for attacks on the WebSocket of a client.
pub(super) async fn welcome(mut arena: Arena, deflate: bool) -> Result<Link, Refused> {
    let visitor = arena.visitor().await?;
    let agreed = deflate.then(|| ("permessage-deflate", Agreement::default()));
    arena.welcome(visitor, agreed).await
}

/// An octet every 200 ms, of a head that never ends.
async fn drip(wire: &mut Wire, head: &str) -> Ending {
    let (deadline, mut sent) = (Instant::now() + PATIENCE, 0);
    let mut octets = head.bytes().chain("X-Long: ".bytes()).chain(std::iter::repeat(b'*'));
    while Instant::now() < deadline {
        let Some(octet) = octets.next() else { break };
        if !wire.write(&[octet]).await {
            break;
        }
        sent += 1;
        let answered = timeout(Duration::from_millis(200), wire.fill()).await;
        if matches!(answered, Ok(false)) {
            break;
        }
    }
    Ending::new(sent, status(wire))
}

/// Writes as much as is taken, then waits.
async fn write(wire: &mut Wire, octets: &[u8]) -> Ending {
    let mut sent = 0;
    for piece in octets.chunks(16 * KIB) {
        if wire.end().is_some() || !wire.write(piece).await {
            break;
        }
        sent += piece.len();
    }
    waited(wire, sent).await
}

/// Waits for the end.
async fn waited(wire: &mut Wire, sent: usize) -> Ending {
    // An end is one whether it came in time or not: `status` looks.
    let _ = timeout(PATIENCE, async { while wire.fill().await {} }).await;
    Ending::new(sent, status(wire))
}

/// The status of an answer, or how it ended without one.
fn status(wire: &Wire) -> String {
    let answer = wire.buffered().strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
    match (answer, wire.end()) {
        (Some(status), Some(_)) => String::from_utf8_lossy(status).into_owned(),
        (Some(status), None) => format!("{}, then open", String::from_utf8_lossy(status)),
        (None, Some(_)) => "cut".into(),
        (None, None) => "open".into(),
    }
}
