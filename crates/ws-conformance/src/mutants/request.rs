//! How the reference server reads a request: strictly, by RFC 9112 and RFC 6455 §4.2.1.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::fault::Fault;
use crate::wire::extension;
use crate::wire::http::{Head, is_token, is_token_octet, key_length};

/// Checks the octets of a whole head; the error is the status to refuse with.
pub(super) fn check(octets: &[u8], head: &Head, fault: Option<Fault>) -> Result<(), u16> {
    let has = |wanted| fault == Some(wanted);
    let demand = |holds: bool, status: u16| if holds { Ok(()) } else { Err(status) };
    lines(octets, fault)?;
    let parts: Vec<&str> = head.start.split(' ').collect();
    let &[method, target, version] = parts.as_slice() else { return Err(400) };
    demand(version.starts_with("HTTP/") && is_token(method), 400)?;
    let refused = |status: u16| if has(Fault::ShowsPages) { 200 } else { status };
    demand(method == "GET" || has(Fault::AcceptsPost), refused(405))?;
    let newer = version > "HTTP/1.1" && has(Fault::TakesNewerHttp);
    demand(version == "HTTP/1.1" || newer || has(Fault::AcceptsHttp10), refused(505))?;
    if has(Fault::RefusesOddities) {
        oddities(head)?;
    }
    let form = target.starts_with('/') || target.starts_with("http://");
    demand(form && !target.contains('#') && target.bytes().all(|o| o > 0x20), 400)?;
    let hosts: Vec<&str> = head.values("Host").collect();
    let plain =
        |host: &&str| host.bytes().all(|o| o.is_ascii_alphanumeric() || b".-_:[]%~".contains(&o));
    let host = hosts.len() == 1 && hosts.iter().all(plain);
    demand(host || hosts.is_empty() && has(Fault::AcceptsNoHost), 400)?;
    demand(head.values("Transfer-Encoding").next().is_none(), 400)?;
    demand(head.values("Content-Length").all(|length| length == "0"), 400)?;
    upgrade(head, fault)?;
    let keys: Vec<&str> = head.values("Sec-WebSocket-Key").collect();
    demand(keys.len() == 1 || keys.len() == 2 && has(Fault::AcceptsTwoKeys), 400)?;
    let sixteen = |key: &&str| match key_length(key) {
        Some(16) => true,
        Some(15) => has(Fault::AcceptsShortKey) || has(Fault::TrustsKeys),
        Some(_) => has(Fault::TrustsKeys),
        _ => false,
    };
    demand(keys.iter().all(sixteen), 400)?;
    let versions: Vec<&str> = head.values("Sec-WebSocket-Version").collect();
    let eight = has(Fault::AcceptsVersion8) || has(Fault::KnowsVersion8);
    let known = versions == ["13"] || versions == ["8"] && eight;
    demand(known, 426)?;
    lists(head, fault)
}

/// The octets of the lines: no bare CR, no NUL, no folding, names that are tokens.
fn lines(octets: &[u8], fault: Option<Fault>) -> Result<(), u16> {
    let spaced = fault == Some(Fault::AcceptsSpaceBeforeColon);
    let skips = fault == Some(Fault::SkipsOddLines);
    let replaced: &[u8] = if fault == Some(Fault::ReplacesControls) { b"\t\r\0" } else { b"\t" };
    let text = octets.strip_suffix(b"\r\n\r\n").ok_or(400_u16)?;
    let mut rest = text;
    let mut is_start = true;
    while !rest.is_empty() {
        let end = rest.windows(2).position(|pair| pair == b"\r\n").unwrap_or(rest.len());
        let (line, later) = rest.split_at(end);
        rest = later.get(2..).unwrap_or_default();
        if skips && !is_start {
            continue;
        }
        if line.iter().any(|octet| *octet < 0x20 && !replaced.contains(octet) || *octet == 0x7F) {
            return Err(400);
        }
        if !std::mem::take(&mut is_start) {
            let colon = line.iter().position(|octet| *octet == b':').ok_or(400_u16)?;
            let name = line.get(..colon).unwrap_or_default();
            let name = if spaced { name.trim_ascii_end() } else { name };
            if name.is_empty() || !name.iter().all(|octet| is_token_octet(*octet)) {
                return Err(400);
            }
        }
    }
    Ok(())
}

/// What a server may refuse that is choosy, or has small limits.
fn oddities(head: &Head) -> Result<(), u16> {
    let demand = |holds: bool, status: u16| if holds { Ok(()) } else { Err(status) };
    let long = head.fields.iter().any(|(_, value)| value.len() > 2000);
    demand(!long && head.fields.len() < 30, 431)?;
    demand(head.fields.iter().all(|(_, value)| value.is_ascii()), 400)?;
    demand(head.values("Upgrade").all(|value| value.eq_ignore_ascii_case("websocket")), 426)?;
    // RFC 4648 §3.5: spare bits that are not zero may be refused.
    demand(head.values("Sec-WebSocket-Key").all(|key| STANDARD.decode(key).is_ok()), 400)
}

fn upgrade(head: &Head, fault: Option<Fault>) -> Result<(), u16> {
    let is_page = fault == Some(Fault::ShowsPages);
    let refused = |status: u16| if is_page { 200 } else { status };
    let value = head.combined("Upgrade").ok_or_else(|| refused(426))?;
    let named = match fault {
        Some(Fault::UpgradeIsCaseSensitive) => value == "websocket",
        _ => head.lists("Upgrade", "websocket"),
    };
    if !named {
        return Err(refused(426));
    }
    let value = head.combined("Connection").ok_or_else(|| refused(400))?.to_lowercase();
    let named = match fault {
        Some(Fault::ConnectionIsNoList) => value == "upgrade",
        Some(Fault::ConnectionBySubstring) => value.contains("upgrade"),
        _ => head.lists("Connection", "upgrade"),
    };
    if named { Ok(()) } else { Err(refused(400)) }
}

pub(super) fn lists(head: &Head, fault: Option<Fault>) -> Result<(), u16> {
    if let Some(list) = head.combined("Sec-WebSocket-Protocol") {
        let names: Vec<&str> =
            list.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        let mut unique = names.clone();
        unique.sort_unstable();
        unique.dedup();
        let tokens = names.iter().all(|name| is_token(name));
        let repeats = unique.len() < names.len() && fault != Some(Fault::TakesSubprotocolTwice);
        if names.is_empty() || !tokens || repeats {
            return Err(400);
        }
    }
    if let Some(list) = head.combined("Sec-WebSocket-Extensions")
        && extension::parse(&list).is_err()
        && fault != Some(Fault::AcceptsMalformedExtensions)
    {
        return Err(400);
    }
    Ok(())
}
