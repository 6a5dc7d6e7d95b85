//! Group 20: masking and lengths, where a frame is cut, and how soon a bad one is noticed.

mod early;
mod lengths;
mod masking;
mod truncation;

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    [masking::cases, lengths::cases, truncation::cases, early::cases]
        .iter()
        .flat_map(|section| section())
        .collect()
}
