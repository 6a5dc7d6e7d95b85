//! The page with plots: one file that needs nothing else.

use std::fmt::Write;

use super::{base, losses, plot};
use crate::bars;
use crate::result::{Bench, Run};
use crate::table::figure;

pub fn html(run: &Run) -> String {
    let mut page = String::from(HEAD);
    page.push_str("<h1>ws-stack next to other WebSocket crates</h1><table class=\"facts\">");
    for (name, value) in &run.facts {
        let _ = write!(page, "<tr><th>{name}</th><td>{}</td></tr>", escape(value));
    }
    page.push_str(
        "</table><p>Candidates took turns, forwards and backwards; figures are medians, ± is half \
         the distance between the quartiles. Shorter bars are better; the dashed line is the \
         limit, bars longer than twelve times the limit are cut.</p>",
    );
    for bench in &run.benches {
        section(&mut page, bench);
    }
    page + "</body></html>\n"
}

fn section(page: &mut String, bench: &Bench) {
    let (name, about, unit) = (&bench.name, escape(&bench.about), &bench.unit);
    let _ = write!(page, "<h2>{name}</h2><p>{about} Unit: {unit}.</p>");
    let lost = losses(bench);
    if !lost.is_empty() {
        page.push_str("<p>A peer is faster here:</p><ul>");
        for (cell, peer, ratio) in lost {
            let _ = write!(page, "<li>{}: {peer}, ours takes {} ×</li>", cell.name, figure(ratio));
        }
        page.push_str("</ul>");
    }
    if bench.cells.iter().any(|cell| cell.x.is_some()) {
        for prefix in ["size", "connections", "fragments", "h2 streams", "h3 streams"] {
            page.push_str(&plot::curves(bench, prefix));
        }
    }
    for cell in &bench.cells {
        let _ = write!(page, "<h3>{}</h3>", escape(&cell.name));
        for judged in bars::judge(name, cell) {
            let verdict = if judged.is_met { "met" } else { "missed" };
            let (bar, ours) = (&judged.bar, &judged.ours);
            let _ = write!(page, "<p>Bar: {bar}; ours {ours}: {verdict}.</p>");
        }
        if let Some(base) = base(bench) {
            let _ = write!(
                page,
                "<figure>{}<figcaption>× {base}</figcaption></figure>",
                plot::bars(cell, base)
            );
        }
        let _ = write!(
            page,
            "<details><summary>figures</summary><table><tr><th></th><th>{unit}</th><th>±</th></tr>"
        );
        for row in &cell.rows {
            let (median, spread) = (figure(row.samples.median()), figure(row.samples.spread()));
            let _ = write!(
                page,
                "<tr><th>{}</th><td>{median}</td><td>{spread}</td></tr>",
                row.candidate
            );
        }
        page.push_str("</table></details>");
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

const HEAD: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width\"><title>ws-stack: measured</title><style>\
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
color:#212529;background:#fff}\
h2{margin-top:3rem;border-bottom:1px solid #ced4da}\
svg{display:block;max-width:100%;height:auto;margin:.5rem 0}\
svg text{font:12px system-ui,sans-serif}\
.base{stroke:#212529;stroke-dasharray:3 3}.grid{stroke:#e9ecef}\
table{border-collapse:collapse}th,td{padding:.1rem .8rem;text-align:right}\
.facts th,.facts td{text-align:left}figure{margin:0}figcaption{color:#868e96}\
</style></head><body>";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::{Cell, Row};
    use crate::stats::Samples;

    #[test]
    fn a_page_shows_every_candidate_and_closes_what_it_opens() {
        let row = |candidate: &str, value: f64| Row {
            candidate: candidate.to_owned(),
            samples: Samples(vec![value]),
            extra: Vec::new(),
        };
        let rows = vec![row("raw", 1.0), row("ours", 1.1), row("peer", 0.5)];
        let cell = Cell { name: "size 16 B".to_owned(), x: Some(16.0), rows };
        let bench = Bench { name: "scaling".to_owned(), cells: vec![cell], ..Bench::default() };
        let run = Run { facts: vec![("cpu".into(), "a < b".into())], benches: vec![bench] };
        let page = html(&run);
        for wanted in [">ours<", ">peer<", "a &lt; b", "A peer is faster here", "<polyline"] {
            assert!(page.contains(wanted), "{wanted}");
        }
        for tag in ["svg", "table", "details", "figure>"] {
            let (opened, closed) = (format!("<{tag}"), format!("</{}>", tag.trim_end_matches('>')));
            let opened = page.matches(&opened).count();
            assert_eq!(opened, page.matches(&closed).count(), "{tag}");
        }
    }
}
