//! The field-line editor against tables and random bytes.

use bytes::BytesMut;
use proptest::prelude::*;

use super::*;

const PRIVATE: &str = "x-private";

fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut out = BytesMut::new();
    put_integer(&mut out, LITERAL_NAME, 3, name.len() as u64);
    out.put_slice(name.as_bytes());
    put_integer(&mut out, 0, 7, value.len() as u64);
    out.put_slice(value.as_bytes());
    out.to_vec()
}

fn section(lines: &[&[u8]]) -> Vec<u8> {
    [&[0, 0][..], &lines.concat()].concat()
}

fn lift(block: &[u8]) -> Result<(Vec<u8>, PseudoHeaders), FieldError> {
    let mut out = BytesMut::new();
    lift_protocol(block, PRIVATE, 3, &mut out).map(|seen| (out.to_vec(), seen))
}

fn rewrite(block: &[u8]) -> Result<(Vec<u8>, bool), FieldError> {
    let mut out = BytesMut::new();
    rewrite_protocol(block, "websocket", &mut out).map(|found| (out.to_vec(), found))
}

/// `:method CONNECT` by static index.
const METHOD: &[u8] = &[0xcf];
/// `:path` by static name, value `/x`.
const PATH: &[u8] = &[0x51, 2, b'/', b'x'];
/// `accept: */*` by static index 29.
const FIELD: &[u8] = &[0xdd];
/// `:protocol` in its Huffman spelling, value `websocket` in its.
const HUFFMAN: &[u8] = &[
    0x2f, 0x00, 0xb9, 0x5d, 0x87, 0x49, 0xc8, 0x7a, 0x3f, 0x87, 0xf0, 0x58, 0xd0, 0x72, 0x75, 0x2a,
    0x7f,
];

#[test]
// RFC: H3WS-3-01
fn the_protocol_line_becomes_the_private_field_with_its_value_verbatim() {
    let protocol = literal(":protocol", "websocket");
    let private = literal(PRIVATE, "websocket");
    let mut huffman_value = literal(PRIVATE, "");
    huffman_value.pop();
    huffman_value.extend_from_slice(&HUFFMAN[9..]);
    let cases: [[&[&[u8]]; 2]; 5] = [
        [&[METHOD, &protocol, PATH, FIELD], &[METHOD, PATH, FIELD, &private]],
        [&[&protocol, METHOD, PATH], &[METHOD, PATH, &private]],
        [&[METHOD, HUFFMAN, FIELD], &[METHOD, FIELD, &huffman_value]],
        [&[METHOD, PATH, FIELD], &[METHOD, PATH, FIELD]],
        [&[], &[]],
    ];
    for [input, expected] in cases {
        let (out, seen) = lift(&section(input)).expect("a good section");
        assert_eq!(out, section(expected));
        assert_eq!(seen.has(PseudoHeader::Protocol), out.len() > 12);
        assert!(!seen.has(PseudoHeader::Status));
    }
}

#[test]
fn lines_of_the_peer_with_the_private_name_are_removed() {
    let forged = literal(PRIVATE, "webtransport");
    let (out, _) = lift(&section(&[METHOD, &forged, FIELD, &forged])).expect("a good section");
    assert_eq!(out, section(&[METHOD, FIELD]));
}

#[test]
fn a_cookie_is_one_field_in_however_many_pieces_it_comes() {
    let (plain, foreign) = (literal("cookie", "a=b"), literal("cookies", "a=b"));
    // Without a value, by its static name, and with the name in Huffman code.
    let (indexed, by_index) = (&[0xc5][..], &[0x55, 1, b'a'][..]);
    let huffman = &[0x2c, 0x21, 0xcf, 0xd4, 0xc5, 1, b'a'][..];
    let spellings = [indexed, by_index, huffman, &plain];
    let all = spellings.repeat(3);
    assert!(lift(&section(&[&[METHOD, FIELD, FIELD][..], &all].concat())).is_ok());
    assert!(lift(&section(&[METHOD, &plain, FIELD, huffman, FIELD, by_index])).is_ok(), "apart");
    let too_many = Err(FieldError::TooManyFields { max: 3 });
    assert_eq!(lift(&section(&[&[METHOD, FIELD, FIELD, FIELD][..], &all].concat())), too_many);
    assert_eq!(lift(&section(&[METHOD, &foreign, &foreign, &foreign, &foreign])), too_many);
}

