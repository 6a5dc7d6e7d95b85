//! The suite's own test: a correct reference peer, and mutants of it with one fault each.
//!
//! The reference peer must pass every case, and each mutant must be noticed by the case that
//! stands for its rule. The peer uses the suite's codec; that the codec itself is right is shown
//! by the vectors of the RFCs in its unit tests and by third-party peers.

mod endpoint;
mod fault;
mod handshake;
mod reading;
mod request;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::arena::{Arena, Memory, Refused, Target};
use crate::case::Case;
use crate::groups;
use crate::judge::{Behavior, Verdict};
use crate::run::{Report, play, run_all};
use crate::select::Selection;
use crate::server_side::receive;
use crate::settings::{Effort, Settings};
use fault::{Fault, Side};

/// What the self-test found.
#[derive(Debug)]
pub struct SelfTest {
    reports: Vec<Report>,
    mutants: Vec<(Fault, bool, Verdict)>,
}

impl SelfTest {
    /// Whether the reference peer passed strictly and every mutant was noticed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.reports.iter().all(|report| report.passed(true))
            && self.mutants.iter().all(|(.., verdict)| is_noticed(verdict))
    }
}

impl fmt::Display for SelfTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for report in &self.reports {
            f.write_str(&crate::report::table::shortcomings(report))?;
            f.write_str(&crate::report::table::summary(report))?;
        }
        for (fault, is_server, verdict) in &self.mutants {
            let (role, sign) =
                (role(*is_server), if is_noticed(verdict) { "noticed" } else { "MISSED " });
            let overall = verdict.overall();
            writeln!(
                f,
                "{sign} {:<9} {role} {overall:<11} {}: {}",
                fault.case(),
                fault.what(),
                verdict.why
            )?;
        }
        let noticed = self.mutants.iter().filter(|(.., verdict)| is_noticed(verdict)).count();
        writeln!(
            f,
            "{noticed} of {} mutants ({} faults) were noticed",
            self.mutants.len(),
            Fault::ALL.len()
        )
    }
}

/// Judges the reference peer by the chosen cases, and every mutant by the case for its fault.
///
/// # Errors
///
/// Those of the listening sockets on the loopback interface.
pub async fn self_test(selection: &Selection) -> io::Result<SelfTest> {
    let settings = quick_settings();
    let mut reports = Vec::new();
    for is_server in [true, false] {
        reports.push(judge_reference(selection, is_server, &settings).await?);
    }
    Ok(SelfTest { reports, mutants: judge_mutants(&settings).await? })
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
    settings: &Settings,
) -> io::Result<Report> {
    let cases = selection.apply(groups::all(), is_server);
    let agent = format!("reference {}", role(is_server));
    // A right peer answers at once; on a busy machine it may be late, which is no fault of it.
    let mut settings = settings.clone();
    settings.wait = Duration::from_secs(2);
    let shared = Arc::new(settings.clone());
    let memory = Arc::new(Memory::default());
    let target = serve(None).await?;
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
    Ok(run_all(cases, &settings, &agent, is_server, judge).await)
}

async fn judge_mutants(settings: &Settings) -> io::Result<Vec<(Fault, bool, Verdict)>> {
    let shared = Arc::new(settings.clone());
    let gate = Arc::new(Semaphore::new(12));
    let mut running = JoinSet::new();
    let sides = Fault::ALL.iter().flat_map(|fault| [(*fault, true), (*fault, false)]);
    for (fault, is_server) in sides.filter(|(fault, is_server)| applies(*fault, *is_server)) {
        let (shared, gate) = (Arc::clone(&shared), Arc::clone(&gate));
        running.spawn(async move {
            let _permit = gate.acquire_owned().await.map_err(io::Error::other)?;
            let verdict = judge_mutant(fault, is_server, shared).await?;
            Ok::<_, io::Error>((fault, is_server, verdict))
        });
    }
    let mut mutants = Vec::new();
    while let Some(judged) = running.join_next().await {
        mutants.push(judged.map_err(io::Error::other)??);
    }
    mutants.sort_by_key(|(fault, is_server, _)| {
        (Fault::ALL.iter().position(|other| other == fault), !is_server)
    });
    Ok(mutants)
}

