//! Masking (RFC 6455 §5.3): XOR with a repeated four-byte key, its own inverse.

use alloc::vec::Vec;

/// XORs `data` with `key`, beginning with the key byte that belongs to payload position `offset`.
///
/// Applying it twice gives the original. A payload may be masked in pieces: pass the number of
/// payload bytes before each piece as its `offset`.
#[inline]
pub fn mask(key: [u8; 4], offset: usize, data: &mut [u8]) {
    let key = rotate(key, offset);
    if data.len() < LONG {
        return mask_blocks(key, data);
    }
    mask_long(key, data);
}

#[inline(never)]
fn mask_long(key: [u8; 4], data: &mut [u8]) {
    // A store across two lines of the cache costs twice: the blocks begin at the start of a line.
    let lead = data.as_ptr().align_offset(CACHE_LINE).min(data.len());
    let (head, body) = data.split_at_mut(lead);
    mask_blocks(key, head);
    let key = rotate(key, lead);
    #[cfg(feature = "std")]
    fearless_simd::dispatch!(fearless_simd::Level::new(), simd => mask_lines(simd, key, body));
    #[cfg(not(feature = "std"))]
    mask_blocks(key, body);
}

/// A masked copy of a payload, each byte of which is read once and written once.
pub(crate) fn masked_copy(key: [u8; 4], data: &[u8]) -> Vec<u8> {
    #[cfg(feature = "std")]
    return fearless_simd::dispatch!(fearless_simd::Level::new(), simd => copy_lines(simd, key, data));
    #[cfg(not(feature = "std"))]
    copy_lines((), key, data)
}

#[inline(always)]
fn copy_lines<S>(_: S, key: [u8; 4], data: &[u8]) -> Vec<u8> {
    let mask = line_of(key);
    let (lines, rest) = data.as_chunks::<CACHE_LINE>();
    let mut copy = Vec::with_capacity(data.len().div_ceil(CACHE_LINE));
    // Of an iterator whose length is known, a vector takes the items without looking for room.
    copy.extend(lines.iter().map(|line| {
        let mut line = *line;
        for (byte, key) in line.iter_mut().zip(mask) {
            *byte ^= key;
        }
        line
    }));
    let mut copy = copy.into_flattened();
    copy.extend(rest.iter().zip(mask).map(|(byte, key)| byte ^ key));
    copy
}

/// From here on aligning, and asking for the processor's widest vectors, cost less than they save.
const LONG: usize = 4096;
const CACHE_LINE: usize = 64;

/// Compiled once for each set of vector instructions.
#[cfg(feature = "std")]
#[inline(always)]
fn mask_lines<S: fearless_simd::Simd>(_: S, key: [u8; 4], data: &mut [u8]) {
    mask_blocks(key, xor_blocks(line_of(key), data));
}

#[inline(always)]
fn line_of(key: [u8; 4]) -> [u8; CACHE_LINE] {
    let mut line = [0; CACHE_LINE];
    for (byte, key) in line.iter_mut().zip(key.into_iter().cycle()) {
        *byte = key;
    }
    line
}

#[inline]
fn mask_blocks(key: [u8; 4], data: &mut [u8]) {
    let [a, b, c, d] = key;
    let wide = [
        a, b, c, d, a, b, c, d, a, b, c, d, a, b, c, d, //
        a, b, c, d, a, b, c, d, a, b, c, d, a, b, c, d,
    ];
    mask_short(key, xor_blocks(wide, data));
}

/// As [`mask`] from the beginning of a payload, for one that is too short to gain from wide blocks.
#[inline]
pub(crate) fn mask_short(key: [u8; 4], data: &mut [u8]) {
    let half = u32::from_ne_bytes(key);
    let pair = u64::from(half) << 32 | u64::from(half);
    let (blocks, rest) = data.as_chunks_mut::<8>();
    for block in blocks {
        *block = (u64::from_ne_bytes(*block) ^ pair).to_ne_bytes();
    }
    let (words, rest) = rest.as_chunks_mut::<4>();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ half).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key) {
        *byte ^= key;
    }
}

/// XORs all whole blocks and returns the rest. Blocks of a fixed size are what the compiler turns
/// into vector instructions.
#[inline(always)]
fn xor_blocks<const N: usize>(key: [u8; N], data: &mut [u8]) -> &mut [u8] {
    let mut blocks = data.chunks_exact_mut(N);
    for block in &mut blocks {
        for (byte, key) in block.iter_mut().zip(key) {
            *byte ^= key;
        }
    }
    blocks.into_remainder()
}

const fn rotate(key: [u8; 4], offset: usize) -> [u8; 4] {
    let [a, b, c, d] = key;
    match offset & 3 {
        0 => [a, b, c, d],
        1 => [b, c, d, a],
        2 => [c, d, a, b],
        _ => [d, a, b, c],
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        // RFC: WS-5.3-04
        #[test]
        fn masks_byte_i_with_key_i_mod_4_over_any_split(
            key: [u8; 4],
            data in proptest::collection::vec(any::<u8>(), 0..6000),
            split in 0_usize..6000,
        ) {
            let expected: Vec<u8> = data.iter().enumerate().map(|(i, b)| b ^ key[i % 4]).collect();
            let mut whole = data.clone();
            mask(key, 0, &mut whole);
            prop_assert_eq!(&whole, &expected);

            let mut pieces = data.clone();
            let split = split.min(pieces.len());
            let (head, tail) = pieces.split_at_mut(split);
            mask(key, 0, head);
            mask(key, split, tail);
            prop_assert_eq!(&pieces, &expected);

            mask(key, 0, &mut whole);
            prop_assert_eq!(whole, data);
        }
    }
}
