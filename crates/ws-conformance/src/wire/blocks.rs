//! A slow and obvious reader of deflate, RFC 1951.
//!
//! It inflates like any other, and it reports what others hide: the kinds of blocks and how far
//! back a stream really reaches, so that an agreed window can be checked octet by octet.

/// What one message of deflate is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Anatomy {
    /// The farthest distance back, in octets.
    pub(crate) farthest: usize,
    /// Blocks that are stored, of fixed codes and of dynamic codes.
    pub(crate) blocks: [usize; 3],
}

/// Reads the message `data` (without its last four octets) that follows `history`, and appends
/// what it holds to `history`.
pub(crate) fn dissect(data: &[u8], history: &mut Vec<u8>) -> Result<Anatomy, &'static str> {
    let whole = [data, &[0, 0, 0xFF, 0xFF]].concat();
    let mut bits = Bits { data: &whole, at: 0 };
    let mut anatomy = Anatomy::default();
    while bits.left() >= 3 {
        let last = bits.take(1)? == 1;
        let kind = bits.take(2)?;
        if let Some(count) = anatomy.blocks.get_mut(kind) {
            *count += 1;
        }
        match kind {
            0 => stored(&mut bits, history)?,
            1 => {
                let (literals, distances) = fixed();
                coded(&mut bits, &literals, &distances, history, &mut anatomy)?;
            }
            2 => {
                let (literals, distances) = dynamic(&mut bits)?;
                coded(&mut bits, &literals, &distances, history, &mut anatomy)?;
            }
            _ => return Err("a block of the reserved kind"),
        }
        if last {
            bits.align();
        }
    }
    Ok(anatomy)
}

struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn left(&self) -> usize {
        self.data.len() * 8 - self.at
    }

    fn take(&mut self, count: usize) -> Result<usize, &'static str> {
        let mut value = 0;
        for bit in 0..count {
            let octet = self.data.get(self.at / 8).ok_or("the stream ends inside a block")?;
            value |= usize::from(octet >> (self.at % 8) & 1) << bit;
            self.at += 1;
        }
        Ok(value)
    }

    fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }
}

