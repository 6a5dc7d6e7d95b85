//! RFC 9204 §4.5 as far as it goes without a dynamic table: a field section as a list of lines.

/// A string as it stands: whether it is Huffman coded, and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Whether the bytes are Huffman coded.
    pub coded: bool,
    /// The bytes, not decoded.
    pub bytes: Vec<u8>,
}

/// How a line names its field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// By its index in the static table.
    Static(u64),
    /// By itself.
    Text(Text),
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// All bytes of the line.
    pub raw: Vec<u8>,
    /// The bytes before the value.
    pub before_value: Vec<u8>,
    /// The name.
    pub name: Name,
    /// The value; `None` where the index stands for it too.
    pub value: Option<Text>,
}

/// Why a section cannot be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undecodable {
    /// It ends too soon.
    Truncated,
    /// A number has more than 62 bits, or is longer than one with 62 bits can be.
    TooLarge,
    /// It refers to the dynamic table.
    Dynamic,
}

/// Reads the two numbers before the lines and returns the bytes that they take.
///
/// # Errors
///
/// The section cannot be read.
pub fn prefix(section: &[u8]) -> Result<usize, Undecodable> {
    let mut at = 0;
    let inserted = integer(section, &mut at, 8)?;
    integer(section, &mut at, 7)?;
    if inserted == 0 { Ok(at) } else { Err(Undecodable::Dynamic) }
}

/// Reads the line at `at`.
///
/// # Errors
///
/// The section cannot be read.
pub fn line(section: &[u8], at: &mut usize) -> Result<Line, Undecodable> {
    let from = *at;
    let first = section[from];
    let (name, value, before) = if first & 0x80 != 0 {
        let index = integer(section, at, 6)?;
        if first & 0x40 == 0 {
            return Err(Undecodable::Dynamic);
        }
        (Name::Static(index), None, *at)
    } else if first & 0x40 != 0 {
        let index = integer(section, at, 4)?;
        if first & 0x10 == 0 {
            return Err(Undecodable::Dynamic);
        }
        let before = *at;
        (Name::Static(index), Some(text(section, at, 7)?), before)
    } else if first & 0x20 != 0 {
        let name = text(section, at, 3)?;
        let before = *at;
        (Name::Text(name), Some(text(section, at, 7)?), before)
    } else {
        return Err(Undecodable::Dynamic);
    };
    let raw = section[from..*at].to_vec();
    Ok(Line { raw, before_value: section[from..before].to_vec(), name, value })
}

/// A string whose length has a prefix of `bits` bits; the Huffman bit is the one above.
fn text(section: &[u8], at: &mut usize, bits: u32) -> Result<Text, Undecodable> {
    let coded = section.get(*at).is_some_and(|first| first >> bits & 1 != 0);
    let len = integer(section, at, bits)?;
    let left = section.len() - *at;
    if len > left as u64 {
        return Err(Undecodable::Truncated);
    }
    let end = *at + usize::try_from(len).expect("not more than what is left");
    let bytes = section[*at..end].to_vec();
    *at = end;
    Ok(Text { coded, bytes })
}

/// RFC 7541 §5.1, in 128 bits so that nothing overflows.
fn integer(section: &[u8], at: &mut usize, bits: u32) -> Result<u64, Undecodable> {
    let mut next = || {
        let byte = section.get(*at).copied().ok_or(Undecodable::Truncated)?;
        *at += 1;
        Ok(u128::from(byte))
    };
    let most = (1 << bits) - 1;
    let mut value = next()? % (most + 1);
    if value == most {
        for group in 0.. {
            let byte = next()?;
            if group == 9 {
                return Err(Undecodable::TooLarge);
            }
            value += (byte % 128) << (7 * group);
            if byte < 128 {
                break;
            }
        }
    }
    if value >= 1 << 62 {
        return Err(Undecodable::TooLarge);
    }
    Ok(u64::try_from(value).expect("62 bits"))
}

/// Appends a number below `pattern`.
pub fn put_integer(out: &mut Vec<u8>, pattern: u8, bits: u32, value: usize) {
    let most = (1 << bits) - 1;
    let octet = |number: usize| u8::try_from(number).expect("seven bits and one");
    if value < most {
        return out.push(pattern + octet(value));
    }
    out.push(pattern + octet(most));
    let mut rest = value - most;
    while rest >= 128 {
        out.push(octet(rest % 128 + 128));
        rest /= 128;
    }
    out.push(octet(rest));
}
