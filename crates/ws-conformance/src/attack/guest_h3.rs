//! Attacks on a client by a server of HTTP/3 (RFC 9220), beneath the WebSocket and before there is one.

use std::time::Duration;

use quinn::{Connection, Endpoint};
use tokio::time::{Instant, timeout};

use super::over_h3::ended;
use super::{Ending, KIB, MIB, PATIENCE, oversized};
use crate::arena::Refused;
use crate::wire::frame::Frame;
use crate::wire::h3_stream::H3Stream;
use crate::wire::qpack::section;
use crate::wire::raw_h3::{RawH3, frame, number};

/// Their names, without the `h3 ` before each.
pub(super) const NAMES: &[&str] = &[
    "no answer",
    "oversized field section",
    "endless interim answers",
    "endless body of a refusal",
    "unknown frames",
    "unknown frame without end",
    "streams of unknown types",
    "empty data",
    "one-octet data",
    "connection that says nothing",
    "unknown frames of control",
];

/// Runs the attack of this name, without its `h3 `, on the client that has called.
pub(super) async fn attack(
    name: &str,
    connection: Connection,
    endpoint: Endpoint,
    scale: usize,
) -> Result<Ending, Refused> {
    let mut raw = RawH3::accept(connection, endpoint).await?;
    if name == "connection that says nothing" {
        return Ok(ended(&raw, 0, PATIENCE).await);
    }
    if name == "unknown frames of control" {
        raw.send_settings(&[(number::ENABLE_CONNECT_PROTOCOL, 1)]).await?;
        let sent = pour(&mut raw.control.0, &frame(UNKNOWN, &[7; 8]), 1_000_000 / scale).await;
        return Ok(ended(&raw, sent, PATIENCE).await);
    }
    raw.send_settings(&[(number::ENABLE_CONNECT_PROTOCOL, 1)]).await?;
    let (mut stream, _) = timeout(PATIENCE, raw.next_request())
        .await
        .map_err(|_| Refused::NoConnection("the client sent no request".into()))??;
    let fields = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let answer = |lines: &[(String, String)]| frame(number::HEADERS, &section(lines));
    let sent = match name {
        "no answer" => 0,
        "oversized field section" => {
            let all = [fields(&[(":status", "200")]), oversized(scale)].concat();
            pour(&mut stream.send, &answer(&all), 1).await
        }
        "endless interim answers" => {
            let interim = answer(&fields(&[(":status", "103"), ("link", "</a>")]));
            pour(&mut stream.send, &interim, 1_000_000 / scale).await
        }
        "endless body of a refusal" => {
            pour(&mut stream.send, &answer(&fields(&[(":status", "403")])), 1).await;
            let body = frame(number::DATA, &[b'*'; KIB]);
            pour(&mut stream.send, &body, 100_000 / scale).await
        }
        "unknown frames" => {
            pour(&mut stream.send, &frame(UNKNOWN, &[7; 8]), 1_000_000 / scale).await
        }
        "unknown frame without end" => {
            // The type 0x21, and a length of 2^62 - 1.
            pour(&mut stream.send, &[0x21, 255, 255, 255, 255, 255, 255, 255, 255], 1).await;
            pour(&mut stream.send, &[b'*'; KIB], 256 * KIB / scale).await
        }
        "streams of unknown types" => return Ok(streams(&raw, 100_000 / scale).await),
        "empty data" => {
            pour(&mut stream.send, &answer(&fields(&[(":status", "200")])), 1).await;
            pour(&mut stream.send, &frame(number::DATA, &[]), 500_000 / scale).await
        }
        "one-octet data" => {
            pour(&mut stream.send, &answer(&fields(&[(":status", "200")])), 1).await;
            let head = Frame::binary(vec![7; MIB / scale]).encode(false);
            let head = head.get(..head.len() - MIB / scale).unwrap_or_default();
            pour(&mut stream.send, &frame(number::DATA, head), 1).await;
            pour(&mut stream.send, &frame(number::DATA, &[7]), MIB / scale).await
        }
        other => {
            return Err(Refused::NoConnection(format!("there is no attack h3 {other:?}")));
        }
    };
    Ok(end_of(&raw, &mut stream, sent).await)
}

/// Sends the same octets again and again, until the peer has enough; how many it took.
async fn pour(stream: &mut quinn::SendStream, one: &[u8], count: usize) -> usize {
    let batch = (64 * KIB / one.len()).clamp(1, count);
    let octets = one.repeat(batch);
    let (mut sent, total) = (0, one.len() * count);
    let deadline = Instant::now() + PATIENCE;
    while sent < total {
        match tokio::time::timeout_at(deadline, stream.write_all(&octets)).await {
            Ok(Ok(())) => sent += octets.len(),
            _ => break,
        }
    }
    sent
}

/// Streams whose type nobody knows, with as much on them as is taken, one after the other.
async fn streams(raw: &RawH3, count: usize) -> Ending {
    let (mut sent, mut opened) = (0, 0);
    let deadline = Instant::now() + Duration::from_secs(5);
    while opened < count && Instant::now() < deadline {
        let opening = timeout(Duration::from_secs(1), raw.connection.open_uni());
        let Ok(Ok(mut stream)) = opening.await else { break };
        // A client that stops the stream wants nothing more of it.
        if stream.write_all(&[0x21]).await.is_ok() {
            sent += 1;
        }
        // Nothing to be told to whom has gone.
        let _ = stream.finish();
        opened += 1;
    }
    let Ending { sent, end } = ended(raw, sent, PATIENCE).await;
    Ending { sent, end: format!("{end}, {opened} streams") }
}

/// How the client has ended the stream, or the connection.
async fn end_of(raw: &RawH3, stream: &mut H3Stream, sent: usize) -> Ending {
    tokio::select! {
        // The end of the connection says more than that of the stream.
        biased;
        ending = ended(raw, sent, PATIENCE) => ending,
        stopped = stream.send.stopped() => match stopped {
            Ok(Some(code)) => Ending::new(sent, format!("stopped {:#x}", code.into_inner())),
            _ => ended(raw, sent, Duration::ZERO).await,
        },
    }
}

/// A type of frames that nobody knows (RFC 9114 §7.2.8).
const UNKNOWN: u64 = 0x21 + 0x1f * 7;