fn stored(bits: &mut Bits<'_>, history: &mut Vec<u8>) -> Result<(), &'static str> {
    bits.align();
    let (length, check) = (bits.take(16)?, bits.take(16)?);
    if length ^ check != 0xFFFF {
        return Err("the length of a stored block and its complement differ");
    }
    let start = bits.at / 8;
    let octets = bits.data.get(start..start + length).ok_or("the stream ends inside a block")?;
    history.extend_from_slice(octets);
    bits.at += length * 8;
    Ok(())
}

/// A Huffman code: for each length, the symbols in order.
struct Code(Vec<Vec<usize>>);

impl Code {
    fn new(lengths: &[usize]) -> Self {
        let mut by_length = vec![Vec::new(); 16];
        for (symbol, &length) in lengths.iter().enumerate().filter(|(_, length)| **length > 0) {
            if let Some(symbols) = by_length.get_mut(length) {
                symbols.push(symbol);
            }
        }
        Self(by_length)
    }

    fn read(&self, bits: &mut Bits<'_>) -> Result<usize, &'static str> {
        let (mut code, mut first) = (0, 0);
        for symbols in self.0.iter().skip(1) {
            code |= bits.take(1)?;
            if let Some(&symbol) = symbols.get(code - first) {
                return Ok(symbol);
            }
            first = (first + symbols.len()) << 1;
            code <<= 1;
        }
        Err("a code that is not in the table")
    }
}

fn fixed() -> (Code, Code) {
    let literals: Vec<usize> = (0..288)
        .map(|symbol| match symbol {
            0..=143 => 8,
            144..=255 => 9,
            256..=279 => 7,
            _ => 8,
        })
        .collect();
    (Code::new(&literals), Code::new(&[5; 30]))
}

fn dynamic(bits: &mut Bits<'_>) -> Result<(Code, Code), &'static str> {
    const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    let (literals, distances) = (bits.take(5)? + 257, bits.take(5)? + 1);
    let mut lengths = [0; 19];
    for place in ORDER.iter().take(bits.take(4)? + 4) {
        if let Some(length) = lengths.get_mut(*place) {
            *length = bits.take(3)?;
        }
    }
    let code = Code::new(&lengths);
    let mut all: Vec<usize> = Vec::new();
    while all.len() < literals + distances {
        let (value, times) = match code.read(bits)? {
            16 => (*all.last().ok_or("a repetition of nothing")?, bits.take(2)? + 3),
            17 => (0, bits.take(3)? + 3),
            18 => (0, bits.take(7)? + 11),
            length => (length, 1),
        };
        all.extend(std::iter::repeat_n(value, times));
    }
    let (literals, rest) = all.split_at_checked(literals).ok_or("code lengths out of bounds")?;
    Ok((Code::new(literals), Code::new(rest)))
}

fn coded(
    bits: &mut Bits<'_>,
    literals: &Code,
    distances: &Code,
    history: &mut Vec<u8>,
    anatomy: &mut Anatomy,
) -> Result<(), &'static str> {
    loop {
        let symbol = literals.read(bits)?;
        if let Ok(octet) = u8::try_from(symbol) {
            history.push(octet);
            continue;
        }
        let length = match symbol {
            256 => return Ok(()),
            257..=264 => symbol - 254,
            265..=284 => {
                let extra = (symbol - 261) / 4;
                (((symbol - 261) % 4 + 4) << extra) + 3 + bits.take(extra)?
            }
            285 => 258,
            _ => return Err("a length that does not exist"),
        };
        let distance = match distances.read(bits)? {
            short @ 0..=3 => short + 1,
            long @ 4..=29 => {
                let extra = (long - 2) / 2;
                ((long % 2 + 2) << extra) + 1 + bits.take(extra)?
            }
            _ => return Err("a distance that does not exist"),
        };
        anatomy.farthest = anatomy.farthest.max(distance);
        let start = history.len().checked_sub(distance).ok_or("a distance beyond the start")?;
        for at in start..start + length {
            let octet = *history.get(at).ok_or("a distance beyond the start")?;
            history.push(octet);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::deflate::Deflater;
    use super::*;

    #[test]
    fn the_vectors_of_the_rfc_are_dissected() {
        let mut history = Vec::new();
        let first = dissect(&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], &mut history);
        assert_eq!(first.map(|found| found.blocks), Ok([1, 1, 0]));
        let second = dissect(&[0xf2, 0x00, 0x11, 0x00, 0x00], &mut history);
        assert_eq!(second.map(|found| found.farthest), Ok(5));
        assert_eq!(history, b"HelloHello");
    }

    // RFC: PMD-7.2.1-08, PMD-7.2.1-09
    #[test]
    fn a_window_is_never_exceeded_by_an_encoder_that_honours_it() {
        let data: Vec<u8> =
            (0..60_000_u64).flat_map(|n| (n % 977).to_be_bytes().into_iter().skip(6)).collect();
        for bits in [9, 10, 12, 15] {
            let mut history = Vec::new();
            let wire = Deflater::new(bits, false, 9).message(&data);
            let anatomy = dissect(&wire, &mut history).expect("a valid stream");
            assert!(history == data && anatomy.farthest <= 1 << bits, "{bits}: {anatomy:?}");
        }
        let wire = Deflater::new(15, false, 9).message(&data);
        let anatomy = dissect(&wire, &mut Vec::new()).expect("a valid stream");
        assert!(anatomy.farthest > 1 << 9);
    }

    #[test]
    fn damage_is_named() {
        let table: [(&[u8], &str); 3] = [
            (&[0x06], "a block of the reserved kind"),
            (&[0x00, 5, 0, 5, 0], "the length of a stored block and its complement differ"),
            (&[0xf2, 0x00, 0x11, 0x00, 0x00], "a distance beyond the start"),
        ];
        for (data, expected) in table {
            assert_eq!(dissect(data, &mut Vec::new()), Err(expected));
        }
    }
}
