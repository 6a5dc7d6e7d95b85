//! A slow, obvious inflater (RFC 1951) to compare with, and small things every test needs.
//!
//! It reads bit by bit, keeps all output of all messages in one vector, and notes the largest
//! distance. It shares no code with the crate or with zlib.

#![expect(clippy::indexing_slicing, reason = "a test may fail by panicking")]

use bytes::BytesMut;
use ws_deflate::{Deflater, Error, InflateLimits, Inflater};

/// A peer that inflates by the book.
#[derive(Debug, Default)]
pub(crate) struct Reference {
    /// Output of all messages.
    pub(crate) output: Vec<u8>,
    /// Largest distance of any match.
    pub(crate) max_distance: usize,
}

impl Reference {
    /// Inflates a message; `None` if it is corrupt or not whole.
    ///
    /// Whole is what the four bytes complete with an empty stored block, and what ends with a final
    /// block. What they happen to complete in another way is not.
    pub(crate) fn inflate(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        let start = self.output.len();
        let bytes: Vec<u8> = [payload, &[0x00, 0x00, 0xff, 0xff]].concat();
        let mut bits = Bits { bytes: &bytes, at: 0 };
        loop {
            let tail = payload.len() * 8;
            let (from, last) = (bits.at, self.block(&mut bits)?);
            if bits.at > tail {
                let header = tail.checked_sub(from)?;
                let is_tail = bits.at == bytes.len() * 8 && (3..=10).contains(&header);
                return is_tail.then(|| self.output[start..].to_vec());
            }
            if last {
                // What follows starts at a byte boundary (RFC 7692 §7.2.3.5).
                bits.align();
                if bits.at == tail {
                    return Some(self.output[start..].to_vec());
                }
            }
        }
    }

    fn block(&mut self, bits: &mut Bits<'_>) -> Option<bool> {
        let last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => self.stored(bits)?,
            1 => {
                let lengths: Vec<u8> = (0..288)
                    .map(|symbol| match symbol {
                        0..144 => 8,
                        144..256 => 9,
                        256..280 => 7,
                        _ => 8,
                    })
                    .collect();
                self.codes(bits, &Tree::new(&lengths)?, &Tree::new(&[5; 30])?)?;
            }
            2 => {
                let (literals, distances) = dynamic_trees(bits)?;
                self.codes(bits, &literals, &distances)?;
            }
            _ => return None,
        }
        Some(last)
    }

    fn stored(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        bits.align();
        let (len, not_len) = (bits.take(16)?, bits.take(16)?);
        if len != !not_len & 0xffff {
            return None;
        }
        for _ in 0..len {
            self.output.push(u8::try_from(bits.take(8)?).ok()?);
        }
        Some(())
    }

    fn codes(&mut self, bits: &mut Bits<'_>, literals: &Tree, distances: &Tree) -> Option<()> {
        loop {
            let symbol = literals.read(bits)?;
            match symbol {
                0..256 => self.output.push(u8::try_from(symbol).ok()?),
                256 => return Some(()),
                _ => {
                    let (base, extra) = *LENGTHS.get(symbol - 257)?;
                    let length = base + bits.take(extra)?;
                    let (base, extra) = *DISTANCES.get(distances.read(bits)?)?;
                    let distance = base + bits.take(extra)?;
                    self.max_distance = self.max_distance.max(distance);
                    for _ in 0..length {
                        let from = self.output.len().checked_sub(distance)?;
                        self.output.push(self.output[from]);
                    }
                }
            }
        }
    }
}

