//! `cargo xtask attack`: attacks our echo server and client, each in a process of its own, and
//! measures what that costs them.
//!
//! The attacker is `ws-conformance --attack`, which shares no code with what it attacks. Every
//! attack has bounds (`table.rs`): how it ends, when, and with how much memory and time on the
//! processor. While a server is attacked, somebody who behaves is served by it. Crossing a bound
//! fails the command.

mod report;
mod table;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::options::Options;
use crate::product::{self, Programs, Server};
use crate::steps::{Outcome, Steps};
use crate::{Verdict, process, usage};
use table::{Attack, CLIENT, CLIENT_OPTIONS, SERVER, SERVER_OPTIONS};

pub(crate) const ABOUT: &str = "attacks our echo server and client, measures, and holds each \
attack to its bounds\n\
--role server|client|both  --only TEXT  --scale N (an Nth of the size)  --jobs N\n\
--json FILE  --report: writes docs/attacks.md  --programs DIRECTORY (built already)";

const ATTACKER: &str = "ws-conformance";
const REPORT: &str = "docs/attacks.md";
/// How long one attack may take, whatever comes of it.
const LIMIT: Duration = Duration::from_secs(600);
const MIB: u64 = 1024;
/// How much smaller an attack is that the whole is compared with.
const PART: u32 = 4;
/// What a server may do besides, on a machine with other things to do.
const NOISE: Duration = Duration::from_millis(5);

pub(crate) fn command(arguments: Vec<String>) -> Verdict {
    let valued = ["role", "only", "scale", "jobs", "json", "programs"];
    let options = Options::parse(arguments, &valued, &["report"])?;
    let mut steps = Steps::default();
    steps.run("attack", || run(&options));
    Ok(steps.report())
}

/// The short form: most attacks at a fifth of their size.
pub(crate) fn step() -> Result<Outcome, String> {
    let arguments = ["--scale", "5", "--jobs", "8"].map(String::from).to_vec();
    run(&Options::parse(arguments, &["scale", "jobs"], &[])?)
}

/// Every attack with the threat that it answers: role, name, threat.
pub(crate) fn threats() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let server = SERVER.iter().map(|attack| ("server", attack.name, attack.threat));
    server.chain(CLIENT.iter().map(|attack| ("client", attack.name, attack.threat)))
}

fn run(options: &Options) -> Result<Outcome, String> {
    if !usage::is_known() {
        return Ok(Outcome::Skipped("this system has no /proc to measure by".to_owned()));
    }
    let scale: usize = options.number("scale")?.unwrap_or(1).max(1);
    let jobs: usize = options.number("jobs")?.unwrap_or(4).max(1);
    let programs = match options.value("programs") {
        Some(directory) => PathBuf::from(directory),
        None => match prepare()? {
            Ok(directory) => directory,
            Err(outcome) => return Ok(outcome),
        },
    };
    let role = options.value("role").unwrap_or("both");
    let only = options.value("only").unwrap_or_default();
    let ground = Ground { programs, scale };
    let plan = plan(role, only)?;
    let results = ground.attack_all(&plan, jobs);
    let table = report::text(&results);
    println!("\n{table}");
    if let Some(file) = options.value("json") {
        std::fs::write(file, report::json(&results)).map_err(|error| format!("{file}: {error}"))?;
    }
    if options.has("report") {
        let file = crate::workspace::root().join(REPORT);
        std::fs::write(&file, report::markdown(&results))
            .map_err(|error| format!("{REPORT}: {error}"))?;
    }
    let crossed = results.iter().filter(|result| !result.crossed.is_empty()).count();
    if crossed > 0 {
        return Ok(Outcome::Failed(format!("{crossed} of {} crossed a bound", results.len())));
    }
    Ok(Outcome::Passed(format!("{} attacks within their bounds", results.len())))
}

