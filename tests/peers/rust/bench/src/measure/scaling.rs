//! How cost grows with size and with connections: curves that must stay straight.

use super::echo::{bytes, cell};
use crate::options::Options;
use crate::result::Bench;

const SIZES: &[usize] = &[16, 256, 4096, 65_536, 0x10_0000, 0x100_0000];
const CONNECTIONS: &[usize] = &[1, 10, 100, 1000, 8000];

pub fn cells() -> Vec<String> {
    let sizes = SIZES.iter().map(|&size| size_name(size));
    sizes.chain(CONNECTIONS.iter().map(|&count| connections_name(count))).collect()
}

pub fn run(options: &Options) -> Result<Bench, String> {
    let chosen = |name: &str| options.wants_candidate(name);
    let default = ["raw", "floor", "ours"];
    let candidates: Vec<String> = if options.candidates.is_empty() && options.versus.is_none() {
        default.map(str::to_owned).to_vec()
    } else {
        super::echo::candidates(options).into_iter().filter(|name| chosen(name)).collect()
    };
    let mut cells = Vec::new();
    for &size in SIZES {
        let name = size_name(size);
        if options.wants_cell(&name) {
            let mut point = cell(options, &name, 1, size, 1, &candidates)?;
            point.x = Some(size as f64);
            cells.push(point);
        }
    }
    for &connections in CONNECTIONS {
        let name = connections_name(connections);
        if options.wants_cell(&name) && !(options.quick && connections > 1000) {
            let mut point = cell(options, &name, connections, 16, 1, &candidates)?;
            point.x = Some(connections as f64);
            cells.push(point);
        }
    }
    Ok(Bench {
        name: "scaling".to_owned(),
        about: "The echo of one message at a time as messages grow, and of 16 B as connections \
                grow in number."
            .to_owned(),
        unit: "µs of server CPU per message".to_owned(),
        cells,
    })
}

fn size_name(size: usize) -> String {
    format!("size {}", bytes(size))
}

fn connections_name(count: usize) -> String {
    format!("connections {count}")
}
