//! System calls per echoed message, counted by `strace`; the machine's load hardly matters.
//!
//! Each server is traced twice with different numbers of messages, and only the difference counts:
//! starting up and shaking hands cancel out.

use std::fs;

use super::echo::{candidates, cell_name, generate};
use super::progress;
#[cfg(feature = "streams")]
use super::stream_syscalls;
use crate::load::{End, Measured, Plan, Work};
use crate::options::Options;
use crate::process::{self, Running};
use crate::result::{Bench, Cell, Row};
use crate::server;

const CELLS: &[(usize, usize, usize)] =
    &[(1, 16, 1), (1, 16, 16), (1, 1024, 16), (1, 64 * 1024, 1), (1, 64 * 1024, 16), (100, 16, 16)];

pub fn cells() -> Vec<String> {
    let cells = CELLS.iter().map(|&(connections, size, depth)| cell_name(connections, size, depth));
    #[cfg(feature = "streams")]
    let cells = cells.chain(stream_syscalls::cells());
    cells.collect()
}

pub fn run(options: &Options) -> Result<Bench, String> {
    if !process::has("strace") {
        return Err("strace is not installed".to_owned());
    }
    let mut cells = Vec::new();
    for &(connections, size, depth) in CELLS {
        let name = cell_name(connections, size, depth);
        if options.wants_cell(&name) {
            cells.push(cell(name, &candidates(options), |candidate| {
                let rounds = (200 / connections as u64).max(4);
                count(candidate, connections * depth, rounds, |running, end| {
                    let work = Work { connections, size, fragments: 1, depth, end };
                    let (port, pid, reply) =
                        (running.port, running.pid(), server::reply(candidate));
                    generate(Plan { port, pid, reply, work })
                })
            }));
        }
    }
    #[cfg(feature = "streams")]
    cells.extend(stream_syscalls::run(options));
    Ok(Bench {
        name: "syscalls".to_owned(),
        about: "System calls of the server for each echoed message, counted by strace: over TCP \
                connections × bytes in a message × messages in flight, over HTTP/2 and HTTP/3 \
                streams of one connection in their place."
            .to_owned(),
        unit: "system calls per message".to_owned(),
        cells,
    })
}

/// Each candidate once: counts hardly vary, but for those of HTTP/3, where time decides what is
/// acknowledged and how much comes at once.
pub fn cell(
    name: String,
    candidates: &[String],
    count: impl Fn(&str) -> Result<f64, String>,
) -> Cell {
    let mut rows = Vec::new();
    for candidate in candidates {
        progress(&format!("system calls {name}: {candidate}"));
        match count(candidate) {
            Ok(calls) => rows.push(Row::once(candidate, calls)),
            Err(error) => eprintln!("!!! {name}: {candidate} is left out: {error}"),
        }
    }
    progress("");
    Cell { name, x: None, rows }
}

/// Calls per message of a server to which `load` sends so many messages a round.
pub fn count(
    server: &str,
    messages: usize,
    rounds: u64,
    load: impl Fn(&Running, End) -> Result<Measured, String>,
) -> Result<f64, String> {
    let short = traced(server, |running| load(running, End::Rounds(rounds)))?;
    let long = traced(server, |running| load(running, End::Rounds(3 * rounds)))?;
    let messages = 2 * rounds * messages as u64;
    Ok(long.saturating_sub(short) as f64 / messages as f64)
}

fn traced(
    server: &str,
    load: impl FnOnce(&Running) -> Result<Measured, String>,
) -> Result<u64, String> {
    let file = std::env::temp_dir().join(format!("ws-bench-{}.strace", std::process::id()));
    let path = file.to_string_lossy().into_owned();
    let mut running = Running::start_traced(server, &path)?;
    let loaded = load(&running);
    running.end_traced()?;
    let table = fs::read_to_string(&file).map_err(|error| error.to_string())?;
    let _removed = fs::remove_file(&file);
    loaded?;
    total(&table).ok_or_else(|| "strace printed no total".to_owned())
}

/// The calls in the last line of the table.
fn total(table: &str) -> Option<u64> {
    let line = table.lines().rev().find(|line| line.trim_end().ends_with("total"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_with_and_without_errors_in_the_table() {
        let table = "% time     seconds  usecs/call     calls    errors syscall\n\
            100.00    0.001000           1      1234        56 total\n";
        assert_eq!(total(table), Some(1234));
        assert_eq!(total("strace: nothing\n"), None);
    }
}
