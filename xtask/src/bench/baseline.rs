//! The committed counts and what may change about them.

/// One counted figure.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Count {
    pub(super) case: String,
    pub(super) what: String,
    pub(super) value: f64,
}

/// How a figure compares with its baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Same,
    /// Lower by more than the tolerance: the baseline should follow.
    Better,
    Worse,
    /// Not in the baseline.
    New,
}

/// A rise of more than 3 % fails, and so does any rise from nothing. Slack for the four decimals
/// that are kept.
const TOLERANCE: f64 = 0.03;
const ROUNDING: f64 = 0.001;

/// Reads `case what value` lines; the lines in front that start with `#` say how it was made.
pub(super) fn parse(text: &str) -> Result<Vec<Count>, String> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines
        .map(|line| {
            let mut fields = line.split_whitespace();
            let count = (|| {
                let (case, what) = (fields.next()?, fields.next()?);
                let value = fields.next()?.parse().ok()?;
                Some(Count { case: case.to_owned(), what: what.to_owned(), value })
            })();
            count.ok_or_else(|| format!("not a count: {line:?}"))
        })
        .collect()
}

/// The compiler that the instructions of the baseline belong to.
pub(super) fn compiler(text: &str) -> &str {
    text.lines().find_map(|line| line.strip_prefix("# compiler: ")).unwrap_or_default()
}

pub(super) fn write(counts: &[Count], compiler: &str) -> String {
    let mut text = format!(
        "# What `cargo xtask bench --counts` compares with; written by it with --bless.\n\
         # Per message, or per connection where there is none; idle-connection holds bytes.\n\
         # compiler: {compiler}\n"
    );
    for count in counts {
        text.push_str(&format!("{:<28} {:<20} {:.4}\n", count.case, count.what, count.value));
    }
    text
}

pub(super) fn find<'a>(counts: &'a [Count], wanted: &Count) -> Option<&'a Count> {
    counts.iter().find(|count| count.case == wanted.case && count.what == wanted.what)
}

pub(super) fn compare(baseline: Option<&Count>, now: f64) -> Change {
    let Some(baseline) = baseline else { return Change::New };
    let slack = baseline.value * TOLERANCE + ROUNDING;
    if now > baseline.value + slack {
        Change::Worse
    } else if now < baseline.value - slack {
        Change::Better
    } else {
        Change::Same
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(value: f64) -> Count {
        Count { case: "decode-16".into(), what: "instructions".into(), value }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let counts = vec![count(278.5), Count { what: "allocations".into(), ..count(0.0) }];
        let text = write(&counts, "rustc 1.0");
        assert_eq!(parse(&text), Ok(counts));
        assert_eq!(compiler(&text), "rustc 1.0");
        assert!(parse("decode-16 instructions\n").is_err());
    }

    #[test]
    fn three_percent_may_come_and_go_but_a_new_allocation_may_not() {
        for (before, now, change) in [
            (100.0, 102.9, Change::Same),
            (100.0, 103.2, Change::Worse),
            (100.0, 96.0, Change::Better),
            (0.0, 0.0, Change::Same),
            (0.0, 1.0, Change::Worse),
            (0.0, 0.0625, Change::Worse),
        ] {
            assert_eq!(compare(Some(&count(before)), now), change, "{before} to {now}");
        }
        assert_eq!(compare(None, 1.0), Change::New);
    }
}
