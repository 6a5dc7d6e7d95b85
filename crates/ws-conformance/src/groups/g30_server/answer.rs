//! Section 30.6: the server's answer, line by line.

use super::probe::{Answer, Edit, Look, Probe};
use crate::case::Case;
use crate::judge::Behavior;
use crate::wire::http::Head;

pub(super) fn cases() -> Vec<Case> {
    let looks: [(&str, &'static [&'static str], Look); 7] = [
        ("and looks for a body's length in the 101", &["M1-6.1-01"], no_length),
        ("and looks for one Sec-WebSocket-Accept", &["WS-4.2.2-12", "WS-11.3.3-01"], one_accept),
        ("and looks at Upgrade in the 101", &["SEM-7.8-01", "SEM-15.2.2-01"], upgrade),
        ("and looks at Connection in the 101", &["WS-4.2.2-12"], connection),
        ("without subprotocols and looks for one in the 101", &["WS-4.2.2-09"], no_protocol),
        (
            "without extensions and looks for one in the 101",
            &["WS-4.2.2-11", "WS-9-01"],
            no_extension,
        ),
        ("and looks at the form of the 101", &["SEM-5.3-01", "M1-2.3-01"], form),
    ];
    let mut cases: Vec<Case> = (1..)
        .zip(looks)
        .map(|(number, (what, rows, look))| {
            Probe::new(Vec::new(), Answer::Open).looking(look).case(&[30, 6, number], what, rows)
        })
        .collect();
    let refused = vec![
        Edit::Set("Sec-WebSocket-Version", "7".into()),
        Edit::Set("Connection", "Upgrade, close".into()),
    ];
    // §4.4: a server may understand other versions too.
    let probe = Probe::new(refused, Answer::Refuse(&[426, 400], Behavior::NonStrict)).looking(form);
    cases.push(probe.case(
        &[30, 6, 8],
        "with version 7 and looks at the form of the refusal",
        &["M1-9.6-01", "WS-4.2.2-06", "WS-10.7-02"],
    ));
    cases
}

fn no_length(head: &Head) -> Option<String> {
    let names = ["Content-Length", "Transfer-Encoding"];
    let found = names.iter().find(|name| head.values(name).count() > 0);
    found.map(|name| format!("the 101 carries {name} (RFC 9112 §6.1)"))
}

fn one_accept(head: &Head) -> Option<String> {
    let count = head.values("Sec-WebSocket-Accept").count();
    (count != 1).then(|| format!("the 101 carries {count} of Sec-WebSocket-Accept"))
}

fn upgrade(head: &Head) -> Option<String> {
    let value = head.combined("Upgrade").unwrap_or_default();
    (!value.eq_ignore_ascii_case("websocket")).then(|| format!("Upgrade is {value:?}"))
}

fn connection(head: &Head) -> Option<String> {
    (!head.lists("Connection", "upgrade")).then(|| "Connection does not list Upgrade".into())
}

fn no_protocol(head: &Head) -> Option<String> {
    head.combined("Sec-WebSocket-Protocol")
        .map(|name| format!("the subprotocol {name:?} was not offered (§4.2.2)"))
}

fn no_extension(head: &Head) -> Option<String> {
    head.combined("Sec-WebSocket-Extensions")
        .map(|name| format!("the extension {name:?} was not offered (§4.2.2)"))
}

fn form(head: &Head) -> Option<String> {
    if !head.start.starts_with("HTTP/1.1 ") {
        return Some(format!("the status line is {:?}", head.start));
    }
    head.flaws.first().cloned()
}
