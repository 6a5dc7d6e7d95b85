//! `Sec-WebSocket-Extensions`: reading and writing lists of extensions (RFC 6455 §9.1).
//!
//! What a parameter means is the extension's own business (see `ws-deflate`).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::error::Malformed;
use crate::list::{MAX_ELEMENTS, MAX_EMPTY_ELEMENTS, is_tchar, is_token};

/// How many parameters one extension may have.
pub const MAX_PARAMS: usize = 32;

/// One extension as offered or accepted: `name; param; param=value`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Extension {
    /// The registered token, in the case it arrived in.
    pub name: String,
    /// The parameters, in order; repeated names are kept for the extension to judge.
    pub params: Vec<ExtensionParam>,
}

/// One parameter of an [`Extension`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExtensionParam {
    /// The token before the equals sign.
    pub name: String,
    /// The value without quotes and escapes; `None` when there is no equals sign.
    pub value: Option<String>,
}

impl Extension {
    /// An extension without parameters.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), params: Vec::new() }
    }

    /// Adds a parameter without a value.
    #[must_use]
    pub fn flag(mut self, name: impl Into<String>) -> Self {
        self.params.push(ExtensionParam { name: name.into(), value: None });
        self
    }

    /// Adds a parameter with a value.
    #[must_use]
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.params.push(ExtensionParam { name: name.into(), value: Some(value.into()) });
        self
    }

    /// Whether every part is a token, so that it may be written into a header.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        is_token(self.name.as_bytes())
            && self.params.iter().all(|param| {
                is_token(param.name.as_bytes())
                    && param.value.as_ref().is_none_or(|value| is_token(value.as_bytes()))
            })
    }
}

impl fmt::Display for Extension {
    /// The wire form of RFC 6455 §9.1.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for param in &self.params {
            write!(f, "; {}", param.name)?;
            if let Some(value) = &param.value {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}

/// The extensions listed over all `lines`, in order. No line at all gives an empty list.
///
/// Linear in the input, whatever it holds: an unclosed quote is found in one pass.
///
/// # Errors
///
/// A line breaks the grammar of RFC 6455 §9.1, a quoted value is not a token once unescaped, a line
/// was sent but nothing is listed, or there are more than [`MAX_ELEMENTS`] extensions or
/// [`MAX_PARAMS`] parameters to one of them.
#[expect(single_use_lifetimes, reason = "it cannot be elided inside `impl Trait`")]
pub fn parse_extensions<'a>(
    lines: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<Extension>, Malformed> {
    let mut extensions = Vec::new();
    let mut empty = 0;
    let mut any_line = false;
    for line in lines {
        any_line = true;
        let mut cursor = Cursor { rest: line };
        loop {
            cursor.skip_ows();
            if matches!(cursor.rest.first(), None | Some(b',')) {
                empty += 1;
                if empty > MAX_EMPTY_ELEMENTS {
                    return Err(Malformed::TooManyElements);
                }
            } else {
                if extensions.len() == MAX_ELEMENTS {
                    return Err(Malformed::TooManyElements);
                }
                extensions.push(cursor.extension()?);
            }
            if cursor.rest.is_empty() {
                break;
            }
            if !cursor.eat(b',') {
                return Err(Malformed::UnexpectedByte);
            }
        }
    }
    if any_line && extensions.is_empty() { Err(Malformed::Empty) } else { Ok(extensions) }
}

/// Writes `extensions` as one header value; nothing for an empty list.
#[must_use]
pub fn format_extensions(extensions: &[Extension]) -> String {
    use fmt::Write as _;
    let mut value = String::new();
    for (index, extension) in extensions.iter().enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        write!(value, "{separator}{extension}").expect("writing into a String cannot fail");
    }
    value
}

/// The unread part of one header line.
struct Cursor<'a> {
    rest: &'a [u8],
}

