//! Group 3: reserved bits that no extension has given a meaning.

use crate::case::Case;
use crate::link::WriteMode;
use crate::script::{Script, text};
use crate::wire::frame::Frame;

pub(super) fn cases() -> Vec<Case> {
    let alone = |number, what: &str, frame: Frame| {
        Case::new(&[3, number], Script::failing(&[1002]).say([frame]).expect([]))
            .does(format!("Sends {what}."))
            .expects("The connection is failed with 1002; nothing comes back.")
            .cites(&["WS-5.2-01", "WS-7.1.7-01"])
    };
    let after_text = |number, rsv, how: &str, mode| {
        let frames = [
            Frame::text("Hello, world!"),
            Frame::text("Hello, world!").reserved(rsv),
            Frame::ping(""),
        ];
        let script = Script::failing(&[1002])
            .send(frames, mode)
            .expect([text("Hello, world!")])
            .tolerate([], "the valid message before the bad frame was not answered");
        Case::new(&[3, number], script)
            .does(format!("Sends a text, a text with RSV {rsv:03b}, and a ping, {how}."))
            .expects("The first text comes back, then the connection is failed with 1002; no pong.")
            .cites(&["WS-5.2-01", "WS-7.1.7-03"])
    };
    vec![
        alone(1, "a text frame with RSV 001", Frame::text("Hello, world!").reserved(1)),
        after_text(2, 2, "in one write", WriteMode::OneGo),
        after_text(3, 3, "each in a write of its own", WriteMode::FrameByFrame),
        after_text(4, 4, "one octet a write", WriteMode::Chopped(1)),
        alone(5, "a binary frame with RSV 101", Frame::binary([0, 0xFF, 0xFE, 0xFD]).reserved(5)),
        alone(6, "a binary frame with RSV 110", Frame::binary("Hello, world!").reserved(6)),
        alone(7, "a close frame with RSV 111", Frame::close(1000, "").reserved(7)),
    ]
}