fn dynamic_trees(bits: &mut Bits<'_>) -> Option<(Tree, Tree)> {
    let literals = bits.take(5)? + 257;
    let distances = bits.take(5)? + 1;
    let coded = bits.take(4)? + 4;
    if literals > 286 || distances > 30 {
        return None;
    }
    let mut code_lengths = [0; 19];
    for at in &CODE_LENGTH_ORDER[..coded] {
        code_lengths[*at] = u8::try_from(bits.take(3)?).ok()?;
    }
    let tree = Tree::new(&code_lengths)?;
    if !tree.is_complete() {
        return None;
    }
    let mut lengths: Vec<u8> = Vec::new();
    while lengths.len() < literals + distances {
        let (value, times) = match tree.read(bits)? {
            16 => (*lengths.last()?, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            18 => (0, 11 + bits.take(7)?),
            length => (u8::try_from(length).ok()?, 1),
        };
        lengths.extend(std::iter::repeat_n(value, times));
    }
    if lengths.len() > literals + distances || lengths[256] == 0 {
        return None;
    }
    let (literals, distances) = lengths.split_at(literals);
    let (literals, distances) = (Tree::new(literals)?, Tree::new(distances)?);
    // zlib takes an incomplete set only when it is a single code of one bit.
    let fine = |tree: &Tree| tree.is_complete() || tree.is_single();
    (fine(&literals) && fine(&distances)).then_some((literals, distances))
}

/// A canonical Huffman code: how many codes of each length, and their symbols in order.
struct Tree {
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Tree {
    /// `None` when over-subscribed.
    fn new(lengths: &[u8]) -> Option<Self> {
        let mut counts = [0; 16];
        let mut symbols = Vec::new();
        for length in 1..16_u8 {
            for (symbol, _) in lengths.iter().enumerate().filter(|(_, of)| **of == length) {
                counts[usize::from(length)] += 1;
                symbols.push(symbol);
            }
        }
        let tree = Self { counts, symbols };
        (tree.room()? >= 0).then_some(tree)
    }

    fn room(&self) -> Option<i64> {
        self.counts[1..].iter().try_fold(1_i64, |left, count| {
            let left = left * 2 - i64::try_from(*count).ok()?;
            (left >= 0).then_some(left)
        })
    }

    fn is_complete(&self) -> bool {
        self.room() == Some(0)
    }

    fn is_single(&self) -> bool {
        self.symbols.len() <= 1 && self.counts[1] == self.symbols.len()
    }

    fn read(&self, bits: &mut Bits<'_>) -> Option<usize> {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in &self.counts[1..] {
            code |= bits.take(1)?;
            if code < first + count {
                return self.symbols.get(index + code - first).copied();
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        None
    }
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Option<usize> {
        let mut value = 0;
        for bit in 0..count {
            let byte = *self.bytes.get(self.at / 8)?;
            value |= usize::from(byte >> (self.at % 8) & 1) << bit;
            self.at += 1;
        }
        Some(value)
    }

    fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }
}

const CODE_LENGTH_ORDER: [usize; 19] =
    [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Base and extra bits of the length symbols from 257 on.
const LENGTHS: [(usize, usize); 29] = [
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (8, 0),
    (9, 0),
    (10, 0),
    (11, 1),
    (13, 1),
    (15, 1),
    (17, 1),
    (19, 2),
    (23, 2),
    (27, 2),
    (31, 2),
    (35, 3),
    (43, 3),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 4),
    (115, 4),
    (131, 5),
    (163, 5),
    (195, 5),
    (227, 5),
    (258, 0),
];

/// Base and extra bits of the distance symbols.
const DISTANCES: [(usize, usize); 30] = [
    (1, 0),
    (2, 0),
    (3, 0),
    (4, 0),
    (5, 1),
    (7, 1),
    (9, 2),
    (13, 2),
    (17, 3),
    (25, 3),
    (33, 4),
    (49, 4),
    (65, 5),
    (97, 5),
    (129, 6),
    (193, 6),
    (257, 7),
    (385, 7),
    (513, 8),
    (769, 8),
    (1025, 9),
    (1537, 9),
    (2049, 10),
    (3073, 10),
    (4097, 11),
    (6145, 11),
    (8193, 12),
    (12289, 12),
    (16385, 13),
    (24577, 13),
];

/// Compresses a whole message.
pub(crate) fn deflate(deflater: &mut Deflater, message: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    deflater.compress(message, true, &mut out);
    out
}

/// Inflates a whole message in pieces of `piece` bytes.
pub(crate) fn inflate(
    inflater: &mut Inflater,
    payload: &[u8],
    piece: usize,
) -> Result<Vec<u8>, Error> {
    let limits = InflateLimits::default();
    let mut out = BytesMut::new();
    for piece in payload.chunks(piece) {
        inflater.inflate(piece, &mut out, &limits)?;
    }
    inflater.finish(&limits)?;
    Ok(out.to_vec())
}

/// Bytes that look like nothing, the same on every run.
pub(crate) fn noise(len: usize, mut seed: u64) -> Vec<u8> {
    std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed.to_be_bytes()[0]
    })
    .take(len)
    .collect()
}

/// JSON of at least `len` bytes, cut there: like what people send.
pub(crate) fn json(len: usize, seed: u64) -> Vec<u8> {
    let mut text = Vec::new();
    for (index, byte) in noise(len, seed).iter().enumerate() {
        if text.len() >= len {
            break;
        }
        let name = ["alice", "bob", "carol", "dave"][usize::from(byte % 4)];
        let record = format!(
            "{{\"id\":{},\"user\":\"{name}\",\"price\":{}.{byte:02},\"ok\":{}}},",
            index * 7919,
            u32::from(*byte) * 37,
            byte % 3 == 0
        );
        text.extend_from_slice(record.as_bytes());
    }
    text.truncate(len);
    text
}
