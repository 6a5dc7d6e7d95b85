//! The report as JUnit XML, for continuous integration.

use std::fmt::Write as _;

use crate::judge::Behavior;
use crate::run::{LeftOut, Report};

/// All `reports` as one document; with `strict`, what is non-strict counts as a failure. What was
/// not played counts as skipped, once for each section and reason.
#[must_use]
pub fn document(reports: &[Report], strict: bool) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for report in reports {
        let fails =
            |behavior| behavior == Behavior::Failed || strict && behavior == Behavior::NonStrict;
        let overall = report.results.iter().map(|result| result.verdict.overall());
        let failures = overall.filter(|behavior| fails(*behavior)).count();
        let _ = writeln!(
            xml,
            "<testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3}\">",
            escape(&report.agent),
            report.results.len() + report.left_out.len(),
            report.count(Behavior::Unjudged),
            report.count(Behavior::Unimplemented) + report.left_out.len(),
            report.elapsed.as_secs_f64()
        );
        let (over, effort) = (report.carrier, report.effort.words());
        let _ = writeln!(
            xml,
            "<properties><property name=\"over\" value=\"{over}\"/>\
             <property name=\"cases\" value=\"{effort}\"/></properties>"
        );
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
            let overall = verdict.overall();
            if fails(overall) {
                let close = verdict.close;
                let why = escape(&verdict.why);
                let (expected, seen) = (escape(&result.expectation), escape(&verdict.observed));
                let _ = write!(
                    xml,
                    "<failure message=\"{overall}, close {close}: {why}\">expected: {expected}\nseen: \
                     {seen}</failure>"
                );
            } else if overall == Behavior::Unjudged {
                let _ = write!(xml, "<error message=\"{}\"/>", escape(&verdict.why));
            } else if overall == Behavior::Unimplemented {
                let _ = write!(xml, "<skipped message=\"{}\"/>", escape(&verdict.why));
            } else {
                let _ = write!(xml, "<system-out>{overall}: {}</system-out>", escape(&verdict.why));
            }
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
