//! What the reference peer says and takes from HTTP/2 on, as server and as client.

use super::fault::Fault;
use super::handshake::{OFFER, negotiate, negotiated};
use super::request;
use crate::wire::connect::flaw_of_answer;
use crate::wire::deflate::Agreement;
use crate::wire::http::{self, Head};

/// What a call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Called {
    /// There was a WebSocket, or a refusal that holds for every version.
    Done,
    /// The server does not do it by this version.
    Declined,
}

/// Field lines in their order.
pub(super) type Lines = Vec<(String, String)>;

fn lines<const N: usize>(pairs: [(&str, &str); N]) -> Lines {
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

/// Whether a request that is no extended CONNECT for `websocket` is let through.
pub(super) fn status_of(head: &Head, fault: Option<Fault>) -> Result<(), u16> {
    let has = |wanted| fault == Some(wanted);
    let demand = |holds: bool, status: u16| if holds { Ok(()) } else { Err(status) };
    let one = |name: &str| {
        let values: Vec<&str> = head.values(name).collect();
        if let [value] = values.as_slice() { (*value).to_owned() } else { String::new() }
    };
    demand(one(":method") == "CONNECT", 405)?;
    let plain = head.values(":protocol").next().is_none();
    demand(!plain || has(Fault::AcceptsPlainConnect), 405)?;
    let known = plain || one(":protocol") == "websocket" || has(Fault::AcceptsAnyProtocol);
    demand(known, 501)?;
    let authority = one(":authority");
    demand(head.values("host").all(|host| host == authority), 400)?;
    let versions: Vec<&str> = head.values("sec-websocket-version").collect();
    demand(versions == ["13"] || versions == ["8"] && has(Fault::AcceptsVersion8), 400)?;
    let mut listed = head.clone();
    if has(Fault::AcceptsSpacedSubprotocol) {
        listed.fields.retain(|(name, _)| name != "sec-websocket-protocol");
    }
    request::lists(&listed, fault)
}

/// The answer that opens, and what it agrees on.
pub(super) fn acceptance(head: &Head, fault: Option<Fault>) -> (Lines, Option<Agreement>) {
    let status = if fault == Some(Fault::Answers101) { "101" } else { "200" };
    let mut answer = lines([(":status", status)]);
    let (extension, agreement) = negotiate(head, fault).unzip();
    answer.extend(extension.map(|element| ("sec-websocket-extensions".to_owned(), element)));
    answer.extend(match fault {
        Some(Fault::AnswersWithAccept) => lines([("sec-websocket-accept", "x")]),
        Some(Fault::AnswersWithLength) => lines([("content-length", "0")]),
        Some(Fault::InventsSubprotocol) => lines([("sec-websocket-protocol", "x")]),
        _ => Lines::new(),
    });
    (answer, agreement)
}

/// The answer that refuses.
pub(super) fn refusal(status: u16, fault: Option<Fault>) -> Lines {
    let mut answer = lines([(":status", status.to_string().as_str())]);
    if fault != Some(Fault::NamesNoVersion) {
        answer.extend(lines([("sec-websocket-version", "13")]));
    }
    answer
}

/// The request of the client.
pub(super) fn question(secure: bool, authority: &str, path: &str, fault: Option<Fault>) -> Lines {
    let scheme = if secure { "https" } else { "http" };
    let mut pseudo = lines([
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", scheme),
        (":authority", authority),
        (":path", path),
    ]);
    let dropped = match fault {
        Some(Fault::NoProtocol) => ":protocol",
        Some(Fault::NoScheme) => ":scheme",
        Some(Fault::NoPath) => ":path",
        _ => "",
    };
    pseudo.retain(|(name, _)| name != dropped);
    let mut fields = lines([("sec-websocket-extensions", OFFER)]);
    if fault != Some(Fault::NoVersion) {
        fields.extend(lines([("sec-websocket-version", "13")]));
    }
    let key = http::fresh_key();
    fields.extend(match fault {
        Some(Fault::SendsUpgrade) => lines([("upgrade", "websocket")]),
        Some(Fault::SendsKey) => lines([("sec-websocket-key", &key)]),
        Some(Fault::SendsUpperCase) => lines([("User-Agent", "mutant")]),
        Some(Fault::DuplicateSubprotocols) => lines([("sec-websocket-protocol", "a, a")]),
        _ => Lines::new(),
    });
    if fault == Some(Fault::PseudoLast) {
        std::mem::swap(&mut pseudo, &mut fields);
    }
    pseudo.into_iter().chain(fields).collect()
}

/// What the client makes of an answer.
pub(super) fn judge(head: &Head, fault: Option<Fault>) -> Result<Option<Agreement>, String> {
    let mut seen = head.clone();
    if fault == Some(Fault::IgnoresStatus) {
        let version = head.start.split(' ').next().unwrap_or_default();
        seen.start = format!("{version} 200");
    }
    if fault == Some(Fault::TakesMalformed) {
        seen.flaws.clear();
        seen.fields.retain(|(name, _)| name != "connection");
    }
    // RFC 9110 §9.3.6: a length in the answer to a CONNECT is ignored.
    seen.fields.retain(|(name, _)| name != "content-length");
    match flaw_of_answer(&seen) {
        Some(flaw) => Err(flaw),
        None => negotiated(&seen, OFFER, fault),
    }
}
