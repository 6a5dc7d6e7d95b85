//! Finding and reading the head of an HTTP/1.1 message in a growing buffer.
//!
//! Lines end in CR LF and nothing else; a sender that writes bare LF is refused at once instead of
//! being waited for.

use core::mem::MaybeUninit;

use bytes::BytesMut;
use ws_handshake::Headers;

use crate::error::HeadProblem;

/// How much of a peer's handshake is read. A zero allows nothing; it does not mean "no limit".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandshakeLimits {
    /// The size of the head in bytes, over everything that is read before the handshake is decided;
    /// how it is cut into segments plays no part. Default 64 KiB.
    pub max_handshake_size: usize,
    /// The number of header fields. Default 100.
    pub max_headers: usize,
    /// How many bytes of the body a client keeps when it is refused. Default 16 KiB.
    pub max_body: usize,
}

impl Default for HandshakeLimits {
    fn default() -> Self {
        Self { max_handshake_size: 64 * 1024, max_headers: 100, max_body: 16 * 1024 }
    }
}

/// Looks for the empty line that ends a head, and remembers how far it has looked.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeadSearch {
    /// Everything before has been looked at.
    scanned: usize,
    line_start: usize,
    /// Where the message begins, once a line of it has begun; before, empty lines are skipped.
    start: Option<usize>,
    empty_lines: usize,
}

impl HandshakeLimits {
    /// Room for the fields of this head: as many as are allowed, but no more than it can have. It is among
    /// the `few` that lie on the stack, if those are enough.
    pub(crate) fn slots<'s, 'b>(
        &self,
        head: &[u8],
        few: &'s mut [Slot<'b>; FEW_SLOTS],
        many: &'s mut Vec<Slot<'b>>,
    ) -> &'s mut [Slot<'b>] {
        let count = self.max_headers.min(head.len() / SHORTEST_FIELD + 1);
        match few.get_mut(..count) {
            Some(few) => few,
            None => {
                many.resize(count, NO_FIELD);
                many
            }
        }
    }
}

/// Where a field is parsed to.
pub(crate) type Slot<'b> = MaybeUninit<httparse::Header<'b>>;
pub(crate) const NO_FIELD: Slot<'_> = MaybeUninit::uninit();
/// As many fields as are allowed by default.
pub(crate) const FEW_SLOTS: usize = 100;

/// A name of one byte, a colon and the end of the line.
const SHORTEST_FIELD: usize = 3;

/// Why the search ended without a head.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeadError {
    /// No end within the limit.
    TooBig,
    /// No head at all.
    Bad(HeadProblem),
}

impl HeadSearch {
    /// The range of the head in `buf`, which must begin with the bytes of the previous call.
    pub(crate) fn find(
        &mut self,
        buf: &BytesMut,
        limit: usize,
        can_begin: fn(u8) -> bool,
    ) -> Result<Option<core::ops::Range<usize>>, HeadError> {
        let window = buf.get(..limit).unwrap_or(buf);
        while let Some(rest) = window.get(self.scanned..) {
            if self.start.is_none() {
                self.begin(window, can_begin)?;
            }
            let Some(offset) = rest.iter().position(|&byte| byte == b'\n') else {
                self.scanned = window.len();
                break;
            };
            let line_end = self.scanned + offset;
            let line = window.get(self.line_start..line_end).unwrap_or_default();
            let Some(line) = line.strip_suffix(b"\r") else {
                return Err(HeadError::Bad(HeadProblem::BareLineFeed));
            };
            self.scanned = line_end + 1;
            self.line_start = self.scanned;
            match self.start {
                Some(start) if line.is_empty() => return Ok(Some(start..self.scanned)),
                None if !line.is_empty() => return Err(HeadError::Bad(HeadProblem::LineEnd)),
                None if self.empty_lines == MAX_EMPTY_LINES => {
                    return Err(HeadError::Bad(HeadProblem::TooManyEmptyLines));
                }
                None => self.empty_lines += 1,
                Some(_) => {}
            }
        }
        if buf.len() >= limit { Err(HeadError::TooBig) } else { Ok(None) }
    }

