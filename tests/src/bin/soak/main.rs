//! The two processes of the soak test: `soak serve` echoes, `soak load` is thousands of clients.
//!
//! `cargo xtask soak` runs them and watches the memory, tasks and descriptors of the first; see
//! there for what has to hold.

mod check;
mod clients;
mod load;
mod rude;
mod serve;
mod tally;

use std::alloc::System;
use std::io::{self, Write as _};
use std::process::ExitCode;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

/// What the program holds, whatever the allocator keeps besides.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What ends a process, or a client, before its time.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next();
    let arguments: Vec<String> = arguments.collect();
    let ended = match mode.as_deref() {
        Some("serve") => serve::run(arguments).await.map(|()| true),
        Some("load") => load::run(arguments).await,
        _ => Err("soak serve or soak load; `cargo xtask soak` knows how".into()),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::from(2)
        }
    }
}

/// One line for the process that watches.
fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
