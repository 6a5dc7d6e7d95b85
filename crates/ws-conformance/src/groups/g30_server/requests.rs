//! Sections 30.1 and 30.3: requests that are right in unusual ways, and requests that lack
//! something.

use super::probe::{Answer, Edit, Probe};
use crate::case::Case;
use crate::judge::Behavior;
use crate::wire::http::Head;

const BAD: Answer = Answer::Refuse(&[400], Behavior::Failed);
const UPGRADE: Answer = Answer::Refuse(&[426, 400], Behavior::Failed);

pub(super) fn cases() -> Vec<Case> {
    let mut cases = right();
    cases.extend(lacking());
    cases.extend(versions());
    cases
}

/// The requests of section 30.1 that no MUST has a server accept: it may ignore Upgrade (9, RFC 9110
/// §7.8), refuse spare bits of base64 (16, RFC 4648 §3.5) and what is more than it wants to read (17 and
/// 25, RFC 9110 §5.4); an empty line before the request (15, RFC 9112 §2.2) and octets beyond ASCII
/// (23, RFC 9110 §5.5) it only SHOULD take.
const MAY_BE_REFUSED: [u16; 6] = [9, 15, 16, 17, 23, 25];

fn set(name: &'static str, value: &str) -> Edit {
    Edit::Set(name, value.to_owned())
}

fn add(line: &str) -> Edit {
    Edit::Add(line.to_owned())
}

fn line(line: &str) -> Edit {
    Edit::Line(line.to_owned())
}

fn right() -> Vec<Case> {
    let loose_key = "AQIDBAUGBwgJCgsMDQ4PEC==";
    let table: [(&str, Vec<Edit>); 26] = [
        ("as plain as can be", vec![]),
        ("with field names in lower case", vec![Edit::Drop("Upgrade"), add("upgrade: websocket")]),
        (
            "with field names in upper case",
            vec![Edit::Drop("Connection"), add("CONNECTION: Upgrade")],
        ),
        ("with Upgrade: WebSocket", vec![set("Upgrade", "WebSocket")]),
        ("with Connection: keep-alive, Upgrade", vec![set("Connection", "keep-alive, Upgrade")]),
        ("with Connection: UPGRADE", vec![set("Connection", "UPGRADE")]),
        ("with its fields in reverse order", vec![Edit::Reverse]),
        (
            "with fields nobody knows",
            vec![add("X-One: 1"), add("X-Two: a, b; c=\"d\""), add("X-One: 2")],
        ),
        ("with Upgrade: example, websocket", vec![set("Upgrade", "example, websocket")]),
        (
            "with two Connection lines",
            vec![set("Connection", "keep-alive"), add("Connection: Upgrade")],
        ),
        (
            "with white space around values",
            vec![set("Upgrade", " \t websocket \t "), set("Connection", "   Upgrade  ")],
        ),
        (
            "without white space after a colon",
            vec![Edit::Drop("Upgrade"), add("Upgrade:websocket")],
        ),
        ("with its target in absolute form", vec![line("GET {origin}{path} HTTP/1.1")]),
        ("with a query", vec![line("GET {path}?a=b&c=%20 HTTP/1.1")]),
        ("with an empty line before it", vec![Edit::Before("\r\n")]),
        ("with a key whose unused bits are not zero", vec![set("Sec-WebSocket-Key", loose_key)]),
        ("with a field of 4000 octets", vec![Edit::Add(format!("X-Long: {}", "x".repeat(4000)))]),
        ("with the Origin of the server", vec![add("Origin: {origin}")]),
        ("with Content-Length: 0", vec![add("Content-Length: 0")]),
        ("with cookies on two lines", vec![add("Cookie: a=b"), add("Cookie: c=d")]),
        ("with empty elements in Connection", vec![set("Connection", ", , Upgrade,")]),
        ("with a field without a value", vec![add("X-Empty:")]),
        ("with octets beyond ASCII in a value", vec![add("X-Name: Grüße")]),
        (
            "with percent-encoded octets in its target",
            vec![line("GET {path}?x=%E2%82%AC HTTP/1.1")],
        ),
        ("with forty more fields", (0..40).map(|n| Edit::Add(format!("X-{n}: {n}"))).collect()),
        (
            "with User-Agent, Pragma and Cache-Control",
            vec![
                add("User-Agent: x/1 (y)"),
                add("Pragma: no-cache"),
                add("Cache-Control: no-cache"),
            ],
        ),
    ];
    let mut cases = Vec::new();
    for (number, (what, edits)) in (1..).zip(table) {
        let answer =
            if MAY_BE_REFUSED.contains(&number) { Answer::ShouldOpen } else { Answer::Open };
        let probe = Probe::new(edits, answer);
        cases.push(probe.case(
            &[30, 1, number],
            what,
            &[
                "WS-4.2.1-01",
                "WS-4.2.1-03",
                "WS-4.2.1-04",
                "WS-4.2.1-05",
                "WS-4.2.1-07",
                "WS-4.2.1-10",
                "WS-4.2.2-12",
                "WS-2.1-01",
                "SEM-5.6.1-02",
                "SEM-5.6.3-01",
                "M1-2.2-03",
                "M1-3.2-03",
                "ER-3150",
                "ER-5453",
            ],
        ));
    }
    let long = Edit::Line(format!("GET {{path}}?{} HTTP/1.1", "x".repeat(7900)));
    let answer = Probe::new(vec![long], Answer::ShouldOpen);
    cases.push(answer.case(
        &[30, 1, 27],
        "with a request line of nearly 8000 octets",
        &["M1-3-01"],
    ));
    let expect = Probe::new(vec![add("Expect: 100-continue")], Answer::ShouldOpen);
    cases.push(expect.case(&[30, 1, 28], "with Expect: 100-continue", &["SEM-7.8-05"]));
    cases
}

