//! The reference peer's half of the opening handshake, as server and as client.

use super::fault::Fault;
use super::request;
use crate::handshake::flaw_of_response;
use crate::wire::deflate::{Agreement, NAME};
use crate::wire::extension;
use crate::wire::frame::Frame;
use crate::wire::http::{self, Head};
use crate::wire::negotiation::{self, Wish, check_answer};
use crate::wire::stream::Wire;

const MAX_HEAD: usize = 64 * 1024;
const MAX_FIELDS: usize = 150;

/// Accepts a client and answers it; the error is the answer that refuses it.
pub(super) async fn accept(
    wire: &mut Wire,
    fault: Option<Fault>,
) -> Result<Option<Agreement>, String> {
    let octets = read(wire, fault).await?;
    let head = Head::parse(&octets);
    if head.fields.len() > MAX_FIELDS && fault != Some(Fault::NoHeadLimit) {
        return Err(refusal(431, fault));
    }
    request::check(&octets, &head, fault).map_err(|status| refusal(status, fault))?;
    if fault == Some(Fault::RefusesOddities) && !wire.buffered().is_empty() {
        return Err(String::new());
    }
    let key = head.values("Sec-WebSocket-Key").next().unwrap_or_default();
    let mut accept = http::accept_for(key);
    if fault == Some(Fault::WrongAccept) {
        accept = http::accept_for("something else");
    }
    let (extension, agreement) = negotiate(&head, fault).unzip();
    let mut response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n"
    );
    if let Some(extension) = extension {
        response.push_str(&format!("Sec-WebSocket-Extensions: {extension}\r\n"));
    }
    match fault {
        Some(Fault::InventsSubprotocol) => response.push_str("Sec-WebSocket-Protocol: x\r\n"),
        Some(Fault::InventsExtension) => response.push_str("Sec-WebSocket-Extensions: x\r\n"),
        Some(Fault::ContentLengthIn101) => response.push_str("Content-Length: 0\r\n"),
        _ => {}
    }
    response.push_str("\r\n");
    wire.write(response.as_bytes()).await;
    Ok(agreement)
}

/// Octets up to the empty line, under a limit.
async fn read(wire: &mut Wire, fault: Option<Fault>) -> Result<Vec<u8>, String> {
    let mut searched = 0_usize;
    loop {
        let bytes = wire.buffered();
        // RFC 9112 §2.2: an empty line before the request is ignored.
        if searched == 0 && bytes.starts_with(b"\r\n") {
            wire.consume(2);
            continue;
        }
        let fresh = bytes.get(searched..).unwrap_or_default();
        if let Some(at) = fresh.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = bytes.get(..searched + at + 4).unwrap_or_default().to_vec();
            if head.len() > MAX_HEAD && fault != Some(Fault::NoHeadLimit) {
                return Err(refusal(431, fault));
            }
            wire.consume(head.len());
            return Ok(head);
        }
        if bytes.len() > MAX_HEAD && fault != Some(Fault::NoHeadLimit) {
            return Err(refusal(431, fault));
        }
        searched = bytes.len().saturating_sub(3);
        if !wire.fill().await {
            return Err(String::new());
        }
    }
}

fn refusal(status: u16, fault: Option<Fault>) -> String {
    let versions = if status == 426 && fault != Some(Fault::NamesNoVersion) {
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    } else {
        ""
    };
    let allow = if status == 405 { "Allow: GET\r\n" } else { "" };
    format!(
        "HTTP/1.1 {status} Refused\r\n{versions}{allow}Connection: close\r\nContent-Length: 0\r\n\r\n"
    )
}

pub(super) fn negotiate(head: &Head, fault: Option<Fault>) -> Option<(String, Agreement)> {
    let offered = head.combined("Sec-WebSocket-Extensions")?;
    if fault == Some(Fault::AcceptsUnknownParameter) && offered.contains("unknown_parameter") {
        return Some((NAME.to_owned(), Agreement::default()));
    }
    let offers = extension::parse(&offered).ok()?;
    let (mut text, mut agreement) = negotiation::answer(&offers, Wish::default())?;
    match fault {
        Some(Fault::NoConfirmation) => {
            text = text.replace("; server_no_context_takeover", "");
            agreement.server_no_takeover = false;
        }
        Some(Fault::ImposesClientBits) => text.push_str("; client_max_window_bits=15"),
        Some(Fault::NineForEight) => {
            text = text.replace("bits=8", "bits=9");
        }
        _ => {}
    }
    Some((text, agreement))
}

