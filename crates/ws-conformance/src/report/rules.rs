//! The rules that a case stands for, as the sections of the RFCs where a reader finds them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The rules of a case before what follows in the line; nothing where none is a section of an RFC.
pub(crate) fn line(rows: &[&str]) -> String {
    match links(rows) {
        links if links.is_empty() => links,
        links => format!("<b>Rules:</b> {links} · "),
    }
}

/// The sections that these rows of the table are from, each once and as a link.
fn links(rows: &[&str]) -> String {
    let mut seen = BTreeSet::new();
    let mut html = String::new();
    for (rfc, section) in rows.iter().filter_map(|row| place(row)) {
        if seen.insert((rfc, section)) {
            let comma = if html.is_empty() { "" } else { ", " };
            let _ = write!(
                html,
                "{comma}<a href=\"https://www.rfc-editor.org/rfc/rfc{rfc}#section-{section}\">\
                 RFC {rfc} §{section}</a>"
            );
        }
    }
    html
}

/// The RFC and its section that a row is from: `PMD-7.1.1.1-02` is from RFC 7692, section 7.1.1.1.
/// `None` for errata, and for what follows from no section by itself.
fn place(row: &str) -> Option<(u16, &str)> {
    let (document, rest) = row.split_once('-')?;
    let (section, _) = rest.rsplit_once('-')?;
    // `H2-9110-01` is what a row of HTTP/2 has from RFC 9110.
    let is_number = section.split('.').all(|part| part.parse::<u8>().is_ok());
    let (_, rfc) = DOCUMENTS.iter().find(|(name, _)| is_number && *name == document)?;
    Some((*rfc, section))
}

/// What the names of rows begin with.
const DOCUMENTS: [(&str, u16); 8] = [
    ("WS", 6455),
    ("PMD", 7692),
    ("H2WS", 8441),
    ("H3WS", 9220),
    ("SEM", 9110),
    ("M1", 9112),
    ("H2", 9113),
    ("H3", 9114),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups::all;

    #[test]
    fn rows_are_found_in_their_rfc() {
        let rows = ["WS-4.2.1-01", "WS-4.2.1-02", "PMD-7.1.1.1-02", "UP-7936"];
        assert_eq!(
            links(&rows),
            "<a href=\"https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1\">RFC 6455 §4.2.1</a>, \
             <a href=\"https://www.rfc-editor.org/rfc/rfc7692#section-7.1.1.1\">RFC 7692 \
             §7.1.1.1</a>"
        );
        assert!(line(&rows).starts_with("<b>Rules:</b> <a "));
        assert_eq!(line(&["UP-7936"]), "");
    }

    #[test]
    fn every_row_that_is_cited_is_of_a_document_that_is_known() {
        let known: Vec<&str> =
            DOCUMENTS.iter().map(|(name, _)| *name).chain(["ER", "UP"]).collect();
        for row in all().iter().flat_map(|case| case.rows) {
            let (document, _) = row.split_once('-').expect("a document and more");
            assert!(known.contains(&document), "{row}");
        }
        assert_eq!((place("H2-WIN-01"), place("H2-9110-01")), (None, None));
    }
}
