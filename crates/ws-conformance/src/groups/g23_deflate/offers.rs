//! Section 23.3: offers to a server, its answers, and whether it then does what it agreed to.

use tokio::time::Instant;

use crate::arena::{Arena, Refused};
use crate::case::{Case, Judges, Play, Playing};
use crate::groups::g09_limits::{expect_message, finish};
use crate::handshake::flaw_of_response;
use crate::judge::{Behavior, Verdict};
use crate::link::{Dissection, Link};
use crate::material::Material;
use crate::wire::connect::Answer;
use crate::wire::deflate::{Agreement, NAME};
use crate::wire::extension;
use crate::wire::http::{self, Head};
use crate::wire::negotiation::check_answer;

const P: &str = "permessage-deflate";

pub(super) fn cases() -> Vec<Case> {
    let valid = [
        "{P}",
        "{P}; server_no_context_takeover",
        "{P}; client_no_context_takeover",
        "{P}; server_no_context_takeover; client_no_context_takeover",
        "{P}; server_max_window_bits=15",
        "{P}; server_max_window_bits=12",
        "{P}; server_max_window_bits=10",
        "{P}; server_max_window_bits=9",
        "{P}; server_max_window_bits=8",
        "{P}; client_max_window_bits",
        "{P}; client_max_window_bits=15",
        "{P}; client_max_window_bits=10",
        "{P}; client_max_window_bits=9",
        "{P}; client_max_window_bits=8",
        "{P}; server_max_window_bits=10; client_max_window_bits=11; server_no_context_takeover",
        "{P}; server_max_window_bits=\"10\"",
        "{P};server_no_context_takeover;client_max_window_bits",
        "{P} ; server_max_window_bits = 12",
        "{P}; server_max_window_bits=9, {P}",
        "x-unknown; y=1, {P}",
        ", {P}, ,",
    ];
    let declined = [
        "{P}; unknown_parameter",
        "{P}; unknown_parameter=1",
        "{P}; server_max_window_bits",
        "{P}; server_max_window_bits=7",
        "{P}; server_max_window_bits=16",
        "{P}; server_max_window_bits=08",
        "{P}; server_max_window_bits=010",
        "{P}; server_max_window_bits=abc",
        "{P}; server_max_window_bits=-9",
        "{P}; client_max_window_bits=7",
        "{P}; client_max_window_bits=16",
        "{P}; client_max_window_bits=010",
        "{P}; server_no_context_takeover=1",
        "{P}; client_no_context_takeover=true",
        "{P}; server_no_context_takeover; server_no_context_takeover",
        "{P}; server_max_window_bits=10; server_max_window_bits=10",
        "{P}; client_max_window_bits; client_max_window_bits=10",
        "x-webkit-deflate-frame",
        "{P}; unknown_parameter, {P}; server_max_window_bits=7",
    ];
    let malformed =
        ["{P};", "{P}; =3", "{P}; a=", "{P}; a=\"b", "{P} x", "{P}; a=\"\"", "{P}; a b", "/"];
    let rescued = [
        "{P}; unknown_parameter, {P}",
        "{P}; server_max_window_bits=7, {P}; server_max_window_bits=10",
        "{P}; server_max_window_bits, {P}; server_no_context_takeover",
    ];
    let mut cases = Vec::new();
    let mut add = |start: u16, offers: &[&str], kind: Kind| {
        for (number, offer) in (start..).zip(offers) {
            let offer = offer.replace("{P}", P);
            let case = Case::new(&[23, 3, number], Offer { header: offer.clone(), kind })
                .does(format!("Offers {offer:?}."))
                .expects(kind.expectation())
                .cites(kind.rows())
                .judges(Judges::Servers);
            cases.push(case);
        }
    };
    add(1, &valid, Kind::Valid);
    add(31, &declined, Kind::Declined);
    add(61, &malformed, Kind::Malformed);
    add(81, &rescued, Kind::Valid);
    cases
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Valid,
    Declined,
    Malformed,
}

impl Kind {
    fn expectation(self) -> &'static str {
        match self {
            Self::Valid => "A legal answer or none; what was agreed is kept over 8 messages.",
            Self::Declined => "The offer is declined, the WebSocket opens without compression.",
            Self::Malformed => "The handshake is refused with 400.",
        }
    }

    fn rows(self) -> &'static [&'static str] {
        match self {
            Self::Valid => &[
                "PMD-5-02",
                "PMD-5-04",
                "PMD-7.1.1.1-01",
                "PMD-7.1.1.1-02",
                "PMD-7.1.1.1-03",
                "PMD-7.1.2.1-02",
                "PMD-7.1.2.1-03",
                "PMD-7.1.2.2-02",
                "PMD-7.1.2.2-03",
                "PMD-7.1.x-01",
                "PMD-7.2.1-07",
                "PMD-7.2.1-09",
                "PMD-7.2.1-05",
                "WS-4.2.2-10",
                "WS-4.2.2-11",
            ],
            Self::Declined => &["PMD-7-01", "PMD-5-09", "PMD-7.1.2.1-01", "PMD-7.1.2.2-01"],
            Self::Malformed => &["WS-9.1-01", "WS-4.2.1-09", "WS-4.3-01"],
        }
    }
}

