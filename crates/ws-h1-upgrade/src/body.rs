//! The beginning of a refused answer's body, so that the caller can read the server's words.
//!
//! Bounded, and never the reason for an error: what cannot be read ends the body.

use bytes::{Buf as _, BytesMut};
use ws_handshake::{Headers, list, single, trim_ows};

/// Reads a body of up to a limit, however it is framed (RFC 9112 §6.3).
#[derive(Clone, Debug)]
pub(crate) struct Body {
    framing: Framing,
    limit: usize,
    bytes: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Framing {
    /// So many bytes are left.
    Length(u64),
    /// So many bytes of the current chunk are left; then comes its line end.
    Chunk(u64),
    /// The size of the next chunk comes next.
    ChunkSize,
    UntilClose,
    /// What is left cannot be read.
    Broken,
}

impl Body {
    /// The body that follows a head with `status` and `headers`.
    pub(crate) fn new<H: Headers + ?Sized>(status: u16, headers: &H, limit: usize) -> Self {
        let length = || {
            let value = single(headers, "content-length").ok().flatten()?;
            let digits = core::str::from_utf8(trim_ows(value)).ok()?;
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
        };
        let framing = if matches!(status, 100..=199 | 204 | 304) {
            Framing::Length(0)
        } else if headers.values("transfer-encoding").next().is_some() {
            match list::contains(headers.values("transfer-encoding"), "chunked") {
                Ok(true) => Framing::ChunkSize,
                _ => Framing::UntilClose,
            }
        } else {
            length().map_or(Framing::UntilClose, Framing::Length)
        };
        Self { framing, limit, bytes: Vec::new() }
    }

    /// Takes what it can from `buf` and says whether that was all.
    pub(crate) fn receive(&mut self, buf: &mut BytesMut) -> bool {
        loop {
            match self.framing {
                Framing::Length(0) | Framing::Broken => return true,
                _ if self.bytes.len() >= self.limit => return true,
                _ if buf.is_empty() => return false,
                Framing::UntilClose => {
                    self.take(u64::MAX, buf);
                }
                Framing::Length(left) => {
                    self.framing = Framing::Length(left - self.take(left, buf))
                }
                Framing::Chunk(0) => {
                    let Some(line_end) = buf.get(..2) else { return false };
                    let is_line_end = line_end == b"\r\n";
                    buf.advance(2);
                    self.framing = if is_line_end { Framing::ChunkSize } else { Framing::Broken };
                }
                Framing::Chunk(left) => self.framing = Framing::Chunk(left - self.take(left, buf)),
                Framing::ChunkSize => match httparse::parse_chunk_size(buf) {
                    Ok(httparse::Status::Complete((size, chunk))) if size <= MAX_SIZE_LINE => {
                        buf.advance(size);
                        self.framing =
                            if chunk == 0 { Framing::Length(0) } else { Framing::Chunk(chunk) };
                    }
                    Ok(httparse::Status::Partial) if buf.len() < MAX_SIZE_LINE => return false,
                    _ => self.framing = Framing::Broken,
                },
            }
        }
    }

    /// What was kept, and whether there is or was more.
    pub(crate) fn finish(self, at_eof: bool) -> (Vec<u8>, bool) {
        let is_whole = self.framing == Framing::Length(0)
            || (self.framing == Framing::UntilClose && at_eof && self.bytes.len() < self.limit);
        (self.bytes, !is_whole)
    }

    /// Moves up to `max` bytes out of `buf`, within the limit, and says how many.
    fn take(&mut self, max: u64, buf: &mut BytesMut) -> u64 {
        let room = self.limit - self.bytes.len();
        let size = buf.len().min(room).min(usize::try_from(max).unwrap_or(usize::MAX));
        self.bytes.extend_from_slice(&buf.split_to(size));
        size as u64
    }
}

/// How long the line before a chunk may be, with its extensions.
const MAX_SIZE_LINE: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    /// Kept bytes, whether the end was seen, whether it was truncated; same for every cut.
    fn read(headers: &[(&str, &str)], body: &str, limit: usize) -> (String, bool, bool) {
        let run = |cut: usize| {
            let mut reader = Body::new(404, headers, limit);
            let mut buf = BytesMut::new();
            let mut done = false;
            for part in body.as_bytes().chunks(cut) {
                buf.extend_from_slice(part);
                done = done || reader.receive(&mut buf);
            }
            let (bytes, truncated) = reader.finish(!done);
            (String::from_utf8_lossy(&bytes).into_owned(), done, truncated)
        };
        let whole = run(body.len().max(1));
        for cut in 1..body.len() {
            assert_eq!(run(cut), whole, "cut {cut}");
        }
        whole
    }

    #[test]
    fn bodies_are_kept_up_to_the_limit_however_they_are_framed() {
        let length = [("Content-Length", "5")];
        let chunked = [("Transfer-Encoding", "gzip, chunked")];
        let text = |kept: &str, done, truncated| (kept.to_owned(), done, truncated);
        assert_eq!(read(&length, "hello", 9), text("hello", true, false));
        assert_eq!(read(&length, "helloworld", 9), text("hello", true, false));
        assert_eq!(read(&length, "hel", 9), text("hel", false, true));
        assert_eq!(read(&length, "hello", 3), text("hel", true, true));
        assert_eq!(
            read(&[("Content-Length", "18446744073709551615")], "a", 9),
            text("a", false, true)
        );
        assert_eq!(read(&[("Content-Length", "-1")], "abc", 9), text("abc", false, false));
        assert_eq!(read(&[], "abc", 9), text("abc", false, false));
        assert_eq!(read(&[], "abc", 2), text("ab", true, true));
        assert_eq!(
            read(&chunked, "2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n", 9),
            text("abc", true, false)
        );
        assert_eq!(read(&chunked, "2\r\nabX", 9), text("ab", false, true));
        assert_eq!(read(&chunked, "2\r\nabXY", 9), text("ab", true, true));
        assert_eq!(read(&chunked, "zz\r\n", 9), text("", true, true));
        assert_eq!(read(&chunked, "ffffffffffffffff\r\nab", 9), text("ab", false, true));
        assert_eq!(read(&chunked, &format!("1;{}", "x".repeat(300)), 9), text("", true, true));
        let long = format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(MAX_SIZE_LINE - 4));
        assert_eq!(read(&chunked, &long, 9), text("a", true, false));
        let longer = long.replacen('x', "xx", 1);
        assert_eq!(read(&chunked, &longer, 9), text("", true, true));
    }
}
