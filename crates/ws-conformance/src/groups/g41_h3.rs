//! Group 41: HTTP/3 beneath the WebSocket (RFC 9220, RFC 9114), written frame by frame.
//!
//! Sections 41.1 to 41.3 judge servers, 41.11 to 41.14 clients.

mod answers;
mod courses;
mod guest;
mod opening;
mod requests;
mod streams;

use tokio::time::{Instant, timeout};

use crate::arena::{Arena, Refused};
use crate::carrier::Carrier;
use crate::case::{Case, Judges};
use crate::link::{Event, Kind, Link, Next, WriteMode};
use crate::wire::frame::Frame;
use crate::wire::h3_stream::H3Stream;
use crate::wire::http::Head;
use crate::wire::raw_h3::RawH3;
use crate::wire::stream::Wire;

pub(super) fn cases() -> Vec<Case> {
    let servers = [requests::cases, streams::cases];
    let clients = [opening::cases, answers::cases, courses::cases];
    let judging = |sections: &[fn() -> Vec<Case>], judges| -> Vec<Case> {
        let cases = sections.iter().flat_map(|section| section());
        cases.map(|case| case.over(&[Carrier::H3]).judges(judges)).collect()
    };
    let mut cases = judging(&servers, Judges::Servers);
    cases.extend(judging(&clients, Judges::Clients));
    cases
}

async fn begin(arena: &Arena) -> Result<RawH3, Refused> {
    let target = arena.target()?;
    Ok(RawH3::begin(&target.host, target.port).await?)
}

/// The field lines of an ordinary request.
fn ordinary(arena: &Arena) -> Result<Vec<(String, String)>, Refused> {
    Ok(arena.connect(true)?.field_lines())
}

/// Opens a WebSocket on the connection.
async fn open_stream(raw: &RawH3, arena: &Arena) -> Result<(Head, H3Stream), Refused> {
    let mut stream = raw.request(&ordinary(arena)?).await?;
    let late = |_| Refused::NoConnection("a request was left unanswered".into());
    let head = timeout(arena.settings.wait * 2, stream.answer()).await.map_err(late)??;
    if !head.opens() {
        return Err(Refused::NoConnection(format!("a stream was answered {:?}", head.start)));
    }
    Ok((head, stream))
}

async fn open(raw: &RawH3, arena: &Arena) -> Result<Link, Refused> {
    let (head, stream) = open_stream(raw, arena).await?;
    Ok(link(head, stream, arena))
}

fn link(head: Head, stream: H3Stream, arena: &Arena) -> Link {
    Link::new(Wire::new(stream), arena.log.clone(), true, head)
}

/// Whether a text comes back.
async fn echoes(link: &mut Link, arena: &Arena) -> bool {
    link.send(&[Frame::text("still here?")], WriteMode::OneGo).await;
    let wanted = Event::Message(Kind::Text, b"still here?".to_vec());
    link.next(Instant::now() + arena.settings.wait).await == Next::Event(wanted)
}
