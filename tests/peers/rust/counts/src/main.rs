//! The program whose work is counted: `ws-counts CASE N` does the same thing `N` times.
//!
//! It prints what it can count itself, one `name value` a line: allocations, and for the driver
//! the reads and writes of its transport. Instructions are counted from outside, by running it
//! under valgrind with two values of `N`. Nothing here depends on time, on a socket or on chance.

mod codec;
mod driver;
mod handshake;
mod idle;
mod script;
mod session;

use std::alloc::System;
use std::process::ExitCode;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Sets itself up, then runs as often as it is told and returns figures of its own.
type Case = Box<dyn FnMut(usize) -> Vec<(&'static str, f64)>>;

/// Makes a case.
type Prepare = fn() -> Case;

/// A case by its name; all are per message, or per connection where there is none.
const CASES: &[(&str, Prepare)] = &[
    ("decode-binary-16", || codec::decode(16, false)),
    ("decode-binary-125", || codec::decode(125, false)),
    ("decode-binary-1024", || codec::decode(1024, false)),
    ("decode-text-16", || codec::decode(16, true)),
    ("decode-text-1024", || codec::decode(1024, true)),
    ("encode-server-16", || codec::encode(16, false)),
    ("encode-client-16", || codec::encode(16, true)),
    ("encode-server-16384", || codec::encode(16 * 1024, false)),
    ("session-echo-16", || session::echo(16)),
    ("session-echo-1024", || session::echo(1024)),
    ("driver-echo-16-depth-1", || driver::echo(16, 1)),
    ("driver-echo-16-depth-16", || driver::echo(16, 16)),
    ("driver-echo-1024-depth-16", || driver::echo(1024, 16)),
    ("driver-echo-65536-depth-1", || driver::echo(64 * 1024, 1)),
    ("handshake-and-close", handshake::serve),
    ("idle-connection", idle::weigh),
];

/// Rounds before anything is counted: buffers and pools have found their sizes.
const WARM_UP: usize = 64;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(name), count) = (arguments.next(), arguments.next()) else {
        for (name, _) in CASES {
            println!("{name}");
        }
        return ExitCode::SUCCESS;
    };
    let count = count.and_then(|count| count.parse().ok());
    let case = CASES.iter().find(|(case, _)| *case == name);
    let (Some(count), Some((_, prepare))) = (count, case) else {
        eprintln!(
            "usage: ws-counts CASE COUNT, a case being one of those listed without arguments"
        );
        return ExitCode::from(2);
    };
    let mut case = prepare();
    case(WARM_UP);
    let region = Region::new(ALLOCATOR);
    let figures = case(count);
    let change = region.change();
    for (name, value) in figures {
        println!("{name} {value}");
    }
    if name != "idle-connection" {
        let allocations = (change.allocations + change.reallocations) as f64 / count as f64;
        println!("allocations {allocations}");
    }
    ExitCode::SUCCESS
}

/// Bytes on the heap right now.
fn held() -> i64 {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated as i64 - stats.bytes_deallocated as i64
}
