//! The programs under test: builds them, starts the echo server, finds out where it listens.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::{process, workspace};

/// How long a server may take until it listens.
const START: Duration = Duration::from_secs(30);

/// Builds `programs` of `package` with optimisations, and no others: linking is what takes long.
/// `Ok(false)` when that fails.
pub(crate) fn build(package: &str, programs: &[&str]) -> Result<bool, String> {
    let mut command = process::cargo(&["build", "--release", "--package", package]);
    for program in programs {
        command.args(["--bin", program]);
    }
    process::run(&mut command)
}

/// Our echo programs on one runtime.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Programs {
    pub(crate) server: &'static str,
    runtime: &'static str,
}

const CLIENT: &str = "echo_client";

impl Programs {
    /// The programs on `tokio`, `async-std` or `smol`.
    pub(crate) fn on(runtime: &str) -> Result<Self, String> {
        match runtime {
            "tokio" => Ok(Self { server: "echo_server", runtime: "tokio" }),
            "async-std" => Ok(Self { server: "async_std_echo", runtime: "async-std" }),
            "smol" => Ok(Self { server: "smol_echo", runtime: "smol" }),
            _ => Err(format!("--runtime is tokio, async-std or smol, not {runtime:?}")),
        }
    }

    /// The client: its path, and the arguments that choose the runtime.
    pub(crate) fn client(&self) -> (PathBuf, [&'static str; 2]) {
        (binary(CLIENT), ["--runtime", self.runtime])
    }

    /// Builds both; `Some` says what does not exist in this tree.
    pub(crate) fn prepare(&self) -> Result<Option<String>, String> {
        let programs = [self.server, CLIENT];
        for program in programs {
            if !exists("examples", program) {
                return Ok(Some(format!("there is no {program} in the examples")));
            }
        }
        if build("ws-examples", &programs)? {
            Ok(None)
        } else {
            Err("the examples do not build".to_owned())
        }
    }
}

/// Whether the source of a program is in this tree.
pub(crate) fn exists(package_directory: &str, program: &str) -> bool {
    let sources = workspace::root().join(package_directory).join("src");
    let named =
        [format!("bin/{program}.rs"), format!("bin/{program}/main.rs"), "main.rs".to_owned()];
    named.iter().any(|file| sources.join(file).is_file())
}

/// The path of a program that [`build`] made.
pub(crate) fn binary(name: &str) -> PathBuf {
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    workspace::target_directory().join("release").join(file)
}

/// A directory for what a run writes: certificates, reports.
pub(crate) fn scratch() -> Result<PathBuf, String> {
    let directory = workspace::target_directory().join("xtask");
    std::fs::create_dir_all(&directory)
        .map_err(|error| format!("{}: {error}", directory.display()))?;
    Ok(directory)
}

/// A server in another process; killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    urls: Vec<String>,
    lines: mpsc::Receiver<String>,
}

impl Server {
    /// Starts `command` and waits until it has printed `count` lines `listening URL`.
    pub(crate) fn start(command: &mut Command, count: usize) -> Result<Self, String> {
        Self::begin(command, count, true)
    }

    /// The same without showing what the server prints.
    pub(crate) fn start_quietly(command: &mut Command, count: usize) -> Result<Self, String> {
        Self::begin(command, count, false)
    }

    fn begin(command: &mut Command, count: usize, shown: bool) -> Result<Self, String> {
        let name = Path::new(command.get_program()).display().to_string();
        let (child, lines) = lines_of(command.stdin(Stdio::null()), shown)?;
        let mut server = Self { child, urls: Vec::new(), lines };
        let deadline = Instant::now() + START;
        while server.urls.len() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            match server.lines.recv_timeout(left) {
                Ok(line) => server.urls.extend(address(&line)),
                Err(_) => return Err(format!("{name} did not say where it listens")),
            }
        }
        Ok(server)
    }

    /// Our echo server on port 0, plain and with TLS; its authority goes to `authority`.
    pub(crate) fn echo(program: &str, authority: &Path, extra: &[&str]) -> Result<Self, String> {
        let mut command = Command::new(binary(program));
        command.args(["--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0"]);
        command.arg("--ca-out").arg(authority).args(["--deflate", "--origin", "any"]).args(extra);
        Self::start(&mut command, 2)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line that it prints, or has printed since it began to listen.
    pub(crate) fn next_line(&self, limit: Duration) -> Option<String> {
        self.lines.recv_timeout(limit).ok()
    }

    /// The first address with this scheme (`ws`, `wss`).
    pub(crate) fn url(&self, scheme: &str) -> Result<String, String> {
        self.urls(scheme).next().ok_or_else(|| format!("the server named no {scheme} address"))
    }

    /// Every address with this scheme, where `http` counts as `ws`.
    pub(crate) fn urls<'a>(&'a self, scheme: &'a str) -> impl Iterator<Item = String> + 'a {
        let urls = self.urls.iter().map(|url| websocket(url));
        urls.filter(move |url| url.split("://").next() == Some(scheme))
    }

    /// Waits for a server that ends by itself; whether it ended well, and in time.
    pub(crate) fn finish(mut self, limit: Duration) -> Result<bool, String> {
        let status = process::wait_within(&mut self.child, limit);
        Ok(status.map_err(|error| error.to_string())?.is_some_and(|status| status.success()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a program and reads what it prints, to the end, so that it never blocks on a full pipe;
/// all of it is also printed here where `shown`.
pub(crate) fn lines_of(
    command: &mut Command,
    shown: bool,
) -> Result<(Child, mpsc::Receiver<String>), String> {
    let name = Path::new(command.get_program()).display().to_string();
    let child = command.stdout(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| format!("cannot start {name}: {error}"))?;
    let (sender, lines) = mpsc::channel();
    if let Some(output) = child.stdout.take() {
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if shown {
                    println!("{line}");
                }
                // Nobody listens any more when all is known that was asked.
                let _ = sender.send(line);
            }
        });
    }
    Ok((child, lines))
}

fn address(line: &str) -> Option<String> {
    line.strip_prefix("listening ").map(|url| url.trim().to_owned())
}

fn websocket(url: &str) -> String {
    match url.strip_prefix("http") {
        Some(rest) => format!("ws{rest}"),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_from_listening_lines_only() {
        assert_eq!(address("listening ws://127.0.0.1:9/"), Some("ws://127.0.0.1:9/".to_owned()));
        assert_eq!(address("warning: nothing"), None);
    }

    #[test]
    fn a_page_address_stands_for_its_socket_address() {
        assert_eq!(websocket("https://localhost:1/"), "wss://localhost:1/");
        assert_eq!(websocket("ws://localhost:1/"), "ws://localhost:1/");
    }
}
