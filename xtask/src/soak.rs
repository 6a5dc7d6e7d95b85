//! `cargo xtask soak`: thousands of clients of mixed behaviour against a server of its own process,
//! over all carriers, with and without compression.
//!
//! What has to hold: no message of a good client is lost, changed, doubled or out of order; and
//! when everybody has left, the server has as many tasks and descriptors as before anybody came,
//! and has allocated no more memory than after a first, short round, which fills the pools of its
//! threads. What is resident is told and not judged: between the peak and the end the allocator of
//! the system decides, which keeps a page as long as a few bytes of it are in use.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::options::Options;
use crate::product::{self, Server};
use crate::steps::{Outcome, Steps};
use crate::usage::Usage;
use crate::{Verdict, usage};

pub(crate) const ABOUT: &str = "thousands of good, slow, rude and vanishing clients over all \
carriers;\nnothing may be lost, and memory, tasks and descriptors return\n\
--minutes N (5)  --clients N (1000)  --over h1|h1s|h2|h2s|h3 (all)  --json FILE  --programs DIRECTORY (built already)";

const PACKAGE: &str = "ws-tests";
const PROGRAM: &str = "soak";
/// How often a line is printed.
const PERIOD: Duration = Duration::from_secs(5);
/// How long the last traces of the clients may take to go: idle deadlines are 60 seconds, and
/// half as long again where nobody is left to be asked.
const DRAIN: Duration = Duration::from_secs(120);
/// How long the slowest client lives on beyond the end.
const GRACE: Duration = Duration::from_secs(240);
/// For glibc's allocator: what was freed goes back to the system where it can. Others do so by
/// themselves, or do not know the names.
const FRUGAL: [(&str, &str); 3] = [
    ("MALLOC_ARENA_MAX", "1"),
    ("MALLOC_TRIM_THRESHOLD_", "65536"),
    ("MALLOC_MMAP_THRESHOLD_", "65536"),
];
/// What memory may grow by between the first round and the last, besides a tenth of it.
const SLACK_KIB: u64 = 2 * 1024;
/// What one thread of the server may keep for the connections to come.
const POOL_KIB: u64 = 6 * 1024;

pub(crate) fn command(arguments: Vec<String>) -> Verdict {
    let valued = ["minutes", "clients", "over", "json", "programs"];
    let options = Options::parse(arguments, &valued, &[])?;
    let mut steps = Steps::default();
    steps.run("soak", || run(&options));
    Ok(steps.report())
}

fn run(options: &Options) -> Result<Outcome, String> {
    if !usage::is_known() {
        return Ok(Outcome::Skipped("this system has no /proc to measure by".to_owned()));
    }
    let minutes: f64 = options.number("minutes")?.unwrap_or(5.0);
    let clients: usize = options.number("clients")?.unwrap_or(1000);
    let program = match options.value("programs") {
        Some(directory) => PathBuf::from(directory).join(PROGRAM),
        None if product::build(PACKAGE, &[PROGRAM])? => product::binary(PROGRAM),
        None => return Err("the soak test does not build".to_owned()),
    };
    let mut soak = Soak::begin(program, clients, options.all("over"))?;
    let whole = Duration::try_from_secs_f64(minutes * 60.0).map_err(|error| error.to_string())?;
    let first = (whole / 10).max(Duration::from_secs(10));
    let start_held = soak.held;
    let warm = soak.round("first round", first)?;
    let warm_held = soak.held;
    let end = soak.round("main round", whole.saturating_sub(first))?;
    let held = [start_held, warm_held, soak.held];
    let mut wrong = soak.wrong.clone();
    let threads = thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let bounds = [
        ("after the first round", warm_held, start_held + POOL_KIB * threads + SLACK_KIB),
        ("at the end", soak.held, warm_held + warm_held / 10 + SLACK_KIB),
    ];
    for (when, held, most) in bounds {
        if held > most {
            wrong.push(format!("{held} KiB are allocated {when}, at most {most} may be"));
        }
    }
    soak.report(&warm, &end, held);
    if let Some(file) = options.value("json") {
        let json = soak.json(&warm, &end, held, &wrong);
        std::fs::write(file, json).map_err(|error| format!("{file}: {error}"))?;
    }
    if wrong.is_empty() {
        return Ok(Outcome::Passed(format!("{} messages", soak.total("messages"))));
    }
    Ok(Outcome::Failed(wrong.join("; ")))
}

