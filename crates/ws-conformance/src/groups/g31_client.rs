//! Group 31: how a client asks for a WebSocket over HTTP/1.1, and which answers it takes.

mod answers;
pub(crate) mod reply;
pub(super) mod requests;

use crate::carrier::Carrier;
use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    let sections = [answers::cases, requests::cases];
    let cases = sections.iter().flat_map(|section| section());
    cases.map(|case| case.over(&[Carrier::H1])).collect()
}
