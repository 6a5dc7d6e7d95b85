//! Times this project next to other WebSocket crates; `cargo xtask bench` builds and runs it.
//!
//! `serve NAME` and `load …` (`load-streams …`, `open-streams …`) are the two sides of a measurement,
//! started as processes of their own so that each has a core; `weigh …` is a part of one that is too
//! large for a process. Everything else is options.

mod bars;
mod clock;
mod codec;
mod load;
mod machine;
mod measure;
mod options;
mod process;
mod reply;
mod report;
mod result;
mod server;
mod stats;
#[cfg(feature = "streams")]
mod streams;
mod table;
mod wire;

use std::fs;
use std::process::ExitCode;

use crate::options::Options;
use crate::result::Run;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((mode, rest)) if mode == "serve" => serve(rest),
        Some((mode, rest)) if mode == "load" => generate(rest),
        #[cfg(feature = "streams")]
        Some((mode, rest)) if mode == "load-streams" => generate_streams(rest, streams::run),
        #[cfg(feature = "streams")]
        Some((mode, rest)) if mode == "open-streams" => {
            generate_streams(rest, streams::open_and_close)
        }
        Some((mode, rest)) if mode == "weigh" => measure::weigh_part(rest),
        Some((mode, _)) if mode == "--help" => {
            println!("{}", options::USAGE);
            Ok(())
        }
        _ => Options::parse(arguments).and_then(|options| run(&options)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::from(2)
        }
    }
}

fn serve(arguments: &[String]) -> Result<(), String> {
    let [name] = arguments else { return Err("serve takes the name of a server".to_owned()) };
    server::run(name)
}

fn generate(arguments: &[String]) -> Result<(), String> {
    let plan = load::Plan::from_arguments(arguments).ok_or("not a plan")?;
    println!("{}", load::run(&plan)?.to_line());
    Ok(())
}

#[cfg(feature = "streams")]
fn generate_streams(
    arguments: &[String],
    run: fn(&streams::Plan) -> Result<load::Measured, String>,
) -> Result<(), String> {
    let plan = streams::Plan::from_arguments(arguments).ok_or("not a plan")?;
    println!("{}", run(&plan)?.to_line());
    Ok(())
}

fn run(options: &Options) -> Result<(), String> {
    if options.list {
        list();
        return Ok(());
    }
    let run = match &options.from {
        Some(file) => read(file)?,
        None => measure(options)?,
    };
    write_json(options, &run)?;
    if let Some(file) = &options.html {
        write(file, &report::html(&run))?;
    }
    if let Some(file) = &options.report {
        write(file, &report::markdown(&run))?;
    }
    Ok(())
}

fn measure(options: &Options) -> Result<Run, String> {
    for name in &options.only {
        if !measure::BENCHES.iter().any(|bench| bench.name == name) {
            return Err(format!("no bench {name:?}; --list shows them"));
        }
    }
    let mut run = Run { facts: machine::facts(options), benches: Vec::new() };
    for (name, value) in &run.facts {
        println!("{name:<18} {value}");
    }
    for bench in measure::BENCHES.iter().filter(|bench| options.wants_bench(bench.name)) {
        match (bench.run)(options) {
            Ok(bench) => {
                table::print(&bench, options.versus.as_ref());
                run.benches.push(bench);
                // A run that is broken off keeps what it has measured.
                write_json(options, &run)?;
            }
            Err(error) => eprintln!("!!! {} NOT RUN: {error}", bench.name),
        }
    }
    Ok(run)
}

fn write_json(options: &Options, run: &Run) -> Result<(), String> {
    let Some(file) = &options.json else { return Ok(()) };
    let json = serde_json::to_string_pretty(&run.to_json()).map_err(|error| error.to_string())?;
    fs::write(file, json + "\n").map_err(|error| format!("{file}: {error}"))
}

fn list() {
    for bench in measure::BENCHES {
        println!("{}", bench.name);
        for cell in (bench.cells)() {
            println!("  {cell}");
        }
    }
    println!("servers");
    for server in server::SERVERS {
        let note = if server::is_here(server.name) { "" } else { " (not installed)" };
        println!("  {}{note}", server.name);
    }
}

fn read(file: &str) -> Result<Run, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let json = serde_json::from_str(&text).map_err(|error| format!("{file}: {error}"))?;
    Run::from_json(&json).ok_or_else(|| format!("{file} is not a run"))
}

fn write(file: &str, text: &str) -> Result<(), String> {
    fs::write(file, text).map_err(|error| format!("{file}: {error}"))?;
    println!("wrote {file}");
    Ok(())
}