async fn judge_mutant(
    fault: Fault,
    is_server: bool,
    settings: Arc<Settings>,
) -> io::Result<Verdict> {
    let mut cases = groups::all();
    cases.retain(|case| case.id.to_string() == case_of(fault, is_server));
    let Some(case) = cases.pop() else {
        return Err(io::Error::other(format!("there is no case {}", fault.case())));
    };
    let mut settings = settings;
    if fault == Fault::NoMessageLimit {
        // A quick run sends too little to tell a missing limit from a generous one.
        Arc::make_mut(&mut settings).effort = Effort::Normal;
    }
    if is_server {
        let target = serve(Some(fault)).await?;
        return Ok(play(&case, Arena::against_server(target, settings)).await);
    }
    let memory = Arc::new(Memory::default());
    let mut verdict =
        judge_client(&case, Some(fault), Arc::clone(&settings), Arc::clone(&memory)).await?;
    if fault == Fault::SameKeyTwice {
        verdict = judge_client(&case, Some(fault), settings, memory).await?;
    }
    Ok(verdict)
}

/// A deadline for a handshake is seen in another case for a client.
fn case_of(fault: Fault, is_server: bool) -> &'static str {
    if fault == Fault::NoHandshakeDeadline && !is_server { "50.2.4" } else { fault.case() }
}

fn applies(fault: Fault, is_server: bool) -> bool {
    match fault.side() {
        Side::Both => true,
        Side::Server => is_server,
        Side::Client => !is_server,
    }
}

/// Starts a reference server, right or with a fault, for as long as the runtime lives.
async fn serve(fault: Option<Fault>) -> io::Result<Target> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let target = format!("ws://{}/", listener.local_addr()?).parse().map_err(io::Error::other)?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(endpoint::serve(stream, fault));
        }
    });
    Ok(target)
}

/// Lets a reference client call, and judges it by one case.
async fn judge_client(
    case: &Case,
    fault: Option<Fault>,
    settings: Arc<Settings>,
    memory: Arc<Memory>,
) -> io::Result<Verdict> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let client = tokio::spawn(async move {
        let stream = TcpStream::connect(address).await?;
        endpoint::call(stream, &address.to_string(), fault).await;
        Ok::<_, io::Error>(())
    });
    let (stream, _) = listener.accept().await?;
    let visitor = receive(stream).await?;
    let verdict = play(case, Arena::against_client(visitor, settings, memory)).await;
    client.abort();
    Ok(verdict)
}

fn is_noticed(verdict: &Verdict) -> bool {
    matches!(verdict.overall(), Behavior::Failed | Behavior::NonStrict)
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
        let mutants = judge_mutants(&quick_settings()).await.expect("loopback sockets");
        let missed: Vec<_> = mutants
            .iter()
            .filter(|(.., verdict)| !is_noticed(verdict))
            .map(|(fault, is_server, verdict)| (fault, role(*is_server), &verdict.why))
            .collect();
        assert!(missed.is_empty(), "{missed:#?}");
        assert!(mutants.len() > 100);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_reference_peer_passes_strictly_in_both_roles() {
        let slow = "9,12,13,24,50,60,30.2,30.5,22.7";
        let excluded = parse_sections(slow).expect("case numbers");
        let selection = Selection { excluded, ..Selection::default() };
        for is_server in [true, false] {
            let settings = quick_settings();
            let report =
                judge_reference(&selection, is_server, &settings).await.expect("loopback sockets");
            let shortcomings = crate::report::table::shortcomings(&report);
            assert!(report.passed(true), "{shortcomings}");
            assert!(report.results.len() > 400);
        }
    }
}