/// What the reference client offers.
pub(super) const OFFER: &str = "permessage-deflate; client_max_window_bits";

/// Calls a server and judges its answer.
pub(super) async fn call(
    wire: &mut Wire,
    host: &str,
    fault: Option<Fault>,
) -> Result<Option<Agreement>, String> {
    let key = match fault {
        Some(Fault::SameKeyTwice) => "AQIDBAUGBwgJCgsMDQ4PEA==".to_owned(),
        Some(Fault::ShortKey) => "AQIDBAUGBwgJCgsMDQ4P".to_owned(),
        _ => http::fresh_key(),
    };
    let version =
        if fault == Some(Fault::NoVersion) { "" } else { "Sec-WebSocket-Version: 13\r\n" };
    let protocols = match fault {
        Some(Fault::DuplicateSubprotocols) => "Sec-WebSocket-Protocol: a, a\r\n",
        _ => "",
    };
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {key}\r\n{version}{protocols}Sec-WebSocket-Extensions: {OFFER}\r\n\r\n"
    );
    let mut octets = request.into_bytes();
    if fault == Some(Fault::SpeaksEarly) {
        octets.extend(Frame::ping("early").encode(true));
    }
    wire.write(&octets).await;
    loop {
        let head = http::read_head(wire).await.ok_or("no answer")?.0;
        if head.status() == Some(100) || head.status() == Some(103) {
            if fault == Some(Fault::RefusesInterim) {
                return Err("100 is not 101".into());
            }
            continue;
        }
        return judge(&head, &key, OFFER, fault);
    }
}

fn judge(
    head: &Head,
    key: &str,
    offer: &str,
    fault: Option<Fault>,
) -> Result<Option<Agreement>, String> {
    let mut seen = head.clone();
    match fault {
        Some(Fault::IgnoresStatus) => seen.start = "HTTP/1.1 101 Yes".into(),
        Some(Fault::TakesNewerHttp) => seen.start = seen.start.replace("HTTP/2.0", "HTTP/1.1"),
        Some(Fault::ReplacesControls) => seen.flaws.retain(|flaw| !flaw.contains("CR or NUL")),
        Some(Fault::IgnoresUpgrade) => {
            seen.fields.retain(|(name, _)| !name.eq_ignore_ascii_case("Upgrade"));
            seen.fields.push(("Upgrade".into(), "websocket".into()));
        }
        Some(Fault::AcceptWithoutCase) => {
            let accept = http::accept_for(key);
            let alike = |value: &str| value.eq_ignore_ascii_case(&accept);
            let found = seen.fields.iter_mut().map(|(_, value)| value);
            found.filter(|value| alike(value)).for_each(|value| value.clone_from(&accept));
        }
        Some(Fault::IgnoresAccept) => {
            seen.fields.retain(|(name, _)| !name.eq_ignore_ascii_case("Sec-WebSocket-Accept"));
            seen.fields.push(("Sec-WebSocket-Accept".into(), http::accept_for(key)));
        }
        _ => {}
    }
    // RFC 6455 needs HTTP/1.1 or higher, in the form that RFC 9112 writes.
    let well_formed = seen.start.starts_with("HTTP/1.1 101 ");
    if let Some(flaw) = flaw_of_response(&seen, key) {
        return Err(flaw);
    }
    if !well_formed {
        return Err("the status line is malformed".into());
    }
    negotiated(&seen, offer, fault)
}

/// What an answer states of subprotocols and extensions.
pub(super) fn negotiated(
    seen: &Head,
    offer: &str,
    fault: Option<Fault>,
) -> Result<Option<Agreement>, String> {
    let chosen = seen.values("Sec-WebSocket-Protocol").count();
    if chosen > 0 && fault != Some(Fault::TakesAnySubprotocol) {
        return Err("a subprotocol that was not offered".into());
    }
    let Some(answer) = seen.combined("Sec-WebSocket-Extensions") else { return Ok(None) };
    if fault == Some(Fault::TakesAnyExtension) && !answer.contains(NAME) {
        return Ok(None);
    }
    if fault == Some(Fault::TakesBadWindow) && answer.contains("bits=7") {
        return Ok(Some(Agreement::default()));
    }
    let elements = extension::parse(&answer)?;
    let [element] = elements.as_slice() else { return Err("more than one extension".into()) };
    if element.name != NAME {
        return Err("an extension that was not offered".into());
    }
    check_answer(&extension::parse(offer)?, element).map(Some)
}
