//! The parts of a command line that several examples share: usage texts, sizes and headers.

use std::fmt;
use std::process::exit;
use std::str::FromStr;

use lexopt::{Arg, Parser, ValueExt as _};

/// Prints `usage` and ends the program well.
#[expect(clippy::print_stdout, reason = "a program answers where it was asked")]
pub fn help(usage: &str) -> ! {
    println!("{usage}");
    exit(0)
}

/// Says what is wrong with the command line and ends the program with status 2.
pub fn refuse(error: impl fmt::Display) -> ! {
    eprintln!("{error}; --help shows the options");
    exit(2)
}

/// The value of the option just read.
///
/// # Errors
///
/// There is none, or it is not a `T`.
pub fn value<T: FromStr>(parser: &mut Parser) -> Result<T, lexopt::Error>
where
    T::Err: Into<Box<dyn std::error::Error + Send + Sync + 'static>>,
{
    parser.value()?.parse()
}

/// A size in bytes such as `4096`, `64k` or `16M` (powers of 1024).
///
/// # Errors
///
/// It is not such a number, or it is beyond the address space.
pub fn size(text: &str) -> Result<usize, lexopt::Error> {
    let (digits, unit) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (text.get(..text.len() - 1).unwrap_or_default(), 1 << 10),
        Some(b'm' | b'M') => (text.get(..text.len() - 1).unwrap_or_default(), 1 << 20),
        _ => (text, 1),
    };
    let number = digits.parse::<usize>().ok().and_then(|number| number.checked_mul(unit));
    number.ok_or_else(|| format!("{text:?} is not a size").into())
}

/// A header given as `Name: value`.
///
/// # Errors
///
/// There is no colon.
pub fn header(text: &str) -> Result<(String, String), lexopt::Error> {
    match text.split_once(':') {
        Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
        None => Err(format!("{text:?} is not a header: write `Name: value`").into()),
    }
}

/// The error for an argument nobody knows.
#[must_use]
pub fn unexpected(argument: Arg<'_>) -> lexopt::Error {
    argument.unexpected()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_and_bounds() {
        for (text, expected) in [("0", 0), ("125", 125), ("64k", 65_536), ("2M", 2_097_152)] {
            assert_eq!(size(text).expect("a size"), expected);
        }
        for text in ["", "k", "-1", "1G", "99999999999999999999", "18446744073709551615M"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