fn lacking() -> Vec<Case> {
    let no_http = Answer::Refuse(&[505, 400, 426], Behavior::Failed);
    // What asks for no WebSocket is an ordinary request, to a resource that is the server's own
    // affair; in HTTP/1.0 Upgrade is to be ignored (RFC 9110 §7.8).
    let ordinary = Answer::Ordinary(Behavior::Failed);
    // §4.2.1 takes "HTTP/1.1 or higher".
    let newer = Answer::Ordinary(Behavior::NonStrict);
    let method = Answer::Refuse(&[405, 400, 501], Behavior::Failed);
    // §4.2.2: it is not necessary to decode the key.
    let length = Answer::Refuse(&[400], Behavior::NonStrict);
    let key = |value: &str| vec![set("Sec-WebSocket-Key", value)];
    let table: [(&str, Vec<Edit>, Answer); 24] = [
        ("by POST", vec![line("POST {path} HTTP/1.1"), add("Content-Length: 0")], ordinary),
        ("by HEAD", vec![line("HEAD {path} HTTP/1.1")], ordinary),
        ("by get in lower case", vec![line("get {path} HTTP/1.1")], method),
        ("in HTTP/1.0", vec![line("GET {path} HTTP/1.0")], ordinary),
        ("in HTTP/0.9", vec![line("GET {path}")], no_http),
        ("in HTTP/3.7", vec![line("GET {path} HTTP/3.7")], newer),
        ("in http/1.1 in lower case", vec![line("GET {path} http/1.1")], no_http),
        ("without Host", vec![Edit::Drop("Host")], BAD),
        ("with two Host lines", vec![add("Host: other.example")], BAD),
        ("with a Host that holds a space", vec![set("Host", "a b")], BAD),
        ("with a Host that holds a path", vec![set("Host", "{host}/x")], BAD),
        ("without Upgrade", vec![Edit::Drop("Upgrade")], ordinary),
        ("with Upgrade: example", vec![set("Upgrade", "example")], ordinary),
        ("with Upgrade: notwebsocket", vec![set("Upgrade", "notwebsocket")], ordinary),
        ("without Connection", vec![Edit::Drop("Connection")], ordinary),
        ("with Connection: notupgrade", vec![set("Connection", "notupgrade")], ordinary),
        ("with Connection: keep-alive", vec![set("Connection", "keep-alive")], ordinary),
        ("without a key", vec![Edit::Drop("Sec-WebSocket-Key")], BAD),
        ("with an empty key", key(""), BAD),
        ("with a key of 15 octets", key("AQIDBAUGBwgJCgsMDQ4P"), length),
        ("with a key of 17 octets", key("AQIDBAUGBwgJCgsMDQ4PEBE="), length),
        ("with a key that is not base64", key("not base64 at all!!"), BAD),
        ("with two different keys", vec![add("Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==")], BAD),
        ("with the same key twice", vec![add("Sec-WebSocket-Key: {key}")], BAD),
    ];
    let mut cases = Vec::new();
    for (number, (what, edits, answer)) in (1..).zip(table) {
        cases.push(Probe::new(edits, answer).case(
            &[30, 3, number],
            what,
            &[
                "WS-4.2.1-01",
                "WS-4.2.1-02",
                "WS-4.2.1-03",
                "WS-4.2.1-04",
                "WS-4.2.1-05",
                "WS-11.3.1-01",
                "SEM-7.8-04",
                "M1-2.3-01",
                "M1-3-01",
                "M1-3.2-01",
                "M1-3.2-06",
            ],
        ));
    }
    cases
}

