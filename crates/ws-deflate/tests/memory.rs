//! What contexts weigh, counted by the allocator. The numbers stand in the documentation of the
//! crate; `cargo test -p ws-deflate --test memory -- --nocapture` prints them.

use std::mem::size_of;

use allocation_counter::measure;
use bytes::BytesMut;
use ws_deflate::{Deflater, InflateLimits, Inflater};

/// Kilobytes as the table has them.
fn kib(bytes: i64) -> i64 {
    (bytes + 512) / 1024
}

/// What a connection holds on to after messages of 1 KiB, 64 of them: more than a window in all.
struct Held {
    deflater: i64,
    inflater: i64,
    released: i64,
    /// What the two say of themselves.
    told: (i64, i64),
}

fn held(window_bits: u8, takeover: bool) -> Held {
    let message = vec![b'x'; 1024];
    let limits = InflateLimits::default();
    let mut deflater = Deflater::new(window_bits, takeover, 6);
    let mut inflater = Inflater::new(window_bits, takeover);
    let mut payload = BytesMut::with_capacity(4096);
    let mut out = BytesMut::with_capacity(4096);
    let compressing = measure(|| deflater.compress(&message, true, &mut payload));
    let inflating = measure(|| {
        for _ in 0..64 {
            out.clear();
            inflater.inflate(&payload, &mut out, &limits).expect("a good message");
            inflater.finish(&limits).expect("a good message");
        }
    });
    let told = (as_i64(deflater.held()), as_i64(inflater.held()));
    deflater.release();
    inflater.release();
    assert_eq!(deflater.held(), 0);
    let dropping = measure(|| drop((deflater, inflater)));
    Held {
        deflater: compressing.bytes_current,
        inflater: inflating.bytes_current,
        released: -dropping.bytes_current,
        told,
    }
}

fn as_i64(bytes: usize) -> i64 {
    i64::try_from(bytes).expect("a size")
}

/// Fills this thread's pool, so that what is given back and taken does not count.
fn fill_pool() {
    for _ in 0..4 {
        let compressors = [(); 4].map(|()| {
            let mut deflater = Deflater::new(9, true, 6);
            deflater.compress(b"x", true, &mut BytesMut::new());
            deflater
        });
        let decompressors = [(); 4].map(|()| {
            let mut inflater = Inflater::new(9, true);
            let limits = InflateLimits::default();
            inflater.inflate(&[0x00], &mut BytesMut::new(), &limits).expect("a good message");
            inflater
        });
        drop((compressors, decompressors));
    }
}

// THREAT: memory-amplification
#[test]
fn a_context_weighs_what_the_documentation_says() {
    println!("| window | compressor | decompressor | released |");
    for (bits, compressor, decompressor) in TABLE {
        // Both as new threads see them, with empty pools.
        let weight = std::thread::scope(|scope| {
            scope.spawn(move || held(bits, true)).join().expect("no panic")
        });
        let Held { deflater, inflater, released, told } = weight;
        println!("| {bits} | {} | {} | {} B |", kib(deflater), kib(inflater), released);
        assert!((kib(deflater) - compressor).abs() <= 2, "{bits}: {deflater}");
        assert!((kib(inflater) - decompressor).abs() <= 2, "{bits}: {inflater}");
        assert_eq!(released, 1 << bits, "{bits} bits");
        assert!((deflater - told.0).abs() <= 2048, "{bits}: {deflater}, told {}", told.0);
        assert!((inflater - told.1).abs() <= 2048, "{bits}: {inflater}, told {}", told.1);
    }
}

#[test]
fn an_idle_connection_without_takeover_costs_two_kilobytes_at_most() {
    fill_pool();
    let mut deflater = Deflater::new(9, false, 6);
    let mut inflater = Inflater::new(9, false);
    let limits = InflateLimits::default();
    let mut payload = BytesMut::with_capacity(4096);
    let mut out = BytesMut::with_capacity(4096);
    let mut working = || {
        payload.clear();
        out.clear();
        deflater.compress(&[b'x'; 1024], true, &mut payload);
        inflater.inflate(&payload, &mut out, &limits).expect("a good message");
        inflater.finish(&limits).expect("a good message");
    };
    let idle = measure(&mut working);
    assert_eq!(idle.bytes_current, 0, "everything went back to the pool");
    // And in steady state the pool serves everything: only the history of a message is new.
    let steady = measure(&mut working);
    assert!(steady.bytes_total <= 1024, "{} bytes", steady.bytes_total);

    let inline = size_of::<Deflater>() + size_of::<Inflater>();
    println!("inline: {} + {}", size_of::<Deflater>(), size_of::<Inflater>());
    assert!(inline <= 2048);
}

/// Window bits, and KiB held by a compressor and by a decompressor with takeover.
const TABLE: [(u8, i64, i64); 7] = [
    (9, 245, 47),
    (10, 247, 47),
    (11, 251, 48),
    (12, 259, 50),
    (13, 275, 54),
    (14, 307, 62),
    (15, 371, 78),
];
