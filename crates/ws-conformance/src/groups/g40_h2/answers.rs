//! Section 40.13: answers to a client that are right in unusual ways, and answers that must fail.

use tokio::time::Instant;

use super::bad_answers::{BAD_ANSWERS, Bad, Lines, Reaction};
use super::site::Site;
use crate::arena::{Arena, Refused};
use crate::case::{Case, Play, Playing, Weight};
use crate::judge::{Behavior, Verdict};
use crate::wire::frame::{Frame, opcode};
use crate::wire::hpack::block;
use crate::wire::raw_h2::{flag, kind};
use crate::wire::tunnel::code;

pub(super) fn cases() -> Vec<Case> {
    let tables = right().into_iter().chain(wrong()).chain(none());
    (1..)
        .zip(tables)
        .map(|(number, (what, manner, reaction, rows))| {
            let weight = if reaction == Reaction::Open { Weight::Light } else { Weight::Waiting };
            Case::new(&[40, 13, number], Answer { manner, reaction })
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
    /// These lines, in one frame.
    Lines(Lines),
    /// The block in these octets.
    Block(&'static [u8]),
    /// The ordinary answer after an interim one with this status.
    After(&'static str),
    Padded,
    Continued,
    /// The first text comes in the same write.
    WithText,
    /// The answer ends the stream.
    Ended(&'static str),
    /// The stream is reset instead.
    Reset(u32),
    /// The connection is given up instead, by GOAWAY below the stream.
    Goaway,
    /// TCP ends instead.
    Cut,
}

fn right() -> Vec<Row> {
    use Manner::{After, Block, Continued, Lines, Padded, WithText};
    fn row(what: &'static str, manner: Manner, rows: &'static [&'static str]) -> Row {
        (what, manner, Reaction::Open, rows)
    }
    let many = &[
        (":status", "200"),
        ("server", "x"),
        ("date", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("set-cookie", "a=b"),
        ("set-cookie", "c=d"),
        ("x-empty", ""),
        ("sec-websocket-version", "13"),
    ];
    let accept = &[(":status", "200"), ("sec-websocket-accept", "x")];
    vec![
        row("200", Lines(&[(":status", "200")]), &["H2WS-5-07", "H2WS-5-01"]),
        row("204", Lines(&[(":status", "204")]), &["H2WS-5-07"]),
        row("200 as an indexed line", Block(&[0x88]), &["H2WS-5-07", "H2-8.3-01"]),
        row("200 in padded HEADERS", Padded, &["H2-6.1-01"]),
        row("200 in three frames", Continued, &["H2-6.2-01"]),
        row("100 and then 200", After("100"), &["H2WS-5-07", "SEM-15.2-01"]),
        row("103 and then 200", After("103"), &["H2WS-5-07", "SEM-15.2-01"]),
        row("200 with many fields", Lines(many), &["H2WS-5-07", "WS-11.3.5-02"]),
        row("200 with an accept value", Lines(accept), &["H2WS-5-05"]),
        row("200 and sends the first text in the same write", WithText, &["H2-WSFRAG-01"]),
    ]
}

fn wrong() -> Vec<Row> {
    let row = |(what, bad, reaction, rows, _)| {
        let manner = match bad {
            Bad::Lines(lines) => Manner::Lines(lines),
            Bad::Ended(status) => Manner::Ended(status),
        };
        (what, manner, reaction, rows)
    };
    BAD_ANSWERS.map(row).to_vec()
}

/// No answer at all.
fn none() -> Vec<Row> {
    use Manner::{Cut, Goaway, Reset};
    fn row(what: &'static str, manner: Manner, rows: &'static [&'static str]) -> Row {
        (what, manner, Reaction::Leave, rows)
    }
    vec![
        row(
            "with RST_STREAM and REFUSED_STREAM",
            Reset(code::REFUSED_STREAM),
            &["H2-8.7-01", "H2-6.4-01"],
        ),
        row(
            "with RST_STREAM and PROTOCOL_ERROR",
            Reset(code::PROTOCOL_ERROR),
            &["H2-6.4-01", "H2-5.4-01"],
        ),
        row("with RST_STREAM and an unknown code", Reset(0xFA_FA), &["H2-7-01", "H2-6.4-01"]),
        row("with GOAWAY below the stream", Goaway, &["H2-6.8-01", "H2-8.7-01"]),
        row("with the end of TCP", Cut, &["H2-5.4-01"]),
    ]
}

#[derive(Clone, Copy, Debug)]
struct Answer {
    manner: Manner,
    reaction: Reaction,
}

impl Play for Answer {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            let mut site = Site::receive(arena).await?;
            site.allow(1 << 20).await;
            let wait = arena.settings.wait;
            let id = site.request_of_client(Instant::now() + wait * 2).await?;
            if matches!(self.manner, Manner::Cut) {
                site.raw.tear_down();
                return Ok(Verdict::plain(Behavior::Ok, "there is nothing more to see"));
            }
            self.send(&mut site, id).await;
            let (behavior, why) = self.judge(&mut site, id, Instant::now() + wait).await;
            Ok::<_, Refused>(Verdict::plain(behavior, why))
        })
    }
}

impl Answer {
    async fn send(self, site: &mut Site, id: u32) {
        let lines = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let raw = &mut site.raw;
        let ordinary = block(&lines(&[(":status", "200")]));
        match self.manner {
            Manner::Lines(pairs) => raw.headers(id, &lines(pairs)).await,
            Manner::Block(octets) => {
                raw.send(kind::HEADERS, flag::END_HEADERS, id, octets).await;
            }
            Manner::After(status) => {
                raw.headers(id, &lines(&[(":status", status), ("link", "</x>")])).await;
                raw.send(kind::HEADERS, flag::END_HEADERS, id, &ordinary).await;
            }
            Manner::Padded => {
                let padded = [&[20], ordinary.as_slice(), &[0; 20]].concat();
                let flags = flag::END_HEADERS | flag::PADDED;
                raw.send(kind::HEADERS, flags, id, &padded).await;
            }
            Manner::Continued => {
                for (number, piece) in ordinary.chunks(ordinary.len().div_ceil(3)).enumerate() {
                    let kind = if number == 0 { kind::HEADERS } else { kind::CONTINUATION };
                    let flags = if number == 2 { flag::END_HEADERS } else { 0 };
                    raw.send(kind, flags, id, piece).await;
                }
            }
            Manner::WithText => {
                raw.queue(kind::HEADERS, flag::END_HEADERS, id, &ordinary);
                raw.data(id, &Frame::text("first").encode(false)).await;
            }
            Manner::Ended(status) => {
                let octets = block(&lines(&[(":status", status)]));
                let flags = flag::END_HEADERS | flag::END_STREAM;
                raw.send(kind::HEADERS, flags, id, &octets).await;
            }
            Manner::Reset(code) => {
                raw.send(kind::RST_STREAM, 0, id, &code.to_be_bytes()).await;
            }
            Manner::Goaway => {
                raw.send(kind::GOAWAY, 0, 0, &[0; 8]).await;
            }
            Manner::Cut => {}
        }
    }

    async fn judge(self, site: &mut Site, id: u32, deadline: Instant) -> (Behavior, String) {
        match self.reaction {
            Reaction::Open => {
                if matches!(self.manner, Manner::WithText) {
                    let first = (1, b"first".to_vec());
                    let came = |site: &Site| site.stream(id).frames().contains(&first);
                    if !site.read_until(deadline, came).await {
                        return (Behavior::Failed, "the first text did not come back".into());
                    }
                }
                match site.echoes(id, deadline).await {
                    true => (Behavior::Ok, "the client uses the WebSocket".into()),
                    false => {
                        let saw = site.stream(id).describe();
                        (Behavior::Failed, format!("a valid answer was not taken: {saw}"))
                    }
                }
            }
            Reaction::Either => {
                let echoed = site.echoes(id, deadline).await;
                let verb = if echoed { "accepted" } else { "did not accept" };
                (Behavior::Informational, format!("the client {verb} the answer"))
            }
            Reaction::Fail => {
                if site.echoes(id, deadline).await {
                    let why = "the client went on with an answer that had to fail";
                    return (Behavior::Failed, why.into());
                }
                let stream = site.stream(id);
                if !stream.data.is_empty() {
                    let why = format!("the client sent {} octets", stream.data.len());
                    return (Behavior::Failed, why);
                }
                if site.is_over(id) || site.goaway.is_some() {
                    return (Behavior::Ok, format!("the client ended it: {}", stream.describe()));
                }
                (Behavior::NonStrict, "the client did not go on, but left the stream open".into())
            }
            Reaction::Part => {
                site.read_until(deadline, |site| site.is_over(id) || site.goaway.is_some()).await;
                let stream = site.stream(id);
                let frames = stream.frames();
                if frames.iter().any(|(code, _)| *code != opcode::CLOSE) {
                    return (Behavior::Failed, format!("the client sent {frames:?}"));
                }
                if site.is_over(id) || site.goaway.is_some() {
                    return (Behavior::Ok, format!("the client ended it: {}", stream.describe()));
                }
                (Behavior::NonStrict, "the client left its side open".into())
            }
            Reaction::Leave => {
                site.read_until(deadline, |site| site.is_over(id)).await;
                let stream = site.stream(id);
                if !stream.data.is_empty() {
                    let why = format!("the client sent {} octets", stream.data.len());
                    return (Behavior::Failed, why);
                }
                (Behavior::Ok, format!("the client did not go on: {}", stream.describe()))
            }
        }
    }
}
