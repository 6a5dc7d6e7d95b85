//! Clients that a driver sends, by the resource names that drivers of the field know.
//!
//! `/getCaseCount` answers a number, `/runCase?case=N&agent=A` (or `casetuple=1.2.3`) plays a
//! case, `/getCaseInfo?case=N` and `/getCaseStatus?case=N&agent=A` answer JSON,
//! `/updateReports?agent=A` marks an agent as done, `/stopServer` ends.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::json;
use tokio::sync::{Notify, RwLock};
use tokio::time::{Instant, timeout};

use super::command::identity_for;
use super::lobby::Lobby;
use super::visitor::Visitor;
use crate::arena::{Arena, Memory};
use crate::case::{Case, CaseId};
use crate::judge::{Behavior, Verdict};
use crate::log::Log;
use crate::progress::Progress;
use crate::report::date;
use crate::run::{CaseResult, LeftOut, Report, left_out, play};
use crate::settings::Settings;
use crate::wire::frame::Frame;

/// Serves drivers at `address` until one of them asks to stop, and reports on every agent.
///
/// `bound` is told the URL that was taken, so that port 0 can be used.
///
/// # Errors
///
/// Those of the listener, and those of `bound`.
pub async fn listen(
    address: SocketAddr,
    cases: Vec<Case>,
    settings: Settings,
    bound: impl FnOnce(&str) -> io::Result<()>,
) -> io::Result<Vec<Report>> {
    let identity = identity_for(&settings)?;
    let mut lobby = Lobby::bind(address, settings.carrier, identity).await?;
    let address = lobby.url("");
    bound(&address)?;
    let left_out = left_out(&cases, settings.carrier);
    let mut cases = cases;
    cases.retain(|case| case.carriers.contains(&settings.carrier));
    let desk = Arc::new(Desk {
        cases,
        left_out,
        settings: Arc::new(settings),
        memory: Arc::default(),
        results: Mutex::default(),
        progress: Mutex::default(),
        playing: RwLock::default(),
        stop: Notify::new(),
        address,
        began: Instant::now(),
        started: date::now(),
    });
    loop {
        tokio::select! {
            accepted = lobby.accept() => {
                // A caller who did not get through TLS or QUIC has no case to be judged by.
                let Ok(caller) = accepted else { continue };
                let desk = Arc::clone(&desk);
                tokio::spawn(async move {
                    // Nor has one without a request.
                    if let Ok(visitor) = caller.into_visitor(&Log::new()).await {
                        desk.serve(visitor).await;
                    }
                });
            }
            () = desk.stop.notified() => {
                // A case that is at its last frames is no case that was not played.
                let grace = desk.settings.wait * 3;
                let _all_played = timeout(grace, desk.playing.write()).await;
                return Ok(desk.reports());
            }
        }
    }
}

/// What a driver is served from.
struct Desk {
    cases: Vec<Case>,
    left_out: Vec<LeftOut>,
    settings: Arc<Settings>,
    memory: Arc<Memory>,
    results: Mutex<BTreeMap<String, BTreeMap<CaseId, CaseResult>>>,
    /// How far each agent has come.
    progress: Mutex<BTreeMap<String, Progress>>,
    /// Held for reading by each case while it is played.
    playing: RwLock<()>,
    stop: Notify,
    /// The URL that drivers call.
    address: String,
    began: Instant,
    started: SystemTime,
}

impl Desk {
    async fn serve(&self, visitor: Visitor) {
        let target = visitor.request.target().to_owned();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let agent = parameter(query, "agent").unwrap_or_else(|| UNNAMED.into());
        match path {
            "/runCase" => match self.find(query) {
                Some(case) => self.judge(case, visitor, agent).await,
                None => self.tell(visitor, "there is no such case").await,
            },
            "/getCaseCount" => self.tell(visitor, &self.cases.len().to_string()).await,
            "/getCaseInfo" => {
                let info = self.find(query).map(
                    |case| json!({"id": case.id.to_string(), "description": case.description}),
                );
                self.tell(visitor, &info.unwrap_or_default().to_string()).await;
            }
            "/getCaseStatus" => {
                let status = self.find(query).map(|case| self.status(case, &agent));
                self.tell(visitor, &status.unwrap_or_default()).await;
            }
            "/stopServer" => {
                self.tell(visitor, "").await;
                self.stop.notify_one();
            }
            // `/updateReports` and whatever else a driver sends: accepted, and closed.
            _ => self.tell(visitor, "").await,
        }
    }

