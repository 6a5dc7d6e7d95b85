//! What is wrong with either half of an opening handshake, by RFC 6455 §4 and RFC 8441 §5.

use std::collections::HashSet;

use crate::arena::Refused;
use crate::wire::connect::{flaw_of_answer, flaws_of_connect};
use crate::wire::deflate::{self, Agreement};
use crate::wire::extension;
use crate::wire::http::{self, Head};
use crate::wire::negotiation;

/// What is wrong with an answer that had to be a plain 101, if anything.
pub(crate) fn flaw_of_response(head: &Head, key: &str) -> Option<String> {
    if !head.start.starts_with("HTTP/1") {
        return flaw_of_answer(head);
    }
    if head.status() != Some(101) {
        return Some(unexpected(head));
    }
    if let Some(flaw) = head.flaws.first() {
        return Some(format!("the answer is malformed: {flaw}"));
    }
    if !head.lists("Upgrade", "websocket") || !head.lists("Connection", "upgrade") {
        return Some("the 101 lacks Upgrade: websocket or Connection: Upgrade".into());
    }
    let accepts: Vec<&str> = head.values("Sec-WebSocket-Accept").collect();
    let expected = http::accept_for(key);
    if accepts != [expected.as_str()] {
        return Some(format!("Sec-WebSocket-Accept is {accepts:?}, expected {expected:?}"));
    }
    None
}

/// What is said of an answer that opens nothing.
pub(crate) fn unexpected(head: &Head) -> String {
    format!("the handshake was answered with {:?}", head.start)
}

/// The agreement that an answer states; an error where it accepts what was not offered.
pub(crate) fn read_answer(
    head: &Head,
    offered: Option<&str>,
) -> Result<Option<Agreement>, Refused> {
    let Some(answer) = head.combined("Sec-WebSocket-Extensions") else { return Ok(None) };
    let wrong = |why: String| Refused::NoConnection(format!("extensions {answer:?}: {why}"));
    let elements = extension::parse(&answer).map_err(wrong)?;
    let offers = offered.map(extension::parse).and_then(Result::ok).unwrap_or_default();
    for element in &elements {
        if !offers.iter().any(|offer| offer.name.eq_ignore_ascii_case(&element.name)) {
            return Err(wrong(format!("{} was not offered", element.name)));
        }
    }
    match elements.as_slice() {
        [element] if element.name.eq_ignore_ascii_case(deflate::NAME) => {
            negotiation::check_answer(&offers, element).map(Some).map_err(wrong)
        }
        _ => Err(wrong("an element of permessage-deflate was expected, once".into())),
    }
}

/// What a client's request lacks, by RFC 6455 §4.1, or from HTTP/2 on by RFC 8441 §5.
pub(crate) fn flaws_of_request(request: &Head) -> Vec<String> {
    let mut flaws = if request.start.ends_with(" HTTP/1.1") {
        flaws_of_upgrade(request)
    } else if request.values(":method").next().is_some() {
        flaws_of_connect(request)
    } else {
        vec!["the version is not HTTP/1.1 (§4.1)".into()]
    };
    let mut demand = |holds: bool, what: &str| {
        if !holds {
            flaws.push(format!("the client's request: {what} (§4.1)"));
        }
    };
    let offered = request.combined("Sec-WebSocket-Extensions");
    let grammatical = offered.is_none_or(|offer| extension::parse(&offer).is_ok());
    demand(grammatical, "Sec-WebSocket-Extensions breaks its grammar");
    let protocols = request.combined("Sec-WebSocket-Protocol");
    let names: Vec<String> = protocols
        .iter()
        .flat_map(|list| list.split(','))
        .map(|name| name.trim().to_owned())
        .collect();
    let unique: HashSet<&String> = names.iter().collect();
    let proper = names.iter().all(|name| http::is_token(name)) && unique.len() == names.len();
    demand(proper, "Sec-WebSocket-Protocol does not list unique tokens");
    flaws
}

fn flaws_of_upgrade(request: &Head) -> Vec<String> {
    let mut flaws: Vec<String> =
        request.flaws.iter().map(|flaw| format!("the request is malformed: {flaw}")).collect();
    let mut demand = |holds: bool, what: &str| {
        if !holds {
            flaws.push(format!("the client's request: {what} (§4.1)"));
        }
    };
    demand(request.start.starts_with("GET "), "the method is not GET");
    demand(request.target().starts_with('/'), "the target is not in origin form");
    demand(!request.target().contains('#'), "the target has a fragment");
    demand(request.values("Host").count() == 1, "there is not exactly one Host");
    demand(request.lists("Upgrade", "websocket"), "Upgrade does not list websocket");
    demand(request.lists("Connection", "upgrade"), "Connection does not list Upgrade");
    let keys: Vec<&str> = request.values("Sec-WebSocket-Key").collect();
    let good_key = keys.len() == 1 && keys.iter().all(|key| http::key_length(key) == Some(16));
    demand(good_key, "the key is not one of 16 octets in base64");
    let versions: Vec<&str> = request.values("Sec-WebSocket-Version").collect();
    demand(versions == ["13"], "the version is not 13, once");
    flaws
}
