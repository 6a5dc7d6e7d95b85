//! The suite's own test: a correct reference peer, and mutants of it with one fault each.
//!
//! The reference peer must pass every case, and each mutant must be noticed by the case that
//! stands for its rule. The peer uses the suite's codec; that the codec itself is right is shown
//! by the vectors of the RFCs in its unit tests and by third-party peers.

#[cfg(all(feature = "h2", feature = "h3"))]
mod by_h2;
#[cfg(all(feature = "h2", feature = "h3"))]
mod by_h3;
#[cfg(all(feature = "h2", feature = "h3"))]
mod carried;
mod endpoint;
mod fault;
#[cfg(all(feature = "h2", feature = "h3"))]
mod h2_stream;
mod handshake;
mod peer;
mod reading;
mod request;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::arena::{Arena, Memory, Refused};
use crate::carrier::Carrier;
use crate::case::Case;
use crate::groups;
use crate::judge::{Behavior, Verdict};
use crate::pulse::Pulse;
use crate::run::{Peer, Report, play, run_all};
use crate::select::Selection;
use crate::settings::{Effort, Settings};
use crate::target::Target;
use fault::{Fault, Side};

/// A mutant that was judged.
#[derive(Debug)]
struct Mutant {
    fault: Fault,
    is_server: bool,
    case: &'static str,
    verdict: Verdict,
}

impl Mutant {
    /// Whether a fault was called what it is, or what is legal was not called a failure.
    fn is_judged_rightly(&self) -> bool {
        let overall = self.verdict.overall();
        match self.fault.least(self.case) {
            Some(least) => self.verdict.is_against() && overall >= least,
            None => overall < Behavior::Failed,
        }
    }

    fn describe(&self) -> &'static str {
        match (self.fault.least(self.case), self.is_judged_rightly()) {
            (None, true) => "allowed",
            (None, false) => "WRONGED",
            (Some(_), true) => "noticed",
            (Some(_), false) if self.verdict.is_against() => "BELITTLED",
            (Some(_), false) => "MISSED ",
        }
    }
}

/// What the self-test found.
#[derive(Debug)]
pub struct SelfTest {
    reports: Vec<Report>,
    mutants: Vec<Mutant>,
}

impl SelfTest {
    /// Whether the reference peer passed strictly, and every mutant was noticed that is at fault.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.reports.iter().all(|report| report.passed(true))
            && self.mutants.iter().all(Mutant::is_judged_rightly)
    }
}

impl fmt::Display for SelfTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for report in &self.reports {
            f.write_str(&crate::report::table::shortcomings(report, true))?;
            f.write_str(&crate::report::table::summary(report, true))?;
        }
        for mutant in &self.mutants {
            let (Mutant { fault, is_server, case, verdict }, sign) = (mutant, mutant.describe());
            let role = role(*is_server);
            let (overall, what, why) = (verdict.overall(), fault.what(), &verdict.why);
            let took = verdict.duration.as_secs_f64();
            writeln!(f, "{sign} {case:<9} {role} {overall:<11} {took:>5.1} s  {what}: {why}")?;
        }
        let rightly = self.mutants.iter().filter(|mutant| mutant.is_judged_rightly()).count();
        writeln!(
            f,
            "{rightly} of {} mutants ({} faults, {} liberties) were judged rightly",
            self.mutants.len(),
            Fault::ALL.len(),
            Fault::LEGAL.len()
        )
    }
}

/// Judges the reference peer by the chosen cases, and every mutant by the cases for its fault.
///
/// # Errors
///
/// Those of the listening sockets on the loopback interface.
pub async fn self_test(selection: &Selection) -> io::Result<SelfTest> {
    let settings = quick_settings();
    let mut reports = Vec::new();
    let carriers = [Carrier::H1, Carrier::H2, Carrier::H3, Carrier::Best];
    for carrier in carriers.into_iter().filter(|carrier| has_peer(*carrier)) {
        for is_server in [true, false] {
            let report = judge_reference(selection, is_server, carrier, &settings).await?;
            // A section may have no case for a role or a carrier.
            reports.extend((!report.results.is_empty()).then_some(report));
        }
    }
    if reports.is_empty() {
        return Err(io::Error::other("no case is selected"));
    }
    let faults = [Fault::ALL, Fault::LEGAL].concat();
    Ok(SelfTest { reports, mutants: judge_mutants(&faults, &settings).await? })
}

