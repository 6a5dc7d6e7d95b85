//! Section 40.2: requests on a stream, right and wrong, and what the server answers.

use tokio::time::Instant;

use super::site::{Fields, Site, Stream};
use crate::arena::{Arena, Refused};
use crate::case::{Case, Play, Playing};
use crate::judge::{Behavior, Verdict};
use crate::wire::hpack::block;
use crate::wire::raw_h2::{flag, kind};

pub(super) fn cases() -> Vec<Case> {
    let table = opening().into_iter().chain(refused()).chain(malformed());
    (1..)
        .zip(table)
        .map(|(number, (what, edit, answer, rows))| {
            let expects = match answer {
                Answer::Open => "The server opens the WebSocket, and it works.".to_owned(),
                Answer::Refuse(best) => format!("The server refuses, best with one of {best:?}."),
                Answer::Malformed => {
                    "The server resets the stream with PROTOCOL_ERROR, or answers 400.".to_owned()
                }
                Answer::ShouldRefuse => "The server should refuse.".to_owned(),
            };
            Case::new(&[40, 2, number], Ask { edit, answer })
                .does(format!("Sends a request {what}."))
                .expects(expects)
                .cites(rows)
        })
        .collect()
}

type Row = (&'static str, Edit, Answer, &'static [&'static str]);

/// What the server has to do.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Open,
    /// Refuse, best with one of these.
    Refuse(&'static [u16]),
    Malformed,
    ShouldRefuse,
}

/// How the request differs from the ordinary one.
#[derive(Clone, Copy, Debug)]
enum Edit {
    Set(&'static str, &'static str),
    Drop(&'static [&'static str]),
    Add(&'static str, &'static str),
    /// One more pseudo-field before the others.
    First(&'static str, &'static str),
    /// The field block is cut into three frames.
    Continued,
    /// The HEADERS frame is padded.
    Padded,
}

fn opening() -> Vec<Row> {
    let usual: &[&str] = &["H2WS-5-01", "H2WS-5-02", "H2WS-5-06", "H2WS-5-07", "H2WS-5-08"];
    vec![
        ("as it should be", Edit::Drop(&[]), Answer::Open, usual),
        (
            "with a key of HTTP/1.1",
            Edit::Add("sec-websocket-key", "x"),
            Answer::Open,
            &["H2WS-5-05"],
        ),
        ("in three frames", Edit::Continued, Answer::Open, &["H2-6.2-01", "H2-8.1-01"]),
        ("with padding", Edit::Padded, Answer::Open, &["H2-6.1-01"]),
        (
            "that offers a subprotocol nobody knows",
            Edit::Add("sec-websocket-protocol", "x-nobody-knows-this"),
            Answer::Open,
            &["H2WS-5-06", "WS-4.2.2-09"],
        ),
        ("with te: trailers", Edit::Add("te", "trailers"), Answer::Open, &["H2-8.2.2-01"]),
    ]
}

fn refused() -> Vec<Row> {
    let no_method = Answer::Refuse(&[405, 400, 501]);
    vec![
        (
            "with a :protocol that nobody knows",
            Edit::Set(":protocol", "x-nobody-knows-this"),
            Answer::Refuse(&[501]),
            &["H2WS-X-01", "H3WS-3-02", "H2WS-4-01"],
        ),
        (
            "that is a plain CONNECT",
            Edit::Drop(&[":protocol", ":scheme", ":path"]),
            no_method,
            &["H2WS-4-03", "H2-8.5-01"],
        ),
        (
            "for version 8",
            Edit::Set("sec-websocket-version", "8"),
            Answer::Refuse(&[400, 426]),
            &["H2WS-5-06", "WS-4.2.2-06", "WS-4.4-01"],
        ),
        (
            "without a version",
            Edit::Drop(&["sec-websocket-version"]),
            Answer::Refuse(&[400, 426]),
            &["H2WS-5-06", "WS-4.2.1-07"],
        ),
        (
            "with two versions",
            Edit::Add("sec-websocket-version", "13"),
            Answer::Refuse(&[400, 426]),
            &["H2WS-5-06", "WS-4.2.1-07"],
        ),
        (
            "that offers a subprotocol with a space",
            Edit::Add("sec-websocket-protocol", "one two"),
            Answer::Refuse(&[400]),
            &["H2WS-5-06", "WS-4.2.1-08"],
        ),
        (
            "that offers extensions against the grammar",
            Edit::Add("sec-websocket-extensions", "a; b=\""),
            Answer::Refuse(&[400]),
            &["H2WS-5-06", "WS-9.1-01"],
        ),
        (
            "with a host unlike its :authority",
            Edit::Add("host", "other.example"),
            Answer::ShouldRefuse,
            &["H2-8.3.1-01"],
        ),
    ]
}

fn malformed() -> Vec<Row> {
    fn row(what: &'static str, edit: Edit, rows: &'static [&'static str]) -> Row {
        (what, edit, Answer::Malformed, rows)
    }
    vec![
        row(
            "by GET with :protocol",
            Edit::Set(":method", "GET"),
            &["H2WS-5-01", "H2-8.3-01", "H2-8.1.1-01"],
        ),
        row("without :scheme", Edit::Drop(&[":scheme"]), &["H2WS-4-02", "H2-8.1.1-01"]),
        row("without :path", Edit::Drop(&[":path"]), &["H2WS-4-02", "H2-8.1.1-01"]),
        row("with an empty :path", Edit::Set(":path", ""), &["H2WS-4-02", "H2-8.3-01"]),
        row("without :method", Edit::Drop(&[":method"]), &["H2-8.3-01"]),
        row("with two :path", Edit::First(":path", "/"), &["H2-8.3-01"]),
        row("with an unknown pseudo-field", Edit::First(":unknown", "x"), &["H2-8.3-01"]),
        row(
            "with a pseudo-field after others",
            Edit::Add(":protocol", "websocket"),
            &["H2-8.3-01"],
        ),
        row("with :status", Edit::First(":status", "200"), &["H2-8.3-01"]),
        row("with connection", Edit::Add("connection", "upgrade"), &["H2WS-5-03", "H2-8.2.2-01"]),
        row("with upgrade", Edit::Add("upgrade", "websocket"), &["H2WS-5-03", "H2-8.2.2-01"]),
        row("with keep-alive", Edit::Add("keep-alive", "x"), &["H2-8.2.2-01"]),
        row("with transfer-encoding", Edit::Add("transfer-encoding", "chunked"), &["H2-8.2.2-01"]),
        row("with te: gzip", Edit::Add("te", "gzip"), &["H2-8.2.2-01"]),
        row("with an upper-case field name", Edit::Add("X-Upper", "x"), &["H2-8.2-01"]),
        row("with a space in a field name", Edit::Add("x y", "x"), &["H2-8.2-01"]),
        row("with LF in a value", Edit::Add("x-value", "a\nb"), &["H2-8.2-01"]),
        row("with NUL in a value", Edit::Add("x-value", "a\0b"), &["H2-8.2-01"]),
    ]
}

#[derive(Clone, Copy, Debug)]
struct Ask {
    edit: Edit,
    answer: Answer,
}

impl Play for Ask {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(self.run(arena))
    }
}

impl Ask {
    async fn run(&self, arena: &Arena) -> Result<Verdict, Refused> {
        let mut site = Site::begin(arena).await?;
        let deadline = Instant::now() + arena.settings.wait;
        let neighbour = site.open(deadline).await?;
        let fields = self.fields(site.ordinary());
        let id = self.send(&mut site, &fields).await;
        site.read_until(deadline, |site| site.stream(id).status.is_some() || site.is_over(id))
            .await;
        let stream = site.stream(id);
        let works = stream.is_open() && site.echoes(id, deadline).await;
        let verdict = self.judge(&site, &stream, works);
        if site.goaway.is_none() && !site.echoes(neighbour, deadline).await {
            let why = "another WebSocket on the connection did not outlive the request";
            return Ok(Verdict::plain(Behavior::Failed, why));
        }
        arena.still_alive().await?;
        Ok(verdict)
    }

    fn fields(&self, mut fields: Fields) -> Fields {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        match self.edit {
            Edit::Set(name, value) => {
                let found = fields.iter_mut().find(|(field, _)| field == name);
                found.into_iter().for_each(|field| *field = pair(name, value));
            }
            Edit::Drop(names) => fields.retain(|(field, _)| !names.contains(&field.as_str())),
            Edit::Add(name, value) => fields.push(pair(name, value)),
            Edit::First(name, value) => fields.insert(0, pair(name, value)),
            Edit::Continued | Edit::Padded => {}
        }
        fields
    }

    async fn send(&self, site: &mut Site, fields: &Fields) -> u32 {
        let (id, block) = (site.fresh(), block(fields));
        match self.edit {
            Edit::Continued => {
                let size = block.len().div_ceil(3);
                for (number, piece) in block.chunks(size).enumerate() {
                    let kind = if number == 0 { kind::HEADERS } else { kind::CONTINUATION };
                    let flags = if number == 2 { flag::END_HEADERS } else { 0 };
                    site.raw.send(kind, flags, id, piece).await;
                }
            }
            Edit::Padded => {
                let padded = [&[20], block.as_slice(), &[0; 20]].concat();
                let flags = flag::END_HEADERS | flag::PADDED;
                site.raw.send(kind::HEADERS, flags, id, &padded).await;
            }
            _ => {
                site.raw.send(kind::HEADERS, flag::END_HEADERS, id, &block).await;
            }
        }
        id
    }

    fn judge(&self, site: &Site, stream: &Stream, works: bool) -> Verdict {
        const PROTOCOL_ERROR: u32 = 1;
        let saw = match site.goaway {
            Some(code) => format!("{}, GOAWAY {code:#x}", stream.describe()),
            None => stream.describe(),
        };
        let silent = stream.status.is_none() && stream.reset.is_none() && site.goaway.is_none();
        let (behavior, why) = match self.answer {
            Answer::Open if works && has_accept(stream) => {
                let why = "the WebSocket works; sec-websocket-accept has no place in the answer";
                (Behavior::NonStrict, why.into())
            }
            Answer::Open if works => (Behavior::Ok, "the WebSocket works".into()),
            Answer::Open => (Behavior::Failed, format!("a valid request was refused: {saw}")),
            _ if silent => (Behavior::Failed, "the request was left unanswered".into()),
            Answer::ShouldRefuse if stream.opened() => {
                (Behavior::NonStrict, "the request was accepted".into())
            }
            _ if stream.opened() => {
                (Behavior::Failed, format!("a request that must be refused was accepted: {saw}"))
            }
            Answer::ShouldRefuse => (Behavior::Ok, saw),
            Answer::Refuse(best) => match stream.status {
                Some(status) if best.contains(&status) => (Behavior::Ok, saw),
                _ => (Behavior::NonStrict, format!("{saw}; another status fits better")),
            },
            Answer::Malformed => match (stream.status, stream.reset, site.goaway) {
                (Some(400) | None, Some(PROTOCOL_ERROR), _) | (Some(400), None, _) => {
                    (Behavior::Ok, saw)
                }
                (None, None, Some(PROTOCOL_ERROR)) => {
                    // RFC 9113 §5.4.1 lets an endpoint do so, at the cost of all other streams.
                    let why = format!("{saw}: the whole connection was ended for one request");
                    (Behavior::Informational, why)
                }
                _ => (Behavior::NonStrict, format!("{saw}; PROTOCOL_ERROR or 400 was due")),
            },
        };
        if self.is_about_version() && behavior == Behavior::Ok && !names_version(stream) {
            let why = "refused without sec-websocket-version: 13 (RFC 6455 §4.4)";
            return Verdict::plain(Behavior::Failed, why);
        }
        Verdict::plain(behavior, why)
    }

    fn is_about_version(&self) -> bool {
        matches!(self.edit, Edit::Set("sec-websocket-version", _))
    }
}

/// RFC 8441 §5 gives the key and the answer to it no part.
fn has_accept(stream: &Stream) -> bool {
    stream.fields.iter().any(|(name, _)| name == "sec-websocket-accept")
}

fn names_version(stream: &Stream) -> bool {
    let mut fields = stream.fields.iter();
    fields.any(|(name, value)| name == "sec-websocket-version" && value.contains("13"))
}
