//! Sections 6.5 to 6.23: single texts, valid and invalid, after Markus Kuhn's taxonomy of UTF-8.

use crate::case::Case;
use crate::script::{Script, text};
use crate::wire::frame::Frame;

/// Sections with payloads in hex; those after `!` must fail.
const SECTIONS: [(u16, &str, &str); 15] = [
    (
        5,
        "a valid sequence",
        "68656c6c6f24776f726c64 68656c6c6fc2a2776f726c64 68656c6c6fe282ac776f726c64 68656c6c6ff0a4ada2776f726c64 cebae1bdb9cf83cebcceb5",
    ),
    (
        6,
        "a prefix of a valid text",
        "!ce ceba !cebae1 !cebae1bd cebae1bdb9 !cebae1bdb9cf cebae1bdb9cf83 !cebae1bdb9cf83ce cebae1bdb9cf83cebc !cebae1bdb9cf83cebcce cebae1bdb9cf83cebcceb5",
    ),
    (7, "the first sequence of its length", "00 c280 e0a080 f0908080"),
    (8, "the first sequence of a length that does not exist", "!f888808080 !fc8480808080"),
    (9, "the last sequence of its length", "7f dfbf efbfbf f48fbfbf"),
    (10, "the last sequence of a length beyond Unicode", "!f7bfbfbf !fbbfbfbfbf !fdbfbfbfbfbf"),
    (11, "a sequence at a boundary", "ed9fbf ee8080 efbfbd f48fbfbf !f4908080"),
    (
        14,
        "a sequence without its last octet",
        "!c0 !e080 !f08080 !f8808080 !fc80808080 !df !efbf !f7bfbf !fbbfbfbf !fdbfbfbfbf",
    ),
    (16, "impossible octets", "!fe !ff !fefeffff"),
    (17, "an overlong ASCII character", "!c0af !e080af !f08080af !f8808080af !fc80808080af"),
    (18, "the longest overlong sequence", "!c1bf !e09fbf !f08fbfbf !f887bfbfbf !fc83bfbfbfbf"),
    (19, "an overlong NUL", "!c080 !e08080 !f0808080 !f880808080 !fc8080808080"),
    (20, "a single surrogate", "!eda080 !edadbf !edae80 !edafbf !edb080 !edbe80 !edbfbf"),
    (
        21,
        "a pair of surrogates",
        "!eda080edb080 !eda080edbfbf !edadbfedb080 !edadbfedbfbf !edae80edb080 !edae80edbfbf !edafbfedb080 !edafbfedbfbf",
    ),
    (23, "a special character of Unicode", "efbfb9 efbfba efbfbb efbfbc efbfbd efbfbe efbfbf"),
];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (section, what, payloads) in SECTIONS {
        for (number, payload) in (1..).zip(payloads.split(' ')) {
            let hex = payload.trim_start_matches('!');
            let valid = hex.len() == payload.len();
            cases.push(case(section, number, what, &octets(hex), valid));
        }
    }
    for (number, payload) in (1..).zip(stray_continuations()) {
        cases.push(case(12, number, "continuation octets of nothing", &payload, false));
    }
    for (number, payload) in (1..).zip(lonely_starts()) {
        cases.push(case(
            13,
            number,
            "first octets of sequences, each before a space",
            &payload,
            false,
        ));
    }
    let truncated = SECTIONS.iter().find(|(section, ..)| *section == 14).map(|(.., hex)| *hex);
    let all = octets(&truncated.unwrap_or_default().replace([' ', '!'], ""));
    cases.push(case(15, 1, "ten sequences without their last octets", &all, false));
    for (number, payload) in (1..).zip(noncharacters()) {
        cases.push(case(22, number, "a code point that is no character but valid", &payload, true));
    }
    cases
}

fn case(section: u16, number: u16, what: &str, payload: &[u8], valid: bool) -> Case {
    let frame = Frame::text(payload);
    let script = if valid {
        Script::closing().say([frame]).expect([text(payload)])
    } else {
        Script::failing(&[1007]).say([frame]).expect([])
    };
    let hex: String = payload.iter().map(|octet| format!("{octet:02x}")).collect();
    let expects =
        if valid { "The same text comes back." } else { "The connection is failed with 1007." };
    Case::new(&[6, section, number], script)
        .does(format!("Sends a text frame with {what}: {hex}."))
        .expects(expects)
        .cites(&["WS-5.6-01", "WS-8.1-01"])
}

fn stray_continuations() -> Vec<Vec<u8>> {
    let alternating = [0x80, 0xBF, 0x80, 0xBF, 0x80, 0xBF, 0x80];
    let mut payloads = vec![vec![0x80], vec![0xBF]];
    payloads.extend((2..=6).map(|length| alternating.iter().copied().take(length).collect()));
    payloads.push((0x80..0xBF).collect());
    payloads
}

fn lonely_starts() -> Vec<Vec<u8>> {
    let ranges = [0xC0..0xDF, 0xE0..0xEF, 0xF0..0xF7, 0xF8..0xFB, 0xFC..0xFD_u8];
    ranges.map(|range| range.flat_map(|octet| [octet, b' ']).collect()).into()
}

/// U+nFFFE and U+nFFFF of every plane.
fn noncharacters() -> Vec<Vec<u8>> {
    let planes = (0..=16_u32).flat_map(|plane| [plane << 16 | 0xFFFE, plane << 16 | 0xFFFF]);
    planes.filter_map(char::from_u32).map(|point| point.to_string().into_bytes()).collect()
}

/// Reads hex digits.
pub(in crate::groups) fn octets(hex: &str) -> Vec<u8> {
    let digit = |digit: &u8| char::from(*digit).to_digit(16).and_then(|n| u8::try_from(n).ok());
    let digits: Vec<u8> = hex.as_bytes().iter().filter_map(digit).collect();
    digits
        .chunks_exact(2)
        .map(|pair| pair.iter().fold(0, |octet, digit| octet << 4 | digit))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_agree_with_the_standard_library_about_what_is_valid() {
        for (_, what, payloads) in SECTIONS {
            for payload in payloads.split(' ') {
                let data = octets(payload.trim_start_matches('!'));
                let valid = std::str::from_utf8(&data).is_ok();
                assert_eq!(valid, !payload.starts_with('!'), "{what}: {payload}");
            }
        }
        assert_eq!(noncharacters().len(), 34);
        assert_eq!(
            stray_continuations().iter().map(Vec::len).collect::<Vec<_>>(),
            [1, 1, 2, 3, 4, 5, 6, 63]
        );
        assert_eq!(lonely_starts().iter().map(Vec::len).collect::<Vec<_>>(), [62, 30, 14, 6, 2]);
    }
}
