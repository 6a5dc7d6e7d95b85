//! `cargo xtask peers`: real clients and servers of other people against ours.
//!
//! The peers are Python `websockets`, `h2` and `aioquic`, node's `ws` and `http2`, Chromium, and gateways
//! that stand between our client and our server: HAProxy, nginx, Apache and nghttpx. Small scripts in
//! `tests/peers` drive them. A peer that is not installed is listed as NOT RUN, never as passed.

mod install;
mod matrix;
mod uwebsockets;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

pub(crate) use install::{bench_environment, install};
use matrix::{ROWS, Role, Row};

use crate::options::Options;
use crate::product::{self, Programs, Server};
use crate::steps::{Outcome, Steps};
use crate::{Verdict, process, workspace};

pub(crate) const ABOUT: &str = "runs real peers against our echo server and client\n\
--install       installs what is missing first (Debian, PyPI and npm packages by name)\n\
--install-only  installs and stops\n\
--over h1|h2|h3 the carriers to run (default h1)   --peer NAME\n\
--runtime tokio|async-std|smol\n\
--full          1,000 messages for each set of deflate's parameters instead of 40";

/// One peer script may take this long, and a second more for each message to a parameter set; each
/// has a shorter limit of its own.
const LIMIT: Duration = Duration::from_secs(240);
/// How many messages go through each set of deflate's parameters.
const FEW: usize = 40;
const MANY: usize = 1000;
/// How long a peer that judges may take to end after our client has.
const GOODBYE: Duration = Duration::from_secs(10);
const SUCCESS: i32 = 0;
/// How our client ends when the peer is at fault; a mistaken command line ends with 2.
const FAILURE: i32 = 1;

pub(crate) fn command(arguments: Vec<String>) -> Verdict {
    let flags = ["install", "install-only", "full"];
    let options = Options::parse(arguments, &["over", "peer", "runtime"], &flags)?;
    if options.has("install") || options.has("install-only") {
        install();
    }
    if options.has("install-only") {
        return Ok(true);
    }
    let mut carriers = options.all("over");
    if carriers.is_empty() {
        carriers.push("h1");
    }
    let peers = options.all("peer");
    let programs = Programs::on(options.value("runtime").unwrap_or("tokio"))?;
    let count = if options.has("full") { MANY } else { FEW };
    let mut steps = Steps::default();
    run(&mut steps, programs, count, |row| {
        carriers.contains(&row.carrier) && (peers.is_empty() || peers.contains(&row.peer))
    });
    Ok(steps.report())
}

/// All peers against the programs on tokio, as steps of the test command.
pub(crate) fn check(steps: &mut Steps) {
    match Programs::on("tokio") {
        Ok(programs) => run(steps, programs, FEW, |_| true),
        Err(why) => steps.run("peers", || Err(why)),
    }
}

fn run(steps: &mut Steps, programs: Programs, count: usize, wanted: impl Fn(&Row) -> bool) {
    let rows: Vec<&Row> = ROWS.iter().filter(|row| wanted(row)).collect();
    let ready = programs.prepare();
    for row in rows {
        let name = format!("{} {} {}", row.peer, row.role.name(), row.what);
        steps.run(&name, || match &ready {
            Err(why) => Err(why.clone()),
            Ok(Some(why)) => Ok(Outcome::Skipped(why.clone())),
            Ok(None) => match install::absent(row.needs) {
                Some(why) => Ok(Outcome::Skipped(why)),
                None => {
                    let authority = product::scratch()?.join("peers-ca.pem");
                    Trial { row, programs, count, authority }.run()
                }
            },
        });
    }
}

/// One row with what fills the places in its arguments.
struct Trial<'a> {
    row: &'a Row,
    programs: Programs,
    count: usize,
    authority: PathBuf,
}