fn versions() -> Vec<Case> {
    let version = |value: &str| vec![set("Sec-WebSocket-Version", value)];
    let table: [(&str, Vec<Edit>); 12] = [
        ("without a version", vec![Edit::Drop("Sec-WebSocket-Version")]),
        ("with version 8", version("8")),
        ("with version 12", version("12")),
        ("with version 14", version("14")),
        ("with version 0", version("0")),
        ("with version 255", version("255")),
        ("with version 013", version("013")),
        ("with version 13a", version("13a")),
        ("with version -13", version("-13")),
        ("with version 256", version("256")),
        ("with an empty version", version("")),
        ("with two version lines, 13 and 8", vec![add("Sec-WebSocket-Version: 8")]),
    ];
    let mut cases = Vec::new();
    for (number, (what, edits)) in (25..).zip(table) {
        // §4.4: a server may understand other versions too, and 8 is one that was in use.
        let answer =
            if number == 26 { Answer::Refuse(&[426, 400], Behavior::NonStrict) } else { UPGRADE };
        let mut probe = Probe::new(edits, answer);
        // What is a number but another version is answered with the versions that are understood.
        if (26..=30).contains(&number) {
            probe = probe.looking(names_version);
        }
        cases.push(probe.case(
            &[30, 3, number],
            what,
            &[
                "WS-4.2.1-06",
                "WS-4.2.2-06",
                "WS-4.3-02",
                "WS-4.4-01",
                "WS-11.3.5-01",
                "SEM-7.8-02",
                "SEM-15.5.22-01",
            ],
        ));
    }
    let twice = Probe::new(vec![add("Sec-WebSocket-Version: 13")], UPGRADE);
    cases.push(twice.case(&[30, 3, 37], "with version 13 twice", &["WS-11.3.5-01"]));
    cases
}

fn names_version(head: &Head) -> Option<String> {
    if !head.lists("Sec-WebSocket-Version", "13") {
        return Some("the refusal does not name the version 13 (§4.2.2, §4.4)".into());
    }
    (head.status() == Some(426) && head.values("Upgrade").count() == 0)
        .then(|| "a 426 has to carry Upgrade (RFC 9110 §15.5.22)".into())
}
