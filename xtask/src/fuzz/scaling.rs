//! Whether each parser takes time in proportion to its input, by instructions: a count that does not
//! depend on what else the machine does. A parser that is quadratic on purpose shows that the count
//! would tell.

use std::process::{Command, Stdio};

use super::plain;
use crate::steps::Outcome;
use crate::{bench, process};

/// The smallest input in bytes; the others are two, four and eight times as large.
const SIZE: usize = 2048;
/// From the first to the last doubling, what is linear grows four times and what is quadratic sixteen
/// times as much.
const MOST: f64 = 7.0;
/// The case that has to be found.
const TOY: &str = "toy_quadratic";

/// The step of `cargo xtask test`.
pub(crate) fn step() -> Result<Outcome, String> {
    let Some(valgrind) = process::find(&["valgrind"]) else {
        return Ok(Outcome::Skipped("valgrind is not installed".to_owned()));
    };
    let program = plain()?;
    let output = Command::new(&program).arg("scale").stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("ws-fuzz scale: {error}"))?;
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    let (mut steep, mut toy) = (Vec::new(), None);
    for name in names.lines() {
        let mut counts = [0.0; 4];
        for (count, times) in counts.iter_mut().zip([1, 2, 4, 8]) {
            let size = (SIZE * times).to_string();
            let found = bench::instructions(&valgrind, &program, &["scale", name, &size])?;
            *count = found as f64;
        }
        let grows = growth(counts);
        println!("{name:<20} {grows:>6.2} times over two doublings");
        if name == TOY {
            toy = Some(grows);
        } else if grows > MOST {
            steep.push(name);
        }
    }
    Ok(match toy {
        None => Outcome::Failed("there is no case to compare with".to_owned()),
        Some(grows) if grows <= MOST => {
            Outcome::Failed("what is quadratic on purpose was not found".to_owned())
        }
        Some(_) if !steep.is_empty() => {
            Outcome::Failed(format!("more than linear: {}", steep.join(", ")))
        }
        Some(_) => Outcome::Passed(format!("{} parsers are linear", names.lines().count() - 1)),
    })
}

/// How much more the last doubling of the input costs than the first. What does not depend on the
/// input falls out.
fn growth([one, two, four, eight]: [f64; 4]) -> f64 {
    (eight - four) / (two - one).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_and_quadratic_costs_are_told_apart() {
        let costs = |of: fn(f64) -> f64| [1.0, 2.0, 4.0, 8.0].map(|n| 1e6 + of(n * 1000.0));
        assert!(growth(costs(|n| n * 300.0)) < MOST);
        assert!(growth(costs(|n| n * n.log2() * 30.0)) < MOST);
        assert!(growth(costs(|n| n * n)) > MOST);
        assert!(growth(costs(|n| n * 30.0 + n * n * 0.1)) > MOST);
    }
}
