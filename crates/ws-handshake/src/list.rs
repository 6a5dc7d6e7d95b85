//! Comma-separated lists of tokens over one or several header lines (RFC 9110 §5.6.1).
//!
//! Empty elements are skipped, as a recipient must, but only a bounded number of them; each byte is
//! looked at once.

use crate::error::Malformed;
use crate::headers::trim_ows;

/// How many elements a list may have. More than anyone needs; what bounds the work is the size of
/// the head, and every list is read in linear time.
pub const MAX_ELEMENTS: usize = 1024;

/// How many empty elements are skipped in one list (RFC 9110 §5.6.1.2 asks for "a reasonable number").
pub const MAX_EMPTY_ELEMENTS: usize = 32;

/// Whether `bytes` is a token: one or more `tchar` (RFC 9110 §5.6.2).
#[must_use]
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_tchar)
}

/// The non-empty elements of a list that may go over several lines, trimmed, unchecked otherwise.
///
/// Elements must not be quoted strings: a comma always separates.
pub fn elements<'a>(
    lines: impl Iterator<Item = &'a [u8]>,
) -> impl Iterator<Item = Result<&'a [u8], Malformed>> {
    let (mut elements, mut empty) = (0, 0);
    lines.flat_map(|line| line.split(|&byte| byte == b',')).map(trim_ows).filter_map(
        move |element| {
            if element.is_empty() {
                empty += 1;
                return (empty > MAX_EMPTY_ELEMENTS).then_some(Err(Malformed::TooManyElements));
            }
            elements += 1;
            Some(if elements > MAX_ELEMENTS {
                Err(Malformed::TooManyElements)
            } else {
                Ok(element)
            })
        },
    )
}

/// The tokens of a `#token` list that may go over several lines.
///
/// An element that is not a token is an error in its place; what to do with the rest of the list is
/// the caller's choice.
pub fn tokens<'a>(
    lines: impl Iterator<Item = &'a [u8]>,
) -> impl Iterator<Item = Result<&'a str, Malformed>> {
    elements(lines).map(|element| token(element?))
}

/// Whether the list holds `token` (ASCII case-insensitive).
///
/// # Errors
///
/// Some element is not a token, or there are too many.
#[expect(single_use_lifetimes, reason = "it cannot be elided inside `impl Trait`")]
pub fn contains<'a>(lines: impl Iterator<Item = &'a [u8]>, token: &str) -> Result<bool, Malformed> {
    let mut found = false;
    for element in tokens(lines) {
        found |= element?.eq_ignore_ascii_case(token);
    }
    Ok(found)
}

/// The element as text, if it is a token.
pub(crate) fn token(element: &[u8]) -> Result<&str, Malformed> {
    match core::str::from_utf8(element) {
        Ok(text) if is_token(element) => Ok(text),
        _ => Err(Malformed::NotAToken),
    }
}

/// `tchar` of RFC 9110 §5.6.2.
pub(crate) const fn is_tchar(byte: u8) -> bool {
    matches!(byte,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`'
        | b'|' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z')
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn read<'a>(lines: &[&'a str]) -> Result<Vec<&'a str>, Malformed> {
        tokens(lines.iter().map(|line| line.as_bytes())).collect()
    }

    // RFC: SEM-5.6.1-02, SEM-5.6.3-01, WS-4.2.1-08
    #[test]
    fn lists_are_read_over_lines_with_empty_elements_and_whitespace() {
        let rows: &[(&[&str], &[&str])] = &[
            (&["a"], &["a"]),
            (&["a,b"], &["a", "b"]),
            (&["a, b", "c"], &["a", "b", "c"]),
            (&[", a,,b ,\t"], &["a", "b"]),
            (&["", "a", ""], &["a"]),
            (&["!#$%&'*+-.^_`|~09azAZ"], &["!#$%&'*+-.^_`|~09azAZ"]),
            (&[""], &[]),
            (&[], &[]),
        ];
        for (lines, want) in rows {
            assert_eq!(read(lines).as_deref(), Ok(*want), "{lines:?}");
        }
    }

    #[test]
    fn what_is_not_a_token_is_an_error_in_its_place() {
        for bad in ["a b", "\"a\"", "a;b", "a/b", "\u{e9}", "a\0", "a=b", "(a)"] {
            assert_eq!(read(&["ok", bad]), Err(Malformed::NotAToken), "{bad:?}");
        }
    }

    // THREAT: list-parser-time
    #[test]
    fn the_number_of_elements_is_bounded() {
        let list = |element: &str, count: usize| element.repeat(count);
        assert_eq!(read(&[&list("a,", MAX_ELEMENTS)]).map(|all| all.len()), Ok(MAX_ELEMENTS));
        assert_eq!(read(&[&list("a,", MAX_ELEMENTS + 1)]), Err(Malformed::TooManyElements));
        let commas = list(",", MAX_EMPTY_ELEMENTS);
        assert_eq!(read(&[&commas[1..], "a"]), Ok(alloc::vec!["a"]));
        assert_eq!(read(&[&commas, "a"]), Err(Malformed::TooManyElements));
    }

    // RFC: WS-4.2.1-04, WS-2.1-01
    #[test]
    fn containment_is_by_whole_tokens_without_case() {
        let rows = [
            ("upgrade", true),
            ("keep-alive, Upgrade", true),
            ("UPGRADE", true),
            ("notupgrade", false),
            ("upgrade-insecure", false),
            ("", false),
        ];
        for (value, want) in rows {
            assert_eq!(contains([value.as_bytes()].into_iter(), "upgrade"), Ok(want), "{value}");
        }
        assert!(contains([&b"upgrade, @@ @"[..]].into_iter(), "upgrade").is_err());
    }
}
