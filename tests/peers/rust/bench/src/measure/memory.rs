//! Resident memory of a server for each idle connection.

use std::io;
use std::thread;
use std::time::Duration;

use super::progress;
use crate::load::{End, Generator, Plan, Work};
use crate::options::Options;
use crate::process::{self, Running};
use crate::result::{Bench, Cell, Row};
use crate::server;

const FRESH: &str = "idle after 1 KiB";
const USED: &str = "idle after 64 KiB";

pub fn cells() -> Vec<String> {
    vec![FRESH.to_owned(), USED.to_owned()]
}

pub fn run(options: &Options) -> Result<Bench, String> {
    let count = options.connections.unwrap_or(if options.quick { 1000 } else { 10_000 });
    let (mut fresh, mut used) = (Vec::new(), Vec::new());
    for candidate in super::echo::candidates(options) {
        progress(&format!("idle memory: {candidate}"));
        let weighed = match process::allow_sockets(count) {
            Ok(()) => weigh(&candidate, count, |_| Ok(())),
            Err(_) => weigh_in_parts(&candidate, count),
        };
        match weighed {
            Ok([after_small, after_large]) => {
                fresh.push(Row::once(&candidate, after_small));
                used.push(Row::once(&candidate, after_large));
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

/// More connections than a process may have sockets for: as many servers as it takes, each with a
/// generator of its own. All connections are open before the first is closed.
fn weigh_in_parts(candidate: &str, count: usize) -> Result<[f64; 2], String> {
    let room = process::sockets();
    if room == 0 {
        return Err("hardly any open files are allowed (ulimit -n)".to_owned());
    }
    let mut parts = Vec::new();
    let (mut left, mut sums) = (count, [0.0; 2]);
    while left > 0 {
        let share = left.min(room);
        progress(&format!("idle memory: {candidate}, {} of {count}", count - left));
        let mut part = process::Held::start(&["weigh", candidate, &share.to_string()])?;
        let line = part.line()?;
        for (sum, figure) in sums.iter_mut().zip(line.split_whitespace()) {
            *sum += figure.parse::<f64>().map_err(|error| error.to_string())? * share as f64;
        }
        parts.push(part);
        left -= share;
    }
    Ok(sums.map(|sum| sum / count as f64))
}

/// Weighs a part, says what came of it, and holds the connections until nobody listens.
pub fn weigh_part(arguments: &[String]) -> Result<(), String> {
    let [candidate, count] = arguments else { return Err("weigh takes NAME COUNT".to_owned()) };
    let count = count.parse().map_err(|_| "not a number")?;
    process::allow_sockets(count)?;
    weigh(candidate, count, |[small, large]| {
        println!("{small} {large}");
        io::stdin().read_line(&mut String::new()).map_err(|error| error.to_string())?;
        Ok(())
    })?;
    Ok(())
}

/// Bytes per connection after a message of 1 KiB and after one of 64 KiB on each; they stay open while
/// `meanwhile` runs.
fn weigh(
    candidate: &str,
    count: usize,
    meanwhile: impl FnOnce([f64; 2]) -> Result<(), String>,
) -> Result<[f64; 2], String> {
    let scale = Scale::new(Running::start(candidate)?, candidate, 64 * 1024, 2)?;
    let mut generator = scale.connect(count, 1024)?;
    generator.phase(End::Rounds(1), true)?;
    let after_small = scale.weigh(count)?;
    generator.reload(work(count, 64 * 1024)).map_err(|error| error.to_string())?;
    generator.phase(End::Rounds(1), true)?;
    let weight = [after_small, scale.weigh(count)?];
    meanwhile(weight)?;
    Ok(weight)
}

/// A server, and what it weighs with its first connections: what those cost does not belong to each.
pub struct Scale<'a> {
    candidate: &'a str,
    running: Running,
    empty: f64,
    _first: Generator,
}

impl<'a> Scale<'a> {
    /// The first connections send messages of this size, so many each.
    pub fn new(
        running: Running,
        candidate: &'a str,
        size: usize,
        messages: u64,
    ) -> Result<Self, String> {
        let mut first = connect(&running, candidate, 8, size)?;
        first.phase(End::Rounds(messages), true)?;
        let empty = settled(&running)?;
        Ok(Self { candidate, running, empty, _first: first })
    }

    /// Opens connections for messages of this size.
    pub fn connect(&self, connections: usize, size: usize) -> Result<Generator, String> {
        connect(&self.running, self.candidate, connections, size)
    }

    /// Bytes for each of `count` connections that were opened since.
    pub fn weigh(&self, count: usize) -> Result<f64, String> {
        Ok((settled(&self.running)? - self.empty).max(0.0) / count as f64)
    }
}

fn connect(
    running: &Running,
    candidate: &str,
    connections: usize,
    size: usize,
) -> Result<Generator, String> {
    let (port, pid, reply) = (running.port, running.pid(), server::reply(candidate));
    let plan = Plan { port, pid, reply, work: work(connections, size) };
    Generator::new(&plan).map_err(|error| error.to_string())
}

/// One message on each connection.
fn work(connections: usize, size: usize) -> Work {
    Work { connections, size, fragments: 1, depth: 1, end: End::Rounds(1) }
}

fn settled(running: &Running) -> Result<f64, String> {
    thread::sleep(Duration::from_millis(300));
    Ok(process::resident(running.pid())? as f64)
}
