//! Runs many cases at once where they do not disturb each other, and collects what was judged.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::Semaphore;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, timeout};

use crate::arena::Arena;
use crate::carrier::Carrier;
use crate::case::{Case, CaseId, Weight};
use crate::judge::{Behavior, Verdict};
use crate::progress::Progress;
use crate::pulse::Pulse;
use crate::report::date;
use crate::settings::{Effort, Settings};
use crate::standing::{Standing, reason_for};

/// What became of one case.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CaseResult {
    /// Its number.
    pub id: CaseId,
    /// What was done, in one sentence.
    pub description: String,
    /// What was expected, in one sentence.
    pub expectation: String,
    /// The rows of the RFC table that the case stands for.
    pub rows: &'static [&'static str],
    /// What is said of it.
    pub verdict: Verdict,
    /// Why it is known to fail, if it is.
    pub known: Option<String>,
}

/// Cases that have no meaning over the carrier of the run, or were left out for a reason given.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOut {
    /// Why.
    pub reason: String,
    /// The section they lie in.
    pub section: CaseId,
    /// How many they are.
    pub count: usize,
}

/// What became of all cases that one peer was judged by.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The name of the peer.
    pub agent: String,
    /// Whether the peer is a server.
    pub peer_is_server: bool,
    /// Who was judged: the URL of a server, the command of a client, or the address that a driver called.
    pub target: String,
    /// When the run began, by the clock of the system.
    pub started: SystemTime,
    /// The options of the run as a command line has them; empty unless the caller sets it.
    pub options: String,
    /// The results in the order of the numbers.
    pub results: Vec<CaseResult>,
    /// What was not played.
    pub left_out: Vec<LeftOut>,
    /// What carried the WebSockets.
    pub carrier: Carrier,
    /// How much of the costly cases was run.
    pub effort: Effort,
    /// How long the run took.
    pub elapsed: Duration,
}

impl LeftOut {
    /// How many cases that is, in words.
    pub(crate) fn cases(&self) -> String {
        format!("{} case{}", self.count, if self.count == 1 { "" } else { "s" })
    }
}

impl Report {
    /// How many cases have this overall judgement.
    #[must_use]
    pub fn count(&self, behavior: Behavior) -> usize {
        self.results.iter().filter(|result| result.verdict.overall() == behavior).count()
    }

    /// By what it was judged, in words.
    pub(crate) fn how(&self) -> String {
        format!("over {}, {}", self.carrier, self.effort.words())
    }

    /// Whether the peer passed: it was judged by every case that was chosen, and none failed but those
    /// that are known to, which all did. `strict` also holds what is non-strict against it.
    #[must_use]
    pub fn passed(&self, strict: bool) -> bool {
        let counts = |result: &CaseResult| {
            matches!(result.standing(strict), Standing::Fails | Standing::PassesUnexpectedly)
        };
        self.is_complete() && !self.results.iter().any(counts)
    }

    /// How many cases count in this way.
    #[must_use]
    pub fn standing(&self, standing: Standing, strict: bool) -> usize {
        self.results.iter().filter(|result| result.standing(strict) == standing).count()
    }

    /// When the run began, as ISO 8601 has it, in UTC.
    pub(crate) fn began(&self) -> String {
        format!("{}Z", date::date_and_time(self.started))
    }

    /// Whether there was a case, and each one that was chosen came to a judgement.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        !self.results.is_empty() && self.count(Behavior::Unjudged) == 0
    }
}

impl CaseResult {
    pub(crate) fn new(case: &Case, verdict: Verdict, known: &[(CaseId, String)]) -> Self {
        Self {
            known: reason_for(&case.id, known),
            id: case.id.clone(),
            description: case.description.clone(),
            expectation: case.expectation.clone(),
            rows: case.rows,
            verdict,
        }
    }
}

