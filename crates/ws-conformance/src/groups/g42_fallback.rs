//! Group 42: the version of HTTP is found out, by ALPN and by trying, and fallen back from.
//!
//! Clients are to be told to use whatever there is; servers are asked at one port by all versions.

mod clients;
mod servers;

use crate::carrier::Carrier;
use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    let cases = clients::cases().into_iter().chain(servers::cases());
    cases.map(|case| case.over(&[Carrier::Best])).collect()
}
