//! The reference peer over HTTP/3, on streams of the suite's own.

use std::io;
use std::time::Duration;

use quinn::{Connection, Endpoint as Quic, RecvStream, VarInt};
use tokio::time::{sleep, timeout};

use super::carried::{self, Called};
use super::endpoint::{Endpoint, HANDSHAKE};
use super::fault::Fault;
use crate::wire::connect::request_head;
use crate::wire::frame::Frame;
use crate::wire::h3_stream::{H3Stream, Manner};
use crate::wire::qpack::section;
use crate::wire::raw_h3::{RawH3, number, read_varint, request};
use crate::wire::stream::Wire;

/// Serves one connection.
pub(super) async fn serve(connection: Connection, endpoint: Quic, fault: Option<Fault>) {
    let Ok(mut raw) = RawH3::accept(connection.clone(), endpoint).await else { return };
    let enabled = [(number::ENABLE_CONNECT_PROTOCOL, 1)];
    let settings = if fault == Some(Fault::AdvertisesNothing) { &[][..] } else { &enabled };
    if raw.send_settings(settings).await.is_err() {
        return;
    }
    while let Ok(stream) = raw.next_stream().await {
        tokio::spawn(attend(connection.clone(), stream, fault));
    }
}

async fn attend(connection: Connection, mut stream: H3Stream, fault: Option<Fault>) {
    stream.manner = manner_of(&connection, fault);
    let Ok(lines) = stream.lines().await else { return };
    if is_malformed(&lines, fault) {
        return stream.refuse_with(number::MESSAGE_ERROR);
    }
    let head = request_head(&lines, "HTTP/3");
    match carried::status_of(&head, fault) {
        Err(_) if fault == Some(Fault::LeavesUnanswered) => sleep(Duration::from_secs(60)).await,
        Err(_) if fault == Some(Fault::EndsConnection) => {
            connection.close(VarInt::from_u32(0), b"")
        }
        Err(status) => {
            let refusal = carried::refusal(status, fault);
            stream.send_frame(number::HEADERS, &section(&refusal)).await;
            stream.end();
            // The answer is on its way before the stream is dropped.
            let _ = timeout(Duration::from_secs(1), stream.send.stopped()).await;
        }
        Ok(()) => {
            let (answer, agreement) = carried::acceptance(&head, fault);
            stream.send_frame(number::HEADERS, &section(&answer)).await;
            Endpoint::new(Wire::new(stream), true, fault, agreement).run().await;
        }
    }
}

fn manner_of(connection: &Connection, fault: Option<Fault>) -> Manner {
    match fault {
        Some(Fault::SkipsKnownFrames) => Manner::Skip,
        Some(Fault::RefusesUnknownFrames) => Manner::RefuseUnknown,
        _ => Manner::Close(connection.clone()),
    }
}

/// RFC 9114 §4.3.1 and RFC 8441 §4.
fn is_malformed(lines: &[(String, String)], fault: Option<Fault>) -> bool {
    let has = |wanted| fault == Some(wanted);
    let count = |name: &str| lines.iter().filter(|(field, _)| field == name).count();
    let mut bare: Vec<(String, String)> = lines.to_vec();
    if has(Fault::AcceptsUnknownPseudo) {
        bare.retain(|(name, _)| name != ":unknown");
    }
    if has(Fault::AcceptsConnectionFields) {
        let names = ["connection", "upgrade", "transfer-encoding"];
        bare.retain(|(name, _)| !names.contains(&name.as_str()));
    }
    if has(Fault::AcceptsUpperCase) {
        bare.iter_mut().for_each(|(name, _)| name.make_ascii_lowercase());
    }
    if has(Fault::AcceptsLineFeed) {
        bare.iter_mut().for_each(|(_, value)| *value = value.replace('\n', ""));
    }
    if has(Fault::AcceptsTwoPaths) && count(":path") == 2 {
        let at = bare.iter().position(|(name, _)| name == ":path");
        at.into_iter().for_each(|at| drop(bare.remove(at)));
    }
    let extended = count(":protocol") > 0;
    let is_connect = lines.iter().any(|(name, value)| name == ":method" && value == "CONNECT");
    let scheme = count(":scheme") > 0 || has(Fault::AcceptsNoScheme);
    let complete = if extended { scheme && count(":path") > 0 } else { is_connect };
    !request_head(&bare, "HTTP/3").flaws.is_empty()
        || !complete
        || extended && !is_connect
        || count(":authority") == 0
}

