//! A bench as a table for the terminal.

use crate::result::{Bench, Cell, Row};
use crate::stats::Samples;

/// Prints one table: a block for each cell, a line for each candidate.
pub fn print(bench: &Bench, versus: Option<&(String, String)>) {
    println!("\n=== {}: {} ===\n{}", bench.name, bench.unit, bench.about);
    for cell in &bench.cells {
        println!("\n{}", cell.name);
        for row in &cell.rows {
            println!("  {}", line(cell, row));
        }
        if let Some((one, other)) = versus
            && let Some(ratio) = cell.ratio(one, other)
        {
            let (median, spread) = (ratio.median(), ratio.spread());
            println!("  {one} / {other}: {median:.3} ± {spread:.3}, paired by round");
        }
    }
}

fn line(cell: &Cell, row: &Row) -> String {
    let median = figure(row.samples.median());
    let mut line = format!("{:<24} {median:>10}", row.candidate);
    if row.samples.0.len() > 1 {
        line.push_str(&format!(" ± {:>4.1} %", row.samples.spread_percent()));
    }
    for base in ["raw", "floor", "zlib"] {
        if let Some(ratio) = cell.ratio(&row.candidate, base) {
            line.push_str(&format!("  {:>5} × {base}", ratio_text(&ratio)));
        }
    }
    for (name, value) in &row.extra {
        match name.as_str() {
            "messages_per_second" => line.push_str(&format!("  {:>9.0} msg/s", value)),
            "server_busy" => line.push_str(&format!("  busy {:>3.0} %", value * 100.0)),
            _ => line.push_str(&format!("  {name} {value}")),
        }
    }
    line
}

fn ratio_text(ratio: &Samples) -> String {
    format!("{:.2}", ratio.median())
}

/// Three digits that matter.
pub fn figure(value: f64) -> String {
    match value.abs() {
        magnitude if magnitude >= 100.0 => format!("{value:.0}"),
        magnitude if magnitude >= 10.0 => format!("{value:.1}"),
        magnitude if magnitude >= 0.1 || magnitude == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}