#[derive(Clone, Debug)]
struct Offer {
    header: String,
    kind: Kind,
}

impl Play for Offer {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(async move {
            let key = http::fresh_key();
            let request = arena.request(&key, Some(&self.header))?;
            let (head, wire) = match arena.exchange(request.as_bytes()).await? {
                Answer::Head(head, wire) => (head, wire),
                Answer::Cut(cause) => return Ok(self.no_answer(&cause)),
                Answer::Silence => return Ok(self.no_answer("no answer came")),
            };
            if !head.opens() {
                return Ok(self.refused(&head));
            }
            if self.kind == Kind::Malformed {
                let why = "a header that breaks its grammar was accepted (§9.1)";
                return Ok(Verdict::plain(Behavior::Failed, why));
            }
            if let Some(flaw) = flaw_of_response(&head, &key) {
                return Ok(Verdict::plain(Behavior::Failed, flaw));
            }
            let agreement = match self.agreement(&head) {
                Ok(agreement) => agreement,
                Err(flaw) => return Ok(Verdict::plain(Behavior::Failed, flaw)),
            };
            let link = Link::new(wire, arena.log.clone(), true, head);
            Ok::<_, Refused>(converse(link, arena, agreement).await)
        })
    }
}

impl Offer {
    fn no_answer(&self, saw: &str) -> Verdict {
        if self.kind == Kind::Malformed {
            let why = format!("{saw}; an HTTP error was due (§4.2.1)");
            return Verdict::plain(Behavior::NonStrict, why);
        }
        Verdict::plain(Behavior::Failed, format!("a valid request was refused: {saw}"))
    }

    fn refused(&self, head: &Head) -> Verdict {
        let saw = format!("the handshake was answered {:?}", head.start);
        match self.kind {
            Kind::Malformed if head.status() == Some(400) => Verdict::plain(Behavior::Ok, saw),
            Kind::Malformed => Verdict::plain(Behavior::NonStrict, saw),
            Kind::Declined => {
                let why = format!("{saw}; the offer is to be declined, not the handshake (§7)");
                Verdict::plain(Behavior::NonStrict, why)
            }
            // White space around "=" is legal only by the implied rule of the older HTTP grammar.
            Kind::Valid if self.header.contains(" = ") => Verdict::plain(Behavior::NonStrict, saw),
            Kind::Valid => Verdict::plain(Behavior::Failed, saw),
        }
    }

    /// What the answer agrees to, held against the offer.
    fn agreement(&self, head: &Head) -> Result<Option<Agreement>, String> {
        let Some(answer) = head.combined("Sec-WebSocket-Extensions") else { return Ok(None) };
        let elements = extension::parse(&answer).map_err(|flaw| format!("{answer:?}: {flaw}"))?;
        let [element] = elements.as_slice() else {
            return Err(format!("{answer:?} accepts more than one extension"));
        };
        if element.name != NAME {
            return Err(format!("{answer:?} accepts an extension that nobody knows"));
        }
        let offers = extension::parse(&self.header).unwrap_or_default();
        check_answer(&offers, element).map(Some).map_err(|flaw| format!("{answer:?}: {flaw}"))
    }
}

/// Eight messages there and back, looked into for windows that are too large or kept too long.
async fn converse(mut link: Link, arena: &Arena, agreement: Option<Agreement>) -> Verdict {
    if let Some(agreement) = agreement {
        link.set_deflate(agreement, 6);
        let fresh_each = agreement.server_no_takeover;
        link.dissection = Some(Dissection { fresh_each, ..Dissection::default() });
    }
    let (mut flaw, material) = (None, Material::Json);
    for number in 0..8 {
        // The same opening every second time, so that a kept window shows.
        let data = material.slice(number % 2 * 100, 20_000);
        link.send_message(material.kind(), &data, None).await;
        let deadline = Instant::now() + arena.settings.wait;
        flaw = expect_message(&mut link, material.kind(), &data, deadline).await.err();
        if flaw.is_some() {
            break;
        }
    }
    let window = agreement.map_or(0, |agreement| 1 << agreement.server_bits);
    if let Some(dissection) = &link.dissection {
        let farthest = dissection.messages.iter().map(|anatomy| anatomy.farthest).max();
        if farthest.is_some_and(|farthest| farthest > window) {
            let farthest = farthest.unwrap_or_default();
            flaw = Some(format!("reaches back {farthest} octets, agreed were {window} (§7.2.1)"));
        }
    }
    let used = link.dissection.as_ref().map_or(0, |dissection| dissection.messages.len());
    let mut verdict = finish(link, arena, flaw).await;
    if verdict.behavior == Behavior::Ok {
        verdict.why = match agreement {
            Some(agreement) => format!("agreed on {agreement:?}; {used} of 8 came compressed"),
            None => "declined".into(),
        };
    }
    verdict
}
