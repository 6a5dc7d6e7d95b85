//! Group 50: floods and silence: what a peer holds for others, and for how long.

mod deadlines;
mod floods;

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    [floods::cases, deadlines::cases].iter().flat_map(|section| section()).collect()
}