/// Whether this build has a reference peer for it.
fn has_peer(carrier: Carrier) -> bool {
    carrier == Carrier::H1 || cfg!(all(feature = "h2", feature = "h3"))
}

/// The reference peer's deadlines are short, and so is the patience of its judge.
fn quick_settings() -> Settings {
    let mut settings = Settings::new(Effort::Quick);
    settings.wait = Duration::from_millis(700);
    settings.patience = Duration::from_secs(5);
    settings.jobs = 10;
    settings
}

async fn judge_reference(
    selection: &Selection,
    is_server: bool,
    carrier: Carrier,
    settings: &Settings,
) -> io::Result<Report> {
    let cases = selection.apply(groups::all(), is_server);
    let agent = format!("reference {} over {carrier}", role(is_server));
    // A right peer answers at once; on a busy machine it may be late, which is no fault of it.
    let mut settings = settings.clone();
    settings.wait = Duration::from_secs(2);
    settings.carrier = carrier;
    let shared = Arc::new(settings.clone());
    let memory = Arc::new(Memory::default());
    let target = peer::serve(carrier, None).await?;
    let peer = Peer { agent: &agent, is_server, target: target.to_string() };
    let judge = move |case: Arc<Case>| {
        let (shared, memory, target) = (Arc::clone(&shared), Arc::clone(&memory), target.clone());
        async move {
            if is_server {
                return play(&case, Arena::against_server(target, shared)).await;
            }
            let judged = judge_client(&case, None, shared, memory).await;
            judged.unwrap_or_else(|error| Refused::from(error).verdict())
        }
    };
    Ok(run_all(cases, &settings, peer, judge).await)
}

async fn judge_mutants(faults: &[Fault], settings: &Settings) -> io::Result<Vec<Mutant>> {
    let shared = Arc::new(settings.clone());
    let cases = Arc::new(groups::all());
    let (gate, pulse) = (Arc::new(Semaphore::new(12)), Arc::new(Pulse::start()));
    let mut running = JoinSet::new();
    for (fault, is_server, case) in seeded(faults) {
        let (shared, gate) = (Arc::clone(&shared), Arc::clone(&gate));
        let (cases, pulse) = (Arc::clone(&cases), Arc::clone(&pulse));
        running.spawn(async move {
            let _permit = gate.acquire_owned().await.map_err(io::Error::other)?;
            let began = Instant::now();
            let verdict = judge_mutant(fault, is_server, case, &cases, Arc::clone(&shared)).await?;
            let mutant = Mutant { fault, is_server, case, verdict };
            let was_held_up = pulse.missed_since(began) > shared.wait / 4;
            let is_in_doubt = !mutant.is_judged_rightly() && was_held_up;
            Ok::<_, io::Error>((mutant, is_in_doubt))
        });
    }
    let (mut mutants, mut in_doubt) = (Vec::new(), Vec::new());
    while let Some(judged) = running.join_next().await {
        let (mutant, is_in_doubt) = judged.map_err(io::Error::other)??;
        if is_in_doubt { &mut in_doubt } else { &mut mutants }.push(mutant);
    }
    // A judge who was held up himself may have missed what came late; see `run_all`.
    for Mutant { fault, is_server, case, .. } in in_doubt {
        let verdict = judge_mutant(fault, is_server, case, &cases, Arc::clone(&shared)).await?;
        mutants.push(Mutant { fault, is_server, case, verdict });
    }
    let place = |fault: &Fault| faults.iter().position(|other| other == fault);
    mutants.sort_by_key(|mutant| (place(&mutant.fault), !mutant.is_server, mutant.case));
    Ok(mutants)
}

/// Every fault on every side that can have it, with each case that has to notice it there.
fn seeded(faults: &[Fault]) -> Vec<(Fault, bool, &'static str)> {
    let cases = groups::all();
    let judges = |number: &'static str, is_server: bool| {
        let (_, number) = place_of(number);
        let found = cases.iter().find(|case| case.id.to_string() == number);
        // A case that is missing is an error later on.
        found.is_none_or(|case| case.applies(is_server))
    };
    let mut all = Vec::new();
    for fault in faults {
        for is_server in [true, false].into_iter().filter(|side| applies(*fault, *side)) {
            let chosen = fault.cases().iter().filter(|number| judges(number, is_server));
            let chosen = chosen.filter(|number| has_peer(place_of(number).0));
            all.extend(chosen.map(|number| (*fault, is_server, *number)));
        }
    }
    all
}