    fn find(&self, query: &str) -> Option<&Case> {
        if let Some(tuple) = parameter(query, "casetuple") {
            let id: CaseId = tuple.parse().ok()?;
            return self.cases.iter().find(|case| case.id == id);
        }
        let number: usize = parameter(query, "case")?.parse().ok()?;
        self.cases.get(number.checked_sub(1)?)
    }

    async fn judge(&self, case: &Case, visitor: Visitor, agent: String) {
        let (settings, memory) = (Arc::clone(&self.settings), Arc::clone(&self.memory));
        let _playing = self.playing.read().await;
        // This stays where the case does not come to its end.
        self.keep(&agent, case, Verdict::none("the case was begun and did not come to its end"));
        let verdict = play(case, Arena::against_visitor(visitor, settings, memory)).await;
        self.tell_progress(&agent, &self.result(case, verdict.clone()));
        self.keep(&agent, case, verdict);
    }

    /// Counts the case among those that `agent` has played.
    fn tell_progress(&self, agent: &str, result: &CaseResult) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Progress::new(self.cases.len(), self.settings.progress);
        progress.entry(agent.to_owned()).or_insert_with(new).step(result);
    }

    fn keep(&self, agent: &str, case: &Case, verdict: Verdict) {
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        let cases = results.entry(agent.to_owned()).or_default();
        cases.insert(case.id.clone(), self.result(case, verdict));
    }

    fn result(&self, case: &Case, verdict: Verdict) -> CaseResult {
        CaseResult::new(case, verdict, &self.settings.known_failures)
    }

    /// Sends `text`, unless it is empty, and closes.
    async fn tell(&self, visitor: Visitor, text: &str) {
        let arena = Arena::against_visitor(visitor, Arc::clone(&self.settings), Arc::default());
        let mut arena = arena;
        arena.log = Log::new();
        let Ok(mut link) = arena.open().await else { return };
        if !text.is_empty() {
            link.send(&[Frame::text(text)], Default::default()).await;
        }
        link.close(1000, Duration::from_secs(2)).await;
    }

    fn status(&self, case: &Case, agent: &str) -> String {
        let results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        let result = results.get(agent).and_then(|cases| cases.get(&case.id));
        let judged = result.filter(|result| result.verdict.behavior != Behavior::Unjudged);
        let behavior = judged.map_or("UNKNOWN", |result| result.verdict.behavior.name());
        json!({"behavior": behavior}).to_string()
    }

    /// A report on every agent, or on one without a name where none played a case. What an agent
    /// left out of the cases is in its report, too.
    fn reports(&self) -> Vec<Report> {
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if results.is_empty() {
            results.entry(UNNAMED.into()).or_default();
        }
        let result = |played: &BTreeMap<CaseId, CaseResult>, case: &Case| {
            let missing = || self.result(case, Verdict::none("the driver did not play it"));
            played.get(&case.id).cloned().unwrap_or_else(missing)
        };
        let report = |(agent, played)| Report {
            agent,
            peer_is_server: false,
            target: self.address.clone(),
            started: self.started,
            options: String::new(),
            results: self.cases.iter().map(|case| result(&played, case)).collect(),
            left_out: self.left_out.clone(),
            carrier: self.settings.carrier,
            effort: self.settings.effort,
            elapsed: self.began.elapsed(),
        };
        results.into_iter().map(report).collect()
    }
}

/// A driver that gives no `agent`.
const UNNAMED: &str = "unknown";

/// The value of a parameter of the query, with `+` and `%xx` decoded.
fn parameter(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let value = pairs.into_iter().find(|(key, _)| *key == name)?.1.replace('+', " ");
    let mut octets = Vec::new();
    let mut rest = value.bytes();
    while let Some(octet) = rest.next() {
        let digits: Vec<u8> = if octet == b'%' { rest.by_ref().take(2).collect() } else { vec![] };
        let decoded =
            std::str::from_utf8(&digits).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok());
        octets.push(decoded.unwrap_or(octet));
    }
    Some(String::from_utf8_lossy(&octets).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let query = "case=12&agent=My%20agent%2F1+x&casetuple=1.2.3";
        assert_eq!(parameter(query, "case").as_deref(), Some("12"));
        assert_eq!(parameter(query, "agent").as_deref(), Some("My agent/1 x"));
        assert_eq!(parameter(query, "none"), None);
    }
}
