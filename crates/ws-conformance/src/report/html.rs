//! The report as one HTML page that needs nothing else: a matrix, then every case with its log.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::junit::escape;
use super::rules;
use crate::case::CaseId;
use crate::groups::title;
use crate::judge::Behavior;
use crate::log::{Entry, Who};
use crate::run::{CaseResult, LeftOut, Report};
use crate::standing::Standing;

const STYLE: &str = "\
:root{color-scheme:light dark;font:15px/1.5 system-ui,sans-serif}body{max-width:72rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}
table{border-collapse:collapse}th,td{padding:.15rem .6rem;text-align:left;border-bottom:1px solid #8884}th,.list td:nth-child(2){white-space:nowrap}
.matrix td{text-align:center;font-size:.85rem}.matrix td a{color:inherit;text-decoration:none;display:block}
.OK{background:#2da44e44}.NON-STRICT{background:#d4a72c66}.FAILED{background:#cf222e66}.INFORMATIONAL{background:#0969da33}.UNIMPLEMENTED{background:#8883}.UNJUDGED{background:#8250df44}
details{margin:.4rem 0;border-left:4px solid #8886;padding-left:.8rem}summary{cursor:pointer}
details.FAILED,details.NON-STRICT,details.OK,details.INFORMATIONAL,details.UNIMPLEMENTED,details.UNJUDGED{background:none}
details.OK{border-color:#2da44e}details.FAILED{border-color:#cf222e}details.NON-STRICT{border-color:#d4a72c}details.INFORMATIONAL{border-color:#0969da}details.UNJUDGED{border-color:#8250df}
.log{font:12px/1.4 ui-monospace,monospace}.log td{vertical-align:top;border:0}.log td:nth-child(2){white-space:nowrap}.log code{opacity:.75;word-break:break-all}.log pre{margin:0;opacity:.75;white-space:pre-wrap;word-break:break-all}
.suite{color:#0969da}.peer{color:#8250df}.note{font-style:italic;opacity:.8}.tag{padding:0 .4rem;border-radius:.4rem}";

/// All `reports` on one page. With `strict` a case that is known to fail does not pass by being
/// non-strict.
#[must_use]
pub fn page(reports: &[Report], strict: bool) -> String {
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>WebSocket conformance</title>\
         <style>{STYLE}</style><h1>WebSocket conformance</h1>\n"
    );
    summaries(&mut html, reports, strict);
    shortcomings(&mut html, reports, strict);
    matrix(&mut html, reports);
    for (agent, report) in reports.iter().enumerate() {
        let _ = writeln!(html, "<h2>{}</h2>", escape(&report.agent));
        let (began, options) = (report.began(), escape(&report.options));
        let (target, seconds) = (escape(&report.target), report.elapsed.as_secs_f64());
        let _ = writeln!(
            html,
            "<p><code>{target}</code>, judged from {began}, {seconds:.1} s long, with <code>{options}</code></p>"
        );
        for left_out in &report.left_out {
            let (LeftOut { section, reason, .. }, cases) = (left_out, left_out.cases());
            let (title, reason) = (title(section.group()), escape(reason));
            let _ = writeln!(
                html,
                "<p class=\"note\">{section} {title}: {cases} not played: {reason}</p>"
            );
        }
        let mut group = None;
        for result in &report.results {
            if group != Some(result.id.group()) {
                group = Some(result.id.group());
                let number = result.id.group();
                let _ = writeln!(html, "<h3>{number} {}</h3>", title(number));
            }
            details(&mut html, agent, result, strict);
        }
    }
    html.push_str("</html>\n");
    html
}

fn summaries(html: &mut String, reports: &[Report], strict: bool) {
    let columns = [
        Behavior::Ok,
        Behavior::NonStrict,
        Behavior::Failed,
        Behavior::Informational,
        Behavior::Unimplemented,
        Behavior::Unjudged,
    ];
    let version = env!("CARGO_PKG_VERSION");
    let how: BTreeSet<String> = reports.iter().map(Report::how).collect();
    for how in how {
        let _ = writeln!(html, "<p>ws-conformance {version}, {how}</p>");
    }
    html.push_str("<table><tr><th>peer<th>judged as<th>began (UTC)");
    for behavior in columns {
        let _ = write!(html, "<th>{behavior}");
    }
    html.push_str("<th>of the failures known<th>pass unexpectedly<th>seconds</tr>\n");
    for report in reports {
        let kind = if report.peer_is_server { "server" } else { "client" };
        let (agent, began) = (escape(&report.agent), report.began());
        let _ = write!(html, "<tr><td>{agent}<td>{kind}<td>{began}");
        for behavior in columns {
            let _ = write!(html, "<td class=\"{behavior}\">{}", report.count(behavior));
        }
        for standing in [Standing::FailsAsKnown, Standing::PassesUnexpectedly] {
            let _ = write!(html, "<td>{}", report.standing(standing, strict));
        }
        let _ = writeln!(html, "<td>{:.1}</tr>", report.elapsed.as_secs_f64());
    }
    html.push_str("</table>\n");
}

/// What a reader looks for first.
fn shortcomings(html: &mut String, reports: &[Report], strict: bool) {
    let is_against = |result: &&CaseResult| {
        let overall = result.verdict.overall();
        result.known.is_some()
            || matches!(overall, Behavior::NonStrict | Behavior::Failed | Behavior::Unjudged)
    };
    html.push_str("<h2>What did not pass</h2>\n");
    for (agent, report) in reports.iter().enumerate() {
        let mut found: Vec<&CaseResult> = report.results.iter().filter(is_against).collect();
        found.sort_by_key(|result| std::cmp::Reverse(result.verdict.overall()));
        let open = if reports.len() == 1 { " open" } else { "" };
        let (name, count) = (escape(&report.agent), found.len());
        let _ = writeln!(
            html,
            "<details{open}><summary>{name}: {count} cases</summary><table class=\"list\">"
        );
        for result in found {
            let CaseResult { id, description, verdict, .. } = result;
            let (overall, link) = (verdict.overall(), anchor(agent, id));
            let known = known(result, strict);
            let (what, why) = (escape(description), escape(&verdict.why));
            let _ = writeln!(
                html,
                "<tr><th><a href=\"#{link}\">{id}</a><td class=\"{overall}\">{overall}<td>{what} {why}{known}</tr>"
            );
        }
        html.push_str("</table></details>\n");
    }
}

/// That a case is known to fail, and why.
fn known(result: &CaseResult, strict: bool) -> String {
    let known = result.of_known(strict).map(|known| format!(" <b>{}</b>", escape(&known)));
    known.unwrap_or_default()
}

fn matrix(html: &mut String, reports: &[Report]) {
    let found: Vec<BTreeMap<&CaseId, &CaseResult>> = reports
        .iter()
        .map(|report| report.results.iter().map(|result| (&result.id, result)).collect())
        .collect();
    let ids: BTreeSet<&CaseId> = found.iter().flat_map(|results| results.keys().copied()).collect();
    html.push_str("<h2>Matrix</h2><details><summary>every case of every peer</summary>");
    html.push_str("<table class=\"matrix\"><tr><th>case");
    for report in reports {
        let _ = write!(html, "<th>{}", escape(&report.agent));
    }
    html.push_str("</tr>\n");
    for id in ids {
        let _ = write!(html, "<tr><th>{id}");
        for (agent, results) in found.iter().enumerate() {
            match results.get(id) {
                Some(result) => {
                    let verdict = &result.verdict;
                    let (overall, close) = (verdict.overall(), verdict.close);
                    let words = if close.is_failure() {
                        format!("{overall} / {close}")
                    } else {
                        overall.to_string()
                    };
                    let link = anchor(agent, id);
                    let _ = write!(html, "<td class=\"{overall}\"><a href=\"#{link}\">{words}</a>");
                }
                None => html.push_str("<td>"),
            }
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table></details>\n");
}

fn details(html: &mut String, agent: usize, result: &CaseResult, strict: bool) {
    let verdict = &result.verdict;
    let overall = verdict.overall();
    let _ = write!(
        html,
        "<details class=\"{overall}\" id=\"{}\"><summary><b>{}</b> <span class=\"tag {overall}\">\
         {overall}</span> close {} — {}{}</summary>",
        anchor(agent, &result.id),
        result.id,
        verdict.close,
        escape(&result.description),
        known(result, strict)
    );
    let _ = write!(
        html,
        "<p><b>Expected:</b> {}<br><b>Judged so because:</b> {}<br><b>Seen:</b> {}<br>\
         {}<b>{:.1} ms</b></p><table class=\"log\">",
        escape(&result.expectation),
        escape(&verdict.why),
        escape(&verdict.observed),
        rules::line(result.rows),
        verdict.duration.as_secs_f64() * 1000.0
    );
    for entry in &verdict.log {
        log_line(html, entry);
    }
    html.push_str("</table></details>\n");
}

fn log_line(html: &mut String, entry: &Entry) {
    let (class, arrow) = match entry.who {
        Who::Suite => ("suite", "suite →"),
        Who::Peer => ("peer", "← peer"),
        Who::Note => ("note", ""),
    };
    let milliseconds = entry.at.as_secs_f64() * 1000.0;
    let words = escape(&entry.words);
    let _ = write!(html, "<tr class=\"{class}\"><td>{milliseconds:.1}<td>{arrow}<td>{words}");
    match &entry.octets {
        // A head has no hex beside its text.
        Some((hex, text)) if hex.is_empty() && !text.is_empty() => {
            let _ = write!(html, "<pre>{}</pre>", escape(text));
        }
        Some((hex, text)) if !hex.is_empty() => {
            let _ = write!(html, "<br><code>{hex} {}</code>", escape(text));
        }
        _ => {}
    }
    html.push_str("</tr>\n");
}

fn anchor(agent: usize, id: &CaseId) -> String {
    format!("a{agent}-{id}")
}