/// Builds the programs; the inner error is an outcome that is no failure of this command.
fn prepare() -> Result<Result<PathBuf, Outcome>, String> {
    if let Some(why) = Programs::on("tokio")?.prepare()? {
        return Ok(Err(Outcome::Skipped(why)));
    }
    if !product::build(ATTACKER, &[ATTACKER])? {
        return Err("the attacker does not build".to_owned());
    }
    let attacker = product::binary(ATTACKER);
    Ok(Ok(attacker.parent().map(Path::to_path_buf).unwrap_or_default()))
}

/// Who is attacked, by what and over what.
#[derive(Debug, Clone, Copy)]
struct Mission {
    attack: &'static Attack,
    /// The role of the one attacked.
    role: &'static str,
    /// Scheme and carrier.
    over: &'static str,
}

impl Mission {
    fn way(self) -> (&'static str, &'static str) {
        self.over.split_once(' ').unwrap_or((self.over, "h1"))
    }
}

fn plan(role: &str, only: &str) -> Result<Vec<Mission>, String> {
    if !["server", "client", "both"].contains(&role) {
        return Err(format!("--role is server, client or both, not {role:?}"));
    }
    let mut plan = Vec::new();
    for (name, attacks) in [("server", SERVER), ("client", CLIENT)] {
        if role != "both" && role != name {
            continue;
        }
        for attack in attacks.iter().filter(|attack| attack.name.contains(only)) {
            plan.extend(attack.over.iter().map(|over| Mission { attack, role: name, over }));
        }
    }
    if plan.is_empty() { Err(format!("no attack is called {only:?}")) } else { Ok(plan) }
}

/// What an attack came to.
#[derive(Debug, Clone)]
struct Figures {
    /// Octets that were taken.
    sent: u64,
    took: Duration,
    end: String,
    /// KiB that a server grew by at its highest, and that a client had.
    grown: u64,
    time: Duration,
    /// Echoes to the neighbour, and the slowest, where there is one.
    neighbour: Option<(u32, Duration)>,
}

#[derive(Debug, Clone)]
struct Attacked {
    mission: Mission,
    figures: Result<Figures, String>,
    /// The bounds that were crossed.
    crossed: Vec<String>,
}

#[derive(Debug)]
struct Ground {
    programs: PathBuf,
    scale: usize,
}

