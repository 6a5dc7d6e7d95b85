//! Sections 20.11 to 20.13: bad frames are known by their first octets, what came whole before
//! them is delivered, and octets that the older UTF-8 tables leave out.

use crate::case::{Case, Weight};
use crate::script::{Cut, Script, Step, mark, text};
use crate::wire::frame::{Frame, Length};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = by_two_octets();
    cases.extend(after_valid_ones());
    cases.extend(last_octets_of_ranges());
    cases
}

fn by_two_octets() -> Vec<Case> {
    let long = || vec![b'*'; 60_000];
    let frames: [(&str, &[Frame], Frame); 7] = [
        ("with a reserved bit", &[], Frame::text(long()).reserved(2)),
        ("with opcode 3", &[], Frame::new(3, long())),
        ("with opcode 11", &[], Frame::new(11, "Hello, World!")),
        ("that is a ping with FIN clear", &[], Frame::ping("Hello, World!").open()),
        (
            "that is a ping with a 16-bit length",
            &[],
            Frame::ping(vec![b'*'; 126]).with_length(Length::Sixteen),
        ),
        ("that continues nothing", &[], Frame::continuation(long())),
        ("that is a close of one octet", &[], Frame::close_body("a")),
    ];
    let mut cases = Vec::new();
    for (number, (what, before, frame)) in (1..).zip(frames) {
        let held = "the rest was held back";
        let script = Script::failing(&[1002])
            .say(before)
            .step(Step::Pieces(frame, vec![(Cut::Octet(2), held)]))
            .expect([])
            .tolerate([mark(held)], "the bad frame was noticed only when more of it had arrived");
        let case = Case::new(&[20, 11, number], script)
            .does(format!("Sends only the first two octets of a frame {what}, then the rest."))
            .expects("The connection is failed with 1002 before the rest arrives.")
            .cites(&["WS-5.2-01", "WS-5.2-02", "WS-5.5-01", "WS-5.4-06"])
            .weighs(Weight::Waiting);
        cases.push(case);
    }
    cases
}

fn after_valid_ones() -> Vec<Case> {
    let bad: [(&str, &'static [u16], Frame); 5] = [
        ("with a reserved bit", &[1002], Frame::text("bad").reserved(1)),
        ("with opcode 7", &[1002], Frame::new(7, "bad")),
        ("that continues nothing", &[1002], Frame::continuation("bad")),
        ("that is not UTF-8", &[1007], Frame::text([0xFF, 0xFE])),
        ("that closes with code 1005", &[1002], Frame::close(1005, "")),
    ];
    let mut cases = Vec::new();
    for (number, (what, codes, frame)) in (1..).zip(bad) {
        let [one, two, three] = ["one", "two", "three"];
        let frames = [Frame::text(one), Frame::text(two), Frame::text(three), frame];
        let why = "valid messages before the bad frame were not answered";
        let script = Script::failing(codes)
            .say(frames)
            .expect([text(one), text(two), text(three)])
            .tolerate([text(one), text(two)], why)
            .tolerate([text(one)], why)
            .tolerate([], why);
        let case = Case::new(&[20, 12, number], script)
            .does(format!("Sends three texts and a frame {what}, in one write."))
            .expects("Three echoes, then the connection is failed.")
            .cites(&["WS-6.2-01", "WS-7.1.7-01", "WS-7.1.7-03"]);
        cases.push(case);
    }
    cases
}

fn last_octets_of_ranges() -> Vec<Case> {
    let mut cases = Vec::new();
    for (number, octet) in (1..).zip([0xBF, 0xDF, 0xEF, 0xF7, 0xFB, 0xFD]) {
        let script = Script::failing(&[1007]).say([Frame::text([octet, b' '])]).expect([]);
        let case = Case::new(&[20, 13, number], script)
            .does(format!("Sends a text of the octet {octet:02x} and a space."))
            .expects("The connection is failed with 1007.")
            .cites(&["WS-8.1-01"]);
        cases.push(case);
    }
    cases
}
