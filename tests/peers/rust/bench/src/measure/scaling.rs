//! How cost grows with size, with connections and with fragments: curves that must stay straight.

use super::echo::{bytes, cell, work};
use crate::options::Options;
use crate::result::Bench;

const SIZES: &[usize] = &[16, 256, 4096, 65_536, 0x10_0000, 0x100_0000];
const CONNECTIONS: &[usize] = &[1, 10, 100, 1000, 8000];
const FRAGMENTS: &[usize] = &[1, 16, 256, 4096];
/// Of a message in fragments: the smallest of them have 16 B.
const WHOLE: usize = 65_536;

/// One place on a curve.
struct Point {
    name: String,
    x: usize,
    connections: usize,
    size: usize,
    /// Where this is what grows.
    fragments: Option<usize>,
}

fn points() -> Vec<Point> {
    let size = |&size: &usize| {
        let name = format!("size {}", bytes(size));
        Point { name, x: size, connections: 1, size, fragments: None }
    };
    let connections = |&connections: &usize| {
        let name = format!("connections {connections}");
        Point { name, x: connections, connections, size: 16, fragments: None }
    };
    let fragments = |&count: &usize| {
        let name = format!("fragments {count}");
        Point { name, x: count, connections: 1, size: WHOLE, fragments: Some(count) }
    };
    let sizes = SIZES.iter().map(size);
    sizes
        .chain(CONNECTIONS.iter().map(connections))
        .chain(FRAGMENTS.iter().map(fragments))
        .collect()
}

pub fn cells() -> Vec<String> {
    points().into_iter().map(|point| point.name).collect()
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
    for Point { name, x, connections, size, fragments } in points() {
        if !options.wants_cell(&name) || (options.quick && connections > 1000) {
            continue;
        }
        let mut candidates = candidates.clone();
        // It takes every frame for a message.
        candidates.retain(|candidate| fragments.is_none() || candidate != "floor");
        let work = work(options, connections, size, fragments.unwrap_or(1), 1);
        let mut point = cell(options, &name, work, &candidates)?;
        point.x = Some(x as f64);
        cells.push(point);
    }
    Ok(Bench {
        name: "scaling".to_owned(),
        about: format!(
            "The echo of one message at a time as messages grow, of 16 B as connections grow in \
             number, and of {} as the fragments it comes in do: it goes back whole, from `raw` as \
             it came.",
            bytes(WHOLE)
        ),
        unit: "µs of server CPU per message".to_owned(),
        cells,
    })
}
