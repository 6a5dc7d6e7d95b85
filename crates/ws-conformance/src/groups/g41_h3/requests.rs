//! Sections 41.1 and 41.2: the server's SETTINGS, and requests on a stream, right and wrong.

use tokio::time::timeout;

use super::{begin, echoes, link, open, ordinary};
use crate::arena::{Arena, Refused};
use crate::case::{Case, Play, Playing};
use crate::judge::{Behavior, Verdict};
use crate::wire::raw_h3::{Failure, failure_of, number};

type Row = (&'static str, Ask, &'static [&'static str]);

pub(super) fn cases() -> Vec<Case> {
    let setting = Case::new(&[41, 1, 1], Setting)
        .does("Reads the server's SETTINGS.")
        .expects("SETTINGS_ENABLE_CONNECT_PROTOCOL is among them, as 1; none is HTTP/2's alone.")
        .cites(&["H3WS-5-01", "H3WS-3-01", "H3-7.2.4-01", "H3-6.2.1-01"]);
    let asks = (1..).zip(table()).map(|(number, (what, ask, rows))| {
        let expects = match ask.answer {
            Answer::Open => "The server opens the WebSocket, and it works.".to_owned(),
            Answer::Refuse(best) => format!("The server refuses, best with one of {best:?}."),
            Answer::Malformed => "The stream fails with H3_MESSAGE_ERROR, or 400 comes.".to_owned(),
        };
        Case::new(&[41, 2, number], ask)
            .does(format!("Sends a request {what}."))
            .expects(expects)
            .cites(rows)
    });
    std::iter::once(setting).chain(asks).collect()
}

/// What the server has to do.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Open,
    /// Refuse, best with one of these.
    Refuse(&'static [u16]),
    Malformed,
}

/// How the request differs from the ordinary one.
#[derive(Clone, Copy, Debug)]
struct Ask {
    drop: &'static [&'static str],
    /// Pseudo-fields go before all others.
    add: &'static [(&'static str, &'static str)],
    answer: Answer,
}

fn table() -> Vec<Row> {
    use Answer::{Malformed, Open, Refuse};
    type Fields = &'static [(&'static str, &'static str)];
    let ask = |drop: &'static [&'static str], add: Fields, answer| Ask { drop, add, answer };
    let version: &[&str] = &["sec-websocket-version"];
    vec![
        ("as it should be", ask(&[], &[], Open), &["H3WS-3-01", "H2WS-5-07", "H3-4.1-03"]),
        ("with a key of HTTP/1.1", ask(&[], &[("sec-websocket-key", "x")], Open), &["H2WS-5-05"]),
        (
            "with a :protocol that nobody knows",
            ask(&[":protocol"], &[(":protocol", "x-nobody-knows-this")], Refuse(&[501])),
            &["H3WS-3-02", "H2WS-4-01"],
        ),
        (
            "that is a plain CONNECT",
            ask(&[":protocol", ":scheme", ":path"], &[], Refuse(&[405, 400, 501])),
            &["H2WS-4-03", "H3-4.4-01"],
        ),
        (
            "for version 8",
            ask(version, &[("sec-websocket-version", "8")], Refuse(&[400, 426])),
            &["H2WS-5-06", "WS-4.2.2-06"],
        ),
        ("without a version", ask(version, &[], Refuse(&[400, 426])), &["WS-4.2.1-07"]),
        (
            "that offers a subprotocol with a space",
            ask(&[], &[("sec-websocket-protocol", "one two")], Refuse(&[400])),
            &["H2WS-5-06", "WS-4.2.1-08"],
        ),
        (
            "by GET with :protocol",
            ask(&[":method"], &[(":method", "GET")], Malformed),
            &["H2WS-5-01", "H3-4.3-01", "H3-4.1.2-01"],
        ),
        ("without :scheme", ask(&[":scheme"], &[], Malformed), &["H3-4.4-01", "H3-4.1.2-01"]),
        ("without :path", ask(&[":path"], &[], Malformed), &["H3-4.4-01", "H3-4.1.2-01"]),
        ("with two :path", ask(&[], &[(":path", "/")], Malformed), &["H3-4.3-01"]),
        ("with an unknown pseudo-field", ask(&[], &[(":unknown", "x")], Malformed), &["H3-4.3-01"]),
        ("with connection", ask(&[], &[("connection", "upgrade")], Malformed), &["H3-4.2-01"]),
        ("with upgrade", ask(&[], &[("upgrade", "websocket")], Malformed), &["H3-4.5-01"]),
        (
            "with transfer-encoding",
            ask(&[], &[("transfer-encoding", "chunked")], Malformed),
            &["H3-4.1-02", "H3-4.2-01"],
        ),
        ("with te: gzip", ask(&[], &[("te", "gzip")], Malformed), &["H3-4.2-01"]),
        ("with an upper-case field name", ask(&[], &[("X-Upper", "x")], Malformed), &["H3-4.2-01"]),
        ("with LF in a value", ask(&[], &[("x-value", "a\nb")], Malformed), &["H3-4.1.2-01"]),
    ]
}

