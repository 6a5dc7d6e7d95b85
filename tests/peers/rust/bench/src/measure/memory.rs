//! Resident memory of a server for each idle connection.

use std::io;
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
    let (mut fresh, mut used) = (Vec::new(), Vec::new());
    for candidate in super::echo::candidates(options) {
        progress(&format!("idle memory: {candidate}"));
        let weighed = match process::allow_sockets(count) {
            Ok(()) => weigh(&candidate, count, |_| Ok(())),
            Err(_) => weigh_in_parts(&candidate, count),
        };
        match weighed {
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
    let weight = [after_small, after_large].map(|after| (after - before).max(0.0) / count as f64);
    meanwhile(weight)?;
    Ok(weight)
}

fn settled(running: &Running) -> Result<f64, String> {
    thread::sleep(Duration::from_millis(300));
    Ok(process::resident(running.pid())? as f64)
}
