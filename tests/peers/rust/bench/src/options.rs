//! What the command line asks for.

use std::time::Duration;

use lexopt::{Arg, Parser, ValueExt};

/// How to use this program; `cargo xtask bench` passes everything on.
pub const USAGE: &str = "\
cargo xtask bench [OPTIONS]
  --only BENCH[,BENCH]    codec, echo, syscalls, deflate, large, handshake, broadcast, memory,
                          deflate-memory, scaling, h2, h3, opening,
                          stream-scaling, stream-memory
  --cell TEXT             only the cells whose name contains TEXT
  --candidates A[,B]      only these (raw and floor stay); default: all that exist
  --vs A B                these two only, and the paired ratio of A to B
  --quick                 short samples, few rounds: to see that it works, not to quote
  --rounds N              how many rounds, each in the reverse order of the one before
  --connections N         how many connections of memory are idle; default 10000
  --json FILE             writes the run
  --html FILE             writes the run as a page with plots
  --report                writes docs/performance.md
  --from FILE             measures nothing: reads a run written by --json
  --list                  lists benches, cells and servers";

/// The parsed command line.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub only: Vec<String>,
    pub cell: Option<String>,
    pub candidates: Vec<String>,
    pub versus: Option<(String, String)>,
    pub quick: bool,
    pub rounds: Option<usize>,
    pub connections: Option<usize>,
    pub json: Option<String>,
    pub html: Option<String>,
    pub report: Option<String>,
    pub from: Option<String>,
    pub list: bool,
}

impl Options {
    pub fn parse(arguments: Vec<String>) -> Result<Self, String> {
        Self::read(&mut Parser::from_args(arguments)).map_err(|error| error.to_string())
    }

    fn read(parser: &mut Parser) -> Result<Self, lexopt::Error> {
        let mut options = Self::default();
        while let Some(argument) = parser.next()? {
            let Arg::Long(name) = argument else { return Err(argument.unexpected()) };
            match name.to_owned().as_str() {
                "only" => options.only.extend(list(parser)?),
                "candidates" => options.candidates.extend(list(parser)?),
                "cell" => options.cell = Some(parser.value()?.string()?),
                "vs" => {
                    options.versus = Some((parser.value()?.string()?, parser.value()?.string()?));
                }
                "quick" => options.quick = true,
                "rounds" => options.rounds = Some(parser.value()?.parse()?),
                "connections" => options.connections = Some(parser.value()?.parse()?),
                "json" => options.json = Some(parser.value()?.string()?),
                "html" => options.html = Some(parser.value()?.string()?),
                "report" => options.report = Some(parser.value()?.string()?),
                "from" => options.from = Some(parser.value()?.string()?),
                "list" => options.list = true,
                other => return Err(format!("unknown option --{other}\n{USAGE}").into()),
            }
        }
        Ok(options)
    }

    /// Whether a bench was asked for.
    pub fn wants_bench(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    /// Whether a cell was asked for.
    pub fn wants_cell(&self, name: &str) -> bool {
        self.cell.as_deref().is_none_or(|text| name.contains(text))
    }

    /// Whether a candidate takes part: with `--candidates`, the limits still do.
    pub fn wants_candidate(&self, name: &str) -> bool {
        if let Some((one, other)) = &self.versus {
            return name == one || name == other;
        }
        self.candidates.is_empty()
            || crate::result::LIMITS.contains(&name)
            || self.candidates.iter().any(|candidate| candidate == name)
    }

    pub fn rounds(&self) -> usize {
        self.rounds.unwrap_or(match (self.quick, &self.versus) {
            (true, None) => 3,
            (true, Some(_)) => 7,
            (false, None) => 7,
            (false, Some(_)) => 15,
        })
    }

    /// How long one sample takes.
    pub fn sample(&self) -> Duration {
        Duration::from_millis(if self.quick { 60 } else { 400 })
    }

    /// Rounds, and how long a sample takes, where one connection is measured alone: the moods of a
    /// machine show there most, so there are more samples, and shorter ones.
    pub fn alone(&self) -> (usize, Duration) {
        (3 * self.rounds(), self.sample() / 3)
    }
}

fn list(parser: &mut Parser) -> Result<Vec<String>, lexopt::Error> {
    let value = parser.value()?.string()?;
    Ok(value.split(',').map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn versus_takes_two_names_and_nobody_else_takes_part() {
        let options = parse("--vs ours floor --only echo,codec --quick").expect("valid");
        assert_eq!(options.versus, Some(("ours".to_owned(), "floor".to_owned())));
        assert!(options.wants_candidate("floor") && !options.wants_candidate("raw"));
        assert!(options.wants_bench("codec") && !options.wants_bench("deflate"));
    }

    #[test]
    fn an_unknown_option_is_answered_with_the_usage() {
        assert!(parse("--fast").expect_err("unknown").contains(USAGE));
    }
}
