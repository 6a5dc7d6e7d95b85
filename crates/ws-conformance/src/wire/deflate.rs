//! permessage-deflate, RFC 7692: the agreed parameters, and the two ends of a stream
//! as a plain use of flate2.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::extension::Element;

/// The name of the extension.
pub(crate) const NAME: &str = "permessage-deflate";

/// What both sides agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Agreement {
    pub(crate) server_no_takeover: bool,
    pub(crate) client_no_takeover: bool,
    pub(crate) server_bits: u8,
    pub(crate) client_bits: u8,
}

impl Default for Agreement {
    fn default() -> Self {
        let (server_no_takeover, client_no_takeover) = (false, false);
        Self { server_no_takeover, client_no_takeover, server_bits: 15, client_bits: 15 }
    }
}

impl Agreement {
    /// Reads an accepted or offered element by RFC 7692 §7.1; the error names the broken rule.
    /// `in_offer` decides which parameters may or must have a value.
    pub(crate) fn read(element: &Element, in_offer: bool) -> Result<Self, String> {
        let mut agreement = Self::default();
        let mut seen: Vec<&str> = Vec::new();
        for (name, value) in &element.parameters {
            if seen.contains(&name.as_str()) {
                return Err(format!("the parameter {name} appears twice"));
            }
            seen.push(name);
            match (name.as_str(), value.as_deref()) {
                ("server_no_context_takeover", None) => agreement.server_no_takeover = true,
                ("client_no_context_takeover", None) => agreement.client_no_takeover = true,
                ("server_max_window_bits", Some(bits)) => agreement.server_bits = window(bits)?,
                ("client_max_window_bits", Some(bits)) => agreement.client_bits = window(bits)?,
                ("client_max_window_bits", None) if in_offer => {}
                (other, value) => return Err(format!("{other} with value {value:?} is not legal")),
            }
        }
        Ok(agreement)
    }
}

/// A window size: decimal, 8 to 15, no leading zero.
fn window(text: &str) -> Result<u8, String> {
    match text.parse::<u8>() {
        Ok(bits @ 8..=15) if !text.starts_with(['0', '+']) => Ok(bits),
        _ => Err(format!("{text:?} is no window size from 8 to 15")),
    }
}

/// Compresses the messages of one direction.
#[derive(Debug)]
pub(crate) struct Deflater {
    stream: Compress,
    fresh_each: bool,
}

impl Deflater {
    /// `bits` of 8 are written with stored blocks only, since no encoder honours them otherwise.
    pub(crate) fn new(bits: u8, fresh_each: bool, level: u32) -> Self {
        let level = if bits == 8 { Compression::none() } else { Compression::new(level) };
        let stream = Compress::new_with_window_bits(level, false, bits.max(9));
        Self { stream, fresh_each }
    }

    /// One message, without the four octets that end every message.
    pub(crate) fn message(&mut self, data: &[u8]) -> Vec<u8> {
        let start = self.stream.total_in();
        let mut out = Vec::with_capacity(data.len() / 2 + 64);
        loop {
            out.reserve(out.len().clamp(256, 1024 * 1024));
            let done = usize::try_from(self.stream.total_in() - start).unwrap_or(usize::MAX);
            let rest = data.get(done..).unwrap_or_default();
            let room = out.capacity() - out.len();
            let before = out.len();
            // Deflating into a vector with room cannot fail; a stall would end the loop below.
            let _ = self.stream.compress_vec(rest, &mut out, FlushCompress::Sync);
            let taken = self.stream.total_in() - start == data.len() as u64;
            if taken && out.len() - before < room {
                break;
            }
        }
        if out.ends_with(&[0, 0, 0xFF, 0xFF]) {
            out.truncate(out.len() - 4);
        }
        if self.fresh_each {
            self.stream.reset();
        }
        // RFC 7692 §7.2.3.6: an empty message is one octet, never none.
        if out.is_empty() { vec![0] } else { out }
    }
}

