//! The targets without libFuzzer, on any compiler: `smoke` tries the committed corpora and mutations of
//! them, the same on every run, for a few seconds each; `run` tries files; `list` lists; `scale` does
//! what a parser does with an input of a size, for whoever counts its instructions.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ws_fuzz::mutate::Mutator;
use ws_fuzz::scale::CASES;
use ws_fuzz::{TARGETS, Target, target};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["list"] => {
            TARGETS.iter().for_each(|target| println!("{} {}", target.name, target.max_len));
            ExitCode::SUCCESS
        }
        ["smoke", seconds] => match seconds.parse() {
            Ok(seconds) => smoke(Duration::from_secs(seconds)),
            Err(_) => usage(),
        },
        ["scale"] => {
            CASES.iter().for_each(|(name, _)| println!("{name}"));
            ExitCode::SUCCESS
        }
        ["scale", case, size] => match (CASES.iter().find(|(name, _)| *name == case), size.parse())
        {
            (Some((_, run)), Ok(size)) => {
                run(size);
                ExitCode::SUCCESS
            }
            _ => usage(),
        },
        ["run", name, ref files @ ..] => match target(name) {
            Some(target) => run(target, files),
            None => usage(),
        },
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: ws-fuzz list | smoke SECONDS | run TARGET FILE… | scale [CASE SIZE]");
    ExitCode::from(2)
}

fn smoke(time: Duration) -> ExitCode {
    let mut found = 0;
    for target in TARGETS {
        let corpus = corpus(target);
        let mut mutator = Mutator::new(target.name, corpus.clone(), target.max_len);
        let start = Instant::now();
        let mut runs = 0;
        let mut seeds = corpus.iter();
        let finding = loop {
            let input = match seeds.next() {
                Some(seed) => seed.clone(),
                None if start.elapsed() >= time => break None,
                None => mutator.input(),
            };
            runs += 1;
            if !holds(target, &input) {
                break Some(input);
            }
        };
        println!("{:<14} {:>4} seeds {runs:>9} runs", target.name, corpus.len());
        if corpus.is_empty() {
            println!("!!! {} has no corpus", target.name);
            found += 1;
        }
        if let Some(input) = finding {
            found += 1;
            match keep(target, &input) {
                Ok(path) => println!("!!! {} FAILS for {}", target.name, path.display()),
                Err(error) => println!("!!! {} FAILS for {input:02x?} ({error})", target.name),
            }
        }
    }
    if found == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(target: &Target, files: &[&str]) -> ExitCode {
    for file in files {
        match fs::read(file) {
            Ok(input) if holds(target, &input) => println!("holds: {file}"),
            Ok(_) => {
                println!("!!! FAILS: {file}");
                return ExitCode::FAILURE;
            }
            Err(error) => {
                eprintln!("{file}: {error}");
                return ExitCode::from(2);
            }
        }
    }
    ExitCode::SUCCESS
}

fn holds(target: &Target, input: &[u8]) -> bool {
    let run = target.run;
    catch_unwind(|| run(input)).is_ok()
}

/// The committed corpus, in the order of its names.
fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().filter_map(|path| fs::read(path).ok()).collect()
}

/// Keeps what was found where the campaign keeps it too.
fn keep(target: &Target, input: &[u8]) -> std::io::Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let directory = root.join("target/fuzz/findings").join(target.name);
    fs::create_dir_all(&directory)?;
    let path = directory.join(format!("smoke-{:016x}", ws_fuzz::mutate::hash(input)));
    fs::write(&path, input)?;
    Ok(path)
}
