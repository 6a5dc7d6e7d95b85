//! A client under test on its QUIC connection, and the WebSocket that it asks for.

use std::time::Duration;

use quinn::{ApplicationClose, ConnectionError};
use tokio::time::{Instant, timeout, timeout_at};

use super::echoes;
use crate::arena::{Arena, Refused};
use crate::judge::Behavior;
use crate::link::Link;
use crate::server_side::lobby::Caller;
use crate::wire::connect::request_head;
use crate::wire::h3_stream::H3Stream;
use crate::wire::http::Head;
use crate::wire::qpack::section;
use crate::wire::raw_h3::{RawH3, number};
use crate::wire::stream::Wire;

/// What is said of a client, and why.
pub(super) type Found = (Behavior, String);

pub(super) fn fine(why: impl Into<String>) -> Found {
    (Behavior::Ok, why.into())
}

pub(super) fn failed(why: impl Into<String>) -> Found {
    (Behavior::Failed, why.into())
}

/// The client, with its SETTINGS; nothing was sent to it yet.
pub(super) async fn receive(arena: &mut Arena) -> Result<RawH3, Refused> {
    let Caller::H3(connection, endpoint) = arena.caller()? else {
        return Err(Refused::NoConnection("the client did not come by HTTP/3".into()));
    };
    Ok(RawH3::accept(connection, endpoint).await?)
}

/// Sends SETTINGS that allow a WebSocket.
pub(super) async fn allow(raw: &mut RawH3) -> Result<(), Refused> {
    Ok(raw.send_settings(&[(number::ENABLE_CONNECT_PROTOCOL, 1)]).await?)
}

/// Waits for the client's request.
pub(super) async fn asked(raw: &RawH3, deadline: Instant) -> Option<(H3Stream, Head)> {
    let (stream, lines) = timeout_at(deadline, raw.next_request()).await.ok()?.ok()?;
    Some((stream, request_head(&lines, "HTTP/3")))
}

/// The same where there has to be one.
pub(super) async fn request(raw: &RawH3, arena: &Arena) -> Result<(H3Stream, Head), Refused> {
    let missing = || Refused::NoConnection("the client sent no request on a stream".into());
    asked(raw, Instant::now() + arena.settings.wait * 2).await.ok_or_else(missing)
}

/// Opens the WebSocket that the client asks for.
pub(super) async fn welcome(raw: &mut RawH3, arena: &Arena) -> Result<Link, Refused> {
    allow(raw).await?;
    let (mut stream, head) = request(raw, arena).await?;
    stream.send_frame(number::HEADERS, &section(&[(":status".into(), "200".into())])).await;
    Ok(link(stream, head, arena))
}

pub(super) fn link(stream: H3Stream, head: Head, arena: &Arena) -> Link {
    Link::new(Wire::new(stream), arena.log.clone(), false, head)
}

/// Whether the WebSocket works.
pub(super) async fn works(link: &mut Link, arena: &Arena) -> bool {
    echoes(link, arena).await
}

/// The code with which the client closes the connection, if it does so in time.
pub(super) async fn close_code(raw: &RawH3, wait: Duration) -> Option<u64> {
    match timeout(wait, raw.connection.closed()).await {
        Ok(ConnectionError::ApplicationClosed(ApplicationClose { error_code, .. })) => {
            Some(error_code.into_inner())
        }
        _ => None,
    }
}

/// What is said of a client that has to close the connection with one of `due`.
pub(super) async fn closes(raw: &RawH3, due: &[u64], wait: Duration) -> Found {
    match close_code(raw, wait).await {
        Some(code) if due.contains(&code) => fine(format!("closed with {code:#x}")),
        Some(code) => {
            (Behavior::NonStrict, format!("closed with {code:#x}, one of {due:#x?} was due"))
        }
        None if raw.connection.close_reason().is_some() => {
            (Behavior::NonStrict, format!("the connection ended without one of {due:#x?}"))
        }
        None => failed("the client left the connection open"),
    }
}
