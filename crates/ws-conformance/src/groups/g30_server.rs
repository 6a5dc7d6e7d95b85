//! Group 30: how a server reads an opening handshake over HTTP/1.1, and how it answers.

mod answer;
mod requests;
mod segments;
mod sizes;
mod syntax;

pub(crate) mod probe;

use crate::carrier::Carrier;
use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    [requests::cases, segments::cases, syntax::cases, sizes::cases, answer::cases]
        .iter()
        .flat_map(|section| section())
        .map(|case| case.over(&[Carrier::H1]))
        .collect()
}
