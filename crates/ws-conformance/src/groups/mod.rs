//! The cases, one file or folder for each group.
//!
//! Groups 1 to 13 keep the numbers that the field's published reports use; from 20 on they are
//! this suite's own.

mod g01_echo;
mod g02_ping;
mod g03_reserved_bits;
mod g04_opcodes;
mod g05_fragments;
mod g06_utf8;
mod g07_close;
mod g09_limits;
mod g10_autofragment;
mod g12_deflate;
mod g20_framing;
mod g21_reserved_deflate;
mod g22_closing;
mod g23_deflate;
mod g24_abuse;
mod g30_server;
mod g31_client;
mod g32_negotiation;
mod g40_h2;
#[cfg(feature = "h3")]
mod g41_h3;
#[cfg(all(feature = "h2", feature = "h3"))]
mod g42_fallback;
mod g50_limits;
mod g60_performance;

pub(crate) use g12_deflate::open_plain;

use crate::case::Case;

/// Every case, in the order of the numbers.
#[must_use]
pub fn all() -> Vec<Case> {
    let groups = [
        g01_echo::cases,
        g02_ping::cases,
        g03_reserved_bits::cases,
        g04_opcodes::cases,
        g05_fragments::cases,
        g06_utf8::cases,
        g07_close::cases,
        g09_limits::cases,
        g10_autofragment::cases,
        g12_deflate::cases,
        g20_framing::cases,
        g21_reserved_deflate::cases,
        g22_closing::cases,
        g23_deflate::cases,
        g24_abuse::cases,
        g30_server::cases,
        g31_client::cases,
        g32_negotiation::cases,
        g40_h2::cases,
        #[cfg(feature = "h3")]
        g41_h3::cases,
        #[cfg(all(feature = "h2", feature = "h3"))]
        g42_fallback::cases,
        g50_limits::cases,
        g60_performance::cases,
    ];
    let mut cases: Vec<Case> = groups.iter().flat_map(|group| group()).collect();
    cases.sort();
    cases
}

/// What a group is about.
#[must_use]
pub fn title(group: u16) -> &'static str {
    match group {
        1 => "Echo of plain frames",
        2 => "Pings and pongs",
        3 => "Reserved bits",
        4 => "Reserved opcodes",
        5 => "Fragmentation",
        6 => "UTF-8",
        7 => "Closing",
        9 => "Limits and speed",
        10 => "Automatic fragmentation",
        12 => "Compression: sizes and data",
        13 => "Compression: parameters",
        20 => "Masking, lengths and text",
        21 => "Reserved bits under compression",
        22 => "Ways to close",
        23 => "Compression: conformance",
        24 => "Compression: abuse",
        30 => "HTTP/1.1 handshake, servers",
        31 => "HTTP/1.1 handshake, clients",
        32 => "Negotiation",
        40 => "HTTP/2",
        41 => "HTTP/3",
        42 => "Falling back",
        50 => "Limits and deadlines",
        60 => "Performance",
        _ => "Other",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use super::*;

    #[test]
    fn every_published_case_is_there_once() {
        let cases = all();
        let ids: HashSet<_> = cases.iter().map(|case| &case.id).collect();
        assert_eq!(ids.len(), cases.len());
        let mut counts = BTreeMap::new();
        for case in cases.iter().filter(|case| case.id.group() < 20) {
            *counts.entry(case.id.group()).or_insert(0) += 1;
        }
        let published = [
            (1, 16),
            (2, 11),
            (3, 7),
            (4, 10),
            (5, 20),
            (6, 145),
            (7, 37),
            (9, 54),
            (10, 1),
            (12, 90),
            (13, 126),
        ];
        assert_eq!(counts, published.into());
    }

    #[test]
    fn every_case_says_what_it_does_expects_and_cites() {
        for case in all() {
            assert!(case.description.ends_with('.'), "{}: {}", case.id, case.description);
            assert!(case.expectation.ends_with('.'), "{}: {}", case.id, case.expectation);
            assert!(!case.rows.is_empty(), "{}", case.id);
            assert_ne!(title(case.id.group()), "Other", "{}", case.id);
        }
    }
}
