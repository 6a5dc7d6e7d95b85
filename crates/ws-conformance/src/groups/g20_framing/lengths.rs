//! Sections 20.5 to 20.9: the forms of a length, lengths that cannot be, and lengths at the edges.

use crate::case::{Case, Weight};
use crate::link::{Event, Kind};
use crate::material;
use crate::script::{Script, Step, binary, pong, text};
use crate::wire::frame::{Frame, Length};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = not_minimal();
    cases.extend(impossible());
    cases.extend(enormous());
    cases.extend(dripped());
    cases.extend(boundaries());
    cases
}

fn not_minimal() -> Vec<Case> {
    let star = |size| vec![b'*'; size];
    let forms = [
        (Frame::text(""), Length::Sixteen, vec![text("")]),
        (Frame::text("*"), Length::Sixteen, vec![text("*")]),
        (Frame::text(star(125)), Length::Sixteen, vec![text(star(125))]),
        (Frame::text(""), Length::SixtyFour, vec![text("")]),
        (Frame::text(star(125)), Length::SixtyFour, vec![text(star(125))]),
        (Frame::text(star(126)), Length::SixtyFour, vec![text(star(126))]),
        (Frame::binary(star(65_535)), Length::SixtyFour, vec![binary(star(65_535))]),
        (Frame::ping("Hello"), Length::Sixteen, vec![pong("Hello")]),
        (Frame::ping("Hello"), Length::SixtyFour, vec![pong("Hello")]),
    ];
    let mut cases = Vec::new();
    for (number, (frame, form, answer)) in (1..).zip(forms) {
        let bits = if form == Length::Sixteen { 16 } else { 64 };
        let (name, size) = (crate::wire::frame::opcode_name(frame.opcode), frame.payload.len());
        let script = Script::failing(&[1002])
            .say([frame.with_length(form)])
            .expect([])
            .or_lenient(answer, "a length that is not minimal was accepted (§5.2)");
        let case = Case::new(&[20, 5, number], script)
            .does(format!("Sends a {name} frame whose length {size} is written in {bits} bits."))
            .expects("The connection is failed with 1002, since the length is not minimal.")
            .cites(&["WS-5.2-04", "WS-5.2-05"]);
        cases.push(case);
    }
    cases
}

fn impossible() -> Vec<Case> {
    const TOP: u64 = 1 << 63;
    let frames = [
        (Frame::text(""), TOP),
        (Frame::text("Hello"), TOP | 5),
        (Frame::binary("Hello"), u64::MAX),
        (Frame::ping("Hello"), TOP | 5),
        (Frame::text("Hello").open(), u64::MAX - 13),
    ];
    let mut cases = Vec::new();
    for (number, (frame, claim)) in (1..).zip(frames) {
        let name = crate::wire::frame::opcode_name(frame.opcode);
        let frame = frame.with_length(Length::Claimed(claim));
        let script = Script::failing(&[1002, 1009]).say([frame]).expect([]).and_serves_on();
        let case = Case::new(&[20, 6, number], script)
            .does(format!("Sends a {name} frame that claims {claim:#x} octets."))
            .expects("The connection is failed, since the top bit must be clear; the server lives.")
            .cites(&["WS-5.2-03"]);
        cases.push(case);
    }
    cases
}

fn enormous() -> Vec<Case> {
    let claims = [(1 << 32) + 5, 1 << 40, 1 << 62, (1 << 63) - 1];
    let mut cases = Vec::new();
    for (number, claim) in (1..).zip(claims) {
        let frame = Frame::binary("Hello").with_length(Length::Claimed(claim));
        let script = Script::failing(&[1002, 1008, 1009, 1011])
            .say([frame])
            .expect([])
            .or_lenient([], "the peer waits for that many octets instead of refusing them")
            .and_serves_on();
        let case = Case::new(&[20, 7, number], script)
            .does(format!("Sends the beginning of a binary frame that claims {claim} octets."))
            .expects("The connection is failed at once, best with 1009.")
            .cites(&["WS-10.4-01", "WS-10.4-02", "WS-10.7-02"])
            .weighs(Weight::Waiting);
        cases.push(case);
    }
    cases
}

fn dripped() -> Vec<Case> {
    let long = material::ascii(130);
    let frames = [
        (Frame::text("Hello"), vec![text("Hello")], "a short text"),
        (Frame::text(long.clone()), vec![text(long)], "a text with a 16-bit length"),
        (Frame::ping("Hello"), vec![pong("Hello")], "a ping"),
        (Frame::text(""), vec![text("")], "an empty text"),
    ];
    let mut cases = Vec::new();
    for (number, (frame, answer, what)) in (1..).zip(frames) {
        let script = Script::closing().step(Step::Drip(frame, 3)).expect(answer);
        let case = Case::new(&[20, 8, number], script)
            .does(format!("Sends {what} octet by octet, 3 ms apart."))
            .expects("It is answered as if it had come at once.")
            .cites(&["WS-5.2-06", "WS-5.3-04"])
            .weighs(Weight::Waiting);
        cases.push(case);
    }
    cases
}

fn boundaries() -> Vec<Case> {
    let mut cases = Vec::new();
    for (number, size) in (1..).zip([1, 2, 124, 65_534, 65_537, 131_071, 131_072, 1 << 20]) {
        let (kind, data) = if number % 2 == 1 {
            (Kind::Binary, material::noise(size))
        } else {
            (Kind::Text, material::ascii(size))
        };
        let frame = Frame::new(kind.opcode(), data.clone());
        let script = Script::closing()
            .say([frame])
            .expect([Event::Message(kind, data)])
            .or_refused_by_limit(size);
        let case = Case::new(&[20, 9, number], script)
            .does(format!("Sends a {kind} message of {size} octets of every value."))
            .expects("The same message comes back, its lengths written minimally.")
            .cites(&["WS-5.2-04", "WS-5.2-06"]);
        cases.push(case);
    }
    cases
}
