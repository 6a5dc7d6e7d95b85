//! Sections 20.1 to 20.4: who masks, who must not, and with which keys.

use tokio::time::Instant;

use crate::arena::{Arena, Refused};
use crate::case::{Case, Judges, Play, Playing};
use crate::groups::g09_limits::{expect_message, finish};
use crate::judge::{Behavior, Verdict};
use crate::link::Kind;
use crate::script::{Script, Step, binary, text};
use crate::wire::frame::{Frame, Masking};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = wrong(1, Judges::Servers, Masking::Never, ("an", "unmasked"), &["WS-5.1-02"]);
    let key = Masking::Key([0x11, 0x22, 0x33, 0x44]);
    cases.extend(wrong(2, Judges::Clients, key, ("a", "masked"), &["WS-5.1-04"]));
    cases.extend(keys());
    cases.push(
        Case::new(&[20, 4, 1], FreshKeys)
            .does("Lets the client echo 64 texts and collects the masking keys.")
            .expects(
                "Every key is new, none is the one before plus, or times, a constant, and no other \
                 connection of the run began with the same keys.",
            )
            .cites(&["WS-5.3-01", "WS-5.3-02", "WS-5.3-03", "WS-10.3-01", "WS-5.1-01"])
            .judges(Judges::Clients),
    );
    cases
}

/// Frames whose mask bit is wrong for the role of the suite.
fn wrong(
    section: u16,
    judges: Judges,
    masking: Masking,
    (article, word): (&str, &str),
    rows: &'static [&'static str],
) -> Vec<Case> {
    let frames = [
        ("text frame", Frame::text("Hello")),
        ("empty text frame", Frame::text("")),
        ("binary frame", Frame::binary([1, 2, 3])),
        ("ping", Frame::ping("Hello")),
        ("pong", Frame::pong("Hello")),
        ("close frame", Frame::close(1000, "")),
    ];
    let mut cases = Vec::new();
    for (number, (what, frame)) in (1..).zip(frames) {
        let script = Script::failing(&[1002]).say([frame.with_masking(masking)]).expect([]);
        cases.push((number, script, format!("Sends {article} {word} {what}.")));
    }
    let second = [Frame::text("one").open(), Frame::continuation("two").with_masking(masking)];
    let second = Script::failing(&[1002]).say(second).expect([]);
    cases.push((7, second, format!("Sends a text of two fragments, the second of them {word}.")));
    let later = [Frame::text("right"), Frame::text("wrong").with_masking(masking)];
    let later = Script::failing(&[1002])
        .say(later)
        .expect([text("right")])
        .tolerate([], "the valid message before the bad frame was not answered");
    cases.push((
        8,
        later,
        format!("Sends a right text and then {article} {word} one, in one write."),
    ));
    let case = |(number, script, does): (u16, Script, String)| {
        Case::new(&[20, section, number], script)
            .does(does)
            .expects("The connection is closed, with 1002 if with a code; nothing is echoed of it.")
            .cites(rows)
            .judges(judges)
    };
    cases.into_iter().map(case).collect()
}

/// Keys that are legal however odd, and every alignment of key and payload.
fn keys() -> Vec<Case> {
    let odd = [[0; 4], [0xFF; 4], [0, 0, 0, 1], [0x80, 0, 0, 0]];
    let mut cases = Vec::new();
    for (number, key) in (1..).zip(odd) {
        let frame = Frame::text("Hello, masked world").with_masking(Masking::Key(key));
        let script = Script::closing().say([frame]).expect([text("Hello, masked world")]);
        let does = format!("Sends a text masked with {key:02x?}.");
        cases.push(Case::new(&[20, 3, number], script).does(does));
    }
    for (number, length) in (5..).zip([1_u8, 2, 3, 4, 5, 7, 8, 9, 31, 33]) {
        let payload: Vec<u8> = (0..length).collect();
        let script = Script::closing()
            .step(Step::Drip(Frame::binary(payload.clone()), 15))
            .expect([binary(payload)]);
        let does = format!("Sends {length} masked octets, one octet a time.");
        cases.push(Case::new(&[20, 3, number], script).does(does));
    }
    let same = |case: Case| {
        case.expects("The same message comes back.")
            .cites(&["WS-5.3-04", "WS-6.2-02", "WS-5.1-03"])
            .judges(Judges::Servers)
    };
    cases.into_iter().map(same).collect()
}

