//! The bars: what ours is to reach in each cell, whatever the machine.

use crate::result::Cell;
use crate::table::figure;

/// What a figure of ours must not exceed.
#[derive(Clone, Copy, Debug)]
enum Bar {
    /// So many times this candidate, of the same run.
    Times(f64, &'static str),
    /// As [`Times`](Self::Times), for this variant of ours.
    Through(&'static str, f64, &'static str),
    /// So much more than this candidate.
    Above(f64, &'static str),
    /// So much more for this variant of ours than for ours itself.
    Beside(f64, &'static str),
    /// The fastest peer.
    BestPeer,
    /// This figure.
    Most(f64),
}

/// Whether a cell reaches its bar.
pub struct Judged {
    /// The bar in words.
    pub bar: String,
    /// The figure of ours by the same measure.
    pub ours: String,
    pub is_met: bool,
}

/// Judges a cell of the bench called `bench` by each of its bars that it has the figures for.
pub fn judge<'a>(bench: &'a str, cell: &'a Cell) -> impl Iterator<Item = Judged> + 'a {
    BARS.iter()
        .filter(move |(of, name, _)| *of == bench && (name.is_empty() || *name == cell.name))
        .filter_map(|(_, _, bar)| judge_by(bar, cell))
}

fn judge_by(bar: &Bar, cell: &Cell) -> Option<Judged> {
    let candidate = if let Bar::Through(variant, ..) = *bar { variant } else { "ours" };
    let ours = &cell.row(candidate)?.samples;
    let slack = ours.spread();
    let judged = |bar: String, figure: String, excess: f64| Judged {
        bar,
        ours: figure,
        is_met: excess <= slack.max(0.005 * ours.median()),
    };
    Some(match *bar {
        Bar::Times(factor, base) | Bar::Through(_, factor, base) => {
            let ratio = cell.ratio(candidate, base)?.median();
            let excess = (ratio - factor) * ours.median() / ratio;
            let through = if candidate == "ours" { "" } else { " through the streaming calls" };
            judged(format!("{factor} × {base}{through}"), format!("{ratio:.2}"), excess)
        }
        Bar::Above(much, base) => {
            let more = ours.median() - cell.row(base)?.samples.median();
            judged(format!("{} over {base}", figure(much)), figure(more), more - much)
        }
        Bar::Beside(much, variant) => {
            let more = cell.row(variant)?.samples.median() - ours.median();
            judged(format!("{variant} {} over ours", figure(much)), figure(more), more - much)
        }
        Bar::BestPeer => {
            let peer = cell.best_peer()?;
            let ratio = ours.median() / peer.samples.median();
            let excess = ours.median() - peer.samples.median() - peer.samples.spread();
            judged(format!("1 × {}", peer.candidate), format!("{ratio:.2}"), excess)
        }
        Bar::Most(most) => judged(figure(most), figure(ours.median()), ours.median() - most),
    })
}

/// Bench, cell, bar; a bench whose cells have no name here has one bar for all. A cell may have several.
const BARS: &[(&str, &str, Bar)] = &[
    ("codec", "decode binary 16 B", Bar::Times(3.0, "floor")),
    ("codec", "decode binary 125 B", Bar::Times(2.0, "floor")),
    ("codec", "decode binary 1 KiB", Bar::Times(1.5, "floor")),
    ("codec", "decode binary 16 KiB", Bar::Times(1.0, "tokio-websockets")),
    ("codec", "decode binary 1 MiB", Bar::Times(1.0, "tokio-websockets")),
    ("codec", "decode text 16 B", Bar::Times(2.0, "floor")),
    ("codec", "decode text 1 KiB mixed", Bar::Times(1.2, "floor")),
    ("codec", "decode text 1 MiB mixed", Bar::Times(1.0, "tokio-websockets")),
    ("codec", "encode server 16 B", Bar::Most(8.0)),
    ("codec", "encode server 16 KiB", Bar::Most(20.0)),
    ("codec", "encode client 16 B", Bar::Most(9.0)),
    ("codec", "encode client 1 MiB", Bar::Most(27_000.0)),
    ("echo", "1 × 16 B × 1", Bar::Times(1.1, "raw")),
    ("echo", "1 × 16 B × 16", Bar::Times(1.0, "floor")),
    ("echo", "1 × 16 B × 16", Bar::Times(1.15, "raw")),
    ("echo", "1 × 1 KiB × 16", Bar::Times(1.0, "floor")),
    ("echo", "1 × 64 KiB × 1", Bar::BestPeer),
    ("echo", "1 × 64 KiB × 16", Bar::BestPeer),
    ("echo", "1 × 64 KiB × 16", Bar::Times(1.2, "raw")),
    ("echo", "1 × 1 MiB × 1", Bar::BestPeer),
    ("echo", "1 × 1 MiB × 1", Bar::Through("ours-stream", 1.15, "raw")),
    ("echo", "100 × 16 B × 1", Bar::Times(1.02, "raw")),
    ("echo", "100 × 16 B × 16", Bar::Times(1.0, "floor")),
    ("echo", "100 × 16 B × 16", Bar::Times(1.15, "raw")),
    ("echo", "100 × 1 KiB × 16", Bar::Times(1.15, "raw")),
    ("echo", "100 × 64 KiB × 1", Bar::Times(1.1, "raw")),
    ("echo", "100 × 64 KiB × 16", Bar::Times(1.15, "raw")),
    ("echo", "100 × 1 MiB × 1", Bar::BestPeer),
    ("echo", "100 × 1 MiB × 1", Bar::Through("ours-stream", 1.15, "raw")),
    ("echo", "1000 × 16 B × 16", Bar::Times(1.0, "floor")),
    ("echo", "1000 × 1 KiB × 16", Bar::Times(1.0, "floor")),
    ("echo", "1000 × 64 KiB × 1", Bar::Times(1.15, "raw")),
    ("syscalls", "1 × 64 KiB × 1", Bar::Most(3.1)),
    ("deflate", "", Bar::Times(1.1, "zlib")),
    ("handshake", "", Bar::Times(1.15, "floor")),
    ("broadcast", "", Bar::Times(1.2, "raw")),
    ("memory", "", Bar::Above(768.0, "raw")),
    ("deflate-memory", "", Bar::Beside(2048.0, "ours-deflate-pooled")),
    ("large", "", Bar::Times(1.5, "memcpy")),
    #[cfg(feature = "streams")]
    ("h2", "", Bar::Times(1.25, "raw")),
    #[cfg(feature = "streams")]
    ("h3", "", Bar::Times(1.25, "raw")),
    #[cfg(feature = "streams")]
    ("opening", "", Bar::Times(1.25, "raw")),
    #[cfg(feature = "streams")]
    ("stream-scaling", "", Bar::Times(1.25, "raw")),
    #[cfg(feature = "streams")]
    ("stream-memory", "", Bar::Above(768.0, "raw")),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::BENCHES;
    use crate::result::Row;
    use crate::stats::Samples;

    fn cell(name: &str, rows: &[(&str, f64)]) -> Cell {
        let row = |&(candidate, value): &(&str, f64)| Row {
            candidate: candidate.to_owned(),
            samples: Samples(vec![value; 3]),
            extra: Vec::new(),
        };
        Cell { name: name.to_owned(), x: None, rows: rows.iter().map(row).collect() }
    }

    #[test]
    fn every_bar_belongs_to_a_cell_that_is_measured() {
        for (bench, name, _) in BARS {
            let kind = BENCHES.iter().find(|kind| kind.name == *bench);
            let cells = (kind.expect("a bench of this name").cells)();
            assert!(name.is_empty() || cells.iter().any(|cell| cell == name), "{bench}, {name}");
        }
    }

    #[test]
    fn a_bar_is_met_or_missed() {
        let rows = |ours| [("raw", 100.0), ("floor", 110.0), ("ours", ours), ("peer", 120.0)];
        for (variant, is_met) in [(2148.0, true), (2160.0, false)] {
            let rows = [("ours", 100.0), ("ours-deflate-pooled", variant)];
            let cell = cell("idle", &rows);
            let judged = judge("deflate-memory", &cell).next().expect("it has a bar");
            assert_eq!(
                (judged.is_met, judged.ours.as_str()),
                (is_met, if is_met { "2048" } else { "2060" })
            );
        }
        for (bench, name, most) in [
            ("echo", "1 × 16 B × 1", 110.0),
            ("echo", "1 × 1 KiB × 16", 110.0),
            ("echo", "1 × 1 MiB × 1", 120.0),
            ("memory", "idle", 868.0),
            ("codec", "encode server 16 B", 8.0),
        ] {
            for (ours, is_met) in [(most * 0.99, true), (most, true), (most * 1.02, false)] {
                let cell = cell(name, &rows(ours));
                let judged = judge(bench, &cell).next().expect("it has a bar");
                assert_eq!(judged.is_met, is_met, "{bench}, {name}: {ours}, {}", judged.bar);
            }
        }
        assert!(judge("scaling", &cell("size 16 B", &rows(1.0))).next().is_none());
    }

    #[test]
    fn a_cell_is_judged_by_each_of_its_bars() {
        let rows = [("raw", 100.0), ("ours", 121.0), ("ours-stream", 114.0), ("peer", 120.0)];
        let cell = cell("1 × 1 MiB × 1", &rows);
        let judged: Vec<_> = judge("echo", &cell).map(|j| (j.bar, j.ours, j.is_met)).collect();
        let stream = "1.15 × raw through the streaming calls";
        let want = [("1 × peer", "1.01", false), (stream, "1.14", true)];
        assert_eq!(judged, want.map(|(bar, ours, is)| (bar.to_owned(), ours.to_owned(), is)));
    }
}