impl Cursor<'_> {
    fn extension(&mut self) -> Result<Extension, Malformed> {
        let mut extension = Extension::new(self.token()?);
        loop {
            self.skip_ows();
            if !self.eat(b';') {
                return Ok(extension);
            }
            if extension.params.len() == MAX_PARAMS {
                return Err(Malformed::TooManyElements);
            }
            self.skip_ows();
            let name = self.token()?;
            self.skip_ows();
            let value = if self.eat(b'=') {
                self.skip_ows();
                Some(if self.eat(b'"') { self.quoted_token()? } else { self.token()? })
            } else {
                None
            };
            extension.params.push(ExtensionParam { name, value });
        }
    }

    fn token(&mut self) -> Result<String, Malformed> {
        let end = self.rest.iter().position(|&byte| !is_tchar(byte)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        match core::str::from_utf8(token) {
            Ok(token) if !token.is_empty() => Ok(token.into()),
            _ => Err(Malformed::NotAToken),
        }
    }

    /// The rest of a quoted string whose opening quote was read (RFC 9110 §5.6.4).
    fn quoted_token(&mut self) -> Result<String, Malformed> {
        let mut value = String::new();
        loop {
            let (&byte, rest) = self.rest.split_first().ok_or(Malformed::UnclosedQuote)?;
            self.rest = rest;
            let byte = match byte {
                b'"' if value.is_empty() => return Err(Malformed::NotAToken),
                b'"' => return Ok(value),
                b'\\' => {
                    let (&escaped, rest) = rest.split_first().ok_or(Malformed::UnclosedQuote)?;
                    self.rest = rest;
                    escaped
                }
                byte => byte,
            };
            if !is_tchar(byte) {
                return Err(Malformed::NotAToken);
            }
            value.push(char::from(byte));
        }
    }

    fn skip_ows(&mut self) {
        while let [b' ' | b'\t', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        match self.rest {
            [first, rest @ ..] if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString as _;

    fn read(lines: &[&str]) -> Result<String, Malformed> {
        parse_extensions(lines.iter().map(|line| line.as_bytes()))
            .map(|extensions| format_extensions(&extensions))
    }

    // RFC: WS-9.1-02, WS-9.1-06, WS-4.2.1-09, WS-11.3.2-01, SEM-5.6.4-01, SEM-5.6.3-01
    #[test]
    fn lists_are_read_and_written_in_canonical_form() {
        let rows: &[(&[&str], &str)] = &[
            (&[], ""),
            (&["a"], "a"),
            (&["a;b=c"], "a; b=c"),
            (&["a ; b\t=  c ;d"], "a; b=c; d"),
            (&["a; b=\"c\""], "a; b=c"),
            (&["a; b=\"\\c\\d\""], "a; b=cd"),
            (&["a", "b; x=1, c"], "a, b; x=1, c"),
            (&[",a,,b,"], "a, b"),
            (&["", "a"], "a"),
            (&["a; x=1, a; x=2"], "a; x=1, a; x=2"),
            (&["constructor; __proto__=1; constructor"], "constructor; __proto__=1; constructor"),
        ];
        for (lines, want) in rows {
            assert_eq!(read(lines).as_deref(), Ok(*want), "{lines:?}");
        }
    }

    // RFC: WS-4.3-01, WS-9.1-01
    // THREAT: extension-names
    #[test]
    fn what_breaks_the_grammar_is_refused() {
        let rows = [
            ("", Malformed::Empty),
            (",", Malformed::Empty),
            (";a", Malformed::NotAToken),
            ("a;", Malformed::NotAToken),
            ("a;;b", Malformed::NotAToken),
            ("a b", Malformed::UnexpectedByte),
            ("a; b=", Malformed::NotAToken),
            ("a; b=c d", Malformed::UnexpectedByte),
            ("a; =c", Malformed::NotAToken),
            ("a; b=\"\"", Malformed::NotAToken),
            ("a; b=\"c d\"", Malformed::NotAToken),
            ("a; b=\"c,d\"", Malformed::NotAToken),
            ("a; b=\"\\\"\"", Malformed::NotAToken),
            ("a; b=\"c", Malformed::UnclosedQuote),
            ("a; b=\"c\\", Malformed::UnclosedQuote),
            ("a; b=\"c\"d", Malformed::UnexpectedByte),
            ("a\0", Malformed::UnexpectedByte),
            ("\u{e9}", Malformed::NotAToken),
        ];
        for (line, want) in rows {
            assert_eq!(read(&[line]), Err(want), "{line:?}");
        }
    }

    // THREAT: extension-names
    #[test]
    fn the_numbers_of_extensions_and_parameters_are_bounded() {
        assert!(read(&[&"a,".repeat(31)]).is_ok());
        assert_eq!(read(&[&"a,".repeat(MAX_ELEMENTS + 1)]), Err(Malformed::TooManyElements));
        assert_eq!(read(&[&",".repeat(1000)]), Err(Malformed::TooManyElements));
        assert!(read(&[&format!("a{}", ";b".repeat(MAX_PARAMS))]).is_ok());
        let over = format!("a{}", ";b".repeat(MAX_PARAMS + 1));
        assert_eq!(read(&[&over]), Err(Malformed::TooManyElements));
    }

    // THREAT: list-parser-time
    #[test]
    fn escapes_in_an_unclosed_quote_do_not_cost_more_than_one_pass() {
        // A backtracking parser needs hours for this one; a cursor that only moves on cannot.
        let hostile = format!("a;b=\"{}", "\\c".repeat(4 << 20));
        assert_eq!(read(&[&hostile]), Err(Malformed::UnclosedQuote));
    }

    #[test]
    fn building_and_writing_agree() {
        let extension = Extension::new("x").flag("f").param("n", "10");
        assert_eq!(extension.to_string(), "x; f; n=10");
        assert!(extension.is_well_formed());
        for bad in [
            Extension::new("x\r\ny"),
            Extension::new("x").flag(""),
            Extension::new("x").param("a", "b\r\nc: d"),
        ] {
            assert!(!bad.is_well_formed(), "{bad:?}");
        }
        assert_eq!(format!("{}", format_extensions(&[])), "");
    }
}
