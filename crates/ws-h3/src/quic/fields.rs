//! Edits one line of a QPACK-encoded field section (RFC 9204 §4.5), without tables.
//!
//! `h3` knows a closed set of `:protocol` values and refuses `websocket`. The name `:protocol` is in
//! no static table and we offer no dynamic one, so its line is always a literal with a literal name,
//! plain or in the one Huffman spelling. That line can be found by walking lengths: every other line
//! is copied as raw bytes, no table and no Huffman decoder is needed.
//!
//! The walk also judges what `h3` leaves unjudged: order and repetition of pseudo-headers, plain
//! upper-case names, the number of lines (RFC 9114 §4.2, §4.3).

use std::error::Error;
use std::fmt;

use bytes::{BufMut, BytesMut};

/// Copies the request section `block` to `out`, without its `:protocol` line; the value of that line
/// goes verbatim into a line named `private` at the end, where it is an ordinary field.
///
/// Lines of the peer that are named `private` in plain spelling are left out; a reader must still
/// refuse more than one such field. At most `max_fields` fields are let through; the lines of a cookie
/// are one. Returns the pseudo-headers that were present.
///
/// # Errors
///
/// [`FieldError`] says what is wrong with the section; `out` then holds a part of it.
pub fn lift_protocol(
    block: &[u8],
    private: &str,
    max_fields: usize,
    out: &mut BytesMut,
) -> Result<PseudoHeaders, FieldError> {
    let (prefix, lines) = Lines::new(block)?;
    out.reserve(block.len() + private.len() + INTEGER_MAX);
    out.put_slice(prefix);
    let mut order = Order::new(max_fields);
    let mut protocol = None;
    for line in lines {
        let line = line?;
        match order.admit(&line.name)? {
            Some(PseudoHeader::Status) => return Err(FieldError::UnknownPseudoHeader),
            Some(PseudoHeader::Protocol) => protocol = Some(line.value),
            None if line.name.is_plain(private.as_bytes()) => {}
            _ => out.put_slice(line.raw),
        }
    }
    if let Some(value) = protocol {
        put_integer(out, LITERAL_NAME, 3, private.len() as u64);
        out.put_slice(private.as_bytes());
        out.put_slice(value);
    }
    Ok(order.seen)
}

/// Judges the field section of a response: one `:status` and no other pseudo-header, before at most
/// `max_fields` fields.
///
/// # Errors
///
/// [`FieldError`] says what is wrong with the section.
pub fn check_response(block: &[u8], max_fields: usize) -> Result<(), FieldError> {
    let (_, lines) = Lines::new(block)?;
    let mut order = Order::new(max_fields);
    for line in lines {
        match order.admit(&line?.name)? {
            None | Some(PseudoHeader::Status) => {}
            Some(_) => return Err(FieldError::UnknownPseudoHeader),
        }
    }
    Ok(())
}

/// Copies the request section `block` to `out`, with `value` (at most 64 KiB) as the value of its
/// `:protocol` line. Returns whether there was such a line.
///
/// # Errors
///
/// [`FieldError`] when the section cannot be walked; `out` then holds a part of it.
pub fn rewrite_protocol(block: &[u8], value: &str, out: &mut BytesMut) -> Result<bool, FieldError> {
    let (prefix, lines) = Lines::new(block)?;
    out.reserve(block.len() + value.len() + INTEGER_MAX);
    out.put_slice(prefix);
    let mut found = false;
    for line in lines {
        let line = line?;
        if line.name.pseudo()? == Some(PseudoHeader::Protocol) {
            found = true;
            // The raw line without its value is the name as it was spelled.
            let name = line.raw.len() - line.value.len();
            out.put_slice(line.raw.get(..name).unwrap_or_default());
            put_integer(out, 0, 7, value.len() as u64);
            out.put_slice(value.as_bytes());
        } else {
            out.put_slice(line.raw);
        }
    }
    Ok(found)
}

