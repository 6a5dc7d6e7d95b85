//! New streams on an open connection of HTTP/2 or HTTP/3: what opening one and ending it costs.

use super::streams::{Candidate, cell};
use crate::load::End;
use crate::options::Options;
use crate::result::Bench;
use crate::streams::{Kind, Over, Work};

/// How many streams are opened before the first is ended.
const AT_ONCE: &[(usize, &str)] = &[(1, "one at a time"), (32, "32 at a time")];
const OVER: [Over; 2] = [Over::H2, Over::H3];

const CANDIDATES: [Candidate; 2] = [
    Candidate { name: "raw", server: "once", kind: Kind::Raw },
    Candidate { name: "ours", server: "ours", kind: Kind::WebSocket },
];

pub fn cells() -> Vec<String> {
    OVER.iter()
        .flat_map(|&over| AT_ONCE.iter().map(move |(_, name)| cell_name(over, name)))
        .collect()
}

fn cell_name(over: Over, name: &str) -> String {
    format!("{}, {name}", over.name())
}

pub fn run(options: &Options) -> Result<Bench, String> {
    let mut cells = Vec::new();
    for over in OVER {
        for &(streams, name) in AT_ONCE {
            let name = cell_name(over, name);
            if options.wants_cell(&name) {
                let end = End::After(options.sample());
                let work = Work { over, streams, per_connection: streams, size: 0, depth: 1, end };
                cells.push(cell(options, &name, &CANDIDATES, "open-streams", work)?);
            }
        }
    }
    Ok(Bench {
        name: "opening".to_owned(),
        about: "WebSockets opened on a connection of HTTP/2 or HTTP/3 that stands, and closed: \
                extended CONNECT, 200, a close frame, its answer, the end of the stream. `raw` is \
                the bare stream of the `h2` or the `h3` crate: a request answered with 200, then as \
                many bytes sent back with the end of the stream."
            .to_owned(),
        unit: "µs of server CPU per stream".to_owned(),
        cells,
    })
}
