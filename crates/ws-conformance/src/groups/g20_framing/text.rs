//! Sections 20.14 and 20.15: characters that fragments cut.
//!
//! Group 6 sends its invalid texts in one frame and cuts only a few of its valid ones.

use crate::case::Case;
use crate::groups::g06_utf8::{octets, text_of};
use crate::script::{Script, text};

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
        assert_eq!(cases().len(), 23 + 16);
    }
}