#[test]
// RFC: H3-4.3-01, H3-4.2-01, H3-4.1.2-01
fn a_request_section_is_judged_line_by_line() {
    let protocol = literal(":protocol", "websocket");
    let path = literal(":path", "/");
    let cases: [(&[&[u8]], FieldError); 12] = [
        (&[METHOD, &protocol, &protocol], repeated(PseudoHeader::Protocol)),
        (&[METHOD, &protocol, HUFFMAN], repeated(PseudoHeader::Protocol)),
        (&[METHOD, METHOD], repeated(PseudoHeader::Method)),
        (&[PATH, &path], repeated(PseudoHeader::Path)),
        (&[METHOD, FIELD, &protocol], FieldError::MisplacedPseudoHeader),
        (&[FIELD, METHOD], FieldError::MisplacedPseudoHeader),
        (&[&literal(":status", "200")], FieldError::UnknownPseudoHeader),
        (&[&[0xd9]], FieldError::UnknownPseudoHeader),
        (&[&literal(":foo", "1")], FieldError::UnknownPseudoHeader),
        // `:protocol` with a byte of padding too many is not its Huffman spelling.
        (
            &[&[0x2f, 0x01, 0xb9, 0x5d, 0x87, 0x49, 0xc8, 0x7a, 0x3f, 0xff, 0]],
            FieldError::UnknownPseudoHeader,
        ),
        (&[METHOD, &literal("Accept", "x")], FieldError::UppercaseName),
        (&[METHOD, FIELD, FIELD, FIELD, FIELD], FieldError::TooManyFields { max: 3 }),
    ];
    for (input, expected) in cases {
        assert_eq!(lift(&section(input)), Err(expected));
    }
}

fn repeated(pseudo: PseudoHeader) -> FieldError {
    FieldError::RepeatedPseudoHeader(pseudo)
}

#[test]
fn what_cannot_be_decoded_is_told_from_what_is_malformed() {
    let cases: [(&[u8], FieldError); 13] = [
        (&[], FieldError::Truncated),
        (&[0], FieldError::Truncated),
        (&[1, 0], FieldError::DynamicReference),
        (&[0xff, 0], FieldError::Truncated),
        (&[0, 0, 0x80], FieldError::DynamicReference),
        (&[0, 0, 0x40, 0], FieldError::DynamicReference),
        (&[0, 0, 0x10], FieldError::DynamicReference),
        (&[0, 0, 0x00, 0], FieldError::DynamicReference),
        (&[0, 0, 0xff], FieldError::Truncated),
        (&[0, 0, 0x51], FieldError::Truncated),
        (&[0, 0, 0x51, 3, b'/'], FieldError::Truncated),
        (&[0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], {
            FieldError::IntegerTooLarge
        }),
        (&[0, 0, 0xff, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0], {
            FieldError::IntegerTooLarge
        }),
    ];
    for (input, expected) in cases {
        let error = lift(input).expect_err("a bad section");
        assert_eq!(error, expected, "{input:?}");
        assert!(error.is_undecodable());
        assert_eq!(rewrite(input), Err(expected.clone()));
        assert_eq!(check_response(input, 9), Err(expected));
    }
    assert!(!FieldError::UppercaseName.is_undecodable());
}

#[test]
// RFC: H2WS-5-01
fn the_value_is_rewritten_in_place() {
    let expected = section(&[METHOD, &literal(":protocol", "websocket"), PATH, FIELD]);
    let input = section(&[METHOD, &literal(":protocol", "connect-udp"), PATH, FIELD]);
    assert_eq!(rewrite(&input), Ok((expected, true)));
    let huffman = [&HUFFMAN[..9], b"\x09websocket"].concat();
    assert_eq!(rewrite(&section(&[HUFFMAN, FIELD])), Ok((section(&[&huffman, FIELD]), true)));
    let without = section(&[METHOD, PATH]);
    assert_eq!(rewrite(&without), Ok((without, false)));
}