    /// Whether the message has begun and its first line has not ended. Empty lines before it are no part
    /// of it (RFC 9112 §2.2).
    pub(crate) fn is_in_first_line(&self) -> bool {
        self.start == Some(self.line_start)
    }

    /// Settles whether the message begins with the current line.
    fn begin(&mut self, window: &[u8], can_begin: fn(u8) -> bool) -> Result<(), HeadError> {
        match window.get(self.line_start) {
            None | Some(b'\r' | b'\n') => Ok(()),
            Some(&first) if can_begin(first) => {
                self.start = Some(self.line_start);
                Ok(())
            }
            Some(_) => Err(HeadError::Bad(HeadProblem::NotHttp)),
        }
    }
}

/// The fields of a parsed head.
pub(crate) struct ParsedFields<'a>(pub(crate) &'a [httparse::Header<'a>]);

impl Headers for ParsedFields<'_> {
    fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|field| (field.name.as_bytes(), field.value))
    }
}

/// What the parser found; `TooManyHeaders` and `Version` are told apart by the caller.
pub(crate) fn problem(error: httparse::Error) -> HeadProblem {
    match error {
        httparse::Error::HeaderName => HeadProblem::HeaderName,
        httparse::Error::HeaderValue => HeadProblem::HeaderValue,
        httparse::Error::NewLine => HeadProblem::LineEnd,
        _ => HeadProblem::StartLine,
    }
}

/// RFC 9112 §2.2 asks for at least one.
const MAX_EMPTY_LINES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn find(text: &str, limit: usize) -> Result<Option<core::ops::Range<usize>>, HeadError> {
        HeadSearch::default().find(&BytesMut::from(text), limit, |byte| byte.is_ascii_uppercase())
    }

    // RFC: M1-2.2-03, M1-2.2-04
    #[test]
    fn a_head_ends_at_its_first_empty_line() {
        let bad = |problem| Err(HeadError::Bad(problem));
        let rows = [
            ("", Ok(None)),
            ("GET", Ok(None)),
            ("A\r\n\r\n", Ok(Some(0..5))),
            ("A\r\n\r\nrest\r\n\r\n", Ok(Some(0..5))),
            ("\r\n\r\nA\r\n\r\n", Ok(Some(4..9))),
            ("\r", Ok(None)),
            ("\r\t\r\nA\r\n\r\n", bad(HeadProblem::LineEnd)),
            ("\r\n\r\r\nA\r\n\r\n", bad(HeadProblem::LineEnd)),
            ("A\r\n\r", Ok(None)),
            ("\r\n\r\n\r\n\r\n\r\n", bad(HeadProblem::TooManyEmptyLines)),
            ("A\n\n", bad(HeadProblem::BareLineFeed)),
            ("A\r\n\n", bad(HeadProblem::BareLineFeed)),
            ("\n", bad(HeadProblem::BareLineFeed)),
            ("\u{16}\u{3}\u{1}", bad(HeadProblem::NotHttp)),
            (" A", bad(HeadProblem::NotHttp)),
        ];
        for (text, want) in rows {
            assert_eq!(find(text, 100), want, "{text:?}");
        }
    }

    #[test]
    fn the_limit_counts_the_head_and_nothing_behind_it() {
        assert_eq!(find("A\r\n\r\n", 5), Ok(Some(0..5)));
        assert_eq!(find("A\r\n\r\nmore", 5), Ok(Some(0..5)));
        assert_eq!(find("A\r\n\r\n", 4), Err(HeadError::TooBig));
        assert_eq!(find("AAAA", 5), Ok(None));
        assert_eq!(find("AAAAA", 5), Err(HeadError::TooBig));
        assert_eq!(find("", 0), Err(HeadError::TooBig));
    }
}
