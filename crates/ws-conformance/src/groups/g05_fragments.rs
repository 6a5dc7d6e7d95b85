//! Group 5: messages in fragments, control frames between them, and fragments out of place.

use crate::case::{Case, Weight};
use crate::link::WriteMode::{self, Chopped, FrameByFrame, OneGo};
use crate::script::{Script, mark, pong, text};
use crate::wire::frame::Frame;

const MODES: [(WriteMode, &str); 3] =
    [(OneGo, "in one write"), (FrameByFrame, "a frame a write"), (Chopped(1), "an octet a write")];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        split_control(1, "ping", Frame::ping("fragment1")),
        split_control(2, "pong", Frame::pong("fragment1")),
    ];
    for (step, (mode, how)) in (0..).zip(MODES) {
        cases.push(whole(3 + step, mode, how));
        cases.push(with_ping(6 + step, mode, how));
        cases.push(of_nothing(9 + step, true, mode, how));
        cases.push(of_nothing(12 + step, false, mode, how));
    }
    cases.extend(out_of_place());
    cases.extend([with_pings_and_pause(19, OneGo), with_pings_and_pause(20, FrameByFrame)]);
    cases
}

fn split_control(number: u16, name: &str, first: Frame) -> Case {
    let frames = [first.open(), Frame::continuation("fragment2")];
    Case::new(&[5, number], Script::failing(&[1002]).say(frames).expect([]))
        .does(format!("Sends a {name} in two fragments."))
        .expects("The connection is failed with 1002; nothing comes back.")
        .cites(&["WS-5.4-03", "WS-5.5-01"])
}

fn whole(number: u16, mode: WriteMode, how: &str) -> Case {
    let frames = [Frame::text("fragment1").open(), Frame::continuation("fragment2")];
    let script = Script::closing().send(frames, mode).expect([text("fragment1fragment2")]);
    Case::new(&[5, number], script)
        .does(format!("Sends a text in two fragments, {how}."))
        .expects("The whole text comes back.")
        .cites(&["WS-5.4-01", "WS-5.4-07", "WS-6.2-01"])
}

fn with_ping(number: u16, mode: WriteMode, how: &str) -> Case {
    let frames = [
        Frame::text("fragment1").open(),
        Frame::ping("ping payload"),
        Frame::continuation("fragment2"),
    ];
    let script = Script::closing()
        .send(frames, mode)
        .expect([pong("ping payload"), text("fragment1fragment2")]);
    Case::new(&[5, number], script)
        .does(format!("Sends a text in two fragments with a ping between them, {how}."))
        .expects("The pong comes first, then the whole text.")
        .cites(&["WS-5.4-02", "WS-5.5.2-01", "WS-5.5.2-02"])
}

fn of_nothing(number: u16, fin: bool, mode: WriteMode, how: &str) -> Case {
    let mut stray = Frame::continuation("non-continuation payload");
    stray.fin = fin;
    let frames = [stray, Frame::text("Hello, world!")];
    let bit = if fin { "set" } else { "clear" };
    Case::new(&[5, number], Script::failing(&[1002]).send(frames, mode).expect([]))
        .does(format!("Sends a continuation of nothing with FIN {bit}, then a text, {how}."))
        .expects("The connection is failed with 1002; nothing comes back.")
        .cites(&["WS-5.4-06"])
}

fn out_of_place() -> Vec<Case> {
    let late = [
        Frame::text("fragment1").open(),
        Frame::continuation("fragment2"),
        Frame::continuation("fragment3").open(),
        Frame::text("fragment4"),
    ];
    let late = Script::failing(&[1002])
        .say(late)
        .expect([text("fragment1fragment2")])
        .tolerate([], "the valid message before the bad frame was not answered");
    let twice = |fin: bool| {
        let mut stray = Frame::continuation("fragment1");
        stray.fin = fin;
        let round = [stray, Frame::text("fragment2").open(), Frame::continuation("fragment3")];
        Script::failing(&[1002]).say([round.clone(), round].concat()).expect([])
    };
    let inside = [Frame::text("fragment1").open(), Frame::text("fragment2")];
    let inside = Script::failing(&[1002]).say(inside).expect([]);
    let case = |number, script, what: &str| {
        Case::new(&[5, number], script)
            .does(what)
            .expects("The connection is failed with 1002 at the frame that is out of place.")
            .cites(&["WS-5.4-05", "WS-5.4-06"])
    };
    vec![
        case(15, late, "Sends a whole fragmented text, then a continuation of nothing and a text."),
        case(
            16,
            twice(false),
            "Twice: a continuation of nothing with FIN clear, then a fragmented text.",
        ),
        case(
            17,
            twice(true),
            "Twice: a continuation of nothing with FIN set, then a fragmented text.",
        ),
        case(18, inside, "Sends the first fragment of a text, then a whole text frame."),
    ]
}

fn with_pings_and_pause(number: u16, mode: WriteMode) -> Case {
    let first = [
        Frame::text("fragment1").open(),
        Frame::continuation("fragment2").open(),
        Frame::ping("pongme 1!"),
    ];
    let second = [
        Frame::continuation("fragment3").open(),
        Frame::continuation("fragment4").open(),
        Frame::ping("pongme 2!"),
        Frame::continuation("fragment5"),
    ];
    let whole = || text("fragment1fragment2fragment3fragment4fragment5");
    let script = Script::closing()
        .send(first, mode)
        .pause(1000, "pause")
        .send(second, mode)
        .expect([pong("pongme 1!"), mark("pause"), pong("pongme 2!"), whole()])
        .tolerate(
            [mark("pause"), pong("pongme 1!"), pong("pongme 2!"), whole()],
            "the first ping was not answered while the message was still open",
        );
    let how = if mode == OneGo { "in two writes" } else { "a frame a write" };
    Case::new(&[5, number], script)
        .does(format!("Sends a text in five fragments with two pings and a pause inside, {how}."))
        .expects("The first pong comes before the pause is over, then the second, then the text.")
        .cites(&["WS-5.4-02", "WS-5.5.2-02"])
        .weighs(Weight::Waiting)
}