/// Decompresses the messages of one direction.
#[derive(Debug)]
pub(crate) struct Inflater {
    stream: Decompress,
    fresh_each: bool,
    /// The last 32 KiB of earlier messages, for a stream that begins anew in mid-window.
    window: Vec<u8>,
}

impl Inflater {
    pub(crate) fn new(bits: u8, fresh_each: bool) -> Self {
        let stream = Decompress::new_with_window_bits(false, bits.max(9));
        Self { stream, fresh_each, window: Vec::new() }
    }

    /// One message; the error says what is wrong with it, or that it exceeds `limit` octets.
    pub(crate) fn message(&mut self, data: &[u8], limit: usize) -> Result<Vec<u8>, String> {
        let mut out = Vec::with_capacity((data.len() * 2).clamp(256, 1024 * 1024));
        let is_at_end = self.take(data, &mut out, limit)?;
        if !is_at_end {
            self.take(&[0, 0, 0xFF, 0xFF], &mut out, limit)?;
            self.take_nothing()?;
        }
        if self.fresh_each {
            self.stream.reset(false);
        } else {
            remember(&mut self.window, &out);
        }
        Ok(out)
    }

    /// Whether a block has ended, as every message must (RFC 7692 §7.2.1): then empty blocks give
    /// nothing, and inside of a block they are anything but empty blocks.
    fn take_nothing(&mut self) -> Result<(), String> {
        // More octets than the longest part of a block that gives nothing, a table of its codes.
        let blocks = [0, 0, 0, 0xFF, 0xFF].repeat(128);
        let mut more = Vec::new();
        match self.take(&blocks, &mut more, usize::MAX) {
            Ok(_) if more.is_empty() => Ok(()),
            _ => Err("it ends inside a block of deflate (RFC 7692 §7.2.1)".into()),
        }
    }

    /// Whether the last octet was that of a final block.
    fn take(&mut self, data: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<bool, String> {
        let (mut rest, mut is_at_end) = (data, false);
        loop {
            if out.len() > limit {
                return Err(format!("inflates to more than {limit} octets"));
            }
            if out.capacity() - out.len() < 256 {
                out.reserve(out.len().clamp(1024, 1024 * 1024));
            }
            let (consumed, produced) = (self.stream.total_in(), self.stream.total_out());
            let status = self
                .stream
                .decompress_vec(rest, out, FlushDecompress::Sync)
                .map_err(|error| format!("not a deflate stream: {error}"))?;
            let step = usize::try_from(self.stream.total_in() - consumed).unwrap_or(usize::MAX);
            rest = rest.get(step..).unwrap_or_default();
            match status {
                // A final block ends a stream of deflate, not the message (§7.2.3.4).
                Status::StreamEnd => {
                    self.restart(out);
                    is_at_end = rest.is_empty();
                }
                _ if rest.is_empty() && out.len() < out.capacity() => return Ok(is_at_end),
                _ if step == 0 && self.stream.total_out() == produced && !rest.is_empty() => {
                    return Err("the deflate stream does not go on".into());
                }
                _ => {}
            }
        }
    }

    /// Goes on after a final block, with the window as it stood.
    fn restart(&mut self, out: &[u8]) {
        self.stream.reset(false);
        let mut window = self.window.clone();
        remember(&mut window, out);
        // Feeding the window as stored blocks primes the inflater without a dictionary call.
        let mut sink = Vec::with_capacity(40 * 1024);
        for chunk in window.chunks(16 * 1024) {
            let [low, high] = u16::try_from(chunk.len()).unwrap_or(u16::MAX).to_le_bytes();
            let block = [&[0, low, high, !low, !high], chunk].concat();
            // Stored blocks are always valid.
            let _ = self.stream.decompress_vec(&block, &mut sink, FlushDecompress::Sync);
        }
    }
}

/// Keeps the last 32 KiB of `window` and `data`.
fn remember(window: &mut Vec<u8>, data: &[u8]) {
    const WINDOW: usize = 32 * 1024;
    let fresh = data.get(data.len().saturating_sub(WINDOW)..).unwrap_or_default();
    let excess = (window.len() + fresh.len()).saturating_sub(WINDOW);
    window.drain(..excess.min(window.len()));
    window.extend_from_slice(fresh);
}

#[cfg(test)]
mod tests {
    use super::super::extension::parse;
    use super::*;

