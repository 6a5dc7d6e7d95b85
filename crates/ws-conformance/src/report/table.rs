//! The summary at the end of a run: a line for each group, then what did not pass.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::case::CaseId;
use crate::groups::title;
use crate::judge::Behavior;
use crate::run::{LeftOut, Report};
use crate::standing::Standing;

const COLUMNS: [(Behavior, &str); 6] = [
    (Behavior::Ok, "ok"),
    (Behavior::NonStrict, "non-strict"),
    (Behavior::Failed, "failed"),
    (Behavior::Informational, "informational"),
    (Behavior::Unimplemented, "unimplemented"),
    (Behavior::Unjudged, "unjudged"),
];

/// The summary of `report` as text. With `strict` a case that is known to fail does not pass by being
/// non-strict.
#[must_use]
pub fn summary(report: &Report, strict: bool) -> String {
    let mut groups: BTreeMap<u16, [usize; COLUMNS.len()]> = BTreeMap::new();
    let mut total = [0; COLUMNS.len()];
    for result in &report.results {
        let counts = groups.entry(result.id.group()).or_default();
        let overall = result.verdict.overall();
        for (place, (behavior, _)) in COLUMNS.iter().enumerate() {
            if *behavior == overall {
                counts.iter_mut().skip(place).take(1).for_each(|count| *count += 1);
                total.iter_mut().skip(place).take(1).for_each(|count| *count += 1);
            }
        }
    }
    let mut text = format!("{:<40}", report.agent);
    for (_, name) in COLUMNS {
        let _ = write!(text, "{name:>14}");
    }
    text.push('\n');
    for (group, counts) in &groups {
        line(&mut text, &format!("{group:>3}  {}", title(*group)), counts);
    }
    line(&mut text, "     all", &total);
    for left_out in &report.left_out {
        let (LeftOut { section, reason, .. }, cases) = (left_out, left_out.cases());
        let _ = writeln!(text, "{section:>3}  not played, {cases}: {reason}");
    }
    let kind = if report.peer_is_server { "server" } else { "client" };
    let seconds = report.elapsed.as_secs_f64();
    let cases = report.results.len();
    let _ = writeln!(text, "{cases} cases against a {kind} in {seconds:.1} s, {}", report.how());
    let (target, began, options) = (&report.target, report.began(), &report.options);
    let version = env!("CARGO_PKG_VERSION");
    let _ = writeln!(text, "{target}, judged from {began} by ws-conformance {version} {options}");
    let known = report.standing(Standing::FailsAsKnown, strict);
    if known > 0 {
        let _ = writeln!(text, "{known} failed as known, which does not count");
    }
    let unexpected = report.standing(Standing::PassesUnexpectedly, strict);
    if unexpected > 0 {
        let _ = writeln!(
            text,
            "no pass: {unexpected} passed that are known to fail, whose lines can go"
        );
    }
    if !report.is_complete() {
        let unjudged = report.count(Behavior::Unjudged);
        let _ = writeln!(text, "no pass: {unjudged} of the {cases} came to no judgement");
    }
    printable(&text)
}

/// The cases that did not pass, or were not to, one a line, with the reason; those without a judgement
/// by reason.
#[must_use]
pub fn shortcomings(report: &Report, strict: bool) -> String {
    let mut text = String::new();
    let mut unjudged: BTreeMap<&str, Vec<&CaseId>> = BTreeMap::new();
    for result in &report.results {
        let verdict = &result.verdict;
        if verdict.behavior == Behavior::Unjudged {
            unjudged.entry(&verdict.why).or_default().push(&result.id);
        } else if verdict.is_against() || result.known.is_some() {
            let known = result.of_known(strict).map(|known| format!(" [{known}]"));
            let known = known.unwrap_or_default();
            let (id, overall, close) = (&result.id, verdict.overall(), verdict.close);
            let (what, why) = (&result.description, &verdict.why);
            let _ = writeln!(text, "{id:<10}{overall:<14}close {close:<18}{what} {why}{known}");
        }
    }
    for (why, cases) in unjudged {
        let named: Vec<String> = cases.iter().take(3).map(ToString::to_string).collect();
        let more = match cases.len().saturating_sub(named.len()) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let _ = writeln!(text, "{}{more}: {}: {why}", named.join(", "), Behavior::Unjudged);
    }
    printable(&text)
}

