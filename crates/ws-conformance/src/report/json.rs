//! The report as JSON: agent → case → judgement, with the names that dashboards know, and more.

use serde_json::{Map, Value, json};

use crate::log::{Entry, Who};
use crate::run::{CaseResult, LeftOut, Report};

/// The index of all `reports`; `file_of` names the detailed report of a case.
///
/// The members `behavior`, `behaviorClose`, `duration` (milliseconds), `remoteCloseCode` and
/// `reportfile` are those of the older suite's `index.json`; the others are additions, and so is
/// `leftOut` beside the cases, which lists what was not played.
#[must_use]
pub fn index(reports: &[Report], file_of: impl Fn(&Report, &CaseResult) -> String) -> String {
    let mut agents = Map::new();
    for report in reports {
        let mut cases: Map<String, Value> = report
            .results
            .iter()
            .map(|result| (result.id.to_string(), entry(result, file_of(report, result))))
            .collect();
        if !report.left_out.is_empty() {
            cases.insert("leftOut".into(), report.left_out.iter().map(left_out).collect());
        }
        agents.insert(report.agent.clone(), Value::Object(cases));
    }
    let mut text = format!("{:#}", Value::Object(agents));
    text.push('\n');
    text
}

/// The detailed report of one case.
#[must_use]
pub fn case(report: &Report, result: &CaseResult) -> String {
    let verdict = &result.verdict;
    let log: Vec<Value> = verdict.log.iter().map(log_entry).collect();
    let value = json!({
        "agent": report.agent,
        "id": result.id.to_string(),
        "description": result.description,
        "expectation": result.expectation,
        "rows": result.rows,
        "overall": verdict.overall().name(),
        "behavior": verdict.behavior.name(),
        "behaviorClose": verdict.close.name(),
        "isServer": !report.peer_is_server,
        "duration": milliseconds(result),
        "remoteCloseCode": verdict.remote_code,
        "remoteCloseReason": verdict.remote_reason,
        "result": verdict.why,
        "observed": verdict.observed,
        "wirelog": log,
    });
    format!("{value:#}\n")
}

fn entry(result: &CaseResult, file: String) -> Value {
    let verdict = &result.verdict;
    json!({
        "behavior": verdict.behavior.name(),
        "behaviorClose": verdict.close.name(),
        "duration": milliseconds(result),
        "remoteCloseCode": verdict.remote_code,
        "reportfile": file,
        "overall": verdict.overall().name(),
        "description": result.description,
        "result": verdict.why,
        "observed": verdict.observed,
        "rows": result.rows,
    })
}

fn left_out(left_out: &LeftOut) -> Value {
    let LeftOut { section, count, reason } = left_out;
    json!({"section": section.to_string(), "cases": count, "reason": reason})
}

fn log_entry(entry: &Entry) -> Value {
    let who = match entry.who {
        Who::Suite => "suite",
        Who::Peer => "peer",
        Who::Note => "note",
    };
    let (hex, text) = entry.octets.clone().unzip();
    json!({"at": entry.at.as_secs_f64(), "who": who, "words": entry.words, "hex": hex, "text": text})
}

fn milliseconds(result: &CaseResult) -> u64 {
    u64::try_from(result.verdict.duration.as_millis()).unwrap_or(u64::MAX)
}
