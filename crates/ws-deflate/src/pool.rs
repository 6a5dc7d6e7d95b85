//! Contexts waiting for work: a small pool per thread.
//!
//! A context costs hundreds of kilobytes and microseconds to make. Without context takeover it is
//! needed only while a message passes through, so connections share a few. The pool belongs to the
//! thread, not to the process: taking and giving back needs no lock, works under any runtime
//! (nothing is held across a call into the caller's code, and a context may be given back on
//! another thread than it was taken on), and goes with the thread. It is bounded: what does not fit
//! is freed.

use std::cell::RefCell;

use flate2::{Compress, Compression, Decompress};

use crate::params::MAX_WINDOW_BITS;

/// A compressor with an empty window.
pub(crate) fn take_compressor(kind: Kind) -> Compress {
    let pooled = POOL.try_with(|pool| {
        let compressors = &mut pool.borrow_mut().compressors;
        let found = compressors.iter().rposition(|(of, _)| *of == kind)?;
        Some(compressors.remove(found).1)
    });
    if let Ok(Some(mut compressor)) = pooled {
        compressor.reset();
        return compressor;
    }
    let level = Compression::new(u32::from(kind.level));
    Compress::new_with_window_bits(level, false, kind.window_bits)
}

/// Takes a compressor back, whatever state it is in.
pub(crate) fn give_compressor(kind: Kind, compressor: Compress) {
    give(|pool| keep(&mut pool.compressors, (kind, compressor)));
}

/// A decompressor with an empty window.
///
/// Its window is always 32 KiB. zlib-rs sets that much aside whatever it is told, and a larger
/// window than the peer's is always safe (RFC 7692 §7.1.2.1).
pub(crate) fn take_decompressor() -> Decompress {
    match POOL.try_with(|pool| pool.borrow_mut().decompressors.pop()) {
        Ok(Some(mut decompressor)) => {
            decompressor.reset(false);
            decompressor
        }
        _ => Decompress::new_with_window_bits(false, MAX_WINDOW_BITS),
    }
}

/// Takes a decompressor back, whatever state it is in.
pub(crate) fn give_decompressor(decompressor: Decompress) {
    give(|pool| keep(&mut pool.decompressors, decompressor));
}

/// What makes two compressors interchangeable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) window_bits: u8,
    pub(crate) level: u8,
}

#[derive(Default)]
struct Pool {
    compressors: Vec<(Kind, Compress)>,
    decompressors: Vec<Decompress>,
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

/// When the thread is already being torn down there is no pool, and the context is just dropped.
fn give(back: impl FnOnce(&mut Pool)) {
    let _gone = POOL.try_with(|pool| back(&mut pool.borrow_mut()));
}

/// Keeps the most recently used.
fn keep<T>(kept: &mut Vec<T>, new: T) {
    if kept.len() == KEPT {
        kept.remove(0);
    }
    kept.push(new);
}

/// Contexts of either sort kept by each thread: at most 1.7 MiB.
const KEPT: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pool_is_bounded_and_keyed() {
        let kinds = [9, 10, 11, 12, 13].map(|window_bits| Kind { window_bits, level: 6 });
        for kind in kinds {
            give_compressor(kind, take_compressor(kind));
        }
        let kept =
            |kind| POOL.with(|pool| pool.borrow().compressors.iter().any(|(of, _)| *of == kind));
        assert_eq!(kinds.map(kept), [false, true, true, true, true]);
        assert!(!kept(Kind { window_bits: 9, level: 1 }));

        for decompressor in [(); 6].map(|()| take_decompressor()) {
            give_decompressor(decompressor);
        }
        assert_eq!(POOL.with(|pool| pool.borrow().decompressors.len()), KEPT);
    }

    #[test]
    fn contexts_cross_threads() {
        fn is_send<T: Send>() {}
        is_send::<crate::Deflater>();
        is_send::<crate::Inflater>();
        let kind = Kind { window_bits: 15, level: 6 };
        let ours = take_compressor(kind);
        std::thread::scope(|scope| {
            scope.spawn(move || give_compressor(kind, ours));
        });
        assert_eq!(POOL.with(|pool| pool.borrow().compressors.len()), 0);
    }
}