    // RFC: PMD-7.2.3-01, PMD-7.2.2-01
    #[test]
    fn the_vectors_of_the_rfc_inflate_to_hello() {
        let vectors: [&[u8]; 5] = [
            &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
            &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
            &[0xf2, 0x48, 0x05, 0, 0, 0, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
            &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
        ];
        for vector in vectors {
            let mut inflater = Inflater::new(15, false);
            assert_eq!(inflater.message(vector, 100).as_deref(), Ok(&b"Hello"[..]));
            let second = inflater.message(&[0xf2, 0x00, 0x11, 0x00, 0x00], 100);
            assert_eq!(second.as_deref(), Ok(&b"Hello"[..]));
        }
        assert_eq!(Inflater::new(15, false).message(&[0], 9).as_deref(), Ok(&b""[..]));
    }

    // RFC: PMD-7.2.3-01
    #[test]
    fn a_message_ends_where_a_block_does() {
        let take = |octets: &[u8]| {
            let mut inflater = Inflater::new(15, false);
            let first = inflater.message(octets, 100)?;
            // Whatever the end was, the next message is not touched by it.
            let second = inflater.message(&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], 100)?;
            assert_eq!(second, b"Hello");
            Ok::<_, String>(first)
        };
        let whole: [&[u8]; 4] = [
            &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
            // A final block with nothing behind it: not what an encoder is to write, but an end.
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
            &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
        ];
        for octets in whole {
            assert_eq!(take(octets).as_deref(), Ok(&b"Hello"[..]), "{octets:02x?}");
        }
        let cut: [&[u8]; 5] = [
            &[],
            &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07],
            &[0xf2, 0x48, 0xcd, 0xc9],
            &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65],
            &[0x05, 0xc0, 0x81, 0x00],
        ];
        for octets in cut {
            assert!(take(octets).is_err(), "{octets:02x?}");
        }
    }

    #[test]
    fn messages_survive_the_round_trip_at_every_window() {
        for bits in 8..=15 {
            for fresh_each in [false, true] {
                let mut deflater = Deflater::new(bits, fresh_each, 6);
                let mut inflater = Inflater::new(bits, fresh_each);
                for size in [0, 1, 100, 5_000, 200_000_u64] {
                    let data: Vec<u8> =
                        (0..size).map(|n| (n * n / 7 % 251).to_le_bytes()[0]).collect();
                    let wire = deflater.message(&data);
                    assert!(!wire.is_empty());
                    assert_eq!(inflater.message(&wire, 1 << 20).as_ref(), Ok(&data));
                }
            }
        }
    }

    #[test]
    fn the_limit_stops_a_bomb() {
        let wire = Deflater::new(15, false, 9).message(&vec![0; 1 << 20]);
        assert!(Inflater::new(15, false).message(&wire, 1000).is_err());
    }

    // RFC: PMD-7.1.2.1-01, PMD-7.1.2.1-03, PMD-7.1.2.2-01, PMD-7-01, PMD-7-02
    #[test]
    fn parameters_are_read_by_the_table_of_the_rfc() {
        let read = |text: &str, in_offer| {
            let list = parse(text).expect("a valid header");
            Agreement::read(list.first().expect("one element"), in_offer)
        };
        assert_eq!(read("pmd; client_max_window_bits", true), Ok(Agreement::default()));
        assert!(read("pmd; client_max_window_bits", false).is_err());
        assert!(read("pmd; server_max_window_bits", true).is_err());
        let ten = Agreement { server_bits: 10, ..Agreement::default() };
        assert_eq!(read("pmd; server_max_window_bits=10", true), Ok(ten));
        for bad in ["7", "16", "08", "010", "x", "100", "+9"] {
            assert!(read(&format!("pmd; server_max_window_bits={bad}"), true).is_err(), "{bad}");
        }
        assert!(read("pmd; server_no_context_takeover=1", true).is_err());
        assert!(read("pmd; x", true).is_err());
    }
}
