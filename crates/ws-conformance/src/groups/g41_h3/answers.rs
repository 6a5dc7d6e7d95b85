//! Section 41.13: answers to a client that are right in unusual ways, and answers that must fail.

use tokio::time::Instant;

use super::guest::{Found, allow, failed, fine, link, receive, request, works};
use crate::arena::{Arena, Refused};
use crate::case::{Case, Play, Playing, Weight};
use crate::groups::g40_h2::bad_answers::{BAD_ANSWERS, Bad, Lines, Reaction};
use crate::judge::{Behavior, Verdict};
use crate::link::Link;
use crate::wire::h3_stream::H3Stream;
use crate::wire::qpack::section;
use crate::wire::raw_h3::{frame, number};

pub(super) fn cases() -> Vec<Case> {
    (1..)
        .zip(right().into_iter().chain(wrong()))
        .map(|(number, (what, manner, reaction, rows))| {
            let weight = if reaction == Reaction::Open { Weight::Light } else { Weight::Waiting };
            Case::new(&[41, 13, number], Answer { manner, reaction })
                .does(format!("Answers {what}."))
                .expects(reaction.words())
                .cites(rows)
                .weighs(weight)
        })
        .collect()
}

type Row = (&'static str, Manner, Reaction, &'static [&'static str]);

/// How the answer is sent.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// These lines.
    Lines(Lines),
    /// The field section in these octets.
    Section(&'static [u8]),
    /// The ordinary answer after an interim one with this status.
    After(&'static str),
    /// A frame of an unknown type comes first.
    AfterUnknown,
    /// One octet at a time.
    Dripped,
    /// The answer ends the stream.
    Ended(&'static str),
    /// The stream is reset with this code instead.
    Reset(u32),
    /// DATA comes instead.
    Data,
}

fn right() -> Vec<Row> {
    use Manner::{After, AfterUnknown, Dripped, Section};
    fn row(what: &'static str, manner: Manner, rows: &'static [&'static str]) -> Row {
        (what, manner, Reaction::Open, rows)
    }
    vec![
        row("200", Manner::Lines(&[(":status", "200")]), &["H3WS-3-01", "H2WS-5-07"]),
        row("204", Manner::Lines(&[(":status", "204")]), &["H2WS-5-07"]),
        row("200 as an indexed line", Section(&[0, 0, 0xD9]), &["H3-4.3-01"]),
        row("100 and then 200", After("100"), &["SEM-15.2-01"]),
        row("103 and then 200", After("103"), &["SEM-15.2-01"]),
        row("200 after a frame of an unknown type", AfterUnknown, &["H3-9-01"]),
        row("200, one octet at a time", Dripped, &["H3WS-3-01"]),
        row(
            "200 with an accept value",
            Manner::Lines(&[(":status", "200"), ("sec-websocket-accept", "x")]),
            &["H2WS-5-05"],
        ),
    ]
}

fn wrong() -> Vec<Row> {
    fn reset(what: &'static str, code: u32, rows: &'static [&'static str]) -> Row {
        (what, Manner::Reset(code), Reaction::Leave, rows)
    }
    let row = |(what, bad, reaction, _, rows)| {
        let manner = match bad {
            Bad::Lines(lines) => Manner::Lines(lines),
            Bad::Ended(status) => Manner::Ended(status),
        };
        (what, manner, reaction, rows)
    };
    let mut table = BAD_ANSWERS.map(row).to_vec();
    table.extend::<[Row; 4]>([
        ("DATA before HEADERS", Manner::Data, Reaction::Fail, &["H3-7.2.1-01"]),
        reset("with a reset and H3_REQUEST_REJECTED", 0x10b, &["H3-4.1.1-01"]),
        reset("with a reset and H3_REQUEST_CANCELLED", 0x10c, &["H3-4.1.1-01"]),
        reset("with a reset and an unknown code", 0xFAFA, &["H3-9-01", "H3-4.1.1-01"]),
    ]);
    table
}

#[derive(Clone, Copy, Debug)]
struct Answer {
    manner: Manner,
    reaction: Reaction,
}

impl Play for Answer {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            let mut raw = receive(arena).await?;
            allow(&mut raw).await?;
            let (mut stream, head) = request(&raw, arena).await?;
            self.send(&mut stream).await;
            let mut link = link(stream, head, arena);
            let (behavior, why) = self.judge(&mut link, arena).await;
            Ok::<_, Refused>(Verdict::plain(behavior, why))
        })
    }
}

impl Answer {
    async fn send(self, stream: &mut H3Stream) {
        let block = |pairs: &[(&str, &str)]| {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            section(&pairs.iter().map(owned).collect::<Vec<_>>())
        };
        let ordinary = block(&[(":status", "200")]);
        match self.manner {
            Manner::Lines(pairs) => stream.send_frame(number::HEADERS, &block(pairs)).await,
            Manner::Section(octets) => stream.send_frame(number::HEADERS, octets).await,
            Manner::After(status) => {
                let interim = block(&[(":status", status), ("link", "</x>")]);
                stream.send_frame(number::HEADERS, &interim).await;
                stream.send_frame(number::HEADERS, &ordinary).await;
            }
            Manner::AfterUnknown => {
                stream.send_frame(0x21 + 0x1F * 7, b"whatever").await;
                stream.send_frame(number::HEADERS, &ordinary).await;
            }
            Manner::Dripped => {
                for octet in frame(number::HEADERS, &ordinary) {
                    // A client that has stopped the stream is seen by what it does not do.
                    let _ = stream.send.write_all(&[octet]).await;
                    tokio::task::yield_now().await;
                }
            }
            Manner::Ended(status) => {
                stream.send_frame(number::HEADERS, &block(&[(":status", status)])).await;
                stream.end();
            }
            Manner::Reset(code) => stream.abort(code),
            Manner::Data => stream.send_frame(number::DATA, b"no answer").await,
        }
    }

    async fn judge(self, link: &mut Link, arena: &Arena) -> Found {
        let deadline = Instant::now() + arena.settings.wait;
        match self.reaction {
            Reaction::Open if works(link, arena).await => fine("the client uses the WebSocket"),
            Reaction::Open => failed("a valid answer was not taken"),
            Reaction::Either => {
                let verb = if works(link, arena).await { "accepted" } else { "did not accept" };
                (Behavior::Informational, format!("the client {verb} the answer"))
            }
            Reaction::Part => {
                link.answers_close = false;
                link.drain(deadline).await;
                match (link.events().is_empty(), link.ended_by_peer()) {
                    (true, true) => fine("the client ended its side"),
                    (true, false) => (Behavior::NonStrict, "the client left its side open".into()),
                    (false, _) => failed(format!("the client sent {:?}", link.events())),
                }
            }
            Reaction::Fail | Reaction::Leave => {
                let opened = self.reaction == Reaction::Fail && works(link, arena).await;
                link.drain(deadline).await;
                if opened {
                    return failed("the client went on with an answer that had to fail");
                }
                match link.received() {
                    0 if link.ended_by_peer() => fine("the client ended its side"),
                    0 if self.reaction == Reaction::Leave => fine("the client did not go on"),
                    0 => {
                        let why = "the client did not go on, but left the stream open";
                        (Behavior::NonStrict, why.into())
                    }
                    count => failed(format!("the client sent {count} octets")),
                }
            }
        }
    }
}
