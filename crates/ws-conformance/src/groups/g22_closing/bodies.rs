//! Sections 22.2 and 22.3: what may stand in a close frame, beyond the published cases.

use crate::case::Case;
use crate::judge::Ending;
use crate::script::Script;
use crate::wire::frame::Frame;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = reasons();
    cases.extend(codes());
    cases
}

fn reasons() -> Vec<Case> {
    let valid: [(&str, String); 4] = [
        ("a reason beyond ASCII", "Grüße, κόσμε".into()),
        ("a reason that ends in a character of four octets", format!("{}😀", "x".repeat(119))),
        ("a reason with a NUL", "before\0after".into()),
        ("a reason with markup and line ends", "<b>\r\nSet-Cookie: x".into()),
    ];
    let invalid: [(&str, &[u8]); 5] = [
        ("a reason cut inside a character", b"abc\xE2\x82"),
        ("a reason with an overlong character", b"\xC0\xAF"),
        ("a reason with a surrogate", b"\xED\xA0\x80"),
        ("a reason with a code point beyond Unicode", b"\xF4\x90\x80\x80"),
        ("a reason that begins with a continuation octet", b"\x80abc"),
    ];
    let mut cases = Vec::new();
    for (number, (what, reason)) in (1..).zip(valid) {
        let script = Script::new(Ending::ScriptCloses(&[1000]))
            .say([Frame::close(1000, &reason)])
            .expect([]);
        cases.push((number, what, script, "A clean close with 1000."));
    }
    for (number, (what, reason)) in (5..).zip(invalid) {
        let body = [&1000_u16.to_be_bytes(), reason].concat();
        let script = Script::failing(&[1007, 1002]).say([Frame::close_body(body)]).expect([]);
        cases.push((number, what, script, "The connection is failed with 1007 or 1002."));
    }
    let case = |(number, what, script, expects): (u16, &str, Script, &str)| {
        Case::new(&[22, 2, number], script)
            .does(format!("Sends a close frame with {what}."))
            .expects(expects)
            .cites(&["WS-5.5.1-02", "WS-7.1.6-01", "WS-8.1-01"])
    };
    cases.into_iter().map(case).collect()
}

fn codes() -> Vec<Case> {
    const VALID: [(u16, &[u16]); 4] = [
        (3001, &[3001, 1000]),
        (3500, &[3500, 1000]),
        (4001, &[4001, 1000]),
        (4500, &[4500, 1000]),
    ];
    const INVALID: [u16; 9] = [1, 500, 998, 1015, 1017, 1099, 1500, 1999, 2500];
    const OPEN: [u16; 6] = [1012, 1013, 1014, 5001, 32_768, 65_534];
    let mut cases = Vec::new();
    for (number, (code, answers)) in (1..).zip(VALID) {
        let script =
            Script::new(Ending::ScriptCloses(answers)).say([Frame::close(code, "")]).expect([]);
        let expects = "A clean close with the same code, or with 1000.";
        cases.push((number, code, script, expects));
    }
    for (number, code) in (5..).zip(INVALID) {
        let script = Script::failing(&[1002]).say([Frame::close(code, "")]).expect([]);
        cases.push((number, code, script, "The connection is failed with 1002."));
    }
    for (number, code) in (14..).zip(OPEN) {
        let script =
            Script::new(Ending::Any).say([Frame::close(code, "")]).expect([]).informational();
        let expects = "Informational: registered after the RFC, or left open by it.";
        cases.push((number, code, script, expects));
    }
    let case = |(number, code, script, expects): (u16, u16, Script, &str)| {
        Case::new(&[22, 3, number], script)
            .does(format!("Sends a close frame with the code {code}."))
            .expects(expects)
            .cites(&["WS-7.4.1-01", "WS-7.4.1-03", "WS-7.4.2-01"])
    };
    cases.into_iter().map(case).collect()
}
