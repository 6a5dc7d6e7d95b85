//! The report as JSON: agent → case → judgement, with the names that dashboards know, and more.

use serde_json::{Map, Value, json};

use crate::log::{Entry, Who};
use crate::run::{CaseResult, LeftOut, Report};
use crate::standing::Standing;

/// The index of all `reports`; `file_of` names the detailed report of a case.
///
/// The members `behavior`, `behaviorClose`, `duration` (milliseconds), `remoteCloseCode` and
/// `reportfile` are those of the older suite's `index.json`; the others are additions, and so are,
/// beside the cases, `run`, which says what run it was, and `leftOut`, which lists what was not
/// played. With `strict` a case that is known to fail does not pass by being non-strict.
#[must_use]
pub fn index(
    reports: &[Report],
    strict: bool,
    file_of: impl Fn(&Report, &CaseResult) -> String,
) -> String {
    let mut agents = Map::new();
    for report in reports {
        let mut cases: Map<String, Value> = report
            .results
            .iter()
            .map(|result| (result.id.to_string(), entry(result, strict, file_of(report, result))))
            .collect();
        cases.insert("run".into(), run(report, strict));
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
pub fn case(report: &Report, strict: bool, result: &CaseResult) -> String {
    let verdict = &result.verdict;
    let log: Vec<Value> = verdict.log.iter().map(log_entry).collect();
    let mut value = json!({
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
        "run": run(report, strict),
    });
    add_known(&mut value, result, strict);
    format!("{value:#}\n")
}

fn entry(result: &CaseResult, strict: bool, file: String) -> Value {
    let verdict = &result.verdict;
    let mut value = json!({
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
    });
    add_known(&mut value, result, strict);
    value
}

/// What a case has besides that is known to fail.
fn add_known(value: &mut Value, result: &CaseResult, strict: bool) {
    if let (Some(reason), Some(members)) = (&result.known, value.as_object_mut()) {
        members.insert("knownFailure".into(), reason.as_str().into());
        let passes = result.standing(strict) == Standing::PassesUnexpectedly;
        members.insert("passesUnexpectedly".into(), passes.into());
    }
}

/// What run it was.
fn run(report: &Report, strict: bool) -> Value {
    json!({
        "suite": concat!("ws-conformance ", env!("CARGO_PKG_VERSION")),
        "started": report.began(),
        "seconds": report.elapsed.as_secs_f64(),
        "target": report.target,
        "isServer": !report.peer_is_server,
        "over": report.carrier.to_string(),
        "options": report.options,
        "passed": report.passed(strict),
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
