//! Resident memory of a server for each idle connection.

use std::thread;
use std::time::Duration;

use super::progress;
use crate::load::{End, Generator, Plan};
use crate::options::Options;
use crate::process::{self, Running};
use crate::result::{Bench, Cell, Row};
use crate::server;
use crate::stats::Samples;

const FRESH: &str = "idle after 1 KiB";
const USED: &str = "idle after 64 KiB";

pub fn cells() -> Vec<String> {
    vec![FRESH.to_owned(), USED.to_owned()]
}

pub fn run(options: &Options) -> Result<Bench, String> {
    let count = options.connections.unwrap_or(if options.quick { 1000 } else { 10_000 });
    process::allow_sockets(count)?;
    let (mut fresh, mut used) = (Vec::new(), Vec::new());
    for candidate in super::echo::candidates(options) {
        progress(&format!("idle memory: {candidate}"));
        match weigh(&candidate, count) {
            Ok([after_small, after_large]) => {
                fresh.push(row(&candidate, after_small));
                used.push(row(&candidate, after_large));
            }
            Err(error) => eprintln!("!!! memory: {candidate} is left out: {error}"),
        }
    }
    progress("");
    Ok(Bench {
        name: "memory".to_owned(),
        about: format!(
            "Resident memory of the server for each of {count} idle connections, after one echoed \
             message each, and after a larger one each. Socket buffers of the system not counted."
        ),
        unit: "bytes per connection".to_owned(),
        cells: vec![
            Cell { name: FRESH.to_owned(), x: None, rows: fresh },
            Cell { name: USED.to_owned(), x: None, rows: used },
        ],
    })
}

fn row(candidate: &str, bytes: f64) -> Row {
    let samples = Samples(vec![bytes]);
    Row { candidate: candidate.to_owned(), samples, extra: Vec::new() }
}

/// Bytes per connection after a message of 1 KiB and after one of 64 KiB on each.
fn weigh(candidate: &str, count: usize) -> Result<[f64; 2], String> {
    let running = Running::start(candidate)?;
    let mut plan = Plan {
        port: running.port,
        pid: running.pid(),
        connections: 8,
        size: 64 * 1024,
        depth: 1,
        reply: server::reply(candidate),
        end: End::Rounds(1),
    };
    // What the first connections of a process cost does not belong to each of them.
    let mut first = Generator::new(&plan).map_err(|error| error.to_string())?;
    first.phase(End::Rounds(2), true)?;
    let before = settled(&running)?;
    plan.connections = count;
    plan.size = 1024;
    let mut generator = Generator::new(&plan).map_err(|error| error.to_string())?;
    generator.phase(End::Rounds(1), true)?;
    let after_small = settled(&running)?;
    generator.reload(64 * 1024, 1);
    generator.phase(End::Rounds(1), true)?;
    let after_large = settled(&running)?;
    Ok([after_small, after_large].map(|after| (after - before).max(0.0) / count as f64))
}

fn settled(running: &Running) -> Result<f64, String> {
    thread::sleep(Duration::from_millis(300));
    Ok(process::resident(running.pid())? as f64)
}
