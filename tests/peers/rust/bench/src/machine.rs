//! Where and when a run took place.

use std::fs;
use std::process::Command;

use crate::options::Options;
use crate::process;

/// Facts that a reader of the figures needs.
pub fn facts(options: &Options) -> Vec<(String, String)> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown", |line| line.trim_start_matches([' ', '\t', ':']));
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default().to_owned();
    let cores = process::cores();
    let placed = match (cores.first(), cores.last(), process::has("taskset")) {
        (Some(first), Some(last), true) if first != last => {
            format!("server on core {first}, generator on core {last}")
        }
        _ => "not pinned: one core, or no taskset".to_owned(),
    };
    let length = if options.quick { "short: to see that it works, not to quote" } else { "full" };
    [
        ("date", output("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
        ("cpu", model.to_owned()),
        ("cores", cores.len().to_string()),
        ("placement", placed),
        ("kernel", release.trim().to_owned()),
        ("compiler", output("rustc", &["--version"])),
        ("commit", output("git", &["rev-parse", "--short=12", "HEAD"])),
        ("load when started", load),
        ("run", length.to_owned()),
        ("rounds", options.rounds().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_default()
}
