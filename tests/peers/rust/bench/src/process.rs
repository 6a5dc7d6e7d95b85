//! Servers and the generator as processes of their own, each on a core of its own, and what the
//! system knows about them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A server that runs until this value is dropped.
pub struct Running {
    child: Child,
    pub port: u16,
}

/// Lets this process, and those it starts, have so many sockets and some files.
pub fn allow_sockets(count: usize) -> Result<(), String> {
    let wanted = count as u64 + 1000;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let maximum = limit.maximum.map(|maximum| maximum.max(wanted));
    setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })
        .map_err(|error| format!("{count} connections need more open files (ulimit -n): {error}"))
}

/// How many sockets this process can have beside some files.
pub fn sockets() -> usize {
    let most = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    usize::try_from(most.saturating_sub(1000)).unwrap_or(usize::MAX)
}

/// This program again, doing something that lasts until this value is dropped.
pub struct Held {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Held {
    pub fn start(arguments: &[&str]) -> Result<Self, String> {
        let mut command = Command::new(executable()?);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let output = child.stdout.take().ok_or("no output")?;
        Ok(Self { child, output: BufReader::new(output) })
    }

    /// The next line that it prints.
    pub fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        match self.output.read_line(&mut line) {
            Ok(0) => Err("it ended without a word".to_owned()),
            Ok(_) => Ok(line),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Drop for Held {
    /// The end of its input is the end of it.
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _status = self.child.wait();
    }
}

impl Running {
    /// Starts the server called `name` on the server's core.
    pub fn start(name: &str) -> Result<Self, String> {
        Self::spawn(itself(Core::Server)?.args(["serve", name]), name)
    }

    /// The same with an allocator that gives large blocks back to the system when they are freed.
    pub fn start_returning(name: &str) -> Result<Self, String> {
        let mut command = itself(Core::Server)?;
        Self::spawn(command.args(["serve", name]).env("MALLOC_MMAP_THRESHOLD_", "32768"), name)
    }

    /// The same under `strace`, which writes its table to `file` when the server ends.
    pub fn start_traced(name: &str, file: &str) -> Result<Self, String> {
        let mut command = Command::new("strace");
        command.args(["-f", "-c", "-o", file]).arg(executable()?).args(["serve", name]);
        Self::spawn(&mut command, name)
    }

    fn spawn(command: &mut Command, name: &str) -> Result<Self, String> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| format!("server {name}: {error}"))?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            let read = BufReader::new(output).read_line(&mut line);
            read.map_err(|error| format!("server {name}: {error}"))?;
        }
        match line.trim().parse() {
            Ok(port) => Ok(Self { child, port }),
            Err(_) => {
                let _gone = child.kill();
                let _status = child.wait();
                Err(format!("server {name} did not start"))
            }
        }
    }

    /// Ends the server under a tracer and waits until the tracer has written its table.
    pub fn end_traced(&mut self) -> Result<(), String> {
        let tracer = self.child.id();
        let file = format!("/proc/{tracer}/task/{tracer}/children");
        let children = fs::read_to_string(&file).map_err(|error| format!("{file}: {error}"))?;
        for child in children.split_whitespace() {
            let killed = Command::new("kill").arg(child).status();
            killed.map_err(|error| error.to_string())?;
        }
        self.child.wait().map(|_| ()).map_err(|error| error.to_string())
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Which side a process is on.
#[derive(Clone, Copy)]
pub enum Core {
    Server,
    Generator,
}

/// This program again, on its core if `taskset` is there.
pub fn itself(core: Core) -> Result<Command, String> {
    let executable = executable()?;
    let cores = cores();
    let (Some(first), Some(last)) = (cores.first(), cores.last()) else {
        return Ok(Command::new(executable));
    };
    if first == last || !has("taskset") {
        return Ok(Command::new(executable));
    }
    let core = match core {
        Core::Server => first,
        Core::Generator => last,
    };
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string()]).arg(executable);
    Ok(command)
}

fn executable() -> Result<std::path::PathBuf, String> {
    std::env::current_exe().map_err(|error| error.to_string())
}

/// Whether a program of this name can be run.
pub fn has(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The cores this process may run on.
pub fn cores() -> Vec<u32> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let mut cores = Vec::new();
    for range in list.unwrap_or_default().trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        if let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse()) {
            cores.extend(first..=last);
        }
    }
    cores
}

/// CPU time of all threads of a process in nanoseconds. Exact while it sleeps.
pub fn cpu_time(pid: u32) -> Result<u64, String> {
    let directory = format!("/proc/{pid}/task");
    let failed = |error: std::io::Error| format!("{directory}: {error}");
    let mut total = 0;
    for task in fs::read_dir(&directory).map_err(failed)? {
        let file = task.map_err(failed)?.path().join("schedstat");
        let text = fs::read_to_string(file).map_err(failed)?;
        total += text.split(' ').next().and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(total)
}

/// Resident memory of a process in bytes.
pub fn resident(pid: u32) -> Result<u64, String> {
    let file = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&file).map_err(|error| format!("{file}: {error}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| format!("{file} has no Rss"))
}