/// The carrier that a case is to be played over, and its number: `40.1.1`, or `h2:1.1.1`.
fn place_of(case: &'static str) -> (Carrier, &'static str) {
    if let Some((name, number)) = case.split_once(':') {
        // One that is not built in is not to become another one.
        let carrier = if name == "h2" { Carrier::H2 } else { Carrier::H3 };
        return (carrier, number);
    }
    let carrier = match case.split('.').next() {
        Some("40") => Carrier::H2,
        Some("41") => Carrier::H3,
        Some("42") => Carrier::Best,
        _ => Carrier::H1,
    };
    (carrier, case)
}

async fn judge_mutant(
    fault: Fault,
    is_server: bool,
    case: &'static str,
    cases: &[Case],
    settings: Arc<Settings>,
) -> io::Result<Verdict> {
    let (carrier, number) = place_of(case);
    let Some(case) = cases.iter().find(|case| case.id.to_string() == number) else {
        return Err(io::Error::other(format!("there is no case {case}")));
    };
    let mut settings = settings;
    Arc::make_mut(&mut settings).carrier = carrier;
    if fault == Fault::NoMessageLimit {
        // A quick run sends too little to tell a missing limit from a generous one.
        Arc::make_mut(&mut settings).effort = Effort::Normal;
    }
    if is_server {
        let target = peer::serve(carrier, Some(fault)).await?;
        return Ok(play(case, Arena::against_server(target, settings)).await);
    }
    let memory = Arc::new(Memory::default());
    let mut verdict =
        judge_client(case, Some(fault), Arc::clone(&settings), Arc::clone(&memory)).await?;
    if matches!(fault, Fault::SameKeyTwice | Fault::SameKeysAgain) {
        verdict = judge_client(case, Some(fault), settings, memory).await?;
    }
    Ok(verdict)
}

fn applies(fault: Fault, is_server: bool) -> bool {
    match fault.side() {
        Side::Both => true,
        Side::Server => is_server,
        Side::Client => !is_server,
    }
}

/// Lets a reference client call, and judges it by one case.
async fn judge_client(
    case: &Case,
    fault: Option<Fault>,
    settings: Arc<Settings>,
    memory: Arc<Memory>,
) -> io::Result<Verdict> {
    let carrier = settings.carrier;
    let mut lobby = peer::lobby(carrier).await?;
    let resource = format!("/case/{}", case.id);
    let target: Target = lobby.url(&resource).parse().map_err(io::Error::other)?;
    let client = tokio::spawn(peer::call(target, carrier, fault));
    let caller = match carrier {
        Carrier::Best => None,
        _ => Some(lobby.accept().await?),
    };
    let verdict = play(case, Arena::against_caller(caller, lobby, settings, memory)).await;
    client.abort();
    Ok(verdict)
}

