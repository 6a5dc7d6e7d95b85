//! `cargo xtask conformance`: the conformance suite against our own server and client.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::options::Options;
use crate::product::{self, Programs, Server};
use crate::steps::{Outcome, Steps};
use crate::{Verdict, process};

pub(crate) const ABOUT: &str = "runs the conformance suite against our echo server and client\n\
--role server|client|both (both)  --over h1|h2|h3|best (h1)  --runtime tokio|async-std|smol (tokio)\n\
--section LIST, --case LIST, --exclude LIST: case numbers or beginnings of them, as 1,6.4,20.1.3 (all);\n\
  a section for one kind of peer (30 for servers, 31 for clients) wants its --role\n\
--quick: samples of the costly cases  --full: all cases, patience of 90 s  --strict: NON-STRICT fails too\n\
--jobs N: cases at a time (4)  --wait SECONDS: for a reaction (2)\n\
--patience SECONDS: for a deadline (20, with --quick 8)\n\
--json FILE  --junit FILE  --html DIRECTORY|FILE.html (with both roles: one for each, named by it)\n\
exit code: 0 passed, 1 a case failed, 2 the suite could not run, or not every case was judged";

/// The package and its program.
const SUITE: &str = "ws-conformance";
/// What is passed on to the suite as it is.
const PASSED_ON: &[&str] = &["section", "case", "exclude", "jobs", "wait", "patience"];
const FLAGS: &[&str] = &["quick", "full", "strict"];
/// Cases that our products do not pass, for a reason that lies outside of them, which the reports
/// repeat. They are played, and one that passes by now fails the run until its line goes.
const BEYOND_US: &[(&str, &str)] = &[(
    "40.13.23",
    "the h2 crate drops :path from a response, where RFC 9113 §8.3 has it refuse the response",
)];
/// What the suite's exit code 2 means; it says more itself.
const UNFIT: &str = "the suite could not run, or not every case was judged";
/// Where the suite writes; a run of both roles writes twice.
const REPORTS: &[&str] = &["json", "junit", "html"];
/// Deadlines shorter than the suite's patience, so that it sees each of them pass.
const CLIENT_DEADLINES: &[&str] =
    &["--keep-alive", "2", "--idle", "4", "--write", "4", "--timeout", "5"];
const SERVER_DEADLINES: &[&str] =
    &["--keep-alive", "2", "--idle", "4", "--write", "4", "--handshake", "5"];
/// The longest run is all cases with the large messages of section 9.
const LIMIT: Duration = Duration::from_secs(60 * 60);

pub(crate) fn command(arguments: Vec<String>) -> Verdict {
    let valued = [&["role", "over", "runtime"], PASSED_ON, REPORTS].concat();
    let options = Options::parse(arguments, &valued, FLAGS)?;
    let mut steps = Steps::default();
    let could_run = run(&mut steps, &options)?;
    let passed = steps.report();
    if could_run { Ok(passed) } else { Err(UNFIT.to_owned()) }
}

/// The short runs, as steps of the test command: everything over HTTP/1.1, and over the others what
/// is not the same there.
pub(crate) fn quick(steps: &mut Steps) {
    const RUNS: [(&str, &str); 4] =
        [("h1", ""), ("h2", "1,7,22,32,40"), ("h3", "1,7,22,32,41"), ("best", "42")];
    for (over, sections) in RUNS {
        let mut arguments = vec!["--quick", "--strict", "--over", over];
        if !sections.is_empty() {
            arguments.extend(["--section", sections]);
        }
        let arguments = arguments.into_iter().map(String::from).collect();
        let options = Options::parse(arguments, &["over", "section"], FLAGS);
        if let Err(why) = options.and_then(|options| run(steps, &options)) {
            steps.run("conformance", || Err(why));
        }
    }
}

/// Judges each role; false when the suite could not, which is less than a failure.
fn run(steps: &mut Steps, options: &Options) -> Result<bool, String> {
    let role = options.value("role").unwrap_or("both");
    let roles: &[&str] = match role {
        "both" => &["server", "client"],
        "server" => &["server"],
        "client" => &["client"],
        _ => return Err(format!("--role is server, client or both, not {role:?}")),
    };
    let programs = Programs::on(options.value("runtime").unwrap_or("tokio"))?;
    let (ready, mut could_run) = (prepare(programs), true);
    for role in roles {
        let over = options.value("over").filter(|over| *over != "h1");
        let over = over.map(|over| format!(" over {over}")).unwrap_or_default();
        steps.run(&format!("conformance {role}{over}"), || {
            let outcome = match &ready {
                Err(why) => Err(why.clone()),
                Ok(Some(why)) => Ok(Outcome::Skipped(why.clone())),
                Ok(None) if *role == "server" => judge_server(options, programs),
                Ok(None) => judge_client(options, programs),
            };
            could_run &= outcome != Ok(Outcome::Failed(UNFIT.to_owned()));
            outcome
        });
    }
    Ok(could_run)
}

