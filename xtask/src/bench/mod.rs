//! `cargo xtask bench`: how fast this is, next to other crates and to the limits.
//!
//! The measuring itself lives in a workspace of its own, `tests/peers/rust`, so that no peer enters
//! the dependencies of the product. This command builds and runs it, and compares the counts.

mod baseline;
mod counts;

use std::path::PathBuf;
use std::process::Command;

use crate::options::Options;
use crate::{Verdict, peers, process, workspace};

pub(crate) use counts::{instructions, step};

pub(crate) const ABOUT: &str = "times codec, echo, deflate, large messages, handshake, broadcast, memory, deflate-memory, scaling, h2, h3, opening next to peers\n\
--only BENCH[,BENCH]  --cell TEXT  --candidates A[,B]  --vs A B  --quick  --rounds N\n\
--json FILE  --html FILE  --report  --from FILE  --list\n\
--counts: instructions, allocations, transport calls, idle bytes against the baseline\n\
--counts --bless: writes the baseline";

const MANIFEST: &str = "tests/peers/rust/Cargo.toml";

pub(crate) fn command(arguments: Vec<String>) -> Verdict {
    if arguments.iter().any(|argument| argument == "--counts") {
        let options = Options::parse(arguments, &[], &["counts", "bless"])?;
        return counts::command(options.has("bless"));
    }
    let arguments = arguments.into_iter().flat_map(|argument| match argument.as_str() {
        "--report" => vec![argument, "docs/performance.md".to_owned()],
        _ => vec![argument],
    });
    let arguments: Vec<String> = arguments.collect();
    let mut command = Command::new(build("ws-bench", features(&arguments))?);
    command.envs(peers::bench_environment());
    process::run(command.args(arguments).current_dir(workspace::root()))
}

/// The features of the benches that are wanted. HTTP/2 and HTTP/3 take long to build.
fn features(arguments: &[String]) -> &'static [&'static str] {
    const STREAMS: [&str; 6] =
        ["syscalls", "h2", "h3", "opening", "stream-scaling", "stream-memory"];
    let only = arguments.iter().position(|argument| argument == "--only");
    let wanted = only.and_then(|at| arguments.get(at + 1));
    let is_wanted = wanted.is_none_or(|list| list.split(',').any(|name| STREAMS.contains(&name)));
    if is_wanted { &["--features", "streams"] } else { &[] }
}

/// Builds one package of the workspace of peers, optimised; returns its program.
fn build(package: &str, features: &[&str]) -> Result<PathBuf, String> {
    let target = workspace::target_directory();
    let mut command = process::cargo(&["build", "--release", "--quiet"]);
    command.args(["--manifest-path", MANIFEST, "--package", package]);
    command.args(features).arg("--target-dir").arg(&target);
    if process::run(&mut command)? {
        Ok(target.join("release").join(package))
    } else {
        Err(format!("{package} does not build"))
    }
}