/// A pseudo-header of RFC 9114 §4.3 or RFC 9220 §3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PseudoHeader {
    /// `:authority`
    Authority,
    /// `:method`
    Method,
    /// `:path`
    Path,
    /// `:protocol`
    Protocol,
    /// `:scheme`
    Scheme,
    /// `:status`, which belongs to responses.
    Status,
}

impl PseudoHeader {
    /// The name with its colon.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Authority => ":authority",
            Self::Method => ":method",
            Self::Path => ":path",
            Self::Protocol => ":protocol",
            Self::Scheme => ":scheme",
            Self::Status => ":status",
        }
    }

    /// By index in the static table (RFC 9204 appendix A).
    fn from_static(index: u64) -> Option<Self> {
        match index {
            0 => Some(Self::Authority),
            1 => Some(Self::Path),
            15..=21 => Some(Self::Method),
            22..=23 => Some(Self::Scheme),
            24..=28 | 63..=71 => Some(Self::Status),
            _ => None,
        }
    }

    fn from_plain(name: &[u8]) -> Option<Self> {
        const ALL: [PseudoHeader; 6] = [
            PseudoHeader::Authority,
            PseudoHeader::Method,
            PseudoHeader::Path,
            PseudoHeader::Protocol,
            PseudoHeader::Scheme,
            PseudoHeader::Status,
        ];
        ALL.into_iter().find(|pseudo| pseudo.name().as_bytes() == name)
    }

    /// By the one valid Huffman spelling (RFC 7541 §5.2) of each name.
    fn from_huffman(name: &[u8]) -> Option<Self> {
        match name {
            [0xb8, 0x3b, 0x53, 0x39, 0xec, 0x32, 0x7d, 0x7f] => Some(Self::Authority),
            [0xb9, 0x49, 0x53, 0x39, 0xe4] => Some(Self::Method),
            [0xb9, 0x58, 0xd3, 0x3f] => Some(Self::Path),
            [0xb9, 0x5d, 0x87, 0x49, 0xc8, 0x7a, 0x3f] => Some(Self::Protocol),
            [0xb8, 0x82, 0x4e, 0x5a, 0x4b] => Some(Self::Scheme),
            [0xb8, 0x84, 0x8d, 0x36, 0xa3] => Some(Self::Status),
            _ => None,
        }
    }
}

/// The pseudo-headers a request carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PseudoHeaders(u8);

impl PseudoHeaders {
    /// Whether `pseudo` was among them.
    #[must_use]
    pub fn has(self, pseudo: PseudoHeader) -> bool {
        self.0 & (1 << pseudo as u8) != 0
    }

    fn insert(&mut self, pseudo: PseudoHeader) {
        self.0 |= 1 << pseudo as u8;
    }
}

/// What is wrong with a field section.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldError {
    /// The section ends inside a line.
    Truncated,
    /// A prefix integer is above 2^62 − 1 or longer than such an integer can be (RFC 9204 §4.1.1).
    IntegerTooLarge,
    /// A line refers to the dynamic table, which was never offered.
    DynamicReference,
    /// The same pseudo-header comes twice.
    RepeatedPseudoHeader(PseudoHeader),
    /// A pseudo-header comes after an ordinary field.
    MisplacedPseudoHeader,
    /// A name begins with a colon but is no pseudo-header of this kind of message.
    UnknownPseudoHeader,
    /// A name has upper-case letters.
    UppercaseName,
    /// There are more fields than allowed.
    TooManyFields {
        /// How many are allowed.
        max: usize,
    },
}

