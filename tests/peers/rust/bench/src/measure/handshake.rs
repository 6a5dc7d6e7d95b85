//! Connections opened, upgraded and closed: what each costs the server.

use super::{Sample, interleave};
use crate::load;
use crate::options::Options;
use crate::process::{self, Running};
use crate::result::{Bench, Cell};
use crate::server::{self, Reply};

/// How many connections are opened before the first is closed.
const CELLS: &[(&str, usize)] = &[("one at a time", 1), ("32 at a time", 32)];

pub fn cells() -> Vec<String> {
    CELLS.iter().map(|(name, _)| (*name).to_owned()).collect()
}

pub fn run(options: &Options) -> Result<Bench, String> {
    let mut candidates = super::echo::candidates(options);
    // Variants differ in what they do with messages, of which there are none here.
    candidates.retain(|name| {
        let is_variant = name.ends_with("-batch") || name.ends_with("-stream");
        !is_variant && server::reply(name) != Reply::Raw
    });
    let count = if options.quick { 256 } else { 1024 };
    let mut cells = Vec::new();
    for (name, at_once) in CELLS.iter().filter(|(name, _)| options.wants_cell(name)) {
        // Samples are short, so there are more of them.
        let rows = interleave(name, &candidates, 3 * options.rounds(), |candidate| {
            let running = Running::start(candidate)?;
            connections(&running, 128, *at_once)?;
            let cpu = process::cpu_time(running.pid())?;
            connections(&running, count, *at_once)?;
            // The server is still seeing off the last ones.
            std::thread::sleep(std::time::Duration::from_millis(20));
            let spent = process::cpu_time(running.pid())? - cpu;
            Ok(Sample::from(spent as f64 / 1000.0 / count as f64))
        });
        cells.push(Cell { name: (*name).to_owned(), x: None, rows });
    }
    Ok(Bench {
        name: "handshake".to_owned(),
        about:
            "Connections over HTTP/1.1 opened, upgraded and closed. `floor` accepts, parses the \
                request with httparse, writes a ready-made answer. One at a time the server finds \
                its caches cold and wakes a client that waits: the later it answers, the deeper \
                that sleeps, which is charged to the server. 32 at a time it has always work."
                .to_owned(),
        unit: "µs of server CPU per connection".to_owned(),
        cells,
    })
}

fn connections(running: &Running, count: usize, at_once: usize) -> Result<(), String> {
    for _ in 0..count / at_once {
        load::open_and_close(running.port, at_once).map_err(|error| error.to_string())?;
    }
    Ok(())
}
