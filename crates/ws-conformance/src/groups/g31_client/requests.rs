//! Section 31.3: the client's request, line by line.

use std::time::Duration;

use crate::arena::{Arena, Refused};
use crate::case::{Case, Judges, Play, Playing};
use crate::judge::{Behavior, Verdict};
use crate::wire::http::{self, Head};

/// What is wrong with a request, if anything.
type Look = fn(&Head) -> Option<String>;

pub(super) fn cases() -> Vec<Case> {
    let looks: [(&str, &'static [&'static str], Look); 12] = [
        ("the method and the version", &["WS-4.1-12", "WS-4.1-13"], method),
        ("the target", &["WS-4.1-14", "WS-3-03", "WS-3-04", "M1-3.2-04"], target),
        ("Host", &["WS-4.1-15", "M1-3.2-02", "SEM-7.2-01", "WS-3-06"], host),
        ("Upgrade", &["WS-4.1-16", "SEM-7.8-03"], upgrade),
        ("Connection", &["WS-4.1-17", "SEM-7.8-03"], connection),
        ("the key", &["WS-4.1-18", "WS-11.3.1-01"], key),
        ("the version of the protocol", &["WS-4.1-20", "WS-11.3.5-01"], version),
        ("Origin", &["WS-4.1-19"], origin),
        ("the subprotocols", &["WS-4.1-21"], protocols),
        ("the extensions", &["WS-4.1-22", "PMD-5-01", "PMD-7.1.2.1-01"], extensions),
        ("the syntax of its lines", &["WS-4.1-12", "SEM-5.6.1-01", "SEM-5.6.3-01"], syntax),
        ("fields that a request must not have", &["WS-4.1-23", "SEM-5.3-01"], foreign),
    ];
    let mut cases: Vec<Case> = (1..)
        .zip(looks)
        .map(|(number, (what, rows, look))| {
            Case::new(&[31, 3, number], Request { look })
                .does(format!("Looks at {what} in the client's request."))
                .expects("It is as RFC 6455 §4.1 demands.")
                .cites(rows)
                .judges(Judges::Clients)
        })
        .collect();
    cases.push(
        Case::new(&[31, 3, 13], Early)
            .does("Keeps the client waiting for the answer.")
            .expects("The client sends nothing before the answer is there.")
            .cites(&["WS-4.1-24"])
            .judges(Judges::Clients),
    );
    cases
}

#[derive(Clone, Copy, Debug)]
struct Request {
    look: Look,
}

impl Play for Request {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            let visitor = arena.visitor().await?;
            let flaw = (self.look)(&visitor.request);
            let mut link = arena.welcome(visitor, None).await?;
            link.close(1000, arena.settings.wait).await;
            Ok::<_, Refused>(match flaw {
                Some(flaw) => Verdict::plain(Behavior::Failed, flaw),
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
            let mut visitor = arena.visitor().await?;
            let pause = Duration::from_millis(400);
            let spoke = visitor.speaks_within(pause).await;
            let mut link = arena.welcome(visitor, None).await?;
            link.close(1000, arena.settings.wait).await;
            Ok::<_, Refused>(if spoke {
                let why = "the client sent octets before it was answered";
                Verdict::plain(Behavior::Failed, why)
            } else {
                Verdict::plain(Behavior::Ok, "the client waited for the answer")
            })
        })
    }
}

fn method(head: &Head) -> Option<String> {
    let right = head.start.starts_with("GET ") && head.start.ends_with(" HTTP/1.1");
    (!right).then(|| format!("the request line is {:?}", head.start))
}

fn target(head: &Head) -> Option<String> {
    let target = head.target();
    let right = target.starts_with('/') && !target.contains(['#', '"', '<', '>']);
    (!right).then(|| format!("the target is {target:?}"))
}

fn host(head: &Head) -> Option<String> {
    let hosts: Vec<&str> = head.values("Host").collect();
    let right = hosts.len() == 1
        && hosts.iter().all(|host| host.contains(':') && !host.contains(['@', '/', ' ']));
    (!right).then(|| format!("Host is {hosts:?}"))
}

fn upgrade(head: &Head) -> Option<String> {
    (!head.lists("Upgrade", "websocket")).then(|| "Upgrade does not list websocket".into())
}

fn connection(head: &Head) -> Option<String> {
    (!head.lists("Connection", "upgrade")).then(|| "Connection does not list Upgrade".into())
}

fn key(head: &Head) -> Option<String> {
    let keys: Vec<&str> = head.values("Sec-WebSocket-Key").collect();
    let right = keys.len() == 1 && keys.iter().all(|key| http::key_length(key) == Some(16));
    (!right).then(|| format!("the keys are {keys:?}"))
}

fn version(head: &Head) -> Option<String> {
    let versions: Vec<&str> = head.values("Sec-WebSocket-Version").collect();
    (versions != ["13"]).then(|| format!("the versions are {versions:?}"))
}

pub(in crate::groups) fn origin(head: &Head) -> Option<String> {
    let origins: Vec<&str> = head.values("Origin").collect();
    let lower =
        origins.iter().all(|origin| !origin.bytes().any(|octet| octet.is_ascii_uppercase()));
    (origins.len() > 1 || !lower).then(|| format!("the origins are {origins:?}"))
}

pub(in crate::groups) fn protocols(head: &Head) -> Option<String> {
    let list = head.combined("Sec-WebSocket-Protocol")?;
    let names: Vec<&str> = list.split(',').map(str::trim).collect();
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    let right = names.iter().all(|name| http::is_token(name)) && unique.len() == names.len();
    (!right).then(|| format!("the subprotocols are {names:?}"))
}

pub(in crate::groups) fn extensions(head: &Head) -> Option<String> {
    use crate::wire::{deflate, extension};
    let list = head.combined("Sec-WebSocket-Extensions")?;
    let elements = match extension::parse(&list) {
        Ok(elements) => elements,
        Err(flaw) => return Some(format!("{list:?}: {flaw}")),
    };
    let ours = elements.iter().filter(|element| element.name == deflate::NAME);
    ours.filter_map(|element| deflate::Agreement::read(element, true).err()).next()
}

fn syntax(head: &Head) -> Option<String> {
    head.flaws.first().cloned()
}

fn foreign(head: &Head) -> Option<String> {
    let names = ["Sec-WebSocket-Accept", "Transfer-Encoding", "Trailer", "Proxy-Authorization"];
    let found = names.iter().find(|name| head.values(name).count() > 0);
    found.map(|name| format!("the request carries {name}"))
}
