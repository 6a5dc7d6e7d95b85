//! The benches: what is measured, and the rounds in which candidates take turns.

mod broadcast;
mod codec;
mod deflate;
mod deflate_memory;
mod echo;
mod handshake;
mod large;
mod memory;
#[cfg(feature = "streams")]
mod opening;
mod scaling;
#[cfg(feature = "streams")]
mod stream_scaling;
#[cfg(feature = "streams")]
mod stream_syscalls;
#[cfg(feature = "streams")]
mod streams;
mod syscalls;

pub use memory::weigh_part;

use std::io::{self, IsTerminal, Write};

use crate::options::Options;
use crate::result::{Bench, Row};
use crate::stats::Samples;

/// A bench by its name.
pub struct Kind {
    pub name: &'static str,
    pub run: fn(&Options) -> Result<Bench, String>,
    /// The names of its cells.
    pub cells: fn() -> Vec<String>,
}

/// Every bench, in the order it is run.
pub const BENCHES: &[Kind] = &[
    Kind { name: "codec", run: codec::run, cells: codec::cells },
    Kind { name: "echo", run: echo::run, cells: echo::cells },
    Kind { name: "syscalls", run: syscalls::run, cells: syscalls::cells },
    Kind { name: "deflate", run: deflate::run, cells: deflate::cells },
    Kind { name: "large", run: large::run, cells: large::cells },
    Kind { name: "handshake", run: handshake::run, cells: handshake::cells },
    Kind { name: "broadcast", run: broadcast::run, cells: broadcast::cells },
    Kind { name: "memory", run: memory::run, cells: memory::cells },
    Kind { name: "deflate-memory", run: deflate_memory::run, cells: deflate_memory::cells },
    Kind { name: "scaling", run: scaling::run, cells: scaling::cells },
    #[cfg(feature = "streams")]
    Kind { name: "h2", run: streams::run_h2, cells: streams::cells },
    #[cfg(feature = "streams")]
    Kind { name: "h3", run: streams::run_h3, cells: streams::cells },
    #[cfg(feature = "streams")]
    Kind { name: "opening", run: opening::run, cells: opening::cells },
    #[cfg(feature = "streams")]
    Kind { name: "stream-scaling", run: stream_scaling::run, cells: stream_scaling::cells },
    #[cfg(feature = "streams")]
    Kind { name: "stream-memory", run: streams::run_memory, cells: streams::memory_cells },
];

/// One sample: the figure, and further ones.
pub struct Sample {
    pub value: f64,
    pub extra: Vec<(String, f64)>,
}

impl From<f64> for Sample {
    fn from(value: f64) -> Self {
        Self { value, extra: Vec::new() }
    }
}

/// Takes one sample of each candidate a round, forwards and backwards in turn, so that whatever
/// drifts with time falls on all alike. A candidate that fails is reported and left out.
pub fn interleave(
    what: &str,
    candidates: &[String],
    rounds: usize,
    mut sample: impl FnMut(&str) -> Result<Sample, String>,
) -> Vec<Row> {
    let mut samples = vec![Vec::new(); candidates.len()];
    let mut extras: Vec<Vec<Vec<(String, f64)>>> = vec![Vec::new(); candidates.len()];
    let mut failed = vec![false; candidates.len()];
    for round in 0..rounds {
        let forwards = 0..candidates.len();
        let order: Vec<usize> =
            if round % 2 == 0 { forwards.collect() } else { forwards.rev().collect() };
        for index in order {
            let name = &candidates[index];
            progress(&format!("{what}: round {} of {rounds}, {name}", round + 1));
            if failed[index] {
                continue;
            }
            match sample(name) {
                Ok(taken) => {
                    samples[index].push(taken.value);
                    extras[index].push(taken.extra);
                }
                Err(error) => {
                    progress("");
                    eprintln!("!!! {what}: {name} is left out: {error}");
                    failed[index] = true;
                }
            }
        }
    }
    progress("");
    let rows = candidates.iter().zip(samples).zip(extras).zip(failed);
    rows.filter(|(_, failed)| !failed)
        .map(|(((candidate, samples), extras), _)| Row {
            candidate: candidate.clone(),
            samples: Samples(samples),
            extra: medians(&extras),
        })
        .collect()
}

/// The median of each further figure.
fn medians(extras: &[Vec<(String, f64)>]) -> Vec<(String, f64)> {
    let Some(first) = extras.first() else { return Vec::new() };
    let median = |(place, (name, _)): (usize, &(String, f64))| {
        let values = extras.iter().filter_map(|extra| extra.get(place)).map(|(_, value)| *value);
        (name.clone(), Samples(values.collect()).median())
    };
    first.iter().enumerate().map(median).collect()
}

/// Shows a line that the next one replaces; says nothing when nobody is watching.
pub fn progress(line: &str) {
    let mut output = io::stderr();
    if output.is_terminal() {
        let _shown = write!(output, "\r\x1b[K{line}");
        let _shown = output.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_alternate_their_order_and_a_failure_leaves_the_others_alone() {
        let names = ["a", "b", "c"].map(str::to_owned);
        let mut order = String::new();
        let rows = interleave("test", &names, 2, |name| {
            order.push_str(name);
            if name == "b" { Err("broken".to_owned()) } else { Ok(1.0.into()) }
        });
        assert_eq!(order, "abcca");
        let left: Vec<&str> = rows.iter().map(|row| row.candidate.as_str()).collect();
        assert_eq!(left, ["a", "c"]);
    }
}
