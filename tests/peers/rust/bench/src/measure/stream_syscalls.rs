//! System calls per message echoed over streams of HTTP/2 and HTTP/3.

use super::echo::{cell_name, run_generator};
use super::streams::{CANDIDATES, plan};
use super::syscalls::{cell, count};
use crate::options::Options;
use crate::result::Cell;
use crate::server::certificate;
use crate::streams::{Over, Work};

/// Streams on one connection, bytes in a message, messages in flight on each stream.
const CELLS: [(usize, usize, usize); 2] = [(100, 32, 16), (1, 64 * 1024, 1)];
const OVER: [Over; 2] = [Over::H2, Over::H3];

pub fn cells() -> impl Iterator<Item = String> {
    OVER.into_iter().flat_map(|over| CELLS.map(|cell| name(over, cell)))
}

fn name(over: Over, (streams, size, depth): (usize, usize, usize)) -> String {
    format!("{}, {}", over.name(), cell_name(streams, size, depth))
}

pub fn run(options: &Options) -> Vec<Cell> {
    let candidates = CANDIDATES.map(|candidate| candidate.name.to_owned());
    let candidates = candidates.into_iter().filter(|name| options.wants_candidate(name));
    let candidates: Vec<String> = candidates.collect();
    let mut cells = Vec::new();
    for over in OVER {
        for (streams, size, depth) in CELLS {
            let name = name(over, (streams, size, depth));
            if options.wants_cell(&name) {
                cells.push(cell(name, &candidates, |candidate| {
                    let found = CANDIDATES.iter().find(|one| one.name == candidate);
                    let candidate = found.ok_or("no such candidate")?;
                    let server = format!("{}-{}", candidate.server, over.name());
                    // A call reads for many streams at once: there are few to count.
                    let rounds = (4000 / streams as u64).min(200);
                    count(&server, streams * depth, rounds, |running, end| {
                        let per_connection = streams;
                        let work = Work { over, streams, per_connection, size, depth, end };
                        let plan = plan(running, candidate.kind, work);
                        let loaded = run_generator("load-streams", &plan.to_arguments());
                        certificate::forget(running.port);
                        loaded
                    })
                }));
            }
        }
    }
    cells
}
