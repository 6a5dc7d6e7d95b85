//! Sections 20.14 to 20.16: characters that fragments cut, and texts that an echo may change.
//!
//! Group 6 sends its invalid texts in one frame and cuts only a few of its valid ones.

use crate::case::Case;
use crate::groups::g06_utf8::{octets, text_of};
use crate::script::{Script, text};
use crate::wire::frame::Frame;

/// Texts that must fail, in hex; a bar stands where a fragment ends.
const INVALID: [(&str, &str); 5] = [
    ("that ends inside a character", "61|ce ceba|e282 f09f|98 ce|"),
    (
        "with an overlong sequence across fragments",
        "c0|af e0|80af e080|af f0|8080af f080|80af f08080|af",
    ),
    ("with a surrogate across fragments", "ed|a080 eda0|80"),
    (
        "with a code point above U+10FFFF across fragments",
        "f4|908080 f490|8080 f49080|80 f5|808080",
    ),
    (
        "with a wrong octet behind the end of a fragment",
        "ce|41 e282|41 f09f98|41 61|ba ceba|ba e2|c2a2 ce|ceba",
    ),
];

/// A character of each length, and those whose second octet has a range of its own.
const CUT: [char; 7] = ['µ', '€', '😀', '\u{800}', '\u{D7FF}', '\u{10000}', '\u{10FFFF}'];

/// What libraries strip, fold, compose or stop at.
const EXACT: [(&str, &str); 16] = [
    ("with U+FEFF at the start", "\u{FEFF}text"),
    ("of nothing but U+FEFF", "\u{FEFF}"),
    ("with U+FEFF inside and at the end", "te\u{FEFF}xt\u{FEFF}"),
    ("with CR LF, LF, CR and LF CR", "a\r\nb\nc\rd\n\r"),
    ("with CR LF at both ends", "\r\ntext\r\n"),
    ("with spaces and tabs at both ends", " \t text \t "),
    ("of nothing but white space", " \t\r\n"),
    ("with other white space at both ends", "\u{A0}\u{85}\u{3000}text\u{2003}\u{B}\u{C}"),
    ("with NUL inside", "a\0b"),
    ("with NUL at both ends", "\0text\0"),
    (
        "of the characters U+0001 to U+001F and U+007F",
        "\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}\u{8}\t\n\u{B}\u{C}\r\u{E}\u{F}\u{10}\u{11}\u{12}\u{13}\
         \u{14}\u{15}\u{16}\u{17}\u{18}\u{19}\u{1A}\u{1B}\u{1C}\u{1D}\u{1E}\u{1F}\u{7F}",
    ),
    ("with U+2028 and U+2029", "a\u{2028}b\u{2029}c"),
    ("with combining characters", "e\u{301} A\u{30A} \u{1100}\u{1161}"),
    ("with characters that have another form", "\u{E9} \u{212B} \u{FB01} \u{AC00} \u{2126}"),
    ("beyond the first plane", "\u{10000}😀\u{1F468}\u{200D}\u{1F469}\u{10FFFF}"),
    ("with quotes, backslashes and escapes", "\"'\\ \\n \\u0041 &amp; %41 <b>"),
];

pub(super) fn cases() -> Vec<Case> {
    let invalid = INVALID
        .iter()
        .flat_map(|(what, texts)| texts.split(' ').map(|hex| (*what, hex.to_owned())));
    let mut cases: Vec<Case> = (1..)
        .zip(invalid)
        .map(|(number, (what, hex))| {
            let pieces: Vec<Vec<u8>> = hex.split('|').map(octets).collect();
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let script = Script::failing(&[1007]).say(text_of(&pieces)).expect([]);
            Case::new(&[20, 14, number], script)
                .does(format!("Sends a text in fragments {what}: {hex}."))
                .expects("The connection is failed with 1007.")
                .cites(&["WS-8.1-01", "WS-5.6-01"])
        })
        .collect();
    let cuts = CUT.iter().flat_map(|point| (1..point.len_utf8()).map(move |at| (*point, at)));
    cases.extend((1..).zip(cuts).map(|(number, (point, at))| {
        let whole = format!("a{point}b").into_bytes();
        let (left, right) = whole.split_at(at + 1);
        let script = Script::closing().say(text_of(&[left, right])).expect([text(whole.clone())]);
        let code = u32::from(point);
        Case::new(&[20, 15, number], script)
            .does(format!(
                "Sends a text in two fragments, the cut behind octet {at} of U+{code:04X}."
            ))
            .expects("The same text comes back.")
            .cites(&["WS-5.6-01", "WS-5.4-07", "WS-5.4-08"])
    }));
    cases.extend((1..).zip(EXACT).map(|(number, (what, exact))| {
        let script = Script::closing().say([Frame::text(exact)]).expect([text(exact)]);
        Case::new(&[20, 16, number], script)
            .does(format!("Sends a text {what}."))
            .expects("The same text comes back, octet for octet.")
            .cites(&["WS-5.6-01", "WS-6.1-02", "WS-6.2-01"])
    }));
    cases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_fail_is_not_utf8_and_the_rest_is_cut_inside_characters() {
        for (what, texts) in INVALID {
            for hex in texts.split(' ') {
                let whole = octets(&hex.replace('|', ""));
                assert!(std::str::from_utf8(&whole).is_err(), "{what}: {hex}");
            }
        }
        assert_eq!(CUT.map(char::len_utf8), [2, 3, 4, 3, 3, 4, 4]);
        assert_eq!(cases().len(), 23 + 16 + 16);
    }
}
