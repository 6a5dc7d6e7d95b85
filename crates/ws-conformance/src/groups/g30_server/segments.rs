//! Section 30.2: a request in pieces, and frames right behind it.

use super::probe::{Answer, Edit, Probe};
use crate::case::{Case, Weight};
use crate::wire::frame::Frame;

pub(super) fn cases() -> Vec<Case> {
    let plain = || Probe::new(Vec::new(), Answer::Open);
    // §4.1 has a client wait for the answer, so a server may refuse one that does not.
    let early = |edits, frames| Probe::new(edits, Answer::ShouldOpen).followed_by(frames);
    let frames = |count: u32| -> Vec<Frame> {
        (0..count).map(|number| Frame::text(format!("early {number}"))).collect()
    };
    let large = vec![Frame::binary(vec![7; 100_000])];
    let rows: &[&str] = &["WS-4.2.2-15", "WS-4.2.2-16", "SEM-5.3-02", "M1-6.3-01"];
    let table = [
        ("one octet a write", plain().chopped(1, 0)),
        ("one octet every 2 ms", plain().chopped(1, 2)),
        ("seven octets every 5 ms", plain().chopped(7, 5)),
        ("with a text right behind it", early(vec![], frames(1))),
        ("with ten texts right behind it", early(vec![], frames(10))),
        ("with a ping right behind it", early(vec![], vec![Frame::ping("early")])),
        ("with 100 kB right behind it", early(vec![], large)),
        ("and a text behind it, one octet a write", early(vec![], frames(1)).chopped(1, 0)),
        (
            "and three texts behind it, 50 octets every 3 ms",
            early(vec![], frames(3)).chopped(50, 3),
        ),
        (
            "with Content-Length: 0 and a text right behind it",
            early(vec![Edit::Add("Content-Length: 0".into())], frames(1)),
        ),
    ];
    (1..)
        .zip(table)
        .map(|(number, (what, probe))| {
            probe.case(&[30, 2, number], what, rows).weighs(Weight::Waiting)
        })
        .collect()
}
