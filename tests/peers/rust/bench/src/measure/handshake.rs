//! Connections opened, upgraded and closed: what each costs the server.

use super::{Sample, interleave};
use crate::load;
use crate::options::Options;
use crate::process::{self, Running};
use crate::result::{Bench, Cell};
use crate::server::{self, Reply};

const CELL: &str = "open, upgrade, close";

pub fn cells() -> Vec<String> {
    vec![CELL.to_owned()]
}

pub fn run(options: &Options) -> Result<Bench, String> {
    let mut candidates = super::echo::candidates(options);
    // Variants differ in what they do with messages, of which there are none here.
    candidates.retain(|name| {
        let is_variant = name.ends_with("-batch") || name.ends_with("-stream");
        !is_variant && server::reply(name) != Reply::Raw
    });
    let mut servers = Vec::new();
    for candidate in &candidates {
        servers.push((candidate.clone(), Running::start(candidate)?));
    }
    let count = if options.quick { 200 } else { 1000 };
    let rows = interleave("handshake", &candidates, options.rounds(), |candidate| {
        let found = servers.iter().find(|(name, _)| name == candidate);
        let (_, running) = found.ok_or("no such server")?;
        connections(running, 20)?;
        let cpu = process::cpu_time(running.pid())?;
        connections(running, count)?;
        // The server is still seeing off the last one.
        std::thread::sleep(std::time::Duration::from_millis(20));
        let spent = process::cpu_time(running.pid())? - cpu;
        Ok(Sample::from(spent as f64 / 1000.0 / count as f64))
    });
    Ok(Bench {
        name: "handshake".to_owned(),
        about: "Connections over HTTP/1.1 opened, upgraded and closed, one after the other. \
                `floor` accepts, parses the request with httparse, writes a ready-made answer."
            .to_owned(),
        unit: "µs of server CPU per connection".to_owned(),
        cells: vec![Cell { name: CELL.to_owned(), x: None, rows }],
    })
}

fn connections(running: &Running, count: usize) -> Result<(), String> {
    for _ in 0..count {
        load::connect(running.port, false, 0).map_err(|error| error.to_string())?;
    }
    Ok(())
}
