//! Plots as SVG, written out by hand: nothing to load, nothing to run.

use std::fmt::Write;

use crate::result::{Bench, Cell, is_peer};
use crate::table::figure;

/// Bars for the candidates of a cell as multiples of `base`, the shortest first.
pub fn bars(cell: &Cell, base: &str) -> String {
    let mut rows: Vec<(&str, f64, f64)> = cell
        .rows
        .iter()
        .filter_map(|row| {
            let ratio = cell.ratio(&row.candidate, base)?;
            Some((row.candidate.as_str(), ratio.median(), ratio.spread()))
        })
        .filter(|(_, median, _)| median.is_finite())
        .collect();
    rows.sort_by(|a, b| a.1.total_cmp(&b.1));
    // Longer bars are cut: what matters is near the limit.
    let longest = rows.iter().map(|row| row.1).fold(1.0, f64::max).min(LONGEST);
    let scale = BAR / longest;
    let height = rows.len() * ROW + 4;
    let mut svg = open(LABEL + BAR as usize + 90, height);
    for (place, (name, median, spread)) in rows.iter().enumerate() {
        let y = place * ROW + 2;
        let width = median.min(longest) * scale;
        let (middle, color) = (y + 12, color(name));
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{name}</text>\
             <rect x=\"{LABEL}\" y=\"{y}\" width=\"{width:.1}\" height=\"14\" fill=\"{color}\"/>\
             <text x=\"{:.1}\" y=\"{middle}\">{} ± {}</text>",
            LABEL - 6,
            LABEL as f64 + width + 4.0,
            figure(*median),
            figure(*spread),
        );
    }
    let one = LABEL as f64 + scale;
    let _ = write!(
        svg,
        "<line x1=\"{one:.1}\" y1=\"0\" x2=\"{one:.1}\" y2=\"{height}\" class=\"base\"/></svg>"
    );
    svg
}

/// A curve for each candidate over the cells whose names start with `prefix`, both axes
/// logarithmic: linear growth is a straight line of slope one.
pub fn curves(bench: &Bench, prefix: &str) -> String {
    let points: Vec<&Cell> = bench
        .cells
        .iter()
        .filter(|cell| cell.x.is_some() && cell.name.starts_with(prefix))
        .collect();
    let xs = points.iter().filter_map(|cell| cell.x);
    let ys = points.iter().flat_map(|cell| cell.rows.iter().map(|row| row.samples.median()));
    let (Some(x), Some(y)) = (Axis::over(xs, LEFT, LEFT + WIDTH), Axis::over(ys, TOP + TALL, TOP))
    else {
        return String::new();
    };
    let mut svg = open((LEFT + WIDTH + 130.0) as usize, (TOP + TALL + 40.0) as usize);
    for (value, place) in y.ticks() {
        let _ = write!(
            svg,
            "<line x1=\"{LEFT}\" y1=\"{place:.1}\" x2=\"{:.1}\" y2=\"{place:.1}\" class=\"grid\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT + WIDTH,
            LEFT - 6.0,
            place + 4.0,
            figure(value),
        );
    }
    for cell in &points {
        let place = x.place(cell.x.unwrap_or(1.0));
        let label = cell.name.trim_start_matches(prefix).trim();
        let _ = write!(
            svg,
            "<text x=\"{place:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>",
            TOP + TALL + 18.0,
        );
    }
    let names = points.first().map(|cell| cell.rows.iter().map(|row| &row.candidate));
    for (number, name) in names.into_iter().flatten().enumerate() {
        let mut path = String::new();
        for cell in &points {
            if let (Some(row), Some(at)) = (cell.row(name), cell.x) {
                let _ = write!(path, "{:.1},{:.1} ", x.place(at), y.place(row.samples.median()));
            }
        }
        let (color, legend) = (color(name), TOP + 12.0 + 16.0 * number as f64);
        let _ = write!(
            svg,
            "<polyline points=\"{path}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>\
             <text x=\"{:.1}\" y=\"{legend:.1}\" fill=\"{color}\">{name}</text>",
            LEFT + WIDTH + 10.0,
        );
    }
    svg + "</svg>"
}

/// A logarithmic axis.
struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Option<Self> {
        let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
        for value in values.filter(|value| *value > 0.0) {
            low = low.min(value);
            high = high.max(value);
        }
        (high > 0.0).then(|| Self {
            low: low.log10(),
            high: high.log10().max(low.log10() + 0.1),
            from,
            to,
        })
    }

    fn place(&self, value: f64) -> f64 {
        let share = (value.max(1e-9).log10() - self.low) / (self.high - self.low);
        self.from + share * (self.to - self.from)
    }

    /// The powers of ten within.
    fn ticks(&self) -> Vec<(f64, f64)> {
        let powers = self.low.ceil() as i32..=self.high.floor() as i32;
        powers.map(|power| 10_f64.powi(power)).map(|value| (value, self.place(value))).collect()
    }
}

fn open(width: usize, height: usize) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\">"
    )
}

fn color(candidate: &str) -> &'static str {
    match candidate {
        name if name.starts_with("ours") => "#d9480f",
        name if is_peer(name) => "#868e96",
        "floor" => "#1971c2",
        _ => "#212529",
    }
}

const LABEL: usize = 190;
const BAR: f64 = 480.0;
const ROW: usize = 18;
const LONGEST: f64 = 12.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 10.0;
const WIDTH: f64 = 520.0;
const TALL: f64 = 240.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_puts_its_ends_and_the_powers_of_ten_where_they_belong() {
        let axis = Axis::over([1.0, 100.0].into_iter(), 0.0, 200.0).expect("two values");
        assert_eq!((axis.place(1.0), axis.place(10.0), axis.place(100.0)), (0.0, 100.0, 200.0));
        assert_eq!(axis.ticks().len(), 3);
        assert!(Axis::over(std::iter::empty(), 0.0, 1.0).is_none());
    }
}