/// Text for a terminal, which must not obey what a peer says.
pub(crate) fn printable(text: &str) -> String {
    let safe = |one: char| if one.is_control() && one != '\n' { '\u{FFFD}' } else { one };
    text.chars().map(safe).collect()
}

fn line(text: &mut String, name: &str, counts: &[usize]) {
    let _ = write!(text, "{name:<40}");
    for count in counts {
        let shown = if *count == 0 { "·".to_owned() } else { count.to_string() };
        let _ = write!(text, "{shown:>14}");
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::carrier::Carrier;
    use crate::groups::all;
    use crate::judge::{CloseBehavior, Verdict};
    use crate::report::{html, json, junit};
    use crate::run::CaseResult;
    use crate::settings::Effort;

    #[test]
    fn the_heading_of_a_case_is_the_verdict_on_all_of_it() {
        is_the_heading(CloseBehavior::WrongCode, Behavior::NonStrict);
        is_the_heading(CloseBehavior::Unclean, Behavior::Failed);
    }

    fn is_the_heading(close: CloseBehavior, overall: Behavior) {
        let verdict = Verdict { close, ..Verdict::plain(Behavior::Ok, "the end was not right") };
        let report = Report {
            agent: "a peer".into(),
            peer_is_server: true,
            target: "ws://a/".into(),
            started: SystemTime::UNIX_EPOCH,
            options: "--over h1 --quick".into(),
            results: all()
                .iter()
                .take(1)
                .map(|case| CaseResult::new(case, verdict.clone(), &[]))
                .collect(),
            left_out: vec![LeftOut {
                reason: "see <issue 12>".into(),
                section: CaseId::new(&[20, 1]),
                count: 8,
            }],
            carrier: Carrier::H1,
            effort: Effort::Quick,
            elapsed: Duration::ZERO,
        };
        let detailed = json::case(&report, false, &report.results[0]);
        assert!(detailed.contains(&format!("\"overall\": \"{}\"", overall.name())), "{detailed}");
        let found = shortcomings(&report, false);
        assert!(found.starts_with(&format!("1.1.1     {overall:<14}close {close}")), "{found}");
        let sent = "Sends a text message of 0 octets in one frame. the end was not right";
        assert!(found.contains(sent), "{found}");
        let reports = [report];
        let page = html::page(&reports, false);
        let tag = format!("<span class=\"tag {overall}\">{overall}</span> close {close}");
        assert!(page.contains(&tag), "{tag}");
        assert!(page.contains(&format!(">{overall} / {close}</a>")));
        assert!(
            page.contains("over h1, samples of the costly cases (--quick)"),
            "how it was judged"
        );
        let (_, list) = page.split_once("<h2>What did not pass</h2>").expect("a list of them");
        let (list, _) = list.split_once("<h2>").expect("the matrix behind it");
        assert!(list.contains("<a href=\"#a0-1.1.1\">1.1.1</a>"), "{list}");
        assert!(list.contains("the end was not right"), "{list}");
        let properties = "<property name=\"over\" value=\"h1\"/>";
        assert!(junit::document(&reports, false).contains(properties));
        let message = format!("message=\"{overall}, close {close}: ");
        assert!(junit::document(&reports, true).contains(&message), "{message}");
        let fails = junit::document(&reports, false).contains(&message);
        assert_eq!(fails, overall == Behavior::Failed);
        let document = junit::document(&reports, false);
        assert!(document.contains("tests=\"2\""), "{document}");
        assert!(document.contains("skipped=\"1\""), "{document}");
        let skipped = "name=\"20.1 not played, 8 cases\" time=\"0.000\">\
                       <skipped message=\"see &lt;issue 12&gt;\"/></testcase>";
        assert!(document.contains(skipped), "{document}");
        let index = json::index(&reports, false, |_, _| String::new());
        let index: serde_json::Value = serde_json::from_str(&index).expect("JSON");
        let left_out = &index["a peer"]["leftOut"][0];
        assert_eq!(left_out["section"], "20.1");
        assert_eq!(
            (&left_out["cases"], &left_out["reason"]),
            (&8.into(), &"see <issue 12>".into())
        );
    }
}
