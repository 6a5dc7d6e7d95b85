//! Group 6: text is UTF-8 as a whole, wherever its frames are cut.

mod sequences;

pub(super) use sequences::octets;

use crate::case::{Case, Weight};
use crate::link::WriteMode;
use crate::script::{Cut, Script, Step, mark, text};
use crate::wire::frame::Frame;

use super::g07_close::NOT_UTF8;

const GREETING: &str = "Hello-µ@ßöäüàá-UTF-8!!";
const GREEK: &[u8] = "κόσμε".as_bytes();

pub(super) fn cases() -> Vec<Case> {
    let mut cases = fragments();
    cases.extend(fail_fast());
    cases.extend(sequences::cases());
    cases
}

/// The payloads as fragments of one text.
pub(super) fn text_of(pieces: &[&[u8]]) -> Vec<Frame> {
    let mut frames: Vec<Frame> =
        pieces.iter().map(|piece| Frame::continuation(*piece).open()).collect();
    if let Some(first) = frames.first_mut() {
        first.opcode = crate::wire::frame::opcode::TEXT;
    }
    if let Some(last) = frames.last_mut() {
        last.fin = true;
    }
    frames
}

fn single_octets(data: &[u8]) -> Vec<Frame> {
    text_of(&data.chunks(1).collect::<Vec<_>>())
}

fn fragments() -> Vec<Case> {
    let valid = |id: &[u16], frames: Vec<Frame>, whole: &[u8], what: &str| {
        Case::new(id, Script::closing().say(frames).expect([text(whole)]))
            .does(format!("Sends {what}."))
            .expects("The same text comes back.")
            .cites(&["WS-5.6-01", "WS-5.4-07", "WS-5.4-08"])
    };
    let invalid = |id: &[u16], frames: Vec<Frame>, what: &str| {
        Case::new(id, Script::failing(&[1007]).say(frames).expect([]))
            .does(format!("Sends {what}."))
            .expects("The connection is failed with 1007.")
            .cites(&["WS-8.1-01", "WS-5.6-01"])
    };
    let middle: &[u8] = b"middle frame payload";
    let greeting = GREETING.as_bytes();
    let (left, right) = GREETING.split_at("Hello-µ@ßöä".len());
    let halves = text_of(&[left.as_bytes(), right.as_bytes()]);
    vec![
        valid(&[6, 1, 1], text_of(&[b""]), b"", "an empty text"),
        valid(&[6, 1, 2], text_of(&[b"", b"", b""]), b"", "a text of three empty fragments"),
        valid(
            &[6, 1, 3],
            text_of(&[b"", middle, b""]),
            middle,
            "a text of three fragments, the first and the last of them empty",
        ),
        valid(&[6, 2, 1], text_of(&[greeting]), greeting, "text beyond ASCII in one frame"),
        valid(&[6, 2, 2], halves, greeting, "the same cut between two characters"),
        valid(&[6, 2, 3], single_octets(greeting), greeting, "the same in fragments of one octet"),
        valid(&[6, 2, 4], single_octets(GREEK), GREEK, "Greek text in fragments of one octet"),
        invalid(&[6, 3, 1], text_of(&[NOT_UTF8]), "text with a surrogate, in one frame"),
        invalid(&[6, 3, 2], single_octets(NOT_UTF8), "the same in fragments of one octet"),
    ]
}

/// The connection has to fail as soon as the text cannot become valid any more.
fn fail_fast() -> Vec<Case> {
    const SPLITS: [[&[u8]; 3]; 2] = [
        [b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", b"\xf4\x90\x80\x80", b"edited"],
        [b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4", b"\x90", b"\x80\x80edited"],
    ];
    let late = "the invalid text was noticed only at the end of the message (fail fast is better)";
    let mut cases = Vec::new();
    for (number, pieces) in [1, 2].into_iter().zip(SPLITS) {
        let mut script = Script::failing(&[1007]);
        let marks = ["after part 1", "after part 2"];
        for (frame, name) in text_of(&pieces).into_iter().zip(marks) {
            script = script.send([frame], WriteMode::OneGo).pause(1000, name);
        }
        let [_, _, last] = pieces;
        let script = script.say([Frame::continuation(last)]);
        cases.push(judged(&[6, 4, number], script, late, "three fragments", number == 2));
    }
    for (number, pieces) in [3, 4].into_iter().zip(SPLITS) {
        let [first, second, _] = pieces;
        let cuts = vec![
            (Cut::Payload(first.len()), "after part 1"),
            (Cut::Payload(first.len() + second.len()), "after part 2"),
        ];
        let frame = Frame::text(pieces.concat());
        let script = Script::failing(&[1007]).step(Step::Pieces(frame, cuts));
        cases.push(judged(&[6, 4, number], script, late, "one frame in three writes", number == 4));
    }
    cases
}

fn judged(id: &[u16], script: Script, late: &'static str, form: &str, exact: bool) -> Case {
    let script = script
        .expect([mark("after part 1")])
        .tolerate([mark("after part 1"), mark("after part 2")], late);
    let where_cut = if exact { "exactly before the octet" } else { "before the character" };
    Case::new(id, script)
        .does(format!("Sends text as {form}, cut {where_cut} that makes it invalid, with pauses."))
        .expects("The connection is failed with 1007 as soon as the second part has arrived.")
        .cites(&["WS-8.1-01", "WS-5.6-01"])
        .weighs(Weight::Waiting)
}