/// Builds both sides; `Some` says what is not in this tree.
fn prepare(programs: Programs) -> Result<Option<String>, String> {
    if !product::exists("crates/ws-conformance", SUITE) {
        return Ok(Some(format!("there is no {SUITE} program")));
    }
    if let Some(why) = programs.prepare()? {
        return Ok(Some(why));
    }
    if product::build(SUITE, &[SUITE])? {
        Ok(None)
    } else {
        Err("the suite does not build".to_owned())
    }
}

fn judge_server(options: &Options, programs: Programs) -> Result<Outcome, String> {
    let authority = product::scratch()?.join("conformance-ca.pem");
    let server = Server::echo(programs.server, &authority, SERVER_DEADLINES)?;
    // QUIC is always encrypted, and only TLS can choose a version.
    let scheme = if matches!(options.value("over"), Some("h3" | "best")) { "wss" } else { "ws" };
    let url = server.url(scheme)?;
    let mut command = suite(options, "server");
    command.args(["--server", &url]);
    within(&mut command)
}

fn judge_client(options: &Options, programs: Programs) -> Result<Outcome, String> {
    let (client, runtime) = programs.client();
    let over = options.value("over").map(|over| format!(" --over {over}")).unwrap_or_default();
    let runtime = runtime.join(" ");
    let deadlines = CLIENT_DEADLINES.join(" ");
    let client = format!(
        "{} {runtime} --insecure --reflect --deflate {deadlines}{over} {{url}}",
        client.display()
    );
    let mut command = suite(options, "client");
    command.args(["--client", &client]);
    let line = |(case, reason): &(&str, &str)| format!("{case} {reason}\n");
    let known: String = BEYOND_US.iter().map(line).collect();
    let path = product::scratch()?.join("beyond-us");
    fs::write(&path, known).map_err(|error| format!("{}: {error}", path.display()))?;
    command.arg("--known-failures").arg(&path);
    within(&mut command)
}

/// The suite with the options that are the same for both roles.
fn suite(options: &Options, role: &str) -> Command {
    let mut command = Command::new(product::binary(SUITE));
    command.arg("--agent").arg(format!("ws-stack {role}"));
    for flag in FLAGS.iter().filter(|flag| options.has(flag)) {
        command.arg(format!("--{flag}"));
    }
    if let Some(over) = options.value("over") {
        command.args(["--over", over]);
    }
    for name in PASSED_ON {
        if let Some(value) = options.value(name) {
            command.arg(format!("--{name}")).arg(value);
        }
    }
    let alone = options.value("role").is_some_and(|role| role != "both");
    for name in REPORTS {
        if let Some(path) = options.value(name) {
            let path = if alone { path.to_owned() } else { named_by(role, path) };
            command.arg(format!("--{name}")).arg(path);
        }
    }
    command
}

/// `report.json` becomes `report-server.json`.
fn named_by(role: &str, path: &str) -> String {
    let (directory, file) = path.rsplit_once('/').map_or(("", path), |(d, f)| (d, f));
    let slash = if directory.is_empty() { "" } else { "/" };
    match file.split_once('.') {
        Some((stem, extension)) => format!("{directory}{slash}{stem}-{role}.{extension}"),
        None => format!("{path}-{role}"),
    }
}

fn within(command: &mut Command) -> Result<Outcome, String> {
    Ok(match process::run_within(command, LIMIT)? {
        Some(status) if status.code() == Some(2) => Outcome::Failed(UNFIT.to_owned()),
        Some(status) => Outcome::of(status.success(), "see the table above"),
        None => Outcome::Failed(format!("not finished after {} s", LIMIT.as_secs())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_option_and_its_default() {
        for name in [&["role", "over", "runtime"], PASSED_ON, REPORTS, FLAGS].concat() {
            assert!(ABOUT.contains(&format!("--{name}")), "--{name}");
        }
        let defaults = ["(both)", "(h1)", "(tokio)", "(all)", "(4)", "(2)", "(20, ", "exit code"];
        let missing: Vec<_> = defaults.iter().filter(|shown| !ABOUT.contains(**shown)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn the_reports_of_two_roles_do_not_overwrite_each_other() {
        let rows = [
            ("report.json", "report-server.json"),
            ("a.b/report.html", "a.b/report-server.html"),
            ("a.b/report", "a.b/report-server"),
        ];
        for (given, named) in rows {
            assert_eq!(named_by("server", given), named);
        }
    }
}
