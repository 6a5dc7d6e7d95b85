//! The byte vectors of RFC 7692 §7.2.3, both ways.

use bytes::BytesMut;
use ws_deflate::{Corruption, Deflater, Error, InflateLimits, Inflater};

fn inflate(inflater: &mut Inflater, payload: &[u8]) -> Result<Vec<u8>, Error> {
    let limits = InflateLimits::default();
    let mut out = BytesMut::new();
    inflater.inflate(payload, &mut out, &limits)?;
    inflater.finish(&limits)?;
    Ok(out.to_vec())
}

fn deflate(deflater: &mut Deflater, message: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    deflater.compress(message, true, &mut out);
    out.to_vec()
}

const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
const HELLO_AGAIN: [u8; 5] = [0xf2, 0x00, 0x11, 0x00, 0x00];
const HELLO_STORED: [u8; 11] = [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
const HELLO_FINAL: [u8; 8] = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
const HELLO_TWO_BLOCKS: [u8; 13] =
    [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00];

// RFC: PMD-7.2.3-01, PMD-7.2.1-01
#[test]
fn hello_compresses_to_the_bytes_of_the_rfc() {
    let mut takeover = Deflater::new(15, true, 6);
    assert_eq!(deflate(&mut takeover, b"Hello"), HELLO);
    assert_eq!(deflate(&mut takeover, b"Hello"), HELLO_AGAIN);
    let mut fresh = Deflater::new(15, false, 6);
    assert_eq!(deflate(&mut fresh, b"Hello"), HELLO);
    assert_eq!(deflate(&mut fresh, b"Hello"), HELLO);
    assert_eq!(deflate(&mut Deflater::new(15, true, 0), b"Hello"), HELLO_STORED);
}

// RFC: PMD-7.2.3-01, PMD-7.2.2-01, PMD-7.2.1-02, PMD-7.2.1-03
#[test]
fn hello_of_the_rfc_inflates_in_every_form() {
    let forms: [&[u8]; 4] = [&HELLO, &HELLO_STORED, &HELLO_FINAL, &HELLO_TWO_BLOCKS];
    for first in forms {
        for takeover in [true, false] {
            let mut inflater = Inflater::new(15, takeover);
            for second in forms {
                assert_eq!(inflate(&mut inflater, first).unwrap(), b"Hello");
                assert_eq!(inflate(&mut inflater, second).unwrap(), b"Hello");
            }
        }
    }
}

// RFC: PMD-7.2.3-01, PMD-7.2.2-02
#[test]
fn every_form_of_hello_leaves_a_window_the_next_message_refers_to() {
    for first in [&HELLO[..], &HELLO_STORED, &HELLO_FINAL, &HELLO_TWO_BLOCKS, &HELLO_FINAL[..7]] {
        let mut inflater = Inflater::new(15, true);
        assert_eq!(inflate(&mut inflater, first).unwrap(), b"Hello");
        assert_eq!(inflate(&mut inflater, &HELLO_AGAIN).unwrap(), b"Hello");
        inflater.release();
        assert_eq!(inflate(&mut inflater, &HELLO_AGAIN).unwrap(), b"Hello");
    }
}

// RFC: PMD-7.2.1-06, PMD-7.2.1-07
#[test]
fn a_reference_to_the_message_before_is_corrupt_without_takeover() {
    for window_bits in 8..=15 {
        let mut inflater = Inflater::new(window_bits, false);
        assert_eq!(inflate(&mut inflater, &HELLO).unwrap(), b"Hello");
        let error = inflate(&mut inflater, &HELLO_AGAIN).unwrap_err();
        assert_eq!(error, Error::BadDeflate(Corruption::Invalid));
        assert_eq!((error.reason(), error.close_code()), ("bad_deflate", 1007));
    }
}

// RFC: PMD-7.2.3-01
#[test]
fn the_empty_message_is_one_zero_byte_first_and_later() {
    for takeover in [true, false] {
        let mut deflater = Deflater::new(15, takeover, 6);
        let mut inflater = Inflater::new(15, takeover);
        for message in [&b""[..], b"", b"Hello", b"", b"", b"Hello"] {
            let payload = deflate(&mut deflater, message);
            if message.is_empty() {
                assert_eq!(payload, [0x00]);
            }
            assert_eq!(inflate(&mut inflater, &payload).unwrap(), message);
        }
    }
}

// RFC: PMD-7.2.1-04
#[test]
fn only_the_last_fragment_loses_its_tail() {
    let mut deflater = Deflater::new(15, true, 6);
    let mut out = BytesMut::new();
    deflater.compress(b"He", false, &mut out);
    assert!(out.ends_with(&[0x00, 0x00, 0xff, 0xff]));
    let first = out.len();
    deflater.compress(b"", false, &mut out);
    assert_eq!(out.len(), first);
    deflater.compress(b"llo", true, &mut out);
    assert!(!out.ends_with(&[0xff]));
    assert_eq!(inflate(&mut Inflater::new(15, true), &out).unwrap(), b"Hello");

    out.clear();
    deflater.compress(b"Hello", false, &mut out);
    let whole = out.len();
    deflater.compress(b"", true, &mut out);
    assert_eq!(out[whole..], [0x00]);
}

// RFC: PMD-7.2.1-02
#[test]
fn the_empty_block_that_ends_a_message_may_be_final() {
    for takeover in [true, false] {
        let mut inflater = Inflater::new(15, takeover);
        for _ in 0..3 {
            let payload = [&HELLO[..6], &[0x04]].concat();
            assert_eq!(inflate(&mut inflater, &payload).unwrap(), b"Hello");
            assert_eq!(inflate(&mut inflater, &[0x01]).unwrap(), b"");
        }
    }
}

#[test]
fn a_message_that_stops_inside_a_block_is_truncated() {
    for form in [&HELLO[..], &HELLO_STORED, &HELLO_FINAL, &HELLO_TWO_BLOCKS] {
        for end in 1..form.len() {
            // Right after a final block is a fine place to stop, and `00` is the empty message.
            let whole = form[..end] == HELLO_FINAL[..7] || form[..end] == [0x00];
            let whole = whole || form[..end] == HELLO_TWO_BLOCKS[..4];
            for takeover in [true, false] {
                let inflated = inflate(&mut Inflater::new(15, takeover), &form[..end]);
                if whole {
                    assert!(b"Hello".starts_with(&inflated.unwrap()));
                } else {
                    let truncated = Error::BadDeflate(Corruption::Truncated);
                    assert_eq!(inflated, Err(truncated), "{:x?}", &form[..end]);
                }
            }
        }
    }
}

#[test]
fn after_an_error_the_error_is_repeated() {
    let mut inflater = Inflater::new(15, true);
    let limits = InflateLimits::default();
    let mut out = BytesMut::new();
    let error = Err(Error::BadDeflate(Corruption::Invalid));
    assert_eq!(inflater.inflate(&[0xff; 8], &mut out, &limits), error);
    assert_eq!(inflater.held(), 0, "nothing is needed any more");
    assert_eq!(inflater.inflate(&HELLO, &mut out, &limits), error);
    assert_eq!(inflater.finish(&limits), error);
    assert!(out.is_empty());
}