impl FieldError {
    /// Whether the section could not be decoded at all, which ends the connection
    /// (RFC 9204 §2.2); the others concern one message (RFC 9114 §4.1.2).
    #[must_use]
    pub fn is_undecodable(&self) -> bool {
        matches!(self, Self::Truncated | Self::IntegerTooLarge | Self::DynamicReference)
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the field section ends inside a line"),
            Self::IntegerTooLarge => f.write_str("a prefix integer has more than 62 bits"),
            Self::DynamicReference => {
                f.write_str("a line refers to the dynamic table, which was not offered")
            }
            Self::RepeatedPseudoHeader(pseudo) => write!(f, "{} comes twice", pseudo.name()),
            Self::MisplacedPseudoHeader => {
                f.write_str("a pseudo-header comes after an ordinary field")
            }
            Self::UnknownPseudoHeader => f.write_str(
                "a field name begins with a colon but is no pseudo-header of this message",
            ),
            Self::UppercaseName => f.write_str("a field name has upper-case letters"),
            Self::TooManyFields { max } => write!(f, "more than the {max} fields allowed"),
        }
    }
}

impl Error for FieldError {}

/// The rules that hold from line to line (RFC 9114 §4.3).
struct Order {
    seen: PseudoHeaders,
    /// How many fields there are, of which the cookie is one in however many lines (RFC 9114 §4.2.1).
    fields: usize,
    max_fields: usize,
    has_cookie: bool,
}

impl Order {
    fn new(max_fields: usize) -> Self {
        Self { seen: PseudoHeaders::default(), fields: 0, max_fields, has_cookie: false }
    }

    /// Admits the next name, and says which pseudo-header it is.
    fn admit(&mut self, name: &Name<'_>) -> Result<Option<PseudoHeader>, FieldError> {
        let pseudo = name.pseudo()?;
        match pseudo {
            Some(_) if self.fields > 0 => return Err(FieldError::MisplacedPseudoHeader),
            Some(pseudo) if self.seen.has(pseudo) => {
                return Err(FieldError::RepeatedPseudoHeader(pseudo));
            }
            Some(pseudo) => self.seen.insert(pseudo),
            None => {
                let is_cookie = name.is_cookie();
                self.fields += usize::from(!(is_cookie && self.has_cookie));
                self.has_cookie |= is_cookie;
                if self.fields > self.max_fields {
                    return Err(FieldError::TooManyFields { max: self.max_fields });
                }
            }
        }
        Ok(pseudo)
    }
}

/// One field line, cut out of the section but not decoded.
struct Line<'a> {
    raw: &'a [u8],
    name: Name<'a>,
    /// The value as encoded, its length included; empty where an index stands for it.
    value: &'a [u8],
}

enum Name<'a> {
    Static(u64),
    Plain(&'a [u8]),
    Huffman(&'a [u8]),
}

impl Name<'_> {
    fn pseudo(&self) -> Result<Option<PseudoHeader>, FieldError> {
        let known = match *self {
            Self::Static(index) => return Ok(PseudoHeader::from_static(index)),
            Self::Plain(name) if name.first() == Some(&b':') => PseudoHeader::from_plain(name),
            // A colon is 1011100 in the Huffman code, and no other code begins so.
            Self::Huffman(name) if name.first().is_some_and(|byte| byte >> 1 == 0x5c) => {
                PseudoHeader::from_huffman(name)
            }
            Self::Plain(name) if name.iter().any(u8::is_ascii_uppercase) => {
                return Err(FieldError::UppercaseName);
            }
            _ => return Ok(None),
        };
        known.map(Some).ok_or(FieldError::UnknownPseudoHeader)
    }

    fn is_cookie(&self) -> bool {
        match *self {
            Self::Static(index) => index == COOKIE,
            Self::Plain(name) => name == b"cookie",
            Self::Huffman(name) => name == [0x21, 0xcf, 0xd4, 0xc5],
        }
    }

    fn is_plain(&self, wanted: &[u8]) -> bool {
        matches!(self, Self::Plain(name) if *name == wanted)
    }
}

