//! Attacks on the connection beneath a WebSocket of HTTP/3 (RFC 9220).

use std::time::Duration;

use quinn::VarInt;
use tokio::time::{Instant, sleep, timeout};

use super::{Ending, KIB, PATIENCE};
use crate::arena::{Arena, Refused};
use crate::wire::qpack::section;
use crate::wire::raw_h3::{Failure, RawH3, failure_of, frame, number};

/// Their names, without the `h3 ` before each.
pub(super) const NAMES: &[&str] = &[
    "connection that says nothing",
    "streams that say nothing",
    "resets",
    "oversized field section",
    "large field section",
];

/// Runs the attack of this name, if there is one.
pub(super) async fn attack(
    name: &str,
    arena: &Arena,
    scale: usize,
) -> Option<Result<Ending, Refused>> {
    let name = name.strip_prefix("h3 ")?;
    Some(run(name, arena, scale).await)
}

async fn run(name: &str, arena: &Arena, scale: usize) -> Result<Ending, Refused> {
    let target = arena.target()?;
    let raw = RawH3::begin(&target.host, target.port).await?;
    let fields = arena.connect(true)?.field_lines();
    Ok(match name {
        "connection that says nothing" => ended(&raw, 0, PATIENCE).await,
        "streams that say nothing" => half_requests(&raw, &fields, 100_000 / scale).await,
        "resets" => resets(&raw, &fields, 20_000 / scale).await,
        "oversized field section" | "large field section" => {
            let all = [fields, super::oversized(scale)].concat();
            oversized(&raw, &all).await
        }
        other => return Err(Refused::NoConnection(format!("there is no attack h3 {other:?}"))),
    })
}

/// Waits for the end of the connection.
pub(super) async fn ended(raw: &RawH3, sent: usize, patience: Duration) -> Ending {
    match timeout(patience, raw.connection.closed()).await {
        Ok(quinn::ConnectionError::ApplicationClosed(close)) => {
            Ending::new(sent, format!("H3 error {:#x}", close.error_code.into_inner()))
        }
        Ok(_) => Ending::new(sent, "cut"),
        Err(_) => Ending::new(sent, "open"),
    }
}

/// Streams of which each begins a field section and leaves it, up to the limit of the server.
async fn half_requests(raw: &RawH3, fields: &[(String, String)], count: usize) -> Ending {
    let whole = frame(number::HEADERS, &section(fields));
    let half = whole.get(..whole.len() / 2).unwrap_or_default();
    let (mut kept, mut sent) = (Vec::new(), 0);
    let deadline = Instant::now() + Duration::from_secs(2);
    while kept.len() < count && Instant::now() < deadline {
        let opening = timeout(Duration::from_millis(500), raw.connection.open_bi());
        let Ok(Ok((mut send, receive))) = opening.await else { break };
        if send.write_all(half).await.is_err() {
            break;
        }
        sent += half.len();
        kept.push((send, receive));
    }
    let opened = kept.len();
    // Until the server has reset the first of them, or all.
    let end = match kept.first_mut() {
        Some((_, receive)) => match timeout(PATIENCE, receive.read_to_end(KIB)).await {
            Ok(Err(quinn::ReadToEndError::Read(quinn::ReadError::Reset(code)))) => {
                format!("reset {:#x}", code.into_inner())
            }
            Ok(Err(_)) => "cut".into(),
            Ok(Ok(_)) => "answered".into(),
            Err(_) => "open".into(),
        },
        None => "cut".into(),
    };
    Ending::new(sent, format!("{end}, {opened} streams at a time"))
}

/// Opens a WebSocket and resets it, again and again.
async fn resets(raw: &RawH3, fields: &[(String, String)], count: usize) -> Ending {
    let request = frame(number::HEADERS, &section(fields));
    let code = VarInt::from_u32(number::REQUEST_CANCELLED);
    let mut sent = 0;
    for _ in 0..count {
        let opening = timeout(PATIENCE, raw.connection.open_bi());
        let Ok(Ok((mut send, mut receive))) = opening.await else { break };
        if send.write_all(&request).await.is_err() {
            break;
        }
        sent += request.len();
        // Whoever is gone has nothing to be told.
        let _ = send.reset(code);
        let _ = receive.stop(code);
    }
    sleep(Duration::from_millis(200)).await;
    ended(raw, sent, Duration::from_secs(1)).await
}

async fn oversized(raw: &RawH3, fields: &[(String, String)]) -> Ending {
    let sent = section(fields).len();
    let answer = async { raw.request(fields).await?.answer().await };
    let end = match timeout(PATIENCE, answer).await {
        Ok(Ok(head)) => head.status().map_or_else(|| head.start.clone(), |code| code.to_string()),
        Ok(Err(error)) => match failure_of(&error) {
            Failure::Stream(code) => format!("reset {code:#x}"),
            Failure::Connection => return ended(raw, sent, Duration::ZERO).await,
            Failure::Other => "cut".into(),
        },
        Err(_) => "open".into(),
    };
    Ending::new(sent, end)
}
