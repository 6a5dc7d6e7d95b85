//! Group 4: opcodes that the RFC reserves.

use crate::case::Case;
use crate::link::WriteMode;
use crate::script::{Script, text};
use crate::wire::frame::Frame;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (section, first) in [(1, 3), (2, 11)] {
        for number in 1..=5_u8 {
            let opcode = first + number - 1;
            let payload = if matches!(number, 2 | 4 | 5) { "reserved opcode payload" } else { "" };
            let (script, what) = script(number, Frame::new(opcode, payload));
            let case = Case::new(&[4, section, u16::from(number)], script)
                .does(what.replace('#', &opcode.to_string()))
                .expects("The connection is failed with 1002; what came before is answered.")
                .cites(&["WS-5.2-02", "WS-7.1.7-03"]);
            cases.push(case);
        }
    }
    cases
}

fn script(number: u8, bad: Frame) -> (Script, &'static str) {
    let failing = Script::failing(&[1002]);
    let mode = match number {
        1 => return (failing.say([bad]).expect([]), "Sends a frame with opcode #, empty."),
        2 => return (failing.say([bad]).expect([]), "Sends a frame with opcode # and a payload."),
        5 => WriteMode::Chopped(1),
        _ => WriteMode::OneGo,
    };
    let script = failing
        .send([Frame::text("Hello, world!"), bad, Frame::ping("")], mode)
        .expect([text("Hello, world!")])
        .tolerate([], "the valid message before the bad frame was not answered");
    let what = match number {
        3 => "Sends a text, an empty frame with opcode #, and a ping.",
        4 => "Sends a text, a frame with opcode # and a payload, and a ping.",
        _ => "Sends a text, a frame with opcode #, and a ping, one octet a write.",
    };
    (script, what)
}
