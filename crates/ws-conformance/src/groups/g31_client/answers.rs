//! Sections 31.1 and 31.2: answers that are right in unusual ways, and answers that must fail.

use super::reply::{ORDINARY, Reaction, Reply};
use crate::case::{Case, Weight};
use crate::judge::Behavior;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = right();
    cases.extend(wrong());
    cases
}

fn right() -> Vec<Case> {
    let open = Reaction::Open;
    let changed = |from: &str, to: &str| Reply::new(ORDINARY.replace(from, to), open);
    let many: String = (0..40).map(|n| format!("X-{n}: {n}\n")).collect();
    let before = |head: &str| Reply::new(format!("{head}\n\n{ORDINARY}"), open);
    let reversed = "HTTP/1.1 101 Switching Protocols\nSec-WebSocket-Accept: {accept}\n\
                    Connection: Upgrade\nUpgrade: websocket\n\n";
    let table = [
        ("as plain as can be", Reply::new(ORDINARY, open)),
        ("with Upgrade: WebSocket", changed("websocket", "WebSocket")),
        ("with Connection: upgrade", changed("Connection: Upgrade", "Connection: upgrade")),
        ("with Connection: keep-alive, Upgrade", changed(": Upgrade", ": keep-alive, Upgrade")),
        ("with field names in lower case", changed("Sec-WebSocket-Accept", "sec-websocket-accept")),
        ("with field names in upper case", changed("Upgrade:", "UPGRADE:")),
        ("with another reason phrase", changed("Switching Protocols", "All Yours")),
        ("with an empty reason phrase", changed("Switching Protocols", "")),
        ("with white space around values", changed(": {accept}", ":   {accept} \t ")),
        ("without white space after colons", changed(": ", ":")),
        ("with its fields in reverse order", Reply::new(reversed, open)),
        ("with forty more fields", changed("Upgrade: w", &format!("{many}Upgrade: w"))),
        ("with two cookies", Reply::with_line("Set-Cookie: a=b\nSet-Cookie: c=d", open)),
        ("with Sec-WebSocket-Version: 13", Reply::with_line("Sec-WebSocket-Version: 13", open)),
        ("100 and then 101", before("HTTP/1.1 100 Continue")),
        (
            "103 twice and then 101",
            before("HTTP/1.1 103 Early Hints\nLink: </x>\n\nHTTP/1.1 103 Early Hints"),
        ),
        ("one octet a write", Reply::new(ORDINARY, open).chopped(1, 1)),
        ("and sends the first text in the same write", Reply::new(ORDINARY, open).with_frame()),
        (
            "and sends the first text in the same stream of single octets",
            Reply::new(ORDINARY, open).with_frame().chopped(1, 0),
        ),
        ("in pieces of 40 octets", Reply::new(ORDINARY, open).chopped(40, 5)),
    ];
    (1..)
        .zip(table)
        .map(|(number, (what, reply))| {
            reply.case(
                &[31, 1, number],
                what,
                &[
                    "WS-4.1-01",
                    "WS-4.1-24",
                    "WS-4.1-26",
                    "WS-4.1-27",
                    "WS-4.1-28",
                    "WS-2.1-01",
                    "SEM-15.2-01",
                    "WS-11.3.5-02",
                ],
            )
        })
        .collect()
}

