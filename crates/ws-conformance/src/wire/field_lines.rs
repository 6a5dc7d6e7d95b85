//! Field lines as HPACK and QPACK write strings and integers (RFC 7541 §5, RFC 9204 §4.1).
//!
//! Writing never compresses; reading understands whatever a peer may send to a table of size zero.

use std::sync::LazyLock;

/// Appends an integer with a prefix of `bits` bits under the `pattern` above them.
pub(crate) fn put_integer(out: &mut Vec<u8>, bits: u32, pattern: u8, value: usize) {
    let most = (1 << bits) - 1;
    let octet = |number: usize| u8::try_from(number & 0xFF).unwrap_or_default();
    if value < most {
        return out.push(pattern | octet(value));
    }
    out.push(pattern | octet(most));
    let mut rest = value - most;
    while rest >= 128 {
        out.push(octet(rest % 128) | 0x80);
        rest /= 128;
    }
    out.push(octet(rest));
}

/// Takes an integer with a prefix of `bits` bits off `input`.
pub(crate) fn take_integer(input: &mut &[u8], bits: u32) -> Option<usize> {
    let most = (1usize << bits) - 1;
    let mut value = usize::from(take_octet(input)?) & most;
    if value < most {
        return Some(value);
    }
    for shift in (0..28).step_by(7) {
        let octet = usize::from(take_octet(input)?);
        value += (octet & 0x7F) << shift;
        if octet < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Takes a string whose length has a prefix of `bits` bits below the Huffman bit.
pub(crate) fn take_string(input: &mut &[u8], bits: u32) -> Option<String> {
    let is_coded = input.first()? & (1 << bits) != 0;
    let length = take_integer(input, bits)?;
    let (octets, rest) = input.split_at_checked(length)?;
    *input = rest;
    let octets = if is_coded { unpack(octets) } else { octets.to_vec() };
    Some(String::from_utf8_lossy(&octets).into_owned())
}

fn take_octet(input: &mut &[u8]) -> Option<u8> {
    let (first, rest) = input.split_first()?;
    *input = rest;
    Some(*first)
}

/// Undoes the Huffman code, which is canonical: shorter codes first, equal lengths by symbol.
fn unpack(octets: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let (mut code, mut length) = (0u64, 0u8);
    for bit in octets.iter().flat_map(|octet| (0..8).rev().map(move |at| octet >> at & 1)) {
        code = code << 1 | u64::from(bit);
        length += 1;
        if let Some(symbol) = symbol_of(code, length) {
            text.push(symbol);
            (code, length) = (0, 0);
        }
        if length > 30 {
            break;
        }
    }
    text
}

/// The code of length n begins at `first` with the symbols in their order.
struct Row {
    first: u64,
    symbols: Vec<u16>,
}

fn symbol_of(code: u64, length: u8) -> Option<u8> {
    static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
        let mut first = 0;
        let row = |length| {
            let of_length = |(symbol, other): (u16, u8)| (other == length).then_some(symbol);
            let symbols: Vec<u16> = (0..).zip(LENGTHS).filter_map(of_length).collect();
            let row = Row { first, symbols };
            first = (first + row.symbols.len() as u64) << 1;
            row
        };
        (1..=30).map(row).collect()
    });
    let row = ROWS.get(usize::from(length).checked_sub(1)?)?;
    let at = usize::try_from(code.checked_sub(row.first)?).ok()?;
    row.symbols.get(at).and_then(|symbol| u8::try_from(*symbol).ok())
}

/// The length of each symbol's code in bits (RFC 7541 Appendix B); the last is the end of string.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7,
    7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21,
    23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24,
    21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strings_of_the_rfc_are_read() {
        // RFC 7541 Appendix C.4 and C.6.
        let table: [(&[u8], &str); 3] = [
            (
                &[0x8C, 0xF1, 0xE3, 0xC2, 0xE5, 0xF2, 0x3A, 0x6B, 0xA0, 0xAB, 0x90, 0xF4, 0xFF],
                "www.example.com",
            ),
            (&[0x82, 0x64, 0x02], "302"),
            (&[0x03, b'a', b'b', b'c'], "abc"),
        ];
        for (mut octets, text) in table {
            assert_eq!(take_string(&mut octets, 7).as_deref(), Some(text));
            assert!(octets.is_empty());
        }
    }

    #[test]
    fn integers_are_read_as_they_were_written() {
        for value in [0, 1, 6, 7, 8, 31, 126, 127, 128, 1337, 65_536] {
            for bits in [3, 5, 7] {
                let mut octets = Vec::new();
                put_integer(&mut octets, bits, 0, value);
                assert_eq!(take_integer(&mut octets.as_slice(), bits), Some(value));
            }
        }
    }
}
