//! Group 40: HTTP/2 beneath the WebSocket (RFC 8441, RFC 9113), written octet by octet.

mod connection;
mod requests;
mod site;
mod streams;

use crate::carrier::Carrier;
use crate::case::{Case, Judges};

pub(super) fn cases() -> Vec<Case> {
    let sections = [connection::cases, requests::cases, streams::cases];
    let cases = sections.iter().flat_map(|section| section());
    cases.map(|case| case.over(&[Carrier::H2]).judges(Judges::Servers)).collect()
}
