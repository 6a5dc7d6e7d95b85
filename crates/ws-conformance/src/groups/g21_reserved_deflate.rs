//! Group 21: what reserved bits mean once permessage-deflate owns RSV1.

use crate::case::Case;
use crate::judge::Ending;
use crate::script::{Script, pong, text};
use crate::wire::frame::Frame;

/// "Hello", compressed as RFC 7692 §7.2.3.1 prints it.
const HELLO: [u8; 7] = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = forbidden();
    cases.extend(allowed());
    cases.extend(without_agreement());
    cases
}

fn forbidden() -> Vec<Case> {
    let (head, tail) = HELLO.split_at(3);
    let compressed = || Frame::text(HELLO).reserved(4);
    let first = || Frame::text(head).reserved(4).open();
    let table = [
        ("a ping with RSV1", vec![Frame::ping("Hello").reserved(4)]),
        ("a pong with RSV1", vec![Frame::pong("Hello").reserved(4)]),
        ("a close frame with RSV1", vec![Frame::close(1000, "").reserved(4)]),
        ("a last fragment with RSV1", vec![first(), Frame::continuation(tail).reserved(4)]),
        (
            "a middle fragment with RSV1",
            vec![first(), Frame::continuation("").reserved(4).open(), Frame::continuation(tail)],
        ),
        (
            "an uncompressed text whose second fragment has RSV1",
            vec![Frame::text("Hel").open(), Frame::continuation("lo").reserved(4)],
        ),
        ("a compressed text with RSV2", vec![compressed().reserved(6)]),
        ("a compressed text with RSV3", vec![compressed().reserved(5)]),
        ("a text with RSV2 alone", vec![Frame::text("Hello").reserved(2)]),
        ("a text with RSV3 alone", vec![Frame::text("Hello").reserved(1)]),
        ("a ping with RSV2", vec![Frame::ping("Hello").reserved(2)]),
    ];
    let mut cases = Vec::new();
    for (number, (what, frames)) in (1..).zip(table) {
        let script = Script::failing(&[1002]).compressed().say(frames).expect([]);
        let case = Case::new(&[21, 1, number], script)
            .does(format!("With permessage-deflate, sends {what}."))
            .expects("The connection is failed with 1002; nothing comes back.")
            .cites(&["PMD-6.1-02", "PMD-6.1-03", "WS-5.2-01"]);
        cases.push(case);
    }
    cases
}

fn allowed() -> Vec<Case> {
    let (head, tail) = HELLO.split_at(3);
    let hello = || text("Hello");
    let table = [
        ("an uncompressed text", vec![Frame::text("Hello")], vec![hello()]),
        (
            "an uncompressed text in fragments",
            vec![Frame::text("Hel").open(), Frame::continuation("lo")],
            vec![hello()],
        ),
        (
            "a compressed text in two fragments with a ping between them",
            vec![
                Frame::text(head).reserved(4).open(),
                Frame::ping("Hello"),
                Frame::continuation(tail),
            ],
            vec![pong("Hello"), hello()],
        ),
        (
            "a compressed, an uncompressed and a compressed text",
            vec![
                Frame::text(HELLO).reserved(4),
                Frame::text("plain"),
                Frame::text(HELLO).reserved(4),
            ],
            vec![hello(), text("plain"), hello()],
        ),
    ];
    let mut cases = Vec::new();
    for (number, (what, frames, answer)) in (1..).zip(table) {
        let script = Script::closing().compressed().say(frames).expect(answer);
        let case = Case::new(&[21, 2, number], script)
            .does(format!("With permessage-deflate, sends {what}."))
            .expects("The same texts come back.")
            .cites(&["PMD-6-01", "PMD-6.1-01", "PMD-6.1-04", "PMD-6.2-01"]);
        cases.push(case);
    }
    let close = Script::new(Ending::ScriptCloses(&[1000]))
        .compressed()
        .say([Frame::text(head).reserved(4).open(), Frame::close(1000, "")])
        .expect([]);
    cases.push(
        Case::new(&[21, 2, 5], close)
            .does("With permessage-deflate, sends the first fragment of a text and a close frame.")
            .expects("A clean close with 1000.")
            .cites(&["PMD-6.1-02", "WS-5.5.1-06"]),
    );
    cases
}

fn without_agreement() -> Vec<Case> {
    let frames = [
        Frame::text(HELLO).reserved(4),
        Frame::binary(HELLO).reserved(4),
        Frame::text("").reserved(4),
    ];
    let mut cases = Vec::new();
    for (number, frame) in (1..).zip(frames) {
        let script = Script::failing(&[1002]).say([frame]).expect([]);
        let case = Case::new(&[21, 3, number], script)
            .does("Without permessage-deflate, sends a frame with RSV1 that would inflate.")
            .expects("The connection is failed with 1002; nothing comes back.")
            .cites(&["WS-5.2-01", "PMD-5-09", "WS-9.1-04", "WS-5.8-01"]);
        cases.push(case);
    }
    cases
}
