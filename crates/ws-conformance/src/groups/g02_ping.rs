//! Group 2: pings are answered, pongs are not.

use crate::case::Case;
use crate::judge::Ending;
use crate::link::{Event, WriteMode};
use crate::script::{Script, pong};
use crate::wire::frame::Frame;

pub(super) fn cases() -> Vec<Case> {
    let echoed = |number, what: &str, payload: &[u8], mode| {
        let script = Script::closing().send([Frame::ping(payload)], mode).expect([pong(payload)]);
        Case::new(&[2, number], script)
            .does(format!("Sends a ping with {what}."))
            .expects("A pong with the same payload comes back.")
            .cites(&["WS-5.5.2-01", "WS-5.5.3-01"])
    };
    let unanswered = |number, what: &str, payload: &str| {
        let frames = [Frame::pong(payload), Frame::close(1000, "")];
        let script = Script::new(Ending::ScriptCloses(&[1000])).say(frames).expect([]);
        Case::new(&[2, number], script)
            .does(format!("Sends an unsolicited pong {what}, then closes."))
            .expects("Nothing but the close frame comes back.")
            .cites(&["WS-5.5.3-03"])
    };
    let ten = |number, how: &str, mode| {
        let payload = |number: usize| format!("payload-{number}");
        let pings: Vec<Frame> = (0..10).map(|number| Frame::ping(payload(number))).collect();
        let pongs: Vec<Event> = (0..10).map(|number| pong(payload(number))).collect();
        let script = Script::closing().send(pings, mode).expect(pongs.clone()).tolerate_gaps(
            pongs,
            "not every ping was answered (§5.5.3 allows it but for the newest)",
        );
        Case::new(&[2, number], script)
            .does(format!("Sends ten pings {how}."))
            .expects("Ten pongs come back in the same order.")
            .cites(&["WS-5.5.2-01", "WS-5.5.3-01", "WS-5.5.3-02"])
    };
    let odd = [0x00, 0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0x00, 0xFF];
    let too_long = Script::failing(&[1002]).say([Frame::ping([0xFE; 126])]).expect([]);
    let after_pong = Script::closing()
        .say([Frame::pong("unsolicited pong"), Frame::ping("ping payload")])
        .expect([pong("ping payload")]);
    vec![
        echoed(1, "no payload", b"", WriteMode::OneGo),
        echoed(2, "a text payload", b"Hello, world!", WriteMode::OneGo),
        echoed(3, "a payload that is not UTF-8", &odd, WriteMode::OneGo),
        echoed(4, "a payload of 125 octets", &[0xFE; 125], WriteMode::OneGo),
        Case::new(&[2, 5], too_long)
            .does("Sends a ping with a payload of 126 octets.")
            .expects("The connection is failed with 1002; no pong.")
            .cites(&["WS-5.5-01"]),
        echoed(6, "125 octets, one octet a write", &[0xFE; 125], WriteMode::Chopped(1)),
        unanswered(7, "without payload", ""),
        unanswered(8, "with a payload", "unsolicited pong payload"),
        Case::new(&[2, 9], after_pong)
            .does("Sends an unsolicited pong and then a ping, both with payloads.")
            .expects("One pong comes back, with the payload of the ping.")
            .cites(&["WS-5.5.3-01", "WS-5.5.3-03"]),
        ten(10, "in one write", WriteMode::OneGo),
        ten(11, "one octet a write", WriteMode::Chopped(1)),
    ]
}
