//! System calls per echoed message, counted by `strace`; the machine's load hardly matters.
//!
//! Each server is traced twice with different numbers of messages, and only the difference counts:
//! starting up and shaking hands cancel out.

use std::fs;

use super::echo::{candidates, cell_name, generate};
use super::progress;
use crate::load::{End, Plan, Work};
use crate::options::Options;
use crate::process::{self, Running};
use crate::result::{Bench, Cell, Row};
use crate::server;
use crate::stats::Samples;

const CELLS: &[(usize, usize, usize)] =
    &[(1, 16, 1), (1, 16, 16), (1, 1024, 16), (1, 64 * 1024, 1), (1, 64 * 1024, 16), (100, 16, 16)];

pub fn cells() -> Vec<String> {
    CELLS.iter().map(|&(connections, size, depth)| cell_name(connections, size, depth)).collect()
}

pub fn run(options: &Options) -> Result<Bench, String> {
    if !process::has("strace") {
        return Err("strace is not installed".to_owned());
    }
    let mut cells = Vec::new();
    for &(connections, size, depth) in CELLS {
        let name = cell_name(connections, size, depth);
        if !options.wants_cell(&name) {
            continue;
        }
        let mut rows = Vec::new();
        for candidate in candidates(options) {
            progress(&format!("system calls {name}: {candidate}"));
            match count(&candidate, connections, size, depth) {
                Ok(calls) => {
                    rows.push(Row { candidate, samples: Samples(vec![calls]), extra: Vec::new() })
                }
                Err(error) => eprintln!("!!! {name}: {candidate} is left out: {error}"),
            }
        }
        progress("");
        cells.push(Cell { name, x: None, rows });
    }
    Ok(Bench {
        name: "syscalls".to_owned(),
        about: "System calls of the server for each echoed message, counted by strace.".to_owned(),
        unit: "system calls per message".to_owned(),
        cells,
    })
}

fn count(candidate: &str, connections: usize, size: usize, depth: usize) -> Result<f64, String> {
    let rounds = (200 / connections as u64).max(4);
    let short = traced(candidate, connections, size, depth, rounds)?;
    let long = traced(candidate, connections, size, depth, 3 * rounds)?;
    let messages = 2 * rounds * (connections * depth) as u64;
    Ok(long.saturating_sub(short) as f64 / messages as f64)
}

fn traced(
    candidate: &str,
    connections: usize,
    size: usize,
    depth: usize,
    rounds: u64,
) -> Result<u64, String> {
    let file = std::env::temp_dir().join(format!("ws-bench-{}.strace", std::process::id()));
    let path = file.to_string_lossy().into_owned();
    let mut running = Running::start_traced(candidate, &path)?;
    let work = Work { connections, size, fragments: 1, depth, end: End::Rounds(rounds) };
    let (port, pid, reply) = (running.port, running.pid(), server::reply(candidate));
    let generated = generate(Plan { port, pid, reply, work });
    running.end_traced()?;
    let table = fs::read_to_string(&file).map_err(|error| error.to_string())?;
    let _removed = fs::remove_file(&file);
    generated?;
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