impl Trial<'_> {
    fn run(&self) -> Result<Outcome, String> {
        let row = self.row;
        if row.role == Role::Client {
            let server = Server::echo(self.programs.server, &self.authority, row.ours)?;
            let mut peer = self.script(&server.url(row.scheme)?)?;
            return judge(&mut peer, SUCCESS, self.limit());
        }
        let (program, runtime) = self.programs.client();
        let behind = match row.role {
            Role::Gateway => Some(self.behind()?),
            Role::Client | Role::Server => None,
        };
        let mut script = self.script("")?;
        if let Some((_, arguments)) = &behind {
            script.args(arguments);
        }
        let server = Server::start(&mut script, row.endpoints)?;
        let wanted = if row.refused { FAILURE } else { SUCCESS };
        for url in server.urls(row.scheme) {
            let mut client = Command::new(&program);
            client.args(runtime).arg(&url).args(self.fill(row.ours, &url));
            let outcome = match row.shows {
                Some(text) => watch(&mut client, text, wanted, self.limit())?,
                None => judge(&mut client, wanted, self.limit())?,
            };
            if matches!(outcome, Outcome::Failed(_)) {
                return Ok(outcome);
            }
        }
        let passed = !row.judges || server.finish(GOODBYE)?;
        Ok(Outcome::of(passed, "the peer found a fault"))
    }

    /// Our server behind a gateway, and what that is told about it.
    fn behind(&self) -> Result<(Server, Vec<String>), String> {
        let trust = product::scratch()?.join("behind-ca.pem");
        let server = Server::echo(self.programs.server, &trust, &["--origin", "same"])?;
        let address = |scheme| {
            let url = server.url(scheme)?;
            Ok::<_, String>(url.trim_start_matches(scheme).trim_matches([':', '/']).to_owned())
        };
        let named = [("--plain", address("ws")?), ("--tls", address("wss")?)];
        let files = [("--trust", &trust), ("--ca", &self.authority)];
        let files = files.map(|(option, path)| (option, path.display().to_string()));
        let arguments = named.into_iter().chain(files);
        Ok((server, arguments.flat_map(|(option, value)| [option.to_owned(), value]).collect()))
    }

    fn limit(&self) -> Duration {
        LIMIT + Duration::from_secs(self.count as u64)
    }

    /// The peer's script with its arguments, in its interpreter.
    fn script(&self, url: &str) -> Result<Command, String> {
        let mut command = Command::new(self.row.needs.interpreter()?);
        command.arg(workspace::root().join("tests/peers").join(self.row.script));
        command.args(self.fill(self.row.theirs, url));
        command.env("NODE_PATH", install::node_modules()).env("PYTHONUNBUFFERED", "1");
        command.envs(install::python().map(|python| ("PYTHON", python)));
        Ok(command)
    }

    /// Puts the address, the certificate authority and the count in their places.
    fn fill(&self, arguments: &[&str], url: &str) -> Vec<String> {
        let (authority, count) = (self.authority.display().to_string(), self.count.to_string());
        let origin = url.replacen("ws", "http", 1);
        let origin = origin.trim_end_matches('/');
        let put = |argument: &&str| {
            let argument = argument.replace("{url}", url).replace("{origin}", origin);
            argument.replace("{ca}", &authority).replace("{count}", &count)
        };
        arguments.iter().map(put).collect()
    }
}

/// Runs one side to its end, which must come in time and with the status `wanted`.
fn judge(command: &mut Command, wanted: i32, limit: Duration) -> Result<Outcome, String> {
    Ok(match process::run_within(command, limit)? {
        Some(status) => Outcome::of(status.code() == Some(wanted), &format!("ended with {status}")),
        None => Outcome::Failed(format!("not finished after {} s", limit.as_secs())),
    })
}

/// As [`judge`], with the input held open and the output compared: it must contain `text`.
fn watch(
    command: &mut Command,
    text: &str,
    wanted: i32,
    limit: Duration,
) -> Result<Outcome, String> {
    let failed = |error: std::io::Error| error.to_string();
    let path = product::scratch()?.join("client-output.txt");
    let output = std::fs::File::create(&path).map_err(failed)?;
    let mut child = command.stdin(Stdio::piped()).stdout(output).spawn().map_err(failed)?;
    // Held open: its user is there still, and silent.
    let user = child.stdin.take();
    let status = process::wait_within(&mut child, limit).map_err(failed)?;
    drop(user);
    let shown = std::fs::read_to_string(&path).map_err(failed)?;
    print!("{shown}");
    Ok(match status {
        None => Outcome::Failed(format!("not finished after {} s", limit.as_secs())),
        Some(status) if status.code() != Some(wanted) => {
            Outcome::Failed(format!("ended with {status}"))
        }
        Some(_) => Outcome::of(shown.contains(text), &format!("{text:?} was not shown")),
    })
}
