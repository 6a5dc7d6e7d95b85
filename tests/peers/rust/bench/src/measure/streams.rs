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
use crate::stats::Samples;
use crate::streams::{Generator, Kind, Over, Plan};

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

/// The candidates; the name of a version behind it makes the name of a server.
const CANDIDATES: [(&str, Kind); 3] =
    [("raw", Kind::Raw), ("floor", Kind::Floor), ("ours", Kind::WebSocket)];

pub fn cells() -> Vec<String> {
    CELLS.iter().map(|&(streams, size, depth)| cell_name(streams, size, depth)).collect()
}

pub fn run_h2(options: &Options) -> Result<Bench, String> {
    run(options, Over::H2, "h2", "HTTP/2 in cleartext", "the `h2` crate")
}

pub fn run_h3(options: &Options) -> Result<Bench, String> {
    run(options, Over::H3, "h3", "HTTP/3", "`h3` on `h3-quinn`")
}

fn run(options: &Options, over: Over, name: &str, what: &str, raw: &str) -> Result<Bench, String> {
    let mut cells = Vec::new();
    for &(streams, size, depth) in CELLS {
        let cell = cell_name(streams, size, depth);
        if options.wants_cell(&cell) {
            cells.push(self::cell(options, over, name, &cell, streams, size, depth)?);
        }
    }
    Ok(Bench {
        name: name.to_owned(),
        about: format!(
            "Echo over streams of one connection of {what}: streams × bytes in a message × \
             messages in flight on each stream. `raw` echoes on bare streams by {raw}, \
             `floor` with just enough WebSocket."
        ),
        unit: "µs of server CPU per message".to_owned(),
        cells,
    })
}

fn cell(
    options: &Options,
    over: Over,
    name: &str,
    cell: &str,
    streams: usize,
    size: usize,
    depth: usize,
) -> Result<Cell, String> {
    let mut servers = Vec::new();
    for (candidate, _) in CANDIDATES {
        servers.push(start(candidate, name)?);
    }
    let candidates = CANDIDATES.map(|(candidate, _)| candidate.to_owned());
    let rows = interleave(&format!("{name} {cell}"), &candidates, options.rounds(), |candidate| {
        let index = candidates.iter().position(|name| name == candidate).unwrap_or_default();
        let (server, kind) = (&servers[index], CANDIDATES[index].1);
        let plan = Plan {
            over,
            kind,
            port: server.0.port,
            pid: server.0.pid(),
            streams,
            size,
            depth,
            end: End::After(options.sample()),
        };
        sample(run_generator("load-streams", &plan.to_arguments())?)
    });
    Ok(Cell { name: cell.to_owned(), x: None, rows })
}

/// A server, whose certificate is forgotten with it.
struct Serving(Running);

impl Drop for Serving {
    fn drop(&mut self) {
        certificate::forget(self.0.port);
    }
}

fn start(candidate: &str, over: &str) -> Result<Serving, String> {
    Running::start(&format!("{candidate}-{over}")).map(Serving)
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
    OVER.iter()
        .flat_map(|(_, name)| LOADS.iter().map(move |&load| memory_cell(name, load)))
        .collect()
}

fn memory_cell(name: &str, load: Load) -> String {
    let returned = if load.returns { ", freed memory returned" } else { "" };
    format!("{name}, idle after {}{returned}", bytes(load.size))
}

/// Resident memory of a server for each idle stream.
pub fn run_memory(options: &Options) -> Result<Bench, String> {
    let count = if options.quick { 500 } else { 2000 };
    let mut cells = Vec::new();
    for (over, name) in OVER {
        for &load in LOADS {
            if !options.wants_cell(&memory_cell(name, load)) {
                continue;
            }
            let mut rows = Vec::new();
            for (candidate, kind) in CANDIDATES {
                if server::find(&format!("{candidate}-{name}")).is_none() {
                    continue;
                }
                progress(&format!("memory of idle streams: {name}, {candidate}"));
                match weigh((over, name), (candidate, kind), count, load) {
                    Ok(weight) => rows.push(Row {
                        candidate: candidate.to_owned(),
                        samples: Samples(vec![weight]),
                        extra: Vec::new(),
                    }),
                    Err(error) => eprintln!("!!! memory: {candidate} is left out: {error}"),
                }
            }
            cells.push(Cell { name: memory_cell(name, load), x: None, rows });
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

const OVER: [(Over, &str); 3] = [(Over::H2, "h2"), (Over::H3, "h3"), (Over::Tls, "tls")];

fn weigh(
    (over, name): (Over, &str),
    (candidate, kind): (&str, Kind),
    count: usize,
    load: Load,
) -> Result<f64, String> {
    let name = format!("{candidate}-{name}");
    let server = Serving(match load.returns {
        true => Running::start_returning(&name)?,
        false => Running::start(&name)?,
    });
    let plan = |streams| Plan {
        over,
        kind,
        port: server.0.port,
        pid: server.0.pid(),
        streams,
        size: load.size,
        depth: 1,
        end: End::Rounds(1),
    };
    // What the first connections of a process cost does not belong to each of them.
    let mut first = Generator::new(&plan(8))?;
    first.phase(End::Rounds(2), true)?;
    let before = settled(&server)?;
    let mut many = Generator::new(&plan(count))?;
    many.phase(End::Rounds(1), true)?;
    Ok((settled(&server)? - before).max(0.0) / count as f64)
}

fn settled(server: &Serving) -> Result<f64, String> {
    thread::sleep(Duration::from_millis(300));
    Ok(process::resident(server.0.pid())? as f64)
}
