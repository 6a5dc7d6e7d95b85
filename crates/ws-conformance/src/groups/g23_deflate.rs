//! Group 23: permessage-deflate by the letter: streams, damage, offers and answers.

mod answers;
mod offers;
mod streams;

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    [streams::cases, offers::cases, answers::cases].iter().flat_map(|section| section()).collect()
}
