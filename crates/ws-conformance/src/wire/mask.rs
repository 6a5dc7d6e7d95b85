//! Masking, RFC 6455 §5.3: octet i XOR key octet i mod 4. One transform for both directions.

use rand::RngCore;

/// Applies `key` to `data`, the first octet of which is octet 0 of the payload.
pub(crate) fn apply(key: [u8; 4], data: &mut [u8]) {
    let [a, b, c, d] = key;
    let wide = [a, b, c, d, a, b, c, d];
    let mut eights = data.chunks_exact_mut(8);
    for eight in &mut eights {
        for (octet, mask) in eight.iter_mut().zip(wide) {
            *octet ^= mask;
        }
    }
    for (octet, mask) in eights.into_remainder().iter_mut().zip(wide) {
        *octet ^= mask;
    }
}

/// A key nobody can predict.
pub(crate) fn fresh_key() -> [u8; 4] {
    let mut key = [0; 4];
    rand::rng().fill_bytes(&mut key);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC: WS-5.3-04
    #[test]
    fn the_masked_hello_of_the_rfc_unmasks_to_hello() {
        let mut data = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
        apply([0x37, 0xfa, 0x21, 0x3d], &mut data);
        assert_eq!(&data, b"Hello");
    }

    #[test]
    fn masking_twice_gives_the_original_at_every_length() {
        for length in 0..40_usize {
            let original: Vec<u8> = (0..length).map(|n| n.to_le_bytes()[0]).collect();
            let mut data = original.clone();
            apply([1, 2, 3, 4], &mut data);
            apply([1, 2, 3, 4], &mut data);
            assert_eq!(data, original);
        }
    }
}
