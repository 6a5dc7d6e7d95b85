//! Echo over loopback TCP: what a message costs the server.

use std::process::Stdio;

use super::{Sample, interleave};
use crate::load::{End, Measured, Plan, Work};
use crate::options::Options;
use crate::process::{self, Core, Running};
use crate::result::{Bench, Cell};
use crate::server;

/// Connections, bytes in a message, messages in flight on each connection.
const CELLS: &[(usize, usize, usize)] = &[
    (1, 16, 1),
    (1, 16, 16),
    (1, 1024, 16),
    (1, 64 * 1024, 1),
    (1, 64 * 1024, 16),
    (1, 1024 * 1024, 1),
    (100, 16, 1),
    (100, 16, 16),
    (100, 1024, 16),
    (100, 64 * 1024, 1),
    (100, 64 * 1024, 16),
    (100, 1024 * 1024, 1),
    (1000, 16, 16),
    (1000, 1024, 16),
    (1000, 64 * 1024, 1),
];

pub fn cells() -> Vec<String> {
    CELLS.iter().map(|&(connections, size, depth)| cell_name(connections, size, depth)).collect()
}

pub fn run(options: &Options) -> Result<Bench, String> {
    let mut cells = Vec::new();
    for &(connections, size, depth) in CELLS {
        let name = cell_name(connections, size, depth);
        if options.wants_cell(&name) {
            let work = work(options, connections, size, 1, depth);
            cells.push(cell(options, &name, work, &candidates(options))?);
        }
    }
    Ok(Bench {
        name: "echo".to_owned(),
        about: "Echo over loopback TCP: connections × bytes in a message × messages in flight on \
                each connection. `raw` echoes without any protocol, `floor` with just enough \
                WebSocket."
            .to_owned(),
        unit: "µs of server CPU per message".to_owned(),
        cells,
    })
}

pub fn cell_name(connections: usize, size: usize, depth: usize) -> String {
    format!("{connections} × {} × {depth}", bytes(size))
}

/// A size as people write it.
pub fn bytes(size: usize) -> String {
    match size {
        0..1024 => format!("{size} B"),
        1024..0x10_0000 => format!("{} KiB", size / 1024),
        _ => format!("{} MiB", size / 0x10_0000),
    }
}

pub fn candidates(options: &Options) -> Vec<String> {
    let names = server::SERVERS.iter().map(|server| server.name);
    let names = names.filter(|name| server::is_here(name));
    names.filter(|name| options.wants_candidate(name)).map(str::to_owned).collect()
}

/// So many messages in flight on each connection, in so many fragments.
pub fn work(
    options: &Options,
    connections: usize,
    size: usize,
    fragments: usize,
    depth: usize,
) -> Work {
    let time = if connections == 1 { options.alone().1 } else { options.sample() };
    Work { connections, size, fragments, depth, end: End::After(time) }
}

/// Lets candidates take turns, each sample with a fresh server: how its memory happens to lie stays for
/// the life of a process.
pub fn cell(
    options: &Options,
    name: &str,
    work: Work,
    candidates: &[String],
) -> Result<Cell, String> {
    let rounds = if work.connections == 1 { options.alone().0 } else { options.rounds() };
    let rows = interleave(name, candidates, rounds, |candidate| {
        let running = Running::start(candidate)?;
        let (port, pid, reply) = (running.port, running.pid(), server::reply(candidate));
        sample(generate(Plan { port, pid, reply, work })?)
    });
    Ok(Cell { name: name.to_owned(), x: None, rows })
}

/// The server's time for each message, and how busy that made it.
pub fn sample(measured: Measured) -> Result<Sample, String> {
    if measured.messages == 0 {
        return Err("no message came back".to_owned());
    }
    let messages = measured.messages as f64;
    Ok(Sample {
        value: measured.server_cpu_ns as f64 / 1000.0 / messages,
        extra: vec![
            ("messages_per_second".to_owned(), messages / measured.seconds),
            ("server_busy".to_owned(), measured.server_cpu_ns as f64 / 1e9 / measured.seconds),
        ],
    })
}

/// Runs the generator in a process and on a core of its own.
pub fn generate(plan: Plan) -> Result<Measured, String> {
    run_generator("load", &plan.to_arguments())
}

/// The same in whichever of its modes.
pub fn run_generator(mode: &str, arguments: &[String]) -> Result<Measured, String> {
    let mut command = process::itself(Core::Generator)?;
    command.arg(mode).args(arguments).stdin(Stdio::null());
    let output = command.output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    Measured::parse(&text).ok_or_else(|| format!("the generator said {text:?}"))
}