/// Plays `case` in `arena`, under a watchdog.
pub(crate) async fn play(case: &Case, mut arena: Arena) -> Verdict {
    let log = arena.log.clone();
    let limit = match case.weight {
        Weight::Heavy | Weight::Alone => Duration::from_secs(1100),
        Weight::Light | Weight::Waiting => arena.settings.patience * 2 + Duration::from_secs(60),
    };
    let mut verdict = match timeout(limit, case.play.play(&mut arena)).await {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(refused)) => refused.verdict(),
        Err(_) => Verdict::plain(Behavior::Failed, "the case did not come to an end"),
    };
    verdict.duration = log.elapsed();
    verdict.log = log.entries();
    verdict
}

/// Who is judged in a run.
pub(crate) struct Peer<'a> {
    /// Its name in the reports.
    pub(crate) agent: &'a str,
    pub(crate) is_server: bool,
    /// Its URL, or its command.
    pub(crate) target: String,
}

/// Runs every case that fits the carrier through `judge` and gives the results in order.
pub(crate) async fn run_all<F, V>(
    cases: Vec<Case>,
    settings: &Settings,
    peer: Peer<'_>,
    judge: F,
) -> Report
where
    F: Fn(Arc<Case>) -> V + Send + Sync + 'static,
    V: Future<Output = Verdict> + Send,
{
    let (began, started) = (Instant::now(), date::now());
    let left_out = left_out(&cases, settings.carrier);
    let fitting = cases.into_iter().filter(|case| case.carriers.contains(&settings.carrier));
    let mut cases: Vec<Arc<Case>> = fitting.map(Arc::new).collect();
    // Those that only wait go first, those that measure come last and alone.
    cases.sort_by_key(|case| (case.weight != Weight::Waiting, case.weight == Weight::Alone));
    let progress = Progress::new(cases.len(), settings.progress);
    let mut harvest = Harvest::new(progress, settings.known_failures.clone());
    let (judge, pulse) = (Arc::new(judge), Arc::new(Pulse::start()));
    let (slots, waiting) = (settings.jobs.max(1), 48);
    let (busy, idle) = (Arc::new(Semaphore::new(slots)), Arc::new(Semaphore::new(waiting)));
    let mut running: JoinSet<Played> = JoinSet::new();
    for case in cases {
        let alone = case.weight == Weight::Alone;
        while let Some(done) = if alone { running.join_next_with_id().await } else { None } {
            harvest.take(done);
        }
        let gate = if case.weight == Weight::Waiting { &idle } else { &busy };
        let Ok(permit) = Arc::clone(gate).acquire_owned().await else { break };
        while let Some(done) = running.try_join_next_with_id() {
            harvest.take(done);
        }
        let (judge, pulse, wait) = (Arc::clone(&judge), Arc::clone(&pulse), settings.wait);
        let begun = Arc::clone(&case);
        let task = running.spawn(async move {
            let began = Instant::now();
            let verdict = judge(begun).await;
            drop(permit);
            let is_in_doubt = verdict.is_against() && pulse.missed_since(began) > wait / 4;
            Played { verdict, is_in_doubt }
        });
        harvest.begun.insert(task.id(), case);
    }
    while let Some(done) = running.join_next_with_id().await {
        harvest.take(done);
    }
    // What a judge saw who was held up himself is no evidence; now the machine has less to do.
    for case in std::mem::take(&mut harvest.in_doubt) {
        let (judge, again) = (Arc::clone(&judge), Arc::clone(&case));
        let task = running.spawn(async move {
            let mut verdict = judge(again).await;
            verdict.why.push_str("; played twice, since the suite was held up the first time");
            Played { verdict, is_in_doubt: false }
        });
        harvest.begun.insert(task.id(), case);
        while let Some(done) = running.join_next_with_id().await {
            harvest.take(done);
        }
    }
    harvest.progress.end();
    let mut results = harvest.results;
    results.sort_by(|left, right| left.id.cmp(&right.id));
    Report {
        agent: peer.agent.to_owned(),
        peer_is_server: peer.is_server,
        target: peer.target,
        started,
        options: String::new(),
        results,
        left_out,
        carrier: settings.carrier,
        effort: settings.effort,
        elapsed: began.elapsed(),
    }
}

