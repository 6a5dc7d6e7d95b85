//! The performance page of the documentation.

use std::fmt::Write;

use super::{base, losses};
use crate::bars;
use crate::result::{Bench, Run, is_peer};
use crate::table::figure;

pub fn markdown(run: &Run) -> String {
    let mut page = String::from(HEAD);
    if run.fact("run").starts_with("short") {
        page.push_str(
            "**These figures are from a short run on a machine that was busy with other work.** They\n\
             show that the measurement works and where things stand roughly; do not quote them.\n\n",
        );
    }
    page.push_str("## The machine\n\n| | |\n|---|---|\n");
    for (name, value) in &run.facts {
        let _ = writeln!(page, "| {name} | {value} |");
    }
    page.push_str("\n## Where another implementation is faster\n\n");
    page.push_str("By more than 2 % and more than the spread of both:\n\n");
    let mut any = false;
    for bench in &run.benches {
        for (cell, peer, ratio) in losses(bench) {
            any = true;
            let times = figure(ratio);
            let _ = writeln!(page, "- {}, {}: {peer}; ours takes {times} ×", bench.name, cell.name);
        }
    }
    if !any {
        page.push_str("Nowhere in this run.\n");
    }
    missed_bars(&mut page, run);
    for bench in &run.benches {
        section(&mut page, bench);
    }
    page
}

/// The cells in which ours does not reach what it is to reach.
fn missed_bars(page: &mut String, run: &Run) {
    page.push_str("\n## Where a bar is missed\n\n");
    let (mut all, mut missed) = (0, 0);
    for bench in &run.benches {
        for cell in &bench.cells {
            for judged in bars::judge(&bench.name, cell) {
                all += 1;
                if !judged.is_met {
                    missed += 1;
                    let (name, cell) = (&bench.name, &cell.name);
                    let (bar, ours) = (judged.bar, judged.ours);
                    let _ = writeln!(page, "- {name}, {cell}: bar {bar}, ours {ours}");
                }
            }
        }
    }
    let _ = writeln!(page, "\n{} of {all} bars are met.", all - missed);
}

fn section(page: &mut String, bench: &Bench) {
    let (name, about, unit) = (&bench.name, &bench.about, &bench.unit);
    let _ = write!(page, "\n## {name}\n\n{about} Figures: {unit}");
    match base(bench) {
        Some(base) => {
            let _ = write!(page, "; in brackets the multiple of `{base}`.\n\n");
        }
        None => page.push_str(".\n\n"),
    }
    let candidates = candidates(bench);
    let shown: Vec<&str> = candidates.iter().copied().filter(|name| !is_peer(name)).collect();
    let has_peers = shown.len() < candidates.len();
    let has_bars = bench.cells.iter().any(|cell| bars::judge(name, cell).next().is_some());
    let _ = write!(page, "| | {} |", shown.join(" | "));
    page.push_str(if has_bars { " bar |" } else { "" });
    page.push_str(if has_peers { " best peer | second |\n" } else { "\n" });
    let columns = shown.len() + 1 + usize::from(has_bars) + if has_peers { 2 } else { 0 };
    let _ = writeln!(page, "|{}", "---|".repeat(columns));
    for cell in &bench.cells {
        let _ = write!(page, "| {} |", cell.name);
        for candidate in &shown {
            let _ = write!(page, " {} |", entry(bench, cell, candidate));
        }
        if has_bars {
            let verdicts = bars::judge(name, cell).map(|judged| {
                let verdict = if judged.is_met { "met" } else { "**missed**" };
                format!("{}: {verdict}", judged.bar)
            });
            let _ = write!(page, " {} |", verdicts.collect::<Vec<_>>().join("<br>"));
        }
        if has_peers {
            let mut peers: Vec<_> =
                cell.rows.iter().filter(|row| is_peer(&row.candidate)).collect();
            peers.sort_by(|a, b| a.samples.median().total_cmp(&b.samples.median()));
            for place in 0..2 {
                let text = peers.get(place).map_or_else(String::new, |row| {
                    format!("{} {}", row.candidate, entry(bench, cell, &row.candidate))
                });
                let _ = write!(page, " {text} |");
            }
        }
        page.push('\n');
    }
    if has_peers {
        full(page, bench, &candidates);
    }
}

