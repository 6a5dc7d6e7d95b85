//! How much processor time another process has used.

use std::fs;
use std::time::Duration;

/// Of the process with this id: in user and kernel mode, as Linux counts it; `None` elsewhere, and when
/// it is gone.
pub(super) fn of(id: u32) -> Option<Duration> {
    parse(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
}

/// Fields 14 and 15 of `/proc/ID/stat`, in hundredths of a second on every Linux that Rust knows. The
/// second field is a name in brackets, which may hold anything.
fn parse(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let kernel: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + kernel) * 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_are_found_behind_any_name() {
        let stat = "7 (a b) c) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20";
        assert_eq!(parse(stat), Some(Duration::from_millis(1750)));
        assert_eq!(parse("nothing"), None);
    }
}
