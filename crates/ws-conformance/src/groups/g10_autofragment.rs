//! Group 10: a message that the sender cuts by itself.

use crate::case::Case;
use crate::link::{Kind, fragmented};
use crate::script::{Script, text};

pub(super) fn cases() -> Vec<Case> {
    let payload = vec![b'*'; 65_536];
    let frames = fragmented(Kind::Text, &payload, 1300);
    let size = payload.len();
    let script = Script::closing().say(frames).expect([text(payload)]).or_refused_by_limit(size);
    let case = Case::new(&[10, 1, 1], script)
        .does("Sends a text of 65536 octets in 51 frames of at most 1300 octets.")
        .expects("The whole text comes back.")
        .cites(&["WS-5.4-01", "WS-5.4-04", "WS-5.4-08"]);
    vec![case]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_cut_into_one_text_frame_and_fifty_continuations() {
        let frames = fragmented(Kind::Text, &[b'*'; 65_536], 1300);
        let sizes: Vec<usize> = frames.iter().map(|frame| frame.payload.len()).collect();
        assert_eq!(frames.len(), 51);
        assert!(sizes[..50].iter().all(|size| *size == 1300));
        assert_eq!(sizes[50], 536);
        let firsts = frames.iter().filter(|frame| frame.opcode == 1).count();
        assert_eq!((firsts, frames.iter().filter(|frame| frame.fin).count()), (1, 1));
    }
}