#[derive(Clone, Copy, Debug)]
struct Setting;

impl Play for Setting {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            let raw = begin(arena).await?;
            let foreign = raw.settings.iter().find(|(id, _)| matches!(id, 2..=5));
            Ok::<_, Refused>(match (raw.setting(number::ENABLE_CONNECT_PROTOCOL), foreign) {
                (Some(1), None) => Verdict::plain(Behavior::Ok, "as expected"),
                (value, None) => Verdict::plain(Behavior::Failed, format!("it is {value:?}")),
                (_, Some((id, _))) => {
                    let why = format!("setting {id:#x} is HTTP/2's and forbidden in HTTP/3");
                    Verdict::plain(Behavior::Failed, why)
                }
            })
        })
    }
}

impl Play for Ask {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(self.run(arena))
    }
}

impl Ask {
    async fn run(&self, arena: &Arena) -> Result<Verdict, Refused> {
        const MESSAGE_ERROR: u64 = 0x10e;
        let raw = begin(arena).await?;
        let mut neighbour = open(&raw, arena).await?;
        let mut fields = ordinary(arena)?;
        fields.retain(|(name, _)| !self.drop.contains(&name.as_str()));
        for (name, value) in self.add {
            let at = if name.starts_with(':') { 0 } else { fields.len() };
            fields.insert(at, ((*name).to_owned(), (*value).to_owned()));
        }
        let mut stream = raw.request(&fields).await?;
        let Ok(answer) = timeout(arena.settings.wait, stream.answer()).await else {
            return Ok(Verdict::plain(Behavior::Failed, "the request was left unanswered"));
        };
        let (behavior, why) = match (answer, self.answer) {
            (Ok(head), Answer::Open) if head.opens() => {
                let has_accept = head.values("sec-websocket-accept").next().is_some();
                let mut link = link(head, stream, arena);
                if echoes(&mut link, arena).await && has_accept {
                    let why = "it works; sec-websocket-accept has no place in the answer";
                    (Behavior::NonStrict, why.into())
                } else if echoes(&mut link, arena).await {
                    (Behavior::Ok, "the WebSocket works".into())
                } else {
                    (Behavior::Failed, "the WebSocket did not echo".into())
                }
            }
            (Ok(head), _) if head.opens() => {
                (Behavior::Failed, "a request that must be refused was accepted".into())
            }
            (Ok(head), Answer::Refuse(best)) => match head.status() {
                Some(status) if best.contains(&status) => (Behavior::Ok, head.start),
                _ => (Behavior::NonStrict, format!("{}; another status is better", head.start)),
            },
            (Ok(head), Answer::Malformed) if head.status() == Some(400) => {
                (Behavior::Ok, head.start)
            }
            (Ok(head), _) => (Behavior::NonStrict, format!("answered {:?}", head.start)),
            (Err(error), Answer::Open) => (Behavior::Failed, error.to_string()),
            (Err(error), answer) => match (failure_of(&error), answer) {
                (Failure::Stream(MESSAGE_ERROR), Answer::Malformed) => {
                    (Behavior::Ok, "the stream failed with H3_MESSAGE_ERROR".into())
                }
                (Failure::Connection, _) => {
                    let why = format!("one request ended the whole connection: {error}");
                    return Ok(Verdict::plain(Behavior::NonStrict, why));
                }
                _ => (Behavior::NonStrict, format!("another answer was due: {error}")),
            },
        };
        if !echoes(&mut neighbour, arena).await {
            let why = "another WebSocket on the connection did not outlive the request";
            return Ok(Verdict::plain(Behavior::Failed, why));
        }
        Ok(Verdict::plain(behavior, why))
    }
}
