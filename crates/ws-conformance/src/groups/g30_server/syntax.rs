//! Section 30.4: what is no HTTP/1.1, RFC 9112.

use super::probe::{Answer, Edit, Probe};
use crate::case::Case;
use crate::judge::Behavior;

pub(super) fn cases() -> Vec<Case> {
    let must = Answer::Refuse(&[400], Behavior::Failed);
    // RFC 9112 §2.2: what does not match the grammar SHOULD be answered with 400. RFC 6455 §4.2.1 has
    // a server stop at violations of "the ABNF grammar specified for the components of the
    // handshake", but a line that is no field is none of the components listed there (§4.3 has their
    // grammar), and fields it does not know are to be ignored.
    let should = Answer::Refuse(&[400], Behavior::NonStrict);
    // RFC 9110 §5.5: a recipient may also read it as a space, which cannot be seen from outside.
    let replaced = should;
    let target = Answer::Refuse(&[400, 404, 405], Behavior::NonStrict);
    let add = |line: &str| vec![Edit::Add(line.to_owned())];
    let line = |line: &str| vec![Edit::Line(line.to_owned())];
    let smuggled =
        vec![Edit::Add("Content-Length: 5".into()), Edit::Add("Transfer-Encoding: chunked".into())];
    let table: [(&str, Vec<Edit>, Answer); 27] = [
        ("with a bare CR in a value", add("X-A: b\rX-C: d"), replaced),
        ("with a NUL in a value", add("X-A: b\0c"), replaced),
        ("with a space before a colon", add("X-A : b"), must),
        ("with a space before the colon of Upgrade", add("Upgrade : websocket"), must),
        ("with a folded value", add("X-A: b\r\n c"), Answer::Either),
        (
            "with a space before its first field",
            line("GET {path} HTTP/1.1\r\n X-A: b"),
            Answer::Either,
        ),
        ("with a line without a colon", add("no colon here"), should),
        ("with a space in a field name", add("X A: b"), should),
        ("with an empty field name", add(": b"), should),
        ("with a control character in a field name", add("X-\u{1}A: b"), should),
        ("with a bracket in a field name", add("X(A): b"), should),
        ("with lines that end in LF alone", vec![Edit::BareLf], Answer::Either),
        ("with two spaces in the request line", line("GET  {path} HTTP/1.1"), should),
        ("with tabs in the request line", line("GET\t{path}\tHTTP/1.1"), should),
        ("with a space at the end of the request line", line("GET {path} HTTP/1.1 "), should),
        ("with a space in its target", line("GET /a b HTTP/1.1"), must),
        ("with a target that does not begin with a slash", line("GET chat HTTP/1.1"), target),
        ("with a fragment in its target", line("GET {path}#part HTTP/1.1"), target),
        ("with * as its target", line("GET * HTTP/1.1"), target),
        ("with an authority as its target", line("GET {host} HTTP/1.1"), target),
        ("without a target", line("GET HTTP/1.1"), must),
        ("with a NUL in its target", line("GET /\0 HTTP/1.1"), must),
        ("with Content-Length and Transfer-Encoding at once", smuggled, must),
        ("with a Content-Length that is no number", add("Content-Length: five"), must),
        (
            "with two different Content-Lengths",
            vec![Edit::Add("Content-Length: 5".into()), Edit::Add("Content-Length: 6".into())],
            must,
        ),
        ("with words before it", vec![Edit::Before("hello\r\n")], must),
        // Not the whole preface: behind that a server may well speak HTTP/2.
        (
            "behind half the preface of HTTP/2",
            vec![Edit::Before("PRI * HTTP/2.0\r\n\r\n")],
            Answer::Refuse(&[400, 505, 405], Behavior::Failed),
        ),
    ];
    (1..)
        .zip(table)
        .map(|(number, (what, edits, answer))| {
            Probe::new(edits, answer).case(
                &[30, 4, number],
                what,
                &[
                    "SEM-5.5-01",
                    "M1-2.2-01",
                    "M1-2.2-02",
                    "M1-2.2-03",
                    "M1-2.2-04",
                    "M1-3.2-01",
                    "M1-5.1-01",
                    "M1-5.2-01",
                    "M1-6.3-01",
                    "WS-10.7-01",
                    "WS-10.7-02",
                ],
            )
        })
        .collect()
}
