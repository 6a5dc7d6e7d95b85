//! Group 1: whole frames of every length form, echoed.

use crate::case::Case;
use crate::link::{Event, Kind, WriteMode};
use crate::script::Script;
use crate::wire::frame::Frame;

pub(super) fn cases() -> Vec<Case> {
    let chop = WriteMode::Chopped(997);
    let sizes = [
        (0, WriteMode::OneGo),
        (125, WriteMode::OneGo),
        (126, WriteMode::OneGo),
        (127, WriteMode::OneGo),
        (128, WriteMode::OneGo),
        (65_535, WriteMode::OneGo),
        (65_536, WriteMode::OneGo),
        (65_536, chop),
    ];
    let kinds = [(1, Kind::Text, b'*'), (2, Kind::Binary, 0xFE)];
    let mut cases = Vec::new();
    for (section, kind, octet) in kinds {
        for (number, (size, mode)) in (1..).zip(sizes) {
            let payload = vec![octet; size];
            let frame = Frame::new(kind.opcode(), payload.clone());
            let how = if mode == chop { " in writes of 997 octets" } else { "" };
            let script = Script::closing()
                .send([frame], mode)
                .expect([Event::Message(kind, payload)])
                .or_refused_by_limit(size);
            let case = Case::new(&[1, section, number], script)
                .does(format!("Sends a {kind} message of {size} octets in one frame{how}."))
                .expects("The same message comes back; then a clean close with 1000.")
                .cites(&["WS-5.2-06", "WS-5.2-04", "WS-5.4-01", "WS-6.1-02", "WS-6.2-01"]);
            cases.push(case);
        }
    }
    cases
}
