//! A machine that reads from a growing buffer must not care how what it reads was cut.

use std::fmt::Debug;

use bytes::BytesMut;

/// Feeds `text` to machines made by `new`, whole, byte by byte, at every single cut of a short text,
/// and in the pieces of `seed`; all must give the same. Returns that, and what is left behind it.
pub(crate) fn same_however_cut<T, E, F>(
    text: &[u8],
    seed: u8,
    mut new: impl FnMut() -> F,
) -> (Result<Option<T>, E>, Vec<u8>)
where
    T: PartialEq + Debug,
    E: PartialEq + Debug,
    F: FnMut(&mut BytesMut) -> Result<Option<T>, E>,
{
    let mut run = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut receive = new();
        let mut buf = BytesMut::new();
        let mut result = Ok(None);
        for piece in pieces {
            buf.extend_from_slice(piece);
            if matches!(result, Ok(None)) {
                result = receive(&mut buf);
            }
        }
        (result, buf.to_vec())
    };
    let whole = run(&mut std::iter::once(text));
    let mut check = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let (result, left) = run(pieces);
        assert_eq!(result, whole.0);
        if result.is_ok() {
            assert_eq!(left, whole.1);
        }
    };
    check(&mut text.chunks(1));
    check(&mut crate::source::pieces(text, seed));
    let step = text.len() / 24 + 1;
    for cut in (usize::from(seed) % step..text.len()).step_by(step) {
        let (head, tail) = text.split_at(cut);
        check(&mut [head, tail].into_iter());
    }
    whole
}
