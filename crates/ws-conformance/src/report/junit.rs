//! The report as JUnit XML, for continuous integration.

use std::fmt::Write as _;

use super::date;
use crate::judge::Behavior;
use crate::run::{CaseResult, LeftOut, Report};
use crate::standing::Standing;

/// All `reports` as one document; with `strict`, what is non-strict counts as a failure. What was
/// not played counts as skipped, once for each section and reason, and so does what failed and is
/// known to; what is known to fail and passed is a failure.
#[must_use]
pub fn document(reports: &[Report], strict: bool) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for report in reports {
        let is_skipped = |result: &&CaseResult| match result.standing(strict) {
            Standing::FailsAsKnown => true,
            Standing::Passes => result.verdict.overall() == Behavior::Unimplemented,
            _ => false,
        };
        let count = |standing| report.standing(standing, strict);
        let _ = writeln!(
            xml,
            "<testsuite name=\"{}\" timestamp=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3}\">",
            escape(&report.agent),
            date::date_and_time(report.started),
            report.results.len() + report.left_out.len(),
            count(Standing::Fails) + count(Standing::PassesUnexpectedly),
            count(Standing::Unjudged),
            report.results.iter().filter(is_skipped).count() + report.left_out.len(),
            report.elapsed.as_secs_f64()
        );
        properties(&mut xml, report);
        for result in &report.results {
            let verdict = &result.verdict;
            let _ = write!(
                xml,
                "<testcase classname=\"{}.{}\" name=\"{} {}\" time=\"{:.3}\">",
                escape(&report.agent),
                result.id.group(),
                result.id,
                escape(&result.description),
                verdict.duration.as_secs_f64()
            );
            outcome(&mut xml, result, strict);
            xml.push_str("</testcase>\n");
        }
        for left_out in &report.left_out {
            let LeftOut { section, reason, .. } = left_out;
            let _ = writeln!(
                xml,
                "<testcase classname=\"{}.{}\" name=\"{section} not played, {}\" time=\"0.000\">\
                 <skipped message=\"{}\"/></testcase>",
                escape(&report.agent),
                section.group(),
                left_out.cases(),
                escape(reason)
            );
        }
        xml.push_str("</testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

/// What run it was.
fn properties(xml: &mut String, report: &Report) {
    xml.push_str("<properties>");
    let (over, began) = (report.carrier.to_string(), report.began());
    for (name, value) in [
        ("suite", concat!("ws-conformance ", env!("CARGO_PKG_VERSION"))),
        ("started", &began),
        ("target", &report.target),
        ("options", &report.options),
        ("over", &over),
        ("cases", report.effort.words()),
    ] {
        let _ = write!(xml, "<property name=\"{name}\" value=\"{}\"/>", escape(value));
    }
    xml.push_str("</properties>\n");
}

/// What became of a case.
fn outcome(xml: &mut String, result: &CaseResult, strict: bool) {
    let verdict = &result.verdict;
    let (overall, close, why) = (verdict.overall(), verdict.close, escape(&verdict.why));
    let known = result.of_known(strict).map(|known| escape(&known)).unwrap_or_default();
    let _ = match result.standing(strict) {
        Standing::Fails => {
            let (expected, seen) = (escape(&result.expectation), escape(&verdict.observed));
            write!(
                xml,
                "<failure message=\"{overall}, close {close}: {why}\">expected: {expected}\nseen: \
                 {seen}</failure>"
            )
        }
        Standing::PassesUnexpectedly => {
            write!(xml, "<failure message=\"{known}\">{overall}: {why}</failure>")
        }
        Standing::FailsAsKnown => write!(
            xml,
            "<skipped message=\"{known}\"/><system-out>{overall}, close {close}: {why}</system-out>"
        ),
        Standing::Unjudged => write!(xml, "<error message=\"{why}\"/>"),
        Standing::Passes if overall == Behavior::Unimplemented => {
            write!(xml, "<skipped message=\"{why}\"/>")
        }
        Standing::Passes => write!(xml, "<system-out>{overall}: {why}</system-out>"),
    };
}

/// Text for XML and HTML; what a peer wrote must not become markup.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\t' | '\n' => safe.push(character),
            // XML 1.0 §2.2 has no place for these, however they are written.
            '\u{FFFE}' | '\u{FFFF}' => safe.push('\u{FFFD}'),
            control if control.is_control() => safe.push('\u{FFFD}'),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_wrote_does_not_become_markup() {
        assert_eq!(escape("<a b=\"c\">&\u{1}"), "&lt;a b=&quot;c&quot;&gt;&amp;\u{FFFD}");
    }
}