impl Ground {
    /// Several at a time: most of them wait for a deadline.
    fn attack_all(&self, plan: &[Mission], jobs: usize) -> Vec<Attacked> {
        let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        thread::scope(|scope| {
            for _ in 0..jobs.min(plan.len()) {
                scope.spawn(|| {
                    while let Some(mission) = plan.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let attacked = self.attack(*mission);
                        println!("{}", report::line(&attacked));
                        results.lock().expect("no thread panics in it").push(attacked);
                    }
                });
            }
        });
        let mut results = results.into_inner().expect("no thread panics in it");
        let place = |result: &Attacked| {
            plan.iter().position(|mission| {
                (mission.attack.name, mission.role, mission.over)
                    == (result.mission.attack.name, result.mission.role, result.mission.over)
            })
        };
        results.sort_by_key(place);
        results
    }

    fn attack(&self, mission: Mission) -> Attacked {
        let figures = self.attack_at(mission, self.scale);
        let mut crossed = match &figures {
            Ok(figures) => crossed(mission.attack, figures),
            Err(why) => vec![why.clone()],
        };
        if let (true, Ok(whole)) = (mission.attack.is_linear, &figures) {
            crossed.extend(match self.attack_at(mission, self.scale * PART as usize) {
                Ok(part) => out_of_proportion(whole.time, part.time),
                Err(why) => Some(why),
            });
        }
        Attacked { mission, figures, crossed }
    }

    fn attack_at(&self, mission: Mission, scale: usize) -> Result<Figures, String> {
        match mission.role {
            "server" => self.attack_server(mission, scale),
            _ => self.attack_client(mission, scale),
        }
    }

    fn attack_server(&self, mission: Mission, scale: usize) -> Result<Figures, String> {
        let mut command = Command::new(self.programs.join("echo_server"));
        command.args(["--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0"]);
        command.args(["--deflate", "--origin", "any", "--drain", "0"]);
        command.args(SERVER_OPTIONS).args(mission.attack.options);
        let server = Server::start_quietly(&mut command, 2)?;
        let (scheme, carrier) = mission.way();
        let before = usage::of(server.pid())?;
        let mut attacker = self.attacker(mission, scale);
        attacker.args(["--server", &server.url(scheme)?, "--over", carrier]);
        let mut attacker = spawn(&mut attacker)?;
        let seen = last_line(&mut attacker)?;
        // Whatever is left of the attack is dropped by now, or was never held.
        let after = usage::of(server.pid())?;
        figures(&seen, before, after)
    }

    fn attack_client(&self, mission: Mission, scale: usize) -> Result<Figures, String> {
        let (scheme, carrier) = mission.way();
        let mut attacker = self.attacker(mission, scale);
        let server = Server::start_quietly(attacker.args(["--over", carrier]), 1)?;
        let mut client = Command::new(self.programs.join("echo_client"));
        client.args(["--reflect", "--deflate", "--insecure", "--over", carrier]);
        client.args(CLIENT_OPTIONS).arg(server.url(scheme)?);
        client.stdout(Stdio::null()).stderr(Stdio::null());
        let mut client = spawn(&mut client)?;
        // Nothing of a process that has ended can be read, so it is watched while it runs.
        let mut last = usage::Usage::default();
        let deadline = Instant::now() + LIMIT;
        while client.try_wait().map_err(|error| error.to_string())?.is_none() {
            if let Ok(usage) = usage::of(client.id()) {
                last = usage;
            }
            if Instant::now() > deadline {
                process::wait_within(&mut client, Duration::ZERO)
                    .map_err(|error| error.to_string())?;
                return Err("the client does not end".to_owned());
            }
            thread::sleep(Duration::from_millis(2));
        }
        let seen = server.next_line(LIMIT).ok_or("the attacker said nothing")?;
        figures(&seen, usage::Usage::default(), last)
    }

    fn attacker(&self, mission: Mission, scale: usize) -> Command {
        let mut command = Command::new(self.programs.join(ATTACKER));
        command.args(["--attack", mission.attack.name, "--scale", &scale.to_string()]);
        command
    }
}

fn spawn(command: &mut Command) -> Result<Child, String> {
    command.stdin(Stdio::null());
    if command.get_program().to_string_lossy().ends_with(ATTACKER) {
        command.stdout(Stdio::piped());
    }
    command.spawn().map_err(|error| format!("cannot start {command:?}: {error}"))
}

/// The last line that the child printed, once it has ended.
fn last_line(child: &mut Child) -> Result<String, String> {
    let output = child.stdout.take().ok_or("no output")?;
    let reader = thread::spawn(move || BufReader::new(output).lines().map_while(Result::ok).last());
    let ended = process::wait_within(child, LIMIT).map_err(|error| error.to_string())?;
    let line = reader.join().ok().flatten();
    match (ended, line) {
        (None, _) => Err(format!("not over after {} s", LIMIT.as_secs())),
        (Some(status), Some(line)) if status.success() => Ok(line),
        (Some(status), _) => Err(format!("the attacker ended with {status}")),
    }
}

/// Reads `attacked sent=1 took_ms=2 … end=close 1009`.
fn figures(line: &str, before: usage::Usage, after: usage::Usage) -> Result<Figures, String> {
    let (head, end) = line.split_once(" end=").ok_or_else(|| format!("not understood: {line}"))?;
    let field = |name: &str| {
        let value = head.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
        value.and_then(|value| value.parse::<u64>().ok())
    };
    let missing = |name: &str| format!("no {name} in {line:?}");
    let echoes = field("echoes").and_then(|echoes| u32::try_from(echoes).ok());
    let slowest = Duration::from_millis(field("slowest_ms").unwrap_or_default());
    Ok(Figures {
        sent: field("sent").ok_or_else(|| missing("sent"))?,
        took: Duration::from_millis(field("took_ms").ok_or_else(|| missing("took_ms"))?),
        end: end.trim().to_owned(),
        grown: after.peak.saturating_sub(before.resident),
        time: after.time.saturating_sub(before.time),
        neighbour: echoes.map(|echoes| (echoes, slowest)),
    })
}