fn wrong() -> Vec<Case> {
    let fail = Reaction::Fail(Behavior::Failed);
    let changed = |from: &str, to: &str| Reply::new(ORDINARY.replace(from, to), fail);
    let without = |name: &str| {
        let lines = ORDINARY.split_inclusive('\n').filter(|line| !line.starts_with(name));
        Reply::new(lines.collect::<String>(), fail)
    };
    let status = |line: &str| changed("HTTP/1.1 101 Switching Protocols", line);
    let line = |line: &str| Reply::with_line(line, fail);
    let plain = |text: &str| Reply::new(text, fail);
    let lenient = |text: &str, from: &str| {
        Reply::new(ORDINARY.replace(from, text), Reaction::Fail(Behavior::NonStrict))
    };
    let table = [
        ("200", status("HTTP/1.1 200 OK\nContent-Length: 0")),
        ("204", status("HTTP/1.1 204 No Content")),
        ("400", plain("HTTP/1.1 400 Bad Request\nContent-Length: 0\n\n")),
        (
            "401",
            plain(
                "HTTP/1.1 401 Unauthorized\nWWW-Authenticate: Basic realm=\"x\"\nContent-Length: 0\n\n",
            ),
        ),
        ("404 with a body", plain("HTTP/1.1 404 Not Found\nContent-Length: 4\n\ngone")),
        (
            "426",
            plain(
                "HTTP/1.1 426 Upgrade Required\nSec-WebSocket-Version: 14\nUpgrade: websocket\nContent-Length: 0\n\n",
            ),
        ),
        ("500", plain("HTTP/1.1 500 Internal Server Error\nContent-Length: 0\n\n")),
        ("100 and nothing more", Reply::new("HTTP/1.1 100 Continue\n\n", Reaction::NotOpen)),
        ("without Upgrade", without("Upgrade")),
        ("with Upgrade: h2c", changed("Upgrade: websocket", "Upgrade: h2c")),
        ("with Upgrade: websocket2", changed("Upgrade: websocket", "Upgrade: websocket2")),
        ("with an empty Upgrade", changed("Upgrade: websocket", "Upgrade:")),
        ("without Connection", without("Connection")),
        ("with Connection: close", changed("Connection: Upgrade", "Connection: close")),
        ("with Connection: notupgrade", changed("Connection: Upgrade", "Connection: notupgrade")),
        ("without Sec-WebSocket-Accept", without("Sec-WebSocket-Accept")),
        ("with an empty accept value", changed("{accept}", "")),
        ("with the key as accept value", changed("{accept}", "{key}")),
        (
            "with the accept value of the RFC's example",
            changed("{accept}", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ),
        ("with octets behind the accept value", changed("{accept}", "{accept}x")),
        ("with words behind the accept value", changed("{accept}", "{accept} and more")),
        ("with the accept value twice, on two lines", line("Sec-WebSocket-Accept: {accept}")),
        (
            "with a second, wrong accept value",
            line("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ),
        ("in HTTP/1.0", lenient("HTTP/1.0 101", "HTTP/1.1 101")),
        ("in HTTP/2.0", lenient("HTTP/2.0 101", "HTTP/1.1 101")),
        ("with a status line that is none", status("WebSocket yes")),
        ("with a status of two digits", status("HTTP/1.1 10 Switching")),
        ("with a status that is no number", status("HTTP/1.1 abc Switching")),
        ("with a line without a colon", line("no colon here")),
        // RFC 9110 §5.5: the client may also read it as a space.
        (
            "with a NUL in a value",
            Reply::with_line("X-A: b\0c", Reaction::Fail(Behavior::NonStrict)),
        ),
        ("with a space before a colon", lenient("Upgrade : websocket", "Upgrade: websocket")),
        ("with octets that are no HTTP", plain("\u{1}\u{2}\u{3} no HTTP at all\n\n")),
    ];
    let mut cases: Vec<Case> = (1..)
        .zip(table)
        .map(|(number, (what, reply))| {
            reply.case(
                &[31, 2, number],
                what,
                &[
                    "WS-4.1-25",
                    "WS-4.1-26",
                    "WS-4.1-27",
                    "WS-4.1-28",
                    "WS-4.1-31",
                    "WS-11.3.3-01",
                    "SEM-5.5-01",
                ],
            )
        })
        .collect();
    let folded = Reply::with_line("X-A: b\n c", Reaction::Either);
    cases.push(folded.case(&[31, 2, 33], "with a folded value", &["M1-5.2-01"]));
    let length = Reply::with_line("Content-Length: 5", Reaction::Either);
    cases.push(length.case(&[31, 2, 34], "101 with Content-Length: 5", &["M1-6.3-01"]));
    let swapped = changed("{accept}", "{swapped}");
    let what = "with the accept value in the other case";
    cases.push(swapped.case(&[31, 2, 35], what, &["WS-4.1-28", "WS-11.3.3-01"]));
    cases.into_iter().map(|case| case.weighs(Weight::Waiting)).collect()
}