/// Looks at the masking keys of a client.
#[derive(Debug)]
struct FreshKeys;

impl Play for FreshKeys {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            let mut link = arena.open().await?;
            let mut flaw = None;
            for number in 0..64 {
                let data = format!("message {number}").into_bytes();
                link.send_message(Kind::Text, &data, None).await;
                let deadline = Instant::now() + arena.settings.wait;
                flaw = expect_message(&mut link, Kind::Text, &data, deadline).await.err();
                if flaw.is_some() {
                    break;
                }
            }
            let again = arena.has_seen_keys_of(&link);
            let again = again.then(|| "another connection began with the same masking keys".into());
            let found = flaw_of_keys(link.keys()).or(again);
            let verdict = finish(link, arena, flaw).await;
            Ok::<_, Refused>(match found {
                Some(why) if verdict.behavior == Behavior::Ok => {
                    Verdict { behavior: Behavior::Failed, why, ..verdict }
                }
                _ => verdict,
            })
        })
    }
}

/// What is wrong with a sequence of keys, if anything.
fn flaw_of_keys(keys: &[[u8; 4]]) -> Option<String> {
    let numbers: Vec<u32> = keys.iter().map(|key| u32::from_be_bytes(*key)).collect();
    if numbers.contains(&0) {
        // One in four thousand million by chance.
        return Some("a masking key is zero".into());
    }
    let steps = steps_of(numbers.iter().copied());
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    sorted.dedup();
    if sorted.len() < numbers.len() {
        return Some("a masking key was used for more than one frame (§5.3)".into());
    }
    let mut distinct = steps.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let counted = steps.len() > 8 && distinct.len() * 2 < steps.len();
    let swapped: Vec<u32> = steps_of(numbers.iter().map(|number| number.swap_bytes()));
    (counted || is_linear(&steps) || is_linear(&swapped))
        .then(|| "masking keys follow from one another (§5.3)".into())
}

/// The difference of each number and the one before.
fn steps_of(numbers: impl Iterator<Item = u32> + Clone) -> Vec<u32> {
    numbers.clone().skip(1).zip(numbers).map(|(after, before)| after.wrapping_sub(before)).collect()
}

/// Whether each number was the one before times a constant plus another: then each step is the one
/// before times the first constant, which an odd step tells.
fn is_linear(steps: &[u32]) -> bool {
    let mut pairs = steps.iter().zip(steps.iter().skip(1));
    let factor = pairs.clone().find(|(before, _)| **before % 2 == 1);
    let factor = factor.map(|(before, after)| after.wrapping_mul(inverse(*before)));
    steps.len() > 8
        && factor.is_some_and(|factor| {
            pairs.all(|(before, after)| *after == before.wrapping_mul(factor))
        })
}

/// What an odd number is to be multiplied by to give 1, modulo 2^32: each step of Newton's doubles
/// the bits that are right, of which there are three at first.
fn inverse(odd: u32) -> u32 {
    (0..4).fold(odd, |found, _| found.wrapping_mul(2_u32.wrapping_sub(odd.wrapping_mul(found))))
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC: WS-5.3-01, WS-5.3-03
    #[test]
    fn keys_that_follow_from_one_another_are_noticed() {
        let constant = [[1, 2, 3, 4]; 20];
        let counting: Vec<[u8; 4]> = (1..30_u32).map(u32::to_be_bytes).collect();
        assert!(flaw_of_keys(&constant).is_some_and(|flaw| flaw.contains("more than one")));
        assert!(flaw_of_keys(&counting).is_some_and(|flaw| flaw.contains("follow")));
        let next = |key: &u32| Some(key.wrapping_mul(1_103_515_245).wrapping_add(12_345));
        let linear = || std::iter::successors(Some(12_345_u32), next).take(64);
        for keys in [
            linear().map(u32::to_be_bytes).collect(),
            linear().map(u32::to_le_bytes).collect::<Vec<_>>(),
        ] {
            assert!(flaw_of_keys(&keys).is_some_and(|flaw| flaw.contains("follow")));
        }
        let random: Vec<[u8; 4]> = (0..64).map(|_| crate::wire::mask::fresh_key()).collect();
        assert_eq!(flaw_of_keys(&random), None);
    }
}
