//! A run as documents: a page with plots, and the page of the documentation.

mod html;
mod markdown;
mod plot;

pub use html::html;
pub use markdown::markdown;

use crate::result::{Bench, Cell};

/// What the other candidates of a bench are compared with: the tightest limit it has.
fn base(bench: &Bench) -> Option<&'static str> {
    let has = |name: &str| {
        bench.cells.iter().any(|cell| cell.rows.iter().any(|row| row.candidate == name))
    };
    ["raw", "floor", "zlib"].into_iter().find(|name| has(name))
}

/// Where a peer is faster than ours by more than the spread of both and by more than 2 %, which is
/// what counts and rounding come to: cell, peer, ratio.
fn losses(bench: &Bench) -> Vec<(&Cell, &str, f64)> {
    let mut found = Vec::new();
    for cell in &bench.cells {
        let (Some(ours), Some(peer)) = (cell.row("ours"), cell.best_peer()) else { continue };
        let (mine, theirs) = (&ours.samples, &peer.samples);
        let margin = (mine.spread() + theirs.spread()).max(0.02 * theirs.median());
        if mine.median() - theirs.median() > margin {
            found.push((cell, peer.candidate.as_str(), mine.median() / theirs.median()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::Row;
    use crate::stats::Samples;

    #[test]
    fn a_loss_is_a_difference_larger_than_the_spread() {
        let row = |candidate: &str, samples: &[f64]| Row {
            candidate: candidate.to_owned(),
            samples: Samples(samples.to_vec()),
            extra: Vec::new(),
        };
        let cell = |ours: &[f64]| Cell {
            name: "16 B".to_owned(),
            x: None,
            rows: vec![row("raw", &[1.0; 3]), row("ours", ours), row("peer", &[9.9, 10.0, 10.1])],
        };
        let cells = vec![cell(&[8.0, 10.2, 13.0]), cell(&[11.9, 12.0, 12.1])];
        let bench = Bench { cells, ..Bench::default() };
        let lost: Vec<(&str, f64)> = losses(&bench).iter().map(|(_, p, r)| (*p, *r)).collect();
        assert_eq!(lost, [("peer", 1.2)]);
    }
}