#[test]
fn a_response_has_one_status_first_and_no_other_pseudo_header() {
    let status: &[u8] = &[0xd9];
    assert_eq!(check_response(&section(&[status, FIELD]), 1), Ok(()));
    let cases: [(&[&[u8]], FieldError); 4] = [
        (&[status, status], repeated(PseudoHeader::Status)),
        (&[FIELD, status], FieldError::MisplacedPseudoHeader),
        (&[status, PATH], FieldError::UnknownPseudoHeader),
        (&[status, FIELD, FIELD], FieldError::TooManyFields { max: 1 }),
    ];
    for (input, expected) in cases {
        assert_eq!(check_response(&section(input), 1), Err(expected));
    }
}

#[test]
fn integers_are_read_as_they_were_written() {
    for bits in 3..=8 {
        for value in [0, 1, 6, 7, 8, 30, 31, 127, 128, 254, 255, 1337, 1 << 32, MAX_INTEGER] {
            let mut out = BytesMut::new();
            put_integer(&mut out, 0, bits, value);
            let mut rest = &out[..];
            assert_eq!(take_integer(&mut rest, bits), Ok((0, value)), "{bits} bits");
            assert!(rest.is_empty());
            for cut in 0..out.len() {
                assert_eq!(take_integer(&mut &out[..cut], bits), Err(FieldError::Truncated));
            }
        }
    }
}

#[test]
fn every_error_has_a_text_of_its_own() {
    let errors = [
        FieldError::Truncated,
        FieldError::IntegerTooLarge,
        FieldError::DynamicReference,
        repeated(PseudoHeader::Protocol),
        FieldError::MisplacedPseudoHeader,
        FieldError::UnknownPseudoHeader,
        FieldError::UppercaseName,
        FieldError::TooManyFields { max: 100 },
    ];
    let texts: std::collections::BTreeSet<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), errors.len());
    assert!(texts.iter().all(|text| !text.ends_with('.')));
}

fn lines() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let line = prop_oneof![
        Just(METHOD.to_vec()),
        Just(PATH.to_vec()),
        Just(FIELD.to_vec()),
        Just(HUFFMAN.to_vec()),
        ("[a-z:A-Z-]{1,40}", "[ -~]{0,300}").prop_map(|(name, value)| literal(&name, &value)),
    ];
    prop::collection::vec(line, 0..12)
}

proptest! {
    // THREAT: h2-header-bomb
    #[test]
    fn random_bytes_never_panic_and_cost_no_more_than_they_are(block in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut out = BytesMut::new();
        if lift_protocol(&block, PRIVATE, 50, &mut out).is_ok() {
            prop_assert!(out.len() <= block.len() + PRIVATE.len() + 4);
            // What was let through can be walked again and has no `:protocol` left.
            let mut again = BytesMut::new();
            let seen = lift_protocol(&out, "x-other", 50, &mut again);
            prop_assert!(seen.is_ok_and(|seen| !seen.has(PseudoHeader::Protocol)));
            prop_assert_eq!(again, out);
        }
        let _ = rewrite(&block);
        let _ = check_response(&block, 50);
    }

    #[test]
    fn every_cut_of_a_section_ends_in_a_typed_error_or_whole_lines(lines in lines()) {
        let borrowed: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
        let whole = section(&borrowed);
        let mut ends = vec![2];
        for line in &lines {
            ends.push(ends[ends.len() - 1] + line.len());
        }
        for cut in 0..whole.len() {
            match rewrite(&whole[..cut]) {
                Ok(_) => prop_assert!(ends.contains(&cut)),
                Err(FieldError::Truncated) => prop_assert!(!ends.contains(&cut)),
                // Names are judged line by line, wherever the section ends.
                Err(error) => prop_assert!(!error.is_undecodable()),
            }
            let _ = lift(&whole[..cut]);
        }
    }
}
