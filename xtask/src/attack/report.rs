//! The results of the attacks: a line, a table, JSON, and the page in the docs.

use std::fmt::Write as _;

use super::{Attacked, Figures};

/// One result, as it comes in.
pub(super) fn line(result: &Attacked) -> String {
    let mission = result.mission;
    let place = format!("{} {} ({})", mission.role, mission.attack.name, mission.over);
    let verdict = if result.crossed.is_empty() { "ok" } else { "CROSSED" };
    match &result.figures {
        Ok(figures) => {
            let mut line = format!("{verdict:<8}{place}: {}", words(figures));
            for crossed in &result.crossed {
                let _ = write!(line, "\n        {crossed}");
            }
            line
        }
        Err(why) => format!("{verdict:<8}{place}: {why}"),
    }
}

fn words(figures: &Figures) -> String {
    let Figures { sent, took, end, grown, time, neighbour } = figures;
    let mut words = format!(
        "{end} after {sent} octets and {:.1} s; {grown} KiB, {} ms on the processor",
        took.as_secs_f64(),
        time.as_millis()
    );
    if let Some((echoes, slowest)) = neighbour {
        let _ = write!(words, "; neighbour {echoes} echoes, slowest {} ms", slowest.as_millis());
    }
    words
}

/// All of them, bounds beside figures.
pub(super) fn text(results: &[Attacked]) -> String {
    let mut out = format!(
        "{:<7} {:<34} {:<7} {:<24} {:>12} {:>11} {:>11} {:>12}\n",
        "role", "attack", "over", "end", "octets", "KiB/bound", "s/bound", "cpu ms/bound"
    );
    for result in results {
        let (mission, attack) = (result.mission, result.mission.attack);
        let Ok(figures) = &result.figures else {
            let _ = writeln!(out, "{:<7} {:<34} NOT MEASURED", mission.role, attack.name);
            continue;
        };
        let memory = format!("{}/{}", figures.grown, attack.memory * 1024);
        let took = format!("{:.1}/{}", figures.took.as_secs_f64(), attack.within);
        let time = format!("{}/{}", figures.time.as_millis(), attack.time * 1000);
        let _ = writeln!(
            out,
            "{:<7} {:<34} {:<7} {:<24} {:>12} {memory:>11} {took:>11} {time:>12}",
            mission.role, attack.name, mission.over, figures.end, figures.sent
        );
    }
    out
}

/// All of them, for a program.
pub(super) fn json(results: &[Attacked]) -> String {
    let mut rows = Vec::new();
    for result in results {
        let (mission, attack) = (result.mission, result.mission.attack);
        let mut row = format!(
            "{{\"role\": {:?}, \"attack\": {:?}, \"over\": {:?}, \"bounds\": {{\"ends\": {:?}, \
             \"memory_kib\": {}, \"seconds\": {}, \"cpu_seconds\": {}}}, \"crossed\": {:?}",
            mission.role,
            attack.name,
            mission.over,
            attack.ends,
            attack.memory * 1024,
            attack.within,
            attack.time,
            result.crossed
        );
        if let Ok(figures) = &result.figures {
            let _ = write!(
                row,
                ", \"end\": {:?}, \"octets\": {}, \"memory_kib\": {}, \"ms\": {}, \"cpu_ms\": {}",
                figures.end,
                figures.sent,
                figures.grown,
                figures.took.as_millis(),
                figures.time.as_millis()
            );
            if let Some((echoes, slowest)) = figures.neighbour {
                let _ = write!(
                    row,
                    ", \"neighbour\": {{\"echoes\": {echoes}, \"slowest_ms\": {}}}",
                    slowest.as_millis()
                );
            }
        }
        row.push('}');
        rows.push(row);
    }
    format!("[\n{}\n]\n", rows.join(",\n"))
}

/// The page: bounds and what does not depend on the machine.
pub(super) fn markdown(results: &[Attacked]) -> String {
    let mut out = String::from(PREFACE);
    for (role, title) in [("server", "The echo server"), ("client", "The echo client")] {
        let mut rows = results.iter().filter(|result| result.mission.role == role).peekable();
        if rows.peek().is_none() {
            continue;
        }
        let _ = write!(out, "\n## {title}\n\n{HEAD}");
        for result in rows {
            let attack = result.mission.attack;
            let (end, grown) = match &result.figures {
                Ok(figures) => (figures.end.clone(), mib(figures.grown)),
                Err(_) => ("not measured".to_owned(), String::new()),
            };
            let served = match &result.figures {
                Ok(Figures { neighbour: Some((1.., _)), .. }) => "yes",
                _ => "",
            };
            let proportion = if attack.is_linear { "; time in proportion" } else { "" };
            let _ = writeln!(
                out,
                "| {}: {} | {} | {end} | {}{proportion} | {grown} | {} | {served} |",
                attack.name,
                attack.what,
                carrier(result.mission.over),
                attack.ends.join(", "),
                attack.memory
            );
        }
    }
    out
}

fn carrier(over: &str) -> String {
    let (scheme, carrier) = over.split_once(' ').unwrap_or((over, ""));
    let tls = if scheme == "wss" && carrier != "h3" { " with TLS" } else { "" };
    format!("{}{tls}", carrier.to_uppercase())
}

fn mib(kib: u64) -> String {
    format!("{}.{}", kib / 1024, kib % 1024 * 10 / 1024)
}

const HEAD: &str = "| attack | over | end | allowed | memory, MiB | at most | others served |\n\
|---|---|---|---|---|---|---|\n";

const PREFACE: &str = "<!-- Generated by `cargo xtask attack --report`; do not edit. -->\n\
# Under attack\n\n\
What the echo programs of this repository do when somebody means harm, and what it costs them. Each\n\
row is a fresh process; the attacker is another one, which shares no code with it. *Memory* is the\n\
highest resident memory: of a server above that of the idle process, of a client the whole; what the\n\
allocator and the runtime take for themselves is included. *Others served* says that a second\n\
connection got every echo meanwhile. The limits are the defaults but where something is said to be\n\
allowed; deadlines are shortened to three seconds, so that a run takes minutes. *Time in proportion*\n\
says that a quarter of the attack costs no less than an eighth of the time on the processor, give or\n\
take five milliseconds. `cargo xtask attack`\n\
measures again and fails where a bound is crossed.\n";