/// The bounds of `attack` that `figures` are beyond.
fn crossed(attack: &Attack, figures: &Figures) -> Vec<String> {
    let mut crossed = Vec::new();
    if !attack.ends.iter().any(|end| is_end(end, &figures.end)) {
        crossed.push(format!("ended with {:?}, not {}", figures.end, attack.ends.join(" or ")));
    }
    if figures.grown > attack.memory * MIB {
        crossed.push(format!("{} KiB of memory, at most {} MiB", figures.grown, attack.memory));
    }
    if figures.took.as_secs() > attack.within {
        crossed.push(format!("took {} s, at most {}", figures.took.as_secs(), attack.within));
    }
    if figures.time.as_secs() > attack.time {
        crossed.push(format!("{:?} on the processor, at most {} s", figures.time, attack.time));
    }
    crossed
}

/// Why `whole` is too much time for [`PART`] times what took `part`. What a square would cost is as far
/// above the bound as that is above the proportion.
fn out_of_proportion(whole: Duration, part: Duration) -> Option<String> {
    let most = part * (2 * PART) + NOISE;
    let is_too_much = whole > most;
    is_too_much.then(|| format!("{whole:?} on the processor, where {part:?} are for a quarter"))
}

/// Whether an end is the one allowed, or that followed by more.
fn is_end(allowed: &str, found: &str) -> bool {
    found.strip_prefix(allowed).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', ',']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_attacker_says_is_read() {
        let (before, mut after) = (usage::Usage::default(), usage::Usage::default());
        after.peak = 2048;
        let line = "attacked sent=19 took_ms=1500 echoes=3 slowest_ms=7 end=close 1009";
        let read = figures(line, before, after).expect("figures");
        assert_eq!((read.sent, read.grown, read.end.as_str()), (19, 2048, "close 1009"));
        assert_eq!(read.took, Duration::from_millis(1500));
        assert_eq!(read.neighbour, Some((3, Duration::from_millis(7))));
        assert!(figures("nothing", before, after).is_err());
    }

    #[test]
    fn every_bound_is_held() {
        let attack = Attack {
            name: "x",
            threat: "",
            over: &[],
            what: "",
            ends: &["close 1009", "reset"],
            memory: 4,
            within: 10,
            time: 10,
            is_linear: false,
            options: &[],
        };
        let good = Figures {
            sent: 0,
            took: Duration::from_secs(1),
            end: "reset, 9 streams".to_owned(),
            grown: 4096,
            time: Duration::ZERO,
            neighbour: None,
        };
        assert_eq!(crossed(&attack, &good), [""; 0]);
        let bad = Figures {
            took: Duration::from_secs(11),
            end: "close 10090".to_owned(),
            grown: 4097,
            time: Duration::from_secs(11),
            ..good
        };
        assert_eq!(crossed(&attack, &bad).len(), 4);
    }

    #[test]
    fn a_square_is_out_of_proportion_and_noise_is_not() {
        let ms = Duration::from_millis;
        for (whole, part, expected) in
            [(40, 10, false), (80, 10, false), (160, 10, true), (5, 0, false)]
        {
            assert_eq!(out_of_proportion(ms(whole), ms(part)).is_some(), expected, "{whole}");
        }
    }

    #[test]
    fn no_attack_stands_twice_and_each_has_an_end() {
        for attacks in [SERVER, CLIENT] {
            for (at, attack) in attacks.iter().enumerate() {
                assert!(!attack.ends.is_empty(), "{}", attack.name);
                assert!(!attacks[..at].iter().any(|other| other.name == attack.name));
            }
        }
    }
}
