//! Section 23.4: answers to a client's offer of compression.

use tokio::time::Instant;

use crate::arena::{Arena, Refused};
use crate::case::{Case, Judges, Play, Playing, Weight};
use crate::groups::g09_limits::{expect_message, finish};
use crate::groups::g31_client::reply::{Reaction, Reply};
use crate::judge::Behavior;
use crate::link::Dissection;
use crate::material::Material;
use crate::wire::deflate::NAME;
use crate::wire::extension;
use crate::wire::negotiation::check_answer;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = kept();
    cases.extend(failing());
    cases
}

/// Answers a client has to live by.
fn kept() -> Vec<Case> {
    let answers = [
        "{P}",
        "{P}; server_no_context_takeover",
        "{P}; client_no_context_takeover",
        "{P}; server_no_context_takeover; client_no_context_takeover",
        "{P}; server_max_window_bits=10",
        "{P}; server_max_window_bits=15",
        "{P}; server_max_window_bits=\"9\"",
        "{P}; client_max_window_bits=9",
        "{P}; client_max_window_bits=12; client_no_context_takeover",
        "{P}; client_max_window_bits=15",
    ];
    (1..)
        .zip(answers)
        .map(|(number, answer)| {
            let answer = answer.replace("{P}", NAME);
            Case::new(&[23, 4, number], Kept { answer: answer.clone() })
                .does(format!("Answers an offer with {answer:?} and lets 8 texts be echoed."))
                .expects("The client accepts and keeps to what was agreed.")
                .cites(&[
                    "PMD-7.1.1.1-04",
                    "PMD-7.1.1.2-01",
                    "PMD-7.1.1.2-02",
                    "PMD-7.1.2.1-04",
                    "PMD-7.1.2.2-04",
                    "PMD-7.2.1-06",
                    "PMD-7.2.1-08",
                    "PMD-7.1.x-01",
                    "PMD-5-11",
                ])
                .judges(Judges::Clients)
        })
        .collect()
}

#[derive(Clone, Debug)]
struct Kept {
    answer: String,
}

impl Play for Kept {
    fn play<'a>(&'a self, arena: &'a mut Arena) -> Playing<'a> {
        Box::pin(self.run(arena))
    }
}

impl Kept {
    async fn run(&self, arena: &mut Arena) -> Result<crate::judge::Verdict, Refused> {
        let visitor = arena.visitor().await?;
        let offered = visitor.request.combined("Sec-WebSocket-Extensions").unwrap_or_default();
        let offers = extension::parse(&offered).unwrap_or_default();
        let answer = extension::parse(&self.answer).unwrap_or_default();
        let legal = answer.first().map(|element| check_answer(&offers, element));
        let Some(Ok(agreement)) = legal else {
            arena.welcome(visitor, None).await?.close(1000, arena.settings.wait).await;
            let why = format!("the client's offer {offered:?} does not permit the answer");
            return Err(Refused::Unimplemented(why));
        };
        let mut link = arena.welcome(visitor, Some((&self.answer, agreement))).await?;
        let fresh_each = agreement.client_no_takeover;
        link.dissection = Some(Dissection { fresh_each, ..Dissection::default() });
        let (mut flaw, material) = (None, Material::Json);
        for number in 0..8 {
            let data = material.slice(number % 2 * 100, 20_000);
            link.send_message(material.kind(), &data, None).await;
            let deadline = Instant::now() + arena.settings.wait;
            flaw = expect_message(&mut link, material.kind(), &data, deadline).await.err();
            if flaw.is_some() {
                break;
            }
        }
        let window = 1 << agreement.client_bits;
        let messages = link.dissection.iter().flat_map(|dissection| &dissection.messages);
        let farthest = messages.map(|anatomy| anatomy.farthest).max().unwrap_or_default();
        if farthest > window {
            flaw = Some(format!("reaches back {farthest} octets, agreed were {window} (§7.2.1)"));
        }
        Ok(finish(link, arena, flaw).await)
    }
}

/// Answers that no offer permits.
fn failing() -> Vec<Case> {
    let answers = [
        "{P}; unknown_parameter",
        "{P}; server_max_window_bits",
        "{P}; server_max_window_bits=7",
        "{P}; server_max_window_bits=16",
        "{P}; server_max_window_bits=010",
        "{P}; client_max_window_bits",
        "{P}; client_max_window_bits=7",
        "{P}; client_max_window_bits=16",
        "{P}; client_max_window_bits=09",
        "{P}; server_no_context_takeover=1",
        "{P}; client_no_context_takeover=1",
        "{P}; server_no_context_takeover; server_no_context_takeover",
        "{P}; server_max_window_bits=10; server_max_window_bits=10",
        "{P}, {P}",
        "{P}; server_max_window_bits=\"10",
        "{P};",
    ];
    let mut cases: Vec<Case> = (21..)
        .zip(answers)
        .map(|(number, answer)| {
            let answer = answer.replace("{P}", NAME);
            let line = format!("Sec-WebSocket-Extensions: {answer}");
            Reply::with_line(&line, Reaction::Fail(Behavior::Failed)).for_offers_of(NAME).case(
                &[23, 4, number],
                &format!("an offer of compression with {answer:?}"),
                &["PMD-7-02", "PMD-5-10", "PMD-7.1.2.1-03", "PMD-7.1.2.2-03", "WS-9.1-01"],
            )
        })
        .collect();
    cases.iter_mut().for_each(|case| case.weight = Weight::Waiting);
    cases
}
