//! What every form of the report has to say, and must not let a peer say.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::{html, json, junit, table};
use crate::carrier::Carrier;
use crate::groups::all;
use crate::judge::{Behavior, Verdict};
use crate::run::{CaseResult, Report};
use crate::select::parse_reasons;
use crate::settings::Effort;
use crate::standing::Standing;

/// A report on 1.1.1 to 1.1.3 with these verdicts, of which 1.1.1 and 1.1.2 are known to fail.
fn report(verdicts: [Verdict; 3]) -> Report {
    let cases = all();
    let known = parse_reasons("1.1.1 <issue> 12\n1.1.2 issue 13\n", &cases).expect("reasons");
    let result = |(case, verdict)| CaseResult::new(case, verdict, &known);
    Report {
        agent: "a peer".into(),
        peer_is_server: true,
        target: "ws://a/?<x>".into(),
        started: SystemTime::UNIX_EPOCH + Duration::from_secs(951_782_400),
        options: "--over h1 --quick --header 'Cookie: …'".into(),
        results: cases.iter().zip(verdicts).map(result).collect(),
        left_out: Vec::new(),
        carrier: Carrier::H1,
        effort: Effort::Quick,
        elapsed: Duration::from_millis(1500),
    }
}

fn plain(behavior: Behavior) -> Verdict {
    Verdict::plain(behavior, "so it was")
}

/// The index, as a dashboard reads it.
fn index(report: &Report, strict: bool) -> Value {
    let reports = std::slice::from_ref(report);
    serde_json::from_str(&json::index(reports, strict, |_, _| String::new())).expect("JSON")
}

#[test]
fn a_known_failure_stands_in_every_report_with_its_reason_and_does_not_count() {
    let report = report([Behavior::Failed, Behavior::NonStrict, Behavior::Ok].map(plain));
    assert!(report.passed(true));
    let said = table::shortcomings(&report, true) + &table::summary(&report, true);
    assert!(said.contains("so it was [known to fail: <issue> 12]\n"), "{said}");
    assert!(said.contains("so it was [known to fail: issue 13]\n"), "{said}");
    assert!(said.contains("\n2 failed as known, which does not count\n"), "{said}");
    let case = &index(&report, true)["a peer"]["1.1.1"];
    assert_eq!((&case["overall"], &case["knownFailure"]), (&"FAILED".into(), &"<issue> 12".into()));
    assert_eq!(case["passesUnexpectedly"], false);
    assert!(index(&report, true)["a peer"]["1.1.3"].get("knownFailure").is_none());
    let detailed = json::case(&report, true, &report.results[0]);
    assert!(detailed.contains("\"knownFailure\": \"<issue> 12\""), "{detailed}");
    let page = html::page(std::slice::from_ref(&report), true);
    let shown = page.matches("<b>known to fail: &lt;issue&gt; 12</b>").count();
    assert_eq!(shown, 2, "in the list, and with the case");
    let document = junit::document(&[report], true);
    assert!(document.contains("failures=\"0\" errors=\"0\" skipped=\"2\""), "{document}");
    let skipped = "<skipped message=\"known to fail: &lt;issue&gt; 12\"/>\
                   <system-out>FAILED, close OK: so it was</system-out>";
    assert!(document.contains(skipped), "{document}");
}

#[test]
fn a_known_failure_that_passes_is_told_in_every_report_and_counts() {
    let report = report([Behavior::Failed, Behavior::NonStrict, Behavior::Ok].map(plain));
    assert!(!report.passed(false), "what is only non-strict passes by now");
    assert_eq!(report.standing(Standing::PassesUnexpectedly, false), 1);
    let told = "passes unexpectedly, known to fail: issue 13";
    let said = table::shortcomings(&report, false) + &table::summary(&report, false);
    assert!(said.contains(&format!("so it was [{told}]\n")), "{said}");
    assert!(said.contains("\nno pass: 1 passed that are known to fail, whose lines can go\n"));
    let case = &index(&report, false)["a peer"]["1.1.2"];
    assert_eq!(
        (&case["knownFailure"], &case["passesUnexpectedly"]),
        (&"issue 13".into(), &true.into())
    );
    assert!(html::page(std::slice::from_ref(&report), false).contains(&format!("<b>{told}</b>")));
    let document = junit::document(&[report], false);
    assert!(document.contains("failures=\"1\" errors=\"0\" skipped=\"1\""), "{document}");
    let failure = format!("<failure message=\"{told}\">NON-STRICT: so it was</failure>");
    assert!(document.contains(&failure), "{document}");
}