/// Every candidate of every cell, folded away.
fn full(page: &mut String, bench: &Bench, candidates: &[&str]) {
    page.push_str("\n<details><summary>All candidates</summary>\n\n| |");
    for cell in &bench.cells {
        let _ = write!(page, " {} |", cell.name);
    }
    let _ = write!(page, "\n|{}\n", "---|".repeat(bench.cells.len() + 1));
    for candidate in candidates {
        let _ = write!(page, "| {candidate} |");
        for cell in &bench.cells {
            let row = cell.row(candidate);
            let text = row.map_or_else(|| "–".to_owned(), |row| figure(row.samples.median()));
            let _ = write!(page, " {text} |");
        }
        page.push('\n');
    }
    page.push_str("\n</details>\n");
}

/// The median, its spread, and the ratio to the limit.
fn entry(bench: &Bench, cell: &crate::result::Cell, candidate: &str) -> String {
    let Some(row) = cell.row(candidate) else { return "–".to_owned() };
    let mut text = figure(row.samples.median());
    if row.samples.0.len() > 1 {
        let _ = write!(text, " ± {:.0} %", row.samples.spread_percent());
    }
    if let Some(base) = base(bench).filter(|base| *base != candidate)
        && let Some(ratio) = cell.ratio(candidate, base)
    {
        let _ = write!(text, " ({:.2})", ratio.median());
    }
    text
}

/// Every name that occurs, in order of appearance.
fn candidates(bench: &Bench) -> Vec<&str> {
    let mut names = Vec::new();
    for row in bench.cells.iter().flat_map(|cell| &cell.rows) {
        if !names.contains(&row.candidate.as_str()) {
            names.push(row.candidate.as_str());
        }
    }
    names
}

const HEAD: &str = "\
# Performance

Written by `cargo xtask bench --report`; change the run, not the page.

## How it is measured

Only ratios taken in one run count. Candidates take turns, one sample each a round, forwards in one
round and backwards in the next, so that whatever drifts falls on all alike; figures are medians, ±
is half the distance between the quartiles, and ratios are taken round by round before their median
is. Times are CPU time of the server (or, for what happens in memory, of the thread), never the
clock on the wall.

- Servers and load generator are processes of their own, each on its own core. Servers have one
  thread, and each sample of an echo, an opening or a handshake has a fresh server: how memory
  happens to lie stays for the life of a process. A sample of a codec has a fresh codec, and its memory
  and its input lie elsewhere each time.
- The generator shares no code with what it measures: it sends ready-made masked frames and compares
  every reply of the first round, byte by byte, before anything is timed; after that it counts bytes.
- `raw` is the same echo without any protocol, on the same runtime: the limit. `floor` is just
  enough WebSocket to echo: no limits, no fragments, no UTF-8, no deadlines.
- `ours` is the loop of our documentation, `next` and `feed`, and nothing else. `ours-stream` is the
  loop of the streaming calls.
- A peer's name alone is what its own documentation shows, with its default limits or our 64 MiB
  where the default is lower. `-batch` is the same peer used cleverly by hand: collect what is
  ready, answer it, flush once. `uwebsockets` (C++), `node-ws` and
  `python-websockets` are servers in other languages, measured where they can be had; uWebSockets has a
  loop of its own over epoll, so it can be below `raw` and `floor`, which run on tokio.

`cargo xtask bench --counts` counts instead of timing: instructions, allocations, transport calls and
bytes per idle connection. It is part of the test command and fails when one of them rises.

";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::{Cell, Row};
    use crate::stats::Samples;

    #[test]
    fn a_table_has_as_many_columns_in_each_line_and_names_the_losses() {
        let row = |candidate: &str, value: f64| Row {
            candidate: candidate.to_owned(),
            samples: Samples(vec![value, value]),
            extra: Vec::new(),
        };
        let rows = vec![row("raw", 1.0), row("ours", 2.0), row("peer", 1.5)];
        let cell = Cell { name: "1 × 16 B × 1".to_owned(), x: None, rows };
        let bench = Bench { name: "echo".to_owned(), cells: vec![cell], ..Bench::default() };
        let run = Run { facts: vec![("run".into(), "short".into())], benches: vec![bench] };
        let page = markdown(&run);
        assert!(page.contains("- echo, 1 × 16 B × 1: peer; ours takes 1.33 ×"));
        assert!(page.contains("- echo, 1 × 16 B × 1: bar 1.1 × raw, ours 2.00\n\n0 of 1 bars"));
        assert!(page.contains("**These figures are from a short run"));
        let table: Vec<&str> = page
            .lines()
            .skip_while(|line| !line.starts_with("| | raw"))
            .take_while(|line| line.starts_with('|'))
            .collect();
        let columns: Vec<usize> = table.iter().map(|line| line.matches('|').count()).collect();
        assert_eq!(columns, [7, 7, 7]);
    }
}
