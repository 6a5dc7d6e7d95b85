//! Section 40.12: the client's request, line by line.

use std::time::Duration;

use tokio::time::Instant;

use super::site::{Site, Stream};
use crate::arena::{Arena, Refused};
use crate::case::{Case, CaseId, Play, Playing};
use crate::groups::g31_client::requests::{extensions, origin, protocols};
use crate::judge::{Behavior, Verdict};
use crate::wire::connect::request_head;
use crate::wire::http::Head;

/// What is held against a request, if anything; the path that was to be asked for is known.
pub(in crate::groups) type Look = fn(&Head, &str) -> Option<(Behavior, String)>;

/// The looks that HTTP/2 and HTTP/3 have in common: what at, rows of each, and how.
pub(in crate::groups) const LOOKS: [(&str, &[&str], &[&str], Look); 11] = [
    ("the method and :protocol", &["H2WS-5-01", "H2WS-4-01"], &["H3WS-3-01"], method),
    (":scheme", &["H2WS-5-02", "H2WS-4-02", "H2-8.5-01"], &["H3-4.4-01"], scheme),
    (":authority", &["H2WS-5-04", "H2-8.3.1-01"], &["H3-4.3.1-01", "SEM-7.2-01"], authority),
    (":path", &["H2WS-4-02", "WS-3-03"], &["H3-4.4-01", "WS-3-03"], path),
    ("the syntax of its lines", &["H2-8.2-01", "H2-8.3-01"], &["H3-4.2-01", "H3-4.3-01"], syntax),
    (
        "fields that belong to connections",
        &["H2WS-5-03", "H2-8.2.2-01"],
        &["H3-4.2-01", "H3-4.1-02", "H3-4.5-01"],
        connection,
    ),
    ("a key", &["H2WS-5-05"], &["H3WS-3-01"], key),
    ("the version of the protocol", &["H2WS-5-06", "WS-4.1-20"], &["WS-4.1-20"], version),
    ("Origin", &["H2WS-5-06", "WS-4.1-19"], &["WS-4.1-19"], |head, _| failed(origin(head))),
    ("the subprotocols", &["H2WS-5-06", "WS-4.1-21"], &["WS-4.1-21"], |head, _| {
        failed(protocols(head))
    }),
    ("the extensions", &["H2WS-5-06", "WS-4.1-22"], &["WS-4.1-22"], |head, _| {
        failed(extensions(head))
    }),
];

pub(super) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = (1..)
        .zip(LOOKS)
        .map(|(number, (what, rows, _, look))| {
            let id = [40, 12, number];
            Case::new(&id, Request { id: CaseId::new(&id), look })
                .does(format!("Looks at {what} in the client's request."))
                .expects("It is as RFC 8441 demands.")
                .cites(rows)
        })
        .collect();
    cases.push(
        Case::new(&[40, 12, 12], Early)
            .does("Keeps the client waiting for the answer.")
            .expects("The client sends nothing before the answer, and leaves its side open.")
            .cites(&["WS-4.1-24", "H2WS-5-08"]),
    );
    cases
}

#[derive(Clone, Debug)]
struct Request {
    id: CaseId,
    look: Look,
}

impl Play for Request {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            let mut site = Site::receive(arena).await?;
            let deadline = Instant::now() + arena.settings.wait * 2;
            let id = site.welcome(1 << 20, deadline).await?;
            let head = request_head(&site.stream(id).fields, "HTTP/2");
            arena.log.note(format!("request: {:?}", head.fields));
            let path = format!("/case/{}", self.id);
            let flaw = (self.look)(&head, &path);
            if flaw.is_none() && !site.echoes(id, deadline).await {
                return Ok(Verdict::plain(Behavior::Failed, "the WebSocket did not echo"));
            }
            Ok::<_, Refused>(match flaw {
                Some((behavior, why)) => Verdict::plain(behavior, why),
                None => Verdict::plain(Behavior::Ok, "as expected"),
            })
        })
    }
}

/// Whether a client speaks before it is answered.
#[derive(Debug)]
struct Early;

impl Play for Early {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            let mut site = Site::receive(arena).await?;
            site.allow(1 << 20).await;
            let deadline = Instant::now() + arena.settings.wait * 2;
            let id = site.request_of_client(deadline).await?;
            let spoke = |stream: &Stream| !stream.data.is_empty() || stream.has_ended;
            let soon = Instant::now() + Duration::from_millis(400);
            site.read_until(soon, |site| spoke(&site.stream(id))).await;
            let stream = site.stream(id);
            Ok::<_, Refused>(if spoke(&stream) {
                let saw = stream.describe();
                let why = format!("{} octets came before an answer; {saw}", stream.data.len());
                Verdict::plain(Behavior::Failed, why)
            } else {
                Verdict::plain(Behavior::Ok, "the client waited for the answer")
            })
        })
    }
}

fn failed(flaw: Option<String>) -> Option<(Behavior, String)> {
    flaw.map(|why| (Behavior::Failed, why))
}

/// The values of a field, one of which is right.
fn only(head: &Head, name: &str, right: impl Fn(&str) -> bool) -> Option<(Behavior, String)> {
    let values: Vec<&str> = head.values(name).collect();
    let holds = matches!(values.as_slice(), [value] if right(value));
    (!holds).then(|| (Behavior::Failed, format!("{name} is {values:?}")))
}

fn method(head: &Head, _: &str) -> Option<(Behavior, String)> {
    let method = only(head, ":method", |method| method == "CONNECT");
    method.or_else(|| only(head, ":protocol", |protocol| protocol == "websocket"))
}

fn scheme(head: &Head, _: &str) -> Option<(Behavior, String)> {
    only(head, ":scheme", |scheme| matches!(scheme, "http" | "https"))
}

fn authority(head: &Head, _: &str) -> Option<(Behavior, String)> {
    let flaw = only(head, ":authority", |authority| {
        authority.starts_with("127.0.0.1:") && !authority.contains('@')
    });
    let hosts: Vec<&str> = head.values("host").collect();
    let equal = hosts.iter().all(|host| head.values(":authority").any(|other| other == *host));
    flaw.or_else(|| (!equal).then(|| (Behavior::Failed, format!("host is {hosts:?}"))))
}

fn path(head: &Head, wanted: &str) -> Option<(Behavior, String)> {
    only(head, ":path", |path| path == wanted)
}

fn syntax(head: &Head, _: &str) -> Option<(Behavior, String)> {
    failed(head.flaws.first().cloned())
}

fn connection(head: &Head, _: &str) -> Option<(Behavior, String)> {
    let names =
        ["connection", "upgrade", "keep-alive", "proxy-connection", "transfer-encoding", "trailer"];
    let found = names.iter().find(|name| head.values(name).next().is_some());
    failed(found.map(|name| format!("the request carries {name}")))
}

/// It plays no part, so that it is no fault to send it, but nothing asks for it either.
fn key(head: &Head, _: &str) -> Option<(Behavior, String)> {
    let names = ["sec-websocket-key", "sec-websocket-accept"];
    let found = names.iter().find(|name| head.values(name).next().is_some());
    found.map(|name| (Behavior::NonStrict, format!("the request carries {name}")))
}

fn version(head: &Head, _: &str) -> Option<(Behavior, String)> {
    only(head, "sec-websocket-version", |version| version == "13")
}
