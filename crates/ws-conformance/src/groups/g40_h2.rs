//! Group 40: HTTP/2 beneath the WebSocket (RFC 8441, RFC 9113), written octet by octet.
//!
//! Sections 40.1 to 40.3 judge servers, 40.11 to 40.14 clients.

mod answers;
pub(super) mod asked;
pub(super) mod bad_answers;
mod connection;
mod courses;
mod opening;
mod requests;
mod site;
mod streams;

use crate::carrier::Carrier;
use crate::case::{Case, Judges};

pub(super) fn cases() -> Vec<Case> {
    let servers = [connection::cases, requests::cases, streams::cases];
    let clients = [opening::cases, asked::cases, answers::cases, courses::cases];
    let judging = |sections: &[fn() -> Vec<Case>], judges| -> Vec<Case> {
        let cases = sections.iter().flat_map(|section| section());
        cases.map(|case| case.over(&[Carrier::H2]).judges(judges)).collect()
    };
    let mut cases = judging(&servers, Judges::Servers);
    cases.extend(judging(&clients, Judges::Clients));
    cases
}
