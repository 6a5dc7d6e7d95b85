//! Masking (RFC 6455 §5.3): XOR with a repeated four-byte key, its own inverse.

use alloc::vec::Vec;

/// XORs `data` with `key`, beginning with the key byte that belongs to payload position `offset`.
///
/// Applying it twice gives the original. A payload may be masked in pieces: pass the number of
/// payload bytes before each piece as its `offset`.
#[inline]
pub fn mask(key: [u8; 4], offset: usize, data: &mut [u8]) {
    let key = rotate(key, offset);
    if data.len() < WIDE {
        return mask_short(key, data);
    }
    mask_wide(key, data);
}

/// From here on aligning, and asking for the processor's widest vectors, cost less than they save.
const WIDE: usize = 512;
const CACHE_LINE: usize = 64;

#[inline(never)]
fn mask_wide(key: [u8; 4], data: &mut [u8]) {
    // A store across two lines of the cache costs twice: the blocks begin at the start of a line.
    let lead = data.as_ptr().align_offset(CACHE_LINE).min(data.len());
    let (head, body) = data.split_at_mut(lead);
    mask_short(key, head);
    let key = rotate(key, lead);
    #[cfg(feature = "std")]
    fearless_simd::dispatch!(fearless_simd::Level::new(), _ => xor(key, body));
    #[cfg(not(feature = "std"))]
    xor(key, body);
}

/// A masked copy of a payload, each byte of which is read once and written once.
pub(crate) fn masked_copy(key: [u8; 4], data: &[u8]) -> Vec<u8> {
    #[cfg(feature = "std")]
    return fearless_simd::dispatch!(fearless_simd::Level::new(), _ => xor_copy(key, data));
    #[cfg(not(feature = "std"))]
    xor_copy(key, data)
}

/// Compiled once for each set of vector instructions, as is [`xor`].
#[inline(always)]
fn xor_copy(key: [u8; 4], data: &[u8]) -> Vec<u8> {
    let (pairs, rest) = data.as_chunks::<8>();
    let pair = pair_of(key);
    let mut copy = Vec::with_capacity(data.len().div_ceil(8));
    // Of an iterator whose length is known, a vector takes the items without looking for room.
    copy.extend(pairs.iter().map(|bytes| (u64::from_ne_bytes(*bytes) ^ pair).to_ne_bytes()));
    let mut copy = copy.into_flattened();
    copy.extend(rest.iter().zip(key.into_iter().cycle()).map(|(byte, key)| byte ^ key));
    copy
}

/// As [`mask`] from the beginning of a payload, for one that is too short to gain from wide vectors.
#[inline]
pub(crate) fn mask_short(key: [u8; 4], data: &mut [u8]) {
    xor(key, data);
}

/// The key twice. In a word, not in bytes, it need not pass through memory.
#[inline(always)]
const fn pair_of(key: [u8; 4]) -> u64 {
    let half = u32::from_ne_bytes(key) as u64;
    half << 32 | half
}

#[inline(always)]
fn xor(key: [u8; 4], data: &mut [u8]) {
    let half = u32::from_ne_bytes(key);
    let pair = pair_of(key);
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
