//! `cargo xtask conformance`: the conformance suite against our own server and client.

use std::process::Command;
use std::time::Duration;

use crate::options::Options;
use crate::product::{self, Server};
use crate::steps::{Outcome, Steps};
use crate::{Verdict, process};

pub(crate) const ABOUT: &str = "runs the conformance suite against our echo server and client\n\
--role server|client|both  --over h1|h2|h3  --runtime tokio|async-std|smol\n\
--section LIST  --quick  --full  --json FILE  --junit FILE  --html DIRECTORY";

/// What is passed on to the suite as it is.
const PASSED_ON: &[&str] = &["section", "json", "junit", "html"];
/// The longest run is all cases with the large messages of section 9.
const LIMIT: Duration = Duration::from_secs(60 * 60);

pub(crate) fn command(arguments: Vec<String>) -> Verdict {
    let valued = [&["role", "over", "runtime"], PASSED_ON].concat();
    let options = Options::parse(arguments, &valued, &["quick", "full"])?;
    let mut steps = Steps::default();
    run(&mut steps, &options)?;
    Ok(steps.report())
}

/// The short run, as steps of the test command.
pub(crate) fn quick(steps: &mut Steps) {
    let outcome = Options::parse(vec!["--quick".to_owned()], &[], &["quick"])
        .and_then(|options| run(steps, &options));
    if let Err(why) = outcome {
        steps.run("conformance", || Err(why));
    }
}

fn run(steps: &mut Steps, options: &Options) -> Result<(), String> {
    let role = options.value("role").unwrap_or("both");
    let roles: &[&str] = match role {
        "both" => &["server", "client"],
        "server" => &["server"],
        "client" => &["client"],
        _ => return Err(format!("--role is server, client or both, not {role:?}")),
    };
    let ready = prepare();
    for role in roles {
        steps.run(&format!("conformance {role}"), || match &ready {
            Err(why) => Err(why.clone()),
            Ok(Some(why)) => Ok(Outcome::Skipped(why.clone())),
            Ok(None) if *role == "server" => judge_server(options),
            Ok(None) => judge_client(options),
        });
    }
    Ok(())
}

/// Builds both sides; `Some` says what does not exist.
fn prepare() -> Result<Option<String>, String> {
    let programs = [
        ("examples", "echo_server"),
        ("examples", "echo_client"),
        ("crates/ws-conformance", "ws-conformance"),
    ];
    for (directory, program) in programs {
        if !product::exists(directory, program) {
            return Ok(Some(format!("there is no {program} yet")));
        }
    }
    if product::build("ws-examples")? && product::build("ws-conformance")? {
        return Ok(None);
    }
    Err("the programs do not build".to_owned())
}

fn judge_server(options: &Options) -> Result<Outcome, String> {
    let authority = product::scratch()?.join("conformance-ca.pem");
    let runtime = options.value("runtime").unwrap_or("tokio");
    let extra: &[&str] = if runtime == "tokio" { &[] } else { &["--runtime", runtime] };
    let server = Server::echo(&authority, extra)?;
    let url = server.url("ws")?;
    let mut command = suite(options);
    command.args(["--server", &url]);
    within(&mut command)
}

fn judge_client(options: &Options) -> Result<Outcome, String> {
    let mut client = format!("{} --reflect --deflate", product::binary("echo_client").display());
    for name in ["runtime", "over"] {
        if let Some(value) = options.value(name) {
            client.push_str(&format!(" --{name} {value}"));
        }
    }
    client.push_str(" {url}");
    let mut command = suite(options);
    command.args(["--client", &client]);
    within(&mut command)
}

/// The suite with the options that are the same for both roles.
fn suite(options: &Options) -> Command {
    let mut command = Command::new(product::binary("ws-conformance"));
    for flag in ["quick", "full"] {
        if options.has(flag) {
            command.arg(format!("--{flag}"));
        }
    }
    if let Some(over) = options.value("over") {
        command.args(["--over", over]);
    }
    for name in PASSED_ON {
        if let Some(value) = options.value(name) {
            command.arg(format!("--{name}")).arg(value);
        }
    }
    command
}

fn within(command: &mut Command) -> Result<Outcome, String> {
    Ok(match process::run_within(command, LIMIT)? {
        Some(status) => Outcome::of(status.success(), "see the table above"),
        None => Outcome::Failed(format!("not finished after {} s", LIMIT.as_secs())),
    })
}
