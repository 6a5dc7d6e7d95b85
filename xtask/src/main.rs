//! The project's own commands: `cargo xtask COMMAND`.
//!
//! One file per command; this one only chooses. Nothing here depends on the crates it checks, so
//! that a broken crate never takes the checks down with it.

#![expect(clippy::print_stdout, reason = "a command-line tool talks on its standard output")]
#![expect(
    clippy::disallowed_methods,
    reason = "the ban on clocks, threads and sleeping is for the libraries; this tool runs programs"
)]

mod attack;
mod bench;
mod ci;
mod citation;
mod conformance;
mod coverage;
mod deny;
mod docs;
mod failures;
mod features;
mod fuzz;
mod installer;
mod markdown;
mod minimal;
mod msrv;
mod options;
mod peers;
mod process;
mod product;
mod sizes;
mod soak;
mod source;
mod steps;
mod targets;
mod test;
mod threats;
mod tidy;
mod usage;
mod workspace;

use std::process::ExitCode;

/// What a command answers: `Ok(false)` means that it ran and found something wrong.
type Verdict = Result<bool, String>;

struct Command {
    name: &'static str,
    about: &'static str,
    run: fn(Vec<String>) -> Verdict,
}

const COMMANDS: &[Command] = &[
    Command { name: "test", about: test::ABOUT, run: test::command },
    Command { name: "ci", about: ci::ABOUT, run: ci::command },
    Command { name: "tidy", about: tidy::ABOUT, run: tidy::command },
    Command { name: "coverage", about: coverage::ABOUT, run: coverage::command },
    Command { name: "features", about: features::ABOUT, run: features::command },
    Command { name: "msrv", about: msrv::ABOUT, run: msrv::command },
    Command { name: "minimal", about: minimal::ABOUT, run: minimal::command },
    Command { name: "targets", about: targets::ABOUT, run: targets::command },
    Command { name: "docs", about: docs::ABOUT, run: docs::command },
    Command { name: "deny", about: deny::ABOUT, run: deny::command },
    Command { name: "peers", about: peers::ABOUT, run: peers::command },
    Command { name: "fuzz", about: fuzz::ABOUT, run: fuzz::command },
    Command { name: "sizes", about: sizes::ABOUT, run: sizes::command },
    Command { name: "bench", about: bench::ABOUT, run: bench::command },
    Command { name: "attack", about: attack::ABOUT, run: attack::command },
    Command { name: "soak", about: soak::ABOUT, run: soak::command },
    Command { name: "conformance", about: conformance::ABOUT, run: conformance::command },
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else {
        help();
        return ExitCode::from(2);
    };
    if ["help", "--help", "-h"].contains(&name.as_str()) {
        help();
        return ExitCode::SUCCESS;
    }
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        eprintln!("xtask: no command {name:?}; `cargo xtask help` lists them");
        return ExitCode::from(2);
    };
    let arguments: Vec<String> = arguments.collect();
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        println!("cargo xtask {}: {}", command.name, command.about);
        return ExitCode::SUCCESS;
    }
    match (command.run)(arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("xtask {name}: {message}");
            ExitCode::from(2)
        }
    }
}

fn help() {
    println!("usage: cargo xtask COMMAND [OPTIONS]\n");
    for command in COMMANDS {
        let mut lines = command.about.lines();
        println!("  {:<12} {}", command.name, lines.next().unwrap_or_default());
        for line in lines {
            println!("  {:<12} {line}", "");
        }
    }
}
