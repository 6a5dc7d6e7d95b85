//! Section 20.10: the stream ends at every octet of a header, and later.

use crate::case::Case;
use crate::judge::Ending;
use crate::script::{Script, Step};
use crate::wire::frame::{Frame, Length};

/// Octets of a masked header with a 64-bit length.
const HEADER: usize = 14;

pub(super) fn cases() -> Vec<Case> {
    let frame = || Frame::binary(vec![7; 65_536]).with_length(Length::SixtyFour);
    let mut cases = Vec::new();
    for cut in 1..=HEADER + 2 {
        let octets = cut.min(HEADER) + if cut > HEADER { (cut - HEADER) * 30_000 } else { 0 };
        let script = Script::new(Ending::PeerFails(&[1000, 1001, 1002, 1006, 1009, 1011]))
            .step(Step::Start(frame(), octets))
            .step(Step::HalfClose)
            .expect([])
            .or_lenient([], "the peer left TCP half open after our side had ended")
            .and_serves_on();
        let number = u16::try_from(cut).unwrap_or_default();
        let case = Case::new(&[20, 10, number], script)
            .does(format!("Sends the first {octets} octets of a frame and ends TCP."))
            .expects("The peer ends TCP too and delivers nothing; a server serves the next.")
            .cites(&["WS-7.1.4-01", "WS-7.2.1-01", "WS-10.7-01"]);
        cases.push(case);
    }
    cases
}
