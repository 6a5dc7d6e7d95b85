//! Group 20: masking and lengths, where a frame is cut, how soon a bad one is noticed, and texts
//! that are cut inside characters or may be changed.

mod early;
mod lengths;
mod masking;
mod text;
mod truncation;

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    [masking::cases, lengths::cases, truncation::cases, early::cases, text::cases]
        .iter()
        .flat_map(|section| section())
        .collect()
}