/// Calls the server and echoes; QUIC may take as long as `patience`.
pub(super) async fn call(
    host: &str,
    port: u16,
    path: &str,
    patience: Duration,
    fault: Option<Fault>,
) -> Called {
    match try_call(host, port, path, patience, fault).await {
        Ok(called) => called,
        // Not even a connection, or none that lasted.
        Err(_) => Called::Declined,
    }
}

async fn try_call(
    host: &str,
    port: u16,
    path: &str,
    patience: Duration,
    fault: Option<Fault>,
) -> io::Result<Called> {
    let has = |wanted| fault == Some(wanted);
    let question = carried::question(true, &format!("{host}:{port}"), path, fault);
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    let dialled = timeout(patience, RawH3::dial(host, port)).await.map_err(late)?;
    let (connection, endpoint) = dialled?;
    let early = match has(Fault::DoesNotWait) {
        true => Some(request(&connection, &endpoint, &question).await?),
        false => None,
    };
    let limit = if has(Fault::WaitsForSettings) { Duration::from_secs(600) } else { HANDSHAKE };
    let introduced = RawH3::introduce(connection.clone(), endpoint.clone());
    let raw = match timeout(limit, introduced).await {
        Ok(Ok(raw)) => raw,
        Ok(Err(_)) if has(Fault::WaitsForSettings) => {
            sleep(limit).await;
            return Ok(Called::Done);
        }
        _ => return Ok(Called::Declined),
    };
    let allowed = raw.setting(number::ENABLE_CONNECT_PROTOCOL);
    if allowed.is_some_and(|value| value > 1) {
        connection.close(VarInt::from_u32(number::SETTINGS_ERROR), b"");
        return Ok(Called::Declined);
    }
    if allowed != Some(1) && !has(Fault::AsksUnallowed) && !has(Fault::DoesNotWait) {
        return Ok(Called::Declined);
    }
    let (own, control) = raw.control;
    if !has(Fault::IgnoresControl) {
        tokio::spawn(watch(connection.clone(), control, fault));
        tokio::spawn(watch_streams(connection.clone()));
    }
    let mut stream = match early {
        Some(stream) => stream,
        None => request(&connection, &endpoint, &question).await?,
    };
    stream.manner = manner_of(&connection, fault);
    if has(Fault::SpeaksEarly) {
        stream.send_frame(number::DATA, &Frame::ping("early").encode(true)).await;
    }
    let interim = has(Fault::IgnoresStatus) || has(Fault::RefusesInterimOnStream);
    let answered = match interim {
        true => timeout(HANDSHAKE, stream.first_answer()).await,
        false => timeout(HANDSHAKE, stream.answer()).await,
    };
    let Ok(Ok(head)) = answered else { return Ok(Called::Declined) };
    match carried::judge(&head, fault) {
        Ok(agreement) => {
            Endpoint::new(Wire::new(stream), false, fault, agreement).run().await;
        }
        Err(_) => Wire::new(stream).reset(),
    }
    drop(own);
    // What was said last is on its way before the connection ends.
    sleep(Duration::from_millis(50)).await;
    Ok(Called::Done)
}

/// The server's control stream must not end, and has SETTINGS once (RFC 9114 §6.2.1, §7.2.4).
async fn watch(connection: Connection, mut control: RecvStream, fault: Option<Fault>) {
    let code = loop {
        let Ok(kind) = read_varint(&mut control).await else {
            break number::CLOSED_CRITICAL_STREAM;
        };
        let Ok(size) = read_varint(&mut control).await else {
            break number::CLOSED_CRITICAL_STREAM;
        };
        let mut payload = vec![0; usize::try_from(size).unwrap_or_default().min(65_536)];
        if control.read_exact(&mut payload).await.is_err() {
            break number::CLOSED_CRITICAL_STREAM;
        }
        match kind {
            number::SETTINGS => break number::FRAME_UNEXPECTED,
            number::GOAWAY if fault == Some(Fault::EndsAtGoaway) => break 0x100,
            _ => {}
        }
    };
    connection.close(VarInt::from_u32(code), b"");
}

/// There is one control stream (RFC 9114 §6.2.1); streams of unknown types are passed over.
async fn watch_streams(connection: Connection) {
    let mut others = Vec::new();
    while let Ok(mut stream) = connection.accept_uni().await {
        if matches!(read_varint(&mut stream).await, Ok(0)) {
            return connection.close(VarInt::from_u32(number::STREAM_CREATION_ERROR), b"");
        }
        others.push(stream);
    }
}
