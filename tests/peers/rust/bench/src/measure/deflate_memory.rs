//! Resident memory of a server for each idle connection that has compressed.

use super::memory::Scale;
use super::progress;
use crate::load::End;
use crate::options::Options;
use crate::process::{self, Running};
use crate::result::{Bench, Cell, Row};

type Start = fn(&str) -> Result<Running, String>;

/// Whether the allocator gives back what is freed.
const CELLS: [(&str, Start); 2] = [
    ("idle after 1 KiB", Running::start),
    ("idle after 1 KiB, freed memory returned", Running::start_returning),
];
const SIZE: usize = 1024;
const CANDIDATES: [&str; 4] =
    ["ours", "ours-deflate", "ours-deflate-released", "ours-deflate-pooled"];

pub fn cells() -> Vec<String> {
    CELLS.iter().map(|(name, _)| (*name).to_owned()).collect()
}

pub fn run(options: &Options) -> Result<Bench, String> {
    // Hundreds of kibibytes each, where contexts are kept.
    let count = if options.quick { 200 } else { 1000 };
    process::allow_sockets(count)?;
    let mut cells = Vec::new();
    for (name, start) in CELLS.into_iter().filter(|(name, _)| options.wants_cell(name)) {
        let mut rows = Vec::new();
        for candidate in CANDIDATES.into_iter().filter(|name| options.wants_candidate(name)) {
            progress(&format!("idle memory: {candidate}"));
            match weigh(start, candidate, count) {
                Ok(bytes) => rows.push(Row::once(candidate, bytes)),
                Err(error) => eprintln!("!!! {name}: {candidate} is left out: {error}"),
            }
        }
        cells.push(Cell { name: name.to_owned(), x: None, rows });
    }
    progress("");
    Ok(Bench {
        name: "deflate-memory".to_owned(),
        about: format!(
            "Resident memory of the server for each of {count} idle connections, after one echoed \
             message each: `ours` without compression, `ours-deflate` with the contexts that \
             takeover keeps, `ours-deflate-released` after they were given up (`release_after`), \
             `ours-deflate-pooled` without takeover (`Config::low_memory()`), so that connections \
             share the contexts of a pool. glibc does not give back what is freed of contexts that \
             lie between others; in the cell so called it is told to map each block of 32 KiB or \
             more."
        ),
        unit: "bytes per connection".to_owned(),
        cells,
    })
}

fn weigh(start: Start, candidate: &str, count: usize) -> Result<f64, String> {
    let scale = Scale::new(start(candidate)?, candidate, SIZE, 1)?;
    let mut connections = scale.connect(count, SIZE)?;
    connections.phase(End::Rounds(1), true)?;
    scale.weigh(count)
}