/// The server, and what was seen of it.
struct Soak {
    program: PathBuf,
    clients: usize,
    /// The carriers; all of them where there is none.
    over: Vec<String>,
    server: Server,
    authority: PathBuf,
    began: Instant,
    /// Before anybody came.
    start: Usage,
    start_tasks: u64,
    tasks: u64,
    most_tasks: u64,
    /// KiB that it has allocated.
    held: u64,
    most_held: u64,
    most_descriptors: usize,
    /// The last line of each round's clients.
    loads: Vec<String>,
    wrong: Vec<String>,
}

impl Soak {
    fn begin(program: PathBuf, clients: usize, over: Vec<&str>) -> Result<Self, String> {
        let authority = product::scratch()?.join("soak-ca.pem");
        let mut command = Command::new(&program);
        command.arg("serve").arg("--ca-out").arg(&authority).envs(FRUGAL);
        let server = Server::start_quietly(&mut command, 2)?;
        let mut soak = Self {
            program,
            clients,
            over: over.into_iter().map(str::to_owned).collect(),
            server,
            authority,
            began: Instant::now(),
            start: Usage::default(),
            start_tasks: 0,
            tasks: 0,
            most_tasks: 0,
            held: 0,
            most_held: 0,
            most_descriptors: 0,
            loads: Vec::new(),
            wrong: Vec::new(),
        };
        thread::sleep(Duration::from_secs(2));
        soak.start = soak.look()?;
        soak.start_tasks = soak.tasks;
        Ok(soak)
    }

    /// What the server uses now.
    fn look(&mut self) -> Result<Usage, String> {
        while let Some(line) = self.server.next_line(Duration::ZERO) {
            self.tasks = counter(&line, "tasks").unwrap_or(self.tasks);
            self.held = counter(&line, "held").unwrap_or(self.held);
        }
        self.most_tasks = self.most_tasks.max(self.tasks);
        self.most_held = self.most_held.max(self.held);
        let usage = usage::of(self.server.pid())?;
        self.most_descriptors = self.most_descriptors.max(usage.descriptors);
        Ok(usage)
    }

    fn say(&mut self, what: &str) -> Result<Usage, String> {
        let usage = self.look()?;
        println!(
            "{:>6.0} s  {what}: server {} KiB, peak {} KiB, {} KiB allocated, {} tasks, {} \
             descriptors, {:.0} s on the processor",
            self.began.elapsed().as_secs_f64(),
            usage.resident,
            usage.peak,
            self.held,
            self.tasks,
            usage.descriptors,
            usage.time.as_secs_f64()
        );
        Ok(usage)
    }

    /// Clients for so long, and then the wait until their traces are gone.
    fn round(&mut self, what: &str, time: Duration) -> Result<Usage, String> {
        let mut command = Command::new(&self.program);
        let (plain, tls) = (self.server.url("ws")?, self.server.url("wss")?);
        command.args(["load", "--plain", &plain, "--tls", &tls, "--ca"]).arg(&self.authority);
        command.args(["--seconds", &time.as_secs().to_string()]);
        command.args(["--clients", &self.clients.to_string()]);
        command.args(self.over.iter().flat_map(|over| ["--over", over.as_str()]));
        let (mut load, lines) = product::lines_of(command.stdin(Stdio::null()), false)?;
        let deadline = Instant::now() + time + GRACE;
        let mut last = String::new();
        let status = loop {
            while let Ok(line) = lines.try_recv() {
                println!("          {line}");
                last = line;
            }
            if let Some(status) = load.try_wait().map_err(|error| error.to_string())? {
                break Some(status);
            }
            if Instant::now() > deadline {
                break end(&mut load);
            }
            self.say(what)?;
            thread::sleep(PERIOD);
        };
        last = lines.iter().last().unwrap_or(last);
        println!("          {last}");
        match status {
            Some(status) if status.success() => {}
            Some(status) => self.wrong.push(format!("{what}: the clients ended with {status}")),
            None => self.wrong.push(format!("{what}: the clients did not end")),
        }
        self.loads.push(last);
        self.drain(what)
    }

