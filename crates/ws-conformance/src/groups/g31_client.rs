//! Group 31: how a client asks for a WebSocket over HTTP/1.1, and which answers it takes.

mod answers;
mod requests;

pub(crate) mod reply;

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    [answers::cases, requests::cases].iter().flat_map(|section| section()).collect()
}
