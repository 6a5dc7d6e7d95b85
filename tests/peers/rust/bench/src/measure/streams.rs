//! Echo over streams of HTTP/2 and HTTP/3: what a message costs the server beyond the bare stream.

use std::thread;
use std::time::Duration;

use super::echo::{bytes, cell_name, run_generator, sample};
use super::{interleave, progress};
use crate::load::End;
use crate::options::Options;
use crate::process::{self, Running};
use crate::result::{Bench, Cell, Row};
use crate::server::{self, certificate};
use crate::streams::{Generator, Kind, Over, Plan, Work};

/// Streams on one connection, bytes in a message, messages in flight on each stream.
const CELLS: &[(usize, usize, usize)] = &[
    (1, 32, 1),
    (1, 32, 16),
    (1, 1024, 1),
    (1, 1024, 16),
    (1, 64 * 1024, 1),
    (1, 64 * 1024, 16),
    (100, 32, 1),
    (100, 32, 16),
    (100, 1024, 16),
    (100, 64 * 1024, 1),
];

/// A candidate over streams.
#[derive(Clone, Copy)]
pub struct Candidate {
    pub name: &'static str,
    /// The name of a version of HTTP behind it makes the name of its server.
    pub server: &'static str,
    pub kind: Kind,
}

pub const CANDIDATES: [Candidate; 3] = [
    Candidate { name: "raw", server: "raw", kind: Kind::Raw },
    Candidate { name: "floor", server: "floor", kind: Kind::Floor },
    Candidate { name: "ours", server: "ours", kind: Kind::WebSocket },
];

pub fn cells() -> Vec<String> {
    CELLS.iter().map(|&(streams, size, depth)| cell_name(streams, size, depth)).collect()
}

pub fn run_h2(options: &Options) -> Result<Bench, String> {
    run(options, Over::H2, "HTTP/2 in cleartext", "the `h2` crate")
}

pub fn run_h3(options: &Options) -> Result<Bench, String> {
    run(options, Over::H3, "HTTP/3", "`h3` on `h3-quinn`")
}

fn run(options: &Options, over: Over, what: &str, raw: &str) -> Result<Bench, String> {
    let mut cells = Vec::new();
    for &(streams, size, depth) in CELLS {
        let name = cell_name(streams, size, depth);
        if options.wants_cell(&name) {
            let end = End::After(options.sample());
            let work = Work { over, streams, per_connection: streams, size, depth, end };
            cells.push(cell(options, &name, &CANDIDATES, "load-streams", work)?);
        }
    }
    Ok(Bench {
        name: over.name().to_owned(),
        about: format!(
            "Echo over streams of one connection of {what}: streams × bytes in a message × \
             messages in flight on each stream. `raw` echoes on bare streams by {raw}, \
             `floor` with just enough WebSocket."
        ),
        unit: "µs of server CPU per message".to_owned(),
        cells,
    })
}

/// Lets candidates take turns, each sample with a fresh server and the generator in `mode`.
pub fn cell(
    options: &Options,
    name: &str,
    candidates: &[Candidate],
    mode: &str,
    work: Work,
) -> Result<Cell, String> {
    let over = work.over.name();
    let wanted = candidates.iter().filter(|one| options.wants_candidate(one.name));
    let names: Vec<String> = wanted.map(|one| one.name.to_owned()).collect();
    let rows = interleave(&format!("{over} {name}"), &names, options.rounds(), |name| {
        let found = candidates.iter().find(|candidate| candidate.name == name);
        let candidate = found.ok_or("no such server")?;
        let server = Serving(Running::start(&format!("{}-{over}", candidate.server))?);
        let plan = plan(&server.0, candidate.kind, work);
        sample(run_generator(mode, &plan.to_arguments())?)
    });
    Ok(Cell { name: name.to_owned(), x: None, rows })
}

/// A server, whose certificate is forgotten with it.
struct Serving(Running);

impl Drop for Serving {
    fn drop(&mut self) {
        certificate::forget(self.0.port);
    }
}

/// Work for a server of this kind.
pub fn plan(running: &Running, kind: Kind, work: Work) -> Plan {
    Plan { kind, port: running.port, pid: running.pid(), work }
}

/// What is weighed: after messages of this size, and whether the allocator gives back what is freed.
#[derive(Clone, Copy)]
struct Load {
    size: usize,
    returns: bool,
}

const LOADS: &[Load] = &[
    Load { size: 1024, returns: false },
    Load { size: 64 * 1024, returns: false },
    Load { size: 64 * 1024, returns: true },
];

pub fn memory_cells() -> Vec<String> {
    OVER.iter().flat_map(|&over| LOADS.iter().map(move |&load| memory_cell(over, load))).collect()
}

fn memory_cell(over: Over, load: Load) -> String {
    let returned = if load.returns { ", freed memory returned" } else { "" };
    format!("{}, idle after {}{returned}", over.name(), bytes(load.size))
}

/// Resident memory of a server for each idle stream.
pub fn run_memory(options: &Options) -> Result<Bench, String> {
    let count = if options.quick { 500 } else { 2000 };
    let mut cells = Vec::new();
    for over in OVER {
        for &load in LOADS {
            let cell = memory_cell(over, load);
            if !options.wants_cell(&cell) {
                continue;
            }
            let mut rows = Vec::new();
            for Candidate { name, server, kind } in CANDIDATES {
                let server = format!("{server}-{}", over.name());
                if server::find(&server).is_none() {
                    continue;
                }
                progress(&format!("memory of idle streams: {server}"));
                match weigh(over, &server, kind, count, load) {
                    Ok(weight) => rows.push(Row::once(name, weight)),
                    Err(error) => eprintln!("!!! memory: {server} is left out: {error}"),
                }
            }
            cells.push(Cell { name: cell, x: None, rows });
        }
    }
    progress("");
    Ok(Bench {
        name: "stream-memory".to_owned(),
        about: format!(
            "Resident memory of the server for each of {count} idle streams, a hundred on each \
             connection, over TLS one, after one echoed message on each. All messages of a connection come \
             at once, and glibc does not give back what is freed of them below something small \
             that lives; in the cells so called it is told to map each block of 32 KiB or more."
        ),
        unit: "bytes per stream".to_owned(),
        cells,
    })
}

const OVER: [Over; 3] = [Over::H2, Over::H3, Over::Tls];

fn weigh(over: Over, name: &str, kind: Kind, count: usize, load: Load) -> Result<f64, String> {
    let server = Serving(match load.returns {
        true => Running::start_returning(name)?,
        false => Running::start(name)?,
    });
    let of = |streams| {
        let (size, end) = (load.size, End::Rounds(1));
        let work = Work { over, streams, per_connection: 100, size, depth: 1, end };
        plan(&server.0, kind, work)
    };
    // What the first connections of a process cost does not belong to each of them.
    let mut first = Generator::new(&of(8))?;
    first.phase(End::Rounds(2), true)?;
    let before = settled(&server)?;
    let mut many = Generator::new(&of(count))?;
    many.phase(End::Rounds(1), true)?;
    Ok((settled(&server)? - before).max(0.0) / count as f64)
}

fn settled(server: &Serving) -> Result<f64, String> {
    thread::sleep(Duration::from_millis(300));
    Ok(process::resident(server.0.pid())? as f64)
}
