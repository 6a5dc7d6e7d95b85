//! Group 32: subprotocols and extensions that are offered, answered, or invented.

use crate::case::{Case, Weight};
use crate::groups::g30_server::probe::{Answer, Edit, Probe};
use crate::groups::g31_client::reply::{Reaction, Reply};
use crate::judge::Behavior;
use crate::wire::http::Head;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = to_servers();
    cases.extend(extensions_to_servers());
    cases.extend(to_clients());
    cases
}

fn to_servers() -> Vec<Case> {
    let offer = |value: &str| vec![Edit::Add(format!("Sec-WebSocket-Protocol: {value}"))];
    let two = vec![
        Edit::Add("Sec-WebSocket-Protocol: one".into()),
        Edit::Add("Sec-WebSocket-Protocol: two, three".into()),
    ];
    let many: Vec<String> = (0..500).map(|number| format!("p{number}")).collect();
    let fine: [(&str, Vec<Edit>); 5] = [
        ("one subprotocol that nobody knows", offer("x-nobody-knows-this")),
        ("three subprotocols", offer("one, two, three")),
        ("subprotocols on two lines", two),
        ("subprotocols with empty elements between", offer(", one,, two ,")),
        ("five hundred subprotocols", offer(&many.join(", "))),
    ];
    let refuse = Answer::Refuse(&[400], Behavior::Failed);
    // §4.1 has a client name each only once, §4.2.1 does not have a server see to it.
    let twice = Answer::Refuse(&[400], Behavior::NonStrict);
    let bad: [(&str, Vec<Edit>, Answer); 6] = [
        ("a subprotocol that holds a space", offer("one two"), refuse),
        ("a subprotocol twice", offer("one, one"), twice),
        ("an empty list of subprotocols", offer(""), refuse),
        ("a subprotocol in quotes", offer("\"one\""), refuse),
        ("a subprotocol beyond ASCII", offer("größe"), refuse),
        ("a subprotocol with a slash and brackets", offer("a/b, (c)"), refuse),
    ];
    let rows: &[&str] = &["WS-4.2.2-08", "WS-4.2.2-09", "WS-4.2.2-13", "WS-11.3.4-01", "UP-7936"];
    let mut cases = Vec::new();
    for (number, (what, edits)) in (1..).zip(fine) {
        // A server that requires a subprotocol may refuse them all.
        let probe = Probe::new(edits, Answer::ShouldOpen).looking(single_and_offered);
        cases.push(probe.case(&[32, 1, number], &format!("that offers {what}"), rows));
    }
    for (number, (what, edits, answer)) in (11..).zip(bad) {
        let probe = Probe::new(edits, answer);
        let what = format!("that offers {what}");
        cases.push(probe.case(&[32, 1, number], &what, &["WS-4.2.1-08", "WS-8.1-01"]));
    }
    cases
}

fn single_and_offered(head: &Head) -> Option<String> {
    let chosen: Vec<&str> = head.values("Sec-WebSocket-Protocol").collect();
    match chosen.as_slice() {
        [] => None,
        ["one" | "two" | "three" | "x-nobody-knows-this"] => None,
        [name] if name.strip_prefix('p').is_some_and(|n| n.parse::<u16>().is_ok()) => None,
        other => Some(format!("the subprotocols {other:?} are no single one of the offers")),
    }
}

fn extensions_to_servers() -> Vec<Case> {
    let offer = |value: &str| vec![Edit::Add(format!("Sec-WebSocket-Extensions: {value}"))];
    let bomb = format!("a; b=\"{}", "\\c".repeat(30_000));
    let commas = ",".repeat(4000);
    let table: [(&str, Vec<Edit>, Answer); 5] = [
        ("extensions that nobody knows", offer("x-one; y=1, x-two"), Answer::Open),
        ("names of object properties", offer("constructor, __proto__; toString=1"), Answer::Open),
        (
            "a quoted value of 60 kB that never ends",
            offer(&bomb),
            Answer::Refuse(&[400, 431], Behavior::Failed),
        ),
        ("four thousand commas", offer(&commas), Answer::Either),
        (
            "an extension with octets beyond ASCII",
            offer("größe"),
            Answer::Refuse(&[400], Behavior::Failed),
        ),
    ];
    (1..)
        .zip(table)
        .map(|(number, (what, edits, answer))| {
            let probe = Probe::new(edits, answer).looking(no_extension);
            probe.case(
                &[32, 2, number],
                &format!("that offers {what}"),
                &["WS-4.2.2-11", "WS-9-01", "WS-9.1-01", "SEM-5.6.1-02"],
            )
        })
        .collect()
}

fn no_extension(head: &Head) -> Option<String> {
    head.combined("Sec-WebSocket-Extensions")
        .map(|name| format!("the answer accepts {name:?}, which nobody knows"))
}

fn to_clients() -> Vec<Case> {
    let fail = Reaction::Fail(Behavior::Failed);
    let table: [(&str, &str); 12] = [
        ("a subprotocol that was not offered", "Sec-WebSocket-Protocol: x-nobody-asked-for-this"),
        ("two subprotocols in a list", "Sec-WebSocket-Protocol: x-one, x-two"),
        (
            "two lines of subprotocols",
            "Sec-WebSocket-Protocol: x-one\nSec-WebSocket-Protocol: x-two",
        ),
        ("an empty subprotocol", "Sec-WebSocket-Protocol:"),
        ("a subprotocol with a space", "Sec-WebSocket-Protocol: x one"),
        ("an extension that was not offered", "Sec-WebSocket-Extensions: x-nobody-asked-for-this"),
        (
            "an extension with parameters that was not offered",
            "Sec-WebSocket-Extensions: x-one; a=1",
        ),
        ("an empty list of extensions", "Sec-WebSocket-Extensions: ,"),
        ("extensions against the grammar", "Sec-WebSocket-Extensions: a b"),
        ("an extension with an open quote", "Sec-WebSocket-Extensions: a; b=\"c"),
        ("an extension that ends in a semicolon", "Sec-WebSocket-Extensions: a;"),
        ("a reserved-bit extension of old", "Sec-WebSocket-Extensions: x-webkit-deflate-frame"),
    ];
    (1..)
        .zip(table)
        .map(|(number, (what, line))| {
            Reply::with_line(line, fail)
                .case(
                    &[32, 3, number],
                    &format!("with {what}"),
                    &[
                        "WS-4.1-29",
                        "WS-4.1-30",
                        "WS-4.1-31",
                        "WS-11.3.4-02",
                        "WS-9.1-01",
                        "WS-9.1-04",
                        "UP-7936",
                    ],
                )
                .weighs(Weight::Waiting)
        })
        .collect()
}