    fn drain(&mut self, what: &str) -> Result<Usage, String> {
        let deadline = Instant::now() + DRAIN;
        loop {
            let usage = self.say(&format!("{what}, everybody gone"))?;
            let is_empty =
                self.tasks <= self.start_tasks && usage.descriptors <= self.start.descriptors;
            if is_empty {
                return Ok(usage);
            }
            if Instant::now() > deadline {
                self.wrong.push(format!(
                    "{what}: {} tasks and {} descriptors are left, {} and {} at the start",
                    self.tasks, usage.descriptors, self.start_tasks, self.start.descriptors
                ));
                return Ok(usage);
            }
            thread::sleep(PERIOD);
        }
    }

    /// A counter of the clients, over all rounds.
    fn total(&self, name: &str) -> u64 {
        self.loads.iter().filter_map(|load| counter(load, name)).sum()
    }

    fn report(&self, warm: &Usage, end: &Usage, held: [u64; 3]) {
        println!("\n{:<34}{}", "messages echoed and checked", self.total("messages"));
        println!("{:<34}{}", "octets of them", self.total("octets"));
        for name in COUNTERS {
            println!("{:<34}{}", format!("connections, {name}"), self.total(name));
        }
        println!("{:<34}{}", "violations", self.total("violations"));
        let [start, first, last] = held;
        println!("{:<34}{start}", "allocated at the start, KiB");
        println!("{:<34}{first}", "  after the first round");
        println!("{:<34}{}", "  at most", self.most_held);
        println!("{:<34}{last}", "  at the end");
        println!("{:<34}{}", "resident at the start, KiB", self.start.resident);
        println!("{:<34}{}", "  after the first round", warm.resident);
        println!("{:<34}{}", "  at the peak", end.peak);
        println!("{:<34}{}", "  at the end", end.resident);
        let tasks = format!("{}, {}, {}", self.start_tasks, self.most_tasks, self.tasks);
        println!("{:<34}{tasks}", "tasks: start, most, end");
        let (start, most) = (self.start.descriptors, self.most_descriptors);
        println!("{:<34}{start}, {most}, {}", "descriptors: start, most, end", end.descriptors);
    }

    fn json(&self, warm: &Usage, end: &Usage, held: [u64; 3], wrong: &[String]) -> String {
        let counters: Vec<String> = ["messages", "octets", "violations"]
            .iter()
            .chain(COUNTERS)
            .map(|name| format!("{name:?}: {}", self.total(name)))
            .collect();
        format!(
            "{{{}, \"clients\": {}, \"seconds\": {}, \"kib\": {{\"start\": {}, \"warm\": {}, \
             \"peak\": {}, \"end\": {}}}, \"allocated_kib\": {held:?}, \"tasks\": [{}, {}, {}], \"descriptors\": [{}, {}, \
             {}], \"wrong\": {wrong:?}}}\n",
            counters.join(", "),
            self.clients,
            self.began.elapsed().as_secs(),
            self.start.resident,
            warm.resident,
            end.peak,
            end.resident,
            self.start_tasks,
            self.most_tasks,
            self.tasks,
            self.start.descriptors,
            self.most_descriptors,
            end.descriptors
        )
    }
}

fn end(child: &mut Child) -> Option<std::process::ExitStatus> {
    // It may have ended by itself just now; either way it is gone.
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// The number behind `name=`.
fn counter(line: &str, name: &str) -> Option<u64> {
    let value = |field: &str| field.strip_prefix(name)?.strip_prefix('=')?.parse().ok();
    line.split(' ').find_map(value)
}

const COUNTERS: &[&str] = &["h1", "h1s", "h2", "h2s", "h3", "good", "slow", "rude", "vanishing"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_by_their_whole_name() {
        let line = "load open=3 messages=1200 violations=0 h1=7 h1s=8";
        assert_eq!(counter(line, "h1"), Some(7));
        assert_eq!(counter(line, "h1s"), Some(8));
        assert_eq!(counter(line, "messages"), Some(1200));
        assert_eq!(counter(line, "octets"), None);
    }
}