/// What came of a case that was played once.
struct Played {
    verdict: Verdict,
    /// Whether the verdict may be owed to a busy machine.
    is_in_doubt: bool,
}

/// What was played so far.
struct Harvest {
    progress: Progress,
    results: Vec<CaseResult>,
    in_doubt: Vec<Arc<Case>>,
    /// What is being played, by the task that does so.
    begun: HashMap<Id, Arc<Case>>,
    known: Vec<(CaseId, String)>,
}

impl Harvest {
    fn new(progress: Progress, known: Vec<(CaseId, String)>) -> Self {
        let (results, in_doubt, begun) = (Vec::new(), Vec::new(), HashMap::new());
        Self { progress, results, in_doubt, begun, known }
    }

    fn take(&mut self, done: Result<(Id, Played), JoinError>) {
        let id = match &done {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let Some(case) = self.begun.remove(&id) else { return };
        match done {
            Ok((_, Played { is_in_doubt: true, .. })) => self.in_doubt.push(case),
            Ok((_, Played { verdict, .. })) => self.keep(&case, verdict),
            // A case that panics must not pass in silence.
            Err(error) => {
                let why = format!("the case broke down, which is a fault of this suite: {error}");
                self.progress.fault(&format!("{}: {error}", case.id));
                self.keep(&case, Verdict::none(why));
            }
        }
    }

    fn keep(&mut self, case: &Case, verdict: Verdict) {
        let result = CaseResult::new(case, verdict, &self.known);
        self.progress.step(&result);
        self.results.push(result);
    }
}

/// What of `cases` has no meaning over `carrier`, by group and reason.
pub(crate) fn left_out(cases: &[Case], carrier: Carrier) -> Vec<LeftOut> {
    let mut found: Vec<LeftOut> = Vec::new();
    for case in cases {
        let Some(reason) = case.why_not_over(carrier) else { continue };
        let section = CaseId::new(&[case.id.group()]);
        match found.iter_mut().find(|one| one.section == section && one.reason == reason) {
            Some(one) => one.count += 1,
            None => found.push(LeftOut { reason: reason.to_owned(), section, count: 1 }),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups;
    use crate::select::{Selection, parse_sections};

    #[tokio::test]
    async fn a_case_that_breaks_down_is_no_pass() {
        let selection = Selection {
            sections: parse_sections("1.1", &groups::all()).expect("case numbers"),
            ..Selection::default()
        };
        let cases = selection.apply(groups::all(), true);
        let judge = |case: Arc<Case>| async move {
            assert_ne!(case.id.to_string(), "1.1.3", "a fault of the suite");
            Verdict::plain(Behavior::Ok, "as expected")
        };
        let peer = Peer { agent: "a peer", is_server: true, target: "ws://a/".into() };
        let report = run_all(cases, &Settings::default(), peer, judge).await;
        assert_eq!((report.results.len(), report.count(Behavior::Unjudged)), (8, 1));
        assert!(!report.passed(false) && !report.is_complete());
        let broken = report.results.iter().find(|result| result.id.to_string() == "1.1.3");
        let why = broken.map(|result| result.verdict.why.as_str()).unwrap_or_default();
        assert!(why.contains("a fault of this suite"), "{why}");
    }

    #[test]
    fn a_report_without_a_case_is_no_pass() {
        let report = Report {
            agent: "a peer".into(),
            peer_is_server: true,
            target: "ws://a/".into(),
            started: date::now(),
            options: String::new(),
            results: Vec::new(),
            left_out: Vec::new(),
            carrier: Carrier::H1,
            effort: Effort::Quick,
            elapsed: Duration::ZERO,
        };
        assert!(!report.passed(false));
    }
}
