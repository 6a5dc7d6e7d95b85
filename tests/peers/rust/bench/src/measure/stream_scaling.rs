//! How cost grows with the streams of one connection of HTTP/2 or HTTP/3: a curve that must stay flat.

use super::streams::{Candidate, cell};
use crate::load::End;
use crate::options::Options;
use crate::result::Bench;
use crate::streams::{Kind, Over, Work};

const STREAMS: &[usize] = &[1, 10, 100, 1000];
const SIZE: usize = 32;

/// The servers that are wide allow as many streams; the limits have no limit over HTTP/2.
const H2: [Candidate; 3] = [
    Candidate { name: "raw", server: "raw", kind: Kind::Raw },
    Candidate { name: "floor", server: "floor", kind: Kind::Floor },
    Candidate { name: "ours", server: "ours-wide", kind: Kind::WebSocket },
];
const H3: [Candidate; 3] = [
    Candidate { name: "raw", server: "raw-wide", kind: Kind::Raw },
    Candidate { name: "floor", server: "floor-wide", kind: Kind::Floor },
    Candidate { name: "ours", server: "ours-wide", kind: Kind::WebSocket },
];

const CURVES: [(Over, [Candidate; 3]); 2] = [(Over::H2, H2), (Over::H3, H3)];

pub fn cells() -> Vec<String> {
    let names = |over| STREAMS.iter().map(move |&streams| cell_name(over, streams));
    CURVES.iter().flat_map(|&(over, _)| names(over)).collect()
}

fn cell_name(over: Over, streams: usize) -> String {
    format!("{} streams {streams}", over.name())
}

pub fn run(options: &Options) -> Result<Bench, String> {
    let mut cells = Vec::new();
    for (over, candidates) in CURVES {
        for &streams in STREAMS {
            let name = cell_name(over, streams);
            if options.wants_cell(&name) {
                let end = End::After(options.sample());
                let work =
                    Work { over, streams, per_connection: streams, size: SIZE, depth: 1, end };
                let mut point = cell(options, &name, &candidates, "load-streams", work)?;
                point.x = Some(streams as f64);
                cells.push(point);
            }
        }
    }
    Ok(Bench {
        name: "stream-scaling".to_owned(),
        about: format!(
            "The echo of {SIZE} B, one at a time on each stream, as streams of one connection grow \
             in number. More than the 256 that a connection may have by default are allowed here."
        ),
        unit: "µs of server CPU per message".to_owned(),
        cells,
    })
}
