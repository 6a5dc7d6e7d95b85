//! Sections 23.1 and 23.2: streams of deflate that are valid in unusual ways, and broken ones.

use crate::case::Case;
use crate::link::{Event, Kind, fragmented};
use crate::script::{Script, binary, text};
use crate::wire::frame::Frame;

/// "Hello" by RFC 7692 §7.2.3.1; the second text refers to the first.
const HELLO: &[u8] = &[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
const AGAIN: &[u8] = &[0xF2, 0x00, 0x11, 0x00, 0x00];
const STORED: &[u8] = &[0x00, 5, 0, 0xFA, 0xFF, b'H', b'e', b'l', b'l', b'o', 0x00];
const FINAL: &[u8] = &[0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00];
const TWO_BLOCKS: &[u8] = &[0xF2, 0x48, 0x05, 0, 0, 0, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00];
/// A stored block with one octet that is not UTF-8.
const NOT_UTF8: &[u8] = &[0x00, 1, 0, 0xFE, 0xFF, 0xFF, 0x00];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = valid();
    cases.extend(broken());
    cases
}

fn compressed(payload: &[u8]) -> Frame {
    Frame::text(payload).reserved(4)
}

/// A compressed text in fragments of `size` octets.
fn cut(payload: &[u8], size: usize) -> Vec<Frame> {
    let mut frames = fragmented(Kind::Text, payload, size);
    if let Some(first) = frames.first_mut() {
        first.rsv = 4;
    }
    frames
}

fn valid() -> Vec<Case> {
    let hello = |count: usize| vec![text("Hello"); count];
    let empty_blocks = [&[0, 0, 0, 0xFF, 0xFF].repeat(5), HELLO].concat();
    let flushed_twice = [HELLO, &[0, 0, 0xFF, 0xFF, 0]].concat();
    let final_then_more = [&[0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00], HELLO].concat();
    let with_empty_ends = vec![
        Frame::text("").reserved(4).open(),
        Frame::continuation(HELLO).open(),
        Frame::continuation(""),
    ];
    let mut stored_character = vec![0x00, 3, 0, 0xFC, 0xFF, 0xE2, 0x82, 0xAC, 0x00];
    let split_character = cut(&stored_character, 6);
    stored_character.truncate(0);
    let octet = [&[0x00, 1, 0, 0xFE, 0xFF, 0xFE, 0x00][..]].concat();
    let table: [(&str, bool, Vec<Frame>, Vec<Event>); 16] = [
        ("the text of RFC 7692 §7.2.3.1", false, vec![compressed(HELLO)], hello(1)),
        ("the same in two fragments", false, cut(HELLO, 3), hello(1)),
        ("the same in fragments of one octet", false, cut(HELLO, 1), hello(1)),
        (
            "a second text that refers to the first",
            true,
            vec![compressed(HELLO), compressed(AGAIN)],
            hello(2),
        ),
        (
            "three texts, the second uncompressed, the third referring to the first",
            true,
            vec![compressed(HELLO), Frame::text("other"), compressed(AGAIN)],
            vec![text("Hello"), text("other"), text("Hello")],
        ),
        ("a stored block (§7.2.3.3)", false, vec![compressed(STORED)], hello(1)),
        ("a block with BFINAL (§7.2.3.4)", false, vec![compressed(FINAL)], hello(1)),
        (
            "a block with BFINAL and then a text that refers to it",
            true,
            vec![compressed(FINAL), compressed(AGAIN), compressed(AGAIN)],
            hello(3),
        ),
        ("two blocks (§7.2.3.5)", false, vec![compressed(TWO_BLOCKS)], hello(1)),
        ("an empty text as one octet (§7.2.3.6)", false, vec![compressed(&[0])], vec![text("")]),
        ("five empty blocks before a text", false, vec![compressed(&empty_blocks)], hello(1)),
        ("a text that its sender flushed twice", false, vec![compressed(&flushed_twice)], hello(1)),
        (
            "a text in two streams, the first with BFINAL",
            false,
            vec![compressed(&final_then_more)],
            vec![text("HelloHello")],
        ),
        ("a text with empty first and last fragments", false, with_empty_ends, hello(1)),
        ("a character cut by the end of a fragment", false, split_character, vec![text("€")]),
        (
            "a binary message that is no text",
            false,
            vec![Frame::binary(octet).reserved(4)],
            vec![binary([0xFE])],
        ),
    ];
    let mut cases = Vec::new();
    for (number, (what, takeover, frames, answer)) in (1..).zip(table) {
        let script = Script::closing();
        let script = if takeover { script.compressed_with_takeover() } else { script.compressed() };
        let case = Case::new(&[23, 1, number], script.say(frames).expect(answer))
            .does(format!("Sends {what}, compressed."))
            .expects("The same messages come back.")
            .cites(&[
                "PMD-7.2.1-02",
                "PMD-7.2.1-03",
                "PMD-7.2.1-04",
                "PMD-7.2.2-01",
                "PMD-7.2.2-02",
                "PMD-7.2.3-01",
                "PMD-6.1-04",
            ]);
        cases.push(case);
    }
    cases
}

fn broken() -> Vec<Case> {
    let far = &[0xF2, 0x00, 0x11, 0x00, 0x00];
    let table: [(&str, Vec<Frame>); 9] = [
        ("a block of the reserved kind", vec![compressed(&[0x06, 0x00])]),
        (
            "a stored block whose length is contradicted",
            vec![compressed(&[0, 5, 0, 5, 0, 1, 2, 3, 4, 5])],
        ),
        ("a distance beyond the first octet", vec![compressed(far)]),
        (
            "a dynamic block with impossible code lengths",
            vec![compressed(&[0xFC, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF])],
        ),
        (
            "a stored block that is not all there",
            vec![compressed(&[0x00, 0xFF, 0x00, 0x00, 0xFF, b'H'])],
        ),
        (
            "octets that are no deflate",
            vec![compressed(b"\xFF\xFF\xFF\xFF this is not compressed")],
        ),
        ("damage in the second fragment", {
            let mut frames = cut(HELLO, 4);
            frames.iter_mut().skip(1).for_each(|frame| frame.payload = vec![0x06, 0xFF, 0xFF]);
            frames
        }),
        ("a text that inflates to what is not UTF-8", vec![compressed(NOT_UTF8)]),
        ("the same in fragments of one octet", cut(NOT_UTF8, 1)),
    ];
    let mut cases = Vec::new();
    for (number, (what, frames)) in (1..).zip(table) {
        let codes: &[u16] = if number >= 8 { &[1007] } else { &[1007, 1002, 1003] };
        let script = Script::failing(codes).compressed().say(frames).expect([]).and_serves_on();
        let case = Case::new(&[23, 2, number], script)
            .does(format!("Sends {what}."))
            .expects("The connection is failed with 1007 (or 1002 for damaged streams).")
            .cites(&["PMD-6.2-01", "PMD-7.2.2-01", "PMD-6.1-04", "WS-8.1-01"]);
        cases.push(case);
    }
    cases
}
