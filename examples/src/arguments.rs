//! The parts of a command line that several examples share.

use std::fmt;
use std::process::exit;
use std::str::FromStr;
use std::time::Duration;

use lexopt::{Parser, ValueExt as _};

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

/// The value of the option just read, as it is.
///
/// # Errors
///
/// There is none, or it is not Unicode.
pub fn text(parser: &mut Parser) -> Result<String, lexopt::Error> {
    parser.value()?.string()
}

/// A number of seconds, which may have a fraction.
///
/// # Errors
///
/// There is none, or it is negative or beyond what a clock can tell.
pub fn seconds(parser: &mut Parser) -> Result<Duration, lexopt::Error> {
    parser.value()?.parse_with(|text| {
        Duration::try_from_secs_f64(text.parse().map_err(|error| format!("{error}"))?)
            .map_err(|error| error.to_string())
    })
}

/// A size in bytes such as `4096`, `64k` or `16M` (powers of 1024).
///
/// # Errors
///
/// There is none, or it is no size, or beyond the address space.
pub fn size(parser: &mut Parser) -> Result<usize, lexopt::Error> {
    parser.value()?.parse_with(parse_size)
}

/// Several sizes, separated by commas.
///
/// # Errors
///
/// As [`size`].
pub fn sizes(parser: &mut Parser) -> Result<Vec<usize>, lexopt::Error> {
    parser.value()?.parse_with(|text| text.split(',').map(parse_size).collect())
}

/// A header field given as `Name: value`.
///
/// # Errors
///
/// There is none, or it has no colon.
pub fn header(parser: &mut Parser) -> Result<(String, String), lexopt::Error> {
    parser.value()?.parse_with(|text| match text.split_once(':') {
        Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
        None => Err("a header is written `Name: value`"),
    })
}

fn parse_size(text: &str) -> Result<usize, String> {
    let unit = |text| match text {
        "" => Some(1),
        "k" | "K" => Some(1 << 10),
        "m" | "M" => Some(1 << 20),
        _ => None,
    };
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let size = digits.parse::<usize>().ok().zip(unit(rest));
    size.and_then(|(number, unit)| number.checked_mul(unit))
        .ok_or_else(|| format!("{text:?} is not a size"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_and_bounds() {
        for (text, expected) in [("0", 0), ("125", 125), ("64k", 65_536), ("2M", 2_097_152)] {
            assert_eq!(parse_size(text), Ok(expected));
        }
        for text in ["", "k", "-1", "1G", "1kk", "99999999999999999999", "18446744073709551615M"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