/// Cuts a field section into lines.
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    /// Returns the section's prefix (RFC 9204 §4.5.1) and its lines.
    fn new(block: &'a [u8]) -> Result<(&'a [u8], Self), FieldError> {
        let mut rest = block;
        let (_, insert_count) = take_integer(&mut rest, 8)?;
        let (_, _) = take_integer(&mut rest, 7)?;
        if insert_count != 0 {
            return Err(FieldError::DynamicReference);
        }
        let prefix = block.len() - rest.len();
        Ok((block.get(..prefix).unwrap_or_default(), Self { rest }))
    }

    fn line(&mut self) -> Result<Line<'a>, FieldError> {
        let start = self.rest;
        let first = start.first().copied().unwrap_or_default();
        let name = match first {
            // Indexed field line: 1Tiiiiii
            0x80.. => Name::Static(self.index(6, first & 0x40 != 0)?),
            // Literal with name reference: 01NTiiii
            0x40.. => Name::Static(self.index(4, first & 0x10 != 0)?),
            // Literal with literal name: 001NHlll
            0x20.. => {
                let name = self.string(3)?;
                if first & 0x08 != 0 { Name::Huffman(name) } else { Name::Plain(name) }
            }
            // Post-base forms, which only refer to the dynamic table.
            _ => return Err(FieldError::DynamicReference),
        };
        let value = self.rest;
        if first < 0x80 {
            self.string(7)?;
        }
        let cut = |from: &'a [u8]| from.get(..from.len() - self.rest.len()).unwrap_or_default();
        Ok(Line { raw: cut(start), name, value: cut(value) })
    }

    fn index(&mut self, bits: u32, is_static: bool) -> Result<u64, FieldError> {
        let (_, index) = take_integer(&mut self.rest, bits)?;
        if is_static { Ok(index) } else { Err(FieldError::DynamicReference) }
    }

    fn string(&mut self, bits: u32) -> Result<&'a [u8], FieldError> {
        let (_, length) = take_integer(&mut self.rest, bits)?;
        let length = usize::try_from(length).map_err(|_| FieldError::Truncated)?;
        let (string, rest) = self.rest.split_at_checked(length).ok_or(FieldError::Truncated)?;
        self.rest = rest;
        Ok(string)
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Result<Line<'a>, FieldError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let line = self.line();
        if line.is_err() {
            self.rest = &[];
        }
        Some(line)
    }
}

/// Takes a prefix integer of `bits` bits (RFC 9204 §4.1.1); returns the flags above it and its value.
fn take_integer(rest: &mut &[u8], bits: u32) -> Result<(u8, u64), FieldError> {
    let (&first, mut tail) = rest.split_first().ok_or(FieldError::Truncated)?;
    let mask = u8::MAX >> (8 - bits);
    let flags = first & !mask;
    let mut value = u64::from(first & mask);
    if first & mask == mask {
        let mut shift = 0;
        loop {
            let (&byte, after) = tail.split_first().ok_or(FieldError::Truncated)?;
            tail = after;
            // Nine groups of seven bits are 63: enough for 62 bits, and no overflow in 64.
            if shift > 56 {
                return Err(FieldError::IntegerTooLarge);
            }
            value += u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
    }
    if value > MAX_INTEGER {
        return Err(FieldError::IntegerTooLarge);
    }
    *rest = tail;
    Ok((flags, value))
}

/// Puts `value` as a prefix integer of `bits` bits below `flags`.
fn put_integer(out: &mut BytesMut, flags: u8, bits: u32, value: u64) {
    let mask = u64::from(u8::MAX >> (8 - bits));
    let low = |value: u64| value.to_le_bytes()[0];
    if value < mask {
        out.put_u8(flags | low(value));
        return;
    }
    out.put_u8(flags | low(mask));
    let mut value = value - mask;
    while value >= 0x80 {
        out.put_u8(low(value) | 0x80);
        value >>= 7;
    }
    out.put_u8(low(value));
}

const MAX_INTEGER: u64 = (1 << 62) - 1;
/// Room for the integers a new line needs.
const INTEGER_MAX: usize = 24;
/// The place of `cookie` in the static table (RFC 9204 appendix A).
const COOKIE: u64 = 5;
/// Literal field line with literal name, not Huffman coded: `0010Hlll`.
const LITERAL_NAME: u8 = 0x20;

#[cfg(test)]
#[path = "fields_tests.rs"]
mod tests;
