//! Group 7: the closing handshake and what may stand in a close frame.

use crate::case::Case;
use crate::judge::Ending;
use crate::script::{Script, text};
use crate::wire::frame::Frame;

/// Text with one surrogate encoded as if it were a character.
pub(super) const NOT_UTF8: &[u8] =
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80\x65\x64\x69\x74\x65\x64";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = after_close();
    cases.extend(bodies());
    cases.extend(codes());
    cases
}

/// A script whose own close frame the peer answers with 1000.
fn answered() -> Script {
    Script::new(Ending::ScriptCloses(&[1000]))
}

fn after_close() -> Vec<Case> {
    let close = || Frame::close(1000, "");
    let case = |number, script, does: &str, expects: &str| {
        Case::new(&[7, 1, number], script).does(does).expects(expects).cites(&[
            "WS-5.5.1-06",
            "WS-5.5.1-08",
            "WS-5.5.1-11",
            "WS-7.1.2-02",
        ])
    };
    let nothing = "A clean close with 1000 and nothing else.";
    let echo = Script::closing().say([Frame::text("Hello World!")]).expect([text("Hello World!")]);
    let split = [Frame::text("fragment1").open(), close(), Frame::continuation("fragment2")];
    let large = [
        Frame::text("BAsd7&jh23".repeat(26_215).get(..256 * 1024).unwrap_or_default()),
        Frame::text("Hello World!"),
        close(),
        Frame::ping(""),
    ];
    let large = Script::new(Ending::Any).say(large).informational();
    vec![
        case(
            1,
            echo,
            "Sends a text, waits for the echo and closes.",
            "The echo, then a clean close.",
        ),
        case(
            2,
            answered().say([close(), Frame::close_body([])]).expect([]),
            "Sends a close frame and a second one.",
            "A clean close with 1000; the second close frame is ignored.",
        ),
        case(
            3,
            answered().say([close(), Frame::ping("")]).expect([]),
            "Sends a close frame and then a ping.",
            nothing,
        ),
        case(
            4,
            answered().say([close(), Frame::text("Hello World!")]).expect([]),
            "Sends a close frame and then a text.",
            nothing,
        ),
        case(
            5,
            answered().say(split).expect([]),
            "Sends the first fragment of a text, a close frame, and the second fragment.",
            nothing,
        ),
        case(
            6,
            large,
            "Sends a text of 256 KiB, a short text, a close frame and a ping in one write.",
            "Informational: whether the echoes or the close come first.",
        ),
    ]
}

fn bodies() -> Vec<Case> {
    let long = |length| Frame::close(1000, &"*".repeat(length));
    let bad = |codes, frame| Script::failing(codes).say([frame]).expect([]);
    let good = |frame| answered().say([frame]).expect([]);
    let case = |id: &[u16], script, what: &str, expects: &str, rows| {
        Case::new(id, script)
            .does(format!("Sends a close frame with {what}."))
            .expects(expects)
            .cites(rows)
    };
    let (clean, fail) = ("A clean close with 1000.", "The connection is failed with 1002.");
    let not_utf8 = Frame::close_body([&1000_u16.to_be_bytes(), NOT_UTF8].concat());
    let body = &["WS-5.5.1-01", "WS-5.5.1-06"];
    let limit = &["WS-5.5-01"];
    vec![
        case(&[7, 3, 1], good(Frame::close_body([])), "no body", clean, body),
        case(&[7, 3, 2], bad(&[1002], Frame::close_body("a")), "a body of one octet", fail, body),
        case(&[7, 3, 3], good(Frame::close(1000, "")), "a code only", clean, body),
        case(
            &[7, 3, 4],
            good(Frame::close(1000, "Hello World!")),
            "a code and a reason",
            clean,
            body,
        ),
        case(&[7, 3, 5], good(long(123)), "a reason of 123 octets", clean, limit),
        case(&[7, 3, 6], bad(&[1002], long(124)), "a reason of 124 octets", fail, limit),
        case(
            &[7, 5, 1],
            bad(&[1002, 1007], not_utf8),
            "a reason that is not UTF-8",
            "The connection is failed with 1007 or 1002.",
            &["WS-5.5.1-02", "WS-8.1-01"],
        ),
    ]
}

fn codes() -> Vec<Case> {
    const VALID: [(u16, &[u16]); 13] = [
        (1000, &[1000]),
        (1001, &[1001, 1000]),
        (1002, &[1002, 1000]),
        (1003, &[1003, 1000]),
        (1007, &[1007, 1000]),
        (1008, &[1008, 1000]),
        (1009, &[1009, 1000]),
        (1010, &[1010, 1000]),
        (1011, &[1011, 1000]),
        (3000, &[3000, 1000]),
        (3999, &[3999, 1000]),
        (4000, &[4000, 1000]),
        (4999, &[4999, 1000]),
    ];
    const INVALID: [u16; 9] = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999];
    let mut cases = Vec::new();
    for (number, (code, answers)) in (1..).zip(VALID) {
        let script =
            Script::new(Ending::ScriptCloses(answers)).say([Frame::close(code, "")]).expect([]);
        let case = Case::new(&[7, 7, number], script)
            .does(format!("Sends a close frame with the valid code {code}."))
            .expects("A clean close with the same code, or with 1000.")
            .cites(&["WS-7.4.1-03", "WS-7.4.2-01", "WS-5.5.1-06"]);
        cases.push(case);
    }
    for (number, code) in (1..).zip(INVALID) {
        let script = Script::failing(&[1002]).say([Frame::close(code, "")]).expect([]);
        let case = Case::new(&[7, 9, number], script)
            .does(format!("Sends a close frame with the invalid code {code}."))
            .expects("The connection is failed with 1002.")
            .cites(&["WS-7.4.1-01", "WS-7.4.2-01"]);
        cases.push(case);
    }
    for (number, code) in [(1, 5000), (2, 65_535)] {
        let script =
            Script::new(Ending::Any).say([Frame::close(code, "")]).expect([]).informational();
        let case = Case::new(&[7, 13, number], script)
            .does(format!("Sends a close frame with the undefined code {code}."))
            .expects("Informational: the RFC does not define codes from 5000 on.")
            .cites(&["WS-7.4.2-01"]);
        cases.push(case);
    }
    cases
}
