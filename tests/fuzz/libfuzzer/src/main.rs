//! One program for all targets: `WS_FUZZ_TARGET` names the one to run, so that there is one link
//! and one build. `cargo xtask fuzz` sets the flags that measure coverage.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

static RUN: OnceLock<fn(&[u8])> = OnceLock::new();

fuzz_target!(|data: &[u8]| {
    let run = RUN.get_or_init(|| {
        let name = std::env::var("WS_FUZZ_TARGET").expect("WS_FUZZ_TARGET names a target");
        ws_fuzz::target(&name).expect("a target of this name").run
    });
    run(data);
});
