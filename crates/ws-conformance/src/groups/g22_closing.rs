//! Group 22: every way a connection can end, in order and not.

mod abrupt;
mod bodies;
mod patience;

use crate::case::{Case, Judges};
use crate::judge::Ending;
use crate::script::{Script, Step, pong, text};
use crate::wire::frame::{Frame, Masking};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = around_close();
    cases.extend(bodies::cases());
    cases.extend(after_failure());
    cases.extend(abrupt::cases());
    cases.extend(patience::cases());
    cases
}

/// Section 22.1: what stands before, inside and behind a close frame.
fn around_close() -> Vec<Case> {
    let close = || Frame::close(1000, "");
    let answered = || Script::new(Ending::ScriptCloses(&[1000]));
    let open = || Frame::text("never finished").open();
    let flood: Vec<Frame> =
        std::iter::once(close()).chain((0..500).map(|_| Frame::ping("after close"))).collect();
    let texts: Vec<Frame> =
        std::iter::once(close()).chain((0..100).map(|_| Frame::text("after close"))).collect();
    let bad = vec![close(), Frame::text("bad").reserved(7)];
    let unanswered = "what came right before the close frame was not answered";
    let table = [
        ("a close frame inside a fragmented text", answered().say([open(), close()]).expect([])),
        (
            "a fragment, a ping and a close frame",
            answered()
                .say([open(), Frame::ping("Hello"), close()])
                .expect([pong("Hello")])
                .tolerate([], unanswered),
        ),
        (
            "a ping right before a close frame, in one write",
            answered()
                .say([Frame::ping("Hello"), close()])
                .expect([pong("Hello")])
                .tolerate([], unanswered),
        ),
        (
            "a text right before a close frame, in one write",
            answered()
                .say([Frame::text("Hello"), close()])
                .expect([text("Hello")])
                .tolerate([], unanswered),
        ),
        ("a close frame and 500 pings", answered().say(flood).expect([])),
        ("a close frame and 100 texts", answered().say(texts).expect([])),
        ("a close frame and a frame that would be bad", answered().say(bad).expect([])),
        (
            "a close frame and the end of TCP",
            answered().say([close()]).step(Step::HalfClose).expect([]),
        ),
        (
            "three close frames with different codes",
            answered().say([close(), Frame::close(1001, ""), Frame::close(3000, "")]).expect([]),
        ),
    ];
    let mut cases = Vec::new();
    for (number, (what, script)) in (1..).zip(table) {
        let case = Case::new(&[22, 1, number], script.and_serves_on())
            .does(format!("Sends {what}."))
            .expects("What came before is answered, what comes after is not; one close frame.")
            .cites(&[
                "WS-5.5.1-05",
                "WS-5.5.1-06",
                "WS-5.5.1-07",
                "WS-5.5.1-10",
                "WS-5.5.1-11",
                "WS-5.5.2-01",
            ]);
        cases.push(case);
    }
    cases
}

/// Section 22.4: a connection that has failed processes nothing more, and says why.
fn after_failure() -> Vec<Case> {
    let bad = || Frame::text("bad").reserved(1);
    let table: [(&str, &'static [u16], Vec<Frame>); 9] = [
        ("a bad frame and then a text", &[1002], vec![bad(), Frame::text("later")]),
        ("a bad frame and then a ping", &[1002], vec![bad(), Frame::ping("later")]),
        ("a bad frame and then a close frame", &[1002], vec![bad(), Frame::close(1000, "")]),
        ("two bad frames", &[1002], vec![bad(), bad()]),
        ("a frame with opcode 6", &[1002], vec![Frame::new(6, "x")]),
        ("a continuation of nothing", &[1002], vec![Frame::continuation("x")]),
        ("a text that is not UTF-8", &[1007], vec![Frame::text([0xFF])]),
        ("a close frame with code 1006", &[1002], vec![Frame::close(1006, "")]),
        ("a ping of 126 octets", &[1002], vec![Frame::ping([0; 126])]),
    ];
    let mut cases = Vec::new();
    for (number, (what, codes, frames)) in (1..).zip(table) {
        let script = Script::failing(codes).say(frames).expect([]).wants_close_frame();
        let case = Case::new(&[22, 4, number], script)
            .does(format!("Sends {what}."))
            .expects("One close frame with the fitting code, then the end; nothing else.")
            .cites(&["WS-7.1.7-01", "WS-7.1.7-02", "WS-7.1.7-03", "WS-10.7-02"]);
        cases.push(case);
    }
    let unmasked = Frame::text("x").with_masking(Masking::Never);
    let script = Script::failing(&[1002]).say([unmasked]).expect([]).wants_close_frame();
    cases.push(
        Case::new(&[22, 4, 10], script)
            .does("Sends an unmasked text.")
            .expects("One close frame with 1002, then the end; nothing else.")
            .cites(&["WS-5.1-02", "WS-7.1.7-02"])
            .judges(Judges::Servers),
    );
    cases
}
