//! The program: reads the command line, runs, reports, and says by its exit code what it found.

mod options;
mod outputs;

use std::io::{self, Write, stderr, stdout};
use std::process::ExitCode;

use options::{Action, Options, Peer};
use outputs::tell_apart;
use ws_conformance::{
    Case, Report, all_cases, attack_client, attack_server, attacks, coverage, judge_client,
    judge_server, listen, reach, self_test, table,
};

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Options::parse() {
        Ok(options) => run(options).await,
        Err(error) => Err(io::Error::other(format!("{error}\nTry --help."))),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Without a standard error stream only the exit code is left.
            let _ = writeln!(stderr(), "ws-conformance: {error}");
            ExitCode::from(2)
        }
    }
}

/// Does what was asked; false when a peer did not pass.
async fn run(options: Options) -> io::Result<bool> {
    match options.action {
        Action::Help => print(options::HELP),
        Action::Coverage => print(&coverage::table(&all_cases())),
        Action::Version => print(concat!("ws-conformance ", env!("CARGO_PKG_VERSION"), "\n")),
        Action::List => print(&list(&options)),
        Action::Attacks => print(&attacks()),
        Action::SelfTest => {
            let outcome = self_test(&options.selection).await?;
            print(&outcome.to_string())?;
            return Ok(outcome.passed());
        }
        Action::Attack(ref name) => attack(name, &options).await,
        Action::Judge => return judge(&options).await,
    }
    .map(|()| true)
}

/// The chosen cases, one a line.
fn list(options: &Options) -> String {
    let over = options.settings.carrier;
    let line = |case: Case| {
        let whom = match (case.applies(true), case.applies(false)) {
            (true, false) => " [judges servers]",
            (false, true) => " [judges clients]",
            _ => "",
        };
        let not = case.why_not_over(over).map(|why| format!(" [not over {over}: {why}]"));
        let Case { id, description, expectation, .. } = case;
        format!("{id:<10}{description} {expectation}{whom}{}\n", not.unwrap_or_default())
    };
    all_cases().into_iter().filter(|case| options.selection.includes(case)).map(line).collect()
}

/// Attacks the one server that was named, or the client that calls.
async fn attack(name: &str, options: &Options) -> io::Result<()> {
    let scale = options.scale;
    let attacked = match options.peers.as_slice() {
        [] => {
            let carrier = options.settings.carrier;
            attack_client(name, carrier, scale, |url| print(&format!("listening {url}\n"))).await
        }
        [Peer::Server(target)] => {
            if !options.settings.startup.is_zero() {
                reach(target, &options.settings).await?;
            }
            attack_server(name, target, &options.settings, scale).await
        }
        _ => Err(io::Error::other("an attack is on one server, or on the client that calls")),
    };
    print(&format!("{}\n", attacked?))
}

async fn judge(options: &Options) -> io::Result<bool> {
    let mut reports = Vec::new();
    for peer in &options.peers {
        select(options, peer)?;
    }
    whom_sections_judge(options)?;
    for peer in &options.peers {
        if let Peer::Server(target) = peer {
            // Before any of them is judged, which may take an hour and be lost then.
            reach(target, &options.settings).await?;
        }
    }
    options.outputs.prepare()?;
    for (number, peer) in options.peers.iter().enumerate() {
        let cases = select(options, peer)?;
        let settings = options.settings.clone();
        let name = options.agents.get(number).or_else(|| options.agents.last()).cloned();
        let report = match peer {
            Peer::Server(target) => {
                let agent = name.unwrap_or_else(|| target.to_string());
                judge_server(target.clone(), cases, settings, &agent).await
            }
            Peer::Client(command) => {
                let agent = name.unwrap_or_else(|| command.clone());
                judge_client(command, cases, settings, &agent).await?
            }
            Peer::Driver(address) => {
                let mut out = stdout();
                let listened = listen(*address, cases, settings, |bound| {
                    writeln!(out, "listening {bound}")?;
                    out.flush()
                });
                reports.extend(listened.await?);
                continue;
            }
        };
        reports.push(report);
    }
    for report in &mut reports {
        let (is_server, over) = (report.peer_is_server, options.settings.carrier);
        report.left_out.extend(options.selection.left_out(&all_cases(), is_server, over));
        report.options = options.to_string();
    }
    tell_apart(&mut reports);
    for report in &reports {
        print(&table::shortcomings(report, options.strict))?;
        print(&table::summary(report, options.strict))?;
    }
    options.outputs.write(&reports, options.strict)?;
    if !reports.iter().all(Report::is_complete) {
        return Err(io::Error::other("not every case that was selected came to a judgement"));
    }
    Ok(reports.iter().all(|report| report.passed(options.strict)))
}

/// An error where a section that was asked for judges none of the peers, and would be passed over.
fn whom_sections_judge(options: &Options) -> io::Result<()> {
    let cases = all_cases();
    for section in &options.selection.sections {
        let judges = |is_server| {
            let mut within = cases.iter().filter(|case| case.id.is_within(section));
            within.any(|case| case.applies(is_server))
        };
        let is_server = |peer: &Peer| matches!(peer, Peer::Server(_));
        if !options.peers.iter().any(|peer| judges(is_server(peer))) {
            let kind = if judges(true) { "servers" } else { "clients" };
            let why = format!("{section} judges {kind}, and there is none in this run");
            return Err(io::Error::other(why));
        }
    }
    Ok(())
}

/// The cases to judge `peer` by; an error when there are none, which would look like a pass.
fn select(options: &Options, peer: &Peer) -> io::Result<Vec<Case>> {
    let (is_server, over) = (matches!(peer, Peer::Server(_)), options.settings.carrier);
    let cases = options.selection.apply(all_cases(), is_server);
    if cases.iter().all(|case| case.why_not_over(over).is_some()) {
        let kind = if is_server { "server" } else { "client" };
        let why =
            format!("no case is selected: none of those asked for judges a {kind} over {over}");
        return Err(io::Error::other(why));
    }
    Ok(cases)
}

fn print(text: &str) -> io::Result<()> {
    let mut out = stdout();
    out.write_all(text.as_bytes())?;
    out.flush()
}