#[test]
fn a_known_failure_that_came_to_no_judgement_is_still_no_pass() {
    let none = Verdict::none("the driver did not play it");
    let report = report([plain(Behavior::Failed), none, plain(Behavior::Ok)]);
    assert!(!report.passed(true) && !report.is_complete());
    assert_eq!(report.standing(Standing::FailsAsKnown, true), 1);
    assert_eq!(report.standing(Standing::PassesUnexpectedly, true), 0);
}

#[test]
fn a_saved_report_says_what_run_it_was() {
    let report = report([Behavior::Failed, Behavior::Failed, Behavior::Ok].map(plain));
    let version = env!("CARGO_PKG_VERSION");
    let run = &index(&report, false)["a peer"]["run"];
    for (member, value) in [
        ("suite", Value::from(format!("ws-conformance {version}"))),
        ("started", "2000-02-29T00:00:00Z".into()),
        ("seconds", 1.5.into()),
        ("target", "ws://a/?<x>".into()),
        ("over", "h1".into()),
        ("options", "--over h1 --quick --header 'Cookie: …'".into()),
        ("isServer", false.into()),
        ("passed", true.into()),
    ] {
        assert_eq!(run[member], value, "{member}");
    }
    assert!(json::case(&report, false, &report.results[0]).contains("2000-02-29T00:00:00Z"));
    let page = html::page(std::slice::from_ref(&report), false);
    let line = "<code>ws://a/?&lt;x&gt;</code>, judged from 2000-02-29T00:00:00Z, 1.5 s long, with \
                <code>--over h1 --quick --header 'Cookie: …'</code>";
    assert!(page.contains(line) && page.contains(version), "{page}");
    let document = junit::document(std::slice::from_ref(&report), false);
    let suite = "<testsuite name=\"a peer\" timestamp=\"2000-02-29T00:00:00\" tests=\"3\"";
    assert!(document.contains(suite) && document.contains("time=\"1.500\""), "{document}");
    for (name, value) in [
        ("suite", format!("ws-conformance {version}").as_str()),
        ("started", "2000-02-29T00:00:00Z"),
        ("target", "ws://a/?&lt;x&gt;"),
        ("options", "--over h1 --quick --header 'Cookie: …'"),
    ] {
        let property = format!("<property name=\"{name}\" value=\"{value}\"/>");
        assert!(document.contains(&property), "{document}");
    }
    let said = table::summary(&report, false);
    let line = "3 cases against a server in 1.5 s, over h1, samples of the costly cases (--quick)\n\
                ws://a/?<x>, judged from 2000-02-29T00:00:00Z by ws-conformance";
    assert!(said.contains(line), "{said}");
}

#[test]
fn what_a_peer_says_stays_text_in_every_report() {
    let evil = "</code></table><script>alert('1')</script>\" onload=\"x\u{1b}[31m\u{FFFF}]]>";
    let mut verdict = Verdict::plain(Behavior::Failed, evil);
    verdict.remote_reason = evil.into();
    let log = crate::log::Log::new();
    log.note(evil);
    log.head(crate::log::Who::Peer, evil, evil.as_bytes());
    log.octets(crate::log::Who::Peer, || evil.into(), evil.as_bytes());
    verdict.log = log.entries();
    let mut report = report([verdict.clone(), verdict.clone(), verdict]);
    (report.agent, report.target, report.options) = (evil.into(), evil.into(), evil.into());
    let is_markup = |text: &str| {
        let controls = |character: char| character.is_control() && character != '\n';
        text.contains("<script") || text.contains("\" onload") || text.contains(controls)
    };
    let page = html::page(std::slice::from_ref(&report), false);
    assert!(!is_markup(&page), "{page}");
    let document = junit::document(std::slice::from_ref(&report), false);
    assert!(!is_markup(&document) && !document.contains(['\u{FFFF}', '\u{FFFE}']), "{document}");
    assert!(!document.contains("]]>"), "it ends a section of character data");
    let said = table::shortcomings(&report, false) + &table::summary(&report, false);
    assert!(!said.contains('\u{1b}'), "a terminal obeys it: {said:?}");
}