fn role(is_server: bool) -> &'static str {
    if is_server { "server" } else { "client" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::select::parse_sections;

    #[tokio::test(flavor = "multi_thread")]
    async fn every_mutant_is_noticed() {
        let mutants = are_judged_rightly(Fault::ALL).await;
        let least = if has_peer(Carrier::H2) { 310 } else { 150 };
        assert!(mutants > least, "only {mutants} mutants");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_legal_is_no_failure() {
        are_judged_rightly(Fault::LEGAL).await;
    }

    async fn are_judged_rightly(faults: &[Fault]) -> usize {
        let mutants = judge_mutants(faults, &quick_settings()).await.expect("loopback sockets");
        let wrong: Vec<_> = mutants
            .iter()
            .filter(|mutant| !mutant.is_judged_rightly())
            .map(|mutant| (mutant.fault, role(mutant.is_server), mutant.case, &mutant.verdict.why))
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
        mutants.len()
    }

    async fn verdict_on(fault: Fault, case: &'static str) -> Verdict {
        let settings = Arc::new(quick_settings());
        judge_mutant(fault, true, case, &groups::all(), settings).await.expect("loopback sockets")
    }

    #[tokio::test]
    async fn what_cannot_be_read_ends_the_wait() {
        let verdict = verdict_on(Fault::KeepsOwnWindow, "13.2.1").await;
        assert!(verdict.why.contains("damaged"), "{}", verdict.why);
        assert!(verdict.duration < Duration::from_secs(20), "{:?}", verdict.duration);
    }

    #[tokio::test]
    async fn a_message_of_empty_blocks_is_not_waited_for() {
        let sections = parse_sections("24.1.6", &groups::all()).expect("a case number");
        let selection = Selection { sections, ..Selection::default() };
        let report = judge_reference(&selection, true, Carrier::H1, &quick_settings()).await;
        let results = report.expect("loopback sockets").results;
        let verdict = results.first().map(|result| &result.verdict).expect("one case");
        assert_eq!(verdict.behavior, Behavior::Ok, "{}", verdict.why);
        assert!(verdict.duration < Duration::from_secs(15), "{:?}", verdict.duration);
    }

    #[tokio::test]
    async fn a_bad_end_is_the_first_thing_that_is_said() {
        let verdict = verdict_on(Fault::Closes1001, "1.1.1").await;
        assert_eq!((verdict.behavior, verdict.overall()), (Behavior::Ok, Behavior::NonStrict));
        assert!(verdict.why.starts_with("close code 1001 was sent"), "{}", verdict.why);
        let verdict = verdict_on(Fault::NoCloseReply, "7.1.1").await;
        assert_eq!((verdict.behavior, verdict.overall()), (Behavior::Ok, Behavior::Failed));
        assert!(verdict.why.starts_with("our close frame was not answered"), "{}", verdict.why);
    }

    #[tokio::test]
    async fn a_client_that_should_have_failed_is_told_that_first() {
        let settings = Arc::new(quick_settings());
        let cases = groups::all();
        let verdict = judge_mutant(Fault::TakesBadWindow, false, "23.4.23", &cases, settings).await;
        let why = verdict.expect("loopback sockets").why;
        assert!(why.starts_with("the client went on with a handshake that had to fail"), "{why}");
        assert!(why.contains("RSV bits 100"), "{why}");
    }

    #[tokio::test]
    async fn frames_that_come_too_early_may_be_lost_whole_or_in_part() {
        for case in ["30.2.4", "30.2.7"] {
            let verdict = verdict_on(Fault::LosesEarlyFrames, case).await;
            assert_eq!(verdict.overall(), Behavior::NonStrict, "{case}: {}", verdict.why);
        }
    }

    #[tokio::test]
    async fn a_case_that_expects_nothing_says_only_what_it_saw() {
        let sections = parse_sections("7.1.6", &groups::all()).expect("a case number");
        let selection = Selection { sections, ..Selection::default() };
        let report = judge_reference(&selection, true, Carrier::H1, &quick_settings()).await;
        let results = report.expect("loopback sockets").results;
        let whys: Vec<&str> = results.iter().map(|result| result.verdict.why.as_str()).collect();
        assert!(whys.len() == 1 && whys[0].starts_with("observed only: saw"), "{whys:?}");
    }

    async fn passes_strictly(sections: &str, excluded: &str, carrier: Carrier, least: usize) {
        let cases = groups::all();
        let sections = parse_sections(sections, &cases).expect("case numbers");
        let excluded = parse_sections(excluded, &cases).expect("case numbers");
        let selection = Selection { sections, excluded, ..Selection::default() };
        for is_server in [true, false] {
            let settings = quick_settings();
            let report = judge_reference(&selection, is_server, carrier, &settings).await;
            let report = report.expect("loopback sockets");
            let shortcomings = crate::report::table::shortcomings(&report, true);
            assert!(report.passed(true), "{shortcomings}");
            assert!(report.results.len() > least, "{}", report.results.len());
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_reference_peer_passes_strictly_in_both_roles() {
        let all = "1,2,3,4,5,6,7,10,20,21,22,23,30,31,32";
        passes_strictly(all, "30.2,30.5,22.7", Carrier::H1, 400).await;
    }

    #[cfg(all(feature = "h2", feature = "h3"))]
    #[tokio::test(flavor = "multi_thread")]
    async fn the_reference_peer_passes_strictly_over_every_carrier() {
        passes_strictly("1,2,5,7,22.6,32,40", "40.3.14", Carrier::H2, 100).await;
        passes_strictly("1,2,5,7,22.6,32,41", "41.3.8", Carrier::H3, 100).await;
        passes_strictly("42", "41", Carrier::Best, 5).await;
    }
}
